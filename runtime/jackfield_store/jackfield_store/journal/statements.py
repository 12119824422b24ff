"""The journal's SQL, for both SQLite and PostgreSQL. Every statement on behalf of a tenant is
limited to its workspace.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jackfield_store.database import Transaction
from jackfield_store.database.statements import NOT_HELD
from jackfield_store.journal.entry import COLUMNS, EVIDENCE

INSERT = """
INSERT INTO invocations (workspace, id, status, connector, connector_version, action, effect, connection, caller, idempotency_key, key_held,
    fingerprint, dry_run, error_code, attempts, attempt_log, request_id, created_at, started_at, settled_at, expires_at, owner, inputs,
    result, context, rule, delivery, deliveries, available_at, not_after, priority, twin, kept_for, key_space, key_facts)
VALUES (:workspace, :id, :status, :connector, :connector_version, :action, :effect, :connection, :caller, :idempotency_key, :key_held,
    :fingerprint, :dry_run, :error_code, :attempts, :attempt_log, :request_id, :created_at, :started_at, :settled_at, :expires_at, :owner,
    :inputs, :result, :context, :rule, :delivery, :deliveries, :available_at, :not_after, :priority, :twin, :kept_for,
    :key_space, :key_facts)
"""
INSERT_ONCE = f"{INSERT}ON CONFLICT (workspace, id) DO NOTHING"
_OURS = "workspace = :workspace AND id = :id AND owner = :owner AND delivery = :delivery"
_QUEUED = "status || '' = 'queued'"
"""SQL condition of a queued entry, for statements that name an entry by its id. PostgreSQL's
planner cannot use it, since it would prefer the index of a short queue to the primary key, and stay
with it as the queue grows.
"""
FINISH = f"""
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, settled_at = :settled_at, result = :result, key_held = :key_held,
    inputs = :inputs
WHERE {_OURS} AND status IN ('queued', 'running')
"""
_KEY_IS_FREE = """NOT EXISTS (SELECT 1 FROM invocations other WHERE other.workspace = invocations.workspace
        AND other.key_space = invocations.key_space AND other.idempotency_key = invocations.idempotency_key
        AND other.key_held = 1)"""
CORRECT = f"""
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, result = :result, dead_at = NULL,
    inputs = CASE WHEN :status = 'in_doubt' THEN inputs WHEN dead_at IS NOT NULL THEN NULL ELSE :inputs END,
    corrected_at = CASE WHEN status <> :status OR COALESCE(error_code, '') <> COALESCE(:error_code, '') THEN :settled_at
        ELSE corrected_at END,
    key_held = CASE WHEN key_held = 1 THEN :key_held
        WHEN resolved_by IS NOT NULL AND idempotency_key IS NOT NULL AND {_KEY_IS_FREE} THEN :key_held ELSE 0 END
WHERE {_OURS} AND recovered_at IS NOT NULL
    AND ((status IN ('in_doubt', 'failed') AND resolved_by IS NULL) OR (resolved_by IS NOT NULL AND :status <> 'in_doubt'))
"""
# The real outcome of a run that another process has recovered as lost. It also overrides the
# decision of a person, who had to guess.
RESOLVE = """
UPDATE invocations SET status = :status, error_code = :error_code, result = :result, key_held = :key_held, resolved_by = :resolved_by,
    purge_after = :purge_after, twin = NULL, inputs = :inputs
WHERE workspace = :workspace AND id = :id AND status = 'in_doubt'
"""
OVERRULE = f"""
UPDATE invocations SET error_code = :error_code, result = :result, resolved_by = :resolved_by, purge_after = :purge_after, status = :status,
    key_held = CASE WHEN :status = 'succeeded' AND idempotency_key IS NOT NULL AND {_KEY_IS_FREE} THEN 1 ELSE 0 END
