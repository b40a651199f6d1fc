-- The innermost branch that an event belongs to, as in `root`; null where it belongs to none.
ALTER TABLE log ADD COLUMN branch BLOB;
ALTER TABLE parked ADD COLUMN branch BLOB;

-- Branches that are not over. driver: who is told. answers, labels: JSON, null where there are none.
CREATE TABLE branch (
  id BLOB PRIMARY KEY, user TEXT NOT NULL, root BLOB NOT NULL, depth INTEGER NOT NULL, driver INTEGER NOT NULL,
  ordering_key TEXT, parent BLOB, open INTEGER NOT NULL, failed INTEGER NOT NULL, answers TEXT, more INTEGER NOT NULL, labels TEXT
) WITHOUT ROWID;
CREATE INDEX branch_root ON branch (root);
