"""The row of a call in the database: each statement is executed in each state, on both databases,
and does what the table says.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import product
from typing import Any

from tests.house.parsed import nodes
from tests.house.test_house_floors import RUNTIME

from jackfield_store.database import Database, Transaction, open_database
from jackfield_store.journal import (
    approvals,
    dead_letters,
    doubts,
    jobs,
    statements,
    undecided,
    upkeep,
)
from jackfield_store.journal import row_states as s
from jackfield_store.recording import twins

MODULES = {
    module.__name__.rpartition(".")[2]: module
    for module in (approvals, dead_letters, doubts, jobs, statements, twins, undecided, upkeep)
}
NOW, BEFORE, LATER = 1000.0, 500.0, 2000.0
_ROW: dict[str, Any] = {
    "workspace": "default",
    "id": "one",
    "connector": "c",
    "connector_version": "1",
    "action": "a",
    "effect": "write",
    "connection": None,
    "caller": None,
    "idempotency_key": "k",
    "fingerprint": "f",
    "dry_run": 0,
    "error_code": None,
    "attempts": 1,
    "attempt_log": None,
    "request_id": None,
    "created_at": BEFORE,
    "started_at": None,
    "settled_at": None,
    "expires_at": None,
    "owner": None,
    "inputs": None,
    "result": None,
    "context": None,
    "rule": None,
    "delivery": 1,
    "available_at": None,
    "not_after": LATER,
    "priority": 5,
    "twin": None,
    "job": None,
    "key_held": 0,
    "dead_at": None,
    "recovered_at": None,
    "resolved_by": None,
    "released_at": None,
    "deliveries": None,
    "purge_after": None,
    "corrected_at": None,
}
ROWS: Mapping[str, dict[str, Any]] = {
    s.WAITING: {"status": "queued"},
    s.QUEUED: {"status": "queued", "available_at": BEFORE},
    s.CLAIMED: {"status": "queued", "available_at": BEFORE, "owner": "me"},
    s.RUNNING: {"status": "running", "started_at": BEFORE, "owner": "me", "available_at": BEFORE},
    s.JOB: {"status": "running", "started_at": BEFORE, "job": b"j"},
    s.POLLING: {"status": "running", "started_at": BEFORE, "job": b"j", "owner": "me"},
    s.DOUBT: {
        "status": "in_doubt",
        "settled_at": BEFORE,
        "owner": "me",
        "twin": "t",
        "recovered_at": BEFORE,
        "result": b"{}",
    },
    s.ENDED: {
        "status": "failed",
        "settled_at": BEFORE,
        "owner": "me",
        "key_held": 1,
        "recovered_at": BEFORE,
        "dead_at": BEFORE,
        "result": b"{}",
    },
}
"""The row in each state."""
ONLY: Mapping[str, dict[str, Any]] = {
    "statements.RECALL": {"released_at": 1.0},
    "statements.RECALL_ONE": {"released_at": 1.0},
    "statements.OVERRULE": {"resolved_by": "evidence"},
    "statements.NOTE_ASKED": {"asked": "[]"},
}
"""What a statement asks of its row beside the state."""
_VALUES: dict[str, Any] = {
    **_ROW,
    "owner": "me",
    "now": NOW,
    "at": NOW,
    "due": NOW,
    "until": LATER,
    "late": NOW,
    "before": NOW,
    "since": 0.0,
    "age": 10.0,
    "key": "k",
    "key_space": "",
    "space": "",
    "key_facts": None,
    "asked": "[]",
    "purged_after": NOW,
    "evidence": "evidence",
    "suspect": 2,
    "erase": 0,
    "was": "running",
    "dead": 0,
    "told": -1.0,
    "tried": 1,
    "fraction": None,
    "text": None,
    "not_after": LATER,
    "available_at": NOW,
    "settled_at": NOW,
    "started_at": NOW,
    "expires_at": LATER,
    "result": b"new",
    "status": "succeeded",
    "job": b"j",
    "kept_for": None,
}
GIVEN: Mapping[str, dict[str, Any]] = {
    "statements.ASK_TO_CANCEL": {"owner": "other"},
    "undecided._DECIDE": {"before": b"{}"},
    "statements.RESOLVE": {"resolved_by": "person"},
    "statements.ASK": {"before": ""},
    "statements.QUEUE_AGAIN": {"before": ""},
    "statements.NOTE_ASKED": {"before": "[]"},
}
"""Values of a statement that differ from those of all."""
BEGINS: Mapping[str, dict[str, Any]] = {
    "begin": {"status": "running", "owner": "me", "available_at": None},
    "refuse": {"status": "failed", "owner": None, "available_at": None},
    "queue": {"owner": None, "available_at": NOW},
    "ask for an approval": {"owner": None, "available_at": None},
}
"""Values of what writes a row, by the event."""
DECIDED = {
    *product(ROWS, ("statements.RESOLVE", "statements.OVERRULE", "undecided._DECIDE")),
    (s.WAITING, "statements.END_QUEUED"),
    *product(ROWS, ("statements.NOTE_ASKED",)),
}
"""Where a statement writes no doubt: what a person, evidence or a policy decides is none, nor is
what waits for an approval.
"""
ALSO: Mapping[str, set[str]] = {
    # the poll of a job ends by the one of jobs, which leaves more
    "statements.FINISH": {s.POLLING},
    # only for calls that were taken from the queue; recovery of jobs is RETURNED
    "statements.UNCLAIM": {s.POLLING},
    "statements.REQUEUE": {s.POLLING},  # as well
    "statements.REDELIVER": {s.POLLING},
    "statements.RECOVERED": {s.POLLING},
    "statements.ASK_TO_CANCEL": {s.POLLING},  # after it jobs.CANCEL is executed, too
    "statements.NOTE_CANCEL": {s.JOB, s.POLLING},
    # it forgets a request, and no more
    "statements.CANCEL_REPORTED": {
        s.WAITING,
        s.QUEUED,
        s.CLAIMED,
        s.JOB,
        s.POLLING,
        s.DOUBT,
        s.ENDED,
    },
    "jobs.GIVE_BACK": {s.RUNNING},
    "jobs.FINISH": {s.CLAIMED, s.RUNNING},
    "undecided._DECIDE": {s.DOUBT},  # whose result is compared
    "statements.CLAIM": {s.WAITING},  # only what CLAIMABLE has found is claimed, which is due
    "statements.MARK_RELEASED": {s.WAITING},  # of what RELEASABLE has found, as well
    "statements.RECALL": {s.WAITING, s.CLAIMED},  # none of these is marked as released
    "statements.RECALL_ONE": {s.WAITING},
}
"""States in which a statement changes the row as well, though nobody executes it there."""


def condition(state: str) -> str:
    """The condition of a state."""
    return s.STATES[state][1]


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database with tables."""
    open_database(url, migrate=True).close()
    with closing(open_database(url)) as database:
        yield database