WHERE workspace = :workspace AND id = :id AND status IN ('succeeded', 'failed') AND resolved_by = :evidence AND status <> :status
"""
"""Statement by which a person's decision replaces one by evidence. The key moves with the outcome,
if no other call has used it meanwhile.
"""
ASK = """
UPDATE invocations SET asked = :asked
WHERE workspace = :workspace AND id = :id AND status = 'in_doubt' AND resolved_by IS NULL AND cancel_requested_at IS NULL
    AND COALESCE(asked, '') = :before
"""
"""Statement by which one process sends the request of a doubt again under its key. Nobody has
settled the doubt, and nobody else sends it.
"""
QUEUE_AGAIN = """
UPDATE invocations SET status = 'queued', inputs = :inputs, deliveries = :deliveries, available_at = :available_at, not_after = :not_after,
    priority = :priority, redriven = 1, owner = NULL, error_code = NULL, result = NULL, started_at = NULL, settled_at = NULL,
    expires_at = NULL, recovered_at = NULL, released_at = NULL, cancel_at = NULL
WHERE workspace = :workspace AND id = :id AND status = 'in_doubt' AND resolved_by IS NULL AND cancel_requested_at IS NULL
    AND COALESCE(asked, '') = :before
"""
"""Statement that queues the request of a doubt again, under its key. Its earlier runs stay listed:
they may have taken effect.
"""
NOTE_ASKED = (
    "UPDATE invocations SET asked = :asked WHERE workspace = :workspace AND id = :id AND asked = "
    ":before AND status IN ('in_doubt', 'succeeded', 'failed')"
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM invocations WHERE workspace = :workspace"
CORRECTED = (
    f"{SELECT} AND id = :id AND owner = :owner AND delivery = :delivery AND recovered_at IS "
    "NOT NULL"
)
"""Query for the entry that a late outcome is about to correct."""
SIZE = "COALESCE(LENGTH(result), 0) + COALESCE(LENGTH(context), 0) AS size"
SIZES = f"SELECT id, created_at, {SIZE} FROM invocations WHERE workspace = :workspace"
SELECT_ONE = f"{SELECT.replace(' FROM ', ', inputs FROM ')} AND id = :id"
WAITING = """
SELECT id FROM invocations WHERE workspace = :workspace AND status = 'queued' AND owner IS NULL AND id > :after{also} ORDER BY id LIMIT 500
"""
OF_CONNECTOR = " AND connector = :connector"
DUE_BEFORE = " AND created_at < :before AND available_at < :before"
SELECT_ID = "SELECT id FROM invocations WHERE workspace = :workspace AND id = :id"
COMPLETIONS = (
    "SELECT id FROM invocations WHERE workspace = :workspace AND id >= :low AND id < :high "
    "ORDER BY id LIMIT 2"
)
HELD_KEY = f"{SELECT} AND key_space = :space AND idempotency_key = :key AND key_held = 1"
FREE_EXPIRED_KEY = """
UPDATE invocations SET key_held = 0
WHERE workspace = :workspace AND key_space = :space AND idempotency_key = :key AND key_held = 1
    AND settled_at IS NOT NULL AND settled_at < :before
    AND (corrected_at IS NULL OR corrected_at < :before) AND (resolved_by IS NULL OR purge_after < :purged_after)
    AND status <> 'in_doubt'
"""
"""Statement that frees a key a day after the last change of its entry's outcome, or after the time
in its row (``kept_for``). Such a change is the outcome, a person's resolution (a year before
``purge_after``), or a late outcome that corrected either.
"""
OPEN = f"{SELECT} AND status = 'running' AND (owner <> :owner OR owner IS NULL)"
_WAITING = (
    "status = 'queued' AND owner IS NULL AND available_at <= :now AND (not_after IS NULL OR "
    "not_after > :late)"
)
_UNRELEASED = f"{_WAITING} AND released_at IS NULL"
_WORKSPACES_WITH = """
WITH RECURSIVE queued(workspace) AS (
    SELECT MIN(workspace) FROM invocations WHERE status = 'queued' AND workspace > :after
    UNION ALL
    SELECT (SELECT MIN(further.workspace) FROM invocations further WHERE further.status = 'queued' AND further.workspace > queued.workspace)
    FROM queued WHERE queued.workspace IS NOT NULL
)
SELECT workspace FROM queued WHERE workspace IS NOT NULL
    AND EXISTS (SELECT 1 FROM invocations WHERE invocations.workspace = queued.workspace AND {condition}){{without}} LIMIT :limit
