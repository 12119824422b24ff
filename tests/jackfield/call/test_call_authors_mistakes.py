"""Connectors cannot break the promises: what an author forgets costs a doubt, never a repeat, and
never a lie about what was sent.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from jackfield.connector import (
    Call,
    Conflict,
    DeclarationError,
    Forbidden,
    JackfieldError,
    NotFound,
    Provider,
    RateLimited,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    current_call,
    whole_answer,
)
from jackfield.connector.room import ANSWERS
from jackfield.retry import TRIES
from jackfield_store.journal import Queue
from scripted import Script, Silent, invocation, runtime, scripted

pytestmark = pytest.mark.above_sql

LATER: list[JackfieldError] = [
    RateLimited(
        "slow",
        sent=Sent.REFUSED,
        provider=Provider(code="Slow", http_status=429, request_id="later"),
    ),
    Unavailable("refused", sent=Sent.NOTHING),
    Forbidden("no", sent=Sent.REFUSED),
    Unauthenticated("expired", sent=Sent.REFUSED, stale_credentials=True),
    Unavailable("cut", sent=Sent.UNKNOWN),
    TimedOut("late"),
]


def now() -> Call:
    """The current try."""
    call = current_call()
    assert call is not None
    return call


def steps(*each: Callable[[], Any]) -> Callable[[], Any]:
    """A turn that does one thing after the other and is what the last one gives."""

    def turn() -> Any:
        return [step() for step in each][-1]

    return turn


@pytest.mark.parametrize("later", LATER, ids=lambda error: error.message)
@pytest.mark.parametrize("on_doubt", ["report", "retry"])
def test_b1_after_a_first_request_nothing_is_repeated(
    tmp_path: Path, later: JackfieldError, on_doubt: str
) -> None:
    """B1: a second begin says that the first request was answered; whatever fails then, the write
    is in doubt and is not repeated.
    """
    script = Script(steps(lambda: now().begin(safe=True), lambda: later))
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask(onDoubt=on_doubt)
    assert (result.status, script.tries, result.meta.attempts) == ("in_doubt", 1, 1)
    assert result.error is not None
    assert "'request 1' had succeeded" in result.error.message
    assert (
        result.error.details[0].message
        == "the step 'request 1' had succeeded (request ID request-1)"
    )
    assert result.error.provider is not None
    assert result.error.provider.request_id == "request-1"


def test_b1_a_named_step_and_what_it_returned(tmp_path: Path) -> None:
    """B1: the error names the step and quotes what the provider returned, secrets aside."""
    later = RateLimited(
        "slow down", sent=Sent.REFUSED, provider=Provider("Slow", "too many", 429, "r-2")
    )

    def turn() -> Any:
        call = now()
        call.begin("create the job")
        call.request_id = "r-1"
        call.answered({"jobId": "j-7", "by": "s3cret-token"})
        return later

    script = Script(turn, begins=False)
    with runtime(tmp_path, scripted(script)) as board:
        error = board.ask().to_json()["error"]
    assert script.tries == 1
    assert (
        error["message"]
        == "'ask' has partly taken effect: after 'create the job' had succeeded, slow down"
    )
    (detail,) = error["details"]
    assert detail["message"] == (
        "the step 'create the job' had succeeded (request ID r-1); it returned "
        '{"jobId": "j-7", "by": "***"}'
    )
    assert error["provider"] == {
        "code": "Slow",
        "message": "too many",
        "httpStatus": 429,
        "requestId": "r-1",
    }


def test_b1_an_answer_counts_without_its_announcement(tmp_path: Path) -> None:
    """B1: a client that forgets begin() and notes an answer has sent something: a write is not
    repeated then.
    """

    def turn() -> Any:
        now().answered({"jobId": "j-7"})
        return LATER[0]

    script = Script(turn, begins=False)
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
    assert (result.status, script.tries) == ("in_doubt", 1)


@pytest.mark.parametrize("effect", ["read", "idempotent"])
def test_b1_what_may_be_repeated_is(tmp_path: Path, effect: Any) -> None:
    """B1: a read or an idempotent action of several requests is repeated from its start."""
    script = Script(steps(lambda: now().begin(), lambda: LATER[0]), "done")
    with runtime(tmp_path, scripted(script, effect=effect)) as board:
        assert (board.ask().status, script.tries) == ("succeeded", 2)


def test_b1_safe_requests_come_first(tmp_path: Path) -> None:
    """B1: requests that the author calls safe change nothing: a write that got no further is
    repeated, even where no answer came.
    """
    script = Script(
        steps(lambda: now().begin("look", safe=True), lambda: LATER[4]),
        steps(
            lambda: now().begin("look", safe=True), lambda: now().begin("create"), lambda: LATER[0]
        ),
        "done",
        begins=False,
    )
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
    assert (result.status, script.tries, result.meta.attempts) == ("succeeded", 3, 3)


@pytest.mark.parametrize(
    ("failure", "tries", "status"),
    [
        (Unavailable("it broke", sent=Sent.UNKNOWN), 1, "in_doubt"),
        (Unavailable("it broke", provider=Provider(http_status=500)), 1, "in_doubt"),
        (Unavailable("it hung"), 1, "in_doubt"),
        (ConnectionResetError("reset"), 1, "in_doubt"),
        (Forbidden("no", provider=Provider(http_status=403)), 1, "failed"),
        (Forbidden("no", sent=Sent.REFUSED), 1, "failed"),
        (RateLimited("slow", sent=Sent.REFUSED, retry_after=50), 2, "failed"),
    ],
    ids=["unknown", "status", "unsaid", "unmapped", "refused", "explicit", "throttled"],
)
def test_b2_a_client_that_forgets_begin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: Exception, tries: int, status: str
) -> None:
    """B2: a try that ends without begin had begun; nothing is repeated for it, it is counted, and
    the author is told once.
    """
    script = Script(failure, begins=False)
    with (
        runtime(tmp_path, scripted(script)) as board,
        caplog.at_level(logging.ERROR, "jackfield.connector"),
    ):
        result = board.ask()
        assert (result.status, script.tries, result.meta.attempts) == (status, tries, tries)
        board.ask()
    blamed = [record for record in caplog.records if record.name == "jackfield.connector"]
    assert len(blamed) == 1
    assert "without 'Call.begin()'" in blamed[0].getMessage()
    # the connection type is not to blame for a bug of the action
    is_bug = not isinstance(failure, JackfieldError)
    assert (
        "raise InvalidInput or Rejected" in blamed[0].getMessage(),
        "reports_begin" in blamed[0].getMessage(),
    ) == (is_bug, not is_bug)


@pytest.mark.parametrize(("given", "status"), [("done", "succeeded"), ({"Text": "x"}, "in_doubt")])
def test_b2_an_output_says_that_it_had_begun(tmp_path: Path, given: Any, status: str) -> None:
    """B2, B12: where the action ran, it is an attempt, even where it returned a wrong type."""
    script = Script(lambda: given, begins=False)
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
    assert (result.status, result.meta.attempts) == (status, 1)


@pytest.mark.parametrize("effect", ["read", "idempotent", "write"])
def test_b2_an_answer_without_a_request_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, effect: Any
) -> None:
    """B2: an action whose answer needed no request succeeds, and nobody is blamed, whatever its
    effect.
    """
    with runtime(tmp_path, scripted(Script(lambda: "done", begins=False), effect=effect)) as board:
        assert board.ask().status == "succeeded"
    assert not [record for record in caplog.records if record.name == "jackfield.connector"]


def test_b2_an_outcome_that_hangs_on_it_names_the_author(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """B2: where an unusable answer leaves a doubt only since no request was announced, the log says
    so.
    """
    with runtime(tmp_path, scripted(Script(lambda: {"Text": "x"}, begins=False))) as board:
        assert board.ask().status == "in_doubt"
    assert any(
        "without 'Call.begin()'" in record.getMessage()
        for record in caplog.records
        if record.name == "jackfield.connector"
    )


@pytest.mark.parametrize(
    "failure",
    [NotFound("no such file here"), ValueError("a bug"), Forbidden("no", sent=Sent.REFUSED)],
)
def test_b2_what_a_read_has_sent_decides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    """B2: a read that fails without a request is not blamed for announcing none: its outcome does
    not hang on it.
    """
    with runtime(tmp_path, scripted(Script(failure, begins=False), effect="read")) as board:
        assert board.ask().status == "failed"
    assert not any("Call.begin()" in record.getMessage() for record in caplog.records)


def test_b2_nothing_sent_is_believed(tmp_path: Path) -> None:
    """B2: an explicit "nothing was sent" wins: it is repeated, and is no attempt."""
    script = Script(Unavailable("refused", sent=Sent.NOTHING), begins=False)
    with runtime(tmp_path, scripted(script)) as board:
        result = board.ask()
    assert (result.status, script.tries, result.meta.attempts) == ("failed", TRIES, 0)


@pytest.mark.parametrize(
    ("effect", "status", "code"), [("read", "failed", "timeout"), ("write", "in_doubt", "in_doubt")]
)
def test_b4_each_begin_looks_at_the_deadline(
    tmp_path: Path, effect: Any, status: str, code: str
) -> None:
    """B4: a request that would begin after the deadline does not; a read ends as a timeout, not as
    our bug.
    """
    clock = FakeClock()
    script = Script(steps(lambda: clock.advance(61), lambda: now().begin(), lambda: "never"))
    with runtime(tmp_path, scripted(script, effect=effect), clock=clock) as board:
        result = board.ask()
    assert (result.status, result.error and result.error.code, script.tries) == (status, code, 1)


def test_b4_what_is_left_is_never_negative(tmp_path: Path) -> None:
    """B4: a client gets a timeout that sockets take, and one that is cut off by it is the
    deadline's doing.
    """
    clock, seen = FakeClock(), list[float]()

    def turn() -> Any:
        clock.advance(61)
        seen.extend((now().deadline.remaining(), now().remaining()))
        return BlockingIOError("would block")

    with runtime(tmp_path, scripted(Script(turn), effect="read"), clock=clock) as board:
        result = board.ask()
    assert (result.error and result.error.code, seen[0]) == ("timeout", 0.0)
    assert 0 < seen[1] < 0.1


@pytest.mark.parametrize("given", ["order-4711", None])
def test_b6_one_key_for_all_tries(tmp_path: Path, given: str | None) -> None:
    """B6: client and action see the invocation's id, and one key for all its tries: the caller's,
    else one of the invocation's own.
    """
    seen: list[tuple[str, str, str, str]] = []

    def turn() -> Any:
        context = script.clients[-1].context
        seen.append(
            (
                now().invocation_id,
                now().idempotency_key,
                context.invocation_id,
                context.idempotency_key,
            )
        )
        return RateLimited("slow", sent=Sent.REFUSED) if len(seen) < 3 else "done"

    script = Script(turn)
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with runtime(tmp_path, scripted(script), database_url=url) as board:
        first = board.ask(**({"idempotencyKey": given} if given else {}))
        board.jackfield.invoke(invocation())
    expected = given or first.meta.invocation_id
    assert set(seen[:3]) == {
        (first.meta.invocation_id, expected, first.meta.invocation_id, expected)
    }
    assert seen[3][1] not in (expected, "")


@pytest.mark.parametrize(
    ("passes", "status", "tries"), [(True, "succeeded", 2), (False, "in_doubt", 1)]
)
def test_b6_idempotent_by_its_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, passes: bool, status: str, tries: int
) -> None:
    """B6: an action that is idempotent by its key is repeated where the client asked for the key,
    else it is a write, and logged.
    """

    def turn() -> Any:
        if passes:
            assert now().idempotency_key
        return Unavailable("cut", sent=Sent.UNKNOWN)

    script = Script(turn, "done")
    with runtime(tmp_path, scripted(script, effect="idempotent", idempotent_by="key")) as board:
        assert (board.ask().status, script.tries) == (status, tries)
    assert ("idempotency_key" in caplog.text) is not passes


@pytest.mark.parametrize(
    "refusal",
    [NotFound("gone", sent=Sent.REFUSED), Conflict("there", sent=Sent.REFUSED)],
    ids=lambda error: error.code,
)
def test_a_repeat_that_finds_it_done(tmp_path: Path, refusal: JackfieldError) -> None:
    """After an unclear try, "not found" or "conflict" says that the earlier try may have done it;
    on a first try it does not.
    """
    cut = Unavailable("cut", sent=Sent.UNKNOWN)
    with runtime(tmp_path, scripted(Script(cut, refusal), effect="idempotent")) as board:
        error = board.ask().error
    assert error is not None
    assert (
        error.code,
        "an earlier attempt may have taken effect" in error.message,
        bool(error.details),
    ) == (refusal.code, True, True)
    plain = type(refusal)("plain", sent=Sent.REFUSED)
    with runtime(
        tmp_path / "plain",
        scripted(Script(RateLimited("slow", sent=Sent.REFUSED), plain), effect="idempotent"),
    ) as board:
        error = board.ask().error
    assert error is not None
    assert error.message == "plain"


def test_a_repeat_that_is_declared_fine(tmp_path: Path) -> None:
    """With ``repeat_ok`` such an answer is the success that the earlier try had; on a first try it
    is what it says.
    """
    gone = NotFound("gone", sent=Sent.REFUSED)
    options: Any = {"effect": "idempotent", "repeat_ok": ("not_found",), "gives_nothing": True}
    with runtime(
        tmp_path, scripted(Script(Unavailable("cut", sent=Sent.UNKNOWN), gone), **options)
    ) as board:
        result = board.ask()
    assert (result.status, result.output, result.meta.attempts) == ("succeeded", {}, 2)
    with runtime(tmp_path / "first", scripted(Script(gone), **options)) as board:
        assert board.ask().status == "failed"


def test_a_second_delivery_that_finds_it_done(tmp_path: Path) -> None:
    """What a worker that was lost may have done is not a plain failure for the worker that takes
    over.
    """
    gone = NotFound("gone", sent=Sent.REFUSED)
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with runtime(tmp_path, scripted(Script(gone), effect="idempotent"), database_url=url) as board:
        board.jackfield.enqueue(invocation())
        queue = Queue(board.jackfield.storage.database)
        (first,) = queue.claim(1)
        queue.give_back(first)
        (again,) = queue.claim(1)
        assert again.delivery == 2
        error = asyncio.run(board.jackfield.arun(again)).error
    assert error is not None
    assert error.message == "gone (an earlier attempt may have taken effect)"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"effect": "write", "idempotent_by": "key"}, "need the effect idempotent"),
        ({"effect": "read", "repeat_ok": ("not_found",)}, "need the effect idempotent"),
        ({"effect": "idempotent", "idempotent_by": "luck"}, "must be key"),
        ({"effect": "idempotent", "key_kept": 60}, "needs idempotent_by"),
        ({"effect": "idempotent", "idempotent_by": "key", "key_kept": 0}, "number of seconds"),
        ({"effect": "idempotent", "repeat_ok": ("rejected",)}, "not 'rejected'"),
        ({"effect": "idempotent", "repeat_ok": ("not_found",)}, "'text' has none"),
    ],
)
def test_declarations_of_repeats_are_judged(options: Any, told: str) -> None:
    """A word that does not go with the effect, one that is none, and an output without defaults are
    refused at once.
    """
    with pytest.raises(DeclarationError, match=told):
        scripted(Script(), **options)


def test_b12_an_error_map_that_fails_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """B12: the author sees the exception of the error map itself, without secrets; the caller does
    not.
    """

    def explain(_error: Exception, _client: object, _inputs: object) -> JackfieldError | None:
        raise KeyError("no s3cret-token here")

    with runtime(tmp_path, scripted(Script(ValueError("x")), explain=explain)) as board:
        result = board.ask()
    assert result.status == "in_doubt"
    (record,) = [record for record in caplog.records if record.name == "jackfield.connector"]
    text = record.getMessage()
    assert "the error map of the connector 'scripted' failed on a ValueError: KeyError" in text
    assert "s3cret-token" not in text


def test_b1_a_client_that_does_not_report_may_still_name_steps(tmp_path: Path) -> None:
    """B1: over a type that does not report its begin, entering counts as sent, and steps that are
    told count too.
    """

    def turn() -> Any:
        now().begin("create")
        now().answered("id-1")
        return RateLimited("slow", sent=Sent.REFUSED)

    script = Script(turn, begins=False)
    connections = {"front": {"type": "stage/silent", "values": {"token": "t"}}}
    with runtime(tmp_path, scripted(script, kinds=(Silent,)), connections=connections) as board:
        result = board.ask()
    assert (result.status, script.tries) == ("in_doubt", 1)
    assert result.error is not None
    assert "id-1" in result.error.details[0].message


@pytest.mark.parametrize(
    "failure",
    [
        Unavailable("it hung"),
        TimedOut("late"),
        ConnectionResetError("reset"),
        ValueError("garbled"),
        JackfieldError("odd"),
    ],
    ids=str,
)
def test_n1_a_type_that_reports_nothing_has_begun_from_the_start(
    tmp_path: Path, failure: Exception
) -> None:
    """N1: over a type without reports_begin, a write that fails without a word about what was sent
    is in doubt and not repeated.
    """
    script = Script(failure, "done", begins=False)
    connections = {"front": {"type": "stage/silent", "values": {"token": "t"}}}
    with runtime(tmp_path, scripted(script, kinds=(Silent,)), connections=connections) as board:
        result = board.ask()
    assert (result.status, script.tries, result.meta.attempts) == ("in_doubt", 1, 1)


@pytest.mark.parametrize("refusal", LATER[:2], ids=lambda error: error.message)
@pytest.mark.parametrize("kind", ["key", "silent"])
def test_n1_what_the_author_says_is_believed(
    tmp_path: Path, kind: str, refusal: JackfieldError
) -> None:
    """N1: an explicit REFUSED or NOTHING repeats a write whose earlier request nobody noted, as the
    docs say; one noted is kept.
    """
    silent = Script(refusal, "done", begins=False)
    noted = Script(steps(lambda: now().answered({"id": 1}), lambda: refusal), "done", begins=False)
    connections = {"front": {"type": f"stage/{kind}", "values": {"token": "t"}}}
    results = []
    for number, script in enumerate((silent, noted)):
        with runtime(tmp_path / str(number), scripted(script), connections=connections) as board:
            results.append((board.ask().status, script.tries))
    assert results == [("succeeded", 2), ("in_doubt", 1)]


@pytest.mark.parametrize(
    ("surface", "words"),
    [
        ("library", "'onDoubt': 'retry'"),
        ("cli", "'--on-doubt retry'"),
        ("http", "'onDoubt': 'retry'"),
        ("mcp", "Tell the person"),
        ("console", "page"),
    ],
)
def test_m15_a_doubt_names_the_surfaces_own_way_out(
    tmp_path: Path, surface: str, words: str
) -> None:
    """M15: the hint of a doubt speaks of the command line's option there, and of the page on the
    console, which names no member: it has a button for that.
    """
    import_module(
        {"mcp": "jackfield_service.subjects.mcp", "console": "jackfield_service.shell.pages"}.get(
            surface, "jackfield"
        )
    )  # a surface brings its words
    with runtime(tmp_path, scripted(Script(ConnectionResetError("reset")))) as board:
        hint = board.ask().to_json(surface)["error"]["hint"]
    assert words in hint
    assert ("onDoubt" in hint) is (surface != "console")


def test_a_failed_attempt_holds_no_memory_for_answers(tmp_path: Path) -> None:
    """What it had read is returned when it fails, not when a reference cycle through its exception
    is collected.
    """
    held: list[int] = []
    kept: list[Exception] = []

    def read_and_fail() -> None:
        whole_answer(bytes(65536) for _ in range(32))
        held.append(ANSWERS.used - before)
        kept.append(ValueError("unreadable"))
        kept[-1].args = (kept[-1], now())  # a cycle that holds the attempt
        raise kept[-1]

    gc.collect()
    before = ANSWERS.used
    with runtime(tmp_path, scripted(Script(read_and_fail))) as board:
        assert board.ask().status == "in_doubt"
    assert min(held) >= 30 * 65536
    assert ANSWERS.used == before
