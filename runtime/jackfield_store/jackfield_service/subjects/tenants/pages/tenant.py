"""Page of one tenant, for the operator: usage, connections, tokens, limits, and the two steps of
its end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, table, terms
from jackfield_service.shell.operations.entry_export import csv_text
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    bar,
    card,
    choices,
    done_notice,
    final,
    form,
    h,
    heading,
    notice,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.export import exported_file
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.quota_card import QuotaCard, quotas_from
from jackfield_service.shell.pages.layout.shell import outcome, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connect.pages.sessions import session_rows
from jackfield_service.subjects.connections.pages.connections import account_of
from jackfield_service.subjects.files.page import size_text
from jackfield_service.subjects.overview.pages.attention import attention_card
from jackfield_service.subjects.tenants import Tenants, in_use, usage
from jackfield_service.subjects.tenants.health import connection_health
from jackfield_service.subjects.tenants.pages.tenants import status_of, switch_form, workspaces_of
from jackfield_service.subjects.tenants.purge import kept_by
from jackfield_service.subjects.tokens.page import COLUMNS as TOKEN_COLUMNS
from jackfield_service.subjects.tokens.page import token_row
from jackfield_store.access import DEFAULT, Workspace
from jackfield_store.access.settings import LIMITS
from jackfield_store.journal.room import EACH_CALLER

_SPANS = {
    "14d": "in 14 days",
    "90d": "in 90 days",
    "month": "this month",
    "last-month": "last month",
}
_COUNTS = ("calls", "attempts", "failures", "refused", "cancelled", "events", "deliveries")
_USAGE = (
    "Day (UTC)",
    "Calls",
    "Attempts",
    "Not succeeded",
    "Refused",
    "Cancelled",
    "Events",
    "Deliveries",
    "Files stored",
)
_SHOWN = 50
_MEASURED = ("queued", "waiting", "connections", "storageBytes")
_LIMIT_TITLES = {
    "requestsPerSecond": "Requests per second",
    "concurrent": "Calls at once",
    "queued": "Queued invocations",
    "waiting": "Calls that wait for a person",
    "connections": "Connections",
    "storageBytes": "Bytes of files",
}
_EMPTY = "Empty: no limit."
_UNLIMITED = {"waiting": f"Empty: {EACH_CALLER} for each caller. 0: no limit."}
_DONE = {
    "created": "Tenant created.",
    "suspended": "Suspended: every call is refused, in all processes.",
    "resumed": "Resumed: calls are served again.",
    "limits": "Limits saved.",
    "quotas": "Quotas saved.",
    "revoked": "Token revoked.",
}
_KEPT = {
    "connections": "Connections",
    "grants": "Approvals at providers",
    "files": "Files",
    "invocations": "Invocations",
    "tokens": "Tokens",
    "sessions": "Sessions in the console",
    "approvals": "Approvals revoked at providers",
    "pending": "Approvals that are revoked when their providers answer",
    "webhooks": "Webhooks removed at providers",
    "running": "Invocations that run",
}


def shown(request: PageRequest) -> Response:
    """Serve ``GET /tenants/{w}``."""
    request.require_operator()
    found = workspaces_of(request).find(request.path("w"))
    inside = _inside(request, found.name)
    head = heading(
        found.name,
        badge(status_of(found)),
        switch_form(request, found.name),
        lead=_lead(request, found),
    )
    content = [
        done_notice(request, _DONE),
        _attention(request, inside),
        _usage(request, found.name),
        _connections(inside),
        _sessions(inside),
        _tokens(inside),
        _limits(request, found),
        QuotaCard(
            inside, found.settings.quotas, f"/tenants/{found.name}/quotas", _state(found)
        ).drawn(),
        _end(request, found) if found.name != DEFAULT else None,
    ]
    return page(request, "tenants", found.name, *content, head=head)


def _state(found: Workspace) -> Any:
    return [found.name, found.settings.suspended, found.settings.limits, found.settings.quotas]


def _present_state(request: PageRequest) -> Any:
    """Return the displayed state of a tenant; None if it does not exist, which the step reports."""
    request.require_operator()
    with suppress(JackfieldError):
        return _state(workspaces_of(request).find(request.path("w")))
    return None


@decides(_present_state)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /tenants/{w}/{step}``: suspend, resume, limit, or end the tenant."""
    request.require_operator()
    step, name = _STEPS.get(request.path("step")), request.path("w")
    if step is None:
        raise Problem(404, "no such page")
    return step(request, workspaces_of(request).find(name).name)


