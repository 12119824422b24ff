"""Callbacks for which many deliveries wait: what they cost the others, and what is done for all of
them at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_store.database import Transaction, open_database
from jackfield_store.database.outbox import record
from jackfield_store.resources.storage import Storage
from receiver import receiving

_FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, attempts, next_at, created_at)
SELECT 'default', :callback, 1000 + i, :callback || i, 'e', 'quota.low', 'pending', 1, :at + i % 3, 1 FROM n
"""
_LATER = 4e9
_DEAD = "http://127.0.0.1:9/"


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Callbacks of the operator."""
    open_database(database_url, migrate=True).close()
    with Storage(
        database_url, {**os.environ, "JACKFIELD_HOME": str(tmp_path)}, SystemClock()
    ) as storage:
        database, vault = storage.database, storage.vault
        callbacks = Callbacks(
            database, vault, "default", SystemClock(), Actor("library"), origin="operator"
        )
        yield SimpleNamespace(database=database, vault=vault, callbacks=callbacks)


def _add(place: SimpleNamespace, url: str, waiting: int = 0, at: float = 0.0) -> str:
    identifier: str = place.callbacks.create({"url": url, "types": ["quota.low"]}).callback.id
    if waiting:
        place.database.record(
            lambda transaction: transaction.change(
                _FILL, {"callback": identifier, "count": waiting, "at": at}
            )
        )
    return identifier


def _dispatcher(place: SimpleNamespace) -> Dispatcher:
    return Dispatcher(lambda: place.database, lambda: place.vault, SystemClock(), Sender())


def _rows_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many rows of deliveries statements change, from here on."""
    found = list[int]()

    def noted(run: Callable[..., int]) -> Callable[..., int]:
        def step(transaction: Transaction, sql: str, *values: Any) -> int:
            count = run(transaction, sql, *values)
            if "UPDATE deliveries" in sql:
                found.append(count)
            return count

        return step

    for name in ("change", "change_many"):
        monkeypatch.setattr(Transaction, name, noted(getattr(Transaction, name)))
    return found


def test_what_waits_is_made_due_in_short_commits(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback is resumed for which 1,200 deliveries wait for a later attempt, many until the
    same moment: all of them are due, and no statement has changed more than 500. Those of another
    callback wait on.
    """
    resumed, other = (_add(place, _DEAD, waiting, _LATER) for waiting in (1200, 2))
    place.callbacks.change(resumed, {"status": "paused"})
    sizes = _rows_at_once(monkeypatch)
    place.callbacks.change(resumed, {"status": "active"})
    assert sizes == [500, 500, 200]
    with place.database.read() as transaction:
        waits = transaction.execute(
            "SELECT DISTINCT callback FROM deliveries WHERE next_at >= :later", {"later": _LATER}
        )
    assert [row.callback for row in waits] == [other]


def test_a_success_after_a_minute_of_failures_makes_all_due(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver answers again: what waits for a later attempt is due at once, made so in short
    commits.
    """
    with receiving() as receiver:
        identifier = _add(place, receiver.url, 600, _LATER)
        with place.database.write() as transaction:
            transaction.change("UPDATE callbacks SET failing_since = 1")
            record(transaction, "default", "quota.low", "s", 1.0, {"number": 1})
        sizes, dispatcher = _rows_at_once(monkeypatch), _dispatcher(place)
        while place.callbacks.find(identifier).failing_since is not None or sum(sizes) < 600:
            dispatcher.turn()
        dispatcher.stop()
    assert max(sizes) <= 500
    with place.database.read() as transaction:
        assert (
            transaction.execute(
                "SELECT 1 AS one FROM deliveries WHERE state = 'pending' AND next_at >= :at",
                {"at": _LATER},
            )
            == []
        )


def test_a_new_process_claims_little_for_a_callback_that_fails(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that takes over knows from the database which callbacks fail: it tries one delivery
    to each, and claims no others.
    """
    _add(place, _DEAD, 200)
    with place.database.write() as transaction:
        transaction.change("UPDATE callbacks SET failing_since = 1")
    sizes, dispatcher = _rows_at_once(monkeypatch), _dispatcher(place)
    while not sizes:
        dispatcher.turn()
    dispatcher.stop()
    assert sizes[0] == 1


@pytest.mark.parametrize("analyzed", [False, True])
def test_deliveries_of_one_callback_cost_the_others_nothing(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, *, analyzed: bool
) -> None:
    """While 3,000 deliveries of one callback wait, what is due to another is found by an index that
    begins with the callback, with statistics of the table and without.
    """
    _add(place, _DEAD, 3000)
    _add(place, _DEAD, 3)
    if analyzed:
        with place.database.write() as transaction:
            transaction.execute("ANALYZE")
    explain, plans, execute = _explain(place), list[str](), Transaction.execute

    def explained(transaction: Transaction, sql: str, *values: Any) -> Any:
        if sql.lstrip().startswith("SELECT") and "FROM deliveries" in sql:
            plans.append(
                "\n".join(
                    str(list(row.as_dict().values()))
                    for row in execute(transaction, explain + sql, *values)
                )
            )
        return execute(transaction, sql, *values)

    with monkeypatch.context() as patched:
        patched.setattr(Transaction, "execute", explained)
        dispatcher = _dispatcher(place)
        for _ in range(3):
            dispatcher.turn()
        dispatcher.stop()
    found = [plan for plan in plans if "deliveries_ended" not in plan]
    assert found
    assert [
        plan
        for plan in found
        if "deliveries_due" not in plan
        or "Seq Scan on deliveries" in plan
        or "SCAN deliveries" in plan
    ] == []


def _explain(place: SimpleNamespace) -> str:
    return "EXPLAIN QUERY PLAN " if place.database.dialect.name == "sqlite" else "EXPLAIN "
