"""Operations of the API made from a noun's declaration (``resource.resource``): the common part of
lists, creation and acts on one object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from jackfield.callers.actor import Actor
from jackfield.kernel.errors import JackfieldError
from jackfield_service.shell.http.bodies import members_of
from jackfield_service.shell.http.endpoints import page_of
from jackfield_service.shell.http.parameters import asked
from jackfield_service.shell.http.query_parts import filters, paged
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import ON_BEHALF, Endpoint, Method, Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.resource.resource import Act, Judge, Resource, Waits
from jackfield_service.shell.resource.visits import opening

T = TypeVar("T")
R = TypeVar("R")
_PRINTABLE = re.compile("[ -~]{1,200}")
_NO_CONTENT = 204
_COMMON: Mapping[str, tuple[Method, str, int]] = {
    "list": ("GET", "", 200),
    "create": ("POST", "", 201),
    "show": ("GET", "/{}", 200),
    "change": ("PATCH", "/{}", 200),
    "remove": ("DELETE", "/{}", _NO_CONTENT),
    "revoke": ("DELETE", "/{}", _NO_CONTENT),
}
"""Method, end of the path and status of the acts that most nouns have."""


async def done(
    resource: Resource[T],
    request: Request,
    server: ServerContext,
    identity: Identity,
    step: Callable[[T], R],
    *,
    waits: Waits | None = None,
    judged: Judge | None = None,
) -> R:
    """Run a step on the objects of the caller's workspace in a thread; ``waits`` and ``judged``
    default to the noun's.

    :raises Problem: 403 for a token with rules that has no access to them; 503 without a database.
    """
    opened = opening(resource, request, server, identity, actor=actor_of(request, identity))
    lane = waits or resource.waits
    run = partial(server.asking, identity.holder) if lane == "asking" else getattr(server, lane)
    try:
        return await run(lambda: step(opened()))
    except JackfieldError as error:
        raise of_error(error, (judged or resource.judged)(error)) from None


def operations(resource: Resource[Any], **own: Endpoint) -> tuple[Operation, ...]:
    """Return the operations of a noun; ``own`` has the endpoints of acts with an answer of their
    own.
    """
    return tuple(_operation(resource, act, own.get(act.name)) for act in resource.acts)


def _operation(resource: Resource[Any], act: Act, own: Endpoint | None) -> Operation:
    method, place, status = _COMMON.get(act.name) or (
        ("GET", f"/{{}}/{act.name}", 200) if act.reads else ("POST", f"/{{}}:{act.name}", 200)
    )
    body = act.body or {"create": f"New{resource.one}", "change": f"{resource.one}Change"}.get(
        act.name
    )
    shape = {"list": f"{resource.one}List", "create": resource.created}.get(
        act.name, "" if status == _NO_CONTENT else resource.shown
    )
    lists, query = act.name == "list", act.query or {}
    if lists:
        query = query_of(resource, query)
    return Operation(
        method,
        resource.path + place.replace("{}", f"{{{resource.key}}}"),
        _ruled(own or _endpoint(resource, act, body), resource.unruled),
        act.scope,
        act.operation or f"{act.name}{resource.of}{resource.one}{'s' * lists}",
        act.summary,
        act.answers or {status: shape},
        query=query,
        headers=(ON_BEHALF,) if act.scope == "platform" and method != "GET" else (),
        body=body,
        problems=tuple(
            sorted({*((404,) if place else ()), *((413, 415) if body else ()), *act.problems, 503})
        ),
    )


def query_of(
    resource: Resource[Any], further: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the query parameters of a noun's list."""
    return {
        **filters(resource.filters, **resource.choices()),
        **further,
        **paged(resource.cursor),
    }


def _endpoint(resource: Resource[Any], act: Act, body: str | None) -> Endpoint:
    if act.name == "list":
        return page_of(
            partial(done, resource), act.does, resource.row, resource.filters, act.query or {}
        )
    creates = act.name == "create"
    is_shown = any(one.name == "show" for one in resource.acts)

    async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
        given = [] if creates else [request.path_params[resource.key]]
        if body is not None:
            given.append(await members_of(request, body, drops_nulls=True))
        further = asked(request, act.query or {})
        found = await done(
            resource, request, server, identity, lambda things: act.does(things, *given, **further)
        )
        if found is None:
            return Response(status_code=_NO_CONTENT)
        row = resource.row(found)
        status = next(iter(act.answers)) if act.answers else 201 if creates else 200
        if not creates or not is_shown:
            return answer(row, status)
        return answer(row, status, {"Location": f"{resource.path}/{row[resource.argument[0]]}"})

    return endpoint


def _ruled(endpoint: Endpoint, refusal: str) -> Endpoint:
    """Refuse a token with rules before the request is read."""

    async def ruled(request: Request, server: ServerContext, identity: Identity) -> Response:
        if identity.rules:
            raise Problem(403, refusal, code="not_allowed")
        return await endpoint(request, server, identity)

    return ruled if refusal else endpoint


def actor_of(request: Request, identity: Identity) -> Actor:
    """Return the caller as the audit log names it: a platform with the user whom it names.

    :raises Problem: 400 if the user's name is not valid.
    """
    if identity.kind != "platform":
        return identity.actor
    behalf = request.headers.get(ON_BEHALF, "")
    if behalf and not _PRINTABLE.fullmatch(behalf):
        raise Problem(
            400, f"the header '{ON_BEHALF}' must have at most 200 printable ASCII characters"
        )
    return Actor("platform", identity.id, identity.name, behalf)
