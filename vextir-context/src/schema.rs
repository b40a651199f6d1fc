//! The tables of a hub's file, and how older files become newer ones.

use crate::fault::OrFault;
use rusqlite::Connection;
use vextir_core::Result;

/// Marks the file as a hub's: "VXTR".
pub(crate) const APPLICATION_ID: i32 = 0x5658_5452;

/// The version that this code reads and writes.
pub(crate) const VERSION: i32 = 5;

/// From version 0 to 1, from 1 to 2, and so on; each step runs in one transaction with its version number.
const STEPS: [&str; VERSION as usize] = [FIRST, SECOND, THIRD, PLACES, GRAPH];

/// Columns of an event, in the order in which `encode` writes and `decode` reads them.
pub(crate) const EVENT_COLUMNS: &str = "id, type, category, time, user, source, cause, root, depth, \
     ordering_key, deliver_at, priority, labels, metadata, data";

/// Ids are 16-byte blobs, or text for foreign ids (`user`, 0x1f, id). Times are microseconds since 1970.
/// `data` is last: whoever wants the other columns need not walk over it.
const FIRST: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE driver (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version TEXT);

-- category: 0 input, 1 internal, 2 output; priority: 0 high, 2 low, else null; root: null on the root itself.
CREATE TABLE log (
  seq INTEGER PRIMARY KEY, logged INTEGER NOT NULL, policy TEXT,
  id BLOB NOT NULL, type TEXT NOT NULL, category INTEGER NOT NULL, time INTEGER NOT NULL,
  user TEXT NOT NULL, source TEXT NOT NULL, cause BLOB, root BLOB, depth INTEGER NOT NULL,
  ordering_key TEXT, deliver_at INTEGER, priority INTEGER, labels TEXT, metadata TEXT, data TEXT
);
CREATE UNIQUE INDEX log_id ON log (id);

CREATE TABLE unrouted (seq INTEGER PRIMARY KEY);

CREATE TABLE delivery (
  pos INTEGER PRIMARY KEY, seq INTEGER NOT NULL, driver INTEGER NOT NULL, logged INTEGER NOT NULL,
  attempt INTEGER NOT NULL, reclaims INTEGER NOT NULL, due INTEGER, obligations TEXT, error TEXT
);

CREATE TABLE dead (
  pos INTEGER PRIMARY KEY, seq INTEGER NOT NULL, driver INTEGER NOT NULL, logged INTEGER NOT NULL,
  attempts INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, obligations TEXT
);
CREATE INDEX dead_seq ON dead (seq);

-- hold: 0 delayed, 1 approval, 2 lease, 3 key.
CREATE TABLE parked (
  number INTEGER PRIMARY KEY, hold INTEGER NOT NULL, since INTEGER NOT NULL, decision TEXT, origin TEXT,
  id BLOB NOT NULL, type TEXT NOT NULL, category INTEGER NOT NULL, time INTEGER NOT NULL,
  user TEXT NOT NULL, source TEXT NOT NULL, cause BLOB, root BLOB, depth INTEGER NOT NULL,
  ordering_key TEXT, deliver_at INTEGER, priority INTEGER, labels TEXT, metadata TEXT, data TEXT
);
CREATE UNIQUE INDEX parked_id ON parked (id);
CREATE INDEX parked_due ON parked (deliver_at) WHERE hold = 0;
CREATE INDEX parked_hold ON parked (hold) WHERE hold <> 0;
CREATE INDEX parked_key ON parked (user, ordering_key) WHERE hold <> 0 AND ordering_key IS NOT NULL;
CREATE INDEX parked_root ON parked (root) WHERE root IS NOT NULL;

-- state: 0 active, 1 held, 2 cancelled; limits: null where the hub's default limits hold.
CREATE TABLE lease (
  root BLOB PRIMARY KEY, user TEXT NOT NULL, events INTEGER NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, open INTEGER NOT NULL, parked INTEGER NOT NULL, state INTEGER NOT NULL,
  limits TEXT, units TEXT
) WITHOUT ROWID;

-- Ledgers that no row of the log will take along when it goes; each leaves when retention has passed seq.
CREATE TABLE linger (seq INTEGER NOT NULL, root BLOB NOT NULL, PRIMARY KEY (seq, root)) WITHOUT ROWID;

CREATE TABLE key (
  number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, user TEXT NOT NULL, key TEXT NOT NULL, id BLOB NOT NULL
);
CREATE UNIQUE INDEX key_key ON key (user, key);

CREATE TABLE audit (
  number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, user TEXT NOT NULL, record TEXT NOT NULL
);

CREATE TABLE checkpoint (
  driver INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (driver, key)
) WITHOUT ROWID;
";

/// Documents. Names are unique among what is not removed; a folder's guide is a text under the folder's own number.
/// Nothing but `node.parent` says where a node is: a move, a removal, a grant and a restriction are one row each,
/// however much lies below.
const SECOND: &str = "
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
";

