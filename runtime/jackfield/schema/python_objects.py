"""JSON of Python objects without a schema: dataclasses, models, and what they contain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jackfield.kernel.canonical import canonical
from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.failures import Raised, attempt, attempt_foreign
from jackfield.schema.json_values import is_json, to_json

ATOMS = frozenset({str, int, float, bool, type(None)})
_DEEPEST = 100


def encoded(value: Any, *, exact: bool = False) -> Any:
    """Return a value as JSON. Dates, decimals, enumerations, dataclasses and pydantic models get
    the form that inputs of actions have; ``exact`` decimals are text, which keeps all digits.

    :raises InvalidInput: with each part that is not JSON.
    """
    if is_json(value):
        return value
    found, faults = to_json(_plain(value, frozenset(), exact=exact))
    if faults:
        raise InvalidInput("the value is not JSON", details=faults)
    return found


def is_encoded_as(value: Any, given: Any) -> bool:
    """Return whether the JSON of a value equals other JSON; False if it has none."""
    found = attempt(encoded, value)
    return not isinstance(found, Raised) and [*canonical(found)] == [*canonical(given)]


def _plain(value: Any, above: frozenset[int], *, exact: bool) -> Any:
    """Return a value with Python's classes converted to JSON. A value without a JSON form stays
    unchanged, and is refused later. ``above`` are the IDs of the values that contain it.

    :raises InvalidInput: if it contains itself.
    """
    kind = type(value)
    if kind in ATOMS or len(above) >= _DEEPEST:
        return value
    if id(value) in above:  # twice in itself, it would be walked 2 ** 100 ways
        fault = Detail("", f"a value of the type '{kind.__name__}' contains itself")
        raise InvalidInput("the value is not JSON", details=[fault])
    if hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    within = above | {id(value)}
    if (members := _members(value)) is not None:
        return {name: _plain(item, within, exact=exact) for name, item in members}
    if isinstance(value, (list, tuple)):
        return [_plain(item, within, exact=exact) for item in value]
    from jackfield.schema.python_values import as_json  # which imports what these classes are of

    found = as_json(value, {})
    is_decimal = exact and kind.__name__ == "Decimal" and value.is_finite()
    return str(value) if is_decimal else found


def _members(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the members of a mapping, a dataclass or a model; None for other values."""
    if isinstance(value, Mapping):
        return value.items()
    kind = type(value)
    names = getattr(kind, "__dataclass_fields__", getattr(kind, "model_fields", None))
    return None if names is None else [(name, getattr(value, name)) for name in names]


def parts(value: Any, depth: int = _DEEPEST) -> Iterator[Any]:
    """Yield a value and what it contains, each once: items, and members of dataclasses and models.
    A part that raises when it is iterated contains nothing.
    """
    waiting, seen = [(value, depth)], dict[int, Any]()
    while waiting:
        one, left = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one  # which keeps its ID from being another's
        yield one
        items = attempt_foreign(_items, one) if left else []
        if not isinstance(items, Raised):
            waiting += [(item, left - 1) for item in reversed(items) if type(item) not in ATOMS]


def _items(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [*value]
    members = _members(value)
    return [] if members is None else [item for _, item in members]
