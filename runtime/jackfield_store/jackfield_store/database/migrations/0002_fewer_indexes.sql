-- Each index is written with every invocation. What waits in the queue is few rows, and no purge looks for purge_after any more.
DROP INDEX invocations_owner;
DROP INDEX invocations_purge;
CREATE INDEX invocations_queued ON invocations (created_at, id) WHERE status = 'queued';
