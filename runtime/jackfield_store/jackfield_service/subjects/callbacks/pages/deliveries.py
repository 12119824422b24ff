"""Pages of deliveries: each event's way to a callback, the request that was sent, and a button to send it again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Node, table, terms
from jackfield_service.shell.pages.layout.components import at, badge, card, choices, code_block, done_notice, final, form, h, json_text
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.callbacks.deliveries import STATES, Delivery
from jackfield_service.subjects.callbacks.pages.homes import event_home

_PAGE = 50
_SORTS = Sorts(
    {"Event": "type", "Status": "status", "Callback": "url", "Attempts": "attempts", "Last answer": "lastStatus"}, names="id",
    value=lambda delivery, member: delivery.to_json().get(member),
)  # fmt: skip
_DONE = {
    "resent": "Sent again now, with a fresh count of attempts.",
    "all": "All dead ones are sent again now, with a fresh count of attempts. Their status says what becomes of them.",
}
COLUMNS = ("Event", "Status", "Attempts", "Last answer", "Next or ended", "Actions")


def listed(request: PageRequest) -> Response:
    """``GET /deliveries``, and ``/platforms/{platform}/deliveries``: the newest first; ``callback`` and ``status`` limit them."""
    callback, status = request.query.get("callback") or None, request.query.get("status") or None
    page_of = event_home(request).deliveries(request).page
    found = _SORTS.read(request, lambda cursor, limit: page_of(cursor, limit, callback=callback, status=status), _PAGE)
    links = [
        (title, _address(request, callback, state), state == status)
        for title, state in (("All", None), *((one.capitalize(), one) for one in STATES))
    ]
    rows = [(name, _receiver(request, item), *rest) for item, (name, *rest) in ((item, delivery_row(request, item)) for item in found.rows)]
    columns = (COLUMNS[0], "Callback", *COLUMNS[1:])
    shown = found.table(_at(request), "Deliveries", columns, rows, empty="No deliveries.", kept={"callback": callback, "status": status})
    lead = "An event's way to a callback. A dead one had ten attempts in three days."
    again = _all_again(request, callback) if status in (None, "dead") else None
    done = done_notice(request, _DONE)
    return page(request, event_home(request).section, "Deliveries", done, choices("Status", links), again, shown, lead=lead)


def shown(request: PageRequest) -> Response:
    """``GET /deliveries/{id}``: its attempts, newest first, and the request of the last one."""
    found = _find_delivery(request)
    about: list[tuple[str, Node]] = [
        ("Status", badge(found.state)), ("Event", [h.code(found.type), " ", h.code(found.event, class_="small")]),
        ("Workspace", h.a(found.workspace, href=f"/tenants/{found.workspace}") if found.workspace else None),
        ("Callback", _receiver(request, found)), ("Attempts", found.attempts),
        ("Next attempt", at(found.next_at, request.now) if found.next_at is not None else None),
        ("Ended", at(found.ended_at, request.now) if found.ended_at is not None else None),
    ]  # fmt: skip
    rows = [
        (
            at(one["at"], request.now), one.get("error", "taken"), one.get("status", "none"),
            f"{one['durationMs']:,.0f} ms", h.code(one["answer"], class_="small") if "answer" in one else "none",
        )
        for one in reversed(found.log)
    ]  # fmt: skip
    attempts = table("Attempts", ("When", "Outcome", "Answer", "Took", "Body of the answer"), rows, empty="Not attempted yet.")
    return page(
        request,
        event_home(request).section,
        "Delivery",
        done_notice(request, _DONE),
        card("Delivery", terms(about), h.div(_again(request, found), class_="actions")),
        card("Last attempts", attempts),
        card("Request of the last attempt", _request(found)),
    )


def _state(found: Delivery) -> Any:
    """Return what is shown of a delivery: where it goes, and what became of it."""
    return [found.id, found.url, found.state, found.attempts]


@decides(lambda request: _state(_find_delivery(request)))
def resent(request: PageRequest) -> Response:
    """``POST /deliveries/{id}/resend``: send it again, with a fresh count of attempts."""
    found = _find_delivery(request)
    event_home(request).deliveries(request).resend(found.id)
    return redirect(request, f"{_at(request)}/{found.id}?done=resent")


def _at(request: PageRequest) -> str:
    return f"{event_home(request).base}/deliveries"


def _dead_state(request: PageRequest, callback: str | None) -> Any:
    """Return what all is that would be sent again; None if nothing is."""
    count = event_home(request).deliveries(request).count_dead(callback)
    return [callback, count] if count else None


@decides(lambda request: _dead_state(request, request.form.get("callback") or None), _at)
def all_resent(request: PageRequest) -> Response:
    """``POST /deliveries/dead/resend``: send all dead ones again, or those to the form's ``callback``."""
    callback = request.form.get("callback") or None
    event_home(request).deliveries(request).resend_dead(callback)
    query = urlencode({**({"callback": callback} if callback else {}), "done": "all"})
    return redirect(request, f"{_at(request)}?{query}")


def delivery_row(request: PageRequest, item: Delivery) -> tuple[Node, ...]:
    """Render a delivery as a row with ``COLUMNS``."""
    last = item.log[-1] if item.log else {}
    moment = item.next_at if item.next_at is not None else item.ended_at
    name = h.a(
        h.strong(item.type),
        h.br(),
        h.code(item.event, class_="small"),
        [" ", item.workspace] if item.workspace else None,
        href=f"{_at(request)}/{item.id}",
    )
    return (
        name,
        badge(item.state),
        item.attempts,
        last.get("error", last.get("status", "none")),
        at(moment, request.now),
        _again(request, item),
    )


def _receiver(request: PageRequest, item: Delivery) -> Node:
    return h.a(item.url or item.callback, href=f"{event_home(request).base}/callbacks/{item.callback}")


def _find_delivery(request: PageRequest) -> Delivery:
    try:
        return event_home(request).deliveries(request).find(request.path("id"))
    except JackfieldError as error:
        raise Problem(404, error.message) from None


def _address(request: PageRequest, callback: str | None, status: str | None) -> str:
    query = {name: value for name, value in (("callback", callback), ("status", status)) if value}
    return f"{_at(request)}?{urlencode(query)}" if query else _at(request)


def _again(request: PageRequest, item: Delivery) -> Node:
    button = h.button("Send again", class_="quiet", aria_label=f"Send again: {item.type} {item.event}")
    return form(request, f"{_at(request)}/{item.id}/resend", button, state=_state(item))


def _all_again(request: PageRequest, callback: str | None) -> Node:
    """Render the step that sends all dead ones again; None where there are none."""
    state = _dead_state(request, callback)
    if state is None:
        return None
    count = state[1]
    title = "Send 1 dead delivery again" if count == 1 else f"Send {count:,} dead deliveries again"
    told = (
        f"{'It is' if count == 1 else 'They are'} sent now{' to this callback' if callback else ''}, with a fresh count of ten attempts. "
    )
    receivers = "Receivers tell by the ID of the event whether they have taken it before."
    field = h.input(type="hidden", name="callback", value=callback or "")
    return final(request, f"{_at(request)}/dead/resend", title, told + receivers, field, state=state)


def _request(found: Delivery) -> Node:
    if found.request is None:
        return h.p("There is none yet." if not found.log else "Its event or its callback is not kept any more.")
    head = "\n".join([f"POST {found.url}", *(f"{name}: {value}" for name, value in found.request["headers"].items())])
    note = "Made again from the event and from the callback as it is now; the signature is left out."
    return [code_block(f"{head}\n\n{json_text(found.request['body'])}", "The request"), h.p(note, class_="small")]
