"""Types of answers to commands. An answer of another type raises an error in its reader."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")
Pairs = list[bytes]


def anything(answer: Any) -> Any:
    """Take any answer."""
    return answer


def number(answer: Any) -> int:
    """Return a number of 64 bits.

    :raises TypeError: if the answer is no number; ValueError if it has more.
    """
    if not -(2**63) <= _be(answer, int) < 2**63:
        raise ValueError
    return _be(answer, int)


def text(answer: Any) -> str:
    """Return a text, such as an entry's ID.

    :raises TypeError: if the answer is no text; ValueError if it is no UTF-8.
    """
    return _be(answer, bytes).decode()


def value(answer: Any) -> bytes | None:
    """Return a value, or None if there is none.

    :raises TypeError: if it is neither.
    """
    return None if answer is None else _be(answer, bytes)


def found(answer: Any, count: int | None = None) -> list[bytes | None]:
    """Return a list of values, of which some may be missing; an empty one for none. ``count`` is how many there have to be.

    :raises TypeError: if it is none; ValueError if there are more or fewer.
    """
    values = [value(one) for one in ([] if answer is None else _be(answer, list))]
    if count is not None and len(values) != count:
        raise ValueError(len(values))
    return values


def pairs(answer: Any) -> Pairs:
    """Return names and values in turn.

    :raises TypeError: if they are none; ValueError if the last name has no value.
    """
    parts = [_be(one, bytes) for one in _be(answer, list)]
    if len(parts) % 2:
        raise ValueError(len(parts))
    return parts


def entries(answer: Any) -> list[tuple[str, Pairs]]:
    """Return a stream's entries: their IDs and fields. A deleted one has none.

    :raises TypeError: if they are none; ValueError as ``text`` and ``pairs``.
    """
    return [(text(entry), pairs(fields or [])) for entry, fields in _be(answer, list)]


def page(answer: Any) -> tuple[str, list[bytes]]:
    """Return the next page's token, and the keys of this one.

    :raises TypeError: if there are none; ValueError as ``text``.
    """
    following, keys = answer
    return text(following), [_be(key, bytes) for key in _be(keys, list)]


def _be(answer: Any, kind: type[T]) -> T:
    if type(answer) is not kind:
        raise TypeError(type(answer))
    return answer
