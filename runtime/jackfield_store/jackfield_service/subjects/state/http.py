"""Operations ``/v1/state`` and ``/v1/workspaces/{w}/state``: a file's state of one workspace,
planned and applied, and the current state, exported.

A workspace's token may change the same objects as with its other requests, but no settings; a
platform's token may change settings and tokens of its workspaces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connections.documents import DocumentError
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield_service.shell.http.parameters import flag
from jackfield_service.shell.http.query_parts import FLAG, TEXT
from jackfield_service.shell.http.resources import actor_of
from jackfield_service.shell.operations.operation import ON_BEHALF, Endpoint, Operation
from jackfield_service.shell.requests.body import decoded, read_body
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.state.documents import Stated, members_of, stated
from jackfield_service.subjects.state.operations import How, Planned, State, require_seen, told
from jackfield_store.access import UnknownWorkspace, Workspace, Workspaces, unknown_to_platform
from jackfield_store.access.platform_settings import check_settings
from jackfield_store.access.platform_tokens import manages

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from jackfield_service.shell.identity.identity import Identity
    from jackfield_service.shell.process.server_context import ServerContext

T = TypeVar("T")
_LARGEST = 1024 * 1024
_MOST = 1000
"""Maximum number of objects in one request, which holds the database's write lock for some
seconds.
"""
_MOST_EXPORTED = 10_000
_HINT = 'Send {"workspaces": {NAME: {…}}}.'
_NO_STORE = {"Cache-Control": "no-store"}


async def planned(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST …/state:plan``."""
    name, given = _workspace(request, identity), await _stated(request)
    found = await _done(
        request,
        server,
        identity,
        lambda state: state.plan(name, _document(given, name), _how(request, given)),
    )
    return answer(told({name: found}))


