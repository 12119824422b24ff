"""Things that looks for evidence have found: which of them are one, what of them is shown, and whether they have what a call sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.pointers import follow, names, pointer

_MEMBERS, _LONGEST = 8, 256
"""Members of what was found that are shown, and characters of each."""


@dataclass(frozen=True, slots=True, repr=False)
class Thing:
    """Thing that a read has found by a ``marker``, ``at`` a pointer of its ``page``."""

    item: Any
    page: Mapping[str, Any]
    at: str = ""
    marker: str | None = None


def things(pages: Sequence[Mapping[str, Any]], each: str | None) -> Iterator[Thing]:
    """Yield what pages have: the items of the list at ``each``, or each page as one."""
    for page in pages:
        if each is None:
            yield Thing(page, page)
            continue
        found = follow(page, each)
        if isinstance(found, list):
            yield from (Thing(item, page, f"{each}/{place}") for place, item in enumerate(found))


def distinct(found: Iterable[Thing], at: str) -> list[Thing]:
    """Return things that differ: those that are equal, or have the same ID ``at`` a pointer, are one, which was found on two pages."""
    kept = list[Thing]()
    for thing in found:
        if not any(is_one(thing, other, at) for other in kept):
            kept.append(thing)
    return kept


def is_one(thing: Thing, other: Thing, at: str) -> bool:
    """Return whether two things are equal, or have the same ID ``at`` a pointer."""
    own = _id(thing, at)
    return bool(thing.item == other.item) or (own is not None and own == _id(other, at))


def _id(thing: Thing, at: str) -> str | None:
    try:
        found = follow(thing.item, at)
    except (LookupError, ValueError):
        return None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) and found != "" else None


def beginning(item: Any, within: str = "", towards: str = "") -> dict[str, str]:
    """Return the beginning of what was found, which is masked: a provider's text, which nobody should take for ours. It is that of the
    object at ``within``, and of those on the way from it ``towards`` what was compared: an envelope has few members of its own."""
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
    """Return whether a value is the one that was sent: providers may return a number as text."""
    return (type(found) is type(wanted) and found == wanted) or (isinstance(found, str | int) and str(found) == str(wanted))


def has(found: Any, wanted: Any) -> bool:
    """Return whether a text contains the one that was sent, or a list an item that is equal to it or, of an object, has its members."""
    if isinstance(found, list):
        return any(_has_members(item, wanted) if isinstance(wanted, Mapping) else same(item, wanted) for item in found)
    return isinstance(found, str) and isinstance(wanted, str) and bool(wanted) and wanted in found


def _has_members(item: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(item, Mapping) and bool(wanted) and all(name in item and same(item[name], one) for name, one in wanted.items())
