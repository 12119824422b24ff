"""Files named by ``{"$file": "path"}``: opened once, checked by the open descriptor, and read from it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.connections.reference_rules import ReferenceRules

__all__ = ["read_reference"]

_MAX_FILE = 64 * 1024
_TRIES = 3
"""Attempts to resolve a path: a mounted secret may be replaced while it is opened (Kubernetes swaps a link)."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def read_reference(target: object, folder: str, rules: ReferenceRules | None = None) -> str:
    """Read the text of a file without its final line end. ``rules`` are those of a connection made over HTTP or MCP.

    :raises ValueError: if it cannot be read, is not a regular file, is too large or not text, or ``rules`` do not allow it.
    """
    if not isinstance(target, str) or not target or "\0" in target:
        raise ValueError("'$file' takes the path of a file")
    path = os.path.join(folder, os.path.expanduser(target))
    try:
        content = _content(path, target, rules)
        text = content.decode("utf-8")
    except OSError as error:
        raise ValueError(f"the file '{target[:200]}' cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file '{target[:200]}' is not UTF-8 text") from None
    except UnicodeEncodeError:
        raise ValueError(f"no file can have the path {target[:200]!a}: it has a lone surrogate") from None
    if len(content) > _MAX_FILE:
        raise ValueError(f"the file '{target[:200]}' is larger than {_MAX_FILE:,} bytes")
    return text.removesuffix("\n").removesuffix("\r")


def _content(path: str, target: str, rules: ReferenceRules | None) -> bytes:
    descriptor = _opened(path, target) if rules is None else _opened_by_rules(path, target, rules)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        _require_regular(found, target)
        fault = rules.opened_fault(found) if rules is not None else None
        if fault is not None:
            raise ValueError(fault)
        return file.read(_MAX_FILE + 1)


def _opened(path: str, target: str) -> int:
    _require_regular(os.stat(path), target)  # opening a device can have effects
    return os.open(path, _FLAGS)


def _opened_by_rules(path: str, target: str, rules: ReferenceRules) -> int:
    """Open the resolved path if the rules allow it, without following links that are created meanwhile."""
    fault: str | None = None
    for left in reversed(range(_TRIES)):
        try:
            resolved = os.path.realpath(path)
            fault = rules.path_fault(resolved)
            if fault is None:
                return _opened_without_links(resolved, target)
        except OSError:
            if not left:
                raise
    raise ValueError(fault)


def _opened_without_links(resolved: str, target: str) -> int:
    """Open an absolute path folder by folder, and refuse a link at any position."""
    if os.open not in os.supports_dir_fd:
        return _opened(resolved, target)
    *folders, name = [part for part in resolved.split(os.sep) if part] or ["."]
    place = os.open(os.sep, _STEP)
    try:
        for folder in folders:
            below = os.open(folder, _STEP, dir_fd=place)
            os.close(place)
            place = below
        _require_regular(os.stat(name, dir_fd=place, follow_symlinks=False), target)
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=place)
    finally:
        os.close(place)


def _require_regular(found: os.stat_result, target: str) -> None:
    """Refuse files that are not regular: a FIFO or a device could block its reader forever."""
    if stat.S_ISDIR(found.st_mode):
        raise ValueError(f"the file '{target[:200]}' cannot be read: Is a directory")
    if stat.S_ISLNK(found.st_mode):
        raise OSError(0, "it was replaced by a link while it was opened")
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"the file '{target[:200]}' is not a regular file")
