"""Throttling: repeated until the deadline, at a pace that all invocations of an action over a
connection share (contract §4).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clocks import StillClock
from jackfield import Result
from jackfield.connector import Minted, OpenContext, RateLimit, RateLimited, Rejected, Sent
from jackfield.kernel.clock import SystemClock
from jackfield.pacing.line import Line
from jackfield.pacing.state import PaceState, PlaceRequest
from jackfield.retry import TRIES
from scripted import Answer, Client, Key, Panel, Reply, Script, invocation, runtime, scripted

THROTTLED = RateLimited("slow down", sent=Sent.REFUSED)


class Limited:
    """A provider that accepts ``rate`` requests in any ``window`` seconds and throttles the
    others.
    """

    def __init__(self, rate: int, window: float) -> None:
        self.rate, self.window = rate, window
        self.accepted: list[str] = []
        self.refused = 0
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()

    def __call__(self, inputs: Any) -> Any:
        """Answer one request."""
        with self._lock:
            now = time.monotonic()
            while self._recent and now - self._recent[0] >= self.window:
                self._recent.popleft()
            if len(self._recent) >= self.rate:
                self.refused += 1
                return RateLimited("slow down", sent=Sent.REFUSED)
            self._recent.append(now)
            self.accepted.append(inputs.text)
        return Answer(text=inputs.text)


@contextmanager
def limited(folder: Path, provider: Limited, **options: Any) -> Iterator[Panel]:
    """A runtime on real time, over a connection to the provider."""
    with runtime(
        folder, scripted(Script(Reply(provider)), **options), clock=SystemClock()
    ) as board:
        yield board


def asked(number: int) -> dict[str, Any]:
    """One of many requests."""
    return invocation(inputs={"text": str(number)}, timeoutSeconds=20)


def test_f1_thirty_writes_from_threads_are_all_delivered(tmp_path: Path) -> None:
    """30 writes from 10 threads to a provider that takes 20 a second: each arrives once, and few
    are asked again.
    """
    provider = Limited(1, 0.05)
    with limited(tmp_path, provider) as board, ThreadPoolExecutor(10) as threads:
        results = list(threads.map(lambda number: board.jackfield.invoke(asked(number)), range(30)))
    assert [result.status for result in results] == ["succeeded"] * 30
    assert sorted(provider.accepted, key=int) == [str(number) for number in range(30)]
    assert provider.refused < 60


def test_f1_thirty_writes_from_tasks_are_all_delivered(tmp_path: Path) -> None:
    """The same from tasks of one event loop, all of them at once."""

    async def run(board: Panel) -> list[Result]:
        return list(
            await asyncio.gather(*(board.jackfield.ainvoke(asked(number)) for number in range(30)))
        )

    provider = Limited(1, 0.05)
    with limited(tmp_path, provider) as board:
        results = asyncio.run(run(board))
    assert [result.status for result in results] == ["succeeded"] * 30
    assert sorted(provider.accepted, key=int) == [str(number) for number in range(30)]
    assert provider.refused < 100


@pytest.mark.parametrize("effect", ["read", "idempotent", "write"])
def test_f1_a_throttle_is_repeated_until_the_deadline(tmp_path: Path, effect: Any) -> None:
    """20 throttles in a row are no failure while there is time, for any effect."""
    script = Script(*[THROTTLED] * 20, "done")
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        result = board.ask(timeoutSeconds=300)
    assert (result.status, result.meta.attempts) == ("succeeded", 21)


def test_f1_a_throttle_that_stays_ends_near_the_deadline(tmp_path: Path) -> None:
    """A provider that throttles for ever is asked until the deadline, at most every 5 s then."""
    script = Script(THROTTLED)
    with runtime(tmp_path, scripted(script), clock=StillClock()) as board:
        result = board.ask(timeoutSeconds=60)
    assert (result.error and result.error.code, result.status) == ("rate_limited", "failed")
    assert TRIES < script.tries < 60
    assert 50 < board.clock.waited <= 60


def test_other_faults_are_counted_apart_from_throttles(tmp_path: Path) -> None:
    """Throttles do not use up the tries that other faults have."""
    fault = RateLimited("slow", sent=Sent.REFUSED)
    down = [ConnectionRefusedError() for _ in range(TRIES - 1)]
    script = Script(*[fault] * 9, *down, "done")

    def explain(error: Exception, _client: object, _inputs: object) -> Any:
        from jackfield.connector import Unavailable

        return (
            Unavailable("refused", sent=Sent.NOTHING)
            if isinstance(error, ConnectionRefusedError)
            else None
        )

    with runtime(tmp_path, scripted(script, explain=explain)) as board:
        assert board.ask(timeoutSeconds=300).status == "succeeded"


def test_the_first_try_keeps_to_the_pace(tmp_path: Path) -> None:
    """After a throttle the next invocation waits for its turn, too; over another connection nobody
    waits.
    """
    given = {name: {"type": "stage/key", "values": {"token": name}} for name in ("front", "back")}
    script = Script(RateLimited("slow", sent=Sent.REFUSED, retry_after=7), "one", "two", "three")
    with runtime(tmp_path, scripted(script), connections=given, clock=StillClock()) as board:
        assert board.ask(timeoutSeconds=5).status == "failed"
        assert board.ask(connection="back").status == "succeeded"
        assert board.clock.slept == ()
        assert board.ask().status == "succeeded"
        assert board.clock.waited == pytest.approx(7, abs=0.5)


def test_w2_a_throttle_slows_only_what_the_provider_throttles(tmp_path: Path) -> None:
    """An action that is paced by an input waits where the provider has throttled, and nowhere else;
    by default all its calls wait.
    """
    throttled = RateLimited("slow", sent=Sent.REFUSED, retry_after=7)
    for names, waits in ((("text",), 0), ((), 7)):
        with runtime(
            tmp_path / str(waits),
            scripted(Script(throttled, "one", "two"), pace_by=names),
            clock=StillClock(),
        ) as board:
            assert board.ask(inputs={"text": "a"}, timeoutSeconds=5).status == "failed"
            assert board.ask(inputs={"text": "b"}).status == "succeeded"
            assert board.clock.waited == pytest.approx(waits, abs=0.5)
            assert board.ask(inputs={"text": "a"}).status == "succeeded"
            assert board.clock.waited == pytest.approx(7, abs=0.5)


def test_w2_a_declared_rate_is_the_accounts(tmp_path: Path) -> None:
    """A rate that an action declares applies to all its calls, whatever a throttle is about."""
    throttled = RateLimited("slow", sent=Sent.REFUSED, retry_after=7)
    with runtime(
        tmp_path,
        scripted(Script(throttled, "one"), pace_by=("text",), rate_limit=RateLimit(100)),
        clock=StillClock(),
    ) as board:
        assert board.ask(inputs={"text": "a"}, timeoutSeconds=5).status == "failed"
        assert board.ask(inputs={"text": "b"}).status == "succeeded"
        assert board.clock.waited == pytest.approx(7, abs=0.5)


def test_w2_many_parts_leave_nothing_behind(tmp_path: Path) -> None:
    """The pace of a part that was not used for long is forgotten, and the open client is not."""
    throttled = RateLimited("slow", sent=Sent.REFUSED, retry_after=50)
    with runtime(
        tmp_path, scripted(Script(throttled, "done"), pace_by=("text",)), clock=StillClock()
    ) as board:
        assert board.ask(inputs={"text": "a"}, timeoutSeconds=5).status == "failed"
        assert {board.ask(inputs={"text": str(number)}).status for number in range(300)} == {
            "succeeded"
        }
        assert board.ask(inputs={"text": "a"}).status == "succeeded"
        assert board.clock.waited == 0


def test_a_deadline_before_the_turn(tmp_path: Path) -> None:
    """Who cannot have a turn within the deadline is told so at once, as throttled: nothing was
    sent.
    """
    script = Script(RateLimited("slow", sent=Sent.REFUSED, retry_after=40), "done")
    with runtime(tmp_path, scripted(script)) as board:
        board.ask(timeoutSeconds=5)
        result = board.ask(timeoutSeconds=5)
    assert result.error is not None
    assert (result.error.code, result.meta.attempts, script.tries, board.clock.slept) == (
        "rate_limited",
        0,
        1,
        (),
    )
    assert (
        "the provider has asked for no calls over this connection for another 40 s (Retry-After)"
        in result.error.message
    )
    assert "a second" not in f"{result.error.message} {result.error.hint}", "no rate would help"
    assert 30 < (result.error.retry_after or 0) <= 40
    assert result.to_json()["error"]["retryAfterSeconds"] == pytest.approx(
        result.error.retry_after, abs=0.001
    )
    assert Result.from_json(result.to_json()).to_json() == result.to_json()


def test_a_turn_that_a_rate_puts_off(tmp_path: Path) -> None:
    """Where the rate is the reason, the refusal names it."""
    with runtime(tmp_path, scripted(Script(THROTTLED, "done"), rate_limit=RateLimit(0.1))) as board:
        assert board.ask(timeoutSeconds=5).status == "succeeded"
        result = board.ask(timeoutSeconds=5)
    assert result.error is not None
    assert (
        "the provider allows about 0.1 calls a second over this connection" in result.error.message
    )
    assert "ask the provider for a higher rate" in (result.error.hint or "")
    assert 5 < (result.error.retry_after or 0) <= 11


def test_credentials_that_expire_while_a_turn_is_waited_for_are_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invocation is recorded with its connection open, then waits a minute for its turn: it goes
    out with credentials that hold.
    """

    def opened(self: Key, context: OpenContext) -> Client:
        return Client(
            self, context, context.lease("session", lambda: Minted("v", context.clock.time() + 50))
        )

    def answered() -> str:
        return (
            "valid"
            if (script.clients[-1].lease.expires_at or 0) > board.clock.time()
            else "expired"
        )

    monkeypatch.setattr(Key, "open", opened)
    script = Script(RateLimited("slow", sent=Sent.REFUSED, retry_after=60), answered)
    with runtime(
        tmp_path, scripted(script), database_url=f"sqlite:///{tmp_path / 'journal.db'}"
    ) as board:
        assert board.ask(timeoutSeconds=5).status == "failed"
        assert board.ask(timeoutSeconds=300).output == {"Text": "valid"}


