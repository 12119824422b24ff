"""Opening a connection under an event loop: a source of credentials that hangs holds few threads,
and blames no connector.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest

from inmemory import installed
from jackfield import Jackfield
from jackfield.connections.connection_cache import OpeningSlots
from jackfield.connector import (
    ConnectionType,
    Connector,
    Field,
    Inputs,
    Minted,
    OpenContext,
    Output,
    TimedOut,
    Unavailable,
)
from jackfield.connector.context import check_may_wait, without_waiting
from jackfield.kernel.clock import Deadline, SystemClock
from plugboard import provided

PATIENCE = 60.0


class Nothing(Inputs):
    """Nothing."""


class Done(Output):
    """The outcome."""

    ok: bool


class Source:
    """Source of credentials. ``closed`` makes it hang; ``fault`` makes it fail."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.opened.set()
        self.entered = threading.Semaphore(0)
        self.inside = self.most = self.asked = 0
        self.threads: set[str] = set()
        self.fault: Exception | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Minted:
        """Give a credential."""
        with self._lock:
            self.asked += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.threads.add(threading.current_thread().name)
        self.entered.release()
        try:
            self.opened.wait(PATIENCE)
            if self.fault is not None:
                raise self.fault
        finally:
            with self._lock:
                self.inside -= 1
        return Minted("k", None)


SOURCE = Source()


class Slow(ConnectionType):
    """Opens each time with a source that all connections of the type share."""

    key: ClassVar[str] = "slow"
    title: ClassVar[str] = "Slow"

    @property
    def opens_with(self) -> str:
        """The source."""
        return "source"

    def open(self, context: OpenContext) -> str:
        """Ask the source."""
        check_may_wait()
        return str(SOURCE().value)


class Leased(ConnectionType):
    """Leases its credential."""

    key: ClassVar[str] = "leased"
    title: ClassVar[str] = "Leased"
    lasting: ClassVar[bool] = False

    def open(self, context: OpenContext) -> str:
        """Lease."""
        return str(context.lease("key", SOURCE, outlasts=self.lasting).value)


class Lasting(Leased):
    """Leases a credential whose mint must not be interrupted."""

    key: ClassVar[str] = "lasting"
    title: ClassVar[str] = "Lasting"
    lasting: ClassVar[bool] = True


class Referring(ConnectionType):
    """Has a secret that is kept elsewhere."""

    key: ClassVar[str] = "referring"
    title: ClassVar[str] = "Referring"

    token: str = Field("", title="Token", sensitive=True)

    def open(self, context: OpenContext) -> str:
        """Open."""
        return self.token


def _read_slowly(_reference: Any, _environment: Mapping[str, str]) -> str:
    """Read a secret from the source."""
    return str(SOURCE().value)


class Quick(ConnectionType):
    """Needs no source."""

    key: ClassVar[str] = "quick"
    title: ClassVar[str] = "Quick"

    def open(self, context: OpenContext) -> str:
        """Open."""
        return "q"


def _connector() -> Connector:
    connector = Connector(
        "opened",
        title="Opened",
        version="1.0.0",
        connections=[Slow, Leased, Lasting, Referring, Quick],
    )

    @connector.action("act", effect="write")
    def act(inputs: Nothing, client: str) -> Done:
        """Act."""
        return Done(ok=bool(client))

    return connector


@pytest.fixture(name="source")
def _source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    fresh = Source()
    monkeypatch.setitem(globals(), "SOURCE", fresh)
    yield fresh
    fresh.opened.set()


@pytest.fixture(name="runtime")
def _runtime(tmp_path: Path, source: Source) -> Iterator[Jackfield]:
    kinds = {
        "slow": "slow",
        "slow2": "slow",
        "leased": "leased",
        "lasting": "lasting",
        "quick": "quick",
    }
    given = {name: {"type": f"opened/{kind}", "values": {}} for name, kind in kinds.items()}
    given["referring"] = {"type": "opened/referring", "values": {"token": {"$slow": "x"}}}
    means: dict[str, Any] = {"environment": {"JACKFIELD_HOME": str(tmp_path)}}
    stores = provided(tmp_path / "stores", "jackfield.secret_stores", {"slow": _read_slowly})
    with (
        installed(tmp_path, _connector()) as catalog,
        stores,
        Jackfield(connections=given, catalog=catalog, **means) as runtime,
    ):
        yield runtime
        source.opened.set()


