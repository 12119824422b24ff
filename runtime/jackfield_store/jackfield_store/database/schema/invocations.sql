-- ``delivery`` counts how often an invocation was taken from the queue, 0 for one that never waited there; ``deliveries`` lists those that
-- were lost with their worker. ``cancel_at``: somebody wants it cancelled that another process runs; ``cancel_requested_at``: when, while it
-- ran: what has been sent by then runs to its end, and the entry says both. ``released_at``: when it was handed to a broker; a claim clears
-- it. ``priority``: 9 before 5 before 0. ``dead_at``: given up by recovery, still stored so that it can be queued again. ``redriven``: queued
-- again after it had ended; its second end is no first one. ``job``: the handle of a provider's job and what a poll needs, sealed, from the
-- start's answer to the end; ``job_until`` is when it counts as lost; while no process polls it, ``owner`` is NULL and ``available_at`` the
-- next poll. ``twin``: digest of a write without an idempotency key; one that overlaps it is answered by it.
-- Each index is written with every invocation, so most are partial: they hold only what waits, runs or is dead.
CREATE TABLE invocations (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'in_doubt')),
    connector {text} NOT NULL,
    connector_version {text},
    action {text} NOT NULL,
    effect {text},
    connection {text},
    caller {text},
    idempotency_key {text},
    key_held {boolean} NOT NULL DEFAULT 0,
    fingerprint {text},
    dry_run {boolean} NOT NULL DEFAULT 0,
    error_code {text},
    attempts {integer} NOT NULL DEFAULT 0,
    attempt_log {text},
    request_id {text},
    created_at {double} NOT NULL,
    started_at {double},
    settled_at {double},
    expires_at {double},
    owner {text},
    inputs {blob},
    result {blob},
    context {text},
    rule {text},
    resolved_by {text},
    purge_after {double},
    cancel_at {double},
    delivery {integer} NOT NULL DEFAULT 0,
    deliveries {text},
    available_at {double},
    not_after {double},
    recovered_at {double},
    corrected_at {double},
    cancel_requested_at {double},
    released_at {double},
    priority {integer} NOT NULL DEFAULT 5,
    dead_at {double},
    redriven {boolean} NOT NULL DEFAULT 0,
    job {blob},
    job_until {double},
    progress_fraction {double},
    progress_text {text},
    twin {text},
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX invocations_key ON invocations (workspace, idempotency_key) WHERE key_held = 1;
CREATE INDEX invocations_created ON invocations (workspace, created_at, id);
CREATE INDEX invocations_cancel ON invocations (owner) WHERE cancel_at IS NOT NULL;
CREATE INDEX invocations_queued ON invocations (workspace, available_at, id) WHERE status = 'queued';
CREATE INDEX invocations_claimed ON invocations (owner) WHERE status = 'queued' AND owner IS NOT NULL;
CREATE INDEX invocations_not_after ON invocations (not_after) WHERE status = 'queued' AND not_after IS NOT NULL;
-- for look-ups in the journal by idempotency key
CREATE INDEX invocations_by_key ON invocations (workspace, idempotency_key, created_at, id) WHERE idempotency_key IS NOT NULL;
CREATE INDEX invocations_released ON invocations (released_at) WHERE status = 'queued' AND released_at IS NOT NULL;
CREATE INDEX invocations_in_turn ON invocations (workspace, priority, available_at, id) WHERE status = 'queued';
CREATE INDEX invocations_by_connection ON invocations (workspace, connection, priority, available_at, id) WHERE status = 'queued';
CREATE INDEX invocations_dead ON invocations (workspace, dead_at, id) WHERE dead_at IS NOT NULL;
CREATE INDEX invocations_kind ON invocations (workspace, connector, action, status, COALESCE(effect, ''), COALESCE(connection, ''),
    COALESCE(caller, ''), COALESCE(error_code, ''), created_at, id) WHERE status <> 'running';
CREATE INDEX invocations_running ON invocations (workspace, created_at, id) WHERE status = 'running';
CREATE INDEX invocations_request ON invocations (workspace, request_id, created_at, id) WHERE request_id IS NOT NULL;
-- dead letters in the order of the journal's list
CREATE INDEX invocations_dead_created ON invocations (workspace, created_at, id) WHERE dead_at IS NOT NULL;
CREATE INDEX invocations_jobs ON invocations (available_at) WHERE job IS NOT NULL AND owner IS NULL;
CREATE UNIQUE INDEX invocations_twin ON invocations (workspace, twin) WHERE twin IS NOT NULL AND status IN ('running', 'in_doubt');
CREATE INDEX invocations_twins ON invocations (workspace, twin, settled_at) WHERE twin IS NOT NULL;
CREATE INDEX invocations_waiting ON invocations (workspace, created_at, id) WHERE status = 'queued' AND available_at IS NULL;

