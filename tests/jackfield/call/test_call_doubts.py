"""What an invocation that may have taken effect ends as: one place decides, by what was sent and
answered, and under whose key.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import (
    JackfieldError,
    Output,
    Rejected,
    Sent,
    TimedOut,
    Unavailable,
    current_call,
)
from jackfield.kernel.errors import InDoubt, InvalidOutput, NotYet
from jackfield.manifest.manifest import Effect
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from scripted import Answer, Reply, Script, invocation, runtime, scripted

pytestmark = pytest.mark.above_sql

LOST = Unavailable("cut", sent=Sent.UNKNOWN)


def keyed(turn: Any) -> Callable[[], Any]:
    """A turn that passes the idempotency key on."""

    def send() -> Any:
        call = current_call()
        assert call is not None
        assert call.idempotency_key
        return turn() if callable(turn) else turn

    return send


def key_of(result: Any) -> str:
    """The key that the error's details name."""
    found = [
        detail.message for detail in result.error.details if "idempotency key" in detail.message
    ]
    assert len(found) == 1
    return str(found[0].split("'")[1])


@pytest.mark.parametrize(
    "last",
    [LOST, TimedOut("late", sent=Sent.UNKNOWN), ValueError("odd")],
    ids=["cut", "late", "unmapped"],
)
def test_n1_an_unknown_outcome_under_a_derived_key_is_in_doubt(
    tmp_path: Path, last: Exception
) -> None:
    """N1: another invocation would have another key, so the provider would not recognise it; the
    details name the key that was sent.
    """
    with runtime(
        tmp_path, scripted(Script(keyed(last)), effect="idempotent", idempotent_by="key")
    ) as board:
        result = board.ask()
    assert (
        result.status,
        result.error and result.error.code,
        result.error and result.error.retryable,
    ) == ("in_doubt", "in_doubt", False)
    assert key_of(result) == result.meta.invocation_id


@pytest.mark.parametrize(
    ("effect", "expected"),
    [("write", ("in_doubt", "in_doubt", 1)), ("read", ("failed", "unavailable", 6))],
)
def test_a_connectors_own_doubt_is_judged_by_the_effect(
    tmp_path: Path, effect: Effect, expected: tuple[str, str, int]
) -> None:
    """A connector that raises `InDoubt` says that its request may have taken effect; whether that
    is a doubt, the effect decides.
    """
    script = Script(InDoubt("who knows"))
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        result = board.ask()
    assert (result.status, result.error and result.error.code, script.tries) == expected


def test_n1_the_callers_key_may_be_sent_again(tmp_path: Path) -> None:
    """N1: with the caller's own key the same request may be repeated later: its doubt is retryable,
    and the repeat sends again.
    """
    database = f"sqlite:///{tmp_path / 'journal.db'}"
    script = Script(keyed(LOST))
    with runtime(
        tmp_path, scripted(script, effect="idempotent", idempotent_by="key"), database_url=database
    ) as board:
        result = board.ask(idempotencyKey="order-1")
        tries = script.tries
        again = board.ask(idempotencyKey="order-1")
    assert (
        result.status,
        result.error and result.error.code,
        result.error and result.error.retryable,
    ) == ("in_doubt", "in_doubt", True)
    assert script.tries > tries
    assert again.meta.replayed is False
    assert again.meta.invocation_id == result.meta.invocation_id


def test_no_attempt_is_made_under_a_key_that_may_be_forgotten(tmp_path: Path) -> None:
    """A provider that keeps a key for less than an attempt takes is asked once in a call whose
    answer was lost; after a clear refusal the key is as new.
    """
    for turn, tries in ((LOST, 1), (Unavailable("down", sent=Sent.NOTHING), 2)):
        script = Script(keyed(turn), "done")
        action = scripted(script, effect="idempotent", idempotent_by="key", key_kept=5)
        with runtime(tmp_path / str(tries), action) as board:
            result = board.ask()
        assert script.tries == tries
        assert result.status == ("in_doubt" if tries == 1 else "succeeded")


