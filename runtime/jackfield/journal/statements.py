"""The journal's SQL, for both SQLite and PostgreSQL. Every statement on behalf of a tenant is limited to its workspace."""

from jackfield.journal.entry import COLUMNS

INSERT = """
INSERT INTO invocations (workspace, id, status, connector, connector_version, action, effect, connection, caller, idempotency_key, key_held,
    fingerprint, dry_run, error_code, attempts, attempt_log, request_id, created_at, started_at, settled_at, expires_at, owner, inputs,
    result, context, rule, delivery, available_at, not_after)
VALUES (:workspace, :id, :status, :connector, :connector_version, :action, :effect, :connection, :caller, :idempotency_key, :key_held,
    :fingerprint, :dry_run, :error_code, :attempts, :attempt_log, :request_id, :created_at, :started_at, :settled_at, :expires_at, :owner,
    :inputs, :result, :context, :rule, :delivery, :available_at, :not_after)
"""
INSERT_ONCE = f"{INSERT}ON CONFLICT (workspace, id) DO NOTHING"
_OURS = "workspace = :workspace AND id = :id AND owner = :owner AND delivery = :delivery"
FINISH = f"""
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, settled_at = :settled_at, result = :result, key_held = :key_held,
    inputs = CASE WHEN delivery > 0 THEN :inputs ELSE inputs END
WHERE {_OURS} AND status IN ('queued', 'running')
"""
_KEY_IS_FREE = """NOT EXISTS (SELECT 1 FROM invocations other WHERE other.workspace = invocations.workspace
        AND other.idempotency_key = invocations.idempotency_key AND other.key_held = 1)"""