def token_revoked(request: PageRequest) -> Response:
    """Serve ``POST /tenants/{w}/tokens/{id}/revocation``."""
    request.require_operator()
    name = workspaces_of(request).find(request.path("w")).name
    _inside(request, name).tokens.revoke(request.path("id"))
    return redirect(request, f"/tenants/{name}?done=revoked")


def _suspended(request: PageRequest, name: str) -> Response:
    suspended = request.path("step") == "suspend"
    _tenants(request).change(name, {"suspended": suspended})
    return redirect(request, f"/tenants/{name}?done={'suspended' if suspended else 'resumed'}")


def _limited(request: PageRequest, name: str) -> Response:
    given = {limit: request.form.get(limit, "").strip() for limit in LIMITS}
    limits = {
        limit: None if not text else int(text) if text.isascii() and text.isdigit() else text
        for limit, text in given.items()
    }
    workspaces_of(request).set(name, {"limits": limits})
    return redirect(request, f"/tenants/{name}?done=limits")


def _allowed(request: PageRequest, name: str) -> Response:
    quotas = workspaces_of(request).find(name).settings.quotas
    workspaces_of(request).set(name, {"quotas": quotas_from(request.form, quotas)})
    return redirect(request, f"/tenants/{name}?done=quotas")


def _ended(request: PageRequest, name: str) -> Response:
    """Carry out the first step of the tenant's deletion: suspend it and revoke its tokens."""
    done = _tenants(request).suspend(name)
    told = [
        h.p("The tenant is suspended. Nothing is deleted yet."),
        terms(_counts(done["revoked"], " revoked")),
    ]
    back = h.p(h.a("Back to the tenant", href=f"/tenants/{name}"))
    return outcome(request, "tenants", name, notice(*told, back, tone="good"))


def _purged(request: PageRequest, name: str) -> Response:
    """Carry out the second step of the tenant's deletion: delete all its data."""
    if request.form.get("name", "").strip() != name:
        return outcome(
            request,
            "tenants",
            name,
            notice("Enter the name of the tenant to delete it.", tone="warn"),
            status=400,
        )
    if name == request.identity.workspace:
        return outcome(
            request,
            "tenants",
            name,
            notice("You are in this tenant: switch to another one first.", tone="warn"),
            status=409,
        )
    done = _tenants(request).purge(name)
    counts = [*_counts(done["deleted"], " deleted"), *_counts(done["revoked"])]
    told = [
        h.p("The tenant is deleted, with its keys: nothing of it can be read again."),
        terms(counts),
    ]
    return outcome(
        request,
        "tenants",
        name,
        notice(*told, h.p(h.a("Back to the list", href="/tenants")), tone="good"),
    )


_STEPS: dict[str, Callable[[PageRequest, str], Response]] = {
    "suspend": _suspended,
    "resume": _suspended,
    "limits": _limited,
    "quotas": _allowed,
    "end": _ended,
    "purge": _purged,
}


def _tenants(request: PageRequest) -> Tenants:
    server = request.server
    return Tenants(
        server.storage,
        server.files,
        server.clock,
        "*",
        request.identity.actor,
        server.revoke_approvals,
    )


def _inside(request: PageRequest, workspace: str) -> PageRequest:
    return replace(request, identity=replace(request.identity, workspace=workspace))


