-- postgresql:
DROP TRIGGER invocations_added ON invocations;
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
