"""Pages of a tenant's connect sessions, for the operator: the progress of each, and a form for a
new link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from jackfield.connections.connection_types import ConnectionKind
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    choice_field,
    code_block,
    done_notice,
    form,
    h,
    notice,
    text_field,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import outcome, page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.subjects.connect.connecting import PAGE, open_sessions
from jackfield_service.subjects.connect.operations import connecting
from jackfield_service.subjects.connect.session import ConnectSession
from jackfield_service.subjects.tenants.pages.tenants import workspaces_of

_ROWS = 50
_COLUMNS = ("Begun", "Status", "Connection", "For", "Asked by", "Ends", "Actions")
_SORTS = Sorts(
    {
        "Begun": "createdAt",
        "Status": "status",
        "Connection": "connection",
        "For": "user",
        "Ends": "expiresAt",
    },
    names="id",
    value=lambda session, member: session.to_json().get(member),
)
_NO_ROLES = (
    "The person chooses from all systems but roles in AWS: those need a principal, under "
    "“For a role in AWS”."
)
_DONE = {"revoked": "Link revoked: the session has ended."}
_MODES = (
    ("connect", "connect a new account"),
    ("reauth", "connect an account again"),
    ("manage", "manage the accounts"),
)
_KEY = ("accessKeyId", "secretAccessKey")
_WHOSE = (("own", "connected by the person under For"), ("all", "of all people of the workspace"))
_LASTS = (("1800", "in 30 minutes"), ("7200", "in 2 hours"), ("86400", "in a day"))


def listed(request: PageRequest) -> Response:
    """Serve ``GET /tenants/{w}/connect-sessions``."""
    request.require_operator()
    found = workspaces_of(request).find(request.path("w"))
    lead = [
        "People of ",
        h.a(found.name, href=f"/tenants/{found.name}"),
        " connect accounts of theirs on a page of this server.",
    ]
    make = (
        notice("The workspace is suspended: nobody can connect an account.")
        if found.settings.suspended
        else _new(request, found.name)
    )
    return page(
        request,
        "tenants",
        "Connect sessions",
        done_notice(request, _DONE),
        make,
        _list(request),
        lead=lead,
    )


def created(request: PageRequest) -> Response:
    """Serve ``POST /tenants/{w}/connect-sessions``: only this response contains the link."""
    request.require_operator()
    name, address = (
        workspaces_of(request).find(request.path("w")).name,
        request.server.link(request.http, PAGE),
    )
    session, link = connecting(request.server, name).create(
        _session_request(request, name), request.identity.actor
    )
    told = h.div(
        h.p(
            "Send this link to one person only: whoever opens it first connects the account. It "
            "is not shown again."
        ),
        code_block(f"{address}/{link}", "The link"),
        h.p("It ends ", at(session.expires_at, request.now), "."),
        h.p(_NO_ROLES)
        if not session.wanted.types
        and not session.wanted.principal
        and session.wanted.mode == "connect"
        else None,
        h.p(h.a("Back to the list", href=_address(name))) if not request.partial else None,
        class_="notice good",
        role="alert",
    )
    return outcome(
        request,
        "tenants",
        "Connect sessions",
        told,
        _list(request, again=True) if request.partial else None,
    )


def _list(request: PageRequest, *, again: bool = False) -> Markup:
    return h.div(session_rows(request, _ROWS), id="list", hx_swap_oob="true" if again else None)


def revoked(request: PageRequest) -> Response:
    """Serve ``POST /tenants/{w}/connect-sessions/{id}/revocation``."""
    request.require_operator()
    name = workspaces_of(request).find(request.path("w")).name
    open_sessions(request.server.runtime(name), request.server.clock).cancel(
        request.path("id"), "the operator has revoked it"
    )
    return redirect(request, f"{_address(name)}?done=revoked")


def session_rows(request: PageRequest, limit: int) -> Markup:
    """Render the sessions of the tenant that the path names, the latest expiry first."""
    name = request.path("w")
    listed_, empty = (
        open_sessions(request.server.runtime(name), request.server.clock).page,
        "No connect sessions in the last week.",
    )
    if limit != _ROWS:
        return table(
            "Connect sessions",
            _COLUMNS,
            [_row(request, name, session) for session in listed_(None, limit)[0]],
            empty=empty,
        )
    found = _SORTS.read(request, listed_, limit)
    rows = [_row(request, name, session) for session in found.rows]
    return found.table(_address(name), "Connect sessions", _COLUMNS, rows, empty=empty)


def _row(request: PageRequest, workspace: str, found: ConnectSession) -> tuple[Node, ...]:
    status: list[Node] = [
        badge(found.status),
        [h.br(), h.span(found.reason, class_="small")] if found.reason else None,
    ]
    connection: list[Node] = [
        h.strong(found.connection) if found.connection else h.span("not chosen yet", class_="muted")
    ]
    if found.type:
        connection += [h.br(), h.code(found.type, class_="small")]
    who = found.wanted.user or h.span("whoever opens the link", class_="muted")
    asked = found.asked_by.get("name") or found.asked_by.get("id") or found.asked_by.get("kind", "")
    revoke: Node = None
    if not found.is_over:
        button = h.button(
            "Revoke", class_="quiet danger", aria_label=f"Revoke the session {found.id}"
        )
        revoke = form(request, f"{_address(workspace)}/{found.id}/revocation", button)
    begun = at(found.created_at, request.now) if found.created_at else "unknown"
    return begun, status, connection, who, asked, at(found.expires_at, request.now), revoke


def _new(request: PageRequest, workspace: str) -> Markup:
    kinds = request.server.runtime(workspace).connections.kinds.all()
    hint = (
        "A connector, such as slack, or one of its types, such as aws-ses/awsAssumeRole. If "
        "empty, the person chooses from all: from roles in "
        "AWS only with a principal below."
    )
    made = form(
        request,
        _address(workspace),
        h.div(
            choice_field("mode", "The person will", _MODES, "connect"),
            choice_field("expiresIn", "The link ends", _LASTS, "1800"),
            class_="pair",
        ),
        text_field("type", "System", hint=hint, list="type-choices"),
        text_field(
            "connection",
            "Connection",
            hint="Its name. Required to connect an account again.",
            maxlength=100,
        ),
        text_field(
            "user",
            "For",
            hint="Your own ID of the person: whose connections are managed, and for the audit log.",
            maxlength=200,
        ),
        choice_field("whose", "Connections to manage are those", _WHOSE, "own"),
        text_field(
            "asker",
            "Who asks",
            hint="The name of your product. Without it, the page names nobody.",
            maxlength=200,
        ),
        _role(),
        h.datalist(_systems(kinds), id="type-choices"),
        h.div(h.button("Create link", class_="primary"), class_="actions"),
        into="#made",
    )
    return card("New connect session", made, h.div(id="made", aria_live="polite"))


def _systems(kinds: Sequence[ConnectionKind]) -> list[Markup]:
    """Return the suggestions for the system: connectors, and their types."""
    connectors = {manifest.key: manifest.title for kind in kinds for manifest in kind.manifests}
    types = {kind.full_name: kind.about.title for kind in kinds}
    return [h.option(title, value=name) for name, title in (*connectors.items(), *types.items())]


def _role() -> Markup:
    """Render the fields for the principal that assumes a role in AWS, its key, and the calls that
    the account's owner permits.
    """
    return h.details(
        h.summary("For a role in AWS"),
        h.p(
            "The person creates a role that trusts your user or role, which the server uses with "
            "this key. The page shows neither."
        ),
        text_field(
            "principal",
            "Principal",
            hint="The ARN of your user or role that the key belongs to.",
            maxlength=200,
        ),
        text_field("accessKeyId", "Access Key ID", maxlength=200),
        text_field(
            "secretAccessKey",
            "Secret Access Key",
            type="password",
            autocomplete="new-password",
            maxlength=200,
        ),
        class_="further",
    )


def _types(request: PageRequest, workspace: str, named: str) -> list[str]:
    """Return the types of a system: a type itself, or all types of a connector, by its key or its
    title. Return any other name unchanged, to be refused later.
    """
    kinds = request.server.runtime(workspace).connections.kinds.all()
    wanted = named.casefold()
    found = [
        kind.full_name
        for kind in kinds
        for one in kind.manifests
        if wanted in (one.key.casefold(), one.title.casefold())
    ]
    return list(dict.fromkeys(found)) or [named]


def _session_request(request: PageRequest, workspace: str) -> dict[str, Any]:
    given = {
        name: request.form.get(name, "").strip()
        for name in ("mode", "connection", "user", "type", "expiresIn")
    }
    wanted: dict[str, Any] = {
        "verify": "link",
        **{name: given[name] for name in ("mode", "connection", "user") if given[name]},
    }
    if request.form.get("whose") == "all":
        wanted["allConnections"] = True
    if given["type"]:
        wanted["types"] = _types(request, workspace, given["type"])
    if asker := request.form.get("asker", "").strip():
        wanted["theme"] = {"name": asker}
    if principal := request.form.get("principal", "").strip():
        wanted["principal"] = principal
    if keys := {name: text for name in _KEY if (text := request.form.get(name, "").strip())}:
        wanted["defaults"] = {"values": keys, "locked": [*keys]}
    if given["expiresIn"].isdigit():
        wanted["expiresIn"] = int(given["expiresIn"])
    return wanted


def _address(workspace: str) -> str:
    return f"/tenants/{workspace}/connect-sessions"