async def applied(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST …/state:apply``. Only this response contains the secrets of new objects."""
    name, given = _workspace(request, identity), await _stated(request)

    def seen(found: Planned) -> None:
        require_seen(request.query_params.get("plan"), {name: found})

    def step(state: State) -> Planned:
        return state.apply(name, _document(given, name), _how(request, given), None, seen)

    found = await _done(request, server, identity, step)
    return answer(
        {**told({name: found}), **({"secrets": found.secrets} if found.secrets else {})},
        200,
        _NO_STORE,
    )


async def exported(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``GET …/state``."""
    name = _workspace(request, identity)
    found = await _done(request, server, identity, lambda state: state.export(name, _MOST_EXPORTED))
    return answer({"workspaces": {name: found}})


async def _done(
    request: Request, server: ServerContext, identity: Identity, step: Callable[[State], T]
) -> T:
    """Run a step in a thread, in the name of the caller.

    :raises Problem: 503 if there is no database.
    """
    server.require_database("state of workspaces")
    state = _state(request, server, identity)
    try:
        return await server.asking(identity.holder, lambda: step(state))
    except JackfieldError as error:
        raise of_error(error, _judged(error)) from None


def _state(request: Request, server: ServerContext, identity: Identity) -> State:
    storage, actor = server.storage, actor_of(request, identity)
    workspaces = Workspaces(storage.database, storage.vault, server.clock, actor)

    def visit(name: str) -> Visit:
        find, base = partial(server.runtime, name), partial(server.base, request)
        guards = server.runtimes.guard, server.runtimes.outgoing
        return Visit(
            storage, name, server.clock, identity.caller, actor, "remote", find, *guards, base=base
        )

    def put(name: str, settings: dict[str, Any]) -> tuple[Workspace, bool]:
        return workspaces.put(name, settings, partial(check_settings, actor, settings))

    def find(name: str) -> Workspace:
        try:
            return workspaces.find(name)
        except UnknownWorkspace:  # its message would suggest names of others
            raise unknown_to_platform(name) from None

    return State(storage, visit, find, put if identity.kind == "platform" else None)


def _workspace(request: Request, identity: Identity) -> str:
    """Return the workspace of a token, or the path's if the platform manages it.

    :raises Problem: 403 for a token with rules.
    :raises UnknownWorkspace: if the platform does not manage it.
    """
    if identity.rules:
        raise Problem(
            403,
            "a token with rules cannot state a workspace, of which it may see a part only",
            code="not_allowed",
        )
    if identity.kind != "platform":
        return identity.workspace
    name = str(request.path_params["w"])
    if not manages(identity.workspaces, name):
        raise unknown_to_platform(name)
    return name


def _judged(error: JackfieldError) -> int | None:
    """Return 422 for an invalid state; None for other errors."""
    return (
        422
        if isinstance(error, InvalidInvocation)
        and error.http_status == InvalidInvocation.http_status
        else None
    )


async def _stated(request: Request) -> Stated:
    """Read a body, which is a state file in JSON.

    :raises InvalidInvocation: with its faults.
    """
    body = await decoded(await read_body(request, _LARGEST), request)
    try:
        members = members_of(body)
    except DocumentError as error:
        raise InvalidInvocation(f"the body is no file of state: {error}", hint=_HINT) from None
    if "workspaces" not in members:
        raise InvalidInvocation(
            "the body is no file of state: the member 'workspaces' is missing", hint=_HINT
        )
    return stated(members)


def _document(given: Stated, name: str) -> dict[str, Any]:
    """Return the state of the workspace in the document.

    :raises UnknownWorkspace: if the document has another workspace.
    :raises InvalidInvocation: if it has too many objects.
    """
    for other in given.workspaces:
        if other != name:
            text = f"the request is for the workspace '{name}', and states '{other[:100]}'"
            raise UnknownWorkspace(text, hint="Send what is stated of each workspace for itself.")
    document: dict[str, Any] = given.workspaces.get(name, {})
    if (count := sum(map(len, document.values()))) > _MOST:
        raise InvalidInvocation(
            f"{count:,} things are stated, and a request may have {_MOST:,}",
            hint="Send them in parts.",
        )
    return document


def _how(request: Request, given: Stated) -> How:
    return How(given.label, flag(request, "adopt"), flag(request, "prune"))


_HOW = {"adopt": FLAG, "prune": FLAG}
_SEEN = {
    "plan": {
        **TEXT,
        "description": "The digest of the plan that was seen; state that has moved since is refused.",
    }
}
_PROBLEMS = (404, 413, 415, 422, 503)


def _operations(path: str, scope: Any, of: str, whose: str) -> tuple[Operation, ...]:
    headers = (ON_BEHALF,) if scope == "platform" else ()

    def of_files(
        verb: str,
        endpoint: Endpoint,
        summary: str,
        query: Any,
        shape: str,
        problems: tuple[int, ...],
    ) -> Operation:
        return Operation(
            "POST",
            f"{path}:{verb}",
            endpoint,
            scope,
            f"{verb}{of}State",
            summary,
            {200: shape},
            query=query,
            headers=headers,
            body="StateFile",
            problems=problems,
        )

    return (
        Operation(
            "GET",
            path,
            exported,
            scope,
            f"export{of}State",
            f"Show {whose} as a file states it, without secrets.",
            {200: "StateFile"},
            problems=(404, 422, 503),
        ),
        of_files(
            "plan",
            planned,
            f"Show what a file would make, change and end in {whose}.",
            _HOW,
            "StatePlan",
            _PROBLEMS,
        ),
        of_files(
            "apply",
            applied,
            f"Make {whose} what a file states, in one transaction. Only this response contains "
            "new secrets.",
            {**_HOW, **_SEEN},
            "AppliedState",
            tuple(sorted((*_PROBLEMS, 409))),
        ),
    )


OPERATIONS = (
    *_operations("/v1/state", "manage", "", "the workspace"),
    *_operations(
        "/v1/workspaces/{w}/state", "platform", "Workspace", "a workspace of the platform"
    ),
)