CORRECT = f"""
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, result = :result,
    corrected_at = CASE WHEN status <> :status OR COALESCE(error_code, '') <> COALESCE(:error_code, '') THEN :settled_at
        ELSE corrected_at END,
    key_held = CASE WHEN key_held = 1 AND (status = 'in_doubt' OR resolved_by IS NOT NULL) THEN :key_held
        WHEN resolved_by IS NOT NULL AND idempotency_key IS NOT NULL AND {_KEY_IS_FREE} THEN :key_held ELSE 0 END
WHERE {_OURS} AND recovered_at IS NOT NULL
    AND ((status IN ('in_doubt', 'failed') AND resolved_by IS NULL) OR (resolved_by IS NOT NULL AND :status <> 'in_doubt'))
"""
# The real outcome of a run that another process has recovered as lost. It also overrides the decision of a person, who had to guess.
RESOLVE = """
UPDATE invocations SET status = :status, error_code = :error_code, result = :result, key_held = :key_held, resolved_by = :resolved_by,
    purge_after = :purge_after
WHERE workspace = :workspace AND id = :id AND status = 'in_doubt'
"""
SELECT = f"SELECT {', '.join(COLUMNS)} FROM invocations WHERE workspace = :workspace"
SIZE = "COALESCE(LENGTH(result), 0) + COALESCE(LENGTH(context), 0) AS size"
SIZES = f"SELECT id, created_at, {SIZE} FROM invocations WHERE workspace = :workspace"
SELECT_ONE = f"{SELECT.replace(' FROM ', ', inputs FROM ')} AND id = :id"
COMPLETIONS = "SELECT id FROM invocations WHERE workspace = :workspace AND id >= :low AND id < :high ORDER BY id LIMIT 2"
HELD_KEY = f"{SELECT} AND idempotency_key = :key AND key_held = 1"
FREE_EXPIRED_KEY = """
UPDATE invocations SET key_held = 0
WHERE workspace = :workspace AND idempotency_key = :key AND key_held = 1 AND settled_at IS NOT NULL AND settled_at < :before
    AND status <> 'in_doubt'
"""
OPEN = f"{SELECT} AND status = 'running' AND (owner <> :owner OR owner IS NULL)"
PURGE = """
DELETE FROM invocations WHERE workspace = :workspace AND id IN (
    SELECT id FROM invocations
    WHERE workspace = :workspace AND status IN ('succeeded', 'failed') AND created_at < :before AND settled_at < :before
        AND (resolved_by IS NULL OR purge_after < :now)
    LIMIT :slice
)
"""
# ``created_at`` is redundant beside ``settled_at``, but the index by status contains it. Only a resolved doubt has a retention of its own,
# ``purge_after``.
_WAITING = "status = 'queued' AND owner IS NULL AND available_at <= :now AND (not_after IS NULL OR not_after > :now)"
WAITING_WORKSPACES = f"""
WITH RECURSIVE queued(workspace) AS (
    SELECT MIN(workspace) FROM invocations WHERE status = 'queued' AND workspace > :after
    UNION ALL
    SELECT (SELECT MIN(further.workspace) FROM invocations further WHERE further.status = 'queued' AND further.workspace > queued.workspace)
    FROM queued WHERE queued.workspace IS NOT NULL
)
SELECT workspace FROM queued WHERE workspace IS NOT NULL
    AND EXISTS (SELECT 1 FROM invocations WHERE invocations.workspace = queued.workspace AND {_WAITING}) LIMIT :limit
"""
# One index look-up for each workspace with queued invocations, however many they are.
CLAIMABLE = f"""
SELECT workspace, id, inputs, delivery FROM invocations WHERE workspace = :workspace AND {_WAITING}
ORDER BY available_at, id LIMIT :limit
"""
CLAIM = """
UPDATE invocations SET owner = :owner, delivery = delivery + 1
WHERE workspace = :workspace AND id = :id AND status = 'queued' AND owner IS NULL
"""
UNCLAIM = f"""
UPDATE invocations SET status = 'queued', owner = NULL, started_at = NULL, expires_at = NULL, inputs = :inputs
WHERE {_OURS} AND status IN ('queued', 'running')
"""
REQUEUE = f"""
UPDATE invocations SET status = 'queued', owner = NULL, started_at = NULL, expires_at = NULL, inputs = :inputs, available_at = :available_at
WHERE {_OURS} AND status = 'running' AND created_at >= :since AND (not_after IS NULL OR not_after > :available_at)
"""
GIVE_BACK = f"UPDATE invocations SET owner = NULL, inputs = :inputs WHERE {_OURS} AND status = 'queued'"
"""Only for invocations that have not begun: those that have may have been sent."""
POSTPONE = f"""
UPDATE invocations SET owner = NULL, inputs = :inputs, available_at = :at, delivery = delivery - 1 WHERE {_OURS} AND status = 'queued'
"""
"""The delivery does not count, since nothing was begun."""
RELEASE = f"UPDATE invocations SET owner = NULL WHERE {_OURS} AND status = 'queued'"
UNCLAIM_ALL = "UPDATE invocations SET owner = NULL WHERE status = 'queued' AND owner = :owner"
CLAIMED = "SELECT workspace, id, delivery FROM invocations WHERE status = 'queued' AND owner = :owner"
BEGIN_QUEUED = f"""
UPDATE invocations SET status = 'running', started_at = :started_at, connector_version = :connector_version, effect = :effect,
    connection = :connection, expires_at = :expires_at, inputs = CASE WHEN :erase = 1 THEN :inputs ELSE inputs END
WHERE {_OURS} AND status = 'queued' AND (not_after IS NULL OR not_after > :started_at)
"""
END_QUEUED = """
UPDATE invocations SET status = 'failed', error_code = :error_code, settled_at = :settled_at, result = :result, key_held = 0, inputs = NULL
WHERE workspace = :workspace AND id = :id AND status = 'queued'
"""
ASK_TO_CANCEL = """
UPDATE invocations SET cancel_at = :now, cancel_requested_at = :now
WHERE workspace = :workspace AND id = :id AND status = 'running' AND owner <> :owner
"""
NOTE_CANCEL = "UPDATE invocations SET cancel_requested_at = :now WHERE workspace = :workspace AND id = :id AND status = 'running'"
ASKED_TO_CANCEL = "SELECT workspace, id FROM invocations WHERE owner = :owner AND cancel_at IS NOT NULL"
CANCEL_REPORTED = "UPDATE invocations SET cancel_at = NULL WHERE workspace = :workspace AND id = :id"
_WORKSPACES = "(SELECT name FROM workspaces UNION SELECT 'default' AS name) AS known"
_EACH = f"SELECT invocations.workspace, {', '.join(f'invocations.{name}' for name in COLUMNS)}"
LEFT_RUNNING = f"""{_EACH} FROM {_WORKSPACES} CROSS JOIN invocations
WHERE invocations.workspace = known.name AND status = 'running' AND owner = :owner LIMIT :limit"""
LEFT_CLAIMED = f"{_EACH} FROM invocations WHERE status = 'queued' AND owner = :owner LIMIT :limit"
OVERDUE = f"{_EACH} FROM invocations WHERE status = 'queued' AND not_after <= :now LIMIT :limit"
UNKNOWN_OWNERS = f"""
SELECT DISTINCT owner FROM {_WORKSPACES} CROSS JOIN invocations
WHERE invocations.workspace = known.name AND status = 'running' AND NOT EXISTS (SELECT 1 FROM instances WHERE instances.id = owner)
UNION
SELECT DISTINCT owner FROM invocations
WHERE status = 'queued' AND owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM instances WHERE instances.id = owner)
"""
# CROSS JOIN makes SQLite join in the order written, so that it finds each workspace's running entries by the index.
REDELIVER = f"""
UPDATE invocations SET status = 'queued', owner = NULL, started_at = NULL, expires_at = NULL, available_at = :available_at,
    deliveries = :deliveries
WHERE {_OURS} AND status = :was
"""
RECOVERED = f"""
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, settled_at = :settled_at, result = :result, key_held = :key_held, recovered_at = :settled_at,
    deliveries = :deliveries, inputs = CASE WHEN :erase = 1 THEN NULL ELSE inputs END
WHERE {_OURS} AND status = :was
"""
RENEW_INSTANCE = """
INSERT INTO instances (id, host, pid, place, born, started_at, seen_at) VALUES (:id, :host, :pid, :place, :born, {now}, {now})
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""
FORGET_INSTANCE = "DELETE FROM instances WHERE id = :id"
FORGET_DEAD_INSTANCE = "DELETE FROM instances WHERE id = :id AND seen_at = :seen_at"
INSTANCES = "SELECT id, host, pid, place, born, seen_at FROM instances"
INSTANCE = "SELECT pid, place, born, {now} - seen_at AS age FROM instances WHERE id = :id"
"""``{now}`` is the dialect's expression for the database's clock, since clocks of hosts differ."""
DEPTH = "SELECT workspace, COUNT(*) AS waiting FROM invocations WHERE status = 'queued' GROUP BY workspace"
STATS = """
SELECT connector, action, status, COUNT(*) AS invocations, SUM(attempts) AS attempts, AVG(settled_at - created_at) AS mean_seconds,
    MAX(settled_at - created_at) AS longest_seconds
FROM invocations WHERE workspace = :workspace AND created_at >= :since GROUP BY connector, action, status
ORDER BY connector, action, status
"""
