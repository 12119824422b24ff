"""Tries: how they are counted, how long is waited between them, and when there is no time for
another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from clocks import FakeClock, StillClock
from jackfield.connector import (
    Connector,
    Forbidden,
    Internal,
    JackfieldError,
    Minted,
    OpenContext,
    Output,
    OutputFile,
    Provider,
    RateLimit,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
    current_call,
)
from jackfield.manifest.manifest import Effect
from jackfield.retry import TRIES
from scripted import Answer, Ask, Client, Key, Page, Script, runtime, scripted

THROTTLED = RateLimited("slow down", sent=Sent.REFUSED)
BOOM = Unavailable("it broke", sent=Sent.UNKNOWN)


def test_attempts_count_tries_that_began(tmp_path: Path) -> None:
    """Each try of the provider's operation counts, failed ones and the last one; ids and times are
    told with them.
    """
    with runtime(tmp_path, scripted(Script(BOOM, THROTTLED, "done"), effect="read")) as board:
        result = board.ask()
    meta = result.to_json()["meta"]
    assert result.output == {"Text": "done"}
    assert (meta["attempts"], meta["requestId"], meta["replayed"]) == (3, "request-3", False)
    assert (meta["connector"], meta["connectorVersion"], meta["action"]) == (
        "scripted",
        "1.0.0",
        "ask",
    )
    assert meta["durationMs"] > 0


def test_the_request_id_of_a_failure(tmp_path: Path) -> None:
    """A failure tells the provider's id of the last try that had one."""
    with runtime(
        tmp_path,
        scripted(Script(Rejected("no", sent=Sent.REFUSED, provider=Provider("X", "y", 400, "r")))),
    ) as board:
        result = board.ask().to_json()
    assert result["meta"]["requestId"] == "request-1"
    assert result["error"]["provider"] == {
        "code": "X",
        "message": "y",
        "httpStatus": 400,
        "requestId": "r",
    }


@pytest.mark.parametrize("database", ["none", "sqlite:///{}/journal.db"])
@pytest.mark.parametrize("effect", ["read", "write"])
def test_retry_after_is_honoured(tmp_path: Path, effect: Effect, database: str) -> None:
    """What the provider asks for is waited, not less, and not more where the call is recorded."""
    script = Script(RateLimited("slow", sent=Sent.REFUSED, retry_after=7.5), "done")
    connector, url = scripted(script, effect=effect), database.format(tmp_path)
    with runtime(tmp_path, connector, clock=StillClock(), database_url=url) as board:
        assert board.ask().status == "succeeded"
        assert board.clock.slept == (7.5,)


def test_retry_after_beyond_the_deadline(tmp_path: Path) -> None:
    """Where the provider asks for more time than there is, its refusal comes back at once, and
    nobody waits.
    """
    script = Script(RateLimited("slow", sent=Sent.REFUSED, retry_after=31))
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask(timeoutSeconds=30)
        assert (result.error and result.error.code, script.tries, board.clock.slept) == (
            "rate_limited",
            1,
            (),
        )


def later(clock: FakeClock, seconds: float, then: Any) -> Callable[[], Any]:
    """A turn that takes its time."""

    def turn() -> Any:
        clock.advance(seconds)
        return then

    return turn


