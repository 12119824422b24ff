"""Pages of suppressions: the guard of a connection, which can be resumed, and the workspace's
suppressed recipients.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.markup import Markup, Node, terms
from jackfield_service.shell.pages.layout.components import (
    at,
    card,
    done_notice,
    final,
    form,
    h,
    notice,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.resources import listing, things
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.suppressions.subject import SUPPRESSIONS
from jackfield_store.access.settings import MESSAGES, RATES, Settings
from jackfield_store.journal.suppressions import UnknownSuppression

_DONE = {
    "removed": "The recipient can be sent to again.",
    "gone": "Nothing suppressed this recipient any more.",
}


def guard_card(request: PageRequest, name: str) -> Markup | None:
    """Render the guard of a connection; None for a connection without a guard."""
    guard = None if request.identity.rules else request.runtime.access.settings.guard_of(name)
    if guard is None:
        return None
    shares = [f"{guard[rate] * 100:g} % {noun}" for rate, noun in RATES.items() if rate in guard]
    since = [", sent ", _at(request, guard["since"]), " or later"] if "since" in guard else None
    facts = terms(
        [
            (
                "Suppressed recipients",
                [
                    "refused; " if guard.get("refuse", True) else "not refused; ",
                    h.a("show them", href="/suppressions"),
                ],
            ),
            ("Paused above", " or ".join(shares) or "never"),
            ("Counted", [f"the last {guard.get('messages', MESSAGES):,} messages", since]),
        ]
    )
    return card(
        "Guard", _paused(request, name, guard["paused"]) if "paused" in guard else None, facts
    )


def _paused(request: PageRequest, name: str, paused: dict[str, str | int]) -> Markup:
    when = _at(request, str(paused["at"]))
    resume: Node = h.p("Only the operator can resume it.")
    if request.operator:
        resume = [
            h.p("Find out why before you resume it: counting begins anew."),
            form(request, f"/connections/{name}/guard", h.button("Resume"), state=[name, paused]),
        ]
    return notice(
        h.p(
            h.strong("Paused "),
            when,
            f": {Settings.figures(paused)}. Only reads go over this connection.",
        ),
        resume,
        tone="bad",
    )


def _paused_state(request: PageRequest) -> Any:
    """Return the reason why the guard has paused its connection, with the connection's name; None
    if the connection is not paused, or the visitor is not the operator.
    """
    request.require("manage")
    name = str(request.connections.show(request.path("name"))["name"])
    guard = (request.runtime.access.settings.guard_of(name) if request.operator else None) or {}
    return [name, guard["paused"]] if "paused" in guard else None


@decides(_paused_state)
def resumed(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/guard``: set the guard again, which resumes a paused
    connection. Only the operator may, as with other settings.
    """
    request.require("manage")
    name = str(request.connections.show(request.path("name"))["name"])
    if not request.operator:
        raise Problem(403, "only the operator can resume a connection that its guard has paused")
    guard = request.runtime.access.settings.guards.get(name)
    if guard is not None:
        again = {member: value for member, value in guard.items() if member != "paused"}
        request.runtime.access.workspaces.acting_as(request.identity.actor).set(
            request.identity.workspace, {"guards": {name: again}}
        )
    return redirect(request, f"/connections/{name}?done=resumed")


def suppressed(request: PageRequest) -> Response:
    """Serve ``GET /suppressions``: recipients who get no more messages, the latest first."""
    found = listing(
        request,
        SUPPRESSIONS,
        things(request, SUPPRESSIONS, "read"),
        "/suppressions",
        "Suppressed recipients",
        {
            "reason": lambda item: ": ".join(
                item[name] for name in ("reason", "text") if name in item
            )
        },
        empty="Nobody is suppressed.",
        actions=partial(_removal, request),
    )
    refusing = request.runtime.access.settings.refusing
    named = ", ".join("all others" if name == "*" else name for name in refusing)
    rest = (
        f"Connections whose guard refuses to send to them: {named}."
        if refusing
        else "No connection has a guard that refuses them."
    )
    lead = f"A message to these recipients bounced for good or drew a complaint. {rest}"
    done = done_notice(request, _DONE, "gone")
    return page(request, "connections", "Suppressed recipients", done, found, lead=lead)


def _suppressed_state(request: PageRequest) -> Any:
    recipient = request.form.get("recipient", "").strip()
    reason = things(request, SUPPRESSIONS).among([recipient]).get(recipient)
    return None if reason is None else [recipient, reason]


@decides(_suppressed_state, lambda _: "/suppressions")
def removed(request: PageRequest) -> Response:
    """Serve ``POST /suppressions/removal``."""
    try:
        things(request, SUPPRESSIONS).remove(request.form.get("recipient", "").strip())
    except UnknownSuppression:
        return redirect(request, "/suppressions?done=gone")
    return redirect(request, "/suppressions?done=removed")


def _at(request: PageRequest, text: str) -> Node:
    return at(moment(text, request.now, 1, "at"), request.now)


def _removal(request: PageRequest, item: Mapping[str, Any]) -> Markup | None:
    if not request.may("manage") or "problem" in item:
        return None
    recipient, told = item["recipient"], "Mail to this recipient is sent again."
    field = h.input(type="hidden", name="recipient", value=recipient)
    return final(
        request,
        "/suppressions/removal",
        "Remove",
        told,
        field,
        of=recipient,
        state=[recipient, item["reason"]],
    )


PAGES: tuple[Page, ...] = (
    Page("/connections/{name}/guard", resumed, "POST"),
    Page("/suppressions", suppressed),
    Page("/suppressions/removal", removed, "POST"),
)