def test_n1_a_repeat_within_the_invocation_settles_it(tmp_path: Path) -> None:
    """N1: within one invocation the derived key is one, so a later success is the outcome."""
    with runtime(
        tmp_path,
        scripted(Script(keyed(LOST), keyed("done")), effect="idempotent", idempotent_by="key"),
    ) as board:
        result = board.ask()
    assert (result.status, result.meta.attempts) == ("succeeded", 2)


@pytest.mark.parametrize(
    "turn",
    [Rejected("no", sent=Sent.REFUSED), Unavailable("refused", sent=Sent.NOTHING)],
    ids=["refused", "unsent"],
)
def test_n1_a_clear_refusal_is_no_doubt(tmp_path: Path, turn: Exception) -> None:
    """N1: what was refused, or never sent, has failed, whoever's key it is."""
    with runtime(
        tmp_path, scripted(Script(keyed(turn)), effect="idempotent", idempotent_by="key")
    ) as board:
        assert board.ask().status == "failed"


def stepped(last: JackfieldError) -> Callable[[], Any]:
    """A turn whose first request succeeds under the idempotency key, and whose second ends in an
    error.
    """

    def send() -> Any:
        call = current_call()
        assert call is not None
        assert call.idempotency_key
        call.answered()
        call.begin("second")
        return last

    return send


def test_a_step_that_succeeded_under_a_derived_key_is_in_doubt(tmp_path: Path) -> None:
    """What a later refusal leaves behind cannot be repeated under the key that was derived: the
    doubt lists the step. The attempt is repeated as before, and a success settles it.
    """
    refused = stepped(Rejected("no", sent=Sent.REFUSED))
    with runtime(
        tmp_path, scripted(Script(refused), effect="idempotent", idempotent_by="key")
    ) as board:
        result = board.ask()
    assert (result.status, result.meta.attempts, key_of(result)) == (
        "in_doubt",
        1,
        result.meta.invocation_id,
    )
    assert result.error is not None
    assert any("had succeeded" in detail.message for detail in result.error.details)
    with runtime(
        tmp_path / "again",
        scripted(Script(stepped(LOST), "done"), effect="idempotent", idempotent_by="key"),
    ) as board:
        assert board.ask().status == "succeeded"


def test_a_step_that_succeeded_under_the_callers_key_may_be_repeated(tmp_path: Path) -> None:
    """A refusal of a later step does not undo the first, and the caller can send the same key
    again.
    """
    url, refused = (
        f"sqlite:///{tmp_path / 'journal.db'}",
        keyed(stepped(Rejected("no", sent=Sent.REFUSED))),
    )
    with runtime(
        tmp_path,
        scripted(Script(refused), effect="idempotent", idempotent_by="key"),
        database_url=url,
    ) as board:
        result = board.ask(idempotencyKey="order-1")
    assert result.status == "in_doubt"
    assert result.error is not None
    assert result.error.retryable


def test_a_job_of_the_queue_is_asked_again_under_its_derived_key(tmp_path: Path) -> None:
    """A job that goes on is no doubt: the queue runs the invocation again, whose key stays the
    same.
    """
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    script = Script(stepped(NotYet("it goes on", within=3600, retry_after=1.0)), "done")
    with runtime(
        tmp_path, scripted(script, effect="idempotent", idempotent_by="key"), database_url=url
    ) as board:
        board.jackfield.enqueue(invocation())
        queue = Queue(board.jackfield.storage.database)
        results = [board.jackfield.run(claimed) for claimed in queue.claim(1)]
        assert [result.error and result.error.code for result in results] == ["timeout"]
        journal = board.jackfield.journal
        assert journal is not None
        assert journal.entries()[0][0].status == "queued"


