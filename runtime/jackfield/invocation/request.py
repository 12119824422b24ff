"""The Invocation (docs/reference/invocation.md), and the validation of its members."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from jackfield.kernel.clock import written
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import (
    Detail,
    InvalidInvocation,
    JackfieldError,
    first_faults,
    unknown_members,
)
from jackfield.kernel.failures import Raised, attempt, value_of
from jackfield.kernel.frames import bordered
from jackfield.kernel.hints import NextStep
from jackfield.kernel.pointers import pointer
from jackfield.kernel.secrecy import SecretHolder

DEFAULT_TIMEOUT = 60.0
"""Default deadline in seconds, for waiting, STS, retries and pages together."""
MAX_TIMEOUT = 900.0
"""Maximum deadline in seconds."""
FIRST_POLL = 1.0
"""Seconds from a job's start to its first poll."""
DEFAULT_JOB_TIMEOUT, MAX_JOB_TIMEOUT = 86_400.0, 30 * 86_400.0
"""Maximum seconds of a job from its start: the default and the limit."""

_MEMBERS = (
    "connector",
    "action",
    "connection",
    "inputs",
    "idempotencyKey",
    "timeoutSeconds",
    "dryRun",
    "connectorVersion",
    "onDoubt",
    "partial",
    "repeat",
    "select",
    "maxBytes",
    "context",
    "notBefore",
    "notAfter",
    "priority",
    "jobTimeoutSeconds",
    "trace",
)
MAX_LABELS = 100
MAX_OUTPUT_BYTES = 1024 * 1024
"""Upper limit of ``maxBytes``."""
DEFAULT_PRIORITY, MAX_PRIORITY = 5, 9
"""Default and maximum priority of queued invocations; higher priorities start first."""
_CONTEXT_MEMBERS = ("traceparent", "correlationId", "notify", "labels")
_NO_NAME = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_SAYS_NO_NAME = (
    "contains control characters or an unpaired surrogate, which are not allowed in a name"
)
_MAX_VERSION_LENGTH = 200
"""Maximum characters of a version specifier: packaging takes half a second for a specifier of 250
kB.
"""
_SIMPLE = frozenset({"connector", "action", "connection", "inputs", "maxBytes"})
_INLINE = frozenset({"type", "values"})


@dataclass(frozen=True, slots=True, repr=False)
class Invocation(SecretHolder):
    """One request to run an action. ``connection`` is a name, inline ``{"type", "values"}`` or
    None; ``inputs`` are as received.
    """

    connector: str
    action: str
    inputs: Mapping[str, Any]
    connection: str | Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT
    dry_run: bool = False
    connector_version: str | None = None
    on_doubt: Literal["report", "settle", "retry"] = "report"
    partial: Literal["warn", "fail"] = "warn"
    """Status of a partial success: a success with a warning, or a failure."""
    repeat: bool = False
    """True to run the invocation although an equal write without a key is open."""
    select: str | None = None
    """JMESPath expression of the part of the output that the caller wants; None means the whole
    output.
    """
    max_bytes: int | None = None
    """Maximum bytes of the output as JSON; a larger output becomes a file. None: no limit."""
    context: Mapping[str, Any] = field(default_factory=dict)
    not_before: float | None = None
    """Seconds since 1970 before which a queued invocation does not start."""
    not_after: float | None = None
    """Seconds since 1970 from which a queued invocation no longer starts."""
    priority: int | None = None
    """Priority in the queue, 0 to 9; None if not given."""
    job_timeout_seconds: float | None = None
    """Maximum seconds of a job; None if not given."""
    trace: bool = False
    """True to record the bodies of the provider's exchanges, however the call ends."""
    about: Any = None
    """Value that all calls with its key must share, in place of the inputs; None: the inputs. The
    action declares this value and the fields below.
    """
    formerly: Callable[[], Any] | None = None
    """Function that returns ``about`` as an earlier version has recorded it; None if that was the
    same.
    """
    kept_for: float | None = None
    """Seconds for which an ended invocation holds its key; None: by the settings."""
    key_space: str = ""
    """Space of the idempotency key. Only jackfield sets one, for keys that it makes: no key of a
    caller equals one of these.
    """

    def __repr__(self) -> str:  # inputs and inline values stay out of logs
        return f"Invocation({self.connector!r}, {self.action!r})"

    @classmethod
    @bordered
    def from_json(cls, data: object) -> Invocation:
        """Parse an invocation and validate its own members. The action's schema validates the
        inputs later.

        :raises InvalidInvocation: with all faults at once.
        """
        found = attempt(parse_invocation, data)
        if isinstance(found, Raised) and not isinstance(
            found.error, (JackfieldError, RecursionError, MemoryError)
        ):
            raise unreadable(data)
        return value_of(found)