"""
# One index look-up for each workspace with queued invocations, however many they are. ``without``
# leaves blocked ones out.
WAITING_WORKSPACES = _WORKSPACES_WITH.format(condition=_WAITING)
UNRELEASED_WORKSPACES = _WORKSPACES_WITH.format(condition=_UNRELEASED)
PRIORITIES = """
WITH RECURSIVE found(priority) AS (
    SELECT MAX(priority) FROM invocations WHERE workspace = :workspace AND status = 'queued'
    UNION ALL
    SELECT (SELECT MAX(lower.priority) FROM invocations lower
        WHERE lower.workspace = :workspace AND lower.status = 'queued' AND lower.priority < found.priority)
    FROM found WHERE found.priority IS NOT NULL
)
SELECT priority FROM found WHERE priority IS NOT NULL
"""
QUEUED_CONNECTIONS = """
WITH RECURSIVE found(connection) AS (
    SELECT MIN(connection) FROM invocations WHERE workspace = :workspace AND status = 'queued'
    UNION ALL
    SELECT (SELECT MIN(further.connection) FROM invocations further
        WHERE further.workspace = :workspace AND further.status = 'queued' AND further.connection > found.connection)
    FROM found WHERE found.connection IS NOT NULL
)
SELECT connection FROM found
"""
"""Query for the connections of queued invocations; the last row is NULL, for invocations without
one.
"""
_IN_TURN = """
SELECT workspace, id, inputs, delivery, connection, deliveries IS NOT NULL AS lost, deliveries, key_facts FROM invocations
WHERE workspace = :workspace AND {lane} AND priority = :priority AND {condition}
ORDER BY available_at, id LIMIT :limit OFFSET :skipped
"""
SUSPECT_AT_WORK = """
SELECT id FROM invocations WHERE workspace = :workspace AND status = 'running' AND delivery > :deliveries AND deliveries IS NOT NULL
    AND job_until IS NULL
UNION ALL
SELECT id FROM invocations
WHERE workspace = :workspace AND status = 'queued' AND owner IS NOT NULL AND delivery > :deliveries AND deliveries IS NOT NULL
UNION ALL
SELECT id FROM invocations
WHERE workspace = :workspace AND status = 'queued' AND released_at IS NOT NULL AND delivery >= :deliveries AND deliveries IS NOT NULL
LIMIT 1
"""
LANES = ("1 = 1", "connection = :connection", "connection IS NULL")
"""SQL conditions of a lane: all of a workspace, one connection, none."""
CLAIMABLE = tuple(_IN_TURN.format(lane=lane, condition=_WAITING) for lane in LANES)
RELEASABLE = tuple(
    _IN_TURN.format(lane=lane, condition=_UNRELEASED)
    .replace("inputs, ", "")
    .replace(", deliveries, key_facts", "")
    for lane in LANES
)
"""Queries for invocations to release, without what does not go through the broker."""
CLAIM = f"""
UPDATE invocations SET owner = :owner, delivery = delivery + 1, released_at = NULL
WHERE workspace = :workspace AND id = :id AND {_QUEUED} AND owner IS NULL AND {NOT_HELD}
"""
CLAIM_ONE = f"""{CLAIM}    AND (not_after IS NULL OR not_after > :late) AND (released_at IS NOT NULL OR available_at <= :now)
    AND (deliveries IS NULL OR delivery < :suspect OR NOT EXISTS (
        SELECT 1 FROM invocations other WHERE other.workspace = :workspace AND other.status = 'running'
            AND other.delivery > :suspect AND other.deliveries IS NOT NULL
    ) AND NOT EXISTS (
        SELECT 1 FROM invocations other WHERE other.workspace = :workspace AND other.status = 'queued' AND other.owner IS NOT NULL
            AND other.delivery > :suspect AND other.deliveries IS NOT NULL
    ))
