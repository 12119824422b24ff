"""Steps for several invocations at once: run again, cancel, redrive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield.invocation.file_references import without_given
from jackfield.kernel.errors import IdempotencyConflict, InvalidInvocation, UnknownConnection
from jackfield.kernel.markup import Markup, Node
from jackfield.manifest.manifest import ActionManifest
from jackfield.redaction.marks import MASK
from jackfield_service.shell.pages.layout.components import badge, h, notice
from jackfield_service.shell.pages.layout.entry_connection import present_connection
from jackfield_service.shell.pages.layout.gist import RERUN_OF
from jackfield_service.shell.pages.layout.gist import named as names
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.selection import NotDone, Selection, Step
from jackfield_store.management.dead_letters import audited_dead_letters, refuse_unapproved

_TOGETHER = "rerun"
"""Label of invocations that were run again in one step."""


def named(request: PageRequest, identifier: str) -> Node:
    """Render an invocation as its name with a link, its connection and its status."""
    try:
        entry = request.journal.find(identifier)
    except InvalidInvocation:
        return h.code(identifier[:80])
    return [
        names(request, [entry])[entry.id],
        " ",
        h.span(entry.connection or "", class_="muted"),
        " ",
        badge(entry.status),
    ]


def _again(request: PageRequest, identifier: str, once: str) -> Node:
    """Queue the same call anew. If the form is sent again, the idempotency key finds the call that
    it has queued.
    """
    entry = request.journal.find(identifier)
    if (reason := _unrepeatable(entry)) is not None:
        raise NotDone(*reason)
    connection = _connection(request, entry)
    found = request.runtime.enqueue(
        {
            "connector": entry.connector,
            "action": entry.action,
            "inputs": entry.inputs,
            **({} if connection is None else {"connection": connection}),
            "idempotencyKey": f"again-{once}-{entry.id}",
            "context": {"labels": {RERUN_OF: entry.id, _TOGETHER: once}},
        },
        caller=request.identity.caller,
    )
    request.server.wake()
    queued = found if isinstance(found, str) else found.meta.invocation_id
    waits = not isinstance(found, str) and found.status == "waiting"
    return [
        "Waits for an approval as " if waits else "Queued as ",
        h.a(queued, href=f"/invocations/{queued}"),
        ".",
    ]


def _together(once: str) -> Node:
    """Render the link to the calls that were queued together, whose list shows failures."""
    return h.a(
        "Follow the new calls",
        href=f"/invocations?label={_TOGETHER}%3D{once}",
        class_="button primary",
    )


def _unrepeatable(entry: Entry) -> Sequence[Node] | None:
    """Return the reason why a call cannot be repeated from its record alone; None if the call can
    be repeated.
    """
    form = _its_form(entry)
    doubt = h.a("Resolve it", href=f"/invocations/{entry.id}")
    inputs = entry.inputs
    reasons: tuple[tuple[bool, Sequence[Node]], ...] = (
        (
            entry.dead_at is not None,
            ("A dead letter is redriven instead: its inputs are kept with it.",),
        ),
        (entry.is_open, ("It has not ended.",)),
        (entry.status == "in_doubt", ("It may have taken effect. ", doubt, " first.")),
        (entry.dry_run, ("It was a dry run.",)),
        (inputs is None, ("Its inputs were not recorded. ", form, ".")),
        (
            _is_partial(inputs),
            ("Its record lacks secrets, or files that were passed by path. ", form, "."),
        ),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _its_form(entry: Entry) -> Markup:
    return h.a(
        "Run it from its form",
        href=f"/connectors/{entry.connector}/actions/{entry.action}?again={entry.id}",
    )


def _connection(request: PageRequest, entry: Entry) -> str | None:
    """Return the current name of a call's connection; None if its action needs none.

    :raises NotDone: if the connection is gone: the runtime would use another one with its name, or
        the only one instead.
    """
    if entry.connection is None:
        action = _action(request, entry)
        if action is None or not action.needs_connection:
            return None
        raise NotDone(
            "No connection is recorded of it: it was given with the call, or none was found. ",
            _its_form(entry),
            ".",
        )
    name = present_connection(request, entry)
    try:
        if name is not None:
            request.connections.show(name)
            return name
        request.connections.show(entry.connection)
        reason = f"another one is named '{entry.connection}' now"
    except UnknownConnection as error:
        reason = error.message
    raise NotDone(
        f"Its connection was removed ({reason}). ",
        _its_form(entry),
        ", where you choose the connection.",
    )


def _action(request: PageRequest, entry: Entry) -> ActionManifest | None:
    manifest = request.catalog.look(entry.connector)[1]
    return (
        None
        if manifest is None or not manifest.connection_types
        else manifest.actions.get(entry.action)
    )


def _is_partial(inputs: Mapping[str, Any] | None) -> bool:
    return without_given(inputs) != inputs or MASK in json.dumps(inputs)


def _repeats(request: PageRequest, picked: Sequence[str]) -> Node:
    """Render a warning with the number of calls that may have changed something, since a repeat
    does that again; None without such calls.
    """
    known = [entry for entry in (_find(request, one) for one in picked) if entry is not None]
    changed = sum(entry.effect != "read" and entry.status == "succeeded" for entry in known)
    if not changed:
        return None
    return notice(
        f"{changed} of them succeeded and may have changed something. Running them again does "
        "that again.",
        tone="warn",
    )


def _find(request: PageRequest, identifier: str) -> Entry | None:
    try:
        return request.journal.find(identifier)
    except InvalidInvocation:
        return None


def _cancelled(request: PageRequest, identifier: str, _once: str) -> Node:
    entry = request.journal.find(identifier)
    if not request.runtime.cancel(entry.id):
        raise NotDone("Too late to cancel.")
    return (
        "Cancelled. Nothing was sent."
        if entry.progress is None
        else "The provider is being told to cancel the job."
    )


def redrive(request: PageRequest, identifier: str) -> str:
    """Queue a dead letter again; return ``redriven``, ``alive`` if it is no longer a dead letter,
    or ``held`` if another invocation holds its key.

    :raises InvalidInvocation: if it cannot be queued again.
    """
    letters = audited_dead_letters(
        request.server.storage,
        request.identity.workspace,
        request.server.clock,
        request.identity.actor,
    )
    entry = request.journal.find(identifier)
    refuse_unapproved(request.runtime.access.authorizer(request.identity.caller), entry)
    try:
        letters.redrive(entry.id)
    except InvalidInvocation:
        if request.journal.find(identifier).dead_at is not None:
            raise
        return "alive"
    except IdempotencyConflict:
        return "held"
    request.server.wake()
    return "redriven"


def _redriven(request: PageRequest, identifier: str, _once: str) -> Node:
    outcome = redrive(request, identifier)
    if outcome != "redriven":
        raise NotDone(
            "It is no dead letter."
            if outcome == "alive"
            else "Another invocation holds its idempotency key."
        )
    return "Queued again."


def _state(request: PageRequest, identifier: str) -> Any:
    entry = _find(request, identifier)
    return None if entry is None else entry.status


_REDRIVE = Step(
    "redrive",
    "Redrive",
    "manage",
    "Each is queued again with its inputs and idempotency key, and a fresh count of deliveries. "
    "Find the cause before.",
    _redriven,
)
_STEPS = (
    Step(
        "again",
        "Run again",
        "invoke",
        "Each is queued as a new call with the inputs that were recorded.",
        _again,
        _repeats,
        follow=_together,
    ),
    _REDRIVE,
    Step(
        "cancel",
        "Cancel",
        "invoke",
        "What was not sent yet is cancelled.",
        _cancelled,
        tone="danger",
    ),
)
CALLS = Selection("/invocations", "invocations", "Invocation", _STEPS, named, _state)
LETTERS = Selection("/queue/dead-letters", "queue", "Dead letter", (_REDRIVE,), named, _state)
