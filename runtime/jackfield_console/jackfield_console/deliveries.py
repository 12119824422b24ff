"""Pages of deliveries: each event's way to a callback, the request that was sent, and a button to send it again."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.errors import JackfieldError
from jackfield.kernel.markup import Node, table, terms
from jackfield_console.components import at, badge, card, choices, code_block, done_notice, form, h, json_text, more
from jackfield_console.page_request import PageRequest
from jackfield_console.shell import page, redirect
from jackfield_platform.events.deliveries import STATES, Deliveries, Delivery
from jackfield_server.shared.callbacks import deliveries_of
from jackfield_server.shared.problem import Problem

_PAGE = 50
_DONE = {"resent": "Sent again now, with a fresh count of attempts."}
COLUMNS = ("Event", "Status", "Attempts", "Last answer", "Next or ended", "Actions")


def listed(request: PageRequest) -> Response:
    """``GET /deliveries``: the newest first; ``callback`` and ``status`` limit them."""
    callback, status = request.query.get("callback") or None, request.query.get("status") or None
    found, cursor = _deliveries(request).page(callback=callback, state=status, cursor=request.query.get("cursor") or None, limit=_PAGE)
    links = [
        (title, _address(callback, state), state == status)
        for title, state in (("All", None), *((one.capitalize(), one) for one in STATES))
    ]
    rows = [(name, _receiver(item), *rest) for item, (name, *rest) in ((item, delivery_row(request, item)) for item in found)]
    shown = table("Deliveries", (COLUMNS[0], "Callback", *COLUMNS[1:]), rows, empty="No deliveries.")
    lead = [
        "An event's way to a callback. A dead one had ten attempts in three days; ",
        h.code("jackfield deliveries resend --dead"),
        " sends all again.",
    ]
    older = more("/deliveries", callback=callback, status=status, cursor=cursor)
    return page(request, "callbacks", "Deliveries", done_notice(request, _DONE), choices("Status", links), shown, older, lead=lead)


def shown(request: PageRequest) -> Response:
    """``GET /deliveries/{id}``: its attempts, newest first, and the request of the last one."""
    found = _found(request)
    about: list[tuple[str, Node]] = [
        ("Status", badge(found.state)), ("Event", [h.code(found.type), " ", h.code(found.event, class_="small")]),
        ("Callback", _receiver(found)), ("Attempts", found.attempts),
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
        "callbacks",
        "Delivery",
        done_notice(request, _DONE),
        card("Delivery", terms(about), h.div(_again(request, found), class_="actions")),
        card("Last attempts", attempts),
        card("Request of the last attempt", _request(found)),
    )


def resent(request: PageRequest) -> Response:
    """``POST /deliveries/{id}/resend``: send it again, with a fresh count of attempts."""
    found = _found(request)
    _deliveries(request).resend(found.id)
    return redirect(request, f"/deliveries/{found.id}?done=resent")


def delivery_row(request: PageRequest, item: Delivery) -> tuple[Node, ...]:
    """Render a delivery as a row with ``COLUMNS``."""
    last = item.log[-1] if item.log else {}
    moment = item.next_at if item.next_at is not None else item.ended_at
    name = h.a(h.strong(item.type), h.br(), h.code(item.event, class_="small"), href=f"/deliveries/{item.id}")
    return (
        name,
        badge(item.state),
        item.attempts,
        last.get("error", last.get("status", "none")),
        at(moment, request.now),
        _again(request, item),
    )


def _receiver(item: Delivery) -> Node:
    return h.a(item.url or item.callback, href=f"/callbacks/{item.callback}")


def _deliveries(request: PageRequest) -> Deliveries:
    request.require("manage")
    return deliveries_of(request.server, request.identity)


def _found(request: PageRequest) -> Delivery:
    try:
        return _deliveries(request).find(request.path("id"))
    except JackfieldError as error:
        raise Problem(404, error.message) from None


def _address(callback: str | None, status: str | None) -> str:
    query = {name: value for name, value in (("callback", callback), ("status", status)) if value}
    return f"/deliveries?{urlencode(query)}" if query else "/deliveries"


def _again(request: PageRequest, item: Delivery) -> Node:
    button = h.button("Send again", class_="quiet", aria_label=f"Send again: {item.type} {item.event}")
    return form(request, f"/deliveries/{item.id}/resend", button)


def _request(found: Delivery) -> Node:
    if found.request is None:
        return h.p("There is none yet." if not found.log else "Its event or its callback is not kept any more.")
    head = "\n".join([f"POST {found.url}", *(f"{name}: {value}" for name, value in found.request["headers"].items())])
    note = "Made again from the event and from the callback as it is now; the signature is left out."
    return [code_block(f"{head}\n\n{json_text(found.request['body'])}", "The request"), h.p(note, class_="small")]
