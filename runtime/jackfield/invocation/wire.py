"""JSON parsing within limits: size, depth, and the rules of RFC 8259."""

from __future__ import annotations

import json
from typing import Any

from jackfield.errors import InvalidInvocation

__all__ = ["MAX_BYTES", "MAX_DEPTH", "check_depth", "decode"]

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of an invocation, in bytes of JSON."""
MAX_DEPTH = 100
"""Maximum nesting of arrays and objects."""
_NESTING = (dict, list)


def decode(text: str | bytes | bytearray) -> Any:
    """Parse JSON text within the limits.

    :raises InvalidInvocation: if it is not JSON (RFC 8259: no NaN, no duplicate member), larger than ``MAX_BYTES``, or deeper than
        ``MAX_DEPTH``.
    """
    if _octets(text) > MAX_BYTES:
        raise InvalidInvocation(
            f"the invocation is larger than {MAX_BYTES:,} bytes",
            hint="Send attachments in fewer or smaller invocations; the limit is 64 MiB of JSON.",
        )
    try:
        if not isinstance(text, str):
            text = bytes(text).decode("utf-8")
        value = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError as error:
        raise InvalidInvocation(f"the invocation is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise InvalidInvocation("the invocation is not JSON: it is empty", hint="Give an invocation as JSON.") from None
        raise InvalidInvocation(
            f"the invocation is not JSON: {_plain(error.msg)} at line {error.lineno}, column {error.colno}",
            hint="Check the quotes, commas and brackets around that place.",
        ) from None
    except _RefusedJson as error:
        raise InvalidInvocation(f"the invocation is not JSON: {error}") from None
    except ValueError:  # an integer with more digits than Python converts
        raise InvalidInvocation("the invocation holds a number with too many digits") from None
    check_depth(value)
    return value


def _octets(text: str | bytes | bytearray) -> int:
    if not isinstance(text, str) or text.isascii() or len(text) > MAX_BYTES:
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))


class _RefusedJson(ValueError):
    """JSON that Python would accept and RFC 8259 forbids."""


def _no_constant(name: str) -> Any:
    raise _RefusedJson(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RefusedJson(f"the member '{twice[:80]}' occurs twice in one object")
    return members


def _plain(message: str) -> str:
    return message.removesuffix(" at").replace("Expecting", "expected").replace("Unterminated", "unterminated")


def _too_deep() -> InvalidInvocation:
    return InvalidInvocation(f"the invocation is nested deeper than {MAX_DEPTH} levels")


def check_depth(value: object) -> None:
    """Refuse a value nested deeper than ``MAX_DEPTH`` (the whole value is level 1).

    :raises InvalidInvocation: if it is deeper.
    """
    if _is_deeper(value, MAX_DEPTH):
        raise _too_deep()


def _is_deeper(value: object, room: int) -> bool:
    if not isinstance(value, _NESTING):
        return False
    if not room:
        return True
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, _NESTING) and _is_deeper(child, room - 1):
            return True
    return False
