"""Objects that looks have found: comparison with each other, their displayed parts, and comparison
with the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.pointers import follow, names, pointer

_MEMBERS, _LONGEST = 8, 256
"""Maximum number of displayed members of a found object, and maximum characters of each."""


@dataclass(frozen=True, slots=True, repr=False)
class Thing:
    """Object that a read has found by a ``marker``, ``at`` a pointer of its ``page``."""

    item: Any
    page: Mapping[str, Any]
    at: str = ""
    marker: str | None = None


def things(pages: Sequence[Mapping[str, Any]], each: str | None) -> Iterator[Thing]:
    """Yield the objects of pages: the items of the list at ``each``, or each page as one."""
    for page in pages:
        if each is None:
            yield Thing(page, page)
            continue
        found = follow(page, each)
        if isinstance(found, list):
            yield from (Thing(item, page, f"{each}/{place}") for place, item in enumerate(found))


def distinct(found: Iterable[Thing], at: str) -> list[Thing]:
    """Return the distinct objects: equal ones, or ones with the same ID ``at`` a pointer, count as
    one, found on two pages.
    """
    kept = list[Thing]()
    for thing in found:
        if not any(is_one(thing, other, at) for other in kept):
            kept.append(thing)
    return kept


def is_one(thing: Thing, other: Thing, at: str) -> bool:
    """Return whether two objects are equal, or have the same ID ``at`` a pointer."""
    own = _id(thing, at)
    return bool(thing.item == other.item) or (own is not None and own == _id(other, at))


def _id(thing: Thing, at: str) -> str | None:
    try:
        found = follow(thing.item, at)
    except (LookupError, ValueError):
        return None
    return (
        str(found)
        if isinstance(found, str | int) and not isinstance(found, bool) and found != ""
        else None
    )


def beginning(item: Any, within: str = "", towards: str = "") -> dict[str, str]:
    """Return the beginning of a found object, masked: a provider's text must not look like
    jackfield's. It has members of the object at ``within``, and of the objects on the path
    ``towards`` the compared value: an envelope has few members of its own.
    """
    try:
        found = follow(item, within)
    except (LookupError, ValueError):
        return {}
    shown = dict[str, str]()
    for name in [*names(towards.removeprefix(within)), ""]:
        for key, value in found.items() if isinstance(found, Mapping) else ():
            if isinstance(value, str | int | float):
                shown.setdefault(str(key)[:64], str(value)[:_LONGEST])
        try:
            found = follow(found, pointer(name))
        except (LookupError, ValueError):
            break
    return dict([*shown.items()][:_MEMBERS])


def same(found: Any, wanted: Any) -> bool:
    """Return whether a value equals the sent value: providers may return a number as text."""
    return (type(found) is type(wanted) and found == wanted) or (
        isinstance(found, str | int) and str(found) == str(wanted)
    )


def has(found: Any, wanted: Any) -> bool:
    """Return whether a text contains the sent text, or a list has an item that equals the sent
    value or, for an object, has its members.
    """
    if isinstance(found, list):
        return any(
            _has_members(item, wanted) if isinstance(wanted, Mapping) else same(item, wanted)
            for item in found
        )
    return isinstance(found, str) and isinstance(wanted, str) and bool(wanted) and wanted in found


def _has_members(item: Any, wanted: Mapping[str, Any]) -> bool:
    return (
        isinstance(item, Mapping)
        and bool(wanted)
        and all(name in item and same(item[name], one) for name, one in wanted.items())
    )
