"""The journal's list: what one page of it reads, whatever its filters."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.clock import Clock
from jackfield_store.database import Transaction, open_database
from jackfield_store.journal import Journal, pages
from jackfield_store.journal.counts import open_now, parts
from jackfield_store.journal.queue_stats import queue_stats
from jackfield_store.journal.upkeep import START, purge_slice
from jackfield_store.runtime import Jackfield

MADE = 1_800_000_000.0
ROWS = 23


def made(moment: float, **more: Any) -> Draft:
    """Describe an invocation that runs."""
    about: dict[str, Any] = {
        "connector_version": "1.0.0",
        "effect": "write",
        "connection": None,
        "caller": None,
        "started_at": MADE,
        **more,
    }
    return Draft(
        new_invocation_id(), "echo", action="say", created_at=moment, expires_at=MADE + 1e9, **about
    )


@pytest.fixture
def journal(database_url: str) -> Iterator[Journal]:
    """23 invocations, half of them running, in which every fifth has a label and a caller of its
    own, and of which two times two share a moment. Those of the clerk are recorded with a key.
    """
    open_database(database_url, migrate=True).close()
    with Jackfield(connections=[], database_url=database_url) as jackfield:
        found = jackfield.journal
        assert found is not None
        for number in range(ROWS):
            fifth = number % 5 == 0
            context = {
                "correlationId": f"z-{number}",
                "labels": {"team": "red" if fifth else "blue"},
            }
            draft = made(
                MADE + number - number % 11 // 10,
                caller="clerk" if fifth else "robot",
                context=context,
                idempotency_key=f"Key-{number}" if fifth else None,
                connection=f"room-{number % 3}",
            )
            found.database.record(found.starting(draft))
            if number % 2:
                meta = Meta(
                    draft.id,
                    connector="echo",
                    action="say",
                    attempts=1,
                    request_id=f"request-{number}",
                )
                found.database.record(
                    found.finishing(draft, Result("succeeded", meta, output={}), [])
                )
        yield found


def listed(journal: Journal, limit: int, **filters: Any) -> list[list[str]]:
    """The ids of all pages, until there is no cursor."""
    found, cursor = list[list[str]](), None
    while True:
        entries, cursor = journal.entries(cursor=cursor, limit=limit, **filters)
        found.append([entry.id for entry in entries])
        if cursor is None:
            return found


def test_h_filters_find_the_same_entries_on_pages_of_any_size(journal: Journal) -> None:
    """Each filter, and each combination of them, gives what a look at every entry gives, in the
    order of the list.
    """
    every = journal.entries(limit=100)[0]
    assert len(every) == ROWS
    for filters, fits in (
        ({"caller": "clerk"}, lambda entry: entry.caller == "clerk"),
        ({"status": "running"}, lambda entry: entry.status == "running"),
        (
            {"status": "succeeded", "caller": "robot"},
            lambda entry: (entry.status, entry.caller) == ("succeeded", "robot"),
        ),
        ({"connection": "room-1", "connector": "echo"}, lambda entry: entry.connection == "room-1"),
        ({"label": "team=red"}, lambda entry: entry.caller == "clerk"),
        ({"label": "team", "status": "succeeded"}, lambda entry: entry.status == "succeeded"),
        ({"correlationId": "z-7"}, lambda entry: entry.context["correlationId"] == "z-7"),
        ({"idempotencyKey": "Key-5"}, lambda entry: entry.idempotency_key == "Key-5"),
        ({"q": "CLERK"}, lambda entry: entry.caller == "clerk"),
        ({"q": "ey-1", "status": "running"}, lambda entry: entry.idempotency_key == "Key-10"),
        ({"q": "request-1"}, lambda entry: (entry.request_id or "").startswith("request-1")),
        (
            {"status": "succeeded", "since": MADE + 4, "until": MADE + 9},
            lambda entry: entry.status == "succeeded" and 4 <= entry.created_at - MADE < 9,
        ),
        ({"caller": "nobody"}, lambda entry: False),
        ({"status": "cancelled"}, lambda entry: False),
    ):
        expected = [entry.id for entry in every if fits(entry)]  # type: ignore[no-untyped-call]
        for limit in (1, 3, 50):
            found = listed(journal, limit, **filters)
            assert list(chain.from_iterable(found)) == expected, filters
            assert len(found) <= max(1, len(expected)), filters
        seen = journal.seen_entries(lambda row: row.connection == "room-1", limit=50, **filters)[0]
        assert [entry.id for entry in seen] == [
            entry.id
            for entry in every
            if fits(entry) and entry.connection == "room-1"  # type: ignore[no-untyped-call]
        ], filters


def test_h_a_page_looks_at_a_bounded_number_of_entries(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an index answers only one of the filters, pages may be short and have a cursor, and
    together they are the whole list.
    """
    every = journal.entries(limit=100)[0]
    reds = [entry.id for entry in every if entry.caller == "clerk"]
    monkeypatch.setattr(pages, "LOOKED_AT", 4)
    monkeypatch.setattr(pages, "SCANNED", 4)
    for filters in ({"label": "team", "caller": "clerk"}, {"label": "team=red", "q": "clerk"}):
        for limit in (1, 3, 50):
            found = listed(journal, limit, **filters)
            assert list(chain.from_iterable(found)) == reds, filters
    monkeypatch.setattr(pages, "MOST_KINDS", 2)
    assert list(chain.from_iterable(listed(journal, 50, caller="clerk"))) == reds


