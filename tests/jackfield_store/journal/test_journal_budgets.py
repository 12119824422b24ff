"""Budgets of queued invocations: per workspace and per connection, shared by all processes, and no
burst after a restart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

import pytest

from fake_aws import FakeAws
from jackfield_store.database import Database, open_database
from jackfield_store.journal import Queue
from jackfield_store.journal.budgets import Limit, QueueLimits
from jackfield_store.runtime import Jackfield
from nursery import connection, mail

SCRIPTED = "(SELECT at FROM scripted_clock)"


@pytest.fixture
def place(database_url: str) -> Iterator[SimpleNamespace]:
    """A database whose clock the test sets (``at``), runtimes that queue, and queues of several
    processes under ``limits``.
    """
    open_database(database_url, migrate=True).close()
    with FakeAws() as aws:
        connections = [connection(aws.url), {"other-ses": connection(aws.url)["acme-ses"]}]
        with Jackfield(connections=connections, database_url=database_url) as jackfield:
            database = jackfield.storage.database
            with database.write() as transaction:
                transaction.change("CREATE TABLE scripted_clock (at DOUBLE PRECISION NOT NULL)")
                transaction.change("INSERT INTO scripted_clock VALUES (1000)")
            limits: dict[str, QueueLimits] = {}
            with mock.patch.object(type(database.dialect), "now", SCRIPTED):
                queues = [Queue(database, limits=limits.get) for _ in range(3)]
                yield SimpleNamespace(
                    jackfield=jackfield, database=database, limits=limits, queues=queues
                )


def at(database: Database, seconds: float) -> None:
    """Set the database's clock."""
    with database.write() as transaction:
        transaction.change("UPDATE scripted_clock SET at = :at", {"at": 1000.0 + seconds})


def fill(place: SimpleNamespace, count: int, **more: object) -> None:
    """Queue many invocations."""
    found = place.jackfield.enqueue_many(
        [
            {**mail(f"order-{number}"), "idempotencyKey": f"{more}-{number}", **more}
            for number in range(count)
        ]
    )
    assert all(item.to_json()["status"] == "queued" for item in found)


def test_a_rate_holds_over_processes_and_restarts(place: SimpleNamespace) -> None:
    """Ten a second over 15 s, three workers that poll in turn, one of which starts anew each
    second: 150 within 5 %.
    """
    fill(place, 200)
    place.limits["default"] = QueueLimits(Limit(rate=10))
    begun = 0
    for tick in range(15 * 12):
        at(place.database, tick / 12)
        worker = tick % 3
        if tick % 12 == 0:
            place.queues[worker] = Queue(place.database, limits=place.limits.get)
        begun += len(place.queues[worker].claim(16))
    assert 143 <= begun <= 157


def test_a_pause_earns_no_burst(place: SimpleNamespace) -> None:
    """After an hour without work, a bucket holds what half a second earns."""
    fill(place, 50)
    place.limits["default"] = QueueLimits(Limit(rate=10))
    assert len(place.queues[0].claim(16)) == 1
    at(place.database, 3600)
    assert len(place.queues[0].claim(16)) == 5
    assert place.queues[1].claim(16) == []


def test_a_clock_set_back_stops_no_budget(place: SimpleNamespace) -> None:
    """A bucket that was charged an hour ahead earns from the moment that the clock is set back, not
    only an hour later.
    """
    fill(place, 100)
    place.limits["default"] = QueueLimits(Limit(rate=10), {"*": Limit(rate=10)})
    for second in (3600, 3601):
        at(place.database, second)
        while place.queues[0].claim(16):
            pass
    begun = 0
    for tick in range(8):
        at(place.database, tick / 4)
        begun += len(place.queues[tick % 3].claim(16))
    assert 15 <= begun <= 20


def test_a_throttled_connection_holds_up_no_other(place: SimpleNamespace) -> None:
    """A connection's budget is its own: invocations over another one, queued later, are begun at
    once.
    """
    fill(place, 30)
    fill(place, 5, connection="other-ses")
    place.limits["default"] = QueueLimits(connections={"acme-ses": Limit(rate=2)})
    claimed = place.queues[0].claim(16)
    with place.database.read() as transaction:
        names = {
            row.id: row.connection
            for row in transaction.execute("SELECT id, connection FROM invocations")
        }
    assert Counter(names[item.id] for item in claimed) == {"acme-ses": 1, "other-ses": 5}


def test_concurrency_is_counted_over_processes(place: SimpleNamespace) -> None:
    """No more are claimed than the budget has places for; one that returns makes room for one."""
    fill(place, 20)
    place.limits["default"] = QueueLimits(Limit(concurrency=3), {"*": Limit(concurrency=2)})
    first = place.queues[0].claim(16)
    assert len(first) == 2
    assert place.queues[1].claim(16) == []
    assert place.queues[0].give_back(first[0])
    assert len(place.queues[1].claim(16)) == 1


def test_priorities_decide_within_a_workspace(place: SimpleNamespace) -> None:
    """The highest first, then the oldest; the default is 5."""
    ids = [
        place.jackfield.enqueue({**mail(f"p-{number}"), **more})
        for number, more in enumerate(({}, {"priority": 0}, {"priority": 9}, {}))
    ]
    claimed = [item.id for number in (3, 16) for item in place.queues[0].claim(number)]
    assert claimed == [ids[2], ids[0], ids[3], ids[1]]


@pytest.mark.parametrize(
    "members",
    [
        {"notBefore": "2026-01-31T08:30:00Z"},
        {"notAfter": "2026-01-31T08:30:00+01:00"},
        {"notAfter": "tomorrow"},
        {"notBefore": 5},
        {"notBefore": "2026-01-31T08:30:00Z", "notAfter": "2026-01-31T08:30:00Z"},
        {"notAfter": "2026-13-31T08:30:00Z"},
    ],
)
def test_v8_moments_are_for_the_queue(members: dict[str, object]) -> None:
    """Without the queue, or where they are no moments, both are refused with their pointer."""
    with Jackfield(
        connections=[connection("http://127.0.0.1:9")], database_url="sqlite://"
    ) as jackfield:
        error = jackfield.invoke({**mail("order-1"), **members}).error
    assert error is not None
    assert error.code == "invalid_invocation"
    assert error.details[-1].path.removeprefix("/") in members
