"""Matching of failed entries to inputs: AWS identifies an entry by the request's own name for it,
or by its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector import pointer

Steps = tuple[str | int, ...]
_WHY_WORDS = """
code errorcode message errormessage reason detail errordetail error failurecode failurereason senderfault
"""
WHY = frozenset(_WHY_WORDS.split())
"""Members of an entry, in lower case, that hold the reason of its failure, not its identity."""
_DEEPEST, _MOST = 3, 1000
"""Maximum depth of lists in the inputs, and maximum number of entries that are searched."""


class FailedInputs:
    """Entries of the lists in a request's parameters. A failed entry of the response is matched to
    one of them; each is matched at most once.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._lists = dict(_lists((), parameters, _DEEPEST))
        self._free = [
            ((*steps, number), entry)
            for steps, found in self._lists.items()
            for number, entry in enumerate(found)
        ][:_MOST]

    def at(self, member: str, number: int, length: int) -> str | None:
        """Return the pointer to the request's entry number ``number``, given a response list with
        ``length`` entries in the request's order. The request's list has the same name, or alone
        has that length; None without such a list.
        """
        fitting = [steps for steps, found in self._lists.items() if len(found) == length]
        named = [steps for steps in fitting if steps[-1] == member]
        return pointer(*(named or fitting)[0], number) if len(named or fitting) == 1 else None

    def length(self, member: str) -> int:
        """Return the number of entries in a top-level list of the request."""
        return len(self._lists.get((member,), ()))

    def are_covered(self, places: Iterable[Sequence[str]]) -> bool:
        """Return whether these pointers cover all entries of one member of the request: of its
        list, or of its lists by table. False if the request has a longer list of the same kind,
        since the correspondence is then unknown.
        """
        known = {tuple(place) for place in places}
        covered = {place[:-1] for place in known}
        members, depths = {steps[0] for steps in covered}, {len(steps) for steps in covered}
        kinds = {_kind(found) for steps, found in self._lists.items() if steps in covered}
        alike = {steps: len(found) for steps, found in self._lists.items() if _kind(found) in kinds}
        asked = sum(
            count for steps, count in alike.items() if steps[0] in members and len(steps) in depths
        )
        return (
            len(members) == 1
            and len(known) >= asked > 0
            and all(count <= asked for count in alike.values())
        )

    def of(self, entry: Any) -> str | None:
        """Return the pointer to the request's entry that matches a response's entry: it is equal,
        has the same names, or is named by the response. None without a match.
        """
        for is_it in (_equals, _has_same_names, _is_named):
            for number, (steps, asked) in enumerate(self._free):
                if is_it(asked, entry):
                    del self._free[number]
                    return pointer(*steps)
        return None


def _kind(found: Sequence[Any]) -> str:
    return "" if not found else "object" if isinstance(found[0], Mapping) else "value"


def _lists(
    steps: Steps, value: Mapping[str, Any], depth: int
) -> Iterator[tuple[Steps, Sequence[Any]]]:
    for name, item in value.items():
        if isinstance(item, list):
            yield (*steps, name), item
        elif isinstance(item, Mapping) and depth > 1:
            yield from _lists((*steps, name), item, depth - 1)


def _equals(asked: Any, entry: Any) -> bool:
    return bool(asked == entry)


def _has_same_names(asked: Any, entry: Any) -> bool:
    """Return whether the entries share members, such as ``Id``, and all shared members have equal
    values.
    """
    if not isinstance(asked, Mapping) or not isinstance(entry, Mapping):
        return False
    known = {name.casefold(): value for name, value in asked.items()}
    shared = [
        (known[name.casefold()], value) for name, value in _what(entry) if name.casefold() in known
    ]
    return bool(shared) and all(one == other for one, other in shared)


def _is_named(asked: Any, entry: Any) -> bool:
    """Return whether a member of the response's entry equals the request's entry or one of its
    lists and objects, or is an ARN that ends with it.
    """
    if not isinstance(entry, Mapping):
        return False
    whole = (
        [asked, *(value for value in asked.values() if isinstance(value, list | dict))]
        if isinstance(asked, Mapping)
        else [asked]
    )
    values = [value for _, value in _what(entry)]
    if any(value in whole for value in values if value not in ("", [], {})):
        return True
    ends = (f"/{asked}", f":{asked}")
    return (
        isinstance(asked, str)
        and bool(asked)
        and any(isinstance(one, str) and one.endswith(ends) for one in values)
    )


def _what(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in entry.items() if name.casefold() not in WHY)
