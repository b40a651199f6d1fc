-- What handlers of another system's bus have changed here, each under the log's incarnation, the delivery's position
-- and its event, with what that bus must learn. published: 1 when it has.
CREATE TABLE outbox (
  log INTEGER NOT NULL, pos INTEGER NOT NULL, event TEXT NOT NULL, driver TEXT NOT NULL, at INTEGER NOT NULL,
  published INTEGER NOT NULL, outcome TEXT NOT NULL
);
CREATE UNIQUE INDEX outbox_mark ON outbox (log, pos, event);
CREATE INDEX outbox_open ON outbox (log, pos) WHERE published = 0;
CREATE INDEX outbox_old ON outbox (at) WHERE published = 1;