def test_a_text_is_found_everywhere_in_the_newest_entries(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In older ones it is found in names, and at the begin of identifiers; there is no empty page
    with a cursor.
    """
    every = journal.entries(limit=100)[0]
    monkeypatch.setattr(pages, "SCANNED", 4)
    assert listed(journal, 50, q="ey-0") == [[]]
    assert listed(journal, 50, q="Key-0") == listed(journal, 50, idempotencyKey="Key-0")
    assert listed(journal, 50, q=every[-1].id[:30]) == [[every[-1].id]]
    assert listed(journal, 50, q="z-2") == [
        [entry.id for entry in every if entry.context["correlationId"].startswith("z-2")]
    ]
    assert listed(journal, 50, q="request-3") == [
        [entry.id for entry in every if entry.request_id == "request-3"]
    ]
    robots = {
        entry.id for entry in every if entry.caller == "robot" and entry.status == "succeeded"
    }
    assert robots <= set(listed(journal, 50, q="ROBO")[0])


_PLANNED: tuple[dict[str, Any], ...] = (
    {},
    {"status": "failed"},
    {"status": "running"},
    {"connector": "echo", "since": 1.0},
    {"caller": "x", "until": 9.0},
    {"errorCode": "x"},
    {"connection": "x", "status": "in_doubt"},
    {"idempotencyKey": "x"},
    {"correlationId": "x"},
    {"label": "x=y"},
    {"q": "x"},
    {"q": "x", "action": "y"},
)


def test_h_no_list_or_statistic_reads_the_whole_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite searches an index for every statement of every list and statistic; those of kinds use
    all columns of theirs.
    """
    with Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/jackfield.db") as jackfield:
        journal = jackfield.journal
        assert journal is not None
        for moment in (5.0, 6.0, 7.0, 8.0):
            draft = made(moment, context={"labels": {"team": "red", "order": "1"}})
            journal.database.record(journal.starting(draft))
            journal.database.record(
                journal.finishing(draft, Result("succeeded", Meta(draft.id), output={}), [])
            )
        plans = _explained(monkeypatch)
        for filters in _PLANNED:
            for cursor in (None, "8.0~x"):
                journal.entries(cursor=cursor, **filters)
            journal.seen_entries(lambda _row: True, **filters)
        journal.stats()
        parts(journal.database, "default", 0.0, 60)
        open_now(journal.database, "default")
        queue_stats(journal.database, jackfield.clock)
        with journal.database.write() as transaction:
            assert purge_slice(transaction, "default", START, before=2e9, now=3e9).deleted == 4
    assert len(plans) > 50
    scans = [
        line
        for line in plans
        if line.startswith("SCAN") and line.split()[1] not in _SMALL and not _PARTIAL.search(line)
    ]
    assert scans == []
    kinds = [line for line in plans if "invocations_kind " in line]
    assert kinds
    assert all("status=?" in line and line.count("<expr>=?") == 4 for line in kinds)
    terms = [line for line in plans if "invocation_terms USING PRIMARY KEY" in line]
    assert any("id=?" in line for line in terms)
    assert [line for line in terms if "term" not in line] == []


_SMALL = (
    "t",
    "parts",
    "CONSTANT",
    "schema_migrations",
    "workspaces",
    "known",
    "blocked_workspaces",
)
_PARTIAL = re.compile(r"INDEX invocations_(claimed|released|dead)\b")
"""Indexes that are read whole: those of entries in the hands of workers, and of dead ones."""
_ROWS = """
INSERT INTO invocations (workspace, id, status, connector, action, effect, connection, caller, error_code, idempotency_key, request_id,
    context, created_at, settled_at, available_at, owner)
SELECT CASE WHEN n % 3 = 0 THEN 'default' ELSE 'w' || n % 20 END, 'i' || n,
    CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 999 = 0 THEN 'in_doubt' WHEN n > 29990 THEN 'running'
        WHEN n % 15 = 1 THEN 'queued' ELSE 'succeeded' END,
    'c' || n % 4, 'a' || n % 5, 'write', 'n' || n % 7, 't' || n % 3, CASE WHEN n % 50 = 0 THEN 'timeout' END, 'k' || n, 'r' || n,
    CASE WHEN n % 5 = 0 THEN '{"correlationId": "i' || n || '"}' END, 1.8e9 + n, 1.8e9 + n + 0.5, n % 2,
    CASE WHEN n % 3000 = 1 THEN 'o' END
FROM generate_series(1, 30000) n
"""
_TERMS = """
INSERT INTO invocation_terms (workspace, term, created_at, id)
SELECT workspace, 'c:' || id, created_at, id FROM invocations WHERE context IS NOT NULL
"""
_COUNTS = """
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations, attempts,
    timed, seconds, longest)
SELECT 'w' || n % 20, 3600, n, 'c', 'a', 'succeeded', '', -1, 0, 1, 1, 1, 1, 1 FROM generate_series(1, 30000) n
"""


def test_no_list_or_statistic_scans_a_table_of_postgresql(postgres_url: str) -> None:
    """PostgreSQL's planner chooses an index for every statement of every list, statistic, purge and
    figure of the queue, by the statistics of 30,000 entries, whether it plans for the values or, as
    for a statement that is repeated, for any.
    """
    open_database(postgres_url, migrate=True).close()
    with Jackfield(connections=[], database_url=postgres_url) as jackfield:
        journal = jackfield.journal
        assert journal is not None
        with journal.database.write() as transaction:
            transaction.change(_ROWS)
            transaction.change(_TERMS)
            transaction.change(_COUNTS)
            transaction.execute("ANALYZE")
        for plans in ("force_custom_plan", "force_generic_plan"):
            with pytest.MonkeyPatch.context() as patch:
                found = _planned_by_postgresql(patch, plans)
                _look_at_all(journal, jackfield.clock)
            _judge(found)


def _look_at_all(journal: Journal, clock: Clock) -> None:
    """Ask for every list, statistic, purge and figure of the queue."""
    for filters in _PLANNED:
        for cursor in (None, "1800015000.0~x"):
            journal.entries(cursor=cursor, **filters)
        journal.seen_entries(lambda row: row.connection == "n3", **filters)
    journal.stats()
    journal.stats(1.8e9)
    parts(journal.database, "default", 1.8e9, 60)
    open_now(journal.database, "default")
    queue_stats(journal.database, clock)
    with journal.database.write() as transaction:
        purge_slice(transaction, "default", START, before=1.8e9 + 100, now=2e9)


def _judge(found: list[tuple[str, str]]) -> None:
    """Hold plans against the promise that no table is scanned."""
    assert len(found) > 50
    scanned = ("invocations", "invocation_terms", "invocation_counts")
    assert [
        statement
        for statement, plan in found
        if any(f"Seq Scan on {table}" in plan for table in scanned)
    ] == []
    # an index whose condition does not name the workspace, or a partial one, is read from end to
    # end
    whole = re.compile(
        r"(?:Index Scan|Index Only Scan).* on (?:invocations|invocation_terms)\b(?!.*\n\s+Index "
        r"Cond:.*workspace = )"
    )
    partial = (
        "invocations_claimed",
        "invocations_released",
        "invocations_dead",
        "invocations_running",
    )
    assert [
        plan
        for _, plan in found
        for line in whole.findall(plan)
        if not any(name in line for name in partial)
    ] == []


def _planned_by_postgresql(monkeypatch: pytest.MonkeyPatch, plans: str) -> list[tuple[str, str]]:
    """The plans of all statements of this thread that read or delete, from now on."""
    found, execute, change, mine = (
        list[tuple[str, str]](),
        Transaction.execute,
        Transaction.change,
        threading.get_ident(),
    )

    def noted(transaction: Transaction, statement: str, values: Any) -> None:
        if threading.get_ident() != mine:
            return  # recovery looks for lost entries
        used = list(dict.fromkeys(re.findall(r"(?<!:):(\w+)", statement)))
        execute(transaction, f"SET LOCAL plan_cache_mode = {plans}")
        numbered = re.sub(r"(?<!:):(\w+)", lambda name: f"${used.index(name[1]) + 1}", statement)
        types = ", ".join(
            "double precision" if isinstance(values[name], float) else "unknown" for name in used
        )
        execute(transaction, f"PREPARE planned{f'({types})' if used else ''} AS {numbered}")
        given = ", ".join(_literal(values[name]) for name in used)
        rows = execute(transaction, f"EXPLAIN EXECUTE planned{f'({given})' if used else ''}")
        execute(transaction, "DEALLOCATE planned")
        found.append((statement, "\n".join(row[0] for row in rows)))

    def executed(transaction: Transaction, statement: str, values: Any = None) -> Any:
        if "SELECT" in statement:
            noted(transaction, statement, values or {})
        return execute(transaction, statement, values or {})

    def changed(transaction: Transaction, statement: str, values: Any = None) -> Any:
        if "DELETE" in statement:
            noted(transaction, statement, values or {})
        return change(transaction, statement, values or {})

    monkeypatch.setattr(Transaction, "execute", executed)
    monkeypatch.setattr(Transaction, "change", changed)
    return found


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(str, value))}]::bigint[]"
    return (
        f"'{value}'"
        if isinstance(value, str)
        else "'-Infinity'"
        if value == float("-inf")
        else str(value)
    )


