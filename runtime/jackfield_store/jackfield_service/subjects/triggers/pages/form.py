"""Forms that add subscriptions: a trigger and the action that its events start are chosen, then
connections and inputs are entered, with the trigger's setup guide next to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from jackfield.callers.searching import found_triggers
from jackfield.invocation import decode
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.triggers import TriggerManifest
from jackfield_service.shell.pages.layout.action_choice import (
    STARTED,
    action_search,
    actions_offered,
    choice_dialog,
    choosing,
)
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.components import (
    badge,
    bar,
    card,
    check_field,
    code_block,
    fault_of,
    form,
    guide,
    h,
    line,
    schema_editor,
    summary,
    text_field,
)
from jackfield_service.shell.pages.layout.connection_choice import (
    connection_dialog,
    connection_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.form_schema import form_schema
from jackfield_service.shell.pages.layout.masked_inputs import refuse_masks
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, outcome, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connectors.pages.connectors import icon_of
from jackfield_service.subjects.triggers.event_places import known_places
from jackfield_service.subjects.triggers.pages.start import read_start, start_fields
from jackfield_service.subjects.triggers.pages.subscriptions import (
    latest_events,
    present_subscription,
    subscription_state,
    subscriptions_of,
)

_MOST = 1000
_OTHERS = 200
"""Maximum number of subscriptions searched for others of the same trigger."""
_ASKED, _SAMPLES = 3, 3
"""Numbers of subscriptions whose events serve as samples, and of events of each."""
_CARDS = 60
"""Maximum number of triggers offered at once."""
_ROOT = "inputs"
_WHAT = "Choose what each event starts."
_OWN = "subscription:"
"""Prefix of the names of the subscription's own members in faults, which distinguishes them from
inputs.
"""


def shown(request: PageRequest) -> Response:
    """Serve ``GET /new-subscription``: ``?trigger=CONNECTOR/TRIGGER`` selects a trigger,
    ``&then=CONNECTOR/ACTION`` the action that its events start. Without ``trigger`` all triggers
    are offered, and with an empty ``then`` all actions.
    """
    request.require("manage")
    wanted = request.query.get("trigger")
    if wanted is None:
        return choosing(
            request,
            "subscriptions",
            "New subscription",
            "Choose what to watch.",
            "Search triggers",
            partial(_choice, request),
            "/new-subscription",
        )
    manifest, trigger = _find_trigger(request, wanted)
    title, address = f"New subscription: {trigger.title}", f"/new-subscription?trigger={wanted}"
    if request.query.get("then") == "":
        found = partial(actions_offered, request, _to(address))
        return choosing(
            request,
            "subscriptions",
            title,
            _WHAT,
            "Search actions",
            found,
            "/new-subscription",
            trigger=wanted,
            then="",
        )
    if request.partial and request.query.get("then"):
        return _started(request, places_of(request, wanted, trigger), address)
    content = _form(request, manifest, trigger, address)
    asked = (
        None
        if request.query.get("then")
        else action_search("/new-subscription", trigger=wanted, then="")
    )
    dialogs = choice_dialog(), connection_dialog(), asked
    return page(
        request,
        "subscriptions",
        title,
        content,
        *dialogs,
        lead=line(trigger.description),
        scripts=FORM_SCRIPTS,
    )


def created(request: PageRequest) -> Response:
    """Serve ``POST /subscriptions``: add a subscription; only this response has the secret that a
    person enters at the provider, if there is one.
    """
    request.require("manage")
    given = {
        name: request.form.get(name, "").strip()
        for name in ("name", "trigger", "connection", "from", "every")
    }
    document: dict[str, Any] = {name: value for name, value in given.items() if value}
    try:
        document["inputs"] = decode(request.form.get("inputs", "{}"))
        document["then"] = read_start(request.form)
        if "every" in document:
            document["every"] = _seconds(document["every"])
        made = subscriptions_of(request).add(document)
    except JackfieldError as error:
        details = [{**item.to_json(), "path": _place(item.path)} for item in error.details]
        return outcome(
            request,
            "subscriptions",
            "New subscription",
            fault_of(error.message, error.hint, details),
            status=error.http_status,
        )
    address = f"/subscriptions/{made['name']}"
    if "secret" in made:
        return outcome(request, "subscriptions", made["name"], _secret(made, address))
    return redirect(request, f"{address}?done=added")


def edited(request: PageRequest) -> Response:
    """Serve ``GET /subscriptions/{name}/edit``: ``?then=CONNECTOR/ACTION`` selects another action
    that its events start; an empty value offers all.
    """
    request.require("manage")
    name, wanted = request.path("name"), request.query.get("then")
    found = subscriptions_of(request).show(name)
    if "inputs" not in found:
        raise Problem(
            409, f"it cannot be changed: {found['problem']}", hint="Remove it, and add it again."
        )
    _, trigger = _find_trigger(request, found["trigger"])
    title, address = f"Edit {name}", f"/subscriptions/{name}/edit?"
    if wanted == "":
        offered = partial(actions_offered, request, _to(address))
        return choosing(
            request,
            "subscriptions",
            title,
            _WHAT,
            "Search actions",
            offered,
            f"/subscriptions/{name}/edit",
            then="",
        )
    places = places_of(request, found["trigger"], trigger, name)
    if request.partial and wanted:
        return _started(request, places, address)
    begun: Mapping[str, Any] = found.get("then", {})
    present = f"{begun['connector']}/{begun['action']}" if begun else None
    # the form has one where the page is shown anew
    then = wanted or request.form.get("then") or present
    kept = begun if wanted is None and then == present else {}
    stays = h.p(
        "URL, secret and connection stay. It runs with your rights once you have saved.",
        class_="muted",
    )
    content = form(
        request,
        f"/subscriptions/{name}/edit",
        stays,
        _placed([pair for pair in _polling(trigger, found.get("every")) if pair[0] == "every"]),
        _own_inputs(found["trigger"], trigger, found["inputs"]) if _can_change(trigger) else None,
        h.div(
            _placed(start_fields(request, places, address, then, kept)), id=STARTED, class_="stack"
        ),
        check_field("stop", "Start nothing any more", False, asks=True) if begun else None,
        h.div(id="answered", aria_live="polite"),
        bar(h.button("Save", class_="primary")),
        into="#answered",
        class_="card",
        novalidate=True,
        data_root=_ROOT,
        state=subscription_state(found),
    )
    dialogs = (
        choice_dialog(),
        connection_dialog(),
        None if then else action_search(f"/subscriptions/{name}/edit", then=""),
    )
    return page(
        request,
        "subscriptions",
        title,
        content,
        *dialogs,
        lead=line(trigger.description),
        scripts=FORM_SCRIPTS,
    )


@decides(present_subscription)
def saved(request: PageRequest) -> Response:
    """Serve ``POST /subscriptions/{name}/edit``."""
    request.require("manage")
    name, given = request.path("name"), request.form
    document: dict[str, Any] = {}
    try:
        if given.get("every", "").strip():
            document["every"] = _seconds(given["every"].strip())
        if "inputs" in given:
            document["inputs"] = decode(given["inputs"])
        if given.get("stop") == "on":
            document["then"] = None
        elif (then := read_start(given)) is not None:
            document["then"] = then
        subscriptions_of(request).change(
            name, _changed(subscriptions_of(request).show(name), document)
        )
    except JackfieldError as error:
        details = [{**item.to_json(), "path": _place(item.path)} for item in error.details]
        return outcome(
            request,
            "subscriptions",
            f"Edit {name}",
            fault_of(error.message, error.hint, details),
            status=error.http_status,
        )
    return redirect(request, f"/subscriptions/{name}?done=changed")


def _changed(was: Mapping[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return the members that differ from the displayed ones; unchanged members stay, with their
    masked secrets.

    :raises InvalidInput: if a changed member has a mask.
    """
    left = {
        name: value for name, value in document.items() if name not in was or was[name] != value
    }
    refuse_masks(left.get("inputs"), "/inputs")
    refuse_masks((left.get("then") or {}).get("inputs"), "/then/inputs")
    return left


