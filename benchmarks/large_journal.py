"""A journal of any size, made in bulk: ``python -m benchmarks.large_journal URL ROWS`` adds that
many invocations of the last 30 days.

They are spread over 50 workspaces, the largest with a third of all, and over connectors, actions,
connections, callers, statuses and times. One in a thousand has a Result that its workspace's key
has sealed and the journal can open; the others have as many random bytes, and the workspaces'
settings have no seals: ``jackfield db check`` reports both, rightly. ``benchmarks.moving`` makes a
journal with every seal.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.clock import SystemClock
from jackfield_store.database import Database, Transaction, open_database
from jackfield_store.database.statements import split
from jackfield_store.database.table_shapes import without_triggers
from jackfield_store.journal import Journal
from jackfield_store.journal.upkeep import JournalUpkeep
from jackfield_store.resources.storage import Storage

WORKSPACES = ("default", *(f"w{number:02}" for number in range(1, 50)))
PERIOD = 30 * 86_400.0
_ACTIONS = {
    "aws-ses": (
        "sendEmail",
        "sendTemplatedEmail",
        "sendBulkEmail",
        "listIdentities",
        "getSendQuota",
    ),
    "http": ("get", "post", "put"),
    "echo": ("say", "put", "wait"),
    "smtp": ("send",),
}
_CODES = (
    "timeout",
    "unavailable",
    "rate_limited",
    "invalid_input",
    "message_rejected",
    "cancelled",
)
_COLUMNS = (
    "workspace",
    "id",
    "status",
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
    "error_code",
    "attempts",
    "attempt_log",
    "request_id",
    "created_at",
    "started_at",
    "settled_at",
    "expires_at",
    "owner",
    "result",
    "context",
    "delivery",
    "available_at",
)
_BLOCK = 100_000
"""Rows made in Python. The others are copies of them in SQL, with times, ids and keys of their
own.
"""
_COPIED = {
    "id": "substr({hex}, 1, 8) || '-' || substr({hex}, 9, 4) || substr(id, 14)",
    "created_at": "created_at - {shift}",
    "started_at": "started_at - {shift}",
    "settled_at": "settled_at - {shift}",
    "expires_at": "expires_at - {shift}",
    "idempotency_key": "idempotency_key || '-{copy}'",
    "request_id": "'{copy}-' || request_id",
    "context": "replace(context, '@', '{copy}-')",
}
_HEX = {
    "sqlite": "printf('%012x', CAST((created_at - {shift}) * 1000 AS BIGINT))",
    "postgresql": "lpad(to_hex(CAST(FLOOR((created_at - {shift}) * 1000) AS BIGINT)), 12, '0')",
}
_LABELS = {
    "sqlite": "CROSS JOIN json_each(i.context, '$.labels') AS l",
    "postgresql": "CROSS JOIN jsonb_each_text(i.context::jsonb -> 'labels') AS l",
}
_CORRELATION = {
    "sqlite": "json_extract(i.context, '$.correlationId')",
    "postgresql": "(i.context::jsonb ->> 'correlationId')",
}


_COUNTED = """
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
"""
"""What the triggers would have counted of each entry, by the hour."""


def fill(url: str, environment: Mapping[str, str], count: int, *, seed: int = 1) -> None:
    """Make a database at ``url``, which must be empty, with ``count`` invocations; their master key
    is that of the environment.
    """
    from jackfield_store.runtime import Jackfield

    with open_database(url, wait=3600.0) as database:
        vault = Storage(url, environment, SystemClock())._vault_on(database)
        chance, now = random.Random(seed), time.time()
        journals = {name: Journal(database, vault, name, SystemClock()) for name in WORKSPACES}
        block = min(count, _BLOCK)
        period = PERIOD * block / count
        rows = [
            _row(chance, now - period + period * number / block, now, journals)
            for number in range(block)
        ]
        _insert(database, rows, -(-count // block), period)
        with database.write() as transaction:
            if database.dialect.name == "postgresql":
                transaction.execute("SET LOCAL statement_timeout = 0")
            for statement in split(_COUNTED.replace("{floor}", database.dialect.types["floor"])):
                transaction.change(statement)
            _add_terms(transaction, database.dialect.name)
    with Jackfield(connections=[], database_url=url, environment=environment) as jackfield:
        upkeep = JournalUpkeep(jackfield.storage.database, jackfield.clock)
        for name in WORKSPACES:
            while upkeep.merge(name):
                pass


def _insert(database: Database, rows: Sequence[Sequence[Any]], copies: int, period: float) -> None:
    """Insert copies of the rows, oldest first, without the triggers, and without the indexes, which
    are then made again.
    """
    sqlite = database.dialect.name == "sqlite"
    with database.write() as transaction:
        if sqlite:
            found = (
                "SELECT name, sql AS text FROM sqlite_master WHERE tbl_name = 'invocations' "
                "AND sql LIKE 'CREATE%INDEX%'"
            )
        else:
            transaction.execute("SET LOCAL statement_timeout = 0")
            found = (
                "SELECT indexname AS name, indexdef AS text FROM pg_indexes WHERE tablename "
                "= 'invocations' AND indexname LIKE 'invocations!_%' ESCAPE '!'"
            )
        indexes = [row for row in transaction.execute(found) if row.name != "invocations_pkey"]
        for index in indexes:
            transaction.execute(f"DROP INDEX {index.name}")
        for name in WORKSPACES[1:]:
            transaction.change(
                "INSERT INTO workspaces (name, created_at) VALUES (:name, 1) ON CONFLICT DO "
                "NOTHING",
                {"name": name},
            )
        transaction.execute("CREATE TABLE block AS SELECT * FROM invocations WHERE 1 = 0")
        names = ", ".join(_COLUMNS)
        for row in rows:
            values = dict(zip(_COLUMNS, row, strict=True))
            transaction.change(
                f"INSERT INTO block ({names}) VALUES "
                f"({', '.join(f':{name}' for name in _COLUMNS)})",
                values,
            )
    for copy in reversed(range(copies)):
        with (
            database.write() as transaction,
            without_triggers(transaction, database.dialect, "invocations"),
        ):  # its own: the WAL must not hold all
            _copy(transaction, _HEX[database.dialect.name], copy, copy * period)
    with database.write() as transaction:
        if not sqlite:
            transaction.execute("SET LOCAL statement_timeout = 0")
            transaction.execute("SET LOCAL maintenance_work_mem = '512MB'")
        for index in indexes:
            transaction.execute(index.text)
        transaction.execute("DROP TABLE block")


def _copy(transaction: Transaction, digits: str, copy: int, shift: float) -> None:
    """Insert the block, ``shift`` seconds earlier."""
    about = {"shift": repr(shift), "copy": copy, "hex": digits.format(shift=repr(shift))}
    chosen = [_COPIED.get(name, name).format(**about) if copy else name for name in _COLUMNS]
    older = " WHERE status NOT IN ('queued', 'running')" if copy else ""
    transaction.change(
        f"INSERT INTO invocations ({', '.join(_COLUMNS)}) SELECT {', '.join(chosen)} FROM "
        f"block{older}"
    )


def _add_terms(transaction: Transaction, dialect: str) -> None:
    """Add what the journal itself would have added for each context."""
    parts = [
        (
            f"SELECT i.workspace, {chosen}, i.created_at, i.id FROM invocations i {joined} WHERE "
            "i.context IS NOT NULL"
        )
        for chosen, joined in (
            (f"'c:' || {_CORRELATION[dialect]}", ""),
            ("'l:' || l.key", _LABELS[dialect]),
            ("'l:' || l.key || '=' || l.value", _LABELS[dialect]),
        )
    ]
    # in the order of the index: rows at random places of a large tree take ten times as long
    transaction.change(
        "INSERT INTO invocation_terms (workspace, term, created_at, id) "
        f"{' UNION ALL '.join(parts)} ORDER BY 1, 2, 3, 4"
    )


def _row(
    chance: random.Random, at: float, now: float, journals: Mapping[str, Journal]
) -> Sequence[Any]:
    workspace = (
        "default" if chance.random() < 1 / 3 else WORKSPACES[int(49 * chance.random() ** 2) + 1]
    )
    connector = chance.choices(tuple(_ACTIONS), (60, 25, 10, 5))[0]
    action = chance.choice(_ACTIONS[connector])
    status = chance.choices(
        ("succeeded", "failed", "in_doubt", "queued", "running"),
        (949, 45, 1, 4 * (now - at < 600), now - at < 600),
    )[0]
    code = {"failed": chance.choice(_CODES), "in_doubt": "in_doubt"}.get(status)
    ended = status not in ("queued", "running")
    identifier = _uuid7(at, chance)
    key = f"order-{chance.getrandbits(40):010x}" if chance.random() < 0.3 else None
    labels = {"team": chance.choice(("red", "blue")), "order": f"o@{chance.getrandbits(40):010x}"}
    context = (
        {"correlationId": f"c@{chance.getrandbits(40):010x}", "labels": labels}
        if chance.random() < 0.1
        else None
    )
    log = (
        f'[{{"startedAt": {at:.3f}, "endedAt": {at + 0.2:.3f}, "step": "{action}", '
        f'"outcome": "{status}"}}]'
    )
    result = _result(journals[workspace], identifier, sealed=chance.random() < 0.01)
    return (
        workspace,
        identifier,
        status,
        connector,
        "1.0.0",
        action,
        "write" if action.startswith(("send", "p")) else "read",
        f"{connector}-{chance.randrange(12)}",
        f"token-{(len(action) + chance.randrange(3)) % 8}",
        key,
        0,
        f"{chance.getrandbits(256):064x}" if key else None,
        0,
        code,
        1,
        log,
        f"{chance.getrandbits(128):032x}" if ended else None,
        at,
        at,
        at + chance.lognormvariate(-1.5, 0.8) if ended else None,
        at + 60,
        "0123456789abcdef" if status == "running" else None,
        result if ended else None,
        json.dumps(context) if context else None,
        0,
        at if status == "queued" else None,
    )


def _uuid7(at: float, chance: random.Random) -> str:
    text = f"{int(at * 1000):012x}7{chance.getrandbits(12):03x}8{chance.getrandbits(60):015x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _result(journal: Journal, identifier: str, *, sealed: bool) -> bytes:
    """Seal a Result of usual size, or return as many random bytes, which takes a tenth of the
    time.
    """
    if not sealed:
        return os.urandom(260)
    meta = {
        "invocationId": identifier,
        "connector": "aws-ses",
        "action": "sendEmail",
        "attempts": 1,
        "durationMs": 212.4,
        "replayed": False,
    }
    return journal.sealed_result(
        identifier, {"status": "succeeded", "output": {"MessageId": "0" * 60}, "meta": meta}
    )


def main(url: str, count: int) -> None:
    """Make the database at ``url``, whose master key is that of the environment."""
    begun = time.perf_counter()
    fill(url, os.environ, count)
    print(f"{count:,} invocations in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
