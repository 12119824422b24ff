"""Pages of subscriptions: the triggers at providers, the state of each, its last events, and its
buttons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from jackfield.call.events import Event
from jackfield.kernel.errors import JackfieldError, UnknownName
from jackfield.kernel.markup import Node, table
from jackfield.manifest.triggers import TriggerManifest, event_type
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    check_field,
    code_block,
    done_notice,
    fault,
    fault_of,
    folded,
    form,
    guide,
    h,
    heading,
    json_text,
    live,
    notice,
    offering,
    problem_notice,
    removal,
    steps,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.resources import Cells, edit_link, facts, listing, things
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.events.visible import feed_of
from jackfield_service.subjects.triggers.pages.start import start_card
from jackfield_service.subjects.triggers.subject import SUBSCRIPTIONS
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions

_EVENTS = 10
_REFRESH = 4
_DONE = {
    "added": "Added. A server registers or polls it within seconds: its status says so.",
    "changed": "Saved. It runs with your rights from now on.",
    "paused": "Paused: nothing is received or polled until it is resumed. The checkpoint stays.",
    "resumed": "Resumed: a poll goes on where it was, and a webhook receives again.",
    "reset": (
        "Reset: the poll begins again at that time. Events that were told within 14 days are "
        "not told again."
    ),
    "removed": "Subscription removed. Its events stay.",
}
_STEPS: Mapping[str, tuple[str, Callable[[WorkspaceSubscriptions, str], Any]]] = {
    "pause": ("paused", WorkspaceSubscriptions.disable),
    "resume": ("resumed", WorkspaceSubscriptions.enable),
    "removal": ("removed", WorkspaceSubscriptions.remove),
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /subscriptions``: all subscriptions by name."""
    shown = listing(
        request,
        SUBSCRIPTIONS,
        things(request, SUBSCRIPTIONS, "read"),
        "/subscriptions",
        "Subscriptions",
        {**_cells(request), "status": lambda item: [badge(item["status"]), _reason(item)]},
        empty="No subscriptions yet. Search above for what is to be watched.",
        actions=partial(edit_link, request, "/subscriptions"),
    )
    new = (
        offering("/new-subscription", "When this happens…", "New subscription")
        if request.may("manage")
        else None
    )
    lead = (
        "Webhooks and polls of connectors: what happens at providers becomes events of this "
        "workspace."
    )
    return page(
        request,
        "subscriptions",
        "Subscriptions",
        done_notice(request, _DONE),
        new,
        shown,
        lead=lead,
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /subscriptions/{name}``: its status, its last events, its samples and its
    checkpoint.
    """
    request.require("read")
    return _subscription_page(request)


def _subscription_page(request: PageRequest, refused: UnknownName | None = None) -> Response:
    """Render the page of a subscription; ``refused`` is the missing reference that prevented its
    resumption.
    """
    name, subscriptions = request.path("name"), subscriptions_of(request)
    found = subscriptions.show(name)
    trigger = _trigger(request, found)
    setup = trigger is not None and trigger.kind == "webhook" and not trigger.registers
    return page(
        request,
        "subscriptions",
        name,
        done_notice(request, _DONE),
        problem_notice(found),
        notice("Not resumed: see below what is gone, and what to do.", tone="warn")
        if refused
        else None,
        _cure(request, found),
        h.section(
            facts(request, SUBSCRIPTIONS, found, {**_cells(request), "status": lambda _: None}),
            class_="card",
            aria_label="Subscription",
        ),
        _url(found["url"], trigger) if "url" in found else None,
        card("Setup guide", guide(trigger.setup))
        if setup and trigger is not None and trigger.setup
        else None,
        card(
            "Last events",
            live(
                f"/subscriptions/{name}/events?live=1",
                _REFRESH,
                "last-events",
                _events(request, found),
            ),
        ),
        card("Test", _samples(subscriptions.samples(name))),
        card("Inputs", code_block(json_text(found.get("inputs", {})), "The inputs")),
        start_card(name, found["then"]) if "then" in found else None,
        _checkpoint(request, found) if "checkpoint" in found else None,
        head=heading(name, badge(found["status"]), _buttons(request, found)),
        status=refused.http_status if refused else 200,
    )


def _cells(request: PageRequest) -> Cells:
    def over(item: Mapping[str, Any]) -> Node:
        name = item.get("connection")
        return h.a(name, href=f"/connections/{name}") if name else "none"

    return {
        "trigger": lambda item: h.code(item["trigger"]),
        "connection": over,
        "lastSuccessAt": lambda item: at(item.get("lastSuccessAt"), request.now),
        "lastEventAt": lambda item: at(item.get("lastEventAt"), request.now),
        "every": lambda item: f"{item['every']:g} s" if "every" in item else None,
        "guard": lambda item: (
            ("on" if item["guard"] else "off: suppressed recipients are sent to")
            if "guard" in item
            else None
        ),
        "runsAs": lambda item: item["runsAs"]["caller"] or "the operator",
    }


def events(request: PageRequest) -> Response:
    """Serve ``GET /subscriptions/{name}/events``: the last events, which the page requests
    repeatedly.
    """
    request.require("read")
    found = subscriptions_of(request).show(request.path("name"))
    return fragment(_events(request, found))


def subscription_state(found: Mapping[str, Any]) -> Any:
    """Return the displayed state of a subscription, except the parts that change with time and
    events.
    """
    return [
        found["status"] == "paused",
        *(found.get(member) for member in ("id", "changedAt", "connection", "inputs", "then")),
    ]


def present_subscription(request: PageRequest) -> Any:
    """Return the state of the subscription in the path."""
    request.require("manage")
    if request.http.path_params.get("step", "edit") not in (*_STEPS, "edit", "reset"):
        raise Problem(404, "no such page")
    return subscription_state(subscriptions_of(request).show(request.path("name")))


@decides(present_subscription)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /subscriptions/{name}/{step}``: pause, resume, reset or remove it."""
    name, step = request.path("name"), request.path("step")
    if step == "reset":
        return _reset(request, name)
    done, act = _STEPS[step]
    try:
        act(subscriptions_of(request), name)
    except UnknownName as refused:
        return _subscription_page(request, refused)
    return redirect(
        request,
        f"/subscriptions?done={done}"
        if step == "removal"
        else f"/subscriptions/{name}?done={done}",
    )


def subscriptions_of(request: PageRequest) -> WorkspaceSubscriptions:
    """Return the subscriptions that the visitor may see."""
    return things(request, SUBSCRIPTIONS, "read")


def latest_events(
    request: PageRequest, trigger: str, name: str, limit: int, *further: str
) -> list[Event]:
    """Return the newest events of a subscription that the visitor may see, and events of
    ``further`` types about it.
    """
    runtime, identity = request.runtime, request.identity
    feed = feed_of(
        request.server.storage,
        identity.workspace,
        runtime.catalog,
        runtime.access.authorizer(identity.caller),
    )
    return feed.latest([event_type(trigger.partition("/")[0], "*"), *further], name, limit)


def _reset(request: PageRequest, name: str) -> Response:
    if request.form.get("sure") != "on":
        text = "Tick the box: a reset reads everything since that time again."
        return (
            fragment(notice(text, tone="bad"))
            if request.partial
            else redirect(request, f"/subscriptions/{name}")
        )
    try:
        subscriptions_of(request).reset(name, request.form.get("since", "").strip())
    except JackfieldError as error:
        if request.partial:
            return fragment(fault(error))
        raise
    return redirect(request, f"/subscriptions/{name}?done=reset")


def _trigger(request: PageRequest, found: Mapping[str, Any]) -> TriggerManifest | None:
    """Return the trigger of a subscription; None if it is no longer installed."""
    key, _, name = found["trigger"].partition("/")
    manifest = request.catalog.look(key)[1]
    return None if manifest is None else manifest.triggers.get(name)


def _cure(request: PageRequest, found: Mapping[str, Any]) -> Node:
    """Render the fault and the remedy; None without a fault. If the events start calls over a
    deleted connection, a link chooses another connection.
    """
    gone: Mapping[str, Any] | None = found.get("fault")
    if gone is None:
        return (
            notice(found["reason"], tone="bad" if found["status"] == "failing" else "warn")
            if "reason" in found
            else None
        )
    over = found.get("then", {}).get("connection")
    if over is None or f"'{over}'" not in gone["message"] or not request.may("manage"):
        return fault_of(gone["message"], gone["hint"])
    edit = h.a("Choose another connection", href=f"/subscriptions/{found['name']}/edit")
    resume = (
        " for what its events start, then resume it."
        if found["status"] == "paused"
        else " for what its events start."
    )
    return [fault_of(gone["message"], gone["hint"]), h.p(edit, resume)]


def _reason(item: Mapping[str, Any]) -> Node:
    return [h.br(), h.span(item["reason"], class_="small")] if "reason" in item else None


def _url(url: str, trigger: TriggerManifest | None) -> Node:
    if url == "***":
        return card(
            "URL",
            h.p(
                "It is hidden: whoever has it can send events. It is shown to tokens of the scope ",
                h.code("manage"),
                ".",
            ),
        )
    return card("URL", code_block(url, "The URL"), _entered(trigger))


def _entered(trigger: TriggerManifest | None) -> Node:
    if trigger is not None and trigger.registers:
        return h.p(
            "The connector registers it at the provider, and removes it when the subscription is "
            "paused or removed.",
            class_="muted",
        )
    return h.p(
        "Enter it at the provider. It stays the same for the life of the subscription.",
        class_="muted",
    )


def _buttons(request: PageRequest, found: Mapping[str, Any]) -> Node:
    if not request.may("manage"):
        return None
    step, title = ("resume", "Resume") if found["status"] == "paused" else ("pause", "Pause")
    edit = h.a("Edit", href=f"/subscriptions/{found['name']}/edit", class_="button quiet")
    address, told = (
        f"/subscriptions/{found['name']}",
        (
            "It tells and starts nothing more. Its URL, if it has one, is gone: a new "
            "subscription has another."
        ),
    )
    state = subscription_state(found)
    last = removal(request, f"{address}/removal", "subscription", told, state=state)
    return steps(request, address, [(step, title)], edit, last, state=state)


def _events(request: PageRequest, found: Mapping[str, Any]) -> Node:
    rows = [
        (
            at(event.at, request.now),
            h.code(event.type),
            h.details(
                h.summary("Show"),
                code_block(json_text(event.data.get("payload", event.data)), f"Event {event.id}"),
            ),
        )
        for event in latest_events(
            request, found["trigger"], found["name"], _EVENTS, "subscription.refused"
        )
    ]
    waiting = "No events yet. The next real one appears here as soon as it has arrived."
    return table("Last events", ("When", "Type", "Data"), rows, empty=waiting)


def _samples(samples: list[dict[str, Any]]) -> Node:
    if not samples:
        return h.p(
            "The connector has no samples: the next real event appears above.", class_="empty"
        )
    return [
        h.p("What its events look like. A sample is not sent to anybody, and moves nothing."),
        [
            code_block(json_text(event), f"Sample: {sample.get('title', 'event')}")
            for sample in samples[:_EVENTS]
            for event in sample.get("events", ())
        ],
    ]


def _checkpoint(request: PageRequest, found: Mapping[str, Any]) -> Node:
    shown = (
        code_block(json_text(found["checkpoint"]), "The checkpoint")
        if found["checkpoint"]
        else h.p("Nothing was polled yet.")
    )
    if not request.may("manage"):
        return card("Checkpoint", shown)
    hint = ["A span such as ", h.code("2d"), " for two days ago, or a date."]
    reset = form(
        request,
        f"/subscriptions/{found['name']}/reset",
        h.p("A reset forgets how far the poll has come, and reads everything since a time again."),
        text_field("since", "Begin again at", "1d", hint=hint, maxlength=40),
        check_field("sure", "Forget the checkpoint", on=False, asks=True),
        h.div(h.button("Reset", class_="quiet danger"), class_="actions"),
        h.div(id="reset-outcome", aria_live="polite"),
        into="#reset-outcome",
        state=subscription_state(found),
    )
    return card("Checkpoint", h.p("How far the poll has come."), shown, folded("Reset", reset))