/// Deliveries that wait for a driver that is not registered; columns as in `delivery`. And letters keep ledgers.
const THIRD: &str = "
CREATE TABLE unclaimed (
  pos INTEGER PRIMARY KEY, seq INTEGER NOT NULL, driver INTEGER NOT NULL, logged INTEGER NOT NULL,
  attempt INTEGER NOT NULL, reclaims INTEGER NOT NULL, due INTEGER, obligations TEXT, error TEXT
);
CREATE INDEX unclaimed_driver ON unclaimed (driver);

CREATE INDEX parked_user ON parked (user) WHERE hold <> 0;

-- root: of the tree whose ledger the letter keeps.
ALTER TABLE dead ADD COLUMN root BLOB;
UPDATE dead SET root = (SELECT coalesce(log.root, log.id) FROM log WHERE log.seq = dead.seq);
CREATE INDEX dead_root ON dead (root);
";

/// What stood at a name before, and where a document came from.
const PLACES: &str = "
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
";

/// The graph. Ids (`uid`) are hashes of what tells rows apart, the same in every replica; `clock` is that of the last
/// change, as in `node`.
const GRAPH: &str = "
-- node: the document that it is, for one; its key is the document's id then.
CREATE TABLE entity (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, node INTEGER
);
CREATE UNIQUE INDEX entity_key ON entity (owner, kind, key);

-- node: the document that it comes from; source: the name of what is no document. A forgotten one stays as an empty row.
CREATE TABLE episode (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, owner TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL,
  kind TEXT NOT NULL, node INTEGER, at INTEGER NOT NULL, known INTEGER NOT NULL, digest BLOB, text TEXT, data TEXT,
  agent TEXT, driver TEXT, cause BLOB, clock INTEGER NOT NULL, removed INTEGER
);
CREATE UNIQUE INDEX episode_uid ON episode (uid);
CREATE INDEX episode_source ON episode (owner, source, node);
CREATE INDEX episode_node ON episode (node) WHERE node IS NOT NULL;

-- sort: 0 to an entity (object), 1 to a value (JSON), 2 a property (JSON); latest: no statement of it is valid from later.
CREATE TABLE link (
  id INTEGER PRIMARY KEY, uid BLOB NOT NULL, owner TEXT NOT NULL, subject INTEGER NOT NULL, sort INTEGER NOT NULL,
  relation TEXT NOT NULL, object INTEGER, value TEXT, latest INTEGER NOT NULL
);
CREATE UNIQUE INDEX link_uid ON link (uid);
CREATE INDEX link_subject ON link (subject, sort, relation, latest);
CREATE INDEX link_object ON link (object) WHERE object IS NOT NULL;

-- Which episode says a link, for when (in the world), and since when we know that it does.
CREATE TABLE statement (
  link INTEGER NOT NULL, valid_from INTEGER NOT NULL, episode INTEGER NOT NULL, known_from INTEGER NOT NULL,
  valid_until INTEGER, known_until INTEGER, clock INTEGER NOT NULL,
  PRIMARY KEY (link, valid_from, episode, known_from)
) WITHOUT ROWID;
CREATE INDEX statement_episode ON statement (episode);

-- single: one value at a time.
CREATE TABLE relation (
  owner TEXT NOT NULL, name TEXT NOT NULL, single INTEGER NOT NULL, clock INTEGER NOT NULL, PRIMARY KEY (owner, name)
) WITHOUT ROWID;
";

/// Brings a file from `version` to [`VERSION`]; all of it or nothing.
pub(crate) fn migrate(connection: &Connection, version: i32) -> Result<()> {
    let done = usize::try_from(version).unwrap_or(0);
    if done >= STEPS.len() {
        return Ok(());
    }
    // A new file is made in one commit: on its own, the pragma would leave one that is nobody's.
    let begin = if done == 0 { "BEGIN; PRAGMA auto_vacuum = INCREMENTAL;" } else { "BEGIN IMMEDIATE;" };
    let mut script = String::from(begin);
    for step in &STEPS[done..] {
        script.push_str(step);
    }
    script.push_str(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ));
    connection.execute_batch(&script).or_fault().inspect_err(|_| {
        if !connection.is_autocommit() {
            // The migration has failed already; the file is as it was.
            let _ = connection.execute_batch("ROLLBACK");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")
            .unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn a_file_of_the_first_version_becomes_a_new_one_and_keeps_its_rows() {
        let old = Connection::open_in_memory().unwrap();
        old.execute_batch(&format!("{FIRST} PRAGMA user_version = 1; INSERT INTO meta VALUES ('head', 7);"))
            .unwrap();
        migrate(&old, 1).unwrap();
        let new = Connection::open_in_memory().unwrap();
        migrate(&new, 0).unwrap();
        assert_eq!(tables(&old), tables(&new));
        let number = |sql: &str| -> rusqlite::Result<i32> { old.query_row(sql, [], |row| row.get(0)) };
        assert_eq!(number("SELECT value FROM meta WHERE name = 'head'"), Ok(7));
        assert_eq!(number("PRAGMA user_version"), Ok(VERSION));
        migrate(&old, VERSION).unwrap();
        assert!(migrate(&old, 1).is_err(), "a step that fails leaves the file as it is");
        assert_eq!(tables(&old), tables(&new));
    }
}
