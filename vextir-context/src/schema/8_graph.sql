-- The graph. Ids (`uid`) are hashes of what tells rows apart, the same in every replica.

-- node: the document that it is, for one; its key is the document's id then.
CREATE TABLE entity (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, node INTEGER
);
CREATE UNIQUE INDEX entity_key ON entity (owner, kind, key);

-- node: the document that it comes from; source: the name of what is no document. A forgotten one stays as an empty row.
CREATE TABLE episode (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, owner TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL,
  kind TEXT NOT NULL, node INTEGER, at INTEGER NOT NULL, known INTEGER NOT NULL, digest BLOB, text TEXT, data TEXT,
  agent TEXT, driver TEXT, cause BLOB, removed INTEGER
);
CREATE UNIQUE INDEX episode_uid ON episode (uid);
CREATE INDEX episode_source ON episode (owner, source, node);
CREATE INDEX episode_node ON episode (node) WHERE node IS NOT NULL;

-- sort: 0 to an entity (object), 1 to a value (JSON), 2 a property (JSON); latest: no statement of it is valid from later.
CREATE TABLE link (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, subject INTEGER NOT NULL, sort INTEGER NOT NULL,
  relation TEXT NOT NULL, object INTEGER, value TEXT, latest INTEGER NOT NULL
);
CREATE UNIQUE INDEX link_uid ON link (uid);
CREATE INDEX link_subject ON link (subject, sort, relation, latest);
CREATE INDEX link_object ON link (object) WHERE object IS NOT NULL;

-- Which episode says a link, for when (in the world), and since when we know that it does.
CREATE TABLE statement (
  link INTEGER NOT NULL, valid_from INTEGER NOT NULL, episode INTEGER NOT NULL, known_from INTEGER NOT NULL,
  valid_until INTEGER, known_until INTEGER,
  PRIMARY KEY (link, valid_from, episode, known_from)
) WITHOUT ROWID;
CREATE INDEX statement_episode ON statement (episode);
-- What an episode says at present, however often it said something else.
CREATE INDEX statement_standing ON statement (episode) WHERE known_until IS NULL;

-- single: one value at a time.
CREATE TABLE relation (
  owner TEXT NOT NULL, name TEXT NOT NULL, single INTEGER NOT NULL, PRIMARY KEY (owner, name)
) WITHOUT ROWID;