def unreadable(data: object) -> InvalidInvocation:
    """Return the error for an invocation of a host's own class whose code raises."""
    about = (
        f"'{type(data).__name__[:80]}', or the class of a value in it, raises an exception "
        "as it is read"
    )
    return InvalidInvocation(
        f"an invocation must be a JSON object; {about}", hint="Give a dict of plain values."
    )


def parse_invocation(data: object) -> Invocation:
    """Parse an invocation as ``from_json`` does, for callers inside the runtime."""
    # dict first: isinstance with an abstract class is slow
    if not isinstance(data, (dict, Mapping)):
        raise InvalidInvocation(
            f"an invocation must be a JSON object, not {_json_type(data)}",
            hint='Send {"connector": …, "action": …, "inputs": {…}}.',
        )
    if _is_simple(data):
        return Invocation(
            data["connector"],
            data["action"],
            data["inputs"],
            data.get("connection"),
            max_bytes=data.get("maxBytes"),
        )
    faults = first_faults(_faults(data))
    if faults:
        count = (
            "1 member of the invocation is"
            if len(faults) == 1
            else f"{len(faults)} members of the invocation are"
        )
        raise InvalidInvocation(
            f"{count} not valid", details=faults, hint=NextStep("invocation_schema")
        )
    return Invocation(
        connector=data["connector"],
        action=data["action"],
        inputs=data.get("inputs") or {},
        connection=data.get("connection"),
        idempotency_key=data.get("idempotencyKey"),
        timeout_seconds=float(data.get("timeoutSeconds", DEFAULT_TIMEOUT)),
        dry_run=data.get("dryRun", False),
        connector_version=data.get("connectorVersion"),
        on_doubt=data.get("onDoubt", "report"),
        partial=data.get("partial", "warn"),
        repeat=data.get("repeat", False),
        select=data.get("select"),
        max_bytes=_whole(data.get("maxBytes")),
        context=data.get("context") or {},
        not_before=_moment(data.get("notBefore")),
        not_after=_moment(data.get("notAfter")),
        priority=_whole(data.get("priority")),
        job_timeout_seconds=data.get("jobTimeoutSeconds"),
        trace=data.get("trace", False),
    )


def _json_type(value: object) -> str:
    names: dict[type, str] = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else "something else"
    )


def _is_simple(data: Mapping[str, Any]) -> bool:
    """Return whether the invocation has only the most common members, all valid.

    This check takes a tenth of the time of the search for faults.
    """
    find = data.get
    return (
        data.keys() <= _SIMPLE
        and type(connector := find("connector")) is str
        and type(action := find("action")) is str
        and connector.isprintable()
        and action.isprintable()
        and connector != ""
        and action != ""
        and type(find("inputs")) is dict
        and (
            "maxBytes" not in data
            or (type(most := data["maxBytes"]) is int and 1 <= most <= MAX_OUTPUT_BYTES)
        )
        and (
            ((connection := find("connection")) is None and "connection" not in data)
            or _is_name(connection)
            or _is_inline(connection)
        )
    )


