"""One page of a list of connections."""

from __future__ import annotations

from typing import Any

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """One page of connections by name; ``next_cursor`` requests the next page, None after the
    last.
    """

    items: tuple[dict[str, Any], ...]
    next_cursor: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the page as a JSON object."""
        return {"items": list(self.items), "nextCursor": self.next_cursor}
