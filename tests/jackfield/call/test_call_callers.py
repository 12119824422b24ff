"""Callers: threads and tasks, actions of both kinds, many at once."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jackfield import Result
from jackfield.call.attempts import Attempts
from jackfield.call.on_loop import OnLoop
from jackfield.call.on_time import OnTime
from jackfield.call.reached import Reached
from jackfield.call.waiter import Until
from jackfield.connector import Connector, OpenContext, Rejected, Sent, TimedOut, Unavailable
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.pacing.turn import Turn
from scripted import Answer, Gate, Key, Panel, Reply, Script, invocation, runtime, scripted

PATIENCE = 60.0


def awaited(*turns: Any) -> Script:
    """A script for an ``async def`` action, each turn after one round of the loop."""

    async def play(turn: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(turn, Exception):
            raise turn
        return Answer(text=turn)

    return Script(*(lambda turn=turn: play(turn) for turn in turns))


@pytest.mark.parametrize("is_async", [True, False])
def test_both_kinds_of_actions_for_both_kinds_of_callers(tmp_path: Path, is_async: bool) -> None:
    """``def`` and ``async def`` give the same Results through ``invoke``, ``ainvoke``, and
    ``invoke`` from inside a running loop.
    """
    turns = (
        Unavailable("away", sent=Sent.NOTHING),
        "done",
        Rejected("no", sent=Sent.REFUSED),
        RuntimeError("boom"),
        "again",
    )
    expected = [("succeeded", 2), ("failed", 1), ("in_doubt", 1), ("succeeded", 1)]

    def told(results: list[Result]) -> list[tuple[str, int]]:
        return [(result.status, result.meta.attempts) for result in results]

    def script() -> Script:
        return awaited(*turns) if is_async else Script(*turns)

    async def inside(board: Panel) -> list[Result]:
        return [board.ask() for _ in expected]

    async def tasks(board: Panel) -> list[Result]:
        return [await board.jackfield.ainvoke(invocation()) for _ in expected]

    ways: tuple[Callable[[Panel], list[Result]], ...] = (
        lambda board: [board.ask() for _ in expected],
        lambda board: asyncio.run(inside(board)),
        lambda board: asyncio.run(tasks(board)),
    )
    for number, way in enumerate(ways):
        with runtime(tmp_path / str(number), scripted(script(), is_async=is_async)) as board:
            assert told(way(board)) == expected
            assert len(board.clock.slept) == 1


@pytest.mark.parametrize(
    ("effect", "status", "code"), [("read", "failed", "timeout"), ("write", "in_doubt", "in_doubt")]
)
@pytest.mark.parametrize("through_loop", [True, False])
def test_an_async_action_that_never_ends(
    tmp_path: Path, effect: Any, status: str, code: str, through_loop: bool
) -> None:
    """The deadline ends an ``async def`` action that waits for nothing; a write that began is in
    doubt.

    The test's clock stands still, so the deadline is whole when the action begins. The call before
    it has loaded the code and opened the connection, which is done in threads: their wait is real.
    """

    async def at_once() -> Answer:
        return Answer(text="done")

    async def for_ever() -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    members = invocation(timeoutSeconds=1)
    with runtime(
        tmp_path, scripted(Script(at_once, for_ever), effect=effect, is_async=True)
    ) as board:
        board.ask().unwrap()
        result = (
            asyncio.run(board.jackfield.ainvoke(members))
            if through_loop
            else board.jackfield.invoke(members)
        )
    assert (result.status, result.error and result.error.code) == (status, code)


def test_an_async_action_that_blocks_keeps_no_command(tmp_path: Path) -> None:
    """``invoke(on_time=True)`` ends at the deadline although an ``async def`` action blocks its
    loop; the next one has another loop.
    """
    freed = threading.Event()

    async def block() -> Answer:
        freed.wait(30)
        return Answer(text="late")

    members = invocation(timeoutSeconds=2.0)  # for a busy machine to begin it in
    with runtime(tmp_path, scripted(Script("warm", block, "done"), is_async=True)) as board:
        board.ask()
        result = board.jackfield.invoke(members, on_time=True)
        assert (result.status, board.jackfield.invoke(members, on_time=True).status) == (
            "in_doubt",
            "succeeded",
        )
        freed.set()


def test_a_timeout_of_the_action_s_own(tmp_path: Path) -> None:
    """A TimeoutError that an ``async def`` action raises itself in good time is not the
    deadline's.
    """
    with runtime(
        tmp_path, scripted(awaited(TimeoutError("of my own")), effect="read", is_async=True)
    ) as board:
        result = board.ask()
    assert (result.error and result.error.code) == "internal"


@pytest.mark.parametrize(
    "raised",
    [StopIteration("end"), StopAsyncIteration("end"), TimeoutError("of my own"), KeyError("x")],
)
def test_exceptions_that_loops_take_badly(tmp_path: Path, raised: Exception) -> None:
    """What ends generators and futures elsewhere is an exception like any other here, in tasks too:
    nothing hangs.
    """
    with runtime(tmp_path, scripted(Script(raised), effect="read")) as board:

        async def run() -> Result:
            async with asyncio.timeout(PATIENCE):
                return await board.jackfield.ainvoke(invocation())

        results = [board.ask(), asyncio.run(run())]
    assert [result.error and result.error.code for result in results] == ["internal", "internal"]


def test_tasks_carry_their_context_into_threads(tmp_path: Path) -> None:
    """What a task has set for its context (a trace, a tenant) is there in the worker thread and in
    the loop thread of its action.
    """
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nothing")

    async def read() -> Answer:
        return Answer(text=variable.get())

    async def run(board: Panel, connector: str) -> Result:
        variable.set("mine")
        return await board.jackfield.ainvoke(invocation(connector=connector))

    plain = scripted(Script(lambda: Answer(text=variable.get())))
    with runtime(tmp_path, plain, scripted(Script(read), key="async", is_async=True)) as board:
        outputs = [asyncio.run(run(board, name)).output for name in ("scripted", "async")]
        context = contextvars.copy_context()
        context.run(variable.set, "yours")
        outputs.append(context.run(board.ask, connector="async").output)
    assert outputs == [{"Text": "mine"}, {"Text": "mine"}, {"Text": "yours"}]


@pytest.mark.parametrize("is_async", [True, False])
def test_an_action_that_exits_ends_only_itself(tmp_path: Path, is_async: bool) -> None:
    """An action that calls ``exit`` or cancels itself is a bug of its own: the process and the
    caller go on.
    """
    raised: tuple[BaseException, ...] = (
        (SystemExit(3), asyncio.CancelledError()) if is_async else (SystemExit(3),)
    )

    async def leave(error: BaseException) -> Answer:
        raise error

    turns = [
        (lambda error=error: leave(error)) if is_async else error
        for error in raised
        for _ in range(2)
    ]
    with runtime(tmp_path, scripted(Script(*turns), effect="read", is_async=is_async)) as board:
        results = []
        for _ in raised:
            results += [board.ask(), asyncio.run(board.jackfield.ainvoke(invocation()))]
    assert {result.error and result.error.code for result in results} == {"internal"}


def test_an_interrupt_passes_through(tmp_path: Path) -> None:
    """Ctrl-C in the caller's thread ends the call there; the runtime stays usable."""
    script = Script(KeyboardInterrupt(), "done")
    with runtime(tmp_path, scripted(script)) as board:
        with pytest.raises(KeyboardInterrupt):
            board.ask()
        assert board.ask().output == {"Text": "done"}


