"""A Celery engine in the test's own process, with a connector that counts, waits and fails as its
inputs say.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield_store.database import open_database
from jackfield_store.journal import Journal
from jackfield_store.queue import Engine, open_engine
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import make_connector, plugged

_COUNTING = '''
"""Counts its calls in the test's process."""
import threading
from collections import Counter
from jackfield.connector import Connector, Field, Inputs, Output

CALLS = Counter()
BEGUN = threading.Semaphore(0)
GATE = threading.Event()

class Item(Inputs):
    """What to count."""
    name: str = Field(title="Name")
    wait: bool = Field(False, title="Wait")

class Done(Output):
    """Counted."""
    name: str

connector = Connector("counting", title="Counting", version="1.0.0")

@connector.action("count", effect="write")
def count(item: Item) -> Done:
    """Count one call."""
    CALLS[item.name] += 1
    BEGUN.release()
    if item.wait:
        assert GATE.wait(300)
    return Done(name=item.name)
'''


def published(channel: Any, message: Any, queue: str) -> None:
    """Publish a message of kombu, and wait until the broker has it: RabbitMQ may lose what it has
    not confirmed when the channel closes.
    """
    # Redis has taken it when this returns
    publish = getattr(channel, "basic_publish_confirm", channel.basic_publish)
    publish(message, exchange="", routing_key=queue)


class EngineStand:
    """A database, a broker and one engine. ``work`` starts the engine and runs a function beside
    it.
    """

    def __init__(self, folder: Path, database_url: str, queue_url: str, **more: str) -> None:
        open_database(database_url, migrate=True).close()
        self.queue_url = queue_url
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(folder),
            "JACKFIELD_DATABASE_URL": database_url,
            "JACKFIELD_QUEUE_URL": queue_url,
            **more,
        }
        self.runtimes = RuntimePool(environment)
        found = self.runtimes.find("default").journal
        assert found is not None
        self.journal: Journal = found
        counting = importlib.import_module("jackfield_counting")
        self.calls: Counter[str] = counting.CALLS
        self.begun: threading.Semaphore = counting.BEGUN
        self.gate: threading.Event = counting.GATE

    def queue(self, name: str, **more: Any) -> str:
        """Queue a call, and return its id."""
        inputs = {"name": name, **more.pop("inputs", {})}
        found = self.runtimes.find("default").enqueue(
            {"connector": "counting", "action": "count", "inputs": inputs, **more}
        )
        assert isinstance(found, str)
        return found

    def work(self, step: Callable[[Engine], Any], slots: int = 4, within: float = 60.0) -> Any:
        """Run an engine while ``step`` runs in a thread; then stop it."""

        async def run() -> Any:
            engine = open_engine(self.runtimes, slots)
            engine.start()
            try:
                return await asyncio.to_thread(step, engine)
            finally:
                await engine.stop(within)

        return asyncio.run(run())

    def ended(self, *ids: str, within: float = 30.0) -> list[Entry]:
        """Wait until invocations have ended, and return their entries."""
        return self.until(*ids, holds=lambda entry: not entry.is_open, within=within)

    def until(self, *ids: str, holds: Callable[[Entry], bool], within: float = 30.0) -> list[Entry]:
        """Wait until something holds of the entries of invocations."""
        deadline = time.monotonic() + within
        while True:
            entries = [self.journal.find(identifier) for identifier in ids]
            if all(map(holds, entries)):
                return entries
            assert time.monotonic() < deadline, [
                entry.to_json() for entry in entries if not holds(entry)
            ][:3]
            threading.Event().wait(0.01)


@contextmanager
def engine_stand(
    folder: Path, database_url: str, queue_url: str, **environment: str
) -> Iterator[EngineStand]:
    """Make the connector, and open the stand."""
    make_connector(folder / "plugs", "counting", _COUNTING)
    with plugged(folder / "plugs"):
        stand = EngineStand(folder, database_url, queue_url, **environment)
        try:
            yield stand
        finally:
            stand.gate.set()
            stand.runtimes.close()