def test_the_deadline_passes_while_the_connection_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What opens too long leaves no time to send: a timeout before anything was sent, even for a
    write.
    """
    clock, script = FakeClock(), Script()
    connector = scripted(script)
    opened = Key.open

    def slow(self: Key, context: OpenContext) -> Client:
        clock.advance(31)
        return opened(self, context)

    monkeypatch.setattr(connector.connections["key"], "open", slow)
    with runtime(tmp_path, connector, clock=clock) as board:
        result = board.ask(timeoutSeconds=30)
    assert result.error is not None
    assert (result.status, result.error.code, result.meta.attempts, script.tries) == (
        "failed",
        "timeout",
        0,
        0,
    )
    assert result.error.message == "the deadline of 30 s passed before anything was sent"
    assert result.error.retryable


@pytest.mark.parametrize(
    ("effect", "status", "code"), [("read", "failed", "timeout"), ("write", "in_doubt", "in_doubt")]
)
def test_the_deadline_passes_while_the_action_runs(
    tmp_path: Path, effect: Any, status: str, code: str
) -> None:
    """A try that loses its connection because time is up is the deadline's doing; of a write nobody
    knows whether it arrived.
    """
    clock = FakeClock()
    script = Script(later(clock, 61, Unavailable("closed", sent=Sent.UNKNOWN)))
    with runtime(tmp_path, scripted(script, effect=effect), clock=clock) as board:
        result = board.ask()
    assert result.error is not None
    assert (result.status, result.error.code, script.tries) == (status, code, 1)
    assert "the deadline of 60 s passed before the provider responded" in result.error.message


def test_a_hanging_try_leaves_time_for_others(tmp_path: Path) -> None:
    """A try of a read gets a share of the time: two that hang as long as they may leave enough for
    a third.
    """
    clock = FakeClock()

    def hang() -> Any:
        seconds = script.clients[-1].context.call.deadline.remaining()
        clock.advance(seconds)
        return Unavailable("timed out", sent=Sent.UNKNOWN)

    script = Script(hang, hang, "done")
    with runtime(tmp_path, scripted(script, effect="read"), clock=clock) as board:
        result = board.ask(timeoutSeconds=60)
    assert (result.status, result.meta.attempts) == ("succeeded", 3)
    assert clock.waited < 60


class Copy(Output):
    """A file."""

    file: OutputFile


@pytest.mark.parametrize(
    ("gap", "is_async", "attempts"), [(9, False, 1), (9, True, 1), (21, False, 2)]
)
def test_a_file_that_flows_is_received_in_one_attempt(
    tmp_path: Path, gap: float, is_async: bool, attempts: int
) -> None:
    """A share of the time is for silence: chunks that arrive in time are received for as long as
    the call may last, and a gap longer than the share ends the attempt.
    """
    clock, opened = FakeClock(), list[Ask]()

    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            clock.advance(1 if opened[1:] else gap)
            yield b"part"

    def fetch(ask: Ask) -> Copy:
        """Fetch a file."""
        opened.append(ask)
        return Copy(file=OutputFile(chunks()))

    async def fetch_async(ask: Ask) -> Copy:
        """Fetch a file."""
        return fetch(ask)

    connector = Connector("stage", title="Stage", version="1.0.0")
    connector.action("fetch", effect="read")(fetch_async if is_async else fetch)
    database = f"sqlite:///{tmp_path / 'files.db'}"
    with runtime(tmp_path, connector, clock=clock, database_url=database, connections={}) as board:
        result = board.jackfield.invoke(
            {"connector": "stage", "action": "fetch", "inputs": {}, "timeoutSeconds": 60}
        )
    assert (result.status, result.output and result.output["file"]["size"]) == ("succeeded", 16)
    assert len(opened) == result.meta.attempts == attempts


@pytest.mark.parametrize("throttled", [False, True])
def test_w4_the_second_attempt_of_an_idempotent_action_has_all_the_time_left(
    tmp_path: Path, throttled: bool
) -> None:
    """A PUT for which the provider needs 6 s succeeds within 15 s: at the second attempt, throttled
    ones aside.
    """
    clock = FakeClock()

    def slow() -> Any:
        call = current_call()
        assert call is not None
        patience = call.deadline.remaining()
        clock.advance(min(6.0, patience))
        return "done" if patience >= 6 else Unavailable("timed out", sent=Sent.UNKNOWN)

    script = Script(*[THROTTLED] * throttled, slow)
    with runtime(tmp_path, scripted(script, effect="idempotent"), clock=clock) as board:
        result = board.ask(timeoutSeconds=15)
    assert (result.status, script.tries) == ("succeeded", 2 + throttled)


@pytest.mark.parametrize(
    ("effect", "seconds", "ends"),
    [("write", 100, "in_doubt"), ("read", 100, "failed"), ("write", 70, "succeeded")],
)
def test_n11_an_answer_after_the_deadline_is_none(
    tmp_path: Path, effect: Effect, seconds: float, ends: str
) -> None:
    """An action that returns well after its deadline ends as it would where nobody waits that long:
    in doubt, or as a timeout.
    """
    clock = FakeClock()
    with (
        mock.patch("jackfield.call.attempts.GRACE", 30.0),
        runtime(
            tmp_path, scripted(Script(later(clock, seconds, "late")), effect=effect), clock=clock
        ) as board,
    ):
        result = board.ask()
    assert (result.status, result.meta.attempts) == (ends, 1)
    assert result.error is None or "the deadline of 60 s passed" in result.error.message
    assert (result.error is not None and result.error.code) == {
        "in_doubt": "in_doubt",
        "failed": "timeout",
        "succeeded": False,
    }[ends]


def test_opening_is_repeated_and_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that cannot be opened at first is tried again, for a write too; these tries are
    not the provider's operation.
    """
    faults: list[Exception] = [
        Unavailable("no STS"),
        RateLimited("slow STS", retry_after=1),
        Unavailable("cut off", sent=Sent.UNKNOWN),
    ]
    opened = Key.open

    def flaky(self: Key, context: OpenContext) -> Client:
        if faults:
            raise faults.pop(0)
        return opened(self, context)

    connector = scripted(Script())
    monkeypatch.setattr(connector.connections["key"], "open", flaky)
    with runtime(tmp_path, connector) as board:
        result = board.ask()
        assert (result.status, result.meta.attempts, len(board.clock.slept)) == ("succeeded", 1, 3)


