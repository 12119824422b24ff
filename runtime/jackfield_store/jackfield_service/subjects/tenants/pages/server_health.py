"""Condition of this server, in its probe's words for the operator: whether it accepts calls, and
the warnings.
"""

from __future__ import annotations

from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import badge, card, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.subjects.overview.pages.attention import attention_card, workspaces_card
from jackfield_store.management.conditions import FoundCondition, of_packages


def server_cards(request: PageRequest) -> list[Node]:
    """Render the answer of ``GET /readyz`` for the operator, and the workspaces with objects that
    need a person.
    """
    condition = request.server.readiness.look()
    ready = (
        badge("ok", "takes calls")
        if condition.fault is None
        else badge("failing", "takes no calls")
    )
    found = [
        *([condition.fault] if condition.fault else []),
        *condition.warnings,
        *of_packages(request.server.runtimes.warnings()),
    ]
    rows = [_finding(one) for one in dict.fromkeys(found)]
    probe = h.p("Monitoring asks ", h.code("GET /readyz"), " for it.", class_="muted small")
    workspaces = (
        workspaces_card(request)
        if request.server.storage.enabled and condition.fault is None
        else None
    )
    fine = h.p("Nothing is wrong.")
    # what nothing has stumbled over yet
    if workspaces is None and condition.fault is None and attention_card(request) is not None:
        fine = h.p(
            "The server has no fault; ", h.a("this workspace needs attention", href="/"), "."
        )
    if workspaces is not None:
        fine = h.p(
            "The server has no fault; ",
            h.a("some tenants need attention", href="#workspaces-attention"),
            ".",
        )
    return [
        card("This server", h.p(ready), h.ul(rows, class_="faults") if rows else fine, probe),
        workspaces,
    ]


def _finding(found: FoundCondition) -> Markup:
    return h.li(h.code(found.kind), " ", found.text, [" ", found.hint] if found.hint else None)
