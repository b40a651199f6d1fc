-- What deliveries reserve of further units, as JSON, null where it is nothing; and in the ledger what all of them
-- reserve, and what the first event would that waits for room.
ALTER TABLE delivery ADD COLUMN reserve TEXT;
ALTER TABLE unclaimed ADD COLUMN reserve TEXT;
ALTER TABLE dead ADD COLUMN reserve TEXT;
ALTER TABLE lease ADD COLUMN reserved TEXT;
ALTER TABLE lease ADD COLUMN short TEXT;