def _call(connection: str, seconds: float = 60.0) -> dict[str, Any]:
    return {
        "connector": "opened",
        "action": "act",
        "connection": connection,
        "inputs": {},
        "timeoutSeconds": seconds,
    }


async def _crowd(runtime: Jackfield, source: Source, connections: list[str]) -> list[Any]:
    """Make calls over connections whose source hangs; then those of another connection, and let the
    source answer.
    """
    source.opened.clear()
    waiting = [asyncio.ensure_future(runtime.ainvoke(_call(name))) for name in connections]
    await asyncio.to_thread(source.entered.acquire, timeout=PATIENCE)
    beside = [await runtime.ainvoke(_call("quick")) for _ in range(5)]
    assert [result.status for result in beside] == ["succeeded"] * 5
    assert not any(one.done() for one in waiting)
    source.opened.set()
    return await asyncio.gather(*waiting)


@pytest.mark.parametrize(
    "names",
    [
        ["slow"] * 300,
        ["slow", "slow2"] * 100,
        ["leased"] * 300,
        ["lasting"] * 300,
        ["referring"] * 300,
    ],
)
def test_a_source_that_hangs_takes_few_threads(
    runtime: Jackfield, source: Source, names: list[str]
) -> None:
    """300 calls wait for one source, over one connection or several: at most 16 threads wait with
    them; another is served.
    """
    results = asyncio.run(_crowd(runtime, source, names))
    assert {result.status for result in results} == {"succeeded"}
    assert source.most <= 16
    # the threads of actions
    assert not any(name.startswith("jackfield_") for name in source.threads)


def test_a_source_that_gave_no_answer_gets_two_threads(runtime: Jackfield, source: Source) -> None:
    """Once a source has failed for want of an answer, two threads at a time ask it, until it
    answers.
    """

    async def crowd() -> list[Any]:
        source.fault = Unavailable("down", repeatable=False)
        first = await runtime.ainvoke(_call("slow"))
        assert first.error is not None
        source.fault, source.most = None, 0
        source.opened.clear()
        waiting = [asyncio.ensure_future(runtime.ainvoke(_call("slow"))) for _ in range(40)]
        await asyncio.to_thread(source.entered.acquire, timeout=PATIENCE)
        await runtime.ainvoke(_call("quick"))
        assert source.inside <= 2
        source.opened.set()
        return await asyncio.gather(*waiting)

    assert {result.status for result in asyncio.run(crowd())} == {"succeeded"}


def test_a_refusal_of_one_connection_is_no_outage_of_the_source(
    runtime: Jackfield, source: Source
) -> None:
    """A source that refuses answers: the other connections that it serves keep their threads."""
    slots = runtime.open_connections._stored.slots("source")
    source.fault = ValueError("no")
    assert asyncio.run(runtime.ainvoke(_call("slow"))).status == "failed"
    assert slots._limit == 16


def test_a_secret_store_is_asked_again(runtime: Jackfield, source: Source) -> None:
    """A store that gives no answer is an outage: it is asked again within the deadline, and nothing
    was sent meanwhile.
    """
    faults = iter([Unavailable("down"), Unavailable("down")])

    def failing() -> Minted:
        if (fault := next(faults, None)) is not None:
            raise fault
        return Minted("k", None)

    with mock.patch.dict(globals(), {"SOURCE": failing}):
        result: Any = runtime.invoke(_call("referring"))
    assert (result.status, result.meta.attempts) == ("succeeded", 1)