RETURNING inputs, delivery, deliveries IS NOT NULL AS lost, deliveries, key_facts
"""
"""Statement that claims one invocation. A released invocation is due by the clock of the process
that released it, and its message may arrive before the release is recorded. A broker returns all
messages of a lost worker at once: of invocations that were lost twice, one runs at a time.
"""
SUSPECT = 2
"""Number of deliveries after which a lost invocation runs apart from other lost ones."""
MARK_RELEASED = f"""
UPDATE invocations SET released_at = {{now}} WHERE workspace = :workspace AND id = :id AND {_QUEUED} AND owner IS NULL
    AND released_at IS NULL
"""
RELEASED = (
    "SELECT COUNT(*) AS released FROM invocations WHERE status = 'queued' AND released_at IS "
    "NOT NULL"
)
RECALL = (
    "UPDATE invocations SET released_at = NULL WHERE status = 'queued' AND (released_at < "
    "{now} - :age OR released_at > {now} + :age)"
)
"""Statement that makes invocations releasable again ``:age`` seconds after a release; times in the
future were written before the clock was set back.
"""
RECALL_ONE = f"""
UPDATE invocations SET released_at = NULL
WHERE workspace = :workspace AND id = :id AND {_QUEUED} AND owner IS NULL AND released_at IS NOT NULL
"""
LEADER = "SELECT holder, held_until - {now} AS left FROM dispatchers WHERE name = :name"
LEAD = """
INSERT INTO dispatchers (name, holder, held_until) VALUES (:name, :holder, {now} + :seconds)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE dispatchers.holder = excluded.holder OR dispatchers.held_until < {now} OR dispatchers.held_until > {now} + :seconds
    OR dispatchers.holder = :lost
"""
RESIGN = "DELETE FROM dispatchers WHERE name = :name AND holder = :holder"
SLOTS = "SELECT COALESCE(SUM(slots), 0) AS slots FROM instances WHERE seen_at > {now} - :lease"
UNCLAIM = f"""
UPDATE invocations SET status = 'queued', owner = NULL, started_at = NULL, expires_at = NULL, inputs = :inputs
WHERE {_OURS} AND status IN ('queued', 'running')
"""
REQUEUE = f"""
UPDATE invocations SET status = 'queued', owner = NULL, started_at = NULL, expires_at = NULL, inputs = :inputs, available_at = :available_at
WHERE {_OURS} AND status = 'running' AND created_at >= :since AND (not_after IS NULL OR not_after > :available_at)
"""
GIVE_BACK = f"UPDATE invocations SET owner = NULL, inputs = :inputs WHERE {_OURS} AND {_QUEUED}"
"""Statement that returns a claimed invocation to the queue. Begun ones are excluded, since they may
have been sent.
"""
POSTPONE = f"""
UPDATE invocations SET owner = NULL, inputs = :inputs, available_at = :at, delivery = delivery - 1 WHERE {_OURS} AND {_QUEUED}
"""
"""Statement that postpones a claimed invocation; the delivery does not count, since it has not
begun.
"""
RELEASE = f"UPDATE invocations SET owner = NULL WHERE {_OURS} AND {_QUEUED}"
UNCLAIM_ALL = "UPDATE invocations SET owner = NULL WHERE status = 'queued' AND owner = :owner"
CLAIMED = (
    "SELECT workspace, id, delivery FROM invocations WHERE status = 'queued' AND owner = :owner"
)
BEGIN_QUEUED = f"""
UPDATE invocations SET status = 'running', started_at = :started_at, connector_version = :connector_version, effect = :effect,
    connection = :connection, expires_at = :expires_at, key_facts = COALESCE(:key_facts, key_facts),
    inputs = CASE WHEN :erase = 1 THEN :inputs ELSE inputs END
