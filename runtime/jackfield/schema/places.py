"""The places of the engine's errors. It gives names of digits as numbers: the member ``007`` as 7, like the eighth item of an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jackfield.schema.json_types import Json

    Place = tuple[str | int, ...]

__all__ = ["Places"]

_MOST = 10
"""The most readings of a place that are tried; only names such as 7, 07 and +7 in one object have several."""


class Places:
    """Finds places by their names. It keeps the numbers among the names of each object, so that many errors in it take linear time."""

    def __init__(self) -> None:
        self._numbered: dict[int, dict[str, list[str]]] = {}

    def readings(self, root: Json, steps: Sequence[str | int]) -> list[tuple[Place, Json]]:
        """List the places that ``steps`` may mean, by their names, and what is there."""
        part = root
        try:
            for step in steps:
                part = part[step]
        except (LookupError, TypeError):
            return self._searched(root, steps)
        return [(tuple(steps), part)]

    def _searched(self, root: Json, steps: Sequence[str | int]) -> list[tuple[Place, Json]]:
        found: list[tuple[Place, Json]] = [((), root)]
        for step in steps:
            found = [((*place, name), part[name]) for place, part in found for name in self._names(part, step)][:_MOST]
        return found

    def _names(self, part: Json, step: str | int) -> Iterator[str | int]:
        if isinstance(part, dict) and isinstance(step, int):
            yield from self._numbers(part).get(str(step), ())
        elif (isinstance(part, dict) and step in part) or (isinstance(part, list) and isinstance(step, int) and step < len(part)):
            yield step

    def _numbers(self, part: dict[str, Json]) -> dict[str, list[str]]:
        found = self._numbered.get(id(part))  # a part of the value or the schema, which outlives this
        if found is None:
            found = self._numbered[id(part)] = {}
            for name in part:
                digits = name.removeprefix("+")
                if digits.isascii() and digits.isdigit():
                    found.setdefault(digits.lstrip("0") or "0", []).append(name)
        return found
