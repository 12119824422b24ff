"""Secret references that connections made over HTTP or MCP may use: patterns such as ``env:ACME_*``, and what no pattern allows."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

__all__ = ["Allowed", "reference_fault"]

Allowed = bool | tuple[str, ...]
"""A workspace's setting: nothing, everything that is not jackfield's own, or what one of the patterns fits."""

_OWN = "is jackfield's own, which no connection made over HTTP or MCP may read"
_READS_HOST = "a secret reference reads the host, which this connection may not"
_KEY_FILE = "master.key"
_WILDCARD = re.compile(r"[*?\[]")


def reference_fault(kind: str, target: object, folder: str, allowed: Allowed, barred: tuple[str, ...]) -> str | None:
    """Explain why a reference may not be read, None if it may. ``barred`` are files and folders that no pattern allows.

    Paths are compared after symbolic links and ``..`` are resolved. Processes' files under ``/proc`` hold environments and keys, so they
    are never read.
    """
    if not allowed:
        return _READS_HOST
    text = target if isinstance(target, str) else ""
    if kind == "$env" and text.upper().startswith("JACKFIELD_"):
        return f"'{text[:80]}' {_OWN}"
    if kind == "$file":
        text = _real(folder, text)
        if _is_barred(text, barred):
            return f"the file {_OWN}"
    if isinstance(allowed, bool) or any(_fits(kind, text, pattern) for pattern in allowed):
        return None
    return f"no pattern of the workspace's setting 'allowReferences' fits this '{kind[:40]}'"


def _fits(kind: str, text: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    wanted, _, rest = pattern.partition(":")
    if f"${wanted}" != kind:
        return False
    return fnmatchcase(text, _real_pattern(rest) if kind == "$file" else rest)


def _is_barred(path: str, barred: tuple[str, ...]) -> bool:
    places = (*(_real("", place) for place in barred), "/proc")
    return os.path.basename(path) == _KEY_FILE or any(path == place or path.startswith(place.rstrip(os.sep) + os.sep) for place in places)  # noqa: PTH119 (no Path is needed)


def _real(folder: str, path: str) -> str:
    try:
        return os.path.realpath(os.path.join(folder, os.path.expanduser(path)))  # noqa: PTH111, PTH118 (as ``Secrets`` reads it)
    except ValueError:  # a NUL
        return ""


def _real_pattern(pattern: str) -> str:
    """Resolve the part of a path before the first wildcard, since paths are compared resolved."""
    wildcard = _WILDCARD.search(pattern)
    if wildcard is None:
        return _real("", pattern)
    place, slash, rest = pattern[: wildcard.start()].rpartition(os.sep)
    return _real("", place + slash).rstrip(os.sep) + os.sep + rest + pattern[wildcard.start() :]
