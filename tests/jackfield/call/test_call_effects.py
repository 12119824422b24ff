"""Which failure of which effect is repeated, is final, or is a doubt (contract §4)."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest

from jackfield.connector import (
    Conflict,
    Forbidden,
    JackfieldError,
    NotFound,
    Provider,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield.kernel.errors import InDoubt, Internal
from jackfield.manifest.manifest import Effect
from jackfield.retry import BASE, CAP, TRIES, Backoff
from scripted import Script, Silent, runtime, scripted

EFFECTS: tuple[Effect, ...] = ("read", "idempotent", "write")
ON_DOUBT: tuple[Literal["report", "retry"], ...] = ("report", "retry")
KINDS: tuple[type[JackfieldError], ...] = (
    Unavailable,
    RateLimited,
    TimedOut,
    Conflict,
    Rejected,
    Forbidden,
)
ROWS = list(product(KINDS, (True, False), ON_DOUBT))


def contract(
    effect: Effect, sent: Sent, *, retryable: bool, repeatable: bool, on_doubt: str
) -> str:
    """What contract §4 says: once more in its own words, not the code's."""
    unclear = sent is Sent.UNKNOWN and effect == "write"
    if unclear and (on_doubt == "report" or not repeatable):
        return "doubt"
    if not repeatable:
        return "final"
    return "repeat" if retryable or unclear else "final"


def as_id(value: object) -> str:
    """A short name for a parameter."""
    return (
        value.value
        if isinstance(value, Sent)
        else value.__name__
        if isinstance(value, type)
        else str(value)
    )


@pytest.mark.parametrize(("effect", "sent"), list(product(EFFECTS, Sent)), ids=as_id)
def test_what_a_failure_comes_to(tmp_path: Path, effect: Effect, sent: Sent) -> None:
    """A failure that goes away is repeated, given back or in doubt, by effect, by what was sent, by
    code and by the caller's wish.
    """
    wrong = []
    for number, (kind, repeatable, on_doubt) in enumerate(ROWS):
        verdict = contract(
            effect, sent, retryable=kind.retryable, repeatable=repeatable, on_doubt=on_doubt
        )
        error = kind("it went wrong", sent=sent, repeatable=repeatable, provider=Provider(code="X"))
        script = Script(error, "at last")
        with runtime(tmp_path / str(number), scripted(script, effect=effect)) as board:
            result = board.ask(onDoubt=on_doubt)
        found = (result.status, script.tries, result.meta.attempts)
        said = None if result.error is None else (result.error.code, result.error.provider)
        code = "in_doubt" if verdict == "doubt" else kind.code
        status, tries = {
            "repeat": ("succeeded", 2),
            "final": ("failed", 1),
            "doubt": ("in_doubt", 1),
        }[verdict]
        meant = (
            (status, tries, tries),
            None if verdict == "repeat" else (code, Provider(code="X")),
        )
        wrong += (
            [] if (found, said) == meant else [(kind, repeatable, on_doubt, found, said, meant)]
        )
    assert wrong == []


@pytest.mark.parametrize(
    ("effect", "sent", "on_doubt"), list(product(EFFECTS, Sent, ON_DOUBT)), ids=as_id
)
def test_what_never_goes_away(tmp_path: Path, effect: Effect, sent: Sent, on_doubt: str) -> None:
    """What may be repeated is tried six times at most; a write of which a try may have arrived ends
    in doubt, all else fails.
    """
    unclear = sent is Sent.UNKNOWN and effect == "write"
    script = Script(Unavailable("it is down", sent=sent))
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        result = board.ask(onDoubt=on_doubt)
    expected = 1 if unclear and on_doubt == "report" else TRIES
    assert script.tries == result.meta.attempts == expected
    assert result.error is not None
    assert (result.status, result.error.code) == (
        ("in_doubt", "in_doubt") if unclear else ("failed", "unavailable")
    )
    assert ("it is down" in result.error.message) is True


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize(
    ("kind", "unknown"),
    [
        (Unavailable, True),
        (TimedOut, True),
        (Internal, True),
        (RateLimited, False),
        (Rejected, False),
        (NotFound, False),
        (QuotaExceeded, False),
        (Unauthenticated, False),
    ],
)
def test_an_error_that_does_not_say_what_was_sent(
    tmp_path: Path, effect: Effect, kind: type[JackfieldError], unknown: bool
) -> None:
    """An author who leaves ``sent`` out is on the safe side: after the begin only a refusal counts
    as one, and a write is not repeated.
    """
    script = Script(kind("no more is known"))
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        result = board.ask()
    doubt = unknown and effect == "write"
    repeated = kind.retryable and not doubt
    assert result.status == ("in_doubt" if doubt else "failed")
    assert (
        (script.tries > TRIES)
        if kind is RateLimited
        else script.tries == (TRIES if repeated else 1)
    )


@pytest.mark.parametrize("kind", [Unavailable, TimedOut, Internal, Rejected])
def test_before_the_begin_nothing_is_in_doubt(tmp_path: Path, kind: type[JackfieldError]) -> None:
    """What fails before bytes left, and says so, is no doubt; no attempt is counted."""
    script = Script(kind("failed early", sent=Sent.NOTHING), begins=False)
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
    assert (result.status, result.meta.attempts) == ("failed", 0)
    assert script.tries == (TRIES if kind.retryable else 1)


