"""Turns at long computations: one at a time in a process, so that its event loop competes with one
thread.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from forking import alone, fork
from http_stand import standing
from jackfield import Jackfield
from jackfield.invocation import decode
from jackfield.schema import CompiledSchema
from jackfield_service.shell.requests import body
from jackfield_store.resources.turns import Turns
from plugboard import make_connector, plugged

_SOURCE = '''
from jackfield.connector import Connector, Inputs, Output

connector = Connector("lists", title="Lists", version="1.0.0", connections=[])

class Wanted(Inputs):
    """Many tags."""

    tags: list[str]

class Found(Output):
    """As many tags."""

    tags: list[str]

@connector.action("echo", effect="read", needs_connection=False)
def echo(wanted: Wanted) -> Found:
    """Return the tags."""
    return Found(tags=wanted.tags)
'''
_MEETING = 0.3
"""Seconds for which a computation waits for another one to run beside it: where they take turns, it
waits in vain.
"""


class _Meeting:
    """Wraps a function, and notes whether two calls of it ever run at the same time."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._barrier = threading.Barrier(2)
        self.calls, self.has_met = 0, False

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Wait for a second call, then make this one."""
        self.calls += 1
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(_MEETING)
            self.has_met = True
        self._barrier.reset()
        return self._function(*arguments, **options)


@pytest.fixture(name="turns")
def _turns() -> Turns:
    return Turns()


@pytest.fixture(name="runtime")
def _runtime(tmp_path: Path, turns: Turns) -> Iterator[Jackfield]:
    make_connector(tmp_path / "plugs", "lists", _SOURCE)
    with plugged(tmp_path / "plugs"):
        environment = {"JACKFIELD_HOME": str(tmp_path / "home"), "JACKFIELD_DATABASE_URL": "none"}
        runtime = Jackfield(environment=environment, turns=turns)
        # loads the connector and compiles its schemas
        assert runtime.invoke(_asked(1)).status == "succeeded"
        yield runtime


def _asked(tags: int) -> Mapping[str, Any]:
    return {"connector": "lists", "action": "echo", "inputs": {"tags": ["x"] * tags}}


def _meeting(monkeypatch: pytest.MonkeyPatch, name: str) -> _Meeting:
    meeting = _Meeting(getattr(CompiledSchema, name))

    def call(*given: Any, **options: Any) -> Any:
        return meeting(*given, **options)

    monkeypatch.setattr(CompiledSchema, name, call)
    return meeting


@pytest.mark.parametrize("stage", ["check", "judge"])
def test_i23_large_values_of_several_callers_are_judged_one_after_the_other(
    runtime: Jackfield, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Four callers send 1 MiB at once: their threads shared Python's lock with the event loop,
    whose probes took 0.5 s.
    """
    meeting = _meeting(monkeypatch, stage)

    async def together() -> list[str]:
        found = await asyncio.gather(*(runtime.ainvoke(_asked(20_000)) for _ in range(3)))
        return [result.status for result in found]

    assert asyncio.run(together()) == ["succeeded"] * 3
    assert (meeting.calls, meeting.has_met) == (3, False)


def test_i23_large_values_in_a_servers_threads_take_turns_too(
    runtime: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server runs an invocation with a large body in a thread: it waits for its turn like those
    of an event loop.
    """
    meeting = _meeting(monkeypatch, "check")
    with ThreadPoolExecutor(3) as callers:
        found = [
            *callers.map(lambda _: runtime.invoke(_asked(20_000), on_time=True).status, range(3))
        ]
    assert found == ["succeeded"] * 3
    assert (meeting.calls, meeting.has_met) == (3, False)


def test_i23_large_bodies_are_decoded_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several callers send large bodies to a server: it decodes them in turn, and answers all."""
    meeting = _Meeting(decode)
    with standing(tmp_path) as stand, ThreadPoolExecutor(3) as callers:
        client = stand.client()
        monkeypatch.setattr(body, "decode", meeting)
        answers = [
            *callers.map(lambda _: client.invoke("say", text="x" * (1 << 19)).status, range(3))
        ]
    assert answers == [200] * 3
    assert (meeting.calls, meeting.has_met) == (3, False)


def test_i23_a_call_whose_turn_does_not_come_in_time_says_that_nothing_was_sent(
    runtime: Jackfield, turns: Turns
) -> None:
    """A long computation of another call lasts beyond the deadline of one that waits for its turn:
    it has not begun.
    """
    with turns.turn("other"):
        result = runtime.invoke({**_asked(20_000), "timeoutSeconds": 0.2}, on_time=True)
    assert result.error is not None
    assert (result.error.code, result.meta.attempts) == ("timeout", 0)
    assert "before anything was sent" in result.error.message
    assert runtime.invoke(_asked(20_000), on_time=True).status == "succeeded"


def _in_line(turns: Turns) -> int:
    return sum(map(len, turns._lines.values()))


def test_i23_workspaces_take_turns() -> None:
    """One workspace has ten long computations in line, then another one comes: it waits for one of
    them, not for ten.
    """
    turns, order = Turns(), list[str]()

    def compute(workspace: str) -> None:
        with turns.turn(workspace):
            order.append(workspace)

    with ThreadPoolExecutor(12) as threads:
        with turns.turn("busy"):
            for number, workspace in enumerate([*["busy"] * 10, "other"], 1):
                threads.submit(compute, workspace)
                while _in_line(turns) < number:
                    pass
        threads.shutdown()
    assert order == ["busy", "other", *["busy"] * 9]


def test_i23_who_waits_in_vain_leaves_the_line() -> None:
    """A turn that nobody takes any more passes on."""
    turns = Turns()
    with turns.turn("a"):
        with turns.turn("b", 0.01) as has_come:
            assert not has_come
        assert _in_line(turns) == 0
    with turns.turn("c", 0.0) as has_come:
        assert has_come


def test_i23_a_wait_that_fails_leaves_the_line() -> None:
    """Ctrl-C, or anything else that ends a wait early: others get their turns."""
    turns = Turns()
    with turns.turn("a"):
        with pytest.raises(ValueError, match="NaN"), turns.turn("b", math.nan):
            pass
        assert _in_line(turns) == 0
    with turns.turn("c", 0.0) as has_come:
        assert has_come


def forked() -> bool:
    """Fork while a computation goes on. Return whether the child gets a turn."""
    turns = Turns()

    def takes_turn() -> bool:
        with turns.turn("b", 0.0) as has_come:
            return has_come

    with turns.turn("a"):
        taken: bool = fork(takes_turn).answer()
    return taken


def test_i23_a_forked_process_has_turns_of_its_own() -> None:
    """A process forks while one of its threads computes: the child has no such thread, and does not
    wait for it.
    """
    assert alone(forked)
