"""Callers who leave, before and after the first byte; and the end of the runtime, which waits for
what runs.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from jackfield import Jackfield, Result
from jackfield.connector import OpenContext, RateLimited, Sent, Unavailable, current_call
from jackfield.kernel.errors import Cancelled
from jackfield.manifest.manifest import Effect
from scripted import Answer, Client, Gate, Key, Panel, Script, invocation, runtime, scripted

PATIENCE = 60.0


def later(board: Panel, **options: Any) -> tuple[threading.Thread, list[Result]]:
    """An invocation in a thread of its own, and where its Result will be."""
    results: list[Result] = []
    members = options.pop("members", {})
    thread = threading.Thread(
        target=lambda: results.append(board.jackfield.invoke(invocation(**members), **options))
    )
    thread.start()
    return thread, results


def ended(thread: threading.Thread, results: list[Result]) -> Result:
    """The Result of ``later``."""
    thread.join(PATIENCE)
    (result,) = results
    return result


def test_a_caller_who_left_before_it_began(tmp_path: Path) -> None:
    """What was cancelled before is not sent: cancelled, not retryable, no attempt."""
    cancelled, script = threading.Event(), Script()
    cancelled.set()
    with runtime(tmp_path, scripted(script)) as board:
        result = board.jackfield.invoke(invocation(), cancelled=cancelled)
    assert isinstance(result.error, Cancelled)
    assert (result.status, result.error.code, result.meta.attempts, result.exit_code) == (
        "failed",
        "cancelled",
        0,
        1,
    )
    assert not result.error.retryable


def test_a_caller_who_leaves_while_the_connection_opens(tmp_path: Path) -> None:
    """Leaving while credentials are leased still comes before the first byte: the action sends
    nothing.
    """
    gate, cancelled = Gate(), threading.Event()

    class Slow(Key):
        """A key that takes its time."""

        key = "slow"

        def open(self, context: OpenContext) -> Client:
            """Wait at the gate."""
            gate()
            return super().open(context)

    connections = {"front": {"type": "stage/slow", "values": {"token": "t"}}}
    with runtime(tmp_path, scripted(Script(), kinds=(Slow,)), connections=connections) as board:
        thread, results = later(board, cancelled=cancelled)
        assert gate.reached.wait(PATIENCE)
        cancelled.set()
        gate.open.set()
        result = ended(thread, results)
    assert (result.error and result.error.code, result.meta.attempts) == ("cancelled", 0)


def test_a_caller_who_leaves_after_it_began(tmp_path: Path) -> None:
    """What was sent runs to its end, and its Result is the truth."""
    gate, cancelled = Gate(), threading.Event()

    def turn() -> str:
        gate()
        return "done"

    with runtime(tmp_path, scripted(Script(turn))) as board:
        thread, results = later(board, cancelled=cancelled)
        assert gate.reached.wait(PATIENCE)
        cancelled.set()
        gate.open.set()
        result = ended(thread, results)
    assert result.output == {"Text": "done"}


@pytest.mark.parametrize(
    ("effect", "fault", "members", "status", "code"),
    [
        ("write", RateLimited("slow", sent=Sent.REFUSED), {}, "failed", "cancelled"),
        (
            "write",
            Unavailable("cut off", sent=Sent.UNKNOWN),
            {"onDoubt": "retry"},
            "in_doubt",
            "in_doubt",
        ),
        ("idempotent", Unavailable("cut off", sent=Sent.UNKNOWN), {}, "failed", "unavailable"),
        ("read", Unavailable("cut off", sent=Sent.UNKNOWN), {}, "failed", "cancelled"),
    ],
)
def test_a_caller_who_leaves_between_tries(
    tmp_path: Path, effect: Effect, fault: Exception, members: Any, status: str, code: str
) -> None:
    """No further try is made; but a try that may have arrived is still in doubt, and was not
    cancelled before anything was sent.
    """
    cancelled = threading.Event()

    def turn() -> Exception:
        cancelled.set()
        return fault

    script = Script(turn)
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        result = board.jackfield.invoke(invocation(**members), cancelled=cancelled)
    assert (result.status, result.error and result.error.code, script.tries) == (status, code, 1)


class Leaving(FakeClock):
    """A clock whose waits are when the caller leaves."""

    def __init__(self, cancelled: threading.Event) -> None:
        super().__init__()
        self._cancelled = cancelled

    def sleep(self, seconds: float, _until: threading.Event | None = None) -> None:
        """The caller leaves."""
        super().sleep(seconds)
        self._cancelled.set()


def test_a_caller_who_leaves_during_the_wait(tmp_path: Path) -> None:
    """Who leaves while the next try is waited for gets no further try."""
    cancelled, script = threading.Event(), Script(RateLimited("slow", sent=Sent.REFUSED))
    with runtime(tmp_path, scripted(script), clock=Leaving(cancelled)) as board:
        result = board.jackfield.invoke(invocation(), cancelled=cancelled)
    assert (result.error and result.error.code, result.meta.attempts) == ("cancelled", 1)


async def reached(gate: Gate) -> None:
    """Wait until a script is at the gate, without blocking the loop."""
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)


def test_a_cancelled_task_after_the_begin(tmp_path: Path) -> None:
    """A task that is cancelled after the begin leaves at once; what was sent runs to its end behind
    it, once.
    """
    gate, done = Gate(), threading.Event()

    def turn() -> str:
        gate()
        done.set()
        return "done"

    script = Script(turn)

    async def leave(board: Panel) -> None:
        task = asyncio.ensure_future(board.jackfield.ainvoke(invocation()))
        await reached(gate)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not done.is_set()
        gate.open.set()
        assert await asyncio.to_thread(done.wait, PATIENCE)

    with runtime(tmp_path, scripted(script)) as board:
        asyncio.run(leave(board))
    assert script.tries == 1


def test_a_cancelled_task_before_the_begin(tmp_path: Path) -> None:
    """A task that is cancelled before the begin sends nothing."""
    gate, ends = Gate(), threading.Event()
    began: list[bool] = []

    def turn() -> str:
        gate()
        call = current_call()
        assert call is not None
        try:
            call.begin()
        finally:
            began.append(call.begun)
            ends.set()
        return "sent"

    async def leave(board: Panel) -> None:
        task = asyncio.ensure_future(board.jackfield.ainvoke(invocation()))
        await reached(gate)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open.set()
        assert await asyncio.to_thread(ends.wait, PATIENCE)

    with runtime(tmp_path, scripted(Script(turn, begins=False))) as board:
        asyncio.run(leave(board))
    assert began == [False]


def test_a_cancelled_task_with_an_async_action(tmp_path: Path) -> None:
    """An ``async def`` action that was sent is not torn down by its caller's leaving either."""

    @dataclass
    class Moments:
        began: asyncio.Event = field(default_factory=asyncio.Event)
        go_on: asyncio.Event = field(default_factory=asyncio.Event)
        ended: asyncio.Event = field(default_factory=asyncio.Event)

    moments = Moments()

    async def wait() -> Answer:
        moments.began.set()
        await moments.go_on.wait()
        moments.ended.set()
        return Answer(text="x")

    async def leave(board: Panel) -> None:
        task = asyncio.ensure_future(board.jackfield.ainvoke(invocation()))
        async with asyncio.timeout(PATIENCE):
            await moments.began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            moments.go_on.set()
            await moments.ended.wait()

    with runtime(tmp_path, scripted(Script(wait), is_async=True)) as board:
        asyncio.run(leave(board))
    assert moments.ended.is_set()


