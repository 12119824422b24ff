"""A runtime that nobody closes and nobody refers to any more leaves nothing behind, and says that
it was not closed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from host_provider import Provider, request
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from waiting import until


def _calls(jackfield: Jackfield) -> None:
    jackfield.invoke(request()).unwrap()


def _calls_on_time(jackfield: Jackfield) -> None:
    jackfield.invoke(request(), on_time=True).unwrap()


def _awaits(jackfield: Jackfield) -> None:
    asyncio.run(jackfield.ainvoke(request())).unwrap()


def _fails(jackfield: Jackfield) -> None:
    jackfield.invoke({**request(), "action": "none"})


def _threads_and_descriptors() -> tuple[set[threading.Thread], int]:
    # again: a thread may just have renewed the lease of a runtime, and so have referred to it
    gc.collect()
    return {one for one in threading.enumerate() if one.name.startswith("jackfield")}, len(
        os.listdir("/proc/self/fd")
    )


_USES: list[Callable[[Jackfield], object]] = [
    _calls,
    _calls_on_time,
    _awaits,
    _fails,
    Jackfield.open,
    lambda jackfield: jackfield.connections.list(),
]


@pytest.mark.parametrize("use", _USES)
def test_a_dropped_runtime_leaves_nothing_behind(
    use: Callable[[Jackfield], object], provider: Provider, tmp_path: Path
) -> None:
    """Its threads end, its descriptors are closed, and a ``ResourceWarning`` names it; what it was
    told as succeeded is recorded.
    """
    url = f"sqlite:///{tmp_path / 'j.db'}"
    with Jackfield(connections=[provider.connection()], database_url=url) as first:
        use(first)
    gc.collect()
    before = _threads_and_descriptors()[0]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(5):
            dropped = Jackfield(connections=[provider.connection()], database_url=url)
            use(dropped)
            del dropped
            gc.collect()
        # one of another test's may end meanwhile
        until(lambda: _threads_and_descriptors()[0] <= before)
    assert sum("unclosed <Jackfield" in str(one.message) for one in found) == 5
    with Jackfield(database_url=url) as reader:
        assert reader.journal is not None
        assert {entry.status for entry in reader.journal.entries()[0]} <= {"succeeded", "failed"}


def test_descriptors_of_dropped_runtimes_are_closed(provider: Provider, tmp_path: Path) -> None:
    """The number of open descriptors does not grow with the number of runtimes that were
    dropped.
    """
    url = f"sqlite:///{tmp_path / 'j.db'}"
    with Jackfield(connections=[provider.connection()], database_url=url) as first:
        first.invoke(request()).unwrap()
    before = _threads_and_descriptors()[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(10):
            Jackfield(connections=[provider.connection()], database_url=url).invoke(
                request()
            ).unwrap()
            gc.collect()
        # the provider's end of a connection may close a moment later
        until(lambda: _threads_and_descriptors()[1] <= before + 2)


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.campaign)])
def test_many_dropped_runtimes_leave_nothing(
    count: int, provider: Provider, database_url: str
) -> None:
    """As many as are made, used and dropped: no thread, no descriptor, at most 5 MB."""
    words = [
        sys.executable,
        str(Path(__file__).with_name("dropping.py")),
        provider.url,
        database_url,
        str(count),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=1800)
    found = json.loads(done.stdout)
    assert (found["threads"], found["descriptors"]) == (0, 0)
    assert found["megabytes"] <= 5


def _streams(jackfield: Jackfield) -> None:
    stream = jackfield.stream(request())
    assert list(stream) == []
    stream.result.unwrap()


def _queues(jackfield: Jackfield) -> None:
    identifier = jackfield.enqueue(request())
    assert isinstance(identifier, str)
    assert jackfield.cancel(identifier)
    assert jackfield.wait(identifier).status == "failed"


def _queues_many(jackfield: Jackfield) -> None:
    assert len(jackfield.enqueue_many([request(), request()])) == 2


def _stores(jackfield: Jackfield) -> None:
    shown = jackfield.connections.add(
        "n", "http/bearer", {"server": "http://127.0.0.1:9", "token": "t"}, test=False
    )
    assert shown["name"] == "n"
    assert jackfield.invoke({**request(), "connection": "n"}).status == "failed"


def _fails_keyed(jackfield: Jackfield) -> None:
    for _ in range(2):
        jackfield.invoke(request(idempotencyKey="k")).unwrap()


_MORE: list[Callable[[Jackfield], object]] = [
    _streams,
    _queues,
    _queues_many,
    _stores,
    _fails_keyed,
    lambda jackfield: jackfield.invoke(request(method="GET")).unwrap(),
    lambda jackfield: jackfield.invoke(request(dryRun=True)).unwrap(),
    lambda jackfield: jackfield.journal_of().entries(),
    lambda jackfield: list(jackfield.events()),
    lambda jackfield: jackfield.test("m"),
    lambda jackfield: jackfield.lend("m").client(),
    lambda jackfield: jackfield.diagnose("m"),
    lambda jackfield: jackfield.prepare(request()),
]


@pytest.mark.parametrize("use", [*_USES, *_MORE])
def test_a_dropped_runtime_waits_for_no_collector(
    use: Callable[[Jackfield], object], provider: Provider, tmp_path: Path
) -> None:
    """It is in no cycle of references: it, its storage and its database are freed with their last
    references, while no collector runs. The database is closed then. Else as many would be there at
    once as are made between two collections.
    """
    url = f"sqlite:///{tmp_path / 'j.db'}"
    before = _threads_and_descriptors()[0]
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            dropped = Jackfield(connections=[provider.connection()], database_url=url)
            use(dropped)
            left: list[ref[Any]] = [
                ref(dropped),
                ref(dropped.storage),
                ref(dropped.storage.database),
                ref(dropped.open_connections),
            ]
            del dropped
            # what waits for its commit has it, and a thread has closed the database
            until(lambda: all(one() is None for one in left))
        until(
            lambda: (
                {one for one in threading.enumerate() if one.name.startswith("jackfield")} <= before
            )
        )
    finally:
        gc.enable()
    with open_database(url) as database:
        row = database.look_up("SELECT COUNT(*) AS known FROM instances", {})
    assert row is not None
    assert row.known == 0  # its lease has ended with it


def test_what_a_dropped_runtime_has_given_lives_on(provider: Provider, tmp_path: Path) -> None:
    """Its journal, its connections, its database, and a call that runs in a loop keep the database
    open, but not the runtime.
    """
    url = f"sqlite:///{tmp_path / 'j.db'}"

    def made() -> Jackfield:
        return Jackfield(connections=[provider.connection()], database_url=url)

    async def begun() -> str:
        task = made().begin(request("/slow"))
        assert await asyncio.to_thread(provider.came.wait, 30)
        provider.go.set()
        return (await task).status

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        assert asyncio.run(begun()) == "succeeded"
        assert [one["name"] for one in made().connections.list().items] == ["m"]
        # the first one's database closes
        until(lambda: [entry.status for entry in made().journal_of().entries()[0]] == ["succeeded"])
        database = made().storage.database
        gc.collect()
        assert (
            database.record(lambda transaction: transaction.execute("SELECT 1 AS one")[0].one) == 1
        )


def test_a_closed_runtime_warns_of_nothing(provider: Provider, tmp_path: Path) -> None:
    """Neither one that was closed, nor one that has opened no database, warns."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)
        for url in (f"sqlite:///{tmp_path / 'j.db'}", "none"):
            closed = Jackfield(connections=[provider.connection()], database_url=url)
            closed.invoke(request()).unwrap()
            closed.close()
            del closed
        Jackfield(database_url=f"sqlite:///{tmp_path / 'k.db'}")
        gc.collect()
    assert [one for one in found if "Jackfield" in str(one.message)] == []
