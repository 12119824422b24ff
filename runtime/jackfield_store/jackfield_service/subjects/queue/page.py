"""Pages of the queue: the waiting invocations, their ages and workspaces; and the dead letters,
which can be queued again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import InvalidInvocation, LimitReached
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    at,
    card,
    done_notice,
    form,
    h,
    live,
    more,
    notice,
    span_text,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.gist import name_of, named
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.selection import NONE, tick
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.subjects.invocations.pages.invocations import entries_table
from jackfield_service.subjects.invocations.pages.steps import LETTERS, redrive
from jackfield_store.journal.queue_stats import NAMES, queue_stats

_EVERY = 5
"""Polling interval in seconds."""
_NEXT = 10
_PAGE = 50
_EMPTY: Mapping[str, Any] = {**dict.fromkeys(NAMES, 0), "oldestSeconds": None}
_DONE = {
    "redriven": "Queued again.",
    "alive": "It is no dead letter any more: it was queued again, or corrected, meanwhile.",
    "held": (
        "Not queued again: another invocation holds its idempotency key, and has done, or "
        "will do, what this one asked for."
    ),
}


def shown(request: PageRequest) -> Response:
    """Serve ``GET /queue``: figures of the workspace's queue, or of all workspaces for the
    operator, and the newest waiting invocations.
    """
    request.require("read")
    content = _content(request)
    if request.partial:
        return fragment(content)
    lead = [
        "Invocations that wait for a worker. ",
        h.code("jackfield serve"),
        " and ",
        h.code("jackfield worker"),
        " take them.",
    ]
    return page(
        request, "queue", "Queue", live("/queue?live=1", _EVERY, "live", content), lead=lead
    )


def dead(request: PageRequest) -> Response:
    """Serve ``GET /queue/dead-letters``: invocations that were given up, newest first."""
    request.require("read")
    entries, cursor = request.journal.entries(
        cursor=request.query.get("cursor") or None, limit=_PAGE, status="dead"
    )
    columns = ("Action", "Connection", "Created", "Deliveries", "Given up", "Actions")
    names = named(request, entries)
    rows = [_letter(request, entry, names[entry.id]) for entry in entries]
    heads = {columns[0]: (h.div(LETTERS.every(request), columns[0]), None)}
    letters = table(
        "Dead letters",
        columns,
        rows,
        empty="No dead letters.",
        sorts=heads,
        numbers=("Deliveries",),
    )
    shown = [LETTERS.bar(request) if rows else None, letters]
    advice = (
        "Find the cause before you redrive one: it is queued again with the same inputs and "
        "idempotency key. "
    )
    lead = [
        "Given up, since their worker was lost each time. ",
        advice,
        h.code("jackfield queue redrive --all"),
        " redrives all.",
    ]
    done = done_notice(request, {**_DONE, **NONE}, "alive", "held", *NONE)
    return page(
        request,
        "queue",
        "Dead letters",
        done,
        h.div(shown, id="found"),
        more("/queue/dead-letters", cursor=cursor),
        lead=lead,
    )


def dead_state(entry: Entry) -> Any:
    """Return the displayed state of a dead letter; None for any other entry."""
    return None if entry.dead_at is None else [entry.id, entry.dead_at, len(entry.deliveries)]


def _present_state(request: PageRequest) -> Any:
    request.require("manage")
    return dead_state(request.entry())


@decides(
    _present_state,
    lambda request: "/queue/dead-letters" if request.form.get("from") == "list" else "",
)
def redriven(request: PageRequest) -> Response:
    """Serve ``POST /invocations/{id}/redrive``: queue a dead letter again; ``from`` is ``list`` if
    the form is in the list.
    """
    request.require("manage")
    entry = request.entry()
    try:
        done = redrive(request, entry.id)
    except InvalidInvocation as error:
        raise Problem(409, error.message, hint=error.hint) from None
    except LimitReached as error:
        raise of_error(error) from None
    place = (
        "/queue/dead-letters" if request.form.get("from") == "list" else f"/invocations/{entry.id}"
    )
    return redirect(request, f"{place}?done={done}")


def redrive_done(request: PageRequest) -> Markup | None:
    """Render the outcome of a redrive on the page of its invocation; None without a redrive."""
    return done_notice(request, _DONE, "alive", "held")


def _content(request: PageRequest) -> list[Node]:
    counts = request.journal.open_counts()
    tiles = [
        ("Waiting", counts["queued"], "/invocations?status=queued"),
        ("Running", counts["running"], "/invocations?status=running"),
        ("Dead letters", counts["dead"], "/queue/dead-letters"),
    ]
    figures = (
        {}
        if request.identity.rules
        else queue_stats(request.server.storage.database, request.server.clock)
    )
    mine = figures.get(request.identity.workspace, _EMPTY)
    oldest = (
        None
        if request.identity.rules
        else _tile(
            "Oldest waits for",
            span_text(mine["oldestSeconds"]) if mine["oldestSeconds"] is not None else "0 s",
        )
    )
    entries, _ = request.journal.entries(limit=_NEXT, status="queued")
    waiting = entries_table(request, entries, caption="Waiting", empty="Nothing waits.")
    every = h.a("All that wait", href="/invocations?status=queued")
    blocked = mine.get("blocked")
    return [
        None
        if blocked is None
        else notice(h.p("Nothing of this workspace is begun at present: ", blocked["reason"], ".")),
        h.ul(
            [_tile(title, f"{count:,}", address) for title, count, address in tiles],
            oldest,
            class_="tiles",
        ),
        _by_workspace(figures) if request.operator else None,
        h.section(
            h.div(h.h2("Newest that wait"), every if entries else None, class_="row"),
            waiting,
            class_="card",
        ),
    ]


def _tile(title: str, value: str, address: str | None = None) -> Markup:
    return h.li(
        h.p(h.a(title, href=address, class_="whole") if address else title, class_="name"),
        h.p(value, class_="number"),
        class_="tile",
    )


def _by_workspace(figures: Mapping[str, Mapping[str, Any]]) -> Markup:
    rows = [
        (
            name,
            *(f"{row[kind]:,}" for kind in NAMES),
            span_text(row["oldestSeconds"]) if row["oldestSeconds"] is not None else "none",
            row["blocked"]["reason"] if "blocked" in row else "",
        )
        for name, row in figures.items()
    ]
    columns = ("Workspace", *(kind.capitalize() for kind in NAMES), "Oldest waits for", "Blocked")
    return card(
        "By workspace",
        table("Queue by workspace", columns, rows, empty="Nothing is queued in any workspace."),
    )


def _letter(request: PageRequest, entry: Entry, called: Node) -> tuple[Node, ...]:
    redrive: Node = None
    name = f"{name_of(request, entry)} {entry.id[-6:]}"
    if request.may("manage"):
        button = h.button("Redrive", class_="quiet", aria_label=f"Redrive {name}")
        redrive = form(
            request,
            f"/invocations/{entry.id}/redrive",
            h.input(type="hidden", name="from", value="list"),
            button,
            state=dead_state(entry),
        )
    box = tick(entry.id, name) if request.may("manage") else None
    return (
        [box, called],
        h.a(entry.connection, href=f"/connections/{entry.connection}")
        if entry.connection
        else h.span("none", class_="muted"),
        at(entry.created_at, request.now),
        len(entry.deliveries),
        at(entry.dead_at, request.now),
        redrive,
    )


PAGES: tuple[Page, ...] = (
    Page("/invocations/{id}/redrive", redriven, "POST"),
    Page("/queue", shown),
    Page("/queue/dead-letters", dead),
)
