"""Members that one object of JSON has more than once: two readers may read such an object differently."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def repeated_members(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the names that occur more than once in the members of an object, each once."""
    seen: set[str] = set()
    return [*dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name))]  # type: ignore[func-returns-value]