def test_close_lets_what_runs_end(tmp_path: Path) -> None:
    """Closing waits for ``async def`` actions of synchronous callers and for the worker threads of
    tasks; their Results arrive.
    """
    others = set(threading.enumerate())
    began = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def wait() -> Answer:
        go_on = asyncio.Event()
        loops.append((asyncio.get_running_loop(), go_on))
        began.set()
        await go_on.wait()
        return Answer(text="ended")

    with runtime(tmp_path, scripted(Script(wait), is_async=True)) as board:
        thread, results = later(board)
        assert began.wait(PATIENCE)
        closing = threading.Thread(target=board.jackfield.close)
        closing.start()
        assert closing.is_alive()
        loop, go_on = loops[0]
        loop.call_soon_threadsafe(go_on.set)
        result = ended(thread, results)
        closing.join(PATIENCE)
        assert not closing.is_alive()
        assert loop.is_closed()
    assert result.output == {"Text": "ended"}
    left = set(threading.enumerate()) - others
    assert not [running.name for running in left if running.name.startswith("jackfield")]


def test_close_cancels_what_an_action_left_behind(tmp_path: Path) -> None:
    """A task that an action started and forgot is cancelled, so that closing does not wait for
    ever.
    """
    forgotten: list[asyncio.Task[Any]] = []

    async def start() -> Answer:
        forgotten.append(asyncio.ensure_future(asyncio.Event().wait()))
        return Answer(text="started")

    with runtime(tmp_path, scripted(Script(start), is_async=True)) as board:
        assert board.ask().status == "succeeded"
    assert forgotten[0].cancelled()


def test_closing_twice_and_closing_what_was_not_used(tmp_path: Path) -> None:
    """Closing is for once, but does no harm again, and needs nothing to have run."""
    with runtime(tmp_path, scripted(Script())) as board:
        board.jackfield.close()
        board.jackfield.close()
        asyncio.run(board.jackfield.ainvoke(invocation()))


def test_a_runtime_is_not_pickled(tmp_path: Path) -> None:
    """It holds open connections: its text names the workspace only, and it is not pickled."""
    with Jackfield("acme", connections=[], database_url="none") as jackfield:
        assert repr(jackfield) == "<Jackfield workspace='acme'>"
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(jackfield)
