"""Search results."""

from __future__ import annotations

from typing import Any

from jackfield.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """Matching action with its rank; higher is better. ``exact`` is False if only some words of the query match."""

    connector: str
    action: str
    title: str
    description: str
    effect: str
    rank: int = 0
    exact: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the row that ``jackfield search`` prints."""
        row = {
            "connector": self.connector, "action": self.action, "title": self.title, "description": self.description, "effect": self.effect,
        }  # fmt: skip
        return row if self.exact else {**row, "exact": False}