@pytest.mark.parametrize("name", ["slow", "leased", "lasting", "referring"])
def test_a_late_opening_blames_no_connector(
    runtime: Jackfield, source: Source, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A source that outlives the deadline ends the call at it, with nothing sent, and the log names
    the connection, not the connector.
    """
    # the first call of a process imports the connector
    assert runtime.invoke(_call("quick")).status == "succeeded"
    source.opened.clear()
    result: Any = asyncio.run(runtime.ainvoke(_call(name, 2.0)))
    assert (result.status, result.error.code, result.meta.attempts) == ("failed", "timeout", 0)
    assert any(
        word in result.error.message + result.error.hint
        for word in ("credential", "secrets", "token endpoint")
    )
    assert "opened" not in caplog.text.replace("being opened", "")
    assert "it blocks" not in caplog.text
    source.opened.set()
    assert runtime.invoke(_call(name)).status == "succeeded"


def test_late_openings_stop_no_action(runtime: Jackfield, source: Source) -> None:
    """However many openings outlive their deadlines, in threads that nothing can end, actions over
    other connections go on.
    """
    source.opened.clear()

    async def calls() -> list[str]:
        late = [runtime.ainvoke(_call(name, 0.2)) for name in ("slow", "leased") for _ in range(40)]
        results: list[Any] = await asyncio.gather(*late)
        assert {result.error.code for result in results} == {"timeout"}
        return [(await runtime.ainvoke(_call("quick"))).status for _ in range(3)]

    assert asyncio.run(calls()) == ["succeeded"] * 3
    assert runtime.overdue == 0


def test_a_mint_that_outlasts_its_caller_is_kept(runtime: Jackfield, source: Source) -> None:
    """What a source answers after the caller's deadline serves the next call: the source is asked
    once. It holds for callers in threads.
    """
    # the first call of a process imports the connector
    assert runtime.invoke(_call("quick")).status == "succeeded"
    source.opened.clear()
    result: Any = runtime.invoke(_call("lasting", 0.9))
    assert (result.error.code, result.meta.attempts) == ("timeout", 0)
    assert "token endpoint" in result.error.hint
    waiting = threading.Thread(target=lambda: runtime.invoke(_call("lasting")))
    waiting.start()
    source.opened.set()
    waiting.join(PATIENCE)
    assert runtime.invoke(_call("lasting")).status == "succeeded"
    assert source.asked == 1


def test_opening_never_waits_in_an_event_loop(runtime: Jackfield, source: Source) -> None:
    """A connection that opened quickly, and whose lease was dropped, is opened in a thread again:
    the source may hang now.
    """

    async def calls() -> None:
        for _ in range(3):
            assert (await runtime.ainvoke(_call("leased"))).status == "succeeded"
        opening = next(iter(runtime.open_connections._stored._caches.values()))
        opening.drop("key", opening._held["key"].minted)
        await _crowd(runtime, source, ["leased"])

    asyncio.run(calls())
    assert threading.main_thread().name not in source.threads


def test_a_wait_in_an_event_loop_is_told() -> None:
    """Code that would wait says so, and its value is told apart from that, also None."""
    assert without_waiting(lambda: None) == (None,)
    assert without_waiting(check_may_wait) is None
    check_may_wait()


def test_a_slot_that_comes_too_late_is_passed_on() -> None:
    """Callers who leave, by their deadline or a cancellation, lose no slot, whatever comes
    first.
    """

    async def crowd() -> None:
        slots, clock, loop = OpeningSlots(), SystemClock(), asyncio.get_running_loop()
        held = [await slots.take(Deadline.after(60, clock), loop) for _ in range(16)]
        with pytest.raises(TimedOut, match="still opening"):
            await slots.take(Deadline.after(0.0, clock), loop)
        leaving = [
            asyncio.ensure_future(slots.take(Deadline.after(60, clock), loop)) for _ in range(8)
        ]
        staying = asyncio.ensure_future(slots.take(Deadline.after(60, clock), loop))
        await asyncio.sleep(0)
        for give_back in held:
            give_back()
            give_back()  # counts once
        for one in leaving:
            one.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        (await staying)()
        assert slots._taken == 0

    asyncio.run(crowd())
