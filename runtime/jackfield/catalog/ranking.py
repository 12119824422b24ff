"""Actions that fit some words, best first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jackfield.manifest import Manifest

__all__ = ["Found", "search"]


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


def search(manifests: Iterable[Manifest], words: str, *, effect: str | None = None) -> list[Found]:
    """The actions in which every word of the query occurs, best first; without words, all actions.

    Case, stop words ("to", "a") and endings ("sending", "emails") do not matter; the beginning of a word counts more, and words of one or
    two letters count only there. Where no action has every word, the nearest few are given, marked as not exact.
    """
    from jackfield.catalog.index import Words  # noqa: PLC0415 (only a search needs it)

    index = Words()
    for manifest in manifests:
        index.add(manifest)
    return index.find(words, effect=effect)[0]