def _explained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the plans of all statements of this thread, from now on."""
    plans, execute, change, mine = (
        list[str](),
        Transaction.execute,
        Transaction.change,
        threading.get_ident(),
    )

    def changed(transaction: Transaction, statement: str, values: Any = None) -> Any:
        if threading.get_ident() == mine:
            plans.extend(
                row.detail
                for row in execute(transaction, f"EXPLAIN QUERY PLAN {statement}", values or {})
            )
        return change(transaction, statement, values or {})

    def explained(transaction: Transaction, statement: str, values: Any = None) -> Any:
        if "SELECT" in statement and threading.get_ident() == mine:
            plans.extend(
                row.detail
                for row in execute(transaction, f"EXPLAIN QUERY PLAN {statement}", values or {})
            )
        return execute(transaction, statement, values or {})

    monkeypatch.setattr(Transaction, "execute", explained)
    monkeypatch.setattr(Transaction, "change", changed)
    return plans


def test_a_page_of_large_entries_ends_early(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that take more bytes than a page may hold come on further pages, each with at least
    one, in order and complete.
    """
    whole = [identifier for page in listed(journal, 50) for identifier in page]
    monkeypatch.setattr(pages, "PAGE_BYTES", 700)
    found = listed(journal, 50)
    assert [identifier for page in found for identifier in page] == whole
    assert len(found) > 5
    monkeypatch.setattr(pages, "PAGE_BYTES", 10)
    assert {len(page) for page in listed(journal, 50)} == {1}
    monkeypatch.setattr(pages, "PAGE_BYTES", 700)
    seen, cursor = journal.seen_entries(lambda _row: True, limit=50)
    assert ([entry.id for entry in seen], cursor is None) == (found[0], False)
