"""What an invocation came to: ids, the JSON of Meta and Result, unwrapping, exit codes."""

from __future__ import annotations

import json
import re
import time
import uuid

import pytest

from jackfield import InvocationFailed, JackfieldError, Result
from jackfield.invocation import Meta, new_invocation_id
from jackfield.kernel.errors import (
    CODES,
    MAX_PROVIDER_DETAILS,
    Detail,
    IdempotencyConflict,
    InDoubt,
    InvalidInput,
    Provider,
    Rejected,
    nearest,
)
from together import at_once

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_STATUSES = {
    "invalid_invocation": 400,
    "unknown_connector": 404,
    "unknown_action": 404,
    "unknown_connection": 404,
    "invalid_input": 422,
    "invalid_connection": 422,
    "not_allowed": 403,
    "approval_required": 403,
    "unauthenticated": 502,
    "forbidden": 502,
    "not_found": 502,
    "conflict": 502,
    "rejected": 502,
    "rate_limited": 503,
    "quota_exceeded": 503,
    "unavailable": 503,
    "timeout": 504,
    "in_doubt": 504,
    "invalid_output": 500,
    "idempotency_conflict": 422,
    "cancelled": 409,
    "internal": 500,
}
_RETRYABLE = {"rate_limited", "unavailable", "timeout"}
_NOT_VALID = {
    "invalid_invocation",
    "unknown_connector",
    "unknown_action",
    "unknown_connection",
    "invalid_input",
    "invalid_connection",
    "idempotency_conflict",
    "not_allowed",
    "approval_required",
}


def test_ids_are_uuids_of_version_7() -> None:
    """An invocation's id is a UUIDv7 (RFC 9562 §5.7) whose first 48 bits are the time in
    milliseconds.
    """
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_invocation_id())
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(made))


def test_ids_differ_and_are_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand ids from four threads all differ, and one that is a fourth of a microsecond
    later sorts behind all earlier ones.
    """
    made = [
        one
        for some in at_once(4, lambda _: [new_invocation_id() for _ in range(2500)])
        for one in some
    ]
    assert len(set(made)) == 10_000
    moments = iter([1_700_000_000_000_000_000 + step * 250 for step in range(100)])
    monkeypatch.setattr("jackfield.invocation.result.time.time_ns", lambda: next(moments))
    later = [new_invocation_id() for _ in range(100)]
    assert later == sorted(later)


def test_meta_always_has_four_members() -> None:
    """Id, attempts, duration and replayed are always there; what is not known is left out."""
    assert Meta(_ID).to_json() == {
        "invocationId": _ID,
        "attempts": 0,
        "durationMs": 0.0,
        "replayed": False,
    }


def test_meta_in_full() -> None:
    """Every member has its name of the contract; ``complete: false`` is told, ``dryRun`` only where
    it is true.
    """
    meta = Meta(
        _ID,
        "echo",
        "1.0.0",
        "say",
        attempts=2,
        duration_ms=41.7,
        request_id="r-1",
        dry_run=True,
        complete=False,
        next={"nextToken": "t"},
    )
    assert meta.to_json() == {
        "invocationId": _ID,
        "connector": "echo",
        "connectorVersion": "1.0.0",
        "action": "say",
        "attempts": 2,
        "durationMs": 41.7,
        "requestId": "r-1",
        "replayed": False,
        "dryRun": True,
        "complete": False,
        "next": {"nextToken": "t"},
    }


def test_a_success_as_json() -> None:
    """A success has its output and no error; a dry run has neither."""
    assert Result("succeeded", Meta(_ID), output={"MessageId": "1"}).to_json() == {
        "status": "succeeded",
        "output": {"MessageId": "1"},
        "meta": Meta(_ID).to_json(),
    }
    assert Result("succeeded", Meta(_ID)).to_json().keys() == {"status", "meta"}


def test_a_failure_as_json() -> None:
    """A failure tells code, message, retryable, details, hint and what the provider said, and
    leaves out what there is not.
    """
    provider = Provider("MessageRejected", "No.", 400, "r-1")
    error = Rejected(
        "refused",
        details=[Detail("/to/0", "is wrong", "format"), Detail("/x", "too")],
        hint="Do it.",
        provider=provider,
    )
    assert Result("failed", Meta(_ID), error=error).to_json()["error"] == {
        "code": "rejected",
        "message": "refused",
        "retryable": False,
        "details": [
            {"path": "/to/0", "message": "is wrong", "keyword": "format"},
            {"path": "/x", "message": "too"},
        ],
        "hint": "Do it.",
        "provider": {
            "code": "MessageRejected",
            "message": "No.",
            "httpStatus": 400,
            "requestId": "r-1",
        },
    }
    assert Rejected("no").to_json() == {"code": "rejected", "message": "no", "retryable": False}
    assert Rejected("no", provider=Provider(http_status=400)).to_json()["provider"] == {
        "httpStatus": 400
    }


def test_h4_the_details_of_a_providers_error() -> None:
    """H4: further members of the provider's error are in its details, under its own names."""
    said = Provider(
        "ConditionalCheckFailed", details={"Item": {"k": {"S": "x"}}, "Reasons": [None, 1]}
    )
    assert said.to_json() == {
        "code": "ConditionalCheckFailed",
        "details": {"Item": {"k": {"S": "x"}}, "Reasons": [None, 1]},
    }
    assert Provider("X", details={}).to_json() == {"code": "X"}