def _is_name(value: object) -> bool:
    return type(value) is str and value.isprintable() and value != ""


def _is_inline(value: object) -> bool:
    return (
        type(value) is dict
        and value.keys() == _INLINE
        and type(value["type"]) is str
        and type(value["values"]) is dict
    )


def _faults(data: Mapping[str, Any]) -> Iterator[Detail]:
    yield from unknown_members(data, _MEMBERS, "an invocation")
    for name in ("connector", "action"):
        if name not in data:
            yield Detail(f"/{name}", f"'{name}' is missing", "required")
        elif not isinstance(data[name], str) or not data[name]:
            yield Detail(f"/{name}", "must be a non-empty string", "type")
        elif _NO_NAME.search(data[name]):
            yield Detail(f"/{name}", _SAYS_NO_NAME, "pattern")
    if not isinstance(data.get("inputs", {}), Mapping):
        yield Detail("/inputs", f"must be an object, not {_json_type(data['inputs'])}", "type")
    yield from _connection_faults(data)
    yield from _option_faults(data)
    yield from _moment_faults(data)
    yield from _context_faults(data.get("context", {}))


def _connection_faults(data: Mapping[str, Any]) -> Iterator[Detail]:
    if "connection" not in data:
        return
    given = data["connection"]
    if isinstance(given, str):
        if not given:
            yield Detail("/connection", "must not be empty", "minLength")
        elif _NO_NAME.search(given):
            yield Detail("/connection", _SAYS_NO_NAME, "pattern")
    elif not isinstance(given, Mapping):
        yield Detail(
            "/connection",
            f"must be a connection's name or an object, not {_json_type(given)}",
            "type",
        )
    else:
        for name in given:
            if name not in ("type", "values"):
                text = (
                    f"'{str(name)[:80]}' is not a member of an inline connection; it has "
                    "only 'type' and 'values'"
                )
                yield Detail(pointer("connection", str(name)), text, "additionalProperties")
        if not isinstance(given.get("type"), str):
            yield Detail(
                "/connection/type",
                "must name a connection type",
                "required" if "type" not in given else "type",
            )
        if not isinstance(given.get("values", {}), Mapping):
            yield Detail(
                "/connection/values",
                f"must be an object, not {_json_type(given['values'])}",
                "type",
            )


def _option_faults(data: Mapping[str, Any]) -> Iterator[Detail]:
    if "idempotencyKey" in data:
        key = data["idempotencyKey"]
        if (
            not isinstance(key, str)
            or not 1 <= len(key) <= 255
            or not key.isascii()
            or not key.isprintable()
            or key.isspace()
        ):
            yield Detail(
                "/idempotencyKey",
                "must be 1 to 255 printable ASCII characters, not only blanks",
                "pattern",
            )
    for name, most in (("timeoutSeconds", MAX_TIMEOUT), ("jobTimeoutSeconds", MAX_JOB_TIMEOUT)):
        limit = data.get(name, most)
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if not number or not 0 < limit <= most:
            yield Detail(f"/{name}", f"must be a number above 0 and at most {most:,.0f}", "maximum")
    yield from _switch_faults(data)
    if "select" in data:
        yield from _selection_faults(data["select"])
    size = _whole(data.get("maxBytes", 1))
    if size is None or not 1 <= size <= MAX_OUTPUT_BYTES:
        yield Detail(
            "/maxBytes",
            f"must be a whole number of bytes from 1 to {MAX_OUTPUT_BYTES:,}",
            "maximum",
        )
    version = data.get("connectorVersion", ">=0")
    if not isinstance(version, str) or not version.strip():
        yield Detail("/connectorVersion", "must be a version specifier such as '>=1.2,<2'", "type")
    elif len(version) > _MAX_VERSION_LENGTH:
        yield Detail(
            "/connectorVersion", f"must have at most {_MAX_VERSION_LENGTH} characters", "maxLength"
        )
    yield from _choice_faults(data)
    priority = _whole(data.get("priority", DEFAULT_PRIORITY))
    if priority is None or not 0 <= priority <= MAX_PRIORITY:
        yield Detail(
            "/priority",
            f"must be a whole number from 0 to {MAX_PRIORITY}; higher ones are begun first",
            "maximum",
        )


