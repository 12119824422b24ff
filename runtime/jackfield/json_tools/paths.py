"""Paths to members of a JSON value, as manifests name the tokens and the items of a paginated output.

A path is a member's name, or several joined by dots; ``[-1]`` after a name is the last item of an array. Alternatives are separated by
``||``: the first one that leads to a value counts. A path that begins with ``/`` is a JSON Pointer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from functools import lru_cache

from jackfield.json_tools.pointers import names

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

LAST = "[-1]"
_ADDED = (int, float)


@lru_cache(maxsize=5000)
def alternatives(path: str) -> tuple[tuple[str, ...], ...]:
    """Return the steps of each alternative of a path: names of members, and ``LAST`` for the last item of an array."""
    if path.startswith("/"):
        return (tuple(names(path)),)
    return tuple(tuple(_steps(part.strip())) for part in path.split("||"))


def _steps(path: str) -> Iterator[str]:
    for name in path.split("."):
        yield name.removesuffix(LAST)
        if name.endswith(LAST):
            yield LAST


def find(value: Any, path: str) -> Any:
    """Return the first value that is neither empty nor missing among the alternatives of ``path``; else the last one's value or None."""
    found = None
    for steps in alternatives(path):
        found = _follow(value, steps)
        if found:
            return found
    return found


def _follow(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif step == LAST and isinstance(value, list) and value:
            value = value[-1]
        else:
            return None
    return value


def copy_member(target: MutableMapping[str, Any], source: Mapping[str, Any], path: str) -> None:
    """Give the members of ``target`` at each alternative of ``path`` the values of ``source``; those that it lacks are removed."""
    for steps in alternatives(path):
        if LAST in steps:
            continue  # an item, which belongs to its array
        owner, last = _follow(target, steps[:-1]), steps[-1]
        if not isinstance(owner, MutableMapping):
            continue
        new = _follow(source, steps)
        if new is None:
            owner.pop(last, None)
        else:
            owner[last] = new


def merge_member(target: MutableMapping[str, Any], source: Mapping[str, Any], path: str) -> None:
    """Add the value of ``source`` at ``path`` to that of ``target``: arrays are joined, numbers added up, objects united."""
    steps = alternatives(path)[0]
    new: Any = _follow(source, steps)
    owner, last = _follow(target, steps[:-1]), steps[-1]
    if new is None or not isinstance(owner, MutableMapping):
        return
    old: Any = owner.get(last)
    if isinstance(old, list) and isinstance(new, list):
        old.extend(new)
    elif isinstance(old, dict) and isinstance(new, dict):
        owner[last] = {**old, **new}
    elif old is None:
        owner[last] = new
    elif type(new) in _ADDED and type(old) in _ADDED:
        owner[last] = old + new
