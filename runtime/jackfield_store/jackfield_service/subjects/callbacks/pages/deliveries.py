"""Pages of deliveries: the deliveries of events to callbacks, the last request of each, and a
button to send it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.kernel.markup import Markup, Node, table
from jackfield.kernel.pointers import cut
from jackfield_service.shell.pages.layout.components import (
    at,
    card,
    choices,
    code_block,
    done_notice,
    final,
    form,
    h,
    json_text,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.resources import Cells, columns, facts, find_one, listing
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.subjects.callbacks.deliveries import STATES
from jackfield_service.subjects.callbacks.pages.homes import event_home
from jackfield_service.subjects.callbacks.subject import DELIVERIES

_URL = 40
"""Maximum number of characters of a callback's URL in the list of deliveries."""
_DONE = {
    "resent": "Sent again now, with a fresh count of attempts.",
    "all": (
        "All dead ones are sent again now, with a fresh count of attempts. Their status says "
        "what becomes of them."
    ),
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /deliveries``, and ``/platforms/{platform}/deliveries``: the newest first;
    ``callback`` and ``status`` filter them.
    """
    callback, status = request.query.get("callback") or None, request.query.get("status") or None
    links = [
        (title, _address(request, callback, state), state == status)
        for title, state in (("All", None), *((one.capitalize(), one) for one in STATES))
    ]
    deliveries, chosen = (
        event_home(request).deliveries(request),
        {"callback": callback, "status": status},
    )
    shown = listing(
        request,
        DELIVERIES,
        deliveries,
        _at(request),
        "Deliveries",
        _cells(request),
        empty="No deliveries.",
        chosen=chosen,
        actions=partial(_again, request),
    )
    lead = "An event's way to a callback. A dead one had ten attempts in three days."
    again = _all_again(request, callback) if status in (None, "dead") else None
    done = done_notice(request, _DONE)
    return page(
        request,
        event_home(request).section,
        "Deliveries",
        done,
        choices("Status", links),
        again,
        shown,
        lead=lead,
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /deliveries/{id}``: the delivery's attempts, newest first, and the request of the
    last one.
    """
    found = _find_delivery(request)
    event: Cells = {
        "type": lambda _: [h.code(found["type"]), " ", h.code(found["eventId"], class_="small")]
    }
    about = facts(request, DELIVERIES, found, {**_cells(request), **event})
    rows = [
        (
            at(one["at"], request.now),
            one.get("error", "taken"),
            one.get("status", "none"),
            f"{one['durationMs']:,.0f} ms",
            h.code(one["answer"], class_="small") if "answer" in one else "none",
        )
        for one in reversed(found.get("log", ()))
    ]
    attempts = table(
        "Attempts",
        ("When", "Outcome", "Answer", "Took", "Body of the answer"),
        rows,
        empty="Not attempted yet.",
    )
    return page(
        request,
        event_home(request).section,
        "Delivery",
        done_notice(request, _DONE),
        card("Delivery", about, h.div(_again(request, found), class_="actions")),
        card("Last attempts", attempts),
        card("Request of the last attempt", _request(found)),
    )


def _state(found: Mapping[str, Any]) -> Any:
    """Return the displayed state of a delivery: its destination, and its outcome."""
    return [found.get(member) for member in ("id", "url", "status", "attempts")]


@decides(lambda request: _state(_find_delivery(request)))
def resent(request: PageRequest) -> Response:
    """Serve ``POST /deliveries/{id}/resend``: send a delivery again, with its count of attempts
    reset.
    """
    found = _find_delivery(request)
    event_home(request).deliveries(request).resend(found["id"])
    return redirect(request, f"{_at(request)}/{found['id']}?done=resent")


def _at(request: PageRequest) -> str:
    return f"{event_home(request).base}/deliveries"


def _dead_state(request: PageRequest, callback: str | None) -> Any:
    """Return the callback and the number of dead deliveries to send again; None without dead
    deliveries.
    """
    count = event_home(request).deliveries(request).count_dead(callback)
    return [callback, count] if count else None


@decides(lambda request: _dead_state(request, request.form.get("callback") or None), _at)
def all_resent(request: PageRequest) -> Response:
    """Serve ``POST /deliveries/dead/resend``: send all dead deliveries again, or only deliveries to
    the form's ``callback``.
    """
    callback = request.form.get("callback") or None
    event_home(request).deliveries(request).resend_dead(callback)
    query = urlencode({**({"callback": callback} if callback else {}), "done": "all"})
    return redirect(request, f"{_at(request)}?{query}")


def last_deliveries(request: PageRequest, callback: str, limit: int) -> Markup:
    """Render the newest deliveries to a callback."""
    found, _ = event_home(request).deliveries(request).page(None, limit, callback=callback)
    rows = [item.to_json() for item in found]
    heads, shown = columns(
        request, DELIVERIES, _at(request), rows, _cells(request), partial(_again, request)
    )
    return table("Last deliveries", heads, shown, empty="Nothing was sent yet.")


def _cells(request: PageRequest) -> Cells:
    def event(item: Mapping[str, Any]) -> Node:
        of = [item["workspace"], " "] if "workspace" in item else None
        return [
            h.a(h.strong(item["type"]), href=f"{_at(request)}/{item['id']}"),
            h.span(of, item["eventId"], class_="gist"),
        ]

    return {
        "type": event,
        "url": lambda item: h.a(
            cut(item.get("url", item["callback"]).removeprefix("https://"), _URL),
            href=f"{event_home(request).base}/callbacks/{item['callback']}",
        ),
        "lastStatus": lambda item: str(
            item.get("lastError", item.get("lastStatus", "none"))
        ).partition(". ")[0],
        "nextAt": lambda item: at(item.get("nextAt", item.get("endedAt")), request.now),
        "workspace": lambda item: (
            h.a(item["workspace"], href=f"/tenants/{item['workspace']}")
            if "workspace" in item
            else None
        ),
    }


def _find_delivery(request: PageRequest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = find_one(request, DELIVERIES, home=event_home(request).home)
    return found


def _address(request: PageRequest, callback: str | None, status: str | None) -> str:
    query = {name: value for name, value in (("callback", callback), ("status", status)) if value}
    return f"{_at(request)}?{urlencode(query)}" if query else _at(request)


def _again(request: PageRequest, item: Mapping[str, Any]) -> Node:
    button = h.button(
        "Send again", class_="quiet", aria_label=f"Send again: {item['type']} {item['eventId']}"
    )
    return form(request, f"{_at(request)}/{item['id']}/resend", button, state=_state(item))


def _all_again(request: PageRequest, callback: str | None) -> Node:
    state = _dead_state(request, callback)
    if state is None:
        return None
    count = state[1]
    title = "Send 1 dead delivery again" if count == 1 else f"Send {count:,} dead deliveries again"
    told = (
        f"{'It is' if count == 1 else 'They are'} sent "
        f"now{' to this callback' if callback else ''}, with a fresh count of ten attempts. "
    )
    receivers = "Receivers tell by the ID of the event whether they have taken it before."
    field = h.input(type="hidden", name="callback", value=callback or "")
    return final(
        request, f"{_at(request)}/dead/resend", title, told + receivers, field, state=state
    )


def _request(found: Mapping[str, Any]) -> Node:
    if "request" not in found:
        return h.p(
            "Its event or its callback is not kept any more."
            if "log" in found
            else "There is none yet."
        )
    head = "\n".join(
        [
            f"POST {found.get('url')}",
            *(f"{name}: {value}" for name, value in found["request"]["headers"].items()),
        ]
    )
    note = (
        "Made again from the event and from the callback as it is now; the signature is left out."
    )
    return [
        code_block(f"{head}\n\n{json_text(found['request']['body'])}", "The request"),
        h.p(note, class_="small"),
    ]