WHERE {_OURS} AND {_QUEUED} AND (not_after IS NULL OR not_after > :late)
"""
END_QUEUED = f"""
UPDATE invocations SET status = :status, error_code = :error_code, settled_at = :settled_at, result = :result,
    inputs = CASE WHEN :status = 'in_doubt' THEN inputs END, key_held = CASE WHEN :status = 'in_doubt' THEN key_held ELSE 0 END,
    available_at = COALESCE(available_at, :settled_at)
WHERE workspace = :workspace AND id = :id AND {_QUEUED} AND (:status = 'in_doubt' OR deliveries IS NULL OR key_facts IS NULL)
"""
"""Statement that ends a queued invocation, in doubt if a run of it was lost. One that waits for an
approval is never due; its end is reported like others.
"""
ASK_TO_CANCEL = """
UPDATE invocations SET cancel_at = :now, cancel_requested_at = :now
WHERE workspace = :workspace AND id = :id AND status = 'running' AND owner <> :owner
"""
NOTE_CANCEL = (
    "UPDATE invocations SET cancel_requested_at = :now WHERE workspace = :workspace AND id = "
    ":id AND status = 'running'"
)
ASKED_TO_CANCEL = (
    "SELECT workspace, id FROM invocations WHERE owner = :owner AND cancel_at IS NOT NULL "
    "AND job_until IS NULL"
)
"""Query for invocations to cancel, without jobs, whose next poll reads the request."""
CANCEL_REPORTED = (
    "UPDATE invocations SET cancel_at = NULL WHERE workspace = :workspace AND id = :id AND "
    "job_until IS NULL"
)
KNOWN_WORKSPACES = "(SELECT name FROM workspaces UNION SELECT 'default' AS name) AS known"
_EACH = f"SELECT invocations.workspace, {', '.join(f'invocations.{name}' for name in COLUMNS)}"
LEFT_RUNNING = f"""{_EACH} FROM {KNOWN_WORKSPACES} CROSS JOIN invocations
WHERE invocations.workspace = known.name AND status = 'running' AND owner = :owner LIMIT :limit"""
WITHOUT_TASK = LEFT_RUNNING.replace(
    " LIMIT", " AND (expires_at < :before OR job_until IS NOT NULL) LIMIT"
)
"""Query for rows past their deadline, which have ended without a recorded end: the database was
restored. Jobs among them are being polled, or were claimed by a commit with an unknown outcome.
"""
LEFT_CLAIMED = f"{_EACH} FROM invocations WHERE status = 'queued' AND owner = :owner LIMIT :limit"
OVERDUE = (
    f"{_EACH} FROM invocations WHERE status = 'queued' AND not_after <= :now ORDER BY "
    "not_after LIMIT :limit OFFSET :left"
)
UNKNOWN_OWNERS = f"""
SELECT DISTINCT owner FROM {KNOWN_WORKSPACES} CROSS JOIN invocations
WHERE invocations.workspace = known.name AND status = 'running' AND NOT EXISTS (SELECT 1 FROM instances WHERE instances.id = owner)
UNION
SELECT DISTINCT owner FROM invocations
WHERE status = 'queued' AND owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM instances WHERE instances.id = owner)
"""
# CROSS JOIN makes SQLite join in the order written, so that it finds each workspace's running
# entries by the index.
REDELIVER = f"""
UPDATE invocations SET status = 'queued', owner = NULL, started_at = NULL, expires_at = NULL, available_at = :available_at,
    deliveries = :deliveries
WHERE {_OURS} AND status = :was
"""
RECOVERED = f"""
UPDATE invocations SET status = :status, error_code = :error_code, attempts = :attempts, attempt_log = :attempt_log,
    request_id = :request_id, settled_at = :settled_at, result = :result, key_held = :key_held, recovered_at = :settled_at,
    deliveries = :deliveries, dead_at = CASE WHEN :dead = 1 THEN :settled_at ELSE dead_at END
