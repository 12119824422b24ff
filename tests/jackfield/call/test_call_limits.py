"""Limits of a workspace in the runtime itself: whoever calls it, in whichever way, over either
engine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gates import Gatekeeper
from http_stand import clean, say
from jackfield.invocation import Enqueued, Result
from jackfield.kernel.errors import LimitReached
from jackfield.pacing.turn import PostponedError
from jackfield_store.journal import Queue
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, make_echo, plugged
from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]
_KEEPER = '''
"""Returns files."""
from jackfield.connector import Connector, Field, Inputs, Output, OutputFile

class Ask(Inputs):
    """How much."""
    size: int = Field(1, title="Size")

class Kept(Output):
    """A file."""
    file: OutputFile

connector = Connector("keeper", title="Keeper", version="1.0.0")

@connector.action("fetch", effect="write")
def fetch(given: Ask) -> Kept:
    """Fetch a file."""
    return Kept(file=OutputFile(b"x" * given.size))
'''
FETCH: dict[str, Any] = {"connector": "keeper", "action": "fetch", "inputs": {"size": 100}}


@dataclass
class Place:
    """Two runtimes of one workspace in one process, as a server and a mounted surface have them."""

    one: Jackfield
    two: Jackfield

    def limit(self, **limits: float | None) -> None:
        """Set limits."""
        self.one.access.workspaces.set("default", {"limits": limits})

    @property
    def used(self) -> int:
        """Bytes of the workspace's files."""
        return self.one.files.table.usage("default")[1]


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    """A workspace whose connection is ``hall``."""
    make_connector(tmp_path / "more", "keeper", _KEEPER)
    environment = clean(tmp_path / "home", JACKFIELD_DATABASE_URL=database_url)
    with plugged(*make_echo(tmp_path / "plugs"), tmp_path / "more"):
        first = Jackfield(environment=environment)
        with (
            first,
            Jackfield(environment=environment, storage=first.storage, files=first.files) as second,
        ):
            first.storage.opened(migrate=True).close()
            first.connections.add("hall", "echo/token", {"token": "secret-4711"}, test=False)
            yield Place(first, second)


