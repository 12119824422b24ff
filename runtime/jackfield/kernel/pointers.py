"""JSON Pointers (RFC 6901), and the paths by which manifests name the tokens and the items of a
paginated output.

A path is a member's name, or several joined by dots; ``[-1]`` after a name is the last item of an
array. Alternatives are separated by ``||``: the first alternative that leads to a value counts. A
path that begins with ``/`` is a JSON Pointer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from functools import lru_cache

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

MAX_TOKEN = 255
"""Maximum characters of one name in a displayed pointer; long enough for file names."""
MAX_NAME = 80
"""Maximum number of displayed characters of an unknown member's name, which may be a secret pasted
into the wrong place.
"""

_SURROGATE = re.compile("[\ud800-\udfff]")


def child(path: str, name: str | int) -> str:
    """Return the pointer to a member or item of the value at ``path``."""
    token = str(name).replace("~", "~0").replace("/", "~1")
    return f"{path}/{token}"


def pointer(*steps: str | int) -> str:
    """Return the JSON Pointer of names and indexes: ``pointer("to", 0)`` is ``/to/0``."""
    path = ""
    for name in steps:
        path = child(path, name)
    return path


def unescaped(token: str) -> str:
    """Return the name or index that a token of a pointer encodes."""
    return token.replace("~1", "/").replace("~0", "~")


def names(path: str) -> list[str]:
    """Return a pointer's names and indexes, starting at the root."""
    return [unescaped(token) for token in path.split("/")[1:]]


def cut(name: str, limit: int = MAX_NAME) -> str:
    """Truncate a name to ``limit`` characters and an ellipsis."""
    return name if len(name) <= limit else name[:limit] + "…"


def shown(path: str) -> str:
    """Return a pointer for a Detail: valid Unicode, and no name longer than ``MAX_TOKEN``."""
    if len(path) > MAX_TOKEN:
        path = "/".join(cut(token, MAX_TOKEN) for token in path.split("/"))
    return path if path.isascii() else _SURROGATE.sub("\ufffd", path)


def follow(root: Any, path: str) -> Any:
    """Return the value at a pointer in a schema; the pointer may be percent-encoded, as in the
    fragment of a URI.

    :raises LookupError: if it points to nothing.
    """
    from urllib.parse import unquote

    found = root
    path = unquote(path)
    if path and not path.startswith("/"):
        raise LookupError(path)
    for name in names(path):
        if isinstance(found, dict):
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and name.isascii():
            found = found[int(name)]
        else:
            raise LookupError(name)
    return found


LAST = "[-1]"
_ADDED = (int, float)


@lru_cache(maxsize=5000)
def alternatives(path: str) -> tuple[tuple[str, ...], ...]:
    """Return the steps of each alternative of a path: names of members, and ``LAST`` for the last
    item of an array.
    """
    if path.startswith("/"):
        return (tuple(names(path)),)
    return tuple(tuple(_steps(part.strip())) for part in path.split("||"))


def _steps(path: str) -> Iterator[str]:
    for name in path.split("."):
        yield name.removesuffix(LAST)
        if name.endswith(LAST):
            yield LAST


def find(value: Any, path: str) -> Any:
    """Return the first value that is neither empty nor missing among the alternatives of ``path``;
    else the last alternative's value or None.
    """
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
    """Set the members of ``target`` at each alternative of ``path`` to the values of ``source``;
    members that ``source`` lacks are removed.
    """
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
    """Add the value of ``source`` at ``path`` to the value of ``target``: arrays are joined,
    numbers added up, objects united.
    """
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
