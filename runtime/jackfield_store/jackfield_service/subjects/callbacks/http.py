"""``/v1/callbacks`` and ``/v1/deliveries``, of a workspace and, below ``/v1/platform``, of a platform: where events are sent, and each
event's way there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.callers import Scope
from jackfield.kernel.clock import moment
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.endpoints import Endpoints, filtered
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.query_parts import BY_ID, TEXT, Schema, filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import ON_BEHALF, Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import members_of
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.subjects.callbacks.callback import MEMBERS, Callback
from jackfield_service.subjects.callbacks.callbacks import OVERLAP, Callbacks
from jackfield_service.subjects.callbacks.deliveries import Deliveries
from jackfield_service.subjects.callbacks.operations import callbacks_of, deliveries_of
from jackfield_service.subjects.tenants.http import platform_actor

T = TypeVar("T")

_NO_STORE = {"Cache-Control": "no-store"}


def _callbacks(request: Request, server: ServerContext, identity: Identity) -> Callbacks:
    """Return the callbacks of the caller, changed on behalf of a platform's user if the request names one."""
    return callbacks_of(server, identity, actor=platform_actor(request, identity) if identity.kind == "platform" else None)


async def _callback(request: Request, server: ServerContext, identity: Identity, step: Callable[[Callbacks], T]) -> T:
    callbacks = _callbacks(request, server, identity)
    return await _or_not_found(server, lambda: step(callbacks))


async def _delivery(_request: Request, server: ServerContext, identity: Identity, step: Callable[[Deliveries], T]) -> T:
    deliveries = deliveries_of(server, identity)
    return await _or_not_found(server, lambda: step(deliveries))


_CALLBACK, _DELIVERY = Endpoints(_callback, "id"), Endpoints(_delivery, "id")
shown = _CALLBACK.one(lambda callbacks, identifier: callbacks.find(identifier).to_json())
removed = _CALLBACK.removal(Callbacks.remove)
shown_delivery = _DELIVERY.one(lambda deliveries, identifier: deliveries.find(identifier).to_json())
resent = _DELIVERY.one(lambda deliveries, identifier: deliveries.resend(identifier).to_json(), 202)


FILTERS = ("status", "url")
"""Members by which the list of callbacks is filtered."""


async def listed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/callbacks``: the oldest first, without secrets."""
    callbacks = _callbacks(request, server, identity)

    def fetch(cursor: str | None, limit: int) -> tuple[Sequence[Callback], str | None]:
        return callbacks.page(cursor=cursor, limit=limit)

    return answer(await _done(server, lambda: filtered(fetch, Callback.to_json, request, FILTERS)))


async def created(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks``. Only this response contains the secret."""
    callbacks = _callbacks(request, server, identity)
    body = await members_of(request, {"url"}, MEMBERS)
    made = await _done(server, lambda: callbacks.create(body))
    at = "/v1/platform" if identity.kind == "platform" else "/v1"
    headers = {"Location": f"{at}/callbacks/{made.callback.id}", **_NO_STORE}
    return answer({**made.callback.to_json(), **made.shown()}, 201, headers)


