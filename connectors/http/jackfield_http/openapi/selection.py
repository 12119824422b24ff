"""Selection of operations: by tag, by key, or by method and path, each with ``*`` and ``?`` as wildcards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from jackfield_http.openapi.operations import Operation


def selecting(patterns: Sequence[str]) -> Callable[[Operation, str], bool]:
    """Return the function that decides whether an operation, with its key, is selected; without patterns all are.

    ``tag:Tickets`` selects a tag, ``GET /tickets*`` a method and paths, ``/tickets*`` paths, anything else keys. A pattern that begins with
    ``!`` excludes.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]

    def keep(operation: Operation, key: str) -> bool:
        if any(_fits(pattern, operation, key) for pattern in unwanted):
            return False
        return not wanted or any(_fits(pattern, operation, key) for pattern in wanted)

    return keep


def _fits(pattern: str, operation: Operation, key: str) -> bool:
    if pattern.startswith("tag:"):
        tags = operation.raw.get("tags")
        return isinstance(tags, list) and any(isinstance(tag, str) and fnmatchcase(tag, pattern[4:]) for tag in tags)
    if pattern.startswith("/"):
        return fnmatchcase(operation.path, pattern)
    if " /" in pattern:
        return fnmatchcase(operation.name, pattern)
    return fnmatchcase(key, pattern)