@pytest.mark.parametrize("through_loop", [True, False])
def test_a_caller_who_leaves_while_waiting_for_a_turn(tmp_path: Path, through_loop: bool) -> None:
    """Cancelling ends the wait for a turn, in threads and in tasks: nothing is sent, and the line
    moves on.
    """
    script, cancelled = (
        Script(RateLimited("slow", sent=Sent.REFUSED, retry_after=30), "done"),
        threading.Event(),
    )
    with runtime(tmp_path, scripted(script), clock=SystemClock()) as board:
        board.ask(timeoutSeconds=5)
        threading.Timer(0.05, cancelled.set).start()

        async def run() -> Result:
            return await board.jackfield.ainvoke(invocation(), cancelled=cancelled)

        began = time.monotonic()
        result = (
            asyncio.run(run())
            if through_loop
            else board.jackfield.invoke(invocation(), cancelled=cancelled)
        )
    assert (result.error and result.error.code, script.tries) == ("cancelled", 1)
    assert time.monotonic() - began < 20


def test_a_refusal_is_no_throttle(tmp_path: Path) -> None:
    """Other refusals start no pace."""
    with runtime(tmp_path, scripted(Script(Rejected("no", sent=Sent.REFUSED), "done"))) as board:
        assert [board.ask().status, board.ask().status, board.clock.slept] == [
            "failed",
            "succeeded",
            (),
        ]


