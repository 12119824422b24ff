"""Sealing for the entry of a call: its exchanges with the provider, and of a doubt its inputs, for
whoever decides, and its request, which may be sent again.

Values of inline connections and header fields are never stored with a doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.manifest import WHOLE_BODY
from jackfield.manifest.reading import HOST
from jackfield.redaction.marks import masked
from jackfield_store.journal.entry import RECORDED, REQUEST

if TYPE_CHECKING:
    from jackfield.call.reached import Asked, Reached
    from jackfield.invocation import Result
    from jackfield_store.journal.journal import Journal

_LOG = logging.getLogger("jackfield.journal")
_LARGEST = 256 * 1024
"""Maximum bytes of a stored request; of a larger one size and digest are stored."""
_OF_ANSWERS = ("select", "maxBytes")
_HEADERS = "headers"
_HIDDEN = "***"


def sealed_exchanges(call: Reached, result: Result, journal: Journal) -> bytes | None:
    """Return the stored exchanges of an ended call, masked and sealed for its entry; None if none
    are stored. A failure here never loses the call's outcome.
    """
    # most calls succeed, and need none of it
    from jackfield_store.recording.exchanges import exchanges_of

    found = attempt(exchanges_of, call, result)
    if isinstance(found, Raised):
        _LOG.error(
            "the exchanges of the invocation %s could not be kept: %s",
            call.how.meta.invocation_id,
            type(found.error).__name__,
        )
        return None
    return (
        None
        if found is None
        else journal.sealed_inputs(call.how.meta.invocation_id, found, "exchanges")
    )


def sealed_doubt(journal: Journal, call: Reached, asked: Asked, *, recorded: bool) -> bytes | None:
    """Return the sealed inputs and request of a call that ends in doubt; None if they cannot be
    stored. ``recorded``: the workspace stores inputs anyway. A failure here never loses the
    outcome.
    """
    if asked.invocation.connector == HOST or call.plan is None:
        return None
    found = attempt(_sealed, journal, call, asked, recorded)
    if isinstance(found, Raised):
        _LOG.warning(
            "the inputs of the invocation %s, which is in doubt, could not be kept: %s",
            call.how.meta.invocation_id,
            type(found.error).__name__,
        )
        return None
    return found


def _sealed(journal: Journal, call: Reached, asked: Asked, recorded: bool) -> bytes:
    given, identifier, plan = asked.given.inputs, call.how.meta.invocation_id, call.plan
    body = asked.given.body
    if isinstance(body.get("inputs"), Mapping) and WHOLE_BODY not in body["inputs"]:
        given = body["inputs"]  # which names files instead of their contents
    shown: Any = masked({} if plan is None else plan.action.inputs, given)
    if call.redactor is not None:
        shown = call.redactor.clean_json(shown)
    has_headers = bool(given.get(_HEADERS))
    if has_headers:
        shown = {**shown, _HEADERS: _HIDDEN}
    about = {"inputs": shown, RECORDED: recorded}
    is_inline = isinstance(asked.invocation.connection, Mapping)
    if not is_inline and not has_headers and plan is not None:
        kept = {name: value for name, value in body.items() if name not in _OF_ANSWERS}
        about[REQUEST] = {"invocation": kept, **_connection_of(call)}
    sealed = journal.sealed_inputs(identifier, about)
    if len(sealed) <= _LARGEST:
        return sealed
    digest = journal.fingerprint({"inputs": given})
    short = {"size": len(sealed), "digest": digest}
    return journal.sealed_inputs(identifier, {"inputs": short, RECORDED: False})


def _connection_of(call: Reached) -> dict[str, str]:
    target = None if call.plan is None else call.plan.target
    return {} if target is None or target.id is None else {"connectionId": target.id}
