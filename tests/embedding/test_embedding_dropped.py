"""A runtime that nobody closes and nobody refers to any more leaves nothing behind, and says that it was not closed."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from host_provider import Provider, request
from jackfield import Jackfield
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
    gc.collect()  # again: a thread may just have renewed the lease of a runtime, and so have referred to it
    return {one for one in threading.enumerate() if one.name.startswith("jackfield")}, len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("use", [_calls, _calls_on_time, _awaits, _fails, Jackfield.open, lambda jackfield: jackfield.connections.list()])
def test_a_dropped_runtime_leaves_nothing_behind(use: Callable[[Jackfield], object], provider: Provider, tmp_path: Path) -> None:
    """Its threads end, its descriptors are closed, and a ``ResourceWarning`` names it; what it was told as succeeded is recorded."""
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
        until(lambda: _threads_and_descriptors()[0] <= before)  # one of another test's may end meanwhile
    assert sum("unclosed <Jackfield" in str(one.message) for one in found) == 5
    with Jackfield(database_url=url) as reader:
        assert reader.journal is not None
        assert {entry.status for entry in reader.journal.entries()[0]} <= {"succeeded", "failed"}


def test_descriptors_of_dropped_runtimes_are_closed(provider: Provider, tmp_path: Path) -> None:
    """The number of open descriptors does not grow with the number of runtimes that were dropped."""
    url = f"sqlite:///{tmp_path / 'j.db'}"
    with Jackfield(connections=[provider.connection()], database_url=url) as first:
        first.invoke(request()).unwrap()
    before = _threads_and_descriptors()[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(10):
            Jackfield(connections=[provider.connection()], database_url=url).invoke(request()).unwrap()
            gc.collect()
        until(lambda: _threads_and_descriptors()[1] <= before + 2)  # the provider's end of a connection may close a moment later


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
