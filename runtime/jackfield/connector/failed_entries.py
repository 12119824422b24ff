"""Entries of a request that a provider did not carry out, although it carried out others."""

from __future__ import annotations

from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail

MAX_FAILED_ENTRIES = 1000
"""Maximum number of failed entries of one provider's answer to which a warning or an error
points.
"""
_LONGEST = 300
"""Maximum characters of an entry's pointers and of its message."""


@dataclass(frozen=True, slots=True)
class FailedEntry(Detail):
    """Entry that a provider did not carry out. ``path`` is a JSON Pointer into the output,
    ``input`` a JSON Pointer into the inputs, None if the input is not known; ``message`` is the
    provider's message.
    """

    input: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object of a warning."""
        found = {"path": self.path, "message": self.message}
        return found if self.input is None else {**found, "input": self.input}

    @property
    def fault(self) -> Detail:
        """Entry as the detail of an error. It points into the inputs or, if that place is unknown,
        names its place in the output.
        """
        return (
            Detail("", f"{self.path} of the output: {self.message}")
            if self.input is None
            else Detail(self.input, self.message)
        )


def shortened(entry: Detail) -> FailedEntry:
    """Return an entry for a warning: its texts truncated, and without an ``input`` that is not a
    pointer or is too long.
    """
    place = entry.input if isinstance(entry, FailedEntry) else None
    is_pointer = place is not None and place.startswith("/") and len(place) <= _LONGEST
    return FailedEntry(
        entry.path[:_LONGEST], entry.message[:_LONGEST], input=place if is_pointer else None
    )


@dataclass(frozen=True, slots=True)
class FailedEntries(Detail):
    """Warning that a provider carried out only a part of a request: ``failed`` entries did not
    succeed, and ``entries`` are the first 1,000. As a warning of a Result it has the code
    ``partial``.
    """

    entries: tuple[FailedEntry, ...] = ()
    failed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the warning as a JSON object."""
        entries = [entry.to_json() for entry in self.entries]
        return {
            "path": self.path,
            "message": self.message,
            "code": "partial",
            "failed": self.failed,
            "entries": entries,
        }
