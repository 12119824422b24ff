"""Retention of events and deliveries, on SQLite and PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.events import CursorExpired, Feed
from jackfield_service.subjects.events.counts import count_deliveries
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_service.subjects.events.retention import DELIVERED_KEPT, KEPT, Retention
from jackfield_service.subjects.tenants import purge
from jackfield_store.database.outbox import record
from jackfield_store.resources.storage import Storage

LONG = 60.0


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A database, and the feed of its workspace ``default``."""
    with Storage(database_url, {"JACKFIELD_HOME": str(tmp_path)}, SystemClock()) as storage:
        storage.opened(migrate=True).close()
        database = storage.database
        yield SimpleNamespace(
            database=database,
            vault=storage.vault,
            feed=Feed(database, storage.vault, "default"),
            now=time.time(),
        )


def happened(place: SimpleNamespace, *ages: float) -> None:
    """Record and number events of some ages."""

    def unit(transaction: Any) -> None:
        for age in ages:
            record(transaction, "default", "quota.low", "s", place.now - age, {"text": "x" * 100})

    place.database.record(unit)
    place.feed.page()


def test_old_events_are_deleted(place: SimpleNamespace) -> None:
    """Those past the retention; a cursor before them is refused, and numbers go on where they
    were.
    """
    happened(place, *[KEPT + 10] * 600, *[KEPT - 10] * 3)
    assert Retention(place.database).run(place.now, time.monotonic() + LONG) is False
    assert [event.sequence for event in place.feed.page().events] == [601, 602, 603]
    with pytest.raises(CursorExpired):
        place.feed.page("599")
    assert Retention(place.database).run(place.now + KEPT, time.monotonic() + LONG) is False
    assert place.feed.page().events == ()
    happened(place, 0)
    assert [event.sequence for event in place.feed.page().events] == [604]


def test_a_workspace_has_a_limit_in_bytes(place: SimpleNamespace) -> None:
    """Beyond it the oldest are deleted, however young they are."""
    happened(place, *[0] * 400)
    Retention(place.database, largest=20_000).run(place.now, time.monotonic() + LONG)
    with place.database.read() as transaction:
        kept = transaction.execute(
            "SELECT SUM(LENGTH(data)) AS size, MIN(sequence) AS first FROM events"
        )[0]
        head = transaction.execute("SELECT size, purged, last FROM event_heads")[0]
    assert 19_000 < kept.size <= 20_000
    assert (head.size, head.purged, head.last) == (kept.size, kept.first - 1, 400)


def test_it_goes_on_in_short_steps(place: SimpleNamespace) -> None:
    """A run that has no time left says that there is more."""
    happened(place, *[KEPT + 10] * 600)
    assert Retention(place.database).run(place.now, 0.0) is True
    assert place.feed.page().events[0].sequence == 251


def test_deliveries_that_ended_are_deleted(place: SimpleNamespace) -> None:
    """Delivered ones after a week, dead ones with their events, pending ones never."""
    rows = [
        ("delivered", DELIVERED_KEPT + 1),
        ("delivered", DELIVERED_KEPT - 1),
        ("dead", DELIVERED_KEPT + 1),
        ("dead", KEPT + 1),
        ("pending", None),
    ]
    statement = """
        INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, next_at, ended_at, created_at)
        VALUES ('default', 'cb', :number, :id, 'e', 't', :state, 0, :ended_at, 0)
    """
    for number, (state, age) in enumerate(rows):
        values = {
            "number": number,
            "id": str(number),
            "state": state,
            "ended_at": None if age is None else place.now - age,
        }
        place.database.record(
            lambda transaction, values=values: transaction.change(statement, values)
        )
    Retention(place.database).run(place.now, time.monotonic() + LONG)
    with place.database.read() as transaction:
        assert [
            row.sequence
            for row in transaction.execute("SELECT sequence FROM deliveries ORDER BY sequence")
        ] == [1, 2, 4]


def test_a_server_does_it_without_callbacks(place: SimpleNamespace) -> None:
    """The dispatcher numbers what nobody reads, and deletes what is old."""
    happened(place, KEPT + 10)
    place.database.record(
        lambda transaction: record(transaction, "default", "quota.low", "s", place.now, {})
    )
    dispatcher = Dispatcher(
        lambda: place.database,
        lambda: place.vault,
        SystemClock(),
        Sender(),
        lambda: float(place.now),
    )
    dispatcher.turn()
    with place.database.read() as transaction:
        assert transaction.execute("SELECT id FROM outbox") == []
        assert [row.sequence for row in transaction.execute("SELECT sequence FROM events")] == [2]


def test_a_purged_workspace_leaves_no_events(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the outbox nor numbered, although a server records and numbers them while they are
    deleted; nor are deliveries counted that were in flight.
    """
    numbering, delete = Numbering(place.database, place.vault), purge._delete
    left = ["outbox", "subscriptions", "outbox"]

    def interrupted(
        database: Any, table: str, key: tuple[str, ...], workspace: str, *where: str
    ) -> int:
        if left and table == left[0]:
            left.pop(0)
            database.record(
                lambda transaction: record(transaction, "acme", "quota.low", "s", place.now, {})
            )
            if table == "outbox":
                numbering.run(workspace)
        return delete(database, table, key, workspace, *where)

    monkeypatch.setattr(purge, "_delete", interrupted)
    purge.purge(place, SimpleNamespace(), "acme", SystemClock(), Actor("library"))  # type: ignore[arg-type]
    place.database.record(
        lambda transaction: count_deliveries(transaction, [{"source": "acme", "now": place.now}])
    )
    with place.database.read() as transaction:
        for table in ("outbox", "events", "event_heads", "event_counts"):
            assert transaction.execute(f"SELECT * FROM {table} WHERE workspace = 'acme'") == []