def mixed(number: int) -> dict[str, Any]:
    """One of many invocations: through both actions, some refused, some tried again."""
    kinds: list[dict[str, Any]] = [
        invocation(inputs={"text": f"text {number}"}),
        invocation(connector="async", inputs={"text": f"text {number}"}),
        invocation(action="nothing"),
        invocation(inputs={"number": "x"}),
        invocation(
            connection={"type": "key", "values": {"token": f"token {number % 7}"}},
            inputs={"text": f"text {number}"},
        ),
    ]
    return kinds[number % len(kinds)]


def echoing(key: str, *, is_async: bool) -> Connector:
    """A connector that says what it is told, and is out of reach at each ninth try."""
    tries = itertools.count(1)

    async def reply_later(text: str) -> Answer:
        await asyncio.sleep(0)
        return Answer(text=text)

    def reply(inputs: Any) -> Any:
        if next(tries) % 9 == 0:
            return Unavailable("away", sent=Sent.NOTHING)
        return reply_later(inputs.text) if is_async else Answer(text=inputs.text)

    return scripted(Script(Reply(reply)), key=key, is_async=is_async)


def test_two_hundred_at_once(tmp_path: Path) -> None:
    """Two hundred mixed invocations from threads and tasks: each gets its own answer, none is
    lost.
    """

    async def tasks(board: Panel) -> list[Result]:
        return list(
            await asyncio.gather(*(board.jackfield.ainvoke(mixed(number)) for number in range(100)))
        )

    with (
        runtime(
            tmp_path, echoing("scripted", is_async=False), echoing("async", is_async=True)
        ) as board,
        ThreadPoolExecutor(20) as pool,
    ):
        waiting = pool.map(lambda number: board.jackfield.invoke(mixed(number)), range(100))
        results = asyncio.run(tasks(board)) + list(waiting)
    expected = []
    for number in [*range(100), *range(100)]:
        code = {2: "unknown_action", 3: "invalid_input"}.get(number % 5)
        expected.append(code or {"Text": f"text {number}"})
    assert [result.error.code if result.error else result.output for result in results] == expected
    assert len({result.meta.invocation_id for result in results}) == 200