def _started(request: PageRequest, places: Mapping[str, Any], address: str) -> Response:
    return fragment(h.join(_placed(start_fields(request, places, address, request.query["then"]))))


def places_of(
    request: PageRequest, name: str, trigger: TriggerManifest, subscription: str | None = None
) -> dict[str, Any]:
    """Return the paths in the trigger's events, each with a sample value. The values are those of
    the newest events of ``subscription`` or, without one, of other subscriptions to the trigger.
    """
    others = [] if subscription is not None else subscriptions_of(request).page(None, _OTHERS)[0]
    named = (
        [subscription]
        if subscription is not None
        else [item["name"] for item in others if item["trigger"] == name]
    )
    events = (
        event for one in named[:_ASKED] for event in latest_events(request, name, one, _SAMPLES)
    )
    return known_places(
        trigger, [event.data["payload"] for event in events if "payload" in event.data]
    )


def _to(address: str) -> Callable[[str, str], str]:
    return lambda connector, action: f"{address}&then={connector}/{action}"


def _can_change(trigger: TriggerManifest) -> bool:
    """Return whether a trigger's inputs can be changed: only a webhook's that no provider has
    registered.
    """
    return trigger.kind == "webhook" and not trigger.registers


def _own_inputs(name: str, trigger: TriggerManifest, inputs: Mapping[str, Any]) -> Node:
    schema = form_schema(trigger.inputs, given=inputs)
    editor = schema_editor(_ROOT, schema, inputs, name.partition("/")[0], aria_label="Inputs")
    return [
        h.input(type="hidden", name="inputs", data_collected=_ROOT, value=json.dumps(inputs)),
        editor,
    ]


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInvocation(
            f"'{text[:40]}' is not a number of seconds", hint="Enter seconds, such as 300."
        ) from None


