-- Documents. Names are unique among what is not removed; a folder's guide is a text under the folder's own number.
-- Nothing but `node.parent` says where a node is: a move, a removal, a grant and a restriction are one row each,
-- however much lies below.

-- kind: 0 a user's root (name is the user, parent 0), 1 folder, 2 document; clock: of the last change of structure,
-- microseconds since 1970 that never repeat or go back.
CREATE TABLE node (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, kind INTEGER NOT NULL, parent INTEGER NOT NULL, name TEXT NOT NULL,
  restricted INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, updated INTEGER NOT NULL, removed INTEGER,
  clock INTEGER NOT NULL
);
CREATE UNIQUE INDEX node_live ON node (parent, name) WHERE removed IS NULL;
CREATE INDEX node_removed ON node (parent, name, removed) WHERE removed IS NOT NULL;
CREATE UNIQUE INDEX node_uid ON node (uid);

-- kind: 0 text, 1 JSON; metadata: null where there are none; state: what replicas merge.
CREATE TABLE document (
  node INTEGER PRIMARY KEY, version INTEGER NOT NULL, kind INTEGER NOT NULL, size INTEGER NOT NULL, metadata TEXT,
  content TEXT NOT NULL, state BLOB NOT NULL
);

-- The operation log. user: null where it is the tree's owner; detail: JSON about a change of structure or rights;
-- body: what changed in the content, as replicas merge it.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY, node INTEGER NOT NULL, what INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,
  clock INTEGER NOT NULL, user TEXT, agent TEXT, driver TEXT, cause BLOB, detail TEXT, body BLOB
);
CREATE INDEX change_node ON change (node, seq);

-- who: u: user, g: group, a: agent, and the name; level: 1 read, 2 comment, 3 write, 4 admin.
CREATE TABLE entitlement (
  node INTEGER NOT NULL, who TEXT NOT NULL, level INTEGER NOT NULL, clock INTEGER NOT NULL, PRIMARY KEY (node, who)
) WITHOUT ROWID;
CREATE INDEX entitlement_who ON entitlement (who, node);

CREATE TABLE member (user TEXT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (user, who)) WITHOUT ROWID;
CREATE INDEX member_who ON member (who, user);

-- Where a user finds what others share: /Shared/<owner>/<name>. A row stays when the right goes, so that a path never
-- comes to mean something else.
CREATE TABLE mount (
  user TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, node INTEGER NOT NULL,
  PRIMARY KEY (user, owner, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX mount_node ON mount (user, node);
