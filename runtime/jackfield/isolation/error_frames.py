"""Errors as JSON between jackfield and a child process. What a child says is read with suspicion: a wrong type is a fault of the child."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jackfield.errors import CODES, Detail, InDoubt, Internal, JackfieldError, NotYet, Provider, Sent, TimedOut
from jackfield.hints import NextStep
from jackfield.isolation.wire import Garbage

_LONGEST = 20_000
_MOST_DETAILS = 200
_LONGEST_DETAIL = 2000
_MOST_FACTS = 20
_LARGEST_STATUS = 99_999


def dump_error(error: JackfieldError) -> dict[str, Any]:
    """Return an error as JSON, with what the pipe needs to decide if it may be repeated."""
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.message[:_LONGEST],
        "retryable": error.retryable,
        "repeatable": error.repeatable,
        "stale": error.stale_credentials,
    }
    if error.details:
        body["details"] = [detail.to_json() for detail in error.details[:_MOST_DETAILS]]
    if isinstance(error.hint, NextStep):
        body["next"] = {"kind": error.hint.kind, "more": error.hint.more, "facts": dict(error.hint.facts)}
    elif error.hint:
        body["hint"] = error.hint[:_LONGEST]
    if error.provider is not None:
        body["provider"] = error.provider.to_json()
    if error.tells_sent:
        body["sent"] = error.sent.value
    if error.retry_after is not None and math.isfinite(error.retry_after):
        body["retryAfter"] = error.retry_after
    if isinstance(error, NotYet):
        body["within"] = error.within
    if isinstance(error, TimedOut) and error.unexplained:
        body["unexplained"] = True
    return body


def load_error(data: object) -> JackfieldError:
    """Rebuild the error that a child has sent.

    :raises Garbage: if it is not an error, or one that only jackfield itself may report.
    """
    try:
        return _loaded(data)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise Garbage("an error that is not one") from None


def _loaded(data: Any) -> JackfieldError:
    kind = CODES[_text(data["code"])]
    if kind in {Internal, InDoubt}:
        raise ValueError(kind.code)
    more: dict[str, Any] = {"sent": Sent(data["sent"]) if "sent" in data else None, "repeatable": data.get("repeatable") is not False}
    more["details"] = [_detail(row) for row in _array(data.get("details", []))[:_MOST_DETAILS]]
    more["provider"] = _provider(data["provider"]) if "provider" in data else None
    more["stale_credentials"] = data.get("stale") is True
    retry_after = data.get("retryAfter")
    more["retry_after"] = None if retry_after is None else finite(retry_after)
    if "next" in data:
        step = data["next"]
        facts = {_text(name): _text(value) for name, value in list(step["facts"].items())[:_MOST_FACTS]}
        more["hint"] = NextStep(_text(step["kind"]), more=_text(step["more"]), **facts)
    else:
        more["hint"] = _optional(data, "hint")
    if "within" in data:
        return NotYet(_text(data["message"]), **{**more, "retry_after": finite(retry_after), "within": finite(data["within"])})
    error = kind(_text(data["message"]), **more)
    error.retryable = data.get("retryable") is True
    if isinstance(error, TimedOut):
        error.unexplained = data.get("unexplained") is True
    return error


def _detail(row: Mapping[str, Any]) -> Detail:
    keyword = _optional(row, "keyword")
    return Detail(_text(row["path"])[:_LONGEST_DETAIL], _text(row["message"])[:_LONGEST_DETAIL], keyword and keyword[:_LONGEST_DETAIL])


def _array(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not an array")
    return value


def _provider(data: Mapping[str, Any]) -> Provider:
    status = data.get("httpStatus")
    if status is not None and not (isinstance(status, int) and 0 <= status <= _LARGEST_STATUS):
        raise TypeError("httpStatus")
    details = data.get("details")
    if details is not None and not isinstance(details, dict):
        raise TypeError("details")
    return Provider(_optional(data, "code"), _optional(data, "message"), status, _optional(data, "requestId"), details)


def finite(value: Any) -> float:
    """Return a number as a float.

    :raises OverflowError: if it is too large, or infinite.
    :raises TypeError: if it is no number.
    """
    if not isinstance(value, int | float):
        raise TypeError("not a number")
    if not math.isfinite(found := float(value)):
        raise OverflowError("not finite")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value[:_LONGEST]


def _optional(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return None if value is None else _text(value)
