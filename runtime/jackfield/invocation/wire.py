"""JSON parsing within limits: size, depth, and the rules of RFC 8259."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.frames import bordered
from jackfield.kernel.price import JsonMeter, TooCostly, structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of an invocation, in bytes of JSON."""
MAX_DEPTH = 100
"""Maximum nesting of arrays and objects."""
MAX_VALUES = 250_000
"""Maximum number of values: each takes 50 to 100 bytes of memory and 0.5 µs of CPU time, however
small it is in JSON.
"""
MAX_BUFFERED = 4 * 1024 * 1024
"""Maximum number of octets in all Node.js Buffers (``{"type": "Buffer", "data": [0, 255]}``), each
of which counts as one value. An octet takes 8 bytes of memory, since Python caches integers below
256.
"""
_BUFFER = re.compile(
    rb'"type"\s*:\s*"Buffer"\s*,\s*"data"\s*:\s*\[[\d\s,]*+\]'
    rb'|"data"\s*:\s*\[[\d\s,]*+\]\s*,\s*"type"\s*:\s*"Buffer"'
)
"""Regular expression of the two members of a Buffer, in either order: PostgreSQL's ``jsonb`` and
Go's maps write ``data`` first.
"""
_TEXTS = "Send text or files as strings, and large data in several invocations."
BUFFERS_HINT = (
    "All Buffers of an invocation together have at most 4 MiB: send a larger file as base64, "
    '{"data": "JVBERi0…"} in place of '
    '{"type": "Buffer", "data": [37, 80, …]}, or store it first and name it.'
)
_NESTING = (dict, list)
_MAY_LOSE = 16
"""Minimum length of a number that a double may not hold exactly. Shorter numbers need no further
check.
"""


def parse_json(text: str | bytes | bytearray) -> Any:
    """Parse JSON text within the limits.

    :raises InvalidInvocation: if it is not JSON (RFC 8259: no NaN, no duplicate member), larger
        than ``MAX_BYTES``, or deeper than ``MAX_DEPTH``.
    """
    if _octets(text) > MAX_BYTES:
        raise InvalidInvocation(
            f"the invocation is larger than {MAX_BYTES:,} bytes",
            hint="Send attachments in fewer or smaller invocations; the limit is 64 MiB of JSON.",
        )
    try:
        check_values(text)
        if not isinstance(text, str):
            text = bytes(text).decode("utf-8")
        value = json.loads(
            text.removeprefix("\ufeff"),
            parse_constant=_no_constant,
            parse_float=_number,
            object_pairs_hook=_no_duplicates,
        )
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError as error:
        raise InvalidInvocation(
            f"the invocation is not UTF-8 text (byte {error.start})", hint="Send it as UTF-8."
        ) from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise InvalidInvocation(
                "the invocation is not JSON: it is empty", hint="Send an invocation as JSON."
            ) from None
        raise InvalidInvocation(
            f"the invocation is not JSON: {_plain(error.msg)} at line {error.lineno}, column "
            f"{error.colno}",
            hint="Check the quotes, commas and brackets around that place.",
        ) from None
    except _RefusedJson as error:
        raise InvalidInvocation(f"the invocation is not JSON: {error}", hint=error.hint) from None
    except ValueError:  # an integer with more digits than Python converts
        hint = "Send it as a string if the action takes one."
        raise InvalidInvocation(
            "the invocation contains a number with too many digits", hint=hint
        ) from None
    check_depth(value)
    return value


decode = bordered(parse_json)
"""Function ``parse_json`` for hosts. Code of the library that runs in each call uses the
original.
"""


def check_values(text: str | bytes | bytearray) -> None:
    """Refuse JSON text with more than ``MAX_VALUES`` values before it is parsed.

    :raises InvalidInvocation: if it has more values.
    """
    commas = text.count(",") if isinstance(text, str) else text.count(b",")
    # between two commas, no more can begin than there may be levels
    if commas * MAX_DEPTH <= MAX_VALUES:
        return
    octets = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    if structure(octets) > MAX_VALUES and _has_too_many(_without_buffers(octets)):
        raise InvalidInvocation(
            f"the invocation contains more than {MAX_VALUES:,} values",
            hint=BUFFERS_HINT if _BUFFER.search(octets) else _TEXTS,
        )


def _without_buffers(octets: bytes) -> bytes:
    """Return JSON with each Buffer replaced by one value; unchanged if the Buffers have too many
    octets.

    Since a quote in a string is escaped, a Buffer within a string does not match.
    """
    without = _BUFFER.sub(b'"type":"Buffer"', octets)
    return without if octets.count(b",") - without.count(b",") <= MAX_BUFFERED else octets


def _has_too_many(octets: bytes) -> bool:
    try:
        JsonMeter(MAX_VALUES).feed(octets)
    except TooCostly:
        return True
    return False


def _octets(text: str | bytes | bytearray) -> int:
    if not isinstance(text, str) or text.isascii() or len(text) > MAX_BYTES:
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))


class _RefusedJson(ValueError):
    """Error for JSON that Python would accept and RFC 8259 forbids."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def _no_constant(name: str) -> Any:
    raise _RefusedJson(
        f"{name} is not a JSON number", "Omit it, or put it in quotes if it is meant as text."
    )


def _number(text: str) -> float:
    if len(text) < _MAY_LOSE and (found := float(text)):
        return found
    from jackfield.kernel.exact import read_float

    return read_float(text)


def repeated_members(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the names that occur more than once among an object's members, each once."""
    seen: set[str] = set()
    return [*dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name))]  # type: ignore[func-returns-value]


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedJson(
            f"the member '{repeated_members(pairs)[0][:80]}' occurs twice in one object",
            "Keep one of them.",
        )
    return members


def _plain(message: str) -> str:
    return (
        message.removesuffix(" at")
        .replace("Expecting", "expected")
        .replace("Unterminated", "unterminated")
    )


def _too_deep() -> InvalidInvocation:
    return InvalidInvocation(
        f"the invocation is nested deeper than {MAX_DEPTH} levels",
        hint="Send deep values as JSON text.",
    )


def check_depth(value: object) -> None:
    """Refuse a value nested deeper than ``MAX_DEPTH`` (the whole value is level 1).

    :raises InvalidInvocation: if the value is deeper.
    """
    # those around the next child; each call passes here, so without recursion
    holders: list[Iterator[Any]] = [iter((value,))]
    while holders:
        for child in holders[-1]:
            if isinstance(child, _NESTING):
                if len(holders) > MAX_DEPTH:
                    raise _too_deep()
                of_host: Any = child  # of a class of the host's own, perhaps, whose code may raise
                holders.append(
                    iter(dict.values(of_host))
                    if issubclass(type(child), dict)
                    else list.__iter__(of_host)
                )
                break
        else:
            holders.pop()