def test_h4_the_details_of_a_providers_error_are_bounded() -> None:
    """H4: details are JSON of at most 16 KiB: members are left out that are none, and those that no
    longer fit.
    """
    fits = "x" * (MAX_PROVIDER_DETAILS - len('{"a":""}'))
    assert Provider(details={"a": fits}).details == {"a": fits}
    assert Provider(details={"a": fits + "x", "b": 1}).details == {"b": 1}
    assert Provider(
        details={"a": object(), "b": float("nan"), "c": chr(0xD800), "d": 1}
    ).details == {"d": 1}
    many = Provider(details={f"name {number}": "ü" * 50 for number in range(1000)}).details
    assert many is not None
    size = len(json.dumps(many, ensure_ascii=False, separators=(",", ":")).encode())
    assert MAX_PROVIDER_DETAILS - 200 < size <= MAX_PROVIDER_DETAILS


def test_unwrap_gives_the_output() -> None:
    """The output of a success comes out; of a dry run, an empty object."""
    assert Result("succeeded", Meta(_ID), output={"a": 1}).unwrap() == {"a": 1}
    assert Result("succeeded", Meta(_ID)).unwrap() == {}


@pytest.mark.parametrize(
    ("status", "error"),
    [("failed", InvalidInput("1 input is not valid")), ("in_doubt", InDoubt("sent"))],
)
def test_unwrap_raises_what_is_no_success(status: str, error: JackfieldError) -> None:
    """A failure and a doubt are raised, with the whole Result and a text that names the code."""
    result = Result("failed" if status == "failed" else "in_doubt", Meta(_ID), error=error)
    with pytest.raises(InvocationFailed, match=f"{error.code}: {error.message}") as caught:
        result.unwrap()
    assert caught.value.result is result


def test_exit_codes() -> None:
    """0 succeeded, 3 in doubt, 2 for what is not valid or not known, 1 for any other failure, 4
    waiting (contract §6).
    """
    assert Result("succeeded", Meta(_ID)).exit_code == 0
    assert Result("waiting", Meta(_ID)).exit_code == 4
    expected = {code: 3 if code == "in_doubt" else 2 if code in _NOT_VALID else 1 for code in CODES}
    assert {
        code: Result("failed", Meta(_ID), error=kind("x")).exit_code for code, kind in CODES.items()
    } == expected


def test_the_table_of_codes() -> None:
    """Each code of contract §3 has its class, its HTTP status and its word on retrying."""
    assert {code: kind("x").http_status for code, kind in CODES.items()} == _STATUSES
    assert {code for code, kind in CODES.items() if kind("x").retryable} == _RETRYABLE
    running = IdempotencyConflict("still running", running=True)
    assert (running.http_status, running.retryable, running.to_json()["retryable"]) == (
        409,
        True,
        True,
    )


@pytest.mark.parametrize("kind", CODES.values())
def test_an_error_is_read_back(kind: type[JackfieldError]) -> None:
    """The JSON of an error makes an error of the same class that writes the same JSON."""
    said = kind(
        "words",
        details=[Detail("/a", "b", "c"), Detail("/d", "e")],
        hint="Do.",
        provider=Provider("X", "y", 400, "r", {"Item": {"k": [1]}}),
    )
    again = JackfieldError.from_json(said.to_json())
    assert type(again) is kind
    assert again.to_json() == said.to_json()
    assert JackfieldError.from_json({**kind("words").to_json(), "retryable": True}).retryable


@pytest.mark.parametrize(
    "result",
    [
        Result("succeeded", Meta(_ID), output={"a": [1]}),
        Result("succeeded", Meta(_ID, dry_run=True)),
        Result(
            "failed",
            Meta(_ID, "echo", "1.0", "say", 2, 1.5, "r", complete=False),
            error=Rejected("no"),
        ),
        Result("succeeded", Meta(_ID, complete=False, next={"nextToken": "t"}), output={"a": [1]}),
        Result("in_doubt", Meta(_ID, replayed=True), error=InDoubt("sent")),
    ],
)
def test_a_result_is_read_back(result: Result) -> None:
    """The JSON of a Result makes a Result that writes the same JSON."""
    assert Result.from_json(result.to_json()).to_json() == result.to_json()


def test_texts_of_errors_teach() -> None:
    """``str`` reads out message, details and hint; ``repr`` is one line."""
    error = InvalidInput(
        "2 inputs are not valid",
        details=[Detail("/to/0", "is wrong"), Detail("", "is too short")],
        hint="Look it up.",
    )
    assert str(error) == "2 inputs are not valid\n  /to/0: is wrong\n  /: is too short\nLook it up."
    assert repr(error) == "InvalidInput('2 inputs are not valid')"


def test_repr_of_a_result_tells_no_output() -> None:
    """Neither output nor message shows in the text of a Result; status, code and id do."""
    assert (
        repr(Result("succeeded", Meta(_ID), output={"a": "private"})) == f"<Result succeeded {_ID}>"
    )
    assert (
        repr(Result("failed", Meta(_ID), error=InvalidInput("private")))
        == f"<Result failed invalid_input {_ID}>"
    )
    assert (
        repr(Result("in_doubt", Meta(_ID), error=InDoubt("private"))) == f"<Result in_doubt {_ID}>"
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("SENDEMAIL", "sendEmail"),
        ("sendEmial", "sendEmail"),
        ("listIdentity", "listIdentities"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest_names(name: str, found: str | None) -> None:
    """Another case and a slip of the finger find the name; something else finds none."""
    assert nearest(name, ["sendEmail", "listIdentities"]) == found