def learned() -> PaceState:
    """The state of a pace whose limits nobody states."""
    return PaceState(Line(learns=True))


def ask(state: PaceState, now: float) -> float:
    """Take a place, and return the time at which it comes due."""
    request = PlaceRequest(1, 1000)
    state.ask(request, now)
    assert request.grant.outcome == "granted"
    return now if request.grant.position is None else state.line.due(request.grant.position)


def test_turns_are_given_in_order() -> None:
    """The invocation that asked first goes first."""
    state = learned()
    ask(state, 99.5)
    state.throttled(99.6, 100.0, None)
    due = [ask(state, 100.0) for _ in range(20)]
    assert due == sorted(due)
    assert [later - sooner for sooner, later in pairwise(due)] == pytest.approx([0.1] * 19)


def test_many_tries_refused_at_once_count_as_one_throttle() -> None:
    """256 tries that were under way when the first was throttled do not slow the pace 256 times."""
    state = learned()
    for number in range(256):
        state.throttled(100.0, 100.1 + number / 1000, None)
    assert (state.line.rate or 0) >= 9


def test_a_pace_recovers_and_ends() -> None:
    """Places that are used raise the rate, waiting alone does not, and after a quiet minute nothing
    is limited any more.
    """
    state, now = learned(), 100.0
    for _ in range(9):
        now = ask(state, now)
        state.throttled(now, now, None)
    slow = state.line.rate or 0
    state.line.grow(now + 1 / slow)
    assert state.line.rate == slow < 1
    for _ in range(20):
        now = ask(state, now)
    assert (state.line.rate or 0) > 1
    state.line.grow(now + 100)
    assert state.line.rate is None


