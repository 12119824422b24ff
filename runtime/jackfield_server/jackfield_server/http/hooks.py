"""``/hooks/{path}``: requests of providers. The path is an address, and no proof: the connector's verifier judges the raw bytes first.
A handshake by which a provider checks the URL is answered where the trigger declares it, and stores nothing.

An event is on the disk before the provider gets its 2xx. Whatever is refused says nothing about what exists: an unknown path, one of
another workspace and one that somebody guesses get the same response.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from jackfield.dataclass import replace
from jackfield.errors import JackfieldError
from jackfield.failures import Raised, attempt_foreign
from jackfield_platform.triggers.arrivals import LISTENING, ArrivalUnit, NotReceivingError, in_parts, require_receiving
from jackfield_platform.triggers.due import DueSubscriptions
from jackfield_platform.triggers.event_calls import EventCalls
from jackfield_platform.triggers.guards import pause_exceeding
from jackfield_platform.triggers.subscription_work import SubscriptionWork, hook_of, said, token_ended
from jackfield_platform.triggers.subscriptions import check_inputs
from jackfield_platform.triggers.table import by_path
from jackfield_server.shared.body import read_body
from jackfield_server.shared.identity import Identity
from jackfield_server.shared.problem import Problem
from jackfield_server.shared.server_context import ServerContext
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.management.provider_steps import call_of

if TYPE_CHECKING:
    from jackfield.connector.hook_requests import HookRequest
    from jackfield.connector.triggers import Forged, Hook, Received
    from jackfield.manifest_triggers import TriggerManifest
    from jackfield_platform.triggers.subscription import Sealed, Subscription
    from jackfield_store.runtime import Jackfield

_LOG = logging.getLogger("jackfield.triggers")
HANDSHAKES: tuple[tuple[Literal["GET", "OPTIONS"], str, str], ...] = (
    ("GET", "answerHook", "Answer the handshake by which a provider checks a webhook's URL, where the trigger declares one."),
    ("OPTIONS", "allowHook", "Allow the origin of a CloudEvents sender, where the trigger declares it."),
)
"""Further operations on a webhook's path: method, name and text."""
_LATER, _NOBODY = "the request cannot be stored now", "nothing listens here any more"
_LONGEST_ANSWER, _LONGEST_REASON = 4096, 200
_FORGED = 401
_SIGNED_BY = {"WWW-Authenticate": "Signature"}
_ALLOWED = frozenset({"webhook-allowed-origin", "webhook-allowed-rate"})
"""Header fields of a handshake's answer."""
_TRIES = 5
_SECONDS = 2.0
"""Timeout of a connector in a process of its own that reads a request."""


