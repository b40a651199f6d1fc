-- What searches look into. It follows the operation log and can always be made anew from the documents; rights and
-- places are not in it. Rows are numbered by tree, node and part (`search/ids`).

CREATE TABLE search_tree (number INTEGER PRIMARY KEY, root INTEGER NOT NULL UNIQUE);

-- version: of the words that are in; -1 while they are being replaced. bytes, vectors: about what both take.
CREATE TABLE search_node (
  node INTEGER PRIMARY KEY, tree INTEGER NOT NULL, blocks INTEGER NOT NULL, version INTEGER NOT NULL,
  title TEXT NOT NULL, bytes INTEGER NOT NULL, vectors INTEGER NOT NULL DEFAULT 0
);

CREATE VIRTUAL TABLE search_words USING fts5(
  title, about, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO search_words (search_words, rank) VALUES ('rank', 'bm25(4.0, 2.0, 1.0)');

CREATE VIRTUAL TABLE search_names USING fts5(
  name, title, content = '', contentless_delete = 1, tokenize = 'trigram remove_diacritics 1'
);

-- Documents whose vectors are to be made, and the change that they wait for since.
CREATE TABLE search_queue (node INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE INDEX search_queue_seq ON search_queue (seq);

-- start, length: which part of the text; bits: the signs of the vector; epoch: which embedder made it.
CREATE TABLE search_piece (
  id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL, bits BLOB NOT NULL
);

-- data: 32-bit floats, little-endian, of length 1.
CREATE TABLE search_vector (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