def test_a_provider_that_takes_one_call_in_four_seconds_is_learned() -> None:
    """The pace settles where few calls are refused, although growth by the clock alone would try
    every second.
    """
    state, now, free_at, accepted, refused = learned(), 100.0, 0.0, 0, 0
    for _ in range(200):
        now = ask(state, now + 0.01)
        if now >= free_at:
            accepted, free_at = accepted + 1, now + 4
        else:
            refused += 1
            state.throttled(now, now, None)
    assert refused < accepted


def test_calls_that_nothing_limits_are_counted_for_the_first_rate(tmp_path: Path) -> None:
    """An account that took 50 calls in the last second before its first throttle is not slowed to
    ten.
    """
    with runtime(
        tmp_path, scripted(Script(*["done"] * 50, THROTTLED, "done")), clock=StillClock()
    ) as board:
        for _ in range(50):
            board.ask()
        before = board.clock.waited
        for _ in range(20):
            assert board.ask().status == "succeeded"
        assert board.clock.waited - before < 3


def test_a_call_with_a_journal_counts_once_in_the_first_rate(tmp_path: Path) -> None:
    """Ten calls in the last second before the first throttle are ten, as without a database: the
    pause is the same.
    """

    def waited(name: str, url: str) -> tuple[float, ...]:
        folder = tmp_path / name
        folder.mkdir()
        script = Script(*["done"] * 9, THROTTLED, "done")
        connector = scripted(script, effect="write")
        with runtime(folder, connector, clock=StillClock(), database_url=url) as board:
            assert {board.ask().status for _ in range(10)} == {"succeeded"}
            return board.clock.slept

    bare = waited("bare", "none")
    assert waited("recorded", f"sqlite:///{tmp_path / 'journal.db'}") == bare == (1.0,)


def test_a_cancelled_wait_takes_no_time() -> None:
    """A wait of an invocation that is cancelled already ends at once."""
    event = threading.Event()
    event.set()
    began = time.monotonic()
    SystemClock().sleep(30, event)
    asyncio.run(SystemClock().asleep(30, event))
    assert time.monotonic() - began < 20
