-- ``priority``: 9 before 5 before 0. ``dead_at``: given up by recovery, with its invocation still stored so that it can be queued again.
-- The indexes hold only what waits in the queue, or is dead.
ALTER TABLE invocations ADD COLUMN priority {integer} NOT NULL DEFAULT 5;
ALTER TABLE invocations ADD COLUMN dead_at {double};
CREATE INDEX invocations_in_turn ON invocations (workspace, priority, available_at, id) WHERE status = 'queued';
CREATE INDEX invocations_by_connection ON invocations (workspace, connection, priority, available_at, id) WHERE status = 'queued';
CREATE INDEX invocations_dead ON invocations (workspace, dead_at, id) WHERE dead_at IS NOT NULL;
-- Rate budgets of a workspace and its connections, shared by all workers: the tokens left in each bucket, and when they were counted.
CREATE TABLE queue_budgets (
    workspace {text} NOT NULL,
    state {text} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace)
) {table};
