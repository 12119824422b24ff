"""Approval of a connection at its provider: in this browser, or on another device with a code.

The provider's answer reaches ``/oauth2/callback`` without the session's cookie, which is
SameSite=Strict. That page passes the answer on to ``ANSWERED``, where the cookie is present: only
the session that began an authorization can complete it (RFC 6749 §10.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, codes, terms
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    code_block,
    fault_of,
    form,
    h,
    notice,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, outcome, page, redirect
from jackfield_service.subjects.connections.pages.state import connection_state, present_connection
from jackfield_store.connections.authorizations import find_workspace, unknown
from jackfield_store.connections.client_registrations import CALLBACK

ANSWERED = "/connected"
_FIELDS = ("code", "state", "iss", "error", "error_description")
_EVERY = 3
"""Polling interval of the page, in seconds; the server polls the provider less often, at the
provider's own interval.
"""


def approval_card(
    request: PageRequest, row: Mapping[str, Any], flows: tuple[str, ...]
) -> Markup | None:
    """Render the state of a connection's approval, with the buttons to connect it; None for types
    without approvals.
    """
    state: Mapping[str, Any] | None = row.get("authorization")
    if state is None:
        return None
    status, is_refused = str(state["status"]), row.get("status") == "expired"
    is_over = status == "ended" or (status == "granted" and is_refused)
    word = (
        "must be reconnected"
        if is_over
        else {"none": "not connected", "granted": "connected"}[status]
    )
    top = h.div(h.h2("Approval"), badge(word), class_="row")
    return h.section(
        top,
        _state_text(state, is_refused=is_refused),
        _facts(request, state),
        _forms(request, row, flows, again=status != "none"),
        class_="card stack",
        id="approval",
    )


def _state_text(state: Mapping[str, Any], *, is_refused: bool) -> Node:
    """Return the text for an approval that cannot be used; ``is_refused`` means that the provider
    last refused its token, which it may have revoked.
    """
    if state["status"] == "none":
        return h.p(
            "Nobody has approved this connection at the provider yet. Until then, its "
            "invocations fail."
        )
    if state["status"] == "ended":
        return notice(
            h.p(f"The approval has ended: {state['reason']}."),
            h.p("What to do: connect it again."),
            tone="bad",
        )
    if is_refused:
        return notice(
            h.p("The provider refused the token of this approval."),
            h.p("What to do: connect it again."),
            tone="bad",
        )
    return None


def _facts(request: PageRequest, state: Mapping[str, Any]) -> Markup | None:
    if state["status"] == "none":
        return None
    scopes = codes(state["scopes"]) or "those that the provider grants by default"
    return terms(
        [
            ("Scopes", scopes),
            ("Approved", at(state["grantedAt"], request.now, whole=True)),
            ("Connected by", state["grantedBy"] or None),
            ("Tokens renewed", at(state["renewedAt"], request.now, whole=True)),
        ]
    )


def _forms(
    request: PageRequest, row: Mapping[str, Any], flows: tuple[str, ...], *, again: bool
) -> Node:
    if not request.may("manage"):
        return h.p("Connecting it requires the scope ", h.code("manage"), ".", class_="muted")
    words = {"redirect": "Connect again" if again else "Connect", "device": "Connect with a code"}
    buttons = [
        h.button(
            words[flow],
            name="flow",
            value=flow,
            class_="primary" if flow == "redirect" and not again else None,
        )
        for flow in flows
    ]
    address = f"/connections/{row['name']}/authorization"
    return form(
        request,
        address,
        h.p(
            "You approve at the provider, signed in with the account that the connection is to "
            "use.",
            class_="muted",
        ),
        h.div(buttons, class_="actions"),
        h.div(id="approving", aria_live="polite"),
        into="#approving",
        state=connection_state(request, row),
    )


@decides(present_connection)
def begun(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/authorization``: send the browser to the provider, or show a
    code for another device.
    """
    request.require("manage")
    name, authorizing = request.path("name"), request.connections.authorizing()
    if request.form.get("flow") == "device":
        return outcome(
            request, "connections", name, _device(request, name, authorizing.begin_device(name))
        )
    found = authorizing.begin(
        name, request.server.link(request.http, CALLBACK), return_to=ANSWERED, browser=request.csrf
    )
    url = found["url"]
    if request.partial:
        return fragment(headers={"HX-Redirect": url})
    link = h.a(
        "Continue to ", urlsplit(url).hostname, href=url, class_="button primary", rel="noreferrer"
    )
    return page(request, "connections", name, card("Approval", h.p(link)))


def answered(request: PageRequest) -> Response:
    """Serve ``GET /connected``: complete an authorization that this session began, with the
    provider's answer.
    """
    request.require("manage")
    given = {name: request.query[name] for name in _FIELDS if name in request.query}
    try:
        place = find_workspace(request.server.storage.database, given.get("state", ""))
        if place is None or place[0] != request.identity.workspace:
            raise unknown()
        found = request.connections.authorizing().complete(place[1], given, browser=request.csrf)
    except JackfieldError as error:
        failed = [fault_of(error.message, error.hint), h.p(h.a("Connections", href="/connections"))]
        return page(request, "connections", "Not connected", *failed, status=error.http_status)
    return redirect(request, f"/connections/{found.connection}?done=connected")


def polled(request: PageRequest) -> Response:
    """Serve ``GET /connections/{name}/authorization/{id}``: the state of an authorization on
    another device.
    """
    request.require("manage")
    found = request.connections.authorizing().poll(request.path("id"))
    name = str(found["connection"])
    if found["status"] == "granted":
        return redirect(request, f"/connections/{name}?done=connected")
    failed = found["status"] == "failed"
    content = (
        notice(f"Not connected: {found.get('reason')}. Connect again.", tone="bad")
        if failed
        else _awaited(name, str(found["id"]))
    )
    return outcome(request, "connections", name, content)


def _device(request: PageRequest, name: str, found: Mapping[str, Any]) -> Markup:
    shown = h.a(found["url"], href=found["url"], target="_blank", rel="noopener noreferrer")
    address = f"/connections/{name}/authorization/{found['id']}"
    return h.div(
        h.p("On any device, open ", shown, " and enter this code:"),
        code_block(str(found["userCode"]), "Code"),
        h.p("It expires ", at(found["expiresAt"], request.now), ".", class_="muted"),
        _awaited(name, str(found["id"])),
        h.p(h.a("Check now", href=address)) if not request.partial else None,
        class_="stack",
    )


def _awaited(name: str, identifier: str) -> Markup:
    address = f"/connections/{name}/authorization/{identifier}?live=1"
    return h.p(
        "Waiting for the approval.",
        hx_get=address,
        hx_trigger=f"every {_EVERY}s",
        hx_swap="outerHTML",
        hx_target="this",
    )
