"""Requests of doubts that a person sends again: who may, which may be sent, and the stored request
of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.call.how import Again
from jackfield.call.unstored import required
from jackfield.kernel.errors import Detail, NotAllowed
from jackfield_store.journal import statements as sql
from jackfield_store.journal.entry import REQUEST
from jackfield_store.recording.held_keys import not_again, unaskable

if TYPE_CHECKING:
    from jackfield.call.how import HowAgain
    from jackfield.call.pipe import Pipe
    from jackfield.callers import Caller
    from jackfield.invocation.entry import Entry
    from jackfield_store.journal.journal import Journal

_OF_QUEUE = ("notBefore", "notAfter", "priority")
"""Members of a stored request that only the queue takes."""


def asked_again(pipeline: Pipe, identifier: str, how: HowAgain) -> Mapping[str, Any]:
    """Prepare a call that sends the request of a doubt again, and return its invocation.

    :raises InvalidInvocation: if there is no such invocation, or its request may not be sent again.
    :raises NotAllowed: if it is another caller's call, and this caller does not manage the
        workspace.
    """
    journal = required(pipeline.journal())
    entry = journal.find(identifier)
    now = journal.time.now()
    fault = _fault(entry, now)
    if fault is not None:
        raise not_again(entry, *fault)
    _require_allowed(entry, how.caller)
    stored = _request_of(journal, entry)
    if stored is None:
        text = (
            "is not stored: the workspace does not keep it ('keepDoubts'), it was too large, has "
            "header fields, is of an inline connection, or was above 4 KiB, and its process killed"
        )
        raise not_again(entry, "/inputs", text)
    how.again = Again(entry)
    given = pipeline.known.followed(stored)
    return {name: value for name, value in given.items() if name not in _OF_QUEUE}


def _require_allowed(entry: Entry, caller: Caller) -> None:
    if caller.scope in (None, "manage") or (
        entry.caller is not None and entry.caller == caller.name
    ):
        return
    raise NotAllowed(
        "the request of another caller's call is sent again only with the scope 'manage'",
        details=[Detail("/caller", f"is '{entry.caller}'")],
        hint="Ask that caller, or whoever manages the workspace.",
    )


def _fault(entry: Entry, now: float) -> tuple[str, str] | None:
    """Return the member because of which a request may not be sent again, with the reason; None if
    it may.
    """
    if entry.status != "in_doubt":
        return "/status", f"is '{entry.status}': only a call in doubt is sent again"
    if entry.cancel_requested_at is not None:
        return "/cancelRequestedAt", "the call was cancelled"
    if entry.not_after is not None and entry.not_after <= now:
        return "/notAfter", "is over"
    if entry.is_being_asked(now):
        return "/asked", "another process sends the request again at this moment"
    return unaskable(entry, now)


def _request_of(journal: Journal, entry: Entry) -> Mapping[str, Any] | None:
    """Return the stored request of a doubt; None if it is not stored."""
    place = {"workspace": journal.workspace, "id": entry.id}
    row = journal.database.look_up(sql.SELECT_ONE, place, flush=True)
    if row is None or row.inputs is None:
        return None
    stored: Mapping[str, Any] = journal.opened_inputs(entry.id, row.inputs)
    found = stored if "invocation" in stored else stored.get(REQUEST)
    return found if isinstance(found, Mapping) else None