-- sqlite:
CREATE TRIGGER invocations_added AFTER INSERT ON invocations WHEN NEW.status <> 'running'
BEGIN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, NEW.action, NEW.status, COALESCE(NEW.error_code, ''), -1, 0, 1, NEW.attempts,
        CASE WHEN NEW.settled_at IS NULL THEN 0 ELSE 1 END, COALESCE(NEW.settled_at - NEW.created_at, 0.0),
        COALESCE(NEW.settled_at - NEW.created_at, 0.0)
    UNION ALL
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > NEW.settled_at - NEW.created_at), 37), 0, 1, 0, 0, 0.0, 0.0
    WHERE NEW.settled_at IS NOT NULL
    UNION ALL
    SELECT NEW.workspace, 0, 0, '', '', NEW.status, '', -1, 0, 1, 0, 0, 0.0, 0.0
    WHERE NEW.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
    INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
    SELECT NEW.workspace, NEW.connector, NEW.action, NEW.status, COALESCE(NEW.effect, ''), COALESCE(NEW.connection, ''),
        COALESCE(NEW.caller, ''), COALESCE(NEW.error_code, '')
    WHERE NOT EXISTS (SELECT 1 FROM invocation_kinds k WHERE k.workspace = NEW.workspace AND k.connector = NEW.connector
        AND k.action = NEW.action AND k.status = NEW.status AND k.effect = COALESCE(NEW.effect, '')
        AND k.connection = COALESCE(NEW.connection, '') AND k.caller = COALESCE(NEW.caller, '')
        AND k.error_code = COALESCE(NEW.error_code, ''));
END;
-- sqlite:
CREATE TRIGGER invocations_left AFTER UPDATE OF status, error_code, attempts, settled_at ON invocations
WHEN OLD.status <> 'running' AND (NEW.status <> OLD.status OR NEW.error_code IS NOT OLD.error_code OR NEW.attempts <> OLD.attempts
    OR NEW.settled_at IS NOT OLD.settled_at)
BEGIN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT OLD.workspace, 60, CASE WHEN OLD.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(OLD.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        OLD.connector, OLD.action, OLD.status, COALESCE(OLD.error_code, ''), -1, 0, -1, -OLD.attempts,
        CASE WHEN OLD.settled_at IS NULL THEN 0 ELSE -1 END, -COALESCE(OLD.settled_at - OLD.created_at, 0.0),
        COALESCE(OLD.settled_at - OLD.created_at, 0.0)
    UNION ALL
    SELECT OLD.workspace, 60, CASE WHEN OLD.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(OLD.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        OLD.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > OLD.settled_at - OLD.created_at), 37), 0, -1, 0, 0, 0.0, 0.0
    WHERE OLD.settled_at IS NOT NULL
    UNION ALL
    SELECT OLD.workspace, 0, 0, '', '', OLD.status, '', -1, 0, -1, 0, 0, 0.0, 0.0
    WHERE OLD.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
END;
-- sqlite:
CREATE TRIGGER invocations_entered AFTER UPDATE OF status, error_code, attempts, settled_at ON invocations
WHEN NEW.status <> 'running' AND (NEW.status <> OLD.status OR NEW.error_code IS NOT OLD.error_code OR NEW.attempts <> OLD.attempts
    OR NEW.settled_at IS NOT OLD.settled_at)
BEGIN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, NEW.action, NEW.status, COALESCE(NEW.error_code, ''), -1, 0, 1, NEW.attempts,
        CASE WHEN NEW.settled_at IS NULL THEN 0 ELSE 1 END, COALESCE(NEW.settled_at - NEW.created_at, 0.0),
        COALESCE(NEW.settled_at - NEW.created_at, 0.0)
    UNION ALL
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > NEW.settled_at - NEW.created_at), 37), 0, 1, 0, 0, 0.0, 0.0
    WHERE NEW.settled_at IS NOT NULL
    UNION ALL
    SELECT NEW.workspace, 0, 0, '', '', NEW.status, '', -1, 0, 1, 0, 0, 0.0, 0.0
    WHERE NEW.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
    INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
    SELECT NEW.workspace, NEW.connector, NEW.action, NEW.status, COALESCE(NEW.effect, ''), COALESCE(NEW.connection, ''),
        COALESCE(NEW.caller, ''), COALESCE(NEW.error_code, '')
    WHERE NOT EXISTS (SELECT 1 FROM invocation_kinds k WHERE k.workspace = NEW.workspace AND k.connector = NEW.connector
        AND k.action = NEW.action AND k.status = NEW.status AND k.effect = COALESCE(NEW.effect, '')
        AND k.connection = COALESCE(NEW.connection, '') AND k.caller = COALESCE(NEW.caller, '')
        AND k.error_code = COALESCE(NEW.error_code, ''));