def _lead(request: PageRequest, found: Workspace) -> Node:
    if found.damage is not None:
        return found.damage
    kept = f"Finished invocations are kept for {found.settings.retention_days:,} days."
    return (
        ["Created ", at(found.created_at, request.now), ". ", kept]
        if found.created_at is not None
        else kept
    )


def usage_saved(request: PageRequest) -> Response:
    """Serve ``GET /tenants/{w}/usage``: save the usage of the days in ``?usage=`` as CSV."""
    request.require_operator()
    name = workspaces_of(request).find(request.path("w")).name
    span = _usage_span(request)
    since, until = _days(span, request.now)
    days = usage(request.server.storage.database, name, since, until, "day")["items"]
    rows = [
        (str(row["day"])[:10], *(row[count] for count in _COUNTS), row["bytes"]) for row in days
    ]
    text = csv_text([("day", *_COUNTS, "bytes"), *rows])
    return exported_file(text, f"usage-{name}-{span}", "csv")


def _attention(request: PageRequest, inside: PageRequest) -> Markup | None:
    """Render the objects of the workspace that need a person, with links only if the visitor is in
    it: from another workspace the links would lead to the wrong objects.
    """
    return attention_card(inside, is_linked=inside.identity.workspace == request.identity.workspace)


def _usage_span(request: PageRequest) -> str:
    span = request.query.get("usage", "14d")
    if span not in _SPANS:
        raise Problem(400, f"'usage' must be one of {', '.join(_SPANS)}")
    return span


