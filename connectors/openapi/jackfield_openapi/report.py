"""Report of a conversion: parts of the document that the connector lacks, and assumptions, by JSON
Pointer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["left_out", "lossy", "assumed", "suggested"]
"""Kind of an entry.

``left_out``: an operation without an action. ``lossy``: a part that the manifest cannot express.
``assumed``: a choice that a person should check. ``suggested``: a setting that a person may add to
an overlay; the connector does not have it.
"""


@dataclass(frozen=True, slots=True)
class Note:
    """Entry of a report: ``at`` is the JSON Pointer into the document, ``cause`` a fixed word for
    counting and searching.
    """

    kind: Kind
    cause: str
    at: str
    text: str

    def to_json(self) -> dict[str, str]:
        """Return the entry in the form of ``report.json``."""
        return {"kind": self.kind, "cause": self.cause, "at": self.at, "text": self.text}


class Report:
    """Entries of one conversion in the order of the document, without duplicates."""

    def __init__(self, renamed: Mapping[str, str] | None = None) -> None:
        self._notes: dict[Note, None] = {}
        self.examples = {"accepted": 0, "refused": 0}
        """Request examples of the document by the outcome of their dry run."""
        self._renamed = dict(renamed or {})
        """Prefixes of pointers in the upgraded document, with the matching ones in the given
        document.
        """

    def __iter__(self) -> Iterator[Note]:
        return iter(self._notes)

    def left_out(self, cause: str, at: str, text: str) -> None:
        """Record an operation that becomes no action."""
        self._add("left_out", cause, at, text)

    def lossy(self, cause: str, at: str, text: str) -> None:
        """Record a part of the document that the connector cannot express."""
        self._add("lossy", cause, at, text)

    def cut(self, places: Iterable[str]) -> None:
        """Record texts of the manifest that were too long."""
        for at in places:
            self.lossy("long text", at, "it was cut")

    def assumed(self, cause: str, at: str, text: str) -> None:
        """Record an assumption where the document does not decide."""
        self._add("assumed", cause, at, text)

    def suggested(self, cause: str, at: str, text: str) -> None:
        """Record a possible addition to an overlay, for a person to verify."""
        self._add("suggested", cause, at, text)

    def counts(self) -> dict[str, int]:
        """Return the number of entries per cause, most frequent first."""
        found = Counter(note.cause for note in self._notes)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``report.json``."""
        return {
            "counts": self.counts(),
            "examples": self.examples,
            "notes": [note.to_json() for note in self._notes],
        }

    def _add(self, kind: Kind, cause: str, at: str, text: str) -> None:
        for new, old in self._renamed.items():
            if at.startswith(new):
                at = old + at.removeprefix(new)
                break
        self._notes[Note(kind, cause, at, text)] = None