END;
-- postgresql:
-- Without the generic plan, PostgreSQL plans the statements anew for each entry, which takes most of the trigger's time: most entries need
-- only a part of each statement, and a plan for all of them looks more expensive than one for that part.
CREATE FUNCTION invocations_counted() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
IF TG_OP = 'UPDATE' AND OLD.status <> 'running' THEN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT OLD.workspace, 60, CASE WHEN OLD.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(OLD.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        OLD.connector, OLD.action, OLD.status, COALESCE(OLD.error_code, ''), -1, pg_backend_pid(), -1, -OLD.attempts,
        CASE WHEN OLD.settled_at IS NULL THEN 0 ELSE -1 END, -COALESCE(OLD.settled_at - OLD.created_at, 0.0),
        COALESCE(OLD.settled_at - OLD.created_at, 0.0)
    UNION ALL
    SELECT OLD.workspace, 60, CASE WHEN OLD.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(OLD.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        OLD.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > OLD.settled_at - OLD.created_at), 37), pg_backend_pid(), -1, 0, 0, 0.0, 0.0
    WHERE OLD.settled_at IS NOT NULL
    UNION ALL
    SELECT OLD.workspace, 0, 0, '', '', OLD.status, '', -1, pg_backend_pid(), -1, 0, 0, 0.0, 0.0
    WHERE OLD.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
END IF;
IF NEW.status <> 'running' THEN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, NEW.action, NEW.status, COALESCE(NEW.error_code, ''), -1, pg_backend_pid(), 1, NEW.attempts,
        CASE WHEN NEW.settled_at IS NULL THEN 0 ELSE 1 END, COALESCE(NEW.settled_at - NEW.created_at, 0.0),
        COALESCE(NEW.settled_at - NEW.created_at, 0.0)
    UNION ALL
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > NEW.settled_at - NEW.created_at), 37), pg_backend_pid(), 1, 0, 0, 0.0, 0.0
    WHERE NEW.settled_at IS NOT NULL
    UNION ALL
    SELECT NEW.workspace, 0, 0, '', '', NEW.status, '', -1, pg_backend_pid(), 1, 0, 0, 0.0, 0.0
    WHERE NEW.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
    INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
    SELECT NEW.workspace, NEW.connector, NEW.action, NEW.status, COALESCE(NEW.effect, ''), COALESCE(NEW.connection, ''),
        COALESCE(NEW.caller, ''), COALESCE(NEW.error_code, '')
    WHERE NOT EXISTS (SELECT 1 FROM invocation_kinds k WHERE k.workspace = NEW.workspace AND k.connector = NEW.connector
        AND k.action = NEW.action AND k.status = NEW.status AND k.effect = COALESCE(NEW.effect, '')
        AND k.connection = COALESCE(NEW.connection, '') AND k.caller = COALESCE(NEW.caller, '')
        AND k.error_code = COALESCE(NEW.error_code, ''));
END IF;
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER invocations_moved AFTER UPDATE OF status, error_code, attempts, settled_at ON invocations FOR EACH ROW
WHEN (NEW.status <> OLD.status OR NEW.error_code IS DISTINCT FROM OLD.error_code OR NEW.attempts <> OLD.attempts
    OR NEW.settled_at IS DISTINCT FROM OLD.settled_at)
EXECUTE FUNCTION invocations_counted();
-- postgresql:
ALTER TABLE invocations SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02);
-- postgresql:
CREATE FUNCTION invocations_inserted() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
-- PostgreSQL counts inserted entries once for each statement: 64 entries queued by one statement add to a row of sums once, not 64 times.
-- Each addition leaves a version of the row until the transaction ends, and the next one passes all of them.
BEGIN
IF NOT EXISTS (SELECT 1 FROM added WHERE status <> 'running') THEN
    RETURN NULL;
END IF;
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
    attempts, timed, seconds, longest)
SELECT workspace, 60, slot, connector, action, status, error_code, -1, pg_backend_pid(), COUNT(*), SUM(attempts), COUNT(duration),
    COALESCE(SUM(duration), 0.0), COALESCE(MAX(duration), 0.0)
