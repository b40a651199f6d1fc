-- Who approved an event that has to wait once more, so that nobody is asked twice; as JSON, like the decision.
ALTER TABLE parked ADD COLUMN approved TEXT;