def test_n1_the_journal_keeps_it_as_a_write(tmp_path: Path) -> None:
    """N1: it is on disk before it is sent, and if its process is lost the entry is in doubt: the
    journal knows it as a write.
    """
    database = f"sqlite:///{tmp_path / 'journal.db'}"
    seen: list[str | None] = []

    def look() -> str:
        journal = board.jackfield.journal
        assert journal is not None
        seen.append(journal.entries()[0][0].effect)
        return "done"

    script = Script(keyed(look))
    with runtime(
        tmp_path, scripted(script, effect="idempotent", idempotent_by="key"), database_url=database
    ) as board:
        board.ask()
        board.ask(idempotencyKey="mine")
    assert seen == ["write", "write"]


def test_n1_a_lost_delivery_leaves_its_doubt_to_the_next(tmp_path: Path) -> None:
    """N1: a worker that was lost may have taken effect under the key, so a clear refusal of the
    next delivery does not settle it. A delivery that has not begun has sent nothing.
    """
    script = Script(keyed(Rejected("no", sent=Sent.REFUSED)))
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with runtime(
        tmp_path, scripted(script, effect="idempotent", idempotent_by="key"), database_url=url
    ) as board:
        board.jackfield.enqueue(invocation())
        board.jackfield.enqueue(invocation(idempotencyKey="mine"))
        board.jackfield.enqueue(invocation(idempotencyKey="not begun"))
        database = board.jackfield.storage.database
        queue = Queue(database)
        for returned in queue.claim(3):
            queue.give_back(returned)
        lost = [{"delivery": 1, "startedAt": time.time(), "outcome": "lost"}]
        with database.write() as transaction:
            transaction.change(
                "UPDATE invocations SET deliveries = :lost"
                " WHERE COALESCE(idempotency_key, '') <> 'not begun'",
                {"lost": json.dumps(lost)},
            )
        derived, own, unbegun = [board.jackfield.run(again) for again in queue.claim(3)]
    assert (derived.status, key_of(derived)) == ("in_doubt", derived.meta.invocation_id)
    assert (own.status, key_of(own), own.error and own.error.retryable) == (
        "in_doubt",
        "mine",
        True,
    )
    assert (unbegun.status, unbegun.error and unbegun.error.code) == ("failed", "rejected")


def test_another_process_sees_a_write_before_it_is_sent_and_a_doubt_before_its_caller(
    tmp_path: Path,
) -> None:
    """The entry of a write without a key is on disk before its first byte leaves, and a doubt
    before the caller learns of it: neither is lost with this process.
    """
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    seen: list[str] = []

    def look() -> None:
        assert other.journal is not None
        seen.extend(entry.status for entry in other.journal.entries()[0])

    def cut() -> Exception:
        look()
        return LOST

    with (
        runtime(tmp_path, scripted(Script(cut)), database_url=url) as board,
        Jackfield(connections=[], database_url=url) as other,
    ):
        assert board.ask().status == "in_doubt"
        look()
    assert seen == ["running", "in_doubt"]


@pytest.mark.parametrize("begins", [True, False], ids=["begun", "entered"])
def test_a_connection_that_the_deadline_closes_in_an_attempt_is_in_doubt(
    tmp_path: Path, begins: bool
) -> None:
    """Where the connector does not say what was sent, an attempt that has entered the action may
    have taken effect, although its client has announced nothing.
    """

    def turn() -> Exception:
        board.clock.advance(61)
        return Unavailable("closed")

    with runtime(tmp_path, scripted(Script(turn, begins=begins))) as board:
        assert board.ask().status == "in_doubt"


class Larger(Answer):
    """An answer with more than was declared."""

    more: str


@pytest.mark.parametrize("effect", ["write", "idempotent"])
def test_n2_an_answer_that_cannot_be_used_is_in_doubt(tmp_path: Path, effect: Any) -> None:
    """N2: the provider has carried it out: the Result is in doubt and has what was answered, as far
    as it was declared.
    """
    with runtime(
        tmp_path, scripted(Script(Larger(text="hi", more="s3cret")), effect=effect)
    ) as board:
        result = board.ask()
    assert result.status == "in_doubt"
    assert result.error is not None
    assert "answered with success" in result.error.message
    assert [detail.message for detail in result.error.details] == [
        'the action returned {"Text": "hi", "more": "***"}'
    ]


