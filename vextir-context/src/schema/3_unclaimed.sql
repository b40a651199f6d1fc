-- Deliveries that wait for a driver that is not registered; columns as in `delivery`. And letters keep ledgers.

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