@pytest.mark.parametrize(
    ("fault", "code", "tries"),
    [
        (Forbidden("AssumeRole denied"), "forbidden", 1),
        (Unavailable("cut off", sent=Sent.UNKNOWN), "unavailable", TRIES),
        (Unavailable("wrong certificate", repeatable=False), "unavailable", 1),
        (RuntimeError("boom"), "internal", 1),
    ],
    ids=["refused", "cut", "certificate", "bug"],
)
def test_what_cannot_be_opened_is_never_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, code: str, tries: int
) -> None:
    """A fault while opening fails a write, whatever was sent: nothing of the action was."""
    opens: list[object] = []

    def refuse(_self: Key, context: OpenContext) -> Client:
        opens.append(context)
        raise fault

    connector = scripted(Script())
    monkeypatch.setattr(connector.connections["key"], "open", refuse)
    with runtime(tmp_path, connector) as board:
        result = board.ask()
    assert (
        result.status,
        result.error and result.error.code,
        len(opens),
        result.meta.attempts,
    ) == ("failed", code, tries, 0)


EXPIRED = Unauthenticated("token expired", sent=Sent.REFUSED, stale_credentials=True)


def test_stale_credentials_are_renewed_once(tmp_path: Path) -> None:
    """A refusal that a refresh can cure is answered with a new lease and one resend, without a
    wait; a write too.
    """
    script = Script(EXPIRED, "done")
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
        assert (result.status, result.meta.attempts, board.clock.slept) == ("succeeded", 2, ())
    first, second = (client.lease for client in script.clients)
    assert first is not second


def test_credentials_that_stay_stale(tmp_path: Path) -> None:
    """After one refresh the refusal stands."""
    script = Script(EXPIRED)
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
    assert (result.status, result.error and result.error.code, script.tries) == (
        "failed",
        "unauthenticated",
        2,
    )


def test_stale_credentials_without_an_answer_are_a_doubt(tmp_path: Path) -> None:
    """Only an explicit refusal is resent; where nobody knows what arrived, a write is not."""
    script = Script(Unauthenticated("who knows", sent=Sent.UNKNOWN, stale_credentials=True))
    with runtime(tmp_path, scripted(script)) as board:
        assert (board.ask().status, script.tries) == ("in_doubt", 1)