async def received(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``/hooks/{path}``.

    Forged requests of an address are verified one at a time once they are many: they never shut out who signs behind the same address.

    :raises Problem: 404 for an unknown path, 410 for a disabled one, 405 for another method than POST that is no handshake, 401 for a
        request that the provider has not signed, 400 for one that cannot be read, 429 if too many come, 503 if it cannot be stored now.
    """
    found = await _found(request, server)
    if found.status not in LISTENING:
        raise Problem(410, _NOBODY)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "send the body without a Content-Encoding: its signature is checked as it arrives")
    trigger = await server.briefly(lambda: server.catalog.find(found.connector).triggers.get(found.trigger_key))
    if trigger is None:
        raise Problem(503, "the trigger is not installed now", {"Retry-After": "60"})
    body = await read_body(request, trigger.largest)
    headers = {name.lower(): value for name, value in request.headers.items()}
    place = found.id.encode()
    try:
        async with server.forged.turn(request, place):
            answer = await server.slowly(lambda: _stored_at_last(server, request, found, body, headers))
    except Problem as problem:
        if problem.status == _FORGED:
            server.forged.note(request, place)
        raise
    allowed = {name: value for name, value in answer.headers.items() if name.lower() in _ALLOWED}
    text, kind = answer.answer[:_LONGEST_ANSWER], answer.media_type
    return Response(text, headers={**allowed, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}, media_type=kind)


async def _found(request: Request, server: ServerContext) -> Subscription:
    """Return the subscription of a path. Unknown paths count as guesses of the address."""
    path = request.path_params["path"]
    async with server.guesses.turn(request):
        found = await server.briefly(lambda: by_path(server.storage.database, path)) if server.storage.enabled else None
    if found is None or found.status == "removing":
        server.guesses.note(request)
        raise Problem(404, "nothing listens here")
    return found


def _stored_at_last(server: ServerContext, request: Request, found: Subscription, body: bytes, headers: dict[str, str]) -> Received:
    """Do as ``_stored``, again if a worker has changed the content of the subscription meanwhile."""
    parts = {"headers": headers, "query": dict(request.query_params), "method": request.method}
    for _ in range(_TRIES):
        try:
            return _stored(server, found, body, parts)
        except OvertakenError:
            found = by_path(server.storage.database, request.path_params["path"]) or found
    raise Problem(503, _LATER, {"Retry-After": "1"})


def _stored(server: ServerContext, found: Subscription, body: bytes, parts: dict[str, Any]) -> Received:
    """Verify a request, store its events, and return what the response needs."""
    from jackfield.connector import Forged, HookRequest, Malformed

    runtime = server.runtime(found.workspace)
    database, vault, now = runtime.storage.database, runtime.storage.vault, server.clock.time()
    request = HookRequest(body, at=now, **parts)
    try:
        require_receiving(found, suspended=runtime.access.settings.suspended)
        trigger, content, hook = _opened(server, runtime, found)
        outcome = _read(server, found, request, hook)
        if not server.hooks.takes(found.id.encode()):  # after the verifier: forged requests use nothing up
            raise Problem(429, "too many requests have come for this path", {"Retry-After": "1"})
        caller = runtime.access.queued_by(content.caller)
        require_receiving(found, caller.ended)  # after the verifier: a forged request is no reason to record anything
        calls = EventCalls(runtime, found, content.then, caller)
        learnt = replace(content, remote={**content.remote, **outcome.remote}).sealed(vault, found) if outcome.remote else None
        sealer = calls.sealer(trigger.types)
        for events, is_last in in_parts(outcome.events):
            database.record(ArrivalUnit(found, sealer.arrivals(events, now), now, trigger.least, learnt if is_last else None))
        pause_exceeding(runtime, sealer.suppressing)
    except Forged as error:
        place = (found.name, found.workspace)
        _LOG.warning("a request for the subscription '%s' of the workspace '%s' was refused: %s", *place, _why(error))
        raise Problem(_FORGED, "the request is not signed as it must be", dict(_SIGNED_BY)) from None
    except Malformed:
        if request.method != "POST":
            raise Problem(405, "this path takes POST", {"Allow": "POST"}) from None
        _LOG.warning("a signed request for the subscription '%s' of the workspace '%s' cannot be read", found.name, found.workspace)
        raise Problem(400, "the request cannot be read") from None
    except NotReceivingError as error:
        if error.ended is not None:
            DueSubscriptions(database, server.clock).ended(found, said(token_ended(error.ended)))
        raise Problem(503, _LATER, {"Retry-After": "60"}) if error.suspended else Problem(410, _NOBODY) from None
    except JackfieldError as error:  # the sender learns nothing of what is amiss here
        _LOG.error("the subscription '%s' of the workspace '%s' could not store a request: %s", found.name, found.workspace, error.message)
        raise Problem(503, _LATER, {"Retry-After": "5"}) from None
    if calls.queued:
        server.wake()
    return outcome


def _why(error: Forged) -> str:
    """Return a verifier's reason for the log: its own words, in one line."""
    said = "".join(letter if letter.isprintable() else " " for letter in str(error))[:_LONGEST_REASON]
    return said or "it is forged"


def _opened(server: ServerContext, runtime: Jackfield, found: Subscription) -> tuple[TriggerManifest, Sealed, Hook]:
    """Open a subscription and judge its inputs, once for all its requests until its content or the connector changes."""
    manifest = runtime.catalog.find(found.connector)
    trigger = manifest.triggers[found.trigger_key]
    known = server.opened_hooks.get((found.id, found.sealed, id(trigger)))
    if known is None:
        content = found.opened(runtime.storage.vault)
        inputs = check_inputs(runtime, manifest, trigger, content.inputs)
        known = trigger, content, hook_of(content, inputs, server.public_url)
        server.opened_hooks.put((found.id, found.sealed, id(trigger)), known)
    return known


def _read(server: ServerContext, found: Subscription, request: HookRequest, hook: Hook) -> Received:
    """Verify a request, then read it."""
    from jackfield.connector import Forged, Malformed, Needs, Webhook
    from jackfield.connector.context import entered
    from jackfield.errors import Internal

    trigger = server.catalog.load(found.connector).triggers[found.trigger_key]
    if not isinstance(trigger, Webhook):
        raise Internal("the trigger is no webhook any more")
    with entered(call_of(server.runtime(found.workspace).pipeline, _SECONDS)):
        outcome = attempt_foreign(trigger.read, request, hook)
        if isinstance(outcome, Raised) and isinstance(outcome.error, Needs):
            outcome = attempt_foreign(trigger.read, request, _with_file(server, found, hook, outcome.error.name))
    if not isinstance(outcome, Raised):
        return outcome
    if isinstance(outcome.error, Forged | Malformed | JackfieldError):
        raise outcome.error
    raise Internal(f"the connector's code failed: {type(outcome.error).__name__}")


def _with_file(server: ServerContext, found: Subscription, hook: Hook, name: str) -> Hook:
    """Return the hook with a file that the verifier needs."""
    runtime = server.runtime(found.workspace)
    work = SubscriptionWork(runtime, found, DueSubscriptions(runtime.storage.database, server.clock), server.public_url)
    return replace(hook, found={name: server.fetched.find(found, name, lambda: work.fetch(name))})
