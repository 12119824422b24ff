"""An error names its cause: whatever the deadline ends, the last failure is reported, with the
number of attempts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from jackfield.connector import Budget, Forbidden, Limits, Minted, OpenContext, Sent, Unavailable
from scripted import Client, Gate, Key, Script, invocation, runtime, scripted

REFUSED = "127.0.0.1:1 refused the connection"


def refused(clock: FakeClock, seconds: float) -> Any:
    """A turn that ends in a refused connection after some seconds."""

    def turn() -> Exception:
        clock.advance(seconds)
        return Unavailable(REFUSED, sent=Sent.NOTHING)

    return turn


def test_the_deadline_passes_while_the_rate_is_read(tmp_path: Path) -> None:
    """If reading the account's rate takes all the time because the port refuses, the error says so,
    and not only that time is up.
    """
    clock = FakeClock()

    def limits(_client: object) -> Limits:
        clock.advance(5)
        raise Unavailable(REFUSED, sent=Sent.NOTHING)

    connector = scripted(Script("done"), budget=Budget("sending", lambda *_: "account", limits))
    with runtime(tmp_path, connector, clock=clock) as board:
        results = [board.ask(timeoutSeconds=4) for _ in range(4)]
    error = results[-1].error
    assert [result.status for result in results] == ["succeeded"] * 3 + ["failed"]
    assert error is not None
    assert (error.code, error.message, results[-1].meta.attempts) == ("unavailable", REFUSED, 0)


def test_a_rate_that_may_not_be_read_is_no_cause(tmp_path: Path) -> None:
    """A permission that is missing for the rate is not why a call had no time."""
    clock = FakeClock()

    def limits(_client: object) -> Limits:
        clock.advance(5)
        raise Forbidden("ses:GetAccount is not allowed", sent=Sent.REFUSED)

    connector = scripted(Script("done"), budget=Budget("sending", lambda *_: "account", limits))
    with runtime(tmp_path, connector, clock=clock) as board:
        error = [board.ask(timeoutSeconds=4) for _ in range(4)][-1].error
    assert error is not None
    assert (error.code, error.message) == (
        "timeout",
        "the deadline of 4 s passed before anything was sent",
    )


@pytest.mark.parametrize("effect", ["read", "write"])
def test_the_last_attempt_is_the_cause(tmp_path: Path, effect: Any) -> None:
    """Attempts whose connections are refused end as unavailable, with their number, wherever the
    deadline passes.
    """
    clock = FakeClock()
    with runtime(
        tmp_path, scripted(Script(refused(clock, 1.4), begins=False), effect=effect), clock=clock
    ) as board:
        error = board.ask(timeoutSeconds=4).error
    assert error is not None
    assert (error.code, error.message) in {
        ("unavailable", f"{REFUSED}, {tries} attempts") for tries in (2, 3)
    }


def test_the_deadline_passes_in_the_wait_for_a_second_attempt(tmp_path: Path) -> None:
    """If the deadline passes once another attempt was to begin, the failure before it is
    reported.
    """
    clock, opened = FakeClock(), []

    class Slow(Key):
        """A key that opens late from the second attempt on."""

        key = "slow"

        def open(self, context: OpenContext) -> Client:
            opened.append(1)
            if len(opened) > 1 and script.tries:
                clock.advance(10)
            return super().open(context)

    script = Script(Unavailable(REFUSED, sent=Sent.NOTHING))
    connections = {"front": {"type": "stage/slow", "values": {"token": "t"}}}
    with runtime(
        tmp_path, scripted(script, kinds=(Slow,)), clock=clock, connections=connections
    ) as board:
        error = board.ask(timeoutSeconds=4).error
    assert error is not None
    assert (error.code, error.message, script.tries) == ("unavailable", REFUSED, 1)


def test_an_attempt_that_the_deadline_ends_names_what_it_waited_for(tmp_path: Path) -> None:
    """A connection that breaks as the deadline passes is a timeout that says so; one that was
    refused is unavailable however late.
    """
    clock = FakeClock()

    def broken() -> Exception:
        clock.advance(5)
        return Unavailable("the connection broke", sent=Sent.UNKNOWN)

    script = Script(broken, refused(clock, 5))
    with runtime(tmp_path, scripted(script, effect="read"), clock=clock) as board:
        errors = [board.ask(timeoutSeconds=4).error for _ in range(2)]
    assert [error and (error.code, error.message) for error in errors] == [
        (
            "timeout",
            "the deadline of 4 s passed before the provider responded: the connection broke",
        ),
        ("unavailable", REFUSED),
    ]


def test_a_connection_that_cannot_be_opened_names_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Openings that fail until the deadline end with the last failure and their number."""
    clock = FakeClock()
    connector = scripted(Script())

    def refuse(_self: Key, _context: OpenContext) -> Client:
        clock.advance(1.4)
        raise Unavailable(REFUSED, sent=Sent.NOTHING)

    monkeypatch.setattr(connector.connections["key"], "open", refuse)
    with runtime(tmp_path, connector, clock=clock) as board:
        error = board.ask(timeoutSeconds=4).error
    assert error is not None
    assert (error.code, error.message) in {
        ("unavailable", f"{REFUSED}, {tries} attempts") for tries in (2, 3)
    }


def test_a_wait_for_a_lease_names_what_it_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits until the deadline for a credential that another call requests is told so."""
    gate = Gate()
    connector = scripted(Script())

    def opened(self: Key, context: OpenContext) -> Client:
        def mint() -> Minted:
            gate()
            return Minted(self.token)

        return Client(self, context, context.lease("credentials", mint))

    monkeypatch.setattr(connector.connections["key"], "open", opened)
    with runtime(tmp_path, connector) as board, ThreadPoolExecutor(1) as threads:
        first = threads.submit(board.jackfield.invoke, invocation())
        assert gate.reached.wait(60)
        error = board.ask(timeoutSeconds=0.2).error
        gate.open.set()
        assert first.result().status == "succeeded"
    assert error is not None
    assert (error.code, error.message) == (
        "timeout",
        (
            "the deadline of 0.2 s passed before anything was sent: another call was still "
            "requesting the credential"
        ),
    )
