"""Outputs without a policy's decision when their calls ended: sealed within their Results, and
unreadable until a policy decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError
from jackfield_store.journal.entry import bound_result

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Database

_LOG = logging.getLogger("jackfield.policy")
Term = Callable[[], float]
"""Function that returns a number of seconds."""
Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | None] | None
"""Function that gets a Result's JSON and its withheld part; it returns the Result as policies
permit it, None if they have not decided. None stands for no policies.
"""
_DECIDE = (
    "UPDATE invocations SET result = :result WHERE workspace = :workspace AND id = :id AND "
    "result = :before"
)


class Sealing(Protocol):
    """Port to a workspace's journal for decisions."""

    database: Database
    workspace: str

    def sealed_result(self, identifier: str, result: Mapping[str, Any]) -> bytes:
        """Encrypt a Result's JSON for its entry."""


def decided(
    journal: Sealing,
    entry: Entry,
    before: bytes,
    undecided: Mapping[str, Any],
    judge: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | None],
) -> Entry:
    """Submit an output to the policies, and record the Result without the withheld part, unless it
    was changed meanwhile. Return the entry, unchanged if there is still no decision. ``before`` is
    its Result, sealed.
    """
    found = None if entry.result is None else judge(entry.result, undecided)
    if found is None:
        return entry
    sealed = journal.sealed_result(entry.id, bound_result(found, entry, answers=True))
    values = {"workspace": journal.workspace, "id": entry.id, "result": sealed, "before": before}
    try:
        journal.database.record(lambda transaction: transaction.change(_DECIDE, values))
    except JackfieldError as error:  # the next look asks again
        _LOG.warning(
            "what a policy has decided on the invocation %s could not be recorded: %s",
            entry.id,
            error.message,
        )
    return replace(entry, result=found)
