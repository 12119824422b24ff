"""Conformance rules that run a connector's actions against a loopback provider, which refuses,
resets and hangs on demand.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from jackfield.call.errors_map import Unmapped
from jackfield.connector import Action, Guard, Sent, Step
from jackfield.kernel.failures import Raised, attempt
from jackfield.redaction.redactor import Redactor
from jackfield_market.testing.driving import (
    PATIENCE,
    SECRET,
    Drive,
    drivable,
    drive,
    once,
    runnable,
    server_kind,
    server_type,
    would_repeat,
)
from jackfield_market.testing.loopback_provider import DRIP, HANG, RESET, Answer, Script
from jackfield_market.testing.outputs import output_faults, varied, with_inputs
from jackfield_market.testing.playing import expected, run_well
from jackfield_market.testing.subject import Rule, Subject, Tier

_REFUSALS = {
    400: None,
    401: "unauthenticated",
    403: "forbidden",
    404: None,
    409: None,
    422: None,
    429: "rate_limited",
}
_SAID_BY_403 = ("unauthenticated", "rate_limited")
"""Errors that a 403 may also mean: DeepL sends 403 for wrong keys, Hunter for requests over the
rate limit.
"""
_FAILURES = (500, 502, 503, 504)
_RETRY_AFTER = 7
_SHORT_DEADLINE = 0.4
"""Deadline of an attempt that hangs, in seconds."""
_AGAIN = 1.5
"""Deadline of a repeated attempt, in seconds."""
_LAST = 5.0
"""Deadline of the last repetition, in seconds; it is long enough for a busy machine."""
_AT_ONCE = 12
"""Maximum number of concurrent attempts that last as long as their deadline."""
_ENDLESS: Mapping[str, str] = {HANG: "hangs", DRIP: "sends single bytes"}
_LEFT_OUT = 0.25
"""Maximum share of the actions that may be left out."""
_THROTTLE = Answer(status=429)
_BROKEN = {"not JSON": Answer(content=b"<html>"), "cut": Answer(missing=100)}
"""Broken responses to a request that the provider has accepted."""

_Row = tuple[Action, Mapping[str, Any], str]
Judge = Callable[[Subject, Action, Mapping[str, Any]], Iterator[str]]


def _each(judge: Judge, subject: Subject) -> Iterator[str]:
    for action, example in drivable(subject, hanging=judge is _output_is_declared):
        if judge is not _output_is_declared and run_well(subject, action, example).tells_all:
            continue
        yield from (f"'{action.key}' {fault}" for fault in judge(subject, action, example))


def _run_with_status(
    subject: Subject, action: Action, example: Mapping[str, Any], status: int
) -> Drive:
    """Run the action against a provider that answers every request with an error status."""
    answer = Answer(
        {"message": "no"}, status, {"Retry-After": str(_RETRY_AFTER)} if status == 429 else {}
    )
    return once(
        subject,
        action,
        f"status {status}",
        lambda: drive(subject, action, example, _constant(answer)),
    )


def _reset(subject: Subject, action: Action, example: Mapping[str, Any]) -> Drive:
    return once(subject, action, "reset", lambda: drive(subject, action, example, _constant(RESET)))


def _constant(answer: Any) -> Script:
    return lambda _number, _request: answer


def _opens(subject: Subject, action: Action, example: Mapping[str, Any]) -> Iterator[str]:
    found = run_well(subject, action, example)
    if found.client is None:
        yield f"cannot be opened: {found.raised!r}"
    if found.opened:
        yield f"has a connection that sends {found.opened} requests on opening"


def _output_is_declared(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    found = run_well(subject, action, example)
    if not found.ended:
        yield (
            f"has not ended after {PATIENCE:.0f} seconds, although the provider has returned "
            "the example's output"
        )
    elif found.raised is not None:
        when = (
            "before its first request"
            if found.tells_all
            else "although the provider returns the example's output"
        )
        yield f"fails {when}: {found.raised!r}"
    else:
        faults = [*output_faults(subject, action, found)]
        yield from faults
        for inputs in () if faults else varied(subject, action, example):
            other = drive(subject, action, with_inputs(example, inputs), expected(subject, example))
            for fault in (
                output_faults(subject, action, other)
                if other.ended and other.raised is None
                else ()
            ):
                yield f"{fault}, with the inputs {json.dumps(inputs)[:200]}"


def _requests_are_announced(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    found, kind = run_well(subject, action, example), server_kind(subject)
    sent = found.requests[found.opened :]
    reports = kind is not None and kind.reports_begin
    several = action.effect == "write" and any(request.changes for request in sent[:-1])
    if (reports or several) and found.call.requests < len(sent):
        text = f"sends {len(sent)} requests and calls begin() {found.call.requests} times"
        yield (
            text
            if reports
            else (
                f"{text}: its connection type needs 'reports_begin', because a refusal of the "
                "last request would repeat the others"
            )
        )


def _accepted_is_not_repeated(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    if action.effect != "write" or action.key in subject.safe_posts:
        return
    well = run_well(subject, action, example)
    changed = ""
    for number, request in enumerate(well.requests[well.opened :], well.opened + 1):
        name = f"{request.method} {request.path.partition('?')[0]}"
        if changed and would_repeat(
            subject,
            drive(subject, action, example, _at(number, _THROTTLE, expected(subject, example))),
        ):
            yield f"would repeat its accepted {changed} if a later request, {name}, is refused"
        if not request.changes:
            continue
        changed = name
        for text, answer in _BROKEN.items():
            if would_repeat(
                subject,
                drive(subject, action, example, _at(number, answer, expected(subject, example))),
            ):
                yield f"reports its accepted {name} as not executed if the response is {text}"


def _at(number: int, answer: Answer, well: Script) -> Script:
    """Return a script that gives ``answer`` to request ``number``, and plays ``well`` for the other
    requests.
    """
    return lambda at, request: answer if at == number else well(at, request)


class _Rebinding(Guard):
    """Guard during DNS rebinding: the name had a harmless address when it was checked, and resolves
    to an internal one on connect.
    """

    __slots__ = ()

    def check(self, host: str, path: str = "") -> None:
        """Accept every name."""


def _guard_is_asked(subject: Subject, action: Action, example: Mapping[str, Any]) -> Iterator[str]:
    if drive(subject, action, example, expected(subject, example), guard=_Rebinding()).requests:
        yield (
            "reaches an address that the guard refuses: connect with "
            "'context.guard.connect', or to an address from 'guard.resolve'"
        )


def _safe_is_safe(subject: Subject, action: Action, example: Mapping[str, Any]) -> Iterator[str]:
    found = run_well(subject, action, example)
    changing = [request.method for request in found.requests if request.changes]
    if (
        found.call.requests
        and changing
        and not found.call.changes
        and action.key not in subject.safe_posts
    ):
        yield f"calls begin(safe=True) for a {changing[0]}"


def _effects_fit(subject: Subject, action: Action, example: Mapping[str, Any]) -> Iterator[str]:
    methods = {
        request.method for request in run_well(subject, action, example).requests if request.changes
    }
    if action.effect == "read" and methods and action.key not in subject.safe_posts:
        yield f"is declared as a read but sends {', '.join(sorted(methods))}"
    if (
        action.effect == "idempotent"
        and "POST" in methods
        and action.idempotent_by is None
        and action.key not in subject.safe_posts
    ):
        yield "is declared as idempotent but sends a POST without idempotent_by"


def _actions_are_quiet(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    found = run_well(subject, action, example)
    if found.printed:
        yield f"prints {found.printed[:80]!r}"


def _secrets_stay_inside(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    found = run_well(subject, action, example)
    if any(SECRET in request.path for request in found.requests) and not _is_keyed_by_url(subject):
        yield "puts a secret into a URL, which proxies and logs record"
    if SECRET in repr(found.client):
        yield "has a client whose repr shows a secret"
    masks = Redactor([SECRET])
    if not isinstance(found.answer, Raised) and masks.holds(
        json.dumps(found.answer, ensure_ascii=False)
    ):
        yield "returns a secret of its connection in its output"
    refused = _run_with_status(subject, action, example, 401).error
    if refused is not None and masks.holds(
        f"{refused.message} {refused.hint or ''} {refused.details}"
    ):
        yield "shows a secret of its connection in the error for a 401"


def _is_keyed_by_url(subject: Subject) -> bool:
    """Return whether the manifest declares that the provider reads the API key from the URL, so
    that the author has no choice.
    """
    used = server_type(subject.manifest, subject.values, subject.connection)
    rows = [
        row["http"]["credentials"]
        for row in subject.manifest.raw["connectionTypes"]
        if row["key"] == used and "http" in row
    ]
    return any(part.get("in") in ("query", "path") for credentials in rows for part in credentials)


def _keys_are_passed_on(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    if action.idempotent_by != "key":
        return
    found = run_well(subject, action, example)
    key = found.call.key.value
    texts = [
        " ".join((*request.headers.values(), request.path))
        + request.body.decode("utf-8", "replace")
        for request in found.requests
    ]
    if not any(key in text for text in texts):
        yield "is idempotent by key but does not send Call.idempotency_key"


def _one_try_is_one(subject: Subject, action: Action, example: Mapping[str, Any]) -> Iterator[str]:
    given = (subject, action, example)
    for what, found in {
        "a 500": _run_with_status(*given, 500),
        "a 429": _run_with_status(*given, 429),
        "a reset": _reset(*given),
    }.items():
        if len(found.requests) - found.opened > 1:
            yield f"retries its request after {what}: only the runtime may retry"
            return


def _refusals_are_explained(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    for status, code in _REFUSALS.items():
        found = _run_with_status(subject, action, example, status)
        error = found.error
        yield from _explained(found, f"a {status}", {Sent.REFUSED})
        others = _SAID_BY_403 if status == 403 else ()
        if (
            error is not None
            and code is not None
            and not isinstance(error, Unmapped)
            and error.code not in (code, *others)
        ):
            yield f"maps a {status} to '{error.code}', not '{code}'"


def _failures_are_explained(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    for status in _FAILURES:
        yield from _explained(
            _run_with_status(subject, action, example, status), f"a {status}", {Sent.UNKNOWN}
        )


def _broken_connections_are_explained(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    yield from _explained(_reset(subject, action, example), "a reset", {Sent.UNKNOWN})
    # bound and not listening: refuses, and no other process can get its port
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        refused = drive(
            subject,
            action,
            example,
            _constant(RESET),
            port=f"http://127.0.0.1:{deaf.getsockname()[1]}",
        )
    yield from _explained(refused, "a refused connection", {Sent.NOTHING})


def _explained(found: Drive, what: str, sent: set[Sent]) -> Iterator[str]:
    error = found.error
    if not found.ended:
        yield f"does not end after {what}"
    elif error is None:
        yield f"treats {what} as a success"
    elif isinstance(error, Unmapped):
        yield f"does not explain {what}: {type(error.cause).__name__}"
    elif not error.tells_sent:
        yield f"does not set 'sent' for {what}"
    elif error.sent not in sent:
        yield f"sets 'sent' to {error.sent.name} for {what}"


def _deadlines_are_kept(subject: Subject) -> Iterator[str]:
    """Yield the faults of concurrent attempts that never get a whole response.

    Attempts with a fault are repeated with longer deadlines, since the machine may be busy.
    """
    rows = [(action, example, step) for action, example in drivable(subject) for step in _ENDLESS]
    for seconds in (_SHORT_DEADLINE, _AGAIN):
        rows = [row for row, faults in _held(subject, rows, seconds) if faults]
    for (action, _, _), faults in _held(subject, rows, _LAST, may_be_unsent=True):
        yield from (f"'{action.key}' {fault}" for fault in faults)


def _held(
    subject: Subject, rows: Sequence[_Row], seconds: float, *, may_be_unsent: bool = False
) -> list[tuple[_Row, list[str]]]:
    """Run each action against a provider that never finishes its response; return the faults of
    each attempt.

    With ``may_be_unsent``, a deadline that passed before the provider got any request is no fault:
    the machine was too slow.
    """

    def faults(row: _Row) -> list[str]:
        action, example, step = row
        found = drive(subject, action, example, _constant(step), seconds=seconds, captured=False)
        sent = (
            {Sent.UNKNOWN, Sent.NOTHING} if may_be_unsent and not found.requests else {Sent.UNKNOWN}
        )
        return list(_overrun(found, _ENDLESS[step], sent))

    with contextlib.redirect_stdout(io.StringIO()), ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(zip(rows, pool.map(faults, rows), strict=True))


def _overrun(found: Drive, what: str, sent: set[Sent]) -> Iterator[str]:
    if not found.ended:
        yield f"continues after its deadline if the provider {what}"
    elif found.error is not None or {request.method for request in found.requests} != {"HEAD"}:
        # whose response is its header
        yield from _explained(found, f"a provider that {what}", sent)


def _retry_after_is_read(
    subject: Subject, action: Action, example: Mapping[str, Any]
) -> Iterator[str]:
    error = _run_with_status(subject, action, example, 429).error
    if error is not None and error.retry_after != _RETRY_AFTER:
        yield "does not pass on the Retry-After of a 429"


def _error_map_holds(subject: Subject) -> Iterator[str]:
    explain = subject.connector.explain
    strange: tuple[Exception, ...] = (
        ValueError("x"),
        KeyError("x"),
        OSError(5, "x"),
        TimeoutError(),
        ConnectionResetError(),
        UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    )
    for cause in strange:
        found = attempt(explain, cause, None, None) if explain is not None else None
        if isinstance(found, Raised):
            yield _fault(cause, found.error)
    for action, example in drivable(subject):
        for status in (400, 422, 500):
            faults = drive(subject, action, example, _constant(Answer({}, status))).map_faults
            yield from (f"'{action.key}', a {status}: {fault}" for fault in faults)


def _fault(cause: Exception, error: Exception) -> str:
    return f"the error map raises {type(error).__name__} for a {type(cause).__name__}"


def _tests_change_nothing(subject: Subject) -> Iterator[str]:
    example: Mapping[str, Any] = next((example for _, example in drivable(subject)), {"result": {}})
    for request in drive(subject, None, example, expected(subject, example)).requests:
        if request.changes and subject.connection not in subject.safe_posts:
            yield f"the connection test sends a {request.method}"


def _tests_refuse(subject: Subject) -> Iterator[str]:
    example: Mapping[str, Any] = next((example for _, example in drivable(subject)), {"result": {}})
    found = drive(subject, None, example, _constant(Answer({"message": "no"}, 401)))
    if found.raised is None and all(
        step.passed for step in found.output or () if isinstance(step, Step)
    ):
        yield (
            "the connection test passes although the provider responds to every request with a 401"
        )


def _no_credentials(subject: Subject) -> str | None:
    """Return a reason if the connection type has no credentials that a provider could refuse; else
    None.
    """
    used = subject.manifest.connection_types.get(
        server_type(subject.manifest, subject.values, subject.connection) or ""
    )
    return (
        "the connection type has no credentials"
        if used is not None and used.auth == "none"
        else None
    )


def _tests_end(subject: Subject) -> Iterator[str]:
    example: Mapping[str, Any] = next((example for _, example in drivable(subject)), {"result": {}})
    for step, what in _ENDLESS.items():
        if not drive(subject, None, example, _constant(step), seconds=_SHORT_DEADLINE).ended:
            yield f"the connection test continues after its deadline if the provider {what}"


def _actions_are_run(subject: Subject) -> Iterator[str]:
    actions = [action for action in subject.connector.actions.values() if action.takes_client]
    run = {action.key for action, _ in runnable(subject)}
    missing = [action.key for action in actions if action.key not in run]
    if len(missing) > len(actions) * _LEFT_OUT:
        why = next(
            (f" ({subject.left_out[key]})" for key in missing if key in subject.left_out), ""
        )
        yield f"{len(missing)} of {len(actions)} actions are not run{why}: {', '.join(missing[:5])}"


def _rule(name: str, says: str, judge: Judge, tier: Tier, cure: str) -> Rule:
    return Rule(name, says, partial(_each, judge), tier, cure, drives=True)


_BEGIN = (
    "Call begin() before each request, right before its first byte leaves, and answered() "
    "after one that succeeded."
)
_SENT = (
    "Set 'sent' in the error map: REFUSED after a 4xx, NOTHING after a refused connection, "
    "UNKNOWN after all else."
)

BEHAVIOUR = (
    _rule(
        "opening-sends-nothing",
        "Opening a connection succeeds and sends no request.",
        _opens,
        "bronze",
        "Have open() build the client only; the action or the test sends the first request.",
    ),
    _rule(
        "output-is-declared",
        "An action returns its declared Output model, as JSON of at most 32 MiB, whatever its "
        "inputs choose.",
        _output_is_declared,
        "bronze",
        "Return the model, with every required member, from each branch; return large content as "
        "an OutputFile. Where the response "
        "has another form than the output, give it as 'answers' in tool.jackfield.check.",
    ),
    _rule(
        "requests-are-announced",
        "Each request is announced with begin(), if a write sends several or the connection type "
        "sets reports_begin.",
        _requests_are_announced,
        "bronze",
        _BEGIN,
    ),
    _rule(
        "accepted-is-not-repeated",
        "An accepted request is neither reported as unsent nor repeated.",
        _accepted_is_not_repeated,
        "bronze",
        f"{_BEGIN} {_SENT}",
    ),
    _rule(
        "guard-is-asked",
        "A client connects only to addresses that the guard allows.",
        _guard_is_asked,
        "bronze",
        "Connect with context.guard.connect, or to an address that context.guard.resolve returned.",
    ),
    _rule(
        "safe-is-safe",
        "begin(safe=True) is called only for requests that change nothing.",
        _safe_is_safe,
        "bronze",
        "Pass safe=True for GET, HEAD and OPTIONS only; list a POST that reads in 'safe-posts'.",
    ),
    _rule(
        "effects-fit-methods",
        "An action's effect matches the HTTP methods that it sends.",
        _effects_fit,
        "bronze",
        "Declare the effect 'write'; list a POST that reads in 'safe-posts'.",
    ),
    _rule(
        "actions-are-quiet",
        "Actions print nothing.",
        _actions_are_quiet,
        "bronze",
        "Use logging instead of print.",
    ),
    _rule(
        "secrets-stay-inside",
        "No client's repr, output or error contains a secret, and no URL, except for an API key "
        "that the manifest declares in the query.",
        _secrets_stay_inside,
        "bronze",
        "Send the secret in a header, give the client a __repr__ without values, and return what "
        "callers need only.",
    ),
    _rule(
        "keys-are-passed-on",
        "An action that is idempotent by key sends the key.",
        _keys_are_passed_on,
        "bronze",
        "Send current_call().idempotency_key as the provider expects it.",
    ),
    _rule(
        "one-try-is-one-request",
        "A client does not retry requests by itself.",
        _one_try_is_one,
        "bronze",
        "Disable the client library's retries: the runtime retries what is safe to retry.",
    ),
    _rule(
        "refusals-are-explained",
        "Each 4xx is explained as a refusal, with the matching error code.",
        _refusals_are_explained,
        "silver",
        _SENT,
    ),
    _rule(
        "failures-are-explained",
        "A 5xx is explained as an unknown outcome.",
        _failures_are_explained,
        "silver",
        _SENT,
    ),
    _rule(
        "broken-connections-are-explained",
        "A connection reset is explained as an unknown outcome, a refused connection as nothing "
        "sent.",
        _broken_connections_are_explained,
        "silver",
        _SENT,
    ),
    Rule(
        "deadlines-are-kept",
        "An attempt ends at its deadline, whatever the provider does.",
        _deadlines_are_kept,
        "silver",
        "Use current_call().remaining() as the timeout of each request, and read the body "
        "through bounded_answer.",
        drives=True,
    ),
    _rule(
        "retry-after-is-read",
        "The Retry-After of a 429 is passed on.",
        _retry_after_is_read,
        "gold",
        "Set 'retry_after' of the error, in seconds, from the header Retry-After.",
    ),
    Rule(
        "error-map-holds",
        "The error map raises no exception.",
        _error_map_holds,
        "bronze",
        "Have explain() return None for unknown exceptions, and handle any response body.",
        drives=True,
    ),
    Rule(
        "tests-change-nothing",
        "The connection test sends only requests that change nothing.",
        _tests_change_nothing,
        "bronze",
        "Read something in test() instead.",
        drives=True,
    ),
    Rule(
        "tests-refuse-bad-credentials",
        "The connection test fails if the provider refuses the credentials.",
        _tests_refuse,
        "silver",
        "Send one request that needs the credentials in the connection type's test().",
        drives=True,
        reason=_no_credentials,
    ),
    Rule(
        "tests-end",
        "The connection test ends at its deadline, whatever the provider does.",
        _tests_end,
        "silver",
        "Use current_call().remaining() as the timeout of each request of test(), and read the "
        "body through bounded_answer.",
        drives=True,
    ),
    Rule(
        "actions-are-run",
        "At least three quarters of the actions that take a client are run against the loopback "
        "provider.",
        _actions_are_run,
        "gold",
        "Give each action an example; 'left-out' below [tool.jackfield.check] names at most a "
        "quarter of them, with reasons.",
        drives=True,
    ),
)