def _days(span: str, now: float) -> tuple[float, float]:
    """Return the start and the end of a span's days, in UTC."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if span in ("month", "last-month"):
        first = today.replace(day=1)
        before = (first - timedelta(days=1)).replace(day=1)
        return (
            (first.timestamp(), now) if span == "month" else (before.timestamp(), first.timestamp())
        )
    return (today - timedelta(days=int(span[:-1]) - 1)).timestamp(), now


def _usage(request: PageRequest, workspace: str) -> Markup:
    span = _usage_span(request)
    found = usage(request.server.storage.database, workspace, *_days(span, request.now), "day")
    rows = [
        (str(row["day"])[:10], *(f"{row[name]:,}" for name in _COUNTS), size_text(row["bytes"]))
        for row in reversed(found["items"])
    ]
    shown = table(
        "Usage by day", _USAGE, rows, empty=f"Nothing was used {_SPANS[span]}.", numbers=_USAGE[1:]
    )
    address = f"/tenants/{workspace}"
    spans = choices(
        "Days",
        [
            (title[:1].upper() + title[1:], f"{address}?usage={one}", one == span)
            for one, title in _SPANS.items()
        ],
    )
    save = h.p(
        h.a("Save as CSV", href=f"{address}/usage?usage={span}", download=True),
        class_="small export",
    )
    return card(
        "Usage",
        spans,
        h.p(summed(found["total"], _SPANS[span]), class_="muted") if rows else None,
        shown,
        save if rows else None,
    )


def summed(total: dict[str, Any], span: str) -> str:
    """Return a sentence with the numbers of calls and of unsuccessful calls, without zeros."""
    calls, failures = total["calls"], total["failures"]
    said = "No calls" if not calls else "1 call" if calls == 1 else f"{calls:,} calls"
    if not failures:
        return f"{said} {span}."
    parts = [
        f"{total[name]:,} {'was' if total[name] == 1 else 'were'} {words}"
        for name, words in (
            ("refused", "refused before anything was sent"),
            ("cancelled", "cancelled or declined"),
        )
        if total[name]
    ]
    return (
        f"{said} {span}, of which {failures:,} did not "
        f"succeed{': ' if parts else ''}{', '.join(parts)}."
    )


def _connections(inside: PageRequest) -> Markup:
    found = inside.connections.list(limit=_SHOWN)
    rows = [_connection(inside, connection_health(row, "console")) for row in found.items]
    columns = ("Name", "Status", "Account", "Type", "Since", "What to do")
    further = (
        h.p(f"The first {_SHOWN} by name; switch to the tenant for the others.", class_="muted")
        if found.next_cursor
        else None
    )
    return card(
        "Connections", table("Connections", columns, rows, empty="No connections."), further
    )


def _connection(inside: PageRequest, row: dict[str, Any]) -> tuple[Node, ...]:
    since = (
        at(row["since"], inside.now) if row.get("since") else h.span("never tested", class_="muted")
    )
    return (
        h.strong(row["name"]),
        badge(str(row["status"])),
        account_of(row),
        h.code(row["type"]),
        since,
        row.get("hint") or "",
    )


def _sessions(inside: PageRequest) -> Markup:
    rows = session_rows(inside, 5)
    address = f"/tenants/{inside.identity.workspace}/connect-sessions"
    title = h.div(
        h.h2("Connect sessions"), h.a("Create one, or see all", href=address), class_="row"
    )
    return h.section(title, rows, class_="card")


def _tokens(inside: PageRequest) -> Markup:
    found, cursor = inside.tokens.list(limit=_SHOWN)
    rows = [
        token_row(inside, token, f"/tenants/{inside.identity.workspace}/tokens") for token in found
    ]
    further = h.p(f"The newest {_SHOWN}.", class_="muted") if cursor else None
    return card(
        "Tokens",
        table(
            "Tokens",
            TOKEN_COLUMNS,
            rows,
            empty="No tokens: programs cannot make calls for this tenant.",
        ),
        further,
    )


def _limits(request: PageRequest, found: Workspace) -> Markup:
    database, limits = request.server.storage.database, found.settings.limits
    used = {
        name: f"{in_use(database, found.name, name):,} in use. {_UNLIMITED.get(name, _EMPTY)}"
        for name in _MEASURED
    }
    fields = [
        text_field(
            name,
            _LIMIT_TITLES[name],
            f"{limits[name]:.0f}" if name in limits else "",
            used.get(name, f"Per process. {_EMPTY}"),
            inputmode="numeric",
        )
        for name in LIMITS
    ]
    save = bar(h.button("Save limits", class_="primary"))
    into = h.div(id="limits", aria_live="polite")
    return card(
        "Limits",
        form(
            request,
            f"/tenants/{found.name}/limits",
            h.div(fields, class_="pair"),
            into,
            save,
            into="#limits",
            state=_state(found),
        ),
    )


def _end(request: PageRequest, found: Workspace) -> Markup:
    address = f"/tenants/{found.name}"
    if not found.settings.suspended:
        steps: list[Node] = [
            h.p("Suspending refuses every call at once, and can be taken back.", class_="muted"),
            form(request, f"{address}/suspend", h.button("Suspend"), state=_state(found)),
            h.p(
                "Deleting takes two steps. The first suspends the tenant, revokes its tokens and "
                "ends its sessions.",
                class_="muted",
            ),
            final(
                request,
                f"{address}/end",
                "Suspend and revoke",
                "Revoked tokens stay revoked, also if the tenant is resumed.",
                state=_state(found),
            ),
        ]
        return card("Suspend or delete", h.div(steps, class_="stack"))
    kept = kept_by(request.server.storage.database, found.name)
    named = text_field(
        "name", "Name of the tenant", hint="Enter it to confirm.", required=True, data_asks=True
    )
    steps = [
        form(request, f"{address}/resume", h.button("Resume"), state=_state(found)),
        h.p(
            "Deleting it for good cannot be taken back. It deletes its journal, audit log, "
            "settings and keys, and:",
            class_="muted",
        ),
        terms(_counts(kept)),
        form(
            request,
            f"{address}/purge",
            named,
            h.button("Delete for good", class_="danger"),
            into="#ended",
            state=_state(found),
        ),
    ]
    return card(
        "Resume or delete", h.div(steps, class_="stack"), h.div(id="ended", aria_live="polite")
    )


def _counts(found: dict[str, Any], done: str = "") -> list[tuple[str, Node]]:
    return [
        (f"{_KEPT[name]}{done}", f"{count:,}") for name, count in found.items() if name in _KEPT
    ]
