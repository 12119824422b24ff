"""Responses with success although nothing was carried out: every entry of the request failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector import FailedEntry
from jackfield.kernel.pointers import names
from jackfield_aws.virtual.entry_errors import FAILURES, EntryErrors
from jackfield_aws.virtual.failed_inputs import FailedInputs, Steps

_BESIDE = frozenset({"ConsumedCapacity", "ItemCollectionMetrics", "ResponseMetadata"})
"""Members about the resources that a request used, not about its effect."""
_ABSENT = re.compile(r"\w*notfound|missing[a-z]+s", re.IGNORECASE)
"""Pattern of members that list missing objects, which is a result and no refusal."""
_STARTED: Mapping[str, str] = {"failures": "tasks"}
"""Lists of failures without a reference to the request, and the list of started work (Amazon ECS
API reference, RunTask).
"""


def is_whole(
    output: Mapping[str, Any],
    own: Sequence[EntryErrors],
    failed: Mapping[str, Sequence[FailedEntry]],
    asked: FailedInputs,
) -> bool:
    """Return whether ``failed``, by output member, covers all requested entries, and the output
    shows nothing carried out.

    ``own`` are the lists whose entries may fail individually.
    """
    if (
        not failed
        or any(_ABSENT.fullmatch(name) for name in failed)
        or any(_is_carried_out(name, value, failed) for name, value in output.items())
    ):
        return False
    listed = [one for one in own if one.member in failed]
    if listed:
        return all(_has_all(one, output[one.member], asked) for one in listed)
    if any(
        done in output and not output[done] for name, done in _STARTED.items() if name in failed
    ):
        return True
    places = [entry.input for entries in failed.values() for entry in entries]
    return None not in places and asked.are_covered(
        names(place) for place in places if place is not None
    )


def entries_of(steps: Steps, value: Any) -> Iterator[tuple[Steps, Mapping[str, Any]]]:
    """Yield the objects in a list and in its nested lists, with their steps."""
    for number, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield (*steps, number), entry
        else:
            yield from entries_of((*steps, number), entry)


def _is_carried_out(name: str, value: Any, failed: Mapping[str, Sequence[FailedEntry]]) -> bool:
    if name in failed:
        return len(failed[name]) < sum(1 for _ in entries_of((), value)) and not FAILURES.fullmatch(
            name
        )
    return (
        isinstance(value, list | dict)
        and bool(value)
        and name not in _BESIDE
        and not FAILURES.fullmatch(name)
    )


def _has_all(one: EntryErrors, value: Any, asked: FailedInputs) -> bool:
    """Return whether a list has an entry for each of the request's entries; True if no
    correspondence is documented.
    """
    return one.asked is None or len(value) >= asked.length(one.asked)
