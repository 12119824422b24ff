"""Pages of the tenants, for the operator: the list of workspaces with their health, and the switch
from one to another.
"""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

from starlette.responses import Response

from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    check_field,
    done_notice,
    filters,
    form,
    h,
    heading,
    panel,
    text_field,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.pages.sign_in import ConsoleSessions
from jackfield_service.subjects.files.page import size_text
from jackfield_service.subjects.tenants.health import health
from jackfield_service.subjects.tenants.pages.server_health import server_cards
from jackfield_store.access import Workspace, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens

_PAGE = 50
_COUNTS = ("Connections", "Calls in 24\N{NO-BREAK SPACE}h", "Failed")
_COLUMNS = ("Tenant", "Status", *_COUNTS, "Limits", "Created", "Actions")
_SORTS = Sorts({"Tenant": "name", "Created": "createdAt"}, names="name")
_LIMITED = {
    "requestsPerSecond": "requests a second",
    "concurrent": "calls at once",
    "queued": "queued calls",
    "waiting": "calls that wait",
    "connections": "connections",
}
"""Nouns of the limits on numbers."""
_DONE = {"created": "Tenant created."}


def workspaces_of(request: PageRequest) -> Workspaces:
    """Return all workspaces; changes are audited in the operator's name."""
    storage = request.server.storage
    return Workspaces(storage.database, storage.vault, request.server.clock, request.identity.actor)


def listed(request: PageRequest) -> Response:
    """Serve ``GET /tenants``, with ``?text=`` and ``?cursor=``."""
    request.require_operator()
    found = _render_results(request)
    if request.partial:
        return fragment(found)
    beginning = text_field(
        "text", "Names that begin with", request.query.get("text", ""), type="search"
    )
    lead = "Each tenant has connections, tokens, invocations and keys of its own."
    shown = h.div(found, id="found", aria_live="polite")
    return page(
        request,
        "tenants",
        "Tenants",
        done_notice(request, _DONE),
        filters("/tenants", beginning),
        shown,
        *server_cards(request),
        _platforms(request),
        head=heading(
            "Tenants",
            h.a("Shared settings", href="/shared-settings", class_="button"),
            _new(request),
            lead=lead,
        ),
    )


def created(request: PageRequest) -> Response:
    """Serve ``POST /tenants``."""
    request.require_operator()
    name = request.form.get("name", "").strip()
    workspaces_of(request).create(
        name, {"writes": "ask"} if request.form.get("writes") == "on" else {}
    )
    return redirect(request, f"/tenants/{name}?done=created")


def switched(request: PageRequest) -> Response:
    """Serve ``POST /tenants/{w}/switch``: continue in another workspace, in a session of its own
    that ends at the time of the present one.
    """
    request.require_operator()
    workspace = workspaces_of(request).find(request.path("w")).name
    sessions = ConsoleSessions(request.server)
    secret = sessions.move(request.http, workspace)
    response = redirect(request, "/")
    sessions.jar.begin(response, workspace, secret)
    return response


def switch_form(request: PageRequest, workspace: str) -> Markup:
    """Render the button that switches to a workspace, or a note if the visitor is in it."""
    if workspace == request.identity.workspace:
        return h.span("You are here.", class_="muted")
    return form(
        request,
        f"/tenants/{workspace}/switch",
        h.button("Switch", aria_label=f"Switch to {workspace}"),
    )


def status_of(workspace: Workspace) -> str:
    """Return the state of a workspace as one word."""
    return (
        "damaged"
        if workspace.damage is not None
        else "suspended"
        if workspace.settings.suspended
        else "active"
    )


def _render_results(request: PageRequest) -> Markup:
    text = request.query.get("text", "").strip()

    def listed(cursor: str | None, limit: int) -> tuple[list[Workspace], str | None]:
        page_ = workspaces_of(request).list(after=cursor or "", limit=limit + 1, begin=text)
        page_ = [workspace for workspace in page_ if workspace.name.startswith(text)]
        return page_[:limit], page_[limit - 1].name if len(page_) > limit else None

    found = _SORTS.read(request, listed, _PAGE)
    rows = [_row(request, workspace) for workspace in found.rows]
    empty = "No tenant has a name that begins so." if text else "No tenants yet."
    return found.table(
        "/tenants",
        "Tenants",
        _COLUMNS,
        rows,
        empty=empty,
        older="More",
        whole=False,
        kept={"text": text or None},
        numbers=_COUNTS,
    )