@pytest.mark.parametrize("connection", ["front", None])
def test_a_client_that_does_not_tell_counts_as_sent(tmp_path: Path, connection: str | None) -> None:
    """Where a connection type does not report the begin, or there is no connection, entering the
    action counts as sent.
    """
    script = Script(Unavailable("who knows"), begins=False)
    kinds = (Silent,) if connection else ()
    members = {"connection": "quiet"} if connection else {}
    connections = (
        {"quiet": {"type": "stage/silent", "values": {"token": "t"}}} if connection else {}
    )
    with runtime(tmp_path, scripted(script, kinds=kinds), connections=connections) as board:
        result = board.jackfield.invoke({"connector": "scripted", "action": "ask", **members})
    assert (result.status, result.meta.attempts, script.tries) == ("in_doubt", 1, 1)


@pytest.mark.parametrize(
    ("effect", "status", "code"),
    [
        ("read", "failed", "internal"),
        ("idempotent", "failed", "internal"),
        ("write", "in_doubt", "in_doubt"),
    ],
)
@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("boom"),
        KeyError("x"),
        StopIteration("end"),
        RecursionError(),
        ConnectionResetError("reset"),
    ],
)
def test_an_exception_that_nobody_maps(
    tmp_path: Path, effect: Effect, status: str, code: str, raised: Exception
) -> None:
    """After the begin it leaves a write in doubt; of a read it is our bug, not repeated. Its text
    is not told, the invocation's ID is.
    """
    script = Script(raised)
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        result = board.ask()
    assert result.error is not None
    assert (result.status, result.error.code, script.tries) == (status, code, 1)
    told = str(result.error)
    assert "boom" not in told
    assert result.meta.invocation_id in told
    assert (type(raised).__name__ in told) is (code == "in_doubt")


def test_an_exception_before_the_begin(tmp_path: Path) -> None:
    """An exception that nobody maps, of a client that announced nothing, leaves a write in doubt:
    it may have forgotten to.
    """
    with runtime(tmp_path, scripted(Script(RuntimeError("boom"), begins=False))) as board:
        result = board.ask()
    assert (result.status, result.error and result.error.code, result.meta.attempts) == (
        "in_doubt",
        "in_doubt",
        1,
    )


@pytest.mark.parametrize(
    "later",
    [
        Rejected("refused now", sent=Sent.REFUSED),
        Unavailable("gone now", sent=Sent.NOTHING, repeatable=False),
        RateLimited("slow now", sent=Sent.REFUSED),
        Unauthenticated("expired now", sent=Sent.REFUSED),
        ValueError("odd now"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_doubt_outlives_later_refusals(tmp_path: Path, later: Exception) -> None:
    """A caller who prefers twice gets the doubt back where a later try is refused: the first one
    may still have arrived.
    """
    script = Script(Unavailable("cut off", sent=Sent.UNKNOWN), later)
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask(onDoubt="retry")
    assert isinstance(result.error, InDoubt)
    assert (result.status, result.exit_code) == ("in_doubt", 3)
    tries = {RateLimited: range(TRIES + 1, 100), ValueError: range(TRIES, TRIES + 1)}
    assert script.tries in tries.get(type(later), (2,))
    assert result.error.message.startswith("'ask' was sent and may have taken effect: ")
    assert result.error.hint


def test_a_doubt_outlives_a_connection_that_no_longer_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the credentials are refused on the way to the second try, the first one is still in
    doubt.
    """
    connector = scripted(Script(Unavailable("cut off", sent=Sent.UNKNOWN)))
    kind = connector.connections["key"]
    opened = kind.open
    opens: list[Any] = []

    def once(self: Any, context: Any) -> Any:
        opens.append(context)
        if len(opens) > 1:
            raise Forbidden("no longer")
        return opened(self, context)

    monkeypatch.setattr(kind, "open", once)
    with runtime(tmp_path, connector) as board:
        result = board.ask(onDoubt="retry")
    assert (result.status, len(opens), result.meta.attempts) == ("in_doubt", 2, 1)
    assert result.error is not None
    assert "no longer" in result.error.message


def test_a_doubt_that_a_later_try_settles(tmp_path: Path) -> None:
    """A later success is a success: the caller said that twice is better than not at all."""
    script = Script(Unavailable("cut off", sent=Sent.UNKNOWN), RuntimeError("odd"), "done")
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask(onDoubt="retry")
    assert (result.status, result.meta.attempts, result.meta.request_id) == (
        "succeeded",
        3,
        "request-3",
    )


class Half:
    """A random that always says one half."""

    def random(self) -> float:
        """One half."""
        return 0.5


@pytest.mark.parametrize(
    ("tries", "asked", "seconds"),
    [
        (1, None, BASE / 2),
        (2, None, BASE),
        (3, None, 0.2),
        (6, None, 1.6),
        (7, None, CAP / 2),
        (50, None, CAP / 2),
        (1, 30.0, 30.0),
        (9, 0.01, CAP / 2),
    ],
)
def test_back_off(tries: int, asked: float | None, seconds: float) -> None:
    """Waits double from a tenth of a second to five, a random part of each; never less than the
    provider asked for.
    """
    assert Backoff(Half()).wait(tries, RateLimited("slow", retry_after=asked)) == pytest.approx(
        seconds
    )


def test_waits_between_tries(tmp_path: Path) -> None:
    """Between six tries there are five waits, each within its bound of full jitter."""
    with runtime(tmp_path, scripted(Script(Unavailable("away", sent=Sent.NOTHING)))) as board:
        board.ask()
    assert len(board.clock.slept) == 5
    assert all(0 <= wait <= BASE * 2**number for number, wait in enumerate(board.clock.slept))