def test_a_client_that_cannot_renew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without ``renew`` is not asked to."""
    connector, script = scripted(Script(EXPIRED)), Script(EXPIRED)
    connector = scripted(script)
    monkeypatch.setattr(connector.connections["key"], "open", lambda _self, _context: object())
    with runtime(tmp_path, connector) as board:
        assert (board.ask().error or EXPIRED).code == "unauthenticated"
    assert script.tries == 1


def test_a_rate_budget_spreads_tries_after_a_throttle(tmp_path: Path) -> None:
    """Once throttled, an action keeps to its declared rate: tries come no closer than it allows."""
    script = Script(THROTTLED, THROTTLED, THROTTLED, "done")
    with runtime(
        tmp_path, scripted(script, rate_limit=RateLimit(0.2)), clock=StillClock()
    ) as board:
        assert board.ask().status == "succeeded"
        first, *others = board.clock.slept
        assert first < 5
        assert all(wait == pytest.approx(5, abs=0.5) for wait in others)


def test_a_rate_budget_that_the_deadline_does_not_allow(tmp_path: Path) -> None:
    """Where the next slot lies behind the deadline, the throttling comes back at once."""
    with runtime(tmp_path, scripted(Script(THROTTLED), rate_limit=RateLimit(0.01))) as board:
        result = board.ask(timeoutSeconds=30)
        assert result.error is not None
        assert (result.error.code, result.meta.attempts) == ("rate_limited", 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"Text": "x"}, "the action returned dict instead of its declared Output"),
        (None, "the action returned NoneType"),
        (Page(items=("a",)), "the output of 'ask' violates its own schema at /Items, /Text"),
        (Answer.model_construct(text=object()), "that is not JSON"),
    ],
    ids=["dict", "none", "other", "object"],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_an_output_that_is_not_what_was_declared(tmp_path: Path, given: object, words: str) -> None:
    """A connector that returns something else has a bug: ``invalid_output`` of a read, which names
    members and never values.
    """
    with runtime(tmp_path, scripted(Script(lambda: given), effect="read")) as board:
        result = board.ask()
    assert result.error is not None
    assert (result.status, result.error.code, result.meta.attempts, result.output) == (
        "failed",
        "invalid_output",
        1,
        None,
    )
    assert words in result.error.message
    assert result.error.hint


def mapped(error: Exception, client: Client | None, _inputs: object) -> JackfieldError | None:
    """An error map that knows KeyError, needs the client, and fails itself on TypeErrors."""
    known = {
        KeyError: Rejected(f"mapped with {client is not None}", sent=Sent.REFUSED),
        OSError: None,
    }
    return known[type(error)]


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (KeyError("x"), "failed", "mapped with True"),
        (TypeError("t"), "in_doubt", "an unexpected TypeError"),
        (OSError("o"), "in_doubt", "an unexpected OSError"),
    ],
)
def test_the_connector_maps_its_exceptions(
    tmp_path: Path, raised: Exception, status: str, told: str
) -> None:
    """What the map knows gets its code; what it does not know, or trips over, is an unmapped
    exception.
    """
    with runtime(tmp_path, scripted(Script(raised), explain=mapped)) as board:
        result = board.ask()
    assert result.error is not None
    assert (result.status, result.error.message.endswith(told)) == (status, True)


def test_a_client_maps_its_exceptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the connector does not know an exception, its client is asked; an answer that is no
    error is none.
    """
    answers: dict[type[Exception], object] = {
        KeyError: Rejected("the client knows", sent=Sent.REFUSED),
        OSError: "a text",
    }
    monkeypatch.setattr(
        Client,
        "explain",
        lambda _self, error, _client, _inputs: answers.get(type(error)),
        raising=False,
    )
    with runtime(tmp_path, scripted(Script(KeyError("x"), OSError("y")))) as board:
        first, second = board.ask(), board.ask()
    assert (first.error and first.error.message) == "the client knows"
    assert second.status == "in_doubt"