def _row(request: PageRequest, workspace: Workspace) -> tuple[Node, ...]:
    name = [h.a(workspace.name, href=f"/tenants/{workspace.name}")]
    if workspace.name == request.identity.workspace:
        name.append(h.span(" (you are here)", class_="muted"))
    if workspace.damage is not None:
        return (
            name,
            badge("damaged"),
            workspace.damage,
            "",
            "",
            "",
            at(workspace.created_at, request.now),
            "",
        )
    found = health(request.server.storage.database, workspace.name, request.now)
    connections = [
        badge("failing", f"{found.failing:,} failing") if found.failing else None,
        f" {found.connections:,}",
    ]
    limits = [
        [h.br() if place else None, limit_text(*limit)]
        for place, limit in enumerate(workspace.settings.limits.items())
    ] or "none"
    counts = (f"{found.calls:,}", f"{found.failures:,}")
    created = (
        at(workspace.created_at, request.now)
        if workspace.created_at is not None
        else h.span("with the server", class_="muted")
    )
    return (
        name,
        badge(status_of(workspace)),
        connections,
        *counts,
        limits,
        created,
        _acts(request, workspace),
    )


def limit_text(name: str, number: float) -> str:
    """Return a limit in words, such as ``20 connections``."""
    return (
        f"{size_text(int(number))} of files"
        if name == "storageBytes"
        else f"{number:,.0f} {_LIMITED[name]}"
    )


def _acts(request: PageRequest, workspace: Workspace) -> list[Node]:
    address = f"/tenants/{workspace.name}"
    connect = h.a(
        "Connect",
        href=f"{address}/connect-sessions",
        aria_label=f"Connect an account for {workspace.name}",
    )
    switch = h.button("Switch", class_="quiet", aria_label=f"Switch to {workspace.name}")
    return [
        connect if status_of(workspace) == "active" else None,
        form(request, f"{address}/switch", switch)
        if workspace.name != request.identity.workspace
        else None,
    ]


def _new(request: PageRequest) -> list[Node]:
    hint = "Letters, digits, dots, underscores and hyphens, such as your own ID of the customer."
    made = form(
        request,
        "/tenants",
        text_field("name", "Name", hint=hint, maxlength=100, required=True),
        check_field(
            "writes",
            "Ask before each write",
            True,
            "A write waits until a person approves it. Its settings can name exceptions.",
        ),
        h.div(h.button("Create tenant", class_="primary"), class_="actions"),
        h.div(id="outcome", aria_live="polite"),
        into="#outcome",
    )
    return panel("new-tenant", "New tenant", "New tenant", made, tone="primary")


def _platforms(request: PageRequest) -> Markup:
    """Render the platforms with tokens, with links to their callbacks, which get the events of all
    their workspaces.
    """
    storage = request.server.storage
    tokens = PlatformTokens(storage.database, storage.vault, request.server.clock).list()
    active = Counter(token.workspaces for token in tokens if token.status(request.now) == "active")
    rows = [
        (
            h.code(pattern),
            active[pattern],
            h.a("Callbacks", href=f"/platforms/{quote(pattern, safe='*')}/callbacks"),
        )
        for pattern in sorted({token.workspaces for token in tokens})
    ]
    empty = [
        "No platform has a token. ",
        h.code("jackfield tokens create --kind platform"),
        " makes one.",
    ]
    lead = h.p(
        "Each is a program that manages the tenants whose names fit its pattern. ",
        h.a("OAuth clients", href="/oauth-clients"),
        " serve them all.",
        class_="muted",
    )
    return card(
        "Platforms",
        lead,
        table("Platforms", ("Names of its tenants", "Active tokens", "Events"), rows, empty=empty),
    )
