"""An action that a search found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """An action that fits, with its rank: higher is better. ``exact`` is false where it has some words of the query only."""

    connector: str
    action: str
    title: str
    description: str
    effect: str
    rank: int = 0
    exact: bool = True

    def to_json(self) -> dict[str, Any]:
        """The row that ``jackfield search`` prints."""
        row = {
            "connector": self.connector, "action": self.action, "title": self.title, "description": self.description, "effect": self.effect,
        }  # fmt: skip
        return row if self.exact else {**row, "exact": False}
