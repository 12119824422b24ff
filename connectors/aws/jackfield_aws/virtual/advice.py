"""Advice after a refusal: it names inputs outside the model's closed lists. Such values are sent
nevertheless, because AWS often adds values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from jackfield.kernel.errors import did_you_mean

_MOST = 3
"""Maximum values in one hint."""
_LONGEST = 60


def advice(shape: Any, parameters: Mapping[str, Any]) -> str:
    """Return a sentence for each value outside its member's list, at most three; an empty string if
    all values are listed.
    """
    found = islice(_unknown(shape, parameters, ""), _MOST) if shape is not None else ()
    return " ".join(
        (
            f"'{value[:_LONGEST]}' at {path} is none of the {len(known)} values that this "
            f"version knows{did_you_mean(value, known) or '.'}"
        )
        for path, value, known in found
    )


def _unknown(shape: Any, value: Any, path: str) -> Iterator[tuple[str, str, list[str]]]:
    if shape.metadata.get("sensitive"):
        return
    known = shape.metadata.get("enum")
    if known and isinstance(value, str) and value not in known:
        yield path, value, known
    for step, inner, item in _inner(shape, value):
        yield from _unknown(inner, item, f"{path}/{step}")


def _inner(shape: Any, value: Any) -> Iterable[tuple[object, Any, Any]]:
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return [
            (name, shape.members[name], item)
            for name, item in value.items()
            if name in shape.members
        ]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return [(name, shape.value, item) for name, item in value.items()]
    if shape.type_name == "list" and isinstance(value, list):
        return [(number, shape.member, item) for number, item in enumerate(value)]
    return ()