def _whole(value: object) -> int | None:
    """Return a whole number, which JSON may write as ``1.0``; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _switch_faults(data: Mapping[str, Any]) -> Iterator[Detail]:
    for name in ("dryRun", "repeat", "trace"):
        if not isinstance(data.get(name, False), bool):
            yield Detail(f"/{name}", "must be true or false", "type")
    if data.get("repeat") is True and "idempotencyKey" in data:
        yield Detail(
            "/repeat",
            "is for a call without 'idempotencyKey': to run it again, give it a new key",
            "not",
        )


def _selection_faults(expression: object) -> Iterator[Detail]:
    from jackfield.invocation.selection import SelectionError, check_selection

    if not isinstance(expression, str):
        yield Detail("/select", "must be a JMESPath expression", "type")
        return
    try:
        check_selection(expression)
    except SelectionError as error:
        yield Detail("/select", f"'select' {error}", "format")


def _choice_faults(data: Mapping[str, Any]) -> Iterator[Detail]:
    for name, choices in (
        ("onDoubt", ("report", "settle", "retry")),
        ("partial", ("warn", "fail")),
    ):
        if data.get(name, choices[0]) not in choices:
            *first, last = (f"'{choice}'" for choice in choices)
            yield Detail(f"/{name}", f"must be {', '.join(first)} or {last}", "enum")


def _moment(text: object) -> float | None:
    """Parse RFC 3339 text to seconds since 1970; None if it is invalid."""
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        return None
    try:
        return written(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError):
        return None


def _moment_faults(data: Mapping[str, Any]) -> Iterator[Detail]:
    moments = {name: _moment(data[name]) for name in ("notBefore", "notAfter") if name in data}
    for name, moment in moments.items():
        if moment is None:
            yield Detail(
                f"/{name}",
                "must be a date and time with an offset (RFC 3339), such as '2026-01-31T08:30:00Z'",
                "format",
            )
    early, late = moments.get("notBefore"), moments.get("notAfter")
    if early is not None and late is not None and late <= early:
        yield Detail("/notAfter", "must be later than 'notBefore'", "minimum")


def _context_faults(context: object) -> Iterator[Detail]:
    if not isinstance(context, Mapping):
        yield Detail("/context", f"must be an object, not {_json_type(context)}", "type")
        return
    yield from unknown_members(context, _CONTEXT_MEMBERS, "the context", "/context")
    for name in ("traceparent", "correlationId"):
        if not isinstance(context.get(name, ""), str):
            yield Detail(f"/context/{name}", "must be a string", "type")
    if not isinstance(context.get("notify", False), bool):
        yield Detail("/context/notify", "must be true or false", "type")
    labels = context.get("labels", {})
    if not isinstance(labels, Mapping):
        yield Detail("/context/labels", f"must be an object, not {_json_type(labels)}", "type")
        return
    if len(labels) > MAX_LABELS:
        yield Detail("/context/labels", f"must have at most {MAX_LABELS} members", "maxProperties")
    for name, value in labels.items():
        if not isinstance(value, str):
            yield Detail(
                pointer("context", "labels", str(name)),
                f"must be a string, not {_json_type(value)}",
                "type",
            )


def patience_of(body: Mapping[str, Any]) -> float:
    """Return the ``timeoutSeconds`` of an invocation whose members are not checked yet; the default
    for an invalid value.
    """
    found = body.get("timeoutSeconds")
    return (
        float(found)
        if isinstance(found, int | float)
        and not isinstance(found, bool)
        and 0 < found <= MAX_TIMEOUT
        else DEFAULT_TIMEOUT
    )
