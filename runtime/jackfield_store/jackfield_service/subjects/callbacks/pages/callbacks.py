"""Pages of callbacks: where events are sent, what became of the last ones, and buttons to try, pause, rotate and catch up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from jackfield.kernel.clock import moment
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, codes, table, terms
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    code_block,
    done_notice,
    final,
    folded,
    form,
    h,
    json_text,
    notice,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import outcome, page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.callbacks.callback import Callback
from jackfield_service.subjects.callbacks.callbacks import Created
from jackfield_service.subjects.callbacks.pages.deliveries import COLUMNS, delivery_row
from jackfield_service.subjects.callbacks.pages.form import fields, read
from jackfield_service.subjects.callbacks.pages.homes import event_home

_PAGE = 50
_LAST = 10
_SORTS = Sorts(
    {"Callback": "description", "Status": "status", "URL": "url", "Failing since": "failingSince"}, names="id",
    value=lambda callback, member: _state(callback) if member == "status" else callback.to_json().get(member),
)  # fmt: skip
_DONE = {
    "paused": "Paused: nothing is sent until it is resumed. Its events are kept.",
    "resumed": "Resumed: what has waited is sent now.",
    "recovered": "What was not delivered since then is sent again.",
    "changed": "Saved. It goes on where it was, with the same secret.",
    "removed": "Callback removed, with its deliveries.",
}


def listed(request: PageRequest) -> Response:
    """``GET /callbacks``, and ``/platforms/{platform}/callbacks``: the oldest first, and a form for a new one."""
    home = event_home(request)
    lead = f"URLs of your own systems, to which the events of {home.whose} are sent."
    done = done_notice(request, _DONE)
    return page(request, home.section, "Callbacks", done, _list(request), _new(request), lead=lead)


def created(request: PageRequest) -> Response:
    """``POST /callbacks``: create one; only this response contains its secret."""
    made = event_home(request).callbacks(request).create(read(request.form))
    told = _secret(request, made, "The receiver verifies each request with it.")
    return outcome(request, event_home(request).section, "Callbacks", told, _list(request, again=True) if request.partial else None)


def shown(request: PageRequest) -> Response:
    """``GET /callbacks/{id}``: its settings, its last deliveries, and what can be done with it."""
    found = _find_callback(request)
    deliveries, _ = event_home(request).deliveries(request).page(callback=found.id, limit=_LAST)
    options = found.options
    about: list[tuple[str, Node]] = [
        ("Status", [badge(_state(found)), " ", found.reason]), ("URL", h.code(found.url)), ("Types", _types(found)),
        ("Filter", h.code(json_text(dict(options.filter))) if options.filter else None), ("Signed with", options.signing),
        ("Data", "left out" if options.thin else "with the output of invocations" if options.include else "in each request"),
        ("Failing since", _since(request, found)), ("Created", at(found.created_at, request.now)),
    ]  # fmt: skip
    sent = f"{event_home(request).base}/deliveries"
    every, dead = f"{sent}?callback={found.id}", f"{sent}?callback={found.id}&status=dead"
    rows = [delivery_row(request, item) for item in deliveries]
    return page(
        request,
        event_home(request).section,
        options.description or "Callback",
        done_notice(request, _DONE),
        card("Callback", terms(about), _buttons(request, found), h.div(id="outcome", aria_live="polite")),
        card(
            "Last deliveries",
            table("Last deliveries", COLUMNS, rows, empty="Nothing was sent yet."),
            h.p(h.a("All", href=every), " · ", h.a("Dead ones", href=dead)),
        ),
        folded("Change", _change(request, found)),
        card("Catch up", _recovery(request, found)),
    )


def _shown_state(found: Callback) -> Any:
    """Return what is shown of a callback but for how its deliveries fare."""
    return [found.id, found.url, found.options.to_json(), found.status]


def _present_state(request: PageRequest) -> Any:
    if request.path("step") not in _STEPS:
        raise Problem(404, "no such page")
    return _shown_state(_find_callback(request))


@decides(_present_state)
def changed(request: PageRequest) -> Response:
    """``POST /callbacks/{id}/{step}``: pause, resume, try, rotate, catch up or remove it."""
    return _STEPS[request.path("step")](request, _find_callback(request))


def _list(request: PageRequest, *, again: bool = False) -> Markup:
    """Render the list of callbacks; ``again`` replaces the one on the page."""
    page_of = event_home(request).callbacks(request).page
    found = _SORTS.read(request, lambda cursor, limit: page_of(cursor=cursor, limit=limit), _PAGE)
    rows = [
        (
            h.a(h.strong(item.options.description or item.url), href=f"{_at(request)}/{item.id}"), badge(_state(item)), _types(item),
            h.code(item.url, class_="small"), _since(request, item),
        )
        for item in found.rows
    ]  # fmt: skip
    shown = found.table(_at(request), "Callbacks", ("Callback", "Status", "Types", "URL", "Failing since"), rows, empty="No callbacks yet.")
    sent = f"{event_home(request).base}/deliveries"
    links = h.p(h.a("Dead deliveries", href=f"{sent}?status=dead"), " · ", h.a("All deliveries", href=sent))
    return h.div(card("Callbacks", shown, links), id="list", hx_swap_oob="true" if again else None)


def _paused(request: PageRequest, found: Callback) -> Response:
    event_home(request).callbacks(request).change(found.id, {"status": "paused"})
    return redirect(request, f"{_at(request)}/{found.id}?done=paused")


def _resumed(request: PageRequest, found: Callback) -> Response:
    event_home(request).callbacks(request).change(found.id, {"status": "active"})
    return redirect(request, f"{_at(request)}/{found.id}?done=resumed")


def _removed(request: PageRequest, found: Callback) -> Response:
    event_home(request).callbacks(request).remove(found.id)
    return redirect(request, f"{_at(request)}?done=removed")


def _recovered(request: PageRequest, found: Callback) -> Response:
    since = moment(request.form.get("since", "").strip(), request.now, -1, "the time")
    event_home(request).deliveries(request).recover(found.id, since)
    return redirect(request, f"{_at(request)}/{found.id}?done=recovered")


def _tested(request: PageRequest, found: Callback) -> Response:
    attempt = event_home(request).callbacks(request).test(found.id)
    told = f"It answered {attempt.status} after {attempt.seconds * 1000:.0f} ms." if attempt.succeeded else f"Not taken: {attempt.error}."
    answer = code_block(attempt.answer, "The answer") if attempt.answer else None
    return outcome(
        request, event_home(request).section, "Test event", notice(h.p(told), answer, tone="good" if attempt.succeeded else "bad")
    )


def _rotated(request: PageRequest, found: Callback) -> Response:
    made, until = event_home(request).callbacks(request).rotate(found.id)
    return outcome(
        request, event_home(request).section, "New secret", _secret(request, made, f"The one before signs beside it until {until}.")
    )


def _changed(request: PageRequest, found: Callback) -> Response:
    event_home(request).callbacks(request).change(found.id, read(request.form))
    return redirect(request, f"{_at(request)}/{found.id}?done=changed")


_STEPS: Mapping[str, Callable[[PageRequest, Callback], Response]] = {
    "pause": _paused, "resume": _resumed, "test": _tested, "rotation": _rotated, "recovery": _recovered, "removal": _removed, "change": _changed,
}  # fmt: skip


def _at(request: PageRequest) -> str:
    return f"{event_home(request).base}/callbacks"


def _find_callback(request: PageRequest) -> Callback:
    try:
        return event_home(request).callbacks(request).find(request.path("id"))
    except JackfieldError as error:
        raise Problem(404, error.message) from None


def _new(request: PageRequest) -> Node:
    button = h.div(h.button("Create callback", class_="primary"), class_="actions")
    create = form(request, _at(request), fields(), button, into="#made")
    return card("New callback", create, h.div(id="made", aria_live="polite"))


def _secret(request: PageRequest, made: Created, further: str) -> Node:
    (value,) = made.shown().values()
    once = "Copy the secret now and store it with the receiver. It is not shown again." if "secret" in made.shown() else "The public key:"
    back = h.p(h.a("To the callback", href=f"{_at(request)}/{made.callback.id}"))
    return h.div(h.p(once, " ", further), code_block(value, "The new secret", short=True), back, class_="notice good", role="alert")


def _buttons(request: PageRequest, found: Callback) -> Node:
    toggle = ("resume", "Resume") if found.status == "paused" else ("pause", "Pause")
    address, state = f"{_at(request)}/{found.id}", _shown_state(found)
    shown = [form(request, f"{address}/{toggle[0]}", h.button(toggle[1], class_="quiet"), state=state)]
    shown += [
        form(request, f"{address}/{step}", h.button(title, class_="quiet"), into="#outcome", state=state)
        for step, title in (("test", "Send a test event"), ("rotation", "Rotate the secret"))
    ]
    told = "Nothing more is sent there. Its deliveries and its secret are deleted; a new callback has another secret."
    return h.div(shown, final(request, f"{address}/removal", "Remove", told, state=state), class_="actions")


def _change(request: PageRequest, found: Callback) -> Node:
    """Render the form that changes where events are sent, and which: secret and position stay."""
    button = h.div(h.button("Save", class_="primary"), class_="actions")
    place, address = h.div(id="changed", aria_live="polite"), f"{_at(request)}/{found.id}/change"
    return form(request, address, fields(found.url, found.options), button, place, into="#changed", state=_shown_state(found))


def _recovery(request: PageRequest, found: Callback) -> Node:
    hint = ["Sends all events since then that were not delivered. A span such as ", h.code("2d"), ", or a date."]
    field = text_field("since", "Since", "2d", hint=hint, maxlength=40)
    button = h.div(h.button("Send again", class_="quiet"), class_="actions")
    return form(request, f"{_at(request)}/{found.id}/recovery", field, button, state=_shown_state(found))


def _state(item: Callback) -> str:
    return "failing" if item.status == "active" and item.failing_since is not None else item.status


def _types(item: Callback) -> Node:
    return codes(item.options.types) or "all but audit.*"


def _since(request: PageRequest, item: Callback) -> Node:
    return at(item.failing_since, request.now)
