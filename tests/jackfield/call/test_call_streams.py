"""Any action may hand events on: they reach a caller who asked for them, in bounded memory, and the
Result is the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inmemory import installed
from jackfield import Jackfield
from jackfield.call.handing import ROOM
from jackfield.connector import Connector, Inputs, Output, Unavailable, current_call

LARGE = "x" * (ROOM // 8)


class Wanted(Inputs):
    """How many events, and how large."""

    count: int = 3
    large: bool = False
    fails: bool = False


class Told(Output):
    """All events."""

    events: list[dict[str, Any]]


class Maker:
    """A connector whose actions hand events on; ``made`` counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.grown = threading.Condition()
        self.connector = Connector("maker", title="Maker", version="1.0.0")
        self.connector.action("read", effect="read", title="read")(self._function())
        self.connector.action("write", effect="write", title="write")(self._function())

        @self.connector.action("later", effect="read", title="later")
        async def later(inputs: Wanted) -> Told:
            """Make events in an event loop."""
            return self._tell(inputs)

    def _function(self) -> Any:
        def tell(inputs: Wanted) -> Told:
            """Make events."""
            return self._tell(inputs)

        return tell

    def _tell(self, inputs: Wanted) -> Told:
        call, events = current_call(), list[dict[str, Any]]()
        assert call is not None
        call.begin()
        for number in range(inputs.count):
            events.append({"number": number, **({"text": LARGE} if inputs.large else {})})
            call.hand_on(events[-1])
            with self.grown:
                self.made += 1
                self.grown.notify_all()
        if inputs.fails:
            raise Unavailable("it is gone")
        return Told(events=events)


@contextmanager
def making(folder: Path) -> Iterator[tuple[Maker, Jackfield]]:
    """A maker, and a runtime that has it."""
    maker = Maker()
    with (
        installed(folder, maker.connector) as catalog,
        Jackfield(catalog=catalog, database_url="none") as jackfield,
    ):
        yield maker, jackfield


def call(action: str, seconds: float = 120, **inputs: Any) -> dict[str, Any]:
    """An invocation of the maker."""
    return {"connector": "maker", "action": action, "inputs": inputs, "timeoutSeconds": seconds}


@pytest.mark.parametrize("action", ["read", "write", "later"])
def test_events_come_in_order_and_the_result_is_that_of_invoke(tmp_path: Path, action: str) -> None:
    """Whatever the effect, and in an event loop too; without a reader nothing is handed on."""
    with making(tmp_path) as (_, jackfield):
        stream = jackfield.stream(call(action))
        assert [event["number"] for event in stream] == [0, 1, 2]
        assert stream.result.output == jackfield.invoke(call(action)).output
        assert list(stream) == []


def test_a_refused_call_has_no_events_and_its_result(tmp_path: Path) -> None:
    """Bad input is a failed Result, as of invoke."""
    with making(tmp_path) as (_, jackfield):
        stream = jackfield.stream(call("read", count="many"))
        assert list(stream) == []
        assert stream.result.error is not None
        assert stream.result.error.code == "invalid_input"


def test_the_result_can_be_asked_for_without_reading(tmp_path: Path) -> None:
    """Events that nobody takes are dropped then, however many there are."""
    with making(tmp_path) as (maker, jackfield):
        assert jackfield.stream(call("read", count=40, large=True)).result.status == "succeeded"
        assert maker.made == 40


def test_a_slow_reader_holds_up_what_reads_for_him_alone(tmp_path: Path) -> None:
    """At most 8 events of an eighth of the room wait; others run meanwhile, with as many slow
    readers as there are worker threads.
    """
    with making(tmp_path) as (maker, jackfield):
        streams = [jackfield.stream(call("read", count=30, large=True)) for _ in range(70)]
        with maker.grown:
            assert maker.grown.wait_for(lambda: maker.made >= 70 * 7, 60)
        assert jackfield.invoke(call("read", count=1)).status == "succeeded"
        assert maker.made <= 70 * 8 + 1
        assert len(list(streams[0])) == 30
        for stream in streams:
            stream.close()
            assert stream.result.status in ("succeeded", "failed")


def test_a_write_does_not_wait_for_its_reader(tmp_path: Path) -> None:
    """It runs to its end; he gets what had room, and a warning says how many events are in the
    output only.
    """
    with making(tmp_path) as (maker, jackfield):
        stream = jackfield.stream(call("write", count=30, large=True))
        with maker.grown:
            assert maker.grown.wait_for(lambda: maker.made == 30, 60)
        seen = list(stream)
        result = stream.result
    assert result.output is not None
    assert len(seen) < 9
    assert result.output["events"][: len(seen)] == seen
    assert len(result.output["events"]) == 30
    assert f"{30 - len(seen)} events were not handed on" in result.meta.warnings[0]["message"]


def test_a_reader_who_takes_nothing_is_told_at_the_deadline(tmp_path: Path) -> None:
    """The deadline ends a read that waits for its reader, and says what it waited for."""
    with making(tmp_path) as (_, jackfield):
        stream = jackfield.stream(call("read", seconds=1, count=30, large=True))
    error = stream.result.error  # the end of the runtime has waited for the call
    assert error is not None
    assert (error.code, "of events waited for their reader" in error.message) == ("timeout", True)


def test_a_reader_who_leaves_ends_a_read_at_its_next_event(tmp_path: Path) -> None:
    """Leaving the block, or dropping the stream, is enough; a write goes on."""
    with making(tmp_path) as (maker, jackfield):
        with jackfield.stream(call("read", count=30, large=True)) as stream:
            next(stream)
        assert stream.result.error is not None
        assert stream.result.error.message.startswith("the caller left after ")
        assert maker.made < 30
        with jackfield.stream(call("write", count=30, large=True)) as stream:
            next(stream)
        assert stream.result.status == "succeeded"


def test_a_reader_who_leaves_ends_a_read_of_an_event_loop(tmp_path: Path) -> None:
    """It must not hold the loop up, and ends at its next event all the same."""
    with making(tmp_path) as (maker, jackfield):
        stream = jackfield.stream(call("later", count=1_000_000))
        next(stream)
        stream.close()
        assert stream.result.error is not None
        assert stream.result.error.code == "cancelled"
        assert maker.made < 1_000_000


def test_an_attempt_that_has_handed_events_on_is_not_repeated(tmp_path: Path) -> None:
    """A read that fails is repeated, but not when its caller has got events of it."""
    with making(tmp_path) as (maker, jackfield):
        stream = jackfield.stream(call("read", fails=True))
        assert len(list(stream)) == 3
        assert (stream.result.status, stream.result.meta.attempts, maker.made) == ("failed", 1, 3)
        assert jackfield.invoke(call("read", fails=True), tries=2).meta.attempts == 2