FROM (
    SELECT workspace, CASE WHEN created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(created_at / 60) AS BIGINT) * 60 ELSE 0 END AS slot,
        connector, action, status, COALESCE(error_code, '') AS error_code, attempts, settled_at - created_at AS duration
    FROM added WHERE status <> 'running'
) each_one
GROUP BY workspace, slot, connector, action, status, error_code
UNION ALL
SELECT workspace, 60, slot, connector, '', '', '', bucket, pg_backend_pid(), COUNT(*), 0, 0, 0.0, 0.0
FROM (
    SELECT workspace, CASE WHEN created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(created_at / 60) AS BIGINT) * 60 ELSE 0 END AS slot,
        connector, COALESCE((SELECT MIN(bucket) FROM duration_limits WHERE upper_limit > settled_at - created_at), 37) AS bucket
    FROM added WHERE status <> 'running' AND settled_at IS NOT NULL
) each_one
GROUP BY workspace, slot, connector, bucket
UNION ALL
SELECT workspace, 0, 0, '', '', status, '', -1, pg_backend_pid(), COUNT(*), 0, 0, 0.0, 0.0
FROM added WHERE status IN ('queued', 'in_doubt') GROUP BY workspace, status
ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
    invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
    timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
    longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
SELECT DISTINCT workspace, connector, action, status, COALESCE(effect, ''), COALESCE(connection, ''), COALESCE(caller, ''),
    COALESCE(error_code, '')
FROM added WHERE status <> 'running' AND NOT EXISTS (SELECT 1 FROM invocation_kinds k WHERE k.workspace = added.workspace
    AND k.connector = added.connector AND k.action = added.action AND k.status = added.status
    AND k.effect = COALESCE(added.effect, '') AND k.connection = COALESCE(added.connection, '')
    AND k.caller = COALESCE(added.caller, '') AND k.error_code = COALESCE(added.error_code, ''));
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER invocations_added AFTER INSERT ON invocations REFERENCING NEW TABLE AS added FOR EACH STATEMENT
EXECUTE FUNCTION invocations_inserted();
-- sqlite:
-- The end of an invocation is told if it was queued, which has set ``available_at``, or if its context asks for that.
CREATE TRIGGER invocations_recorded_event AFTER INSERT ON invocations
WHEN NEW.status IN ('succeeded', 'failed', 'in_doubt') AND (NEW.available_at IS NOT NULL OR instr(NEW.context, '"notify": true') > 0)
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'invocation.finished', NEW.id, COALESCE(NEW.settled_at, NEW.created_at),
        json_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
        'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
        'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
        'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
        'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by));
END;
-- sqlite:
CREATE TRIGGER invocations_finished_event AFTER UPDATE OF status ON invocations
WHEN OLD.status IN ('queued', 'running') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.available_at IS NOT NULL OR instr(NEW.context, '"notify": true') > 0)
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, CASE WHEN NEW.redriven = 1 THEN 'invocation.resolved' ELSE 'invocation.finished' END, NEW.id,
        COALESCE(NEW.settled_at, NEW.created_at),
        json_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
        'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
        'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
        'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
        'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by));
END;
-- sqlite:
CREATE TRIGGER invocations_resolved_event AFTER UPDATE OF status, error_code ON invocations
WHEN OLD.status IN ('succeeded', 'failed', 'in_doubt') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.status <> OLD.status OR NEW.error_code IS NOT OLD.error_code)
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'invocation.resolved', NEW.id, (julianday('now') - 2440587.5) * 86400.0,
        json_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
        'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
        'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
        'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
        'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by,
        'previous_status', OLD.status));
END;
-- postgresql:
CREATE FUNCTION invocations_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, CASE WHEN NEW.redriven = 1 THEN 'invocation.resolved' ELSE 'invocation.finished' END, NEW.id,
    COALESCE(NEW.settled_at, NEW.created_at),
    json_build_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
    'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
    'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
    'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
    'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by));
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER invocations_recorded_event AFTER INSERT ON invocations FOR EACH ROW
WHEN (NEW.status IN ('succeeded', 'failed', 'in_doubt') AND (NEW.available_at IS NOT NULL OR position('"notify": true' IN NEW.context) > 0))
EXECUTE FUNCTION invocations_told();
-- postgresql:
CREATE TRIGGER invocations_finished_event AFTER UPDATE OF status ON invocations FOR EACH ROW
WHEN (OLD.status IN ('queued', 'running') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.available_at IS NOT NULL OR position('"notify": true' IN NEW.context) > 0))
EXECUTE FUNCTION invocations_told();
-- postgresql:
CREATE FUNCTION invocations_told_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'invocation.resolved', NEW.id, EXTRACT(EPOCH FROM clock_timestamp()),
    json_build_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
    'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
    'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
    'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
    'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by,
    'previous_status', OLD.status));
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER invocations_resolved_event AFTER UPDATE OF status, error_code ON invocations FOR EACH ROW
WHEN (OLD.status IN ('succeeded', 'failed', 'in_doubt') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.status <> OLD.status OR NEW.error_code IS DISTINCT FROM OLD.error_code))
EXECUTE FUNCTION invocations_told_again();