WHERE {_OURS} AND status = :was
"""
RENEW_INSTANCE = """
INSERT INTO instances (id, host, pid, place, born, slots, settings, started_at, seen_at)
VALUES (:id, :host, :pid, :place, :born, :slots, :settings, {now}, {now})
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, slots = excluded.slots, settings = excluded.settings, doubted_at = NULL
"""
FORGET_INSTANCE = "DELETE FROM instances WHERE id = :id"
FORGET_DEAD_INSTANCE = "DELETE FROM instances WHERE id = :id AND seen_at = :seen_at"
LIVE_INSTANCE = (
    "SELECT host, pid FROM instances WHERE seen_at > {now} - :lease ORDER BY seen_at DESC LIMIT 1"
)
INSTANCES = "SELECT id, host, pid, place, born, seen_at FROM instances"
INSTANCE = (
    "SELECT pid, place, born, seen_at, {now} - seen_at AS age, {now} - doubted_at AS doubted "
    "FROM instances WHERE id = :id"
)
DOUBT_INSTANCE = "UPDATE instances SET doubted_at = {now} WHERE id = :id AND seen_at = :seen_at"
"""Statement that records when an instance seemed lost, by the database's clock ``{now}``, since
clocks of hosts differ.
"""
DEPTH = f"""
SELECT counts.workspace, SUM(counts.invocations + 0.0) - (
    SELECT COUNT(*) FROM approvals WHERE approvals.workspace = counts.workspace AND approvals.status = 'waiting'
) AS waiting FROM {KNOWN_WORKSPACES} CROSS JOIN invocation_counts AS counts
WHERE counts.workspace = known.name AND counts.width = 0 AND counts.slot = 0 AND counts.status = 'queued'
GROUP BY counts.workspace HAVING SUM(counts.invocations + 0.0) > 0
"""
_SHARED = "workspace"
_QUEUED_COLUMNS = (
    "id",
    "connector",
    "connector_version",
    "action",
    "effect",
    "connection",
    "caller",
    "idempotency_key",
    "key_held",
    "fingerprint",
    "dry_run",
    "created_at",
    "inputs",
    "context",
    "available_at",
    "not_after",
    "priority",
    "kept_for",
    "key_space",
)
"""Columns of a queued invocation that differ between rows; other columns have their defaults."""
_SIZES = (64, 16, 4, 1)
"""Numbers of rows per statement: few sizes, so that the databases' statement caches hold all of
them.
"""


def resolve(transaction: Transaction, values: Mapping[str, Any]) -> int:
    """Resolve a doubt as a person decided, or replace a decision by evidence; return the number of
    changed rows.
    """
    return transaction.change(RESOLVE, values) or transaction.change(
        OVERRULE, {**values, "evidence": EVIDENCE}
    )


@lru_cache(maxsize=len(_SIZES))
def _insert_queued(rows: int) -> str:
    names = ", ".join((_SHARED, "status", "attempts", *_QUEUED_COLUMNS))
    values = ", ".join(
        f"(:{_SHARED}, 'queued', 0, {', '.join(f':{name}_{row}' for name in _QUEUED_COLUMNS)})"
        for row in range(rows)
    )
    return f"INSERT INTO invocations ({names}) VALUES {values} ON CONFLICT DO NOTHING RETURNING id"


def insert_queued(
    transaction: Transaction, workspace: str, rows: Sequence[Mapping[str, Any]]
) -> frozenset[str]:
    """Insert queued invocations in order with few statements, since one per row would cost a round
    trip each.

    Return the ids of inserted rows; a row whose idempotency key is held is not inserted.
    """
    found: set[str] = set()
    for part in _parts(rows):
        values = {
            f"{name}_{place}": row[name]
            for place, row in enumerate(part)
            for name in _QUEUED_COLUMNS
        }
        found |= {
            row.id
            for row in transaction.execute(
                _insert_queued(len(part)), {_SHARED: workspace, **values}
            )
        }
    return frozenset(found)


def _parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    begin = 0
    for size in _SIZES:
        while len(rows) - begin >= size:
            yield rows[begin : begin + size]
            begin += size
