"""``/v1/subscriptions`` and ``/v1/triggers``: what connectors can watch, and what is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.http.endpoints import Endpoints
from jackfield_service.shell.http.query_parts import BY_KEY, filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.subjects.triggers.subscriptions import CHANGED, WorkspaceSubscriptions

T = TypeVar("T")

_OPTIONAL = {"connection", "inputs", "every", "from", "then", "guard"}


async def _done(request: Request, server: ServerContext, identity: Identity, step: Callable[[WorkspaceSubscriptions], T]) -> T:
    """Run a step in a thread.

    :raises Problem: 503 if there is no database.
    """
    server.require_database("subscriptions")
    runtime, base = await server.opened(identity.workspace), server.base(request)
    return await server.asking(identity.workspace, lambda: step(WorkspaceSubscriptions(runtime, identity.caller, identity.actor, base)))


_SUBSCRIPTIONS = Endpoints(_done)
FILTERS = ("status", "kind", "trigger", "connection")
"""Members by which the list is filtered."""
listed = _SUBSCRIPTIONS.page(WorkspaceSubscriptions.page, dict, FILTERS)
shown = _SUBSCRIPTIONS.one(WorkspaceSubscriptions.show)
enabled = _SUBSCRIPTIONS.one(WorkspaceSubscriptions.enable)
disabled = _SUBSCRIPTIONS.one(WorkspaceSubscriptions.disable)
removed = _SUBSCRIPTIONS.removal(WorkspaceSubscriptions.remove)


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/subscriptions``."""
    body = await members_of(request, {"name", "trigger"}, _OPTIONAL)
    found = await _done(request, server, identity, lambda all_: all_.add(body))
    return answer(found, 201, {"Location": f"/v1/subscriptions/{found['name']}"})


async def changed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PATCH /v1/subscriptions/{name}``: change the members given; URL and secret stay."""
    body, name = await members_of(request, set(), {*CHANGED}), request.path_params["name"]
    return answer(await _done(request, server, identity, lambda all_: all_.change(name, body)))


async def tested(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/subscriptions/{name}:test``."""
    return answer({"items": await _done(request, server, identity, lambda all_: all_.samples(request.path_params["name"]))})


_WATCH_STATUS = ("pending", "active", "degraded", "failing", "paused")
_WATCHES = {**filters(FILTERS, status=_WATCH_STATUS, kind=("webhook", "poll")), **paged(BY_KEY)}
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/subscriptions", listed, "read", "listSubscriptions", "List the subscriptions by name.",
        {200: "SubscriptionList"}, query=_WATCHES, problems=(503,),
    ),
    Operation(
        "POST", "/v1/subscriptions", created, "manage", "createSubscription",
        "Switch a trigger on for a connection, with the rights of this token.",
        {201: "Subscription"}, body="NewSubscription", problems=(403, 404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "PATCH", "/v1/subscriptions/{name}", changed, "manage", "changeSubscription",
        "Change 'then', 'every', or a webhook's inputs; URL and secret stay. It has the rights of this token from then on.",
        {200: "Subscription"}, body="SubscriptionChange", problems=(403, 404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "POST", "/v1/subscriptions/{name}:enable", enabled, "manage", "enableSubscription",
        "Receive or poll again. A poll goes on where it was.", {200: "Subscription"}, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/subscriptions/{name}:disable", disabled, "manage", "disableSubscription",
        "Receive and poll nothing more, at once.", {200: "Subscription"}, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/subscriptions/{name}:test", tested, "read", "testSubscription", "Show samples of its events.",
        {200: "SampleList"}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/subscriptions/{name}", shown, "read", "showSubscription",
        "Show a subscription, its URL and its checkpoint.", {200: "Subscription"}, problems=(404, 503),
    ),
    Operation(
        "DELETE", "/v1/subscriptions/{name}", removed, "manage", "removeSubscription",
        "Remove a subscription, and its registration at the provider. Its events stay.", {204: ""}, problems=(404, 503),
    ),
)  # fmt: skip
