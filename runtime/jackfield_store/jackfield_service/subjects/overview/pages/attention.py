"""Cards of objects that need a person: failing connections, stopped schedules and subscriptions,
failing callbacks, dead deliveries, and calls that wait for an approval. The card of one workspace
links to each object; the operator's card counts the objects of all workspaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jackfield.connections.connection_page import ConnectionPage
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import badge, card, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.resources import things
from jackfield_service.subjects.callbacks.callbacks import MOST
from jackfield_service.subjects.callbacks.pages.homes import platform_base
from jackfield_service.subjects.callbacks.subject import CALLBACKS, DELIVERIES
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.tenants.health import TROUBLES, troubles
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.access.platform_tokens import pattern_of

LOOKED_AT = 1000
"""Maximum number of checked connections, and of schedules and subscriptions that are checked for
missing references.
"""
_NAMED = 3
_MOST_WORKSPACES = 50
_TITLES = {
    "connections": "Failing connections",
    "schedules": "Broken schedules",
    "subscriptions": "Failing subscriptions",
    "callbacks": "Failing callbacks",
    "deliveries": "Dead deliveries",
    "approvals": "Waiting for approval",
}


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Objects of one kind that need a person: their state and number, the fault of one and of many,
    the address of their list, and names with addresses. ``is_cut`` is true if not all were checked.
    """

    word: str
    count: int
    one: str
    many: str
    address: str
    named: Sequence[tuple[str, str]] = ()
    is_cut: bool = False

    def shown(self, *, is_linked: bool) -> Markup:
        """Render the fault as a line, with the first names of affected objects."""
        what = self.one if self.count == 1 else f"{self.count:,} {self.many}"
        names = [
            [", " if place else ": ", _link(text, address, is_linked)]
            for place, (text, address) in enumerate(self.named[:_NAMED])
        ]
        rest = f" and {self.count - _NAMED:,} more" if self.count > _NAMED and self.named else None
        cut = (
            h.span(f" Only the first {LOOKED_AT:,} by name were looked at.", class_="muted")
            if self.is_cut
            else None
        )
        return h.li(
            badge(self.word), " ", _link(what, self.address, is_linked), names, rest, ".", cut
        )


def attention_card(request: PageRequest, *, is_linked: bool = True) -> Markup | None:
    """Render the objects that need a person in the request's workspace, as far as the visitor may
    see them; None without such objects. ``is_linked`` is true if the visitor is in that workspace,
    so that the pages' addresses lead there.
    """
    if not request.server.storage.enabled or request.is_silent:
        return None
    found = [
        one
        for one in (*_lost(request.connections.list(limit=LOOKED_AT)), *_troubles(request))
        if one.count or one.is_cut
    ]
    lines = [one.shown(is_linked=is_linked) for one in found]
    return (
        card("Needs attention", h.ul(lines, class_="plain stack"), id="attention")
        if lines
        else None
    )


def workspaces_card(request: PageRequest) -> Markup | None:
    """Render, for the operator, the workspaces and platforms with objects that need a person; None
    without such objects.
    """
    found = troubles(request.server.storage.database)
    if not found:
        return None
    rows = [
        (_home(name), *(f"{counts[kind]:,}" for kind in TROUBLES))
        for name, counts in [*found.items()][:_MOST_WORKSPACES]
    ]
    rest = len(found) - len(rows)
    more = h.p(f"And {rest:,} further tenants.", class_="muted") if rest > 0 else None
    columns = ("Tenant", *(_TITLES[kind] for kind in TROUBLES))
    return card(
        "Tenants that need attention",
        table("Tenants that need attention", columns, rows),
        more,
        id="workspaces-attention",
    )


def _lost(page: ConnectionPage) -> Iterator[_Trouble]:
    for status, one, many in (
        ("failing", "1 connection fails", "fail"),
        ("expired", "1 connection has expired", "have expired"),
    ):
        rows, is_cut = (
            [row for row in page.items if row.get("status") == status],
            bool(page.next_cursor) and status == "failing",
        )
        found = _of_rows(status, one, f"connections {many}", "/connections", rows, is_cut=is_cut)
        yield replace(found, address=f"/connections?status={status}")


def _troubles(request: PageRequest) -> Iterator[_Trouble]:
    identity, runtime = request.identity, request.runtime
    rows, more = WorkspaceSchedules(runtime, identity.caller, identity.actor).page(None, LOOKED_AT)
    broken = [row for row in rows if row["status"] == "stopped" or "fault" in row]
    many = "schedules do not run"
    yield _of_rows(
        "broken", "1 schedule does not run", many, "/schedules", broken, is_cut=more is not None
    )
    rows, more = WorkspaceSubscriptions(runtime, identity.caller, identity.actor).page(
        None, LOOKED_AT
    )
    failing = [row for row in rows if row["status"] == "failing" or "fault" in row]
    one, many = (
        "1 subscription does not do what it is for",
        "subscriptions do not do what they are for",
    )
    yield _of_rows("failing", one, many, "/subscriptions", failing, is_cut=more is not None)
    if request.may("manage") and not identity.rules:
        yield from _of_events(request)
    waiting = request.journal.open_counts()["waiting"]
    address = "/approvals" if request.may("approve") else "/invocations?status=waiting"
    yield _Trouble(
        "waiting", waiting, "1 call waits for an approval", "calls wait for an approval", address
    )


def _of_events(request: PageRequest) -> Iterator[_Trouble]:
    """Yield failing callbacks, and dead deliveries, which only managers of the whole workspace may
    see.
    """
    callbacks, _ = things(request, CALLBACKS).page(limit=MOST)
    named = [
        (one.options.description or one.url, f"/callbacks/{one.id}")
        for one in callbacks
        if one.status == "active" and one.failing_since is not None
    ]
    yield _Trouble("failing", len(named), "1 callback fails", "callbacks fail", "/callbacks", named)
    dead = things(request, DELIVERIES).count_dead()
    one, many = "1 delivery to a callback was given up", "deliveries to callbacks were given up"
    yield _Trouble("dead", dead, one, many, "/deliveries?status=dead")


def _of_rows(
    word: str, one: str, many: str, address: str, rows: Sequence[Mapping[str, Any]], *, is_cut: bool
) -> _Trouble:
    named = [(str(row["name"]), f"{address}/{row['name']}") for row in rows]
    return _Trouble(word, len(rows), one, many, f"{address}?sort=-status", named, is_cut)


def _link(text: str, address: str, is_linked: bool) -> Node:
    return h.a(text, href=address) if is_linked else text


def _home(name: str) -> Markup:
    pattern = pattern_of(name)
    return (
        h.a(name, href=f"/tenants/{name}")
        if pattern is None
        else h.a(pattern, href=f"{platform_base(pattern)}/callbacks")
    )
