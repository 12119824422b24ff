"""jq's rules for values: what is true, what ``+`` makes, what a member is, what comes first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.schema.sameness import is_same

__all__ = ["EvaluationFault", "added", "compared", "is_true", "member", "shown"]


class EvaluationFault(ValueError):
    """An expression does not fit its values; the message names kinds, never values."""


def is_true(value: object) -> bool:
    """Everything but null and false."""
    return value is not None and value is not False


def shown(value: object) -> str:
    """A value inside a text: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def member(value: Any, key: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """A member of an object or an item of a list; null where there is none.

    :raises EvaluationFault: where the value has no such parts.
    """
    if value is None and isinstance(key, str | int):
        return None
    if isinstance(value, Mapping) and isinstance(key, str):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if -len(value) <= key < len(value) else None
    raise EvaluationFault(f"{_kind(value)} has no members that {_kind(key)} would name")


def added(left: Any, right: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Numbers summed, texts and lists joined, objects merged; null changes nothing.

    :raises EvaluationFault: for two values of different kinds.
    """
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return {**left, **right}
    numbers = _is_number(left) and _is_number(right)
    if numbers or (isinstance(left, str) and isinstance(right, str)) or (isinstance(left, list) and isinstance(right, list)):
        return left + right
    raise EvaluationFault(f"{_kind(left)} and {_kind(right)} cannot be added")


def compared(sign: str, left: Any, right: Any) -> bool:  # noqa: ANN401 (any JSON value)
    """A comparison; only two numbers or two texts have an order here.

    :raises EvaluationFault: where there is no order.
    """
    if sign in ("==", "!="):
        return is_same(left, right) == (sign == "==")
    if not ((_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))):
        raise EvaluationFault(f"{_kind(left)} and {_kind(right)} have no order")
    found: bool = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: object) -> str:
    names: dict[type, str] = {str: "a text", list: "a list", dict: "an object", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