async def changed(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``PATCH /v1/callbacks/{id}``: change the members given."""
    callbacks, identifier = _callbacks(request, server, identity), request.path_params["id"]
    body = await members_of(request, set(), MEMBERS | {"status"})
    await _or_not_found(server, lambda: callbacks.find(identifier))
    return answer((await _done(server, lambda: callbacks.change(identifier, body))).to_json())


async def rotated(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks/{id}:rotate``: a new secret, beside which the present one stays valid for a while."""
    callbacks, identifier = _callbacks(request, server, identity), request.path_params["id"]
    overlap = (await _optional(request, {"overlapSeconds"})).get("overlapSeconds", OVERLAP)
    if isinstance(overlap, bool) or not isinstance(overlap, int | float):
        raise Problem(400, "'overlapSeconds' must be a number")
    await _or_not_found(server, lambda: callbacks.find(identifier))
    made, until = await _done(server, lambda: callbacks.rotate(identifier, overlap))
    return answer({"id": identifier, **made.shown(), "previousUntil": until}, headers=_NO_STORE)


async def tested(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks/{id}:test``: send an event now, once, and return what became of it."""
    callbacks, identifier = _callbacks(request, server, identity), request.path_params["id"]
    await _or_not_found(server, lambda: callbacks.find(identifier))
    try:
        attempt = await server.asking(identity.holder, lambda: callbacks.test(identifier))
    except InvalidInvocation as error:
        raise of_error(error, 409) from None
    return answer({"delivered": attempt.succeeded, **attempt.to_json()})


async def recovered(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/callbacks/{id}:recover``: send what was not delivered since a time."""
    callbacks, identifier = _callbacks(request, server, identity), request.path_params["id"]
    since = (await members_of(request, {"since"}))["since"]
    if not isinstance(since, str):
        raise Problem(400, "'since' must be a string: an RFC 3339 time, a date, or a duration before now")
    await _or_not_found(server, lambda: callbacks.find(identifier))
    deliveries, now = deliveries_of(server, identity), server.clock.time()
    at = await _done(server, lambda: moment(since, now, -1, "'since'"))
    return answer({"recovered": await _done(server, lambda: deliveries.recover(identifier, at))}, 202)


async def listed_deliveries(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET /v1/deliveries``: the newest first."""
    given, deliveries, limit = request.query_params, deliveries_of(server, identity), limit_of(request)
    wanted = {"callback": given.get("callback"), "state": given.get("status"), "cursor": given.get("cursor")}
    found, after = await _done(server, lambda: deliveries.page(**wanted, limit=limit))
    return answer({"items": [item.to_json() for item in found], "nextCursor": after})


async def _optional(request: Request, known: set[str]) -> dict[str, Any]:
    """Read a body that may be missing."""
    return await members_of(request, set(), known) if request.headers.get("content-length", "0") != "0" else {}


async def _done(server: ServerContext, step: Callable[[], T]) -> T:
    try:
        return await server.briefly(step)
    except InvalidInvocation as error:
        raise of_error(error, 422 if error.details else 400) from None


async def _or_not_found(server: ServerContext, step: Callable[[], T]) -> T:
    try:
        return await server.briefly(step)
    except InvalidInvocation as error:
        raise of_error(error, 404) from None


_STATUS: Schema = {"type": "string", "enum": ["pending", "delivered", "dead"]}


def _operations(at: str, scope: Scope, of: str, behalf: tuple[str, ...]) -> tuple[Operation, ...]:
    whose = ", in all workspaces of the platform," if of else ""
    return (
        Operation(
            "GET", f"{at}/callbacks", listed, scope, f"list{of}Callbacks", "List the callbacks, without their secrets.",
            {200: "CallbackList"}, query={**filters(FILTERS), **paged(BY_ID)}, problems=(503,),
        ),
        Operation(
            "POST", f"{at}/callbacks", created, scope, f"create{of}Callback",
            f"Send the events that happen from now on{whose} to a URL. Only this response contains the secret.",
            {201: "CreatedCallback"}, headers=behalf, body="NewCallback", problems=(413, 415, 422, 503),
        ),
        Operation(
            "GET", f"{at}/callbacks/{{id}}", shown, scope, f"show{of}Callback", "Show a callback.",
            {200: "Callback"}, problems=(404, 503),
        ),
        Operation(
            "PATCH", f"{at}/callbacks/{{id}}", changed, scope, f"change{of}Callback",
            "Change the members given; 'status' pauses and resumes it.",
            {200: "Callback"}, headers=behalf, body="CallbackUpdate", problems=(404, 413, 415, 422, 503),
        ),
        Operation(
            "DELETE", f"{at}/callbacks/{{id}}", removed, scope, f"remove{of}Callback", "Delete a callback and its deliveries.",
            {204: ""}, headers=behalf, problems=(404, 503),
        ),
        Operation(
            "POST", f"{at}/callbacks/{{id}}:rotate", rotated, scope, f"rotate{of}Callback",
            "Make a new secret; the present one stays valid for a day, or for 'overlapSeconds'.",
            {200: "RotatedCallback"}, headers=behalf, body="CallbackRotation", problems=(404, 413, 415, 422, 503),
        ),
        Operation(
            "POST", f"{at}/callbacks/{{id}}:test", tested, scope, f"test{of}Callback",
            "Send a test event now, once, and return what became of it.", {200: "CallbackTest"}, headers=behalf, problems=(404, 409, 503),
        ),
        Operation(
            "POST", f"{at}/callbacks/{{id}}:recover", recovered, scope, f"recover{of}Callback",
            "Send all events since a time that were not delivered.",
            {202: "Recovery"}, headers=behalf, body="CallbackRecovery", problems=(404, 413, 415, 503),
        ),
        Operation(
            "GET", f"{at}/deliveries", listed_deliveries, scope, f"list{of}Deliveries",
            "List deliveries to callbacks, newest first.",
            {200: "DeliveryList"}, query={"callback": TEXT, "status": _STATUS, **paged(BY_ID)}, problems=(503,),
        ),
        Operation(
            "GET", f"{at}/deliveries/{{id}}", shown_delivery, scope, f"show{of}Delivery",
            "Show a delivery with its last attempts.",
            {200: "Delivery"}, problems=(404, 503),
        ),
        Operation(
            "POST", f"{at}/deliveries/{{id}}:resend", resent, scope, f"resend{of}Delivery",
            "Send a delivery again, with a fresh count of attempts.", {202: "Delivery"}, headers=behalf, problems=(404, 503),
        ),
    )  # fmt: skip


OPERATIONS = (
    *_operations("/v1", "manage", "", ()),
    *_operations("/v1/platform", "platform", "Platform", (ON_BEHALF,)),
)