WAYS: dict[str, Callable[[Jackfield], Result]] = {
    "invoke": lambda jackfield: jackfield.invoke(say("say", "hall", text="x")),
    "ainvoke": lambda jackfield: asyncio.run(jackfield.ainvoke(say("say", "hall", text="x"))),
    "on time": lambda jackfield: jackfield.invoke(say("post", "hall", text="x"), on_time=True),
    "with a key": lambda jackfield: jackfield.invoke(
        {**say("post", "hall", text="x"), "idempotencyKey": "k"}
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_calls_of_all_runtimes_of_a_process_are_counted_together(place: Place, way: str) -> None:
    """A second runtime of the same workspace adds no second share; a refused call has no entry, and
    a later repeat succeeds.
    """
    place.limit(concurrent=1)
    with ThreadPoolExecutor(1) as pool:
        with Gatekeeper() as gate:
            first = pool.submit(
                place.one.invoke, say("say", "hall", text="first", gate={"port": gate.port})
            )
            gate.wait()
            result = WAYS[way](place.two)
            assert isinstance(result.error, LimitReached)
            assert (result.error.limit, result.error.code, result.error.retryable) == (
                "concurrent",
                "rate_limited",
                True,
            )
        assert first.result().status == "succeeded"
    assert WAYS[way](place.two).status == "succeeded"
    assert len(place.one.journal_of().entries()[0]) == 2


def test_a_limit_that_is_set_while_calls_run_counts_from_then_on(place: Place) -> None:
    """Calls that began without the limit take no place, and give none back that they have not
    taken.
    """
    with ThreadPoolExecutor(1) as pool:
        with Gatekeeper() as gate:
            first = pool.submit(
                place.one.invoke, say("say", "hall", text="first", gate={"port": gate.port})
            )
            gate.wait()
            place.limit(concurrent=1)
        assert first.result().status == "succeeded"
    assert [place.one.invoke(say("say", "hall", text="x")).status for _ in range(3)] == [
        "succeeded"
    ] * 3
    assert place.one.storage.limits.free("default", 0, 5) == 1


def test_a_queued_call_that_was_taken_goes_back_and_has_lost_nothing(place: Place) -> None:
    """A worker that has claimed one beyond the limit, as one on a broker does, gives it back for a
    second: it neither fails nor counts as a delivery.
    """
    identifier = place.one.enqueue(say("post", "hall", text="x"))
    assert isinstance(identifier, str)
    place.limit(concurrent=0)
    queue = Queue(place.one.storage.database)
    for _ in range(3):
        claimed = queue.claim_one("default", identifier)
        assert claimed is not None
        with pytest.raises(PostponedError) as postponed:
            place.one.run(claimed)
        assert queue.postpone(claimed, postponed.value.at - 60)
        entry = place.one.journal_of().find(identifier)
        assert (entry.status, entry.delivery) == ("queued", 0)
    place.limit(concurrent=1)
    claimed = queue.claim_one("default", identifier)
    assert claimed is not None
    assert place.one.run(claimed).status == "succeeded"


def test_a_worker_claims_no_more_than_may_run(place: Place) -> None:
    """Of many that wait, it takes as many as the limit leaves beside those that run here."""
    place.limit(concurrent=2)
    for _ in range(5):
        place.one.enqueue(say("post", "hall", text="x"))
    queue = Queue(place.one.storage.database, free=place.one.storage.limits.free)
    assert len(queue.claim(5)) == 2
    assert queue.claim(5, {"default": 2}) == []
    assert len(queue.claim(5, {"default": 1})) == 1


def test_the_library_is_refused_what_goes_beyond(place: Place) -> None:
    """Queued, stored, kept: the error names the limit; several are refused one by one."""
    place.limit(queued=2, connections=1, storageBytes=10)
    later = say("say", "hall", text="x")
    found = place.one.enqueue_many([later] * 4)
    assert [isinstance(item, Enqueued) for item in found] == [True, True, False, False]
    with pytest.raises(LimitReached, match="'queued' of 2"):
        place.one.enqueue(later)
    with pytest.raises(LimitReached, match="'connections' of 1"):
        place.one.connections.add("attic", "echo/token", {"token": "secret-4711"}, test=False)
    with pytest.raises(LimitReached, match="'storageBytes' of 10"):
        place.one.files.store("default", [b"x" * 11], "text/plain")
    assert place.used == 0


def test_what_a_call_returns_is_stored_and_counts(place: Place) -> None:
    """What has been carried out is no failure: its file is stored beyond the limit. The next call
    that would return one is refused before it begins, and a queued one waits.
    """
    place.limit(storageBytes=50)
    assert place.one.invoke(FETCH).status == "succeeded"
    assert place.used == 100
    refused = place.one.invoke(FETCH)
    assert isinstance(refused.error, LimitReached)
    assert refused.error.limit == "storageBytes"
    assert place.one.invoke(say("say", "hall", text="x")).status == "succeeded"
    identifier = place.one.enqueue(FETCH)
    assert isinstance(identifier, str)
    queue = Queue(place.one.storage.database)
    claimed = queue.claim_one("default", identifier)
    assert claimed is not None
    with pytest.raises(PostponedError):
        place.one.run(claimed)
    assert queue.postpone(claimed, 0.0)
    place.limit(storageBytes=1000)
    claimed = queue.claim_one("default", identifier)
    assert claimed is not None
    assert place.one.run(claimed).status == "succeeded"
    assert place.used == 200


def test_places_are_given_back_by_whoever_stops_waiting(place: Place) -> None:
    """A caller that is cancelled leaves the place of its call once that has ended."""
    place.limit(concurrent=1)

    async def left() -> None:
        with Gatekeeper() as gate:
            task = asyncio.ensure_future(
                place.one.ainvoke(say("say", "hall", text="x", gate={"port": gate.port}))
            )
            await asyncio.to_thread(gate.wait)
            task.cancel()
            await asyncio.wait([task])
        await place.one.drained(30)

    asyncio.run(left())
    assert place.one.invoke(say("say", "hall", text="x")).status == "succeeded"


def test_without_a_database_there_are_no_limits() -> None:
    """Nothing is asked, and nothing is opened."""
    limits = Storage("none", {}, Jackfield(database_url="none").clock).limits
    assert limits.most("default", "queued") is None


def test_many_threads_are_counted_exactly(place: Place) -> None:
    """However calls race, no more than the limit run, and all places are free afterwards."""
    place.limit(concurrent=3)
    gathered, most = threading.Barrier(12), []

    def call(_number: int) -> str:
        gathered.wait()
        result = place.one.invoke(say("say", "hall", text="x"))
        most.append(place.one.storage.limits.free("default", 0, 3))
        return result.status if result.error is None else result.error.code

    with ThreadPoolExecutor(12) as pool:
        found = set(pool.map(call, range(12)))
    assert found <= {"succeeded", "rate_limited"}
    assert min(most) >= 0
    assert place.one.storage.limits.free("default", 0, 100) == 3
