-- An instance is a process that claims and runs invocations; ``seen_at`` renews its lease. ``place`` (boot, PID namespace), ``pid`` and
-- ``born`` (clock ticks since boot) let a process of the same place find out at once that it has ended.
DELETE FROM instances;
ALTER TABLE instances ADD COLUMN place {text};
ALTER TABLE instances ADD COLUMN born {bigint};
-- ``delivery`` counts how often an invocation was taken from the queue: 0 for one that never waited there. ``deliveries`` lists those that
-- were lost with their worker.
ALTER TABLE invocations ADD COLUMN delivery {integer} NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN deliveries {text};
ALTER TABLE invocations ADD COLUMN available_at {double};
ALTER TABLE invocations ADD COLUMN not_after {double};
ALTER TABLE invocations ADD COLUMN recovered_at {double};
ALTER TABLE invocations ADD COLUMN corrected_at {double};
UPDATE invocations SET available_at = created_at WHERE status = 'queued';
-- All of these are partial: an invocation that is not queued is written to none of them.
DROP INDEX invocations_queued;
CREATE INDEX invocations_queued ON invocations (workspace, available_at, id) WHERE status = 'queued';
CREATE INDEX invocations_claimed ON invocations (owner) WHERE status = 'queued' AND owner IS NOT NULL;
CREATE INDEX invocations_not_after ON invocations (not_after) WHERE status = 'queued' AND not_after IS NOT NULL;
