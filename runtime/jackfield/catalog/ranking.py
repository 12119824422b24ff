"""Actions that fit some words, best first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jackfield.manifest import Manifest

__all__ = ["Found", "search"]


@dataclass(frozen=True, slots=True)
class Found:
    """An action that fits, with its rank: higher is better."""

    connector: str
    action: str
    title: str
    description: str
    effect: str
    rank: int = 0

    def to_json(self) -> dict[str, Any]:
        """The row that ``jackfield search`` prints."""
        return {
            "connector": self.connector, "action": self.action, "title": self.title, "description": self.description, "effect": self.effect,
        }  # fmt: skip


def search(manifests: Iterable[Manifest], words: str, *, effect: str | None = None) -> list[Found]:
    """The actions in which every word occurs (any case; at the beginning of a word it counts more; words of one or two letters only count
    there), best first; without words, all actions."""
    from jackfield.catalog.index import Words  # noqa: PLC0415 (only a search needs it)

    index = Words()
    for manifest in manifests:
        index.add(manifest)
    return index.find(words, effect=effect)[0]
