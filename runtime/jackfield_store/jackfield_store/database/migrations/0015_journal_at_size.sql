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

-- Running entries are few, and have an index of their own: a call writes to the large one once, when it ends.
DROP INDEX invocations_status;
CREATE INDEX invocations_kind ON invocations (workspace, connector, action, status, COALESCE(effect, ''), COALESCE(connection, ''),
    COALESCE(caller, ''), COALESCE(error_code, ''), created_at, id) WHERE status <> 'running';
CREATE INDEX invocations_running ON invocations (workspace, created_at, id) WHERE status = 'running';
CREATE INDEX invocations_request ON invocations (workspace, request_id, created_at, id) WHERE request_id IS NOT NULL;

-- Terms of the context, for the filters by correlation ID and label. Entries of older versions have none.
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

-- One process at a time does upkeep: the one that has locked the row.
CREATE TABLE journal_upkeep (
    name {text} NOT NULL PRIMARY KEY,
    state {text} NOT NULL
) {table};
INSERT INTO journal_upkeep (name, state) VALUES ('counts', '');

-- Existing entries are counted by the hour.
INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
SELECT DISTINCT workspace, connector, action, status, COALESCE(effect, ''), COALESCE(connection, ''), COALESCE(caller, ''),
    COALESCE(error_code, '')
FROM invocations WHERE status <> 'running';
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations, attempts,
    timed, seconds, longest)
SELECT workspace, 3600, slot, connector, action, status, error_code, -1, 0, COUNT(*), SUM(attempts), COUNT(settled_at),
    SUM(COALESCE(settled_at - created_at, 0.0)), MAX(COALESCE(settled_at - created_at, 0.0))
FROM (
    SELECT i.workspace,
        CASE WHEN i.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(i.created_at / 3600) AS BIGINT) * 3600 ELSE 0 END AS slot,
        i.connector, i.action, i.status, COALESCE(i.error_code, '') AS error_code, i.attempts, i.settled_at, i.created_at
    FROM invocations i WHERE i.status <> 'running'
) each_one
GROUP BY workspace, slot, connector, action, status, error_code;
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations, attempts,
    timed, seconds, longest)
SELECT workspace, 3600, slot, connector, '', '', '', bucket, 0, COUNT(*), 0, 0, 0.0, 0.0
FROM (
    SELECT i.workspace,
        CASE WHEN i.created_at BETWEEN 0 AND 1e11 THEN CAST({floor}(i.created_at / 3600) AS BIGINT) * 3600 ELSE 0 END AS slot,
        i.connector, COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > i.settled_at - i.created_at), 37) AS bucket
    FROM invocations i WHERE i.status <> 'running' AND i.settled_at IS NOT NULL
) each_one
GROUP BY workspace, slot, connector, bucket;
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations, attempts,
    timed, seconds, longest)
SELECT workspace, 0, 0, '', '', status, '', -1, 0, COUNT(*), 0, 0, 0.0, 0.0
FROM invocations WHERE status IN ('queued', 'in_doubt') GROUP BY workspace, status;

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
CREATE FUNCTION invocations_counted() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER invocations_added AFTER INSERT ON invocations FOR EACH ROW WHEN (NEW.status <> 'running')
EXECUTE FUNCTION invocations_counted();
-- postgresql:
CREATE TRIGGER invocations_moved AFTER UPDATE OF status, error_code, attempts, settled_at ON invocations FOR EACH ROW
WHEN (NEW.status <> OLD.status OR NEW.error_code IS DISTINCT FROM OLD.error_code OR NEW.attempts <> OLD.attempts
    OR NEW.settled_at IS DISTINCT FROM OLD.settled_at)
EXECUTE FUNCTION invocations_counted();
-- postgresql:
ALTER TABLE invocations SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02);
-- postgresql:
ALTER TABLE invocation_counts SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