@pytest.mark.parametrize("kind", ["key", "silent"])
def test_a_connection_that_blocks_as_it_opens_has_sent_nothing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is answered at its deadline that nothing was sent, whether or not the connection's
    clients announce what they send.
    """
    gate = Gate()

    def opened(_self: Key, _context: OpenContext) -> None:
        gate()

    monkeypatch.setattr(Key, "open", opened)
    connections = {"front": {"type": f"stage/{kind}", "values": {"token": "t"}}}
    with runtime(
        tmp_path, scripted(Script()), connections=connections, clock=SystemClock()
    ) as board:
        result = asyncio.run(board.jackfield.ainvoke(invocation(timeoutSeconds=0.2)))
        gate.open.set()
    assert (result.status, result.error and result.error.code, result.meta.attempts) == (
        "failed",
        "timeout",
        0,
    )
    assert result.error is not None
    assert "before anything was sent" in result.error.message


class Full(Executor):
    """Threads that are all taken: what they are given waits until the test calls it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def submit(self, function: Callable[..., Any], /, *_given: Any, **_named: Any) -> Future[Any]:
        """Have the call wait."""
        self.waiting.append(function)
        return Future()


def test_a_call_that_gets_its_thread_after_the_deadline_is_not_made() -> None:
    """Its caller was told that nothing was sent, and it is not counted as a call that still
    runs.
    """
    watch, full, made = OnTime(), Full(), list[str]()

    async def run() -> None:
        with pytest.raises(TimedOut, match="nobody had time"):
            await watch.acall(
                lambda: made.append("sent"),
                Deadline.after(0.0, SystemClock()),
                lambda: TimedOut("nobody had time"),
                full,
            )

    asyncio.run(run())
    (call,) = full.waiting
    call()
    assert (made, watch.overdue) == ([], 0)


@pytest.mark.parametrize(
    "given",
    [{}, {"dryRun": True}, {"inputs": {"to": {}}}, {"action": "nothing"}],
    ids=["done", "dry", "wrong", "unknown"],
)
@pytest.mark.parametrize("url", ["none", "sqlite:///{}/journal.db"], ids=["no journal", "journal"])
def test_a_call_that_has_ended_leaves_nothing_for_the_garbage_collector(
    tmp_path: Path, url: str, given: dict[str, Any]
) -> None:
    """Inputs and outputs, which may be large, are freed as the call ends: nothing of it refers to
    itself.
    """
    times = 5
    with runtime(
        tmp_path, scripted(Script(*["done"] * 3 * times)), database_url=url.format(tmp_path)
    ) as board:

        def left() -> int:
            """Call so often; return how many of such objects there are then that this test has
            made.
            """
            for _ in range(times):
                board.jackfield.invoke(invocation(**given))
            if board.jackfield.journal is not None:
                # entries that waited for a commit
                board.jackfield.journal.database.record(lambda _transaction: None)
            return sum(type(item) in {Reached, Attempts, Turn} for item in gc.get_objects())

        # for good: to list and to count what all other tests have left takes longer than the calls
        gc.freeze()
        left()
        gc.disable()
        try:
            before = left()
            assert left() - before < times
        finally:
            gc.enable()


@pytest.mark.parametrize("how", ["call", "in time"])
def test_a_call_whose_task_is_cancelled_before_it_has_a_thread_is_not_made(how: str) -> None:
    """Its caller was told that nothing was done: nothing is, when a thread is free."""
    gate, made, watch = threading.Event(), list[str](), OnTime()
    until = (
        Until(Deadline.after(PATIENCE, SystemClock()), lambda: TimedOut("nobody had time"))
        if how == "in time"
        else None
    )

    async def run(pool: Executor) -> None:
        waiter = OnLoop(SystemClock(), watch)
        pool.submit(gate.wait, PATIENCE)
        waiting = asyncio.create_task(
            waiter.call(lambda: made.append("sent"), executor=pool, until=until)
        )
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.set()
        await waiter.call(lambda: made.append("next"), executor=pool, until=until)
        waiter.close(wait=True)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(run(pool))
    assert made == ["next"]