@pytest.mark.parametrize(
    "raised",
    [RuntimeError("boom with s3cret-token in it"), Internal("the author's own, with s3cret-token")],
    ids=["foreign", "own"],
)
def test_a_bug_is_told_by_id_and_logged_without_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, raised: Exception
) -> None:
    """Who asks gets the invocation's id; the log has one line under it, with the reason and no
    secret.
    """
    with (
        caplog.at_level(logging.DEBUG, "jackfield"),
        runtime(tmp_path, scripted(Script(raised), effect="read")) as board,
    ):
        result = board.ask()
    assert result.error is not None
    assert (
        result.error.message
        == f"an unexpected error; the invocation is {result.meta.invocation_id}"
    )
    (record,) = caplog.records
    assert record.name == "jackfield.call"
    line = record.getMessage()
    assert result.meta.invocation_id in line
    assert type(raised).__name__ in line
    assert "s3cret-token" not in caplog.text + str(result.to_json())


def test_a_doubt_from_a_bug_is_logged_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reason of a doubt that nobody mapped is in the log, for whoever has to find out."""
    with runtime(tmp_path, scripted(Script(RuntimeError("boom s3cret-token")))) as board:
        result = board.ask()
    assert result.status == "in_doubt"
    assert "RuntimeError: boom ***" in caplog.text


def test_secrets_of_leases_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a lease says must not be shown is masked in outputs and errors, like the connection's
    own secrets.
    """

    def leased(self: Key, context: OpenContext) -> Client:
        return Client(
            self, context, context.lease("session", lambda: Minted("v", None, ("session-s3cret",)))
        )

    telling = Rejected(
        "refused session-s3cret",
        sent=Sent.REFUSED,
        hint="not s3cret-token",
        provider=Provider("X", "session-s3cret?", 400, "r-1", {"Why": ["of session-s3cret"]}),
    )
    connector = scripted(Script("the s3cret-token and session-s3cret", telling))
    monkeypatch.setattr(connector.connections["key"], "open", leased)
    with runtime(tmp_path, connector) as board:
        told, refused = board.ask(), board.ask()
    assert told.output == {"Text": "the *** and ***"}
    assert refused.to_json()["error"] == {
        "code": "rejected",
        "message": "refused ***",
        "retryable": False,
        "hint": "not ***",
        "provider": {
            "code": "X",
            "message": "***?",
            "httpStatus": 400,
            "requestId": "r-1",
            "details": {"Why": ["of ***"]},
        },
    }


def test_a_secret_that_a_provider_returns_as_its_request_id_is_masked(tmp_path: Path) -> None:
    """Some providers name a request as the caller did: neither the Result nor the journal holds a
    secret in that place.
    """

    def turn() -> str:
        call = current_call()
        assert call is not None
        call.request_id = "for s3cret-token"
        return "done"

    with runtime(
        tmp_path, scripted(Script(turn)), database_url=f"sqlite:///{tmp_path / 'journal.db'}"
    ) as board:
        result = board.ask()
        assert board.jackfield.journal is not None
        entry = board.jackfield.journal.find(result.meta.invocation_id).to_json()
    assert result.meta.request_id == "for ***"
    assert "s3cret-token" not in str(entry)
    assert str(entry).count("'requestId': 'for ***'") >= 2


def test_an_attempt_that_is_sent_and_not_answered_in_time_is_told_as_that(tmp_path: Path) -> None:
    """A failure before the last attempt is the cause only where the deadline passed before another
    attempt was sent.
    """

    def late() -> str:
        board.clock.advance(61)
        return "too late"

    script = Script(Unavailable("refused", sent=Sent.NOTHING), late)
    with runtime(tmp_path, scripted(script, effect="read")) as board:
        result = board.ask()
    assert result.error is not None
    assert (result.error.code, script.tries) == ("timeout", 2)
    assert result.error.message == "the deadline of 60 s passed before the provider responded"