def put(transaction: Transaction, state: str, statement: str) -> None:
    """Let there be the row in this state, with what the statement asks of it."""
    row = {**_ROW, **ROWS[state], **ONLY.get(statement, {})}
    transaction.change("DELETE FROM invocations", {})
    transaction.change(
        f"INSERT INTO invocations ({', '.join(row)}) VALUES "
        f"({', '.join(f':{name}' for name in row)})",
        row,
    )


def state_now(transaction: Transaction) -> str:
    """The state of the row; it has exactly one."""
    found = [
        state
        for state in ROWS
        if transaction.find(f"SELECT id FROM invocations WHERE {condition(state)}", {}) is not None
    ]
    assert len(found) <= 1, found
    return found[0] if found else s.NONE


def execute(database: Database, transaction: Transaction, statement: str, **more: Any) -> int:
    """Execute a statement by its name; return how many rows it has changed."""
    module, _, name = statement.partition(".")
    sql = getattr(MODULES[module], name)
    if callable(sql):
        return len(sql(transaction, "default", [{**_VALUES, **more}]))
    sql = sql.replace("{ids}", ":id").replace("{now}", database.dialect.now)
    values = {**_VALUES, **GIVEN.get(statement, {}), **more}
    names = set(re.findall(r"(?<![:\w]):(\w+)", sql))
    return (
        transaction.change(sql, {name: values[name] for name in names})
        if "RETURNING" not in sql
        else len(transaction.execute(sql, {name: values[name] for name in names}))
    )


EXISTING = sorted({statement for (state, _), (_, statement) in s.TABLE.items() if state != s.NONE})


def outcomes(database: Database, transaction: Transaction, statement: str, state: str) -> set[str]:
    """Where a statement leads from a state, by what it may write; none if it changes nothing."""
    found = set()
    for status in ("succeeded",) if (state, statement) in DECIDED else ("succeeded", "in_doubt"):
        put(transaction, state, statement)
        assert state_now(transaction) == state
        changed = execute(
            database,
            transaction,
            statement,
            status=status,
            was="queued" if ROWS[state]["status"] == "queued" else "running",
        )
        assert changed or state_now(transaction) == state
        found |= {state_now(transaction)} if changed else set()
    return found


def test_statements_do_in_each_state_what_the_table_says(database_url: str) -> None:
    """Each changes the row in the states that the table has for it, and leads where that says; in
    others it changes nothing.
    """
    with opened(database_url) as database, database.write() as transaction:
        for statement, state in product(EXISTING, ROWS):
            expected = {
                after
                for (before, _), (after, name) in s.TABLE.items()
                if (before, name) == (state, statement)
            }
            found = outcomes(database, transaction, statement, state)
            assert (statement, state, found) == (statement, state, expected) or (
                state in ALSO.get(statement, ()) and not expected
            )
            assert found or state not in ALSO.get(statement, ())


def test_rows_begin_as_the_table_says(database_url: str) -> None:
    """Each by one INSERT."""
    assert {event for state, event in s.TABLE if state == s.NONE} == set(BEGINS)
    with opened(database_url) as database, database.write() as transaction:
        for event, values in BEGINS.items():
            after, statement = s.TABLE[s.NONE, event]
            transaction.change("DELETE FROM invocations", {})
            assert (event, execute(database, transaction, statement, key_held=0, **values)) == (
                event,
                1,
            )
            assert (event, state_now(transaction)) == (event, after)


def test_each_statement_that_writes_rows_of_calls_is_there() -> None:
    """A new one takes its place in the table."""
    known = {
        getattr(MODULES[name.partition(".")[0]], name.partition(".")[2])
        for _, name in s.TABLE.values()
        if not name.endswith("insert_queued")
    }
    writes = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM) invocations\b")
    found = {
        value
        for module in MODULES.values()
        for value in vars(module).values()
        if isinstance(value, str) and writes.match(value)
    }
    assert found <= known
    elsewhere = [
        path.name
        for path in (RUNTIME / "jackfield_store" / "jackfield_store").rglob("*.py")
        if path.stem not in MODULES and path.parent.name != "database"
        for node in nodes(path)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and writes.match(node.value)
    ]
    assert elsewhere == []


def test_each_state_has_its_pairs() -> None:
    """Each is left and reached, by a pair at least; none but the last word of a row is a dead
    end.
    """
    assert {state for state, _ in s.TABLE} == set(s.STATES)
    assert {after for after, _ in s.TABLE.values()} == set(s.STATES)
