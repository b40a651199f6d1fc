-- Ids are 16-byte blobs, or text for foreign ids (`user`, 0x1f, id). Times are microseconds since 1970.
-- `data` is last: whoever wants the other columns need not walk over it.

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
