"""Selection of operations: by tag, by key, or by method and path, each with ``*`` and ``?`` as
wildcards.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from jackfield_openapi.operations import Operation


class Selection:
    """Selection of operations by patterns; without patterns all are selected.

    ``tag:Tickets`` selects a tag, ``GET /tickets*`` a method and paths, ``/tickets*`` paths; any
    other pattern selects keys. A pattern that begins with ``!`` excludes.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._used: set[str] = set()

    def __call__(self, operation: Operation, key: str) -> bool:
        """Return whether an operation, with its key, is selected."""
        fitting = {
            pattern
            for pattern in self._patterns
            if _fits(pattern.removeprefix("!"), operation, key)
        }
        self._used |= fitting
        wants = [pattern for pattern in self._patterns if not pattern.startswith("!")]
        return not any(pattern.startswith("!") for pattern in fitting) and (
            not wants or bool(fitting)
        )

    @property
    def idle(self) -> list[str]:
        """Patterns that matched no operation."""
        return [pattern for pattern in self._patterns if pattern not in self._used]


def _fits(pattern: str, operation: Operation, key: str) -> bool:
    if pattern.startswith("tag:"):
        tags = operation.raw.get("tags")
        return isinstance(tags, list) and any(
            isinstance(tag, str) and fnmatchcase(tag, pattern[4:]) for tag in tags
        )
    if pattern.startswith("/"):
        return fnmatchcase(operation.path, pattern)
    if " /" in pattern:
        return fnmatchcase(operation.name, pattern)
    return fnmatchcase(key, pattern)
