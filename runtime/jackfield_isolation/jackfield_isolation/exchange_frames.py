"""Exchanges with a provider as JSON between a child process and jackfield. Both sides limit them,
since the parent does not trust a size.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.errors import Sent
from jackfield.wire.exchanges import LARGEST_BODY, MOST, Exchange, ExchangeBody

_LONGEST, _MOST_FIELDS, _LARGEST_HEAD = 65_536, 1_000, 128 * 1024
_LONGEST_FAULT = 300
_MOST_BYTES = 2**53
_METHODS = 32


def dump_exchanges(exchanges: Sequence[Exchange]) -> list[Mapping[str, Any]]:
    """Return exchanges as JSON."""
    return [_dumped(one) for one in exchanges]


def _dumped(one: Exchange) -> Mapping[str, Any]:
    return {
        "number": one.number,
        "method": one.method[:_METHODS],
        "url": one.url[:_LONGEST],
        "started": one.started,
        "took": one.took,
        "given": _fields(one.given),
        "fields": _fields(one.fields),
        "request": _content(one.request),
        "answer": _content(one.answer),
        "status": one.status,
        "sent": one.sent.value,
        "fault": one.fault[:_LONGEST_FAULT],
    }


def _fields(fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    found, size = [], 0
    for name, value in fields[:_MOST_FIELDS]:
        size += len(name) + len(value)
        if size > _LARGEST_HEAD:
            break
        found.append((name.decode("latin-1"), value.decode("latin-1")))
    return found


def _content(content: ExchangeBody) -> Mapping[str, Any]:
    kept = content.beginning
    return {"size": content.size, "beginning": None if kept is None else b64encode(kept).decode()}


def load_exchanges(told: Any) -> list[Exchange]:
    """Rebuild the exchanges that a child has sent.

    :raises TypeError, ValueError, KeyError: if the value is no list of exchanges, or has too many.
    """
    if not isinstance(told, list) or len(told) > MOST:
        raise TypeError("not a list of exchanges")
    return [_loaded(one) for one in told]


def _loaded(told: Mapping[str, Any]) -> Exchange:
    request, answer = told["request"], told["answer"]
    keeps = request["beginning"] is not None
    found = Exchange(
        _whole(told["number"]),
        _text(told["method"], _METHODS),
        _text(told["url"], _LONGEST),
        _loaded_fields(told["given"]),
        keeps=keeps,
    )
    found.started, found.took = _seconds(told["started"]), _seconds(told["took"])
    found.sent, found.fault = Sent(told["sent"]), _text(told["fault"], _LONGEST_FAULT)
    if told["status"] is not None:
        found.status, found.fields = _whole(told["status"]), _loaded_fields(told["fields"])
    for content, about in ((found.request, request), (found.answer, answer)):
        if keeps:
            content.add(b64decode(_text(about["beginning"], 2 * LARGEST_BODY), validate=True))
        content.size = _whole(about["size"])
    return found


def _loaded_fields(told: Any) -> list[tuple[bytes, bytes]]:
    if not isinstance(told, list) or len(told) > _MOST_FIELDS:
        raise TypeError("not header fields")
    found = [
        (
            _text(name, _LARGEST_HEAD).encode("latin-1"),
            _text(value, _LARGEST_HEAD).encode("latin-1"),
        )
        for name, value in told
    ]
    if sum(len(name) + len(value) for name, value in found) > _LARGEST_HEAD:
        raise ValueError("header fields that are too long")
    return found


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise TypeError("not a text of that length")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_BYTES:
        raise TypeError("not a number of that size")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value < 1e11:
        raise TypeError("not a time")
    return float(value)
