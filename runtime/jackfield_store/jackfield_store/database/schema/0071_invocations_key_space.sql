-- Space of an idempotency key: '' for those that callers give, else of a part of jackfield that makes keys: no caller can take one of
-- these beforehand. Rows of before are told by what made them.
ALTER TABLE invocations ADD COLUMN key_space {text} NOT NULL DEFAULT '';
UPDATE invocations SET key_space = 'host'
WHERE connector = 'host' AND idempotency_key IS NOT NULL AND SUBSTR(idempotency_key, 1, LENGTH(action) + 6) = 'host/' || action || '/';
UPDATE invocations SET key_space = 'schedule'
WHERE idempotency_key IS NOT NULL AND SUBSTR(idempotency_key, 1, 9) = 'schedule:' AND EXISTS (
    SELECT 1 FROM schedule_slots WHERE schedule_slots.workspace = invocations.workspace AND schedule_slots.invocation_id = invocations.id);
DROP INDEX invocations_key;
CREATE UNIQUE INDEX invocations_key ON invocations (workspace, key_space, idempotency_key) WHERE key_held = 1;
