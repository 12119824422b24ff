"""Sealing for the entry of a call: its exchanges with the provider, and of a doubt its inputs, for
whoever decides, and its request, which may be sent again.

Values of inline connections and header fields are never stored with a doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.canonical import canonical
from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.manifest import WHOLE_BODY
from jackfield.manifest.reading import HOST
from jackfield.redaction.marks import masked
from jackfield_store.journal.entry import RECORDED, REQUEST

if TYPE_CHECKING:
    from jackfield.call.reached import Asked, Planned, Reached
    from jackfield.invocation import Result
    from jackfield_store.journal.journal import Journal

_LOG = logging.getLogger("jackfield.journal")
_LARGEST = 256 * 1024
"""Maximum bytes of a stored request; of a larger one size and digest are stored."""
_LARGEST_BEGIN = 4 * 1024
"""Maximum bytes of a request that is stored with its begin, for the case that its process is
killed.
"""
_SHORT = 256
"""Maximum characters of an input that is stored beside larger ones."""
_OF_ANSWERS = ("select", "maxBytes")
_HEADERS = "headers"
_IN_HEADERS = ("header", "cookie")
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


def sealed_doubt(
    journal: Journal, call: Reached, asked: Asked, recorded: bytes | None
) -> bytes | None:
    """Return the sealed inputs and request of a call that ends in doubt. ``recorded`` are inputs
    that the workspace records anyway; they are returned if the others cannot be stored. A failure
    here never loses the outcome.
    """
    return _attempted(_sealed, journal, call, asked, recorded, _LARGEST)


def sealed_begin(
    journal: Journal, call: Reached, asked: Asked, recorded: bytes | None
) -> bytes | None:
    """Return what the row of a call has while the call runs, for whoever finds it in doubt because
    its process was killed.

    It is the request, which is masked when it is read: most calls end, and nobody reads it.
    """
    store = _sealed if recorded is not None else _unmasked
    return _attempted(store, journal, call, asked, recorded, _LARGEST_BEGIN)


def _attempted(
    store: Callable[[Journal, Reached, Asked, bytes | None, int], bytes],
    journal: Journal,
    call: Reached,
    asked: Asked,
    recorded: bytes | None,
    largest: int,
) -> bytes | None:
    if asked.invocation.connector == HOST or call.plan is None:
        return recorded
    found = attempt(store, journal, call, asked, recorded, largest)
    if isinstance(found, Raised):
        _LOG.warning(
            "the inputs of the invocation %s could not be kept for a doubt: %s",
            call.how.meta.invocation_id,
            type(found.error).__name__,
        )
        return recorded
    return found


def _unmasked(
    journal: Journal, call: Reached, asked: Asked, recorded: bytes | None, largest: int
) -> bytes:
    request = _request_of(call, asked, _given(asked))
    if request is not None and _left(request, largest) >= 0:
        stored = {REQUEST: request, RECORDED: False}
        sealed = journal.sealed_inputs(call.how.meta.invocation_id, stored)
        if len(sealed) <= largest:
            return sealed
    return _sealed(journal, call, asked, recorded, largest)


def _sealed(
    journal: Journal, call: Reached, asked: Asked, recorded: bytes | None, largest: int
) -> bytes:
    given, identifier, plan = _given(asked), call.how.meta.invocation_id, call.plan
    shown: Any = masked({} if plan is None else plan.action.inputs, given)
    shown |= dict.fromkeys(_headers_in(given, plan), _HIDDEN)
    if _left(given, largest) >= 0:
        about = {"inputs": _clean(call, shown), RECORDED: recorded is not None}
        request = _request_of(call, asked, given)
        if request is not None:
            about[REQUEST] = request
        sealed = journal.sealed_inputs(identifier, about)
        if len(sealed) <= largest:
            return sealed
    if recorded is not None:
        return recorded
    brief = {
        name: value if _left(value, _SHORT) >= 0 else _described(journal, given[name])
        for name, value in shown.items()
    }
    if _left(brief, largest) < 0:
        brief = _described(journal, given)
    return journal.sealed_inputs(identifier, {"inputs": _clean(call, brief), RECORDED: False})


def _given(asked: Asked) -> Mapping[str, Any]:
    """Return the inputs of a request, which name files instead of their contents."""
    named = asked.given.body.get("inputs")
    if isinstance(named, Mapping) and WHOLE_BODY not in named:
        return named
    return asked.given.inputs


def _request_of(call: Reached, asked: Asked, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the request that may be sent again; None if it has header fields, or is of an inline
    connection.
    """
    is_inline = isinstance(asked.invocation.connection, Mapping)
    if is_inline or _headers_in(given, call.plan):
        return None
    body = asked.given.body
    kept = {name: value for name, value in body.items() if name not in _OF_ANSWERS}
    return {"invocation": kept, **_connection_of(call)}


def _clean(call: Reached, shown: Any) -> Any:
    return shown if call.redactor is None else call.redactor.clean_json(shown)


def _headers_in(given: Mapping[str, Any], plan: Planned | None) -> list[str]:
    """Return the inputs that become header fields."""
    names = [_HEADERS]
    if plan is not None:
        parameters = plan.action.content.row.get("http", {}).get("parameters", ())
        names += [one["input"] for one in parameters if one["in"] in _IN_HEADERS]
    return [name for name in names if given.get(name)]


def _described(journal: Journal, value: Any) -> dict[str, Any]:
    """Return size and keyed digest of a value that is too large to be stored."""
    size = sum(len(piece) for piece in canonical(value))
    return {"size": size, "digest": journal.fingerprint({"value": value})}


def _left(value: Any, room: int) -> int:
    """Return how much of ``room`` a value leaves at least, negative if it needs more."""
    if isinstance(value, str):
        return room - len(value)
    if isinstance(value, Mapping):
        for name, member in value.items():
            room = _left(member, room - len(name))
            if room < 0:
                break
        return room
    if isinstance(value, list | tuple):
        for item in value:
            room = _left(item, room - 1)
            if room < 0:
                break
        return room
    return room - 1


def _connection_of(call: Reached) -> dict[str, str]:
    target = None if call.plan is None else call.plan.target
    return {} if target is None or target.id is None else {"connectionId": target.id}
