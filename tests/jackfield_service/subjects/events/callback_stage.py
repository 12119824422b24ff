"""A runtime with callbacks of the operator and a dispatcher, whose time is moved by hand, and a
receiver.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fake_aws import FakeAws
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.callbacks import Callbacks, Created
from jackfield_service.subjects.callbacks.deliveries import Deliveries, Delivery
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.events import Event
from jackfield_store.database import open_database
from jackfield_store.database.outbox import record
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from nursery import connection
from receiver import Receiver, receiving


class Place(SimpleNamespace):
    """A runtime with callbacks and a dispatcher, whose time is moved by hand."""

    def add(self, url: str, **given: Any) -> Created:
        """Make a callback."""
        created: Created = self.callbacks.create({"url": url, **given})
        return created

    def happens(self, kind: str = "quota.low", subject: str = "s", count: int = 1) -> None:
        """Record events."""

        def unit(transaction: Any) -> None:
            for number in range(count):
                record(transaction, "default", kind, subject, self.time(), {"number": number})

        self.database.record(unit)

    def time(self) -> float:
        """Return the time of the dispatcher."""
        return time.time() + float(self.ahead)

    def later(self, seconds: float) -> None:
        """Let time pass, and dispatch what is due."""
        self.ahead += seconds
        self.dispatch()

    def dispatch(self) -> None:
        """Dispatch until nothing is due."""
        for _ in range(200):
            self.dispatcher._reload_at = 0.0
            for lane in self.dispatcher._lanes.values():
                lane.due_at = lane.rests_until = 0.0
            self.dispatcher.turn()
            while self.dispatcher._batches:
                threading.Event().wait(0.002)
            with self.database.read():
                pass  # what was put off is committed
            due = any(lane.due_at <= time.monotonic() for lane in self.dispatcher._lanes.values())
            if not due and not self.dispatcher._numbering.waiting():
                return
        raise AssertionError("there is always more to do")

    def all(self, **wanted: Any) -> list[Delivery]:
        """Return the deliveries, the oldest first."""
        found: list[Delivery] = self.deliveries.page(**wanted, limit=200)[0][::-1]
        return found

    def told(self, *types: str) -> list[Event]:
        """Return the events of some types."""
        return list(self.jackfield.events(types=types))


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    """Callbacks of the operator."""
    open_database(database_url, migrate=True).close()
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield,
    ):
        database, vault = jackfield.storage.database, jackfield.storage.vault
        made = Place(
            jackfield=jackfield,
            journal=jackfield.journal,
            database=database,
            vault=vault,
            queue=Queue(database),
            ahead=0.0,
        )
        clock = SimpleNamespace(time=made.time, monotonic=lambda: time.monotonic() + made.ahead)
        made.deliveries = Deliveries(database, vault, "default", clock)
        made.callbacks = Callbacks(
            database, vault, "default", clock, Actor("cli", "ada"), origin="operator"
        )
        made.dispatcher = Dispatcher(
            lambda: database, lambda: vault, SystemClock(), Sender(), made.time
        )
        yield made
        made.dispatcher.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    with receiving() as made:
        yield made
