"""The journal's SQL, for SQLite and PostgreSQL alike. Every statement names the workspace."""

from jackfield.journal.entry import COLUMNS

__all__ = [
    "ASKED_TO_CANCEL",
    "ASK_TO_CANCEL",
    "BEGIN_QUEUED",
    "CANCEL_QUEUED",
    "CLAIM",
    "CLAIMABLE",
    "DEPTH",
    "FREE_EXPIRED_KEY",
    "HELD_KEY",
    "INSERT",
    "INSERT_ONCE",
    "OPEN",
    "PURGE",
    "QUEUED_ELSEWHERE",
    "RESOLVE",
    "SELECT",
    "SELECT_ONE",
    "SETTLE",
    "STATS",
    "TOLD_TO_CANCEL",
    "UNCLAIM",
    "WAITING",
]

INSERT = """
INSERT INTO invocations (workspace, id, status, connector, connector_version, action, effect, connection, caller, idempotency_key, key_held,
    fingerprint, dry_run, error_code, attempts, attempt_log, request_id, created_at, started_at, settled_at, expires_at, owner, inputs,
    result, context, rule)
VALUES (:workspace, :id, :status, :connector, :connector_version, :action, :effect, :connection, :caller, :idempotency_key, :key_held,
    :fingerprint, :dry_run, :error_code, :attempts, :attempt_log, :request_id, :created_at, :started_at, :settled_at, :expires_at, :owner,
    :inputs, :result, :context, :rule)
"""
INSERT_ONCE = f"{INSERT}ON CONFLICT (workspace, id) DO NOTHING"
SETTLE = """
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, settled_at = :settled_at, result = :result, key_held = :key_held,
    inputs = CASE WHEN status = 'queued' THEN :inputs ELSE inputs END
WHERE workspace = :workspace AND id = :id AND status IN ('queued', 'running')
"""
RESOLVE = """
UPDATE invocations SET status = :status, error_code = :error_code, result = :result, key_held = :key_held, resolved_by = :resolved_by,
    purge_after = :purge_after
WHERE workspace = :workspace AND id = :id AND status = 'in_doubt'
"""
SELECT = f"SELECT {', '.join(COLUMNS)} FROM invocations WHERE workspace = :workspace"  # noqa: S608 (constant names)
SELECT_ONE = f"{SELECT.replace(' FROM ', ', inputs FROM ')} AND id = :id"
HELD_KEY = f"{SELECT} AND idempotency_key = :key AND key_held = 1"
FREE_EXPIRED_KEY = """
UPDATE invocations SET key_held = 0
WHERE workspace = :workspace AND idempotency_key = :key AND key_held = 1 AND settled_at IS NOT NULL AND settled_at < :before
    AND status <> 'in_doubt'
"""
OPEN = f"{SELECT} AND status = 'running' AND (owner <> :owner OR owner IS NULL)"
PURGE = """
DELETE FROM invocations
WHERE workspace = :workspace AND status IN ('succeeded', 'failed') AND created_at < :before AND settled_at < :before
    AND (resolved_by IS NULL OR purge_after < :now)
"""
# ``created_at`` says nothing that ``settled_at`` does not, but the index by status has it. Only a doubt that was resolved has a time of its
# own, ``purge_after``.
QUEUED_ELSEWHERE = "SELECT workspace, id, owner FROM invocations WHERE status = 'queued' AND owner IS NOT NULL"
WAITING = "SELECT id FROM invocations WHERE status = 'queued' AND owner IS NULL LIMIT 1"
CLAIMABLE = """
SELECT workspace, id, inputs, expires_at FROM invocations WHERE status = 'queued' AND owner IS NULL ORDER BY created_at, id LIMIT :limit
"""
CLAIM = """
UPDATE invocations SET owner = :owner WHERE workspace = :workspace AND id = :id AND status = 'queued' AND owner IS NULL
"""
UNCLAIM = """
UPDATE invocations SET owner = NULL WHERE workspace = :workspace AND id = :id AND status = 'queued' AND owner = :owner
"""
BEGIN_QUEUED = """
UPDATE invocations SET status = 'running', started_at = :started_at, connector_version = :connector_version, effect = :effect,
    connection = :connection, inputs = :inputs
WHERE workspace = :workspace AND id = :id AND status = 'queued' AND owner = :owner
"""
CANCEL_QUEUED = """
UPDATE invocations SET status = 'failed', error_code = 'cancelled', settled_at = :settled_at, result = :result, key_held = 0, inputs = NULL
WHERE workspace = :workspace AND id = :id AND status = 'queued' AND owner IS NULL
"""
ASK_TO_CANCEL = """
UPDATE invocations SET cancel_at = :now WHERE workspace = :workspace AND id = :id AND status = 'running' AND owner <> :owner
"""
ASKED_TO_CANCEL = "SELECT workspace, id FROM invocations WHERE owner = :owner AND cancel_at IS NOT NULL"
TOLD_TO_CANCEL = "UPDATE invocations SET cancel_at = NULL WHERE workspace = :workspace AND id = :id"
DEPTH = "SELECT workspace, COUNT(*) AS waiting FROM invocations WHERE status = 'queued' GROUP BY workspace"
STATS = """
SELECT connector, action, status, COUNT(*) AS invocations, SUM(attempts) AS attempts, AVG(settled_at - created_at) AS mean_seconds,
    MAX(settled_at - created_at) AS longest_seconds
FROM invocations WHERE workspace = :workspace AND created_at >= :since GROUP BY connector, action, status
ORDER BY connector, action, status
"""
