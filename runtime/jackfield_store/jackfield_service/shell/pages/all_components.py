"""Page of all components of the console, side by side, for their designers: only ``jackfield dev``
declares it.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from jackfield.kernel.markup import Markup, table, terms
from jackfield_service.shell.pages.app import session_route
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    bar,
    card,
    check_field,
    choice_field,
    choices,
    code_block,
    fault_of,
    filters,
    final,
    folded,
    form,
    h,
    heading,
    lines_field,
    notice,
    panel,
    part,
    search,
    tabs,
    text_field,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.shell import page
from jackfield_service.shell.process.server_context import ServerContext

ADDRESS = "/console/components"
_STATES = ("succeeded", "failed", "in_doubt", "queued", "cancelled")
_FAULTS = ({"path": "/retentionDays", "message": "must be a number"},)


def routes(server: ServerContext) -> list[Route]:
    """Return the page, for people who are signed in."""
    return [session_route(server, Page(ADDRESS, shown))]


def shown(request: PageRequest) -> Response:
    """Serve ``GET /console/components``."""
    head = heading(
        "Components",
        badge("ok"),
        h.button("A step", class_="quiet"),
        panel("opened", "A panel", "A panel", *_fields("of-panel"), tone="primary"),
        lead="What pages are made of. Nothing here is sent anywhere that does something.",
    )
    told = [
        notice(f"What a notice of the tone {tone} says.", tone=tone)
        for tone in ("plain", "good", "warn")
    ]
    fault = fault_of("the settings are not valid", "Mend the fields that are named.", _FAULTS)
    content = (
        *told,
        fault,
        _states(request),
        _list(request),
        _form(request),
        _texts(),
        h.div("Nothing yet.", class_="empty"),
    )
    return page(request, "", "Components", *content, head=head)


def _states(request: PageRequest) -> Markup:
    facts = terms(
        [
            ("State", badge("succeeded")),
            ("When", at(request.now - 90, request.now, whole=True)),
            ("Name", h.code("acme-ses")),
        ]
    )
    figures = h.ul(
        [_tile("Invocations", "425"), _tile("In doubt", "1", "tile alarm")], class_="tiles"
    )
    spans = choices("Time range", [("Last hour", ADDRESS, False), ("Last 24 hours", ADDRESS, True)])
    return card(
        "States and figures",
        h.p([[badge(state), " "] for state in _STATES]),
        facts,
        figures,
        spans,
        class_="card stack",
    )


def _tile(name: str, number: str, kind: str = "tile") -> Markup:
    return h.li(h.p(name, class_="name"), h.p(number, class_="number"), class_=kind)


def _list(request: PageRequest) -> Markup:
    rows = [
        (
            h.a(name, href=ADDRESS),
            badge(state),
            at(request.now - 90, request.now),
            [
                h.a("Edit", href=ADDRESS),
                final(request, ADDRESS, "Remove", "What is removed is gone.", of=name),
            ],
        )
        for name, state in (("acme-ses", "ok"), ("code-github", "expired"))
    ]
    narrowed = filters(
        ADDRESS,
        text_field("text", "Search", type="search"),
        choice_field("status", "Status", [("", "Any status")], ""),
        live=False,
    )
    shown = table("Things", ("Name", "Status", "Tested", "Actions"), rows)
    return card(
        "A list", search(ADDRESS, "Search things", ""), narrowed, shown, class_="card stack"
    )


def _form(request: PageRequest) -> Markup:
    buttons = bar(
        h.button("Save", class_="primary"),
        h.button("Another"),
        h.button("Away", class_="danger"),
        h.button("Not now", disabled=True),
    )
    return card(
        "A form",
        form(
            request,
            ADDRESS,
            part("A group", "What its fields are about.", *_fields("of-form")),
            buttons,
        ),
    )


def _fields(place: str) -> list[Markup]:
    return [
        text_field(f"name-{place}", "Name", "acme", "What it is called.", required=True),
        lines_field(f"hosts-{place}", "Hosts", ("crm.internal",), "One in each line."),
        choice_field(f"scope-{place}", "Scope", (("read", "read"), ("invoke", "invoke")), "read"),
        check_field(f"keep-{place}", "Record inputs", True, "With secrets masked."),
    ]


def _texts() -> Markup:
    code = code_block('{"connector": "aws-ses"}', "The call")
    return folded(
        "Folded",
        tabs("call", (("JSON", code), ("curl", code_block("curl …", "The call with curl")))),
        open=True,
    )
