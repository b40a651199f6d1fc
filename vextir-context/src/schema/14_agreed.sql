-- What replicas agree on beside documents: how long folders keep the past, and the graph.

-- 1 (versions), 2 (what is removed): at least for as long as above, since replicas said both at the same time.
ALTER TABLE keeping ADD COLUMN above INTEGER NOT NULL DEFAULT 0;
-- By the last opening: two copies of a file that say different things were opened since, each for itself.
INSERT INTO fact SELECT keeping.node, 'k', node.clock,
  (SELECT max(number) FROM replica WHERE first IS NOT NULL), 0,
  json_object('say', 'keep', 'versions', versions, 'removed', keeping.removed, 'over', json_array())
  FROM keeping JOIN node ON node.id = keeping.node;

-- told: when the episode was told last, microseconds that come after what it said before; forgot: what it said until then
-- was forgotten.
ALTER TABLE episode ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE episode ADD COLUMN forgot INTEGER;
UPDATE episode SET told = max(known, coalesce((
  SELECT max(max(known_from, coalesce(known_until, 0))) FROM statement WHERE statement.episode = episode.id), 0));
UPDATE episode SET forgot = removed WHERE removed IS NOT NULL;

-- When the episode said it last, if it did so after known_from.
ALTER TABLE statement ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
UPDATE statement SET again = (SELECT told FROM episode WHERE id = statement.episode)
  WHERE known_until IS NULL AND statement.episode IN (SELECT id FROM episode);

-- An id says nothing of whose it is: anybody may name one.
DROP INDEX episode_uid;
CREATE UNIQUE INDEX episode_uid ON episode (uid, owner);

-- stir: another one whenever the episode or what it says is changed.
ALTER TABLE episode ADD COLUMN stir INTEGER NOT NULL DEFAULT 0;
-- What an episode that names no document comes to, as long as its stir is this one. To be emptied by who changes what is
-- hashed.
CREATE TABLE graph_sum (episode INTEGER PRIMARY KEY, stir INTEGER NOT NULL, hash TEXT NOT NULL);

-- When it was said how many values a relation has.
ALTER TABLE relation ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
