"""Entries of a request that a provider did not carry out, beside others that it did."""

from __future__ import annotations

from typing import Any

from jackfield.dataclass import dataclass
from jackfield.errors import Detail

MAX_FAILED_ENTRIES = 1000
"""Limit of entries that failed, of one provider's answer, to which a warning or an error points."""


@dataclass(frozen=True, slots=True)
class FailedEntries(Detail):
    """Warning that a provider carried out only a part of a request: ``failed`` entries did not succeed, and ``entries`` are the first
    1,000, each with a pointer into the output. As a warning of a Result it has the code ``partial``."""

    entries: tuple[Detail, ...] = ()
    failed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the warning as a JSON object."""
        entries = [entry.to_json() for entry in self.entries]
        return {"path": self.path, "message": self.message, "code": "partial", "failed": self.failed, "entries": entries}
