"""Names of connectors in a catalogue: each has one owner, and no name may look like another
owner's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jackfield.kernel.edits import one_edit

_CONFUSABLE = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("2", "z"))
_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_HOST = re.compile(
    r"(?P<any>\*\.)?(?P<name>[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)",
    re.ASCII,
)
_REGISTRIES = frozenset(
    {
        "ac",
        "co",
        "com",
        "edu",
        "go",
        "gob",
        "gov",
        "gouv",
        "ltd",
        "mil",
        "ne",
        "net",
        "nom",
        "or",
        "org",
        "plc",
        "sch",
    }
)
"""Labels below which country domains register names of different owners, such as ``co`` in
``co.uk``.
"""
_COUNTRY = 2
_OF_REGISTRY = 2
"""Length of a country's domain in letters, and number of labels of a registry's domain."""
_SHORTEST = 4
"""Minimum length of a name whose one-edit neighbours count as look-alikes: most shorter names are
one edit apart.
"""


def is_key(text: str) -> bool:
    """Return whether a text has the form of a connector's key."""
    return _KEY.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Return whether a manifest may name a host: a full name, or ``*.`` and a domain that has one
    owner.
    """
    found = _HOST.fullmatch(text)
    if found is None or not found["any"]:
        return found is not None
    labels = str(found["name"]).lower().split(".")
    if len(labels) != _OF_REGISTRY:
        return len(labels) > _OF_REGISTRY
    return len(labels[1]) != _COUNTRY or labels[0] not in _REGISTRIES


def skeleton(name: str) -> str:
    """Return the visual skeleton of a name: without separators, and with one letter for each group
    of similar letters.
    """
    found = name.lower().removeprefix("jackfield-")
    for mark in "-_.":
        found = found.replace(mark, "")
    for looks, as_if in _CONFUSABLE:
        found = found.replace(looks, as_if)
    return found


class LookAlikes:
    """Index of names that finds names one edit or one confusable letter away, without comparing all
    pairs.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._near: dict[str, set[str]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name to the index."""
        for part in _parts(skeleton(name)):
            self._near.setdefault(part, set()).add(name)

    def find(self, name: str) -> list[str]:
        """Return the other names that look like ``name``, sorted."""
        mine = skeleton(name)
        near = {
            other for part in _parts(mine) for other in self._near.get(part, ()) if other != name
        }
        return sorted(other for other in near if _alike(mine, skeleton(other)))


def _alike(one: str, other: str) -> bool:
    return one == other or (min(len(one), len(other)) >= _SHORTEST and one_edit(one, other))


def _parts(text: str) -> Iterator[str]:
    """Yield the text, and the text without each of its letters: names one edit apart share a
    result.
    """
    yield text
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]
