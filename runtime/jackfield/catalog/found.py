"""Results of a search."""

from __future__ import annotations

from typing import Any

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FoundTrigger:
    """Matching trigger of a connector."""

    connector: str
    trigger: str
    title: str
    description: str
    kind: str

    def to_json(self) -> dict[str, Any]:
        """Return the row that ``jackfield search`` prints."""
        return {
            "connector": self.connector,
            "trigger": self.trigger,
            "title": self.title,
            "description": self.description,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class Match:
    """Matching action with its rank; higher is better. ``exact`` is False if only some words of the
    query match.
    """

    connector: str
    action: str
    title: str
    description: str
    effect: str
    rank: int = 0
    exact: bool = True
    offer: str = ""
    """Offer that the operator would have to add; empty if the action is offered."""

    def to_json(self) -> dict[str, Any]:
        """Return the row that ``jackfield search`` prints."""
        row: dict[str, Any] = {
            "connector": self.connector,
            "action": self.action,
            "title": self.title,
            "description": self.description,
            "effect": self.effect,
        }
        row |= {} if self.exact else {"exact": False}
        return (
            {**row, "offered": False, "offer": f"jackfield offers add {self.offer}"}
            if self.offer
            else row
        )