-- Entries of the same connector, action, status, effect, connection, caller and error code are of one kind; '' stands for NULL. A filter
-- selects kinds, and the index on invocations has the entries of each kind in the order of the list. A row here may be repeated: on
-- PostgreSQL, two transactions may add it at once, because neither waits for the other.
CREATE TABLE invocation_kinds (
    id {bigint_identity},
    workspace {text} NOT NULL,
    connector {text} NOT NULL,
    action {text} NOT NULL,
    status {text} NOT NULL,
    effect {text} NOT NULL,
    connection {text} NOT NULL,
    caller {text} NOT NULL,
    error_code {text} NOT NULL
) {table};
CREATE INDEX invocation_kinds_all ON invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code);

-- Terms of the context, for the filters by correlation ID and label.
CREATE TABLE invocation_terms (
    workspace {text} NOT NULL,
    term {text} NOT NULL,
    created_at {double} NOT NULL,
    id {text} NOT NULL,
    PRIMARY KEY (workspace, term, created_at, id)
) {clustered};

-- Upper limits of the durations in each bucket of the histograms, in seconds; the last bucket has none.
CREATE TABLE duration_limits (
    bucket {integer} NOT NULL,
    upper_limit {double} NOT NULL PRIMARY KEY
) {table};
INSERT INTO duration_limits (bucket, upper_limit) VALUES
    (0, 0.001), (1, 0.0015), (2, 0.0022), (3, 0.0033), (4, 0.0047), (5, 0.0068), (6, 0.01), (7, 0.015), (8, 0.022),
    (9, 0.033), (10, 0.047), (11, 0.068), (12, 0.1), (13, 0.15), (14, 0.22), (15, 0.33), (16, 0.47), (17, 0.68),
    (18, 1), (19, 1.5), (20, 2.2), (21, 3.3), (22, 4.7), (23, 6.8), (24, 10), (25, 15), (26, 22), (27, 33), (28, 47),
    (29, 68), (30, 100), (31, 150), (32, 220), (33, 330), (34, 470), (35, 680), (36, 1000);

-- Sums over all entries but the running ones, by time of creation: ``width`` seconds from ``slot``. Triggers add to rows of one minute
-- in the commit that changes the entry; the runtime merges them into hours and days. Rows with bucket -1 are the sums; the others are
-- the histogram of a connector's durations, over all actions and outcomes. Rows with width 0 count what is queued or in doubt now. On
-- PostgreSQL each connection adds to rows of its own (``shard`` is its process ID), so that none waits for another. ``longest`` is not
-- reduced when the entry that has it moves to another row.
CREATE TABLE invocation_counts (
    id {bigint_identity},
    workspace {text} NOT NULL,
    width {integer} NOT NULL,
    slot {bigint} NOT NULL,
    connector {text} NOT NULL,
    action {text} NOT NULL,
    status {text} NOT NULL,
    error_code {text} NOT NULL,
    bucket {integer} NOT NULL,
    shard {bigint} NOT NULL,
    invocations {bigint} NOT NULL,
    attempts {bigint} NOT NULL,
    timed {bigint} NOT NULL,
    seconds {double} NOT NULL,
    longest {double} NOT NULL
) {table};
CREATE UNIQUE INDEX invocation_counts_slot
    ON invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard);

-- postgresql:
ALTER TABLE invocation_counts SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- One process at a time does upkeep: the one that has locked the row.
CREATE TABLE journal_upkeep (
    name {text} NOT NULL PRIMARY KEY,
    state {text} NOT NULL
) {table};
INSERT INTO journal_upkeep (name, state) VALUES ('counts', '');

-- What calls that failed, are in doubt or were traced had exchanged with their providers: masked, then
-- sealed. A row lives as long as its invocation.
CREATE TABLE invocation_exchanges (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    sealed {blob} NOT NULL,
    PRIMARY KEY (workspace, id)
) {clustered};

-- Rate budgets of a workspace and its connections, shared by all workers: the tokens left in each bucket, and when they were counted.
CREATE TABLE queue_budgets (
    workspace {text} NOT NULL,
    state {text} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace)
) {table};
