-- Documents whose texts the embedder refused, with the change that they had waited for, and what it said.
CREATE TABLE search_refused (node INTEGER PRIMARY KEY, seq INTEGER NOT NULL, reason TEXT NOT NULL);
