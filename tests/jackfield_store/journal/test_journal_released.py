"""Claims of single invocations, as a message of a broker names them, and the fair order that
decides what is released to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from fake_aws import FakeAws
from jackfield.kernel.clock import SystemClock
from jackfield_celery.outbox import Outbox
from jackfield_store.database import open_database
from jackfield_store.journal import Queue, leadership
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.runtime_pool import RuntimePool
from nursery import connection, mail


@pytest.fixture
def place(database_url: str) -> Iterator[SimpleNamespace]:
    """A database with a function that queues one invocation and returns its id."""
    open_database(database_url, migrate=True).close()
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield,
    ):
        queue = Queue(jackfield.storage.database)
        database = jackfield.storage.database
        yield SimpleNamespace(
            jackfield=jackfield,
            url=database_url,
            database=database,
            queue=queue,
            outbox=Outbox(database, SystemClock()),
            queued=lambda key: jackfield.enqueue(mail(key)),
        )


def test_an_invocation_is_claimed_by_its_id_once(place: SimpleNamespace) -> None:
    """The second message that names an invocation finds nothing to claim, nor does one that names
    no invocation.
    """
    identifier = place.queued("order-1")
    claimed = place.queue.claim_one("default", identifier)
    assert claimed is not None
    assert (claimed.id, claimed.delivery) == (identifier, 1)
    assert place.queue.claim_one("default", identifier) is None
    assert place.queue.claim_one("default", "unknown") is None
    assert place.queue.give_back(claimed)
    again = place.queue.claim_one("default", identifier)
    assert again is not None
    assert (again.delivery, again.sealed) == (2, claimed.sealed)


def test_what_is_not_due_is_claimed_only_once_it_is_released(place: SimpleNamespace) -> None:
    """A late message does not begin a postponed invocation; one that was released is due, whatever
    this process's clock says.
    """
    identifier = place.queued("order-1")
    claimed = place.queue.claim_one("default", identifier)
    place.queue.postpone(claimed, 4e9)
    assert place.queue.claim_one("default", identifier) is None
    place.outbox.mark([("default", identifier)])
    assert place.queue.claim_one("default", identifier) is not None


def test_a_release_is_made_once_and_ends_with_the_claim(place: SimpleNamespace) -> None:
    """Released invocations are left out of the next release, and go through it again once they
    return to the queue.
    """
    ids = [place.queued(f"order-{number}") for number in range(3)]

    def due() -> list[str]:
        return [identifier for _, identifier in place.outbox.due(10)]

    assert due() == ids
    place.outbox.mark([("default", identifier) for identifier in ids[:2]])
    assert (due(), place.outbox.released()) == (ids[2:], 2)
    claimed = place.queue.claim_one("default", ids[0])
    assert claimed is not None
    assert not place.outbox.recall_one(("default", ids[0]))
    place.queue.give_back(claimed)
    assert due() == [ids[0], ids[2]]
    assert place.outbox.recall(60.0) == 0
    assert place.outbox.recall(-60.0) == 1
    assert due() == ids


def test_one_process_leads_until_it_resigns_or_stops_renewing(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process leads only once the first has resigned, or has not renewed its lease for as
    long as it lasts by the database's clock.
    """
    monkeypatch.setattr(leadership, "LEAD", 600.0)
    with open_database(place.url) as database:
        other = Outbox(database, SystemClock())
        assert place.outbox.lead()
        assert place.outbox.lead()
        assert not other.lead()
        place.outbox.resign()
        assert other.lead()
        assert not place.outbox.lead()
        place.database.record(
            lambda transaction: transaction.change(
                "UPDATE dispatchers SET held_until = held_until - 1200", {}
            )
        )
        assert place.outbox.lead()


_LEADS = """
import os, sys
from jackfield.kernel.clock import SystemClock
from jackfield_store.database import open_database
from jackfield_celery.outbox import Outbox
assert Outbox(open_database(sys.argv[1]), SystemClock()).lead()
os._exit(0)
"""


def test_a_leader_that_died_on_this_machine_is_replaced_at_once(place: SimpleNamespace) -> None:
    """Its lease need not expire: nothing is handed over meanwhile, and budgets would not be used. A
    leader that lives keeps the lease.
    """
    runtimes = RuntimePool({**os.environ, "JACKFIELD_DATABASE_URL": place.url})
    outbox = Outbox(place.database, SystemClock(), lost=runtimes.has_lost)
    with open_database(place.url) as database:
        other = Outbox(database, SystemClock())
        assert other.lead()
        assert not outbox.lead()
        other.resign()
    subprocess.run([sys.executable, "-c", _LEADS, place.url], check=True)
    assert outbox.lead()
    runtimes.close()


def test_a_clock_set_back_keeps_nothing_waiting(place: SimpleNamespace) -> None:
    """A lease, or a release, from an hour ahead would last an hour: another process leads, and the
    release is repeated.
    """
    identifier = place.queued("order-1")
    place.outbox.mark([("default", identifier)])
    assert place.outbox.lead()
    for statement in (
        "UPDATE dispatchers SET held_until = held_until + 3600",
        "UPDATE invocations SET released_at = released_at + 3600",
    ):
        place.database.record(lambda transaction, text=statement: transaction.change(text, {}))
    with open_database(place.url) as database:
        assert Outbox(database, SystemClock()).lead()
    assert place.outbox.recall(60.0) == 1


def test_a_key_that_is_queued_is_queued_once(place: SimpleNamespace) -> None:
    """The key again gets a Result of the same ID that has not ended, and can be waited for; once it
    has ended, its Result.
    """
    first = place.queued("once")
    again = place.queued("once")
    assert (again.meta.invocation_id, again.status, again.meta.replayed, again.exit_code) == (
        first,
        "queued",
        True,
        0,
    )
    assert again.wait(0).status == "queued"
    (claimed,) = place.queue.claim(10)
    assert place.jackfield.run(claimed).status == "succeeded"
    for ended in (again.wait(30), place.queued("once")):
        assert (ended.status, ended.meta.invocation_id) == ("succeeded", first)