def _place(path: str) -> str:
    """Return the form's path for a fault: at an input, or at a member of the subscription
    itself.
    """
    inner = path.removeprefix("/inputs")
    return inner if path.startswith("/inputs") else f"/{_OWN}{path[1:]}"


def _find_trigger(request: PageRequest, name: str) -> tuple[Manifest, TriggerManifest]:
    key, _, trigger = name.partition("/")
    manifest = request.catalog.look(key)[1]
    found = None if manifest is None else manifest.triggers.get(trigger)
    if manifest is None or found is None:
        raise Problem(404, f"no connector has the trigger '{name[:80]}'")
    return manifest, found


def _choice(request: PageRequest, words: str) -> Markup:
    if words:
        rows = found_triggers(request.search, request.catalog, words)
        found = [
            (manifest, manifest.triggers[row.trigger])
            for row in rows
            for manifest in [request.catalog.find(row.connector)]
        ]
    else:
        found = [
            (manifest, trigger)
            for manifest in request.catalog.manifests()
            for trigger in manifest.triggers.values()
        ]
    if not found:
        return h.p(
            "No trigger matches." if words else "No installed connector has a trigger.",
            class_="empty",
        )
    return h.ul([_card(manifest, trigger) for manifest, trigger in found[:_CARDS]], class_="cards")


def _card(manifest: Manifest, trigger: TriggerManifest) -> Markup:
    link = h.a(
        f"{manifest.title}: {trigger.title}",
        href=f"/new-subscription?trigger={manifest.key}/{trigger.key}",
        class_="whole",
    )
    return h.li(
        h.h2(icon_of(manifest), link, badge(trigger.kind)),
        h.p(summary(trigger.description)),
        class_="card",
    )


def _form(
    request: PageRequest, manifest: Manifest, trigger: TriggerManifest, address: str
) -> Markup:
    name = text_field(
        "subscription-name",
        "Name",
        hint="Its events have it as their subject.",
        name="name",
        required=True,
        maxlength=100,
    )
    own: list[tuple[str, Node]] = [
        ("name", name),
        ("connection", _connections(request, manifest) if trigger.needs_connection else None),
    ]
    own += [(field, control) for field, control in _polling(trigger)]
    places = places_of(request, f"{manifest.key}/{trigger.key}", trigger)
    whole = form(
        request,
        "/subscriptions",
        h.input(type="hidden", name="trigger", value=f"{manifest.key}/{trigger.key}"),
        _placed(own),
        _own_inputs(f"{manifest.key}/{trigger.key}", trigger, {}),
        h.div(
            _placed(start_fields(request, places, address, request.query.get("then"))),
            id=STARTED,
            class_="stack",
        ),
        h.div(id="answered", aria_live="polite"),
        h.div(h.button("Add subscription", class_="primary"), class_="actions"),
        into="#answered",
        class_="card",
        novalidate=True,
        data_root=_ROOT,
    )
    setup = (
        card("Setup guide", guide(trigger.setup), class_="card beside-form")
        if trigger.setup
        else None
    )
    return h.div(whole, setup, class_="workbench")


def _placed(fields: Iterable[tuple[str, Node]]) -> list[Markup]:
    return [
        h.div(control, data_schemapath=f"{_ROOT}.{_OWN}{name.replace('/', '.')}")
        for name, control in fields
        if control is not None
    ]


def _polling(trigger: TriggerManifest, every: float | None = None) -> Iterator[tuple[str, Node]]:
    if not trigger.polls:
        return
    hint = f"Seconds between two polls, from {trigger.least:g}."
    yield (
        "every",
        text_field(
            "every",
            "Every",
            f"{every or trigger.every:g}",
            hint=hint,
            inputmode="decimal",
            maxlength=10,
        ),
    )
    if trigger.compares:
        return
    since = [
        "Leave it empty for what happens from now on; ",
        h.code("2d"),
        " tells the last two days, too.",
    ]
    yield "from", text_field("from", "From", hint=since, maxlength=40)


def _connections(request: PageRequest, manifest: Manifest) -> Node:
    rows = [
        row
        for row in request.connections.list(limit=_MOST).items
        if manifest.connection_type(row["type"]) is not None
    ]
    return connection_field(request, manifest.key, rows)


def _secret(made: dict[str, Any], address: str) -> Markup:
    return h.div(
        h.p("Added. Enter URL and secret at the provider now: the secret is not shown again."),
        code_block(made["url"], "The URL"),
        code_block(made["secret"], "The secret"),
        h.p(h.a("To the subscription", href=address)),
        class_="notice good",
        role="alert",
    )
