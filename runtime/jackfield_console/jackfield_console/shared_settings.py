"""Settings that all processes on a database share: shown to the operator, and changed."""

from __future__ import annotations

from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, table
from jackfield_console.layout.components import card, choice_field, fault, folded, form, h, text_field
from jackfield_console.layout.page_request import PageRequest
from jackfield_console.layout.shell import outcome, redirect
from jackfield_store.management.shared_settings import SharedSettings


def shared_card(request: PageRequest) -> Markup:
    """Render the settings, and the form that changes one."""
    settings = _settings(request).list()
    rows = [
        (h.code(one["name"]), one["value"] or "not set", one.get("problem") or one.get("differs") or "no process", one["description"])
        for one in settings
    ]
    change = form(
        request,
        "/tenants/settings",
        choice_field("setting", "Setting", [(str(one["name"]), f"{one['name']}: {one['description']}") for one in settings], ""),
        text_field("value", "Value", hint="In the form that the table shows. If empty, the stored value is removed.", maxlength=20_000),
        h.div(h.button("Store for all processes", class_="primary"), class_="actions"),
        h.div(id="setting-outcome", aria_live="polite"),
        into="#setting-outcome",
        class_="stack",
    )
    lead = h.p("What all processes on this database share.", class_="muted")
    shown = table("Shared settings", ("Setting", "Value", "Who differs", "Meaning"), rows, empty="")
    return card("Shared settings", lead, shown, folded("Change a setting", change))


def changed(request: PageRequest) -> Response:
    """``POST /tenants/settings``: store a value, or remove the stored one."""
    request.require_operator()
    name, value = request.form.get("setting", ""), request.form.get("value", "").strip()
    try:
        if value:
            _settings(request).set(name, value)
        else:
            _settings(request).unset(name)
    except JackfieldError as error:
        return outcome(request, "tenants", "Shared settings", fault(error), status=error.http_status)
    return redirect(request, f"/tenants?done={'set' if value else 'unset'}")


def _settings(request: PageRequest) -> SharedSettings:
    return SharedSettings(request.server.storage, request.server.clock, request.identity.actor)
