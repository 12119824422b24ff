"""Pages of callbacks: the URLs, the outcomes of the last deliveries, and buttons to test, pause,
rotate and recover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.markup import Markup, Node, codes
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    bar,
    card,
    code_block,
    done_notice,
    folded,
    form,
    h,
    heading,
    json_text,
    notice,
    panel,
    removal,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.resources import Cells, facts, find_one, listing
from jackfield_service.shell.pages.layout.shell import outcome, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.callbacks.callbacks import Created
from jackfield_service.subjects.callbacks.pages.deliveries import last_deliveries
from jackfield_service.subjects.callbacks.pages.form import fields, read
from jackfield_service.subjects.callbacks.pages.homes import event_home
from jackfield_service.subjects.callbacks.subject import CALLBACKS

Found = Mapping[str, Any]
"""A callback as a document."""
_LAST = 10
_DONE = {
    "paused": "Paused: nothing is sent until it is resumed. Its events are kept.",
    "resumed": "Resumed: what has waited is sent now.",
    "recovered": "What was not delivered since then is sent again.",
    "changed": "Saved. It goes on where it was, with the same secret.",
    "removed": "Callback removed, with its deliveries.",
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /callbacks``, and ``/platforms/{platform}/callbacks``: the oldest first, with a
    button that opens the form for a new one.
    """
    home = event_home(request)
    lead = f"URLs of your own systems, to which the events of {home.whose} are sent."
    sent = f"{home.base}/deliveries"
    head = heading(
        "Callbacks", h.a("Deliveries", href=sent, class_="button"), _new(request), lead=lead
    )
    return page(
        request, home.section, "Callbacks", done_notice(request, _DONE), _list(request), head=head
    )


