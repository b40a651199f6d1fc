-- What stood at a name before, and where a document came from.

-- The first version that a document had at its present name, or 0 where no other one was there before.
ALTER TABLE node ADD COLUMN arrived INTEGER NOT NULL DEFAULT 0;

-- The highest version that any document had at a name when it left it, and the last one that did.
CREATE TABLE former (
  parent INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, node INTEGER NOT NULL,
  PRIMARY KEY (parent, name)
) WITHOUT ROWID;
INSERT INTO former
  SELECT parent, name, max(version), node FROM (
    SELECT parent, name, version, node FROM node JOIN document ON document.node = node.id
    WHERE node.kind = 2 AND removed IS NOT NULL
    UNION ALL
    SELECT detail ->> 'parent', detail ->> 'name', document.version, change.node
    FROM change JOIN document ON document.node = change.node JOIN node ON node.id = change.node
    WHERE what = 2 AND node.kind = 2
  ) GROUP BY parent, name;

-- How many folders and bytes what lies below a folder may add to its path, removed and hidden things with it: at most.
ALTER TABLE node ADD COLUMN tall INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN long INTEGER NOT NULL DEFAULT 0;
UPDATE node SET tall = 32, long = 1024 WHERE kind < 2;
CREATE INDEX node_folder ON node (parent) WHERE kind = 1 AND removed IS NULL;

CREATE INDEX change_structure ON change (node, seq) WHERE what IN (2, 3, 4);

-- The head of the operation log when the right was given, and when the user came into the group.
ALTER TABLE entitlement ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

-- The openings of the file, each with the first change that it made.
CREATE TABLE opening (first INTEGER PRIMARY KEY, number INTEGER NOT NULL);

-- What is done in slices, between two batches: round 0: the node becomes known to members of the group after `user`;
-- 1, 2: the user came into the group, or left it, and learns of its nodes after `node`.
CREATE TABLE errand (
  number INTEGER PRIMARY KEY, round INTEGER NOT NULL, who TEXT NOT NULL, user TEXT NOT NULL, node INTEGER NOT NULL
);
