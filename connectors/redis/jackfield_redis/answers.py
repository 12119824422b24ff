"""Readers of answers to commands: each checks that an answer has its type."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")
Pairs = list[bytes]


def anything(answer: Any) -> Any:
    """Return any answer unchanged."""
    return answer


def number(answer: Any) -> int:
    """Return an integer of at most 64 bits.

    :raises TypeError: if the answer is no integer; ValueError if it has more than 64 bits.
    """
    if not -(2**63) <= _be(answer, int) < 2**63:
        raise ValueError
    return _be(answer, int)


def text(answer: Any) -> str:
    """Return a string, such as an entry's ID.

    :raises TypeError: if the answer is no bulk string; ValueError if it is not UTF-8.
    """
    return _be(answer, bytes).decode()


def value(answer: Any) -> bytes | None:
    """Return a value; None if the key has none.

    :raises TypeError: if the answer is neither a value nor None.
    """
    return None if answer is None else _be(answer, bytes)


def found(answer: Any, count: int | None = None) -> list[bytes | None]:
    """Return a list of values, with None for each missing value; an empty list for no answer.
    ``count`` is the required length.

    :raises TypeError: if the answer is not a list of values; ValueError if its length is not
        ``count``.
    """
    values = [value(one) for one in ([] if answer is None else _be(answer, list))]
    if count is not None and len(values) != count:
        raise ValueError(len(values))
    return values


def pairs(answer: Any) -> Pairs:
    """Return alternating names and values.

    :raises TypeError: if the answer is not a list of strings; ValueError if the last name has no
        value.
    """
    parts = [_be(one, bytes) for one in _be(answer, list)]
    if len(parts) % 2:
        raise ValueError(len(parts))
    return parts


def entries(answer: Any) -> list[tuple[str, Pairs]]:
    """Return a stream's entries: their IDs and fields. A deleted entry has no fields.

    :raises TypeError: if the answer holds no entries; ValueError as ``text`` and ``pairs``.
    """
    return [(text(entry), pairs(fields or [])) for entry, fields in _be(answer, list)]


def page(answer: Any) -> tuple[str, list[bytes]]:
    """Return the next page's token and this page's keys.

    :raises TypeError: if the answer is no page of keys; ValueError as ``text``.
    """
    following, keys = answer
    return text(following), [_be(key, bytes) for key in _be(keys, list)]


def _be(answer: Any, kind: type[T]) -> T:
    if type(answer) is not kind:
        raise TypeError(type(answer))
    return answer