def created(request: PageRequest) -> Response:
    """Serve ``POST /callbacks``: create a callback; only this response contains its secret."""
    made = event_home(request).callbacks(request).create(read(request.form))
    told = _secret(request, made, "The receiver verifies each request with it.")
    return outcome(
        request,
        event_home(request).section,
        "Callbacks",
        told,
        _list(request, again=True) if request.partial else None,
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /callbacks/{id}``: the callback's settings, its last deliveries, and its
    buttons.
    """
    found = _find_callback(request)
    about = facts(request, CALLBACKS, found, {**_CELLS, "status": lambda _: found.get("reason")})
    every, title = (
        f"{event_home(request).base}/deliveries?callback={found['id']}",
        found.get("description") or "Callback",
    )
    return page(
        request,
        event_home(request).section,
        title,
        done_notice(request, _DONE),
        h.section(
            about, h.div(id="outcome", aria_live="polite"), class_="card", aria_label="Callback"
        ),
        card(
            "Last deliveries",
            last_deliveries(request, found["id"], _LAST),
            h.p(h.a("All", href=every), " · ", h.a("Dead ones", href=f"{every}&status=dead")),
        ),
        folded("Change", _change(request, found)),
        card("Catch up", _recovery(request, found)),
        head=heading(title, badge(_state(found)), _buttons(request, found)),
    )


def _shown_state(found: Found) -> Any:
    """Return the displayed state of a callback, except the outcomes of its deliveries."""
    changing = ("reason", "failingSince", "updatedAt")
    return {name: value for name, value in found.items() if name not in changing}


def _present_state(request: PageRequest) -> Any:
    if request.path("step") not in _STEPS:
        raise Problem(404, "no such page")
    return _shown_state(_find_callback(request))


@decides(_present_state)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /callbacks/{id}/{step}``: pause, resume, test, change or remove a callback,
    rotate its secret, or send missed events.
    """
    return _STEPS[request.path("step")](request, _find_callback(request))


def _list(request: PageRequest, *, again: bool = False) -> Markup:
    shown = listing(
        request,
        CALLBACKS,
        event_home(request).callbacks(request),
        _at(request),
        "Callbacks",
        {
            **_CELLS,
            "description": partial(_name, request),
            "failingSince": partial(_since, request),
        },
        empty="No callbacks yet. Select “New callback” to name a URL, and what it is told about.",
        row=lambda item: {**item.to_json(), "status": _state(item.to_json())},
    )
    return h.div(shown, id="list", hx_swap_oob="true" if again else None)


def _paused(request: PageRequest, found: Found) -> Response:
    event_home(request).callbacks(request).change(found["id"], {"status": "paused"})
    return redirect(request, f"{_at(request)}/{found['id']}?done=paused")


def _resumed(request: PageRequest, found: Found) -> Response:
    event_home(request).callbacks(request).change(found["id"], {"status": "active"})
    return redirect(request, f"{_at(request)}/{found['id']}?done=resumed")


def _removed(request: PageRequest, found: Found) -> Response:
    event_home(request).callbacks(request).remove(found["id"])
    return redirect(request, f"{_at(request)}?done=removed")


def _recovered(request: PageRequest, found: Found) -> Response:
    since = moment(request.form.get("since", "").strip(), request.now, -1, "the time")
    event_home(request).deliveries(request).recover(found["id"], since)
    return redirect(request, f"{_at(request)}/{found['id']}?done=recovered")


def _tested(request: PageRequest, found: Found) -> Response:
    attempt = event_home(request).callbacks(request).test(found["id"])
    told = (
        f"It answered {attempt.status} after {attempt.seconds * 1000:.0f} ms."
        if attempt.succeeded
        else f"Not taken: {attempt.error}."
    )
    answer = code_block(attempt.answer, "The answer") if attempt.answer else None
    return outcome(
        request,
        event_home(request).section,
        "Test event",
        notice(h.p(told), answer, tone="good" if attempt.succeeded else "bad"),
    )


def _rotated(request: PageRequest, found: Found) -> Response:
    made, until = event_home(request).callbacks(request).rotate(found["id"])
    return outcome(
        request,
        event_home(request).section,
        "New secret",
        _secret(request, made, f"The one before signs beside it until {until}."),
    )


def _changed(request: PageRequest, found: Found) -> Response:
    event_home(request).callbacks(request).change(found["id"], read(request.form))
    return redirect(request, f"{_at(request)}/{found['id']}?done=changed")


_STEPS: Mapping[str, Callable[[PageRequest, Found], Response]] = {
    "pause": _paused,
    "resume": _resumed,
    "test": _tested,
    "rotation": _rotated,
    "recovery": _recovered,
    "removal": _removed,
    "change": _changed,
}


def _at(request: PageRequest) -> str:
    return f"{event_home(request).base}/callbacks"


def _find_callback(request: PageRequest) -> Found:
    found: Found = find_one(request, CALLBACKS, home=event_home(request).home)
    return found


def _new(request: PageRequest) -> list[Node]:
    button = h.div(h.button("Create callback", class_="primary"), class_="actions")
    create = form(request, _at(request), fields(), button, into="#made")
    return panel(
        "new-callback",
        "New callback",
        "New callback",
        create,
        h.div(id="made", aria_live="polite"),
        tone="primary",
    )


def _secret(request: PageRequest, made: Created, further: str) -> Node:
    (value,) = made.shown().values()
    once = (
        "Copy the secret now and store it with the receiver. It is not shown again."
        if "secret" in made.shown()
        else "The public key:"
    )
    back = h.p(h.a("To the callback", href=f"{_at(request)}/{made.callback.id}"))
    return h.div(
        h.p(once, " ", further),
        code_block(value, "The new secret"),
        back,
        class_="notice good",
        role="alert",
    )


def _buttons(request: PageRequest, found: Found) -> Node:
    toggle = ("resume", "Resume") if found["status"] == "paused" else ("pause", "Pause")
    address, state = f"{_at(request)}/{found['id']}", _shown_state(found)
    shown = [
        form(request, f"{address}/{toggle[0]}", h.button(toggle[1], class_="quiet"), state=state)
    ]
    shown += [
        form(
            request,
            f"{address}/{step}",
            h.button(title, class_="quiet"),
            into="#outcome",
            state=state,
        )
        for step, title in (("test", "Send a test event"), ("rotation", "Rotate the secret"))
    ]
    told = (
        "Nothing more is sent there. Its deliveries and its secret are deleted; a new "
        "callback has another secret."
    )
    return h.div(
        shown,
        removal(request, f"{address}/removal", "callback", told, state=state),
        class_="actions",
    )


def _change(request: PageRequest, found: Found) -> Node:
    button = bar(h.button("Save", class_="primary"))
    place, address = h.div(id="changed", aria_live="polite"), f"{_at(request)}/{found['id']}/change"
    return form(
        request, address, fields(found), place, button, into="#changed", state=_shown_state(found)
    )


def _recovery(request: PageRequest, found: Found) -> Node:
    hint = [
        "Sends all events since then that were not delivered. A span such as ",
        h.code("2d"),
        ", or a date.",
    ]
    field = text_field("since", "Since", "2d", hint=hint, maxlength=40)
    button = h.div(h.button("Send again", class_="quiet"), class_="actions")
    return form(
        request, f"{_at(request)}/{found['id']}/recovery", field, button, state=_shown_state(found)
    )


def _name(request: PageRequest, item: Found) -> Node:
    return h.a(h.strong(item["description"] or item["url"]), href=f"{_at(request)}/{item['id']}")


def _since(request: PageRequest, item: Found) -> Node:
    return at(item["failingSince"], request.now) if "failingSince" in item else None


def _state(item: Found) -> str:
    return (
        "failing" if item["status"] == "active" and "failingSince" in item else str(item["status"])
    )


_CELLS: Cells = {
    "url": lambda item: h.code(item["url"], class_="small"),
    "types": lambda item: codes(item["types"]) or "all but audit.*",
    "signing": lambda item: item["signing"],
    "description": lambda _: None,
    "filter": lambda item: h.code(json_text(item["filter"])) if "filter" in item else None,
    "thin": lambda item: (
        "left out"
        if item["thin"]
        else "with the output of invocations"
        if item["include"]
        else "in each request"
    ),
}