def test_n2_a_read_has_failed(tmp_path: Path) -> None:
    """N2: a read changes nothing, so its unusable answer is ``invalid_output``."""
    with runtime(
        tmp_path, scripted(Script(Larger(text="hi", more="s3cret")), effect="read")
    ) as board:
        result = board.ask()
    assert (result.status, result.error and result.error.code) == ("failed", "invalid_output")


class Ticket(Output):
    """A ticket."""

    id: str
    lines: tuple[Answer, ...] = ()


def test_n2_members_that_a_provider_adds_are_ignored() -> None:
    """N2: an output made from a provider's answer ignores unknown members at every depth; the
    author's own mistakes are refused.
    """
    found = Ticket.from_provider({"id": "7", "tags": [], "lines": [{"Text": "a", "new": {"x": 1}}]})
    assert found == Ticket(id="7", lines=(Answer(text="a"),))
    with pytest.raises(ValueError, match="Extra inputs"):
        Ticket.model_validate({"id": "7", "tags": []})


def test_n2_members_that_are_missing_are_named() -> None:
    """N2: a declared member that the answer lacks is named, never with a value; what was sent is
    unknown, for the provider did answer.
    """
    with pytest.raises(InvalidOutput) as caught:
        Ticket.from_provider({"lines": [{"Text": ["s3cret"]}]})
    assert [detail.message for detail in caught.value.details] == [
        "/id of the answer is missing",
        "/lines/0/Text of the answer is not valid",
    ]
    assert "s3cret" not in str(caught.value)
    assert caught.value.sent is Sent.UNKNOWN


class OwnTimeout(BaseException):
    """As gevent's Timeout: no Exception."""


LEAVING = [GeneratorExit(), asyncio.CancelledError(), SystemExit(3), StopIteration()]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("raised", LEAVING, ids=lambda error: type(error).__name__)
def test_n6_no_exception_ends_more_than_its_attempt(
    tmp_path: Path, raised: BaseException, is_async: bool
) -> None:
    """N6: whatever a connector raises after it has sent is a doubt; Result and journal say the
    same, and the thread lives.
    """
    database = f"sqlite:///{tmp_path / 'journal.db'}"

    async def later() -> Any:
        raise raised

    turn = Reply(lambda _inputs: later()) if is_async else raised
    with runtime(
        tmp_path, scripted(Script(turn), is_async=is_async), database_url=database
    ) as board:
        results = [board.ask(), asyncio.run(board.jackfield.ainvoke(invocation()))]
        journal = board.jackfield.journal
        assert journal is not None
        entries = [journal.find(result.meta.invocation_id) for result in results]
    assert [result.status for result in results] == ["in_doubt", "in_doubt"]
    assert [entry.status for entry in entries] == ["in_doubt", "in_doubt"]
    assert "s3cret" not in repr([result.to_json() for result in results])


def test_n6_what_is_no_exception_comes_out_of_the_hosts_thread(tmp_path: Path) -> None:
    """N6: a time limit as gevent's leaves ``invoke``, whoever raises it, and the journal has the
    doubt; a thread of ours lives on.
    """
    with runtime(
        tmp_path,
        scripted(Script(OwnTimeout("s3cret-token"))),
        database_url=f"sqlite:///{tmp_path / 'journal.db'}",
    ) as board:
        with pytest.raises(OwnTimeout):
            board.ask()
        result = asyncio.run(board.jackfield.ainvoke(invocation()))
        journal = board.jackfield.journal
        assert journal is not None
        assert [entry.status for entry in journal.entries()[0]] == ["in_doubt", "in_doubt"]
    assert result.status == "in_doubt"
    assert "s3cret" not in repr(result.to_json())
