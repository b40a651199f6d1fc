-- What replicas need: the names of operations, what each change of structure said, and who has what.

-- first: for an incarnation of this file, the last change before it; null for those of other files.
CREATE TABLE replica (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, first INTEGER);
INSERT INTO replica VALUES (1, randomblob(16), 0);

-- Operations of other replicas; seq: the change.
CREATE TABLE operation (
  replica INTEGER NOT NULL, counter INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (replica, counter)
) WITHOUT ROWID;
CREATE INDEX operation_seq ON operation (seq);

-- What was said about structure and rights: rows of node and entitlement follow from it. topic: c created, m moved,
-- r removed or restored, x restricted, g and who: a right; value: JSON.
CREATE TABLE fact (
  node INTEGER NOT NULL, topic TEXT NOT NULL, clock INTEGER NOT NULL, replica INTEGER NOT NULL, seq INTEGER NOT NULL,
  value TEXT NOT NULL, PRIMARY KEY (node, topic, clock, replica)
) WITHOUT ROWID;
CREATE INDEX fact_seq ON fact (seq);
CREATE INDEX fact_moved ON fact (node) WHERE topic = 'm';
CREATE INDEX fact_moved_at ON fact (clock) WHERE topic = 'm';

-- Nodes whose name clashes, with the name that they were given.
CREATE TABLE alias (node INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL);
CREATE INDEX alias_name ON alias (parent, name);

-- Up to where the operations of each replica were taken in, by scope (the uid of its uppermost node).
CREATE TABLE horizon (
  scope BLOB NOT NULL, replica INTEGER NOT NULL, counter INTEGER NOT NULL, PRIMARY KEY (scope, replica)
) WITHOUT ROWID;

-- Operations that build on what is not here yet; missing: the uid of a node; user, trusted: of the peer that sent them.
CREATE TABLE early (
  user TEXT NOT NULL, trusted INTEGER NOT NULL, scope BLOB NOT NULL, replica INTEGER NOT NULL,
  counter INTEGER NOT NULL, missing BLOB NOT NULL, at INTEGER NOT NULL, operation TEXT NOT NULL,
  PRIMARY KEY (user, trusted, scope, replica, counter)
) WITHOUT ROWID;
CREATE INDEX early_missing ON early (missing);
CREATE INDEX early_at ON early (at);

-- Nodes whose folder is not here; parent: its uid.
CREATE TABLE orphan (parent BLOB NOT NULL, node INTEGER NOT NULL, PRIMARY KEY (parent, node)) WITHOUT ROWID;

-- What was purged, for replicas that still have it. top: what was removed, itself or a folder above it; clock, replica
-- (its id), removed: what said so; at: when it was purged.
CREATE TABLE purged (
  uid BLOB PRIMARY KEY, owner TEXT NOT NULL, top BLOB NOT NULL, folder INTEGER NOT NULL, created INTEGER NOT NULL,
  clock INTEGER NOT NULL, replica BLOB NOT NULL, removed INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX purged_at ON purged (at);

-- What other files acknowledged: the changes up to seq, with what they had then; owner: whose tree the scope is in.
CREATE TABLE peer (
  file BLOB NOT NULL, user TEXT NOT NULL, scope BLOB NOT NULL, seq INTEGER NOT NULL, vector TEXT NOT NULL,
  at INTEGER NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (file, user, scope)
) WITHOUT ROWID;

INSERT INTO fact SELECT node.id, 'c', node.clock, 1,
  coalesce((SELECT min(seq) FROM change WHERE change.node = node.id), 0),
  json_object('say', 'place', 'parent', lower(hex(above.uid)), 'name', node.name)
  FROM node JOIN node above ON above.id = node.parent;
INSERT INTO fact SELECT id, 'r', clock, 1, coalesce((SELECT min(seq) FROM change WHERE node = id), 0),
  json_object('say', 'removed', 'at', removed) FROM node WHERE removed IS NOT NULL;
INSERT INTO fact SELECT id, 'x', clock, 1, coalesce((SELECT min(seq) FROM change WHERE node = id), 0),
  '{"say":"restricted","on":true,"over":[]}' FROM node WHERE restricted;
INSERT INTO fact SELECT node, 'g' || who, clock, 1,
  coalesce((SELECT min(seq) FROM change WHERE change.node = entitlement.node), 0),
  json_object('say', 'level', 'who', who, 'level', level, 'over', json_array()) FROM entitlement;
