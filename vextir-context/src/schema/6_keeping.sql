-- How long the past is kept, and how much of it is gone.

-- Microseconds; null: as in the folder above.
CREATE TABLE keeping (node INTEGER PRIMARY KEY, versions INTEGER, removed INTEGER);

-- Up to where changes at or below a root, or a shared node, are gone, and what was removed until when.
CREATE TABLE trimmed (node INTEGER PRIMARY KEY, seq INTEGER NOT NULL, removed INTEGER NOT NULL);

-- The first version that is kept of a document whose earlier ones are gone.
CREATE TABLE shortened (node INTEGER PRIMARY KEY, version INTEGER NOT NULL);

CREATE INDEX node_purge ON node (removed, id) WHERE removed IS NOT NULL;
CREATE INDEX mount_of ON mount (node);
