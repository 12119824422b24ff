"""Shared settings of all processes on a database: displayed to the operator, and changed, each in a
form with its current value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    at,
    card,
    field,
    form,
    h,
    json_text,
    notice,
    panel,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.database.setting_rows import (
    ALLOW_HOSTS,
    MCP_RULES,
    MCP_SERVERS,
    ROLES,
    SETTLE,
    SETTLE_RULES,
    SHARED,
    TWIN_RULES,
    TWINS,
)
from jackfield_store.management.shared_settings import SharedSettings

_CHOICES: Mapping[str, tuple[str, ...]] = {
    TWINS: TWIN_RULES,
    SETTLE: SETTLE_RULES,
    MCP_SERVERS: MCP_RULES,
}
"""Allowed values of settings with a fixed set of values."""
_MOST = 20_000
"""Maximum number of characters of a value."""


def shown(request: PageRequest) -> Response:
    """Serve ``GET /shared-settings``: each setting, with the form that changes it."""
    request.require_operator()
    rows = [
        (_setting_label(one), _valued(one), _changing(request, one))
        for one in _settings(request).list()
    ]
    listed = card("All processes", table("Shared settings", ("Setting", "Value", "Actions"), rows))
    lead = (
        "What all processes on this database have, unless one is started with a value of its own."
    )
    return page(request, "tenants", "Shared settings", overwritten(request), listed, lead=lead)


def _setting_label(one: Mapping[str, Any]) -> Node:
    about = str(one["description"])
    return [
        h.strong(SHARED[one["name"]].title),
        h.span(about[:1].upper() + about[1:], ".", class_="gist muted"),
    ]


def _valued(one: Mapping[str, Any]) -> Node:
    """Render the stored value, or the effective default, with its fault, or the processes that use
    another value.
    """
    default = SHARED[one["name"]].default
    value = one["value"] or h.span(f"{default}, by default" if default else "none", class_="muted")
    odd = one.get("problem") or one.get("differs")
    return [value, h.span(odd, class_="gist wrong") if odd else None]


def _changing(request: PageRequest, one: Mapping[str, Any]) -> Node:
    return panel(
        f"change-{one['name']}",
        "Change",
        f"Change: {SHARED[one['name']].title}",
        _form(request, one),
    )


def changed(request: PageRequest) -> Response:
    """Serve ``POST /shared-settings``: store a value, or remove the stored one. ``before`` is the
    value when the form was rendered; if it has changed since, nothing is changed.
    """
    request.require_operator()
    name, value, before = (
        request.form.get("setting", ""),
        request.form.get("value", "").strip(),
        request.form.get("before"),
    )
    if value:
        _settings(request).set(name, value, before)
    else:
        _settings(request).unset(name, before)
    return redirect(request, f"/shared-settings?done={'set' if value else 'unset'}&setting={name}")


def overwritten(request: PageRequest) -> Markup | None:
    """Render the values that the last change has overwritten; None if the page does not follow a
    change. A forged link can only select a setting's name.
    """
    name = request.query.get("setting", "")
    if request.query.get("done") not in ("set", "unset") or name not in SHARED:
        return None
    storage = request.server.storage
    log = Audit(storage.database, lambda: storage.vault, DEFAULT, request.server.clock)
    last = log.list(target=f"setting:{name}", limit=1)[0]
    about: Mapping[str, Any] = {} if not last else last[0].about.get("details") or {}
    before, after = (
        h.code(about[key]) if about.get(key) else "not set" for key in ("before", "after")
    )
    told = h.p(
        h.strong(SHARED[name].title),
        " was ",
        before,
        ", and is ",
        after,
        " now. Running processes take it within seconds.",
    )
    return notice(told, tone="good")


def _form(request: PageRequest, one: Mapping[str, Any]) -> Markup:
    name, value = str(one["name"]), str(one["value"] or "")
    since = (
        ["Stored ", at(one["changedAt"], request.now), ". "]
        if "changedAt" in one
        else "Not stored. "
    )
    hint = [
        since,
        "If empty, the stored value is removed",
        f"; {SHARED[name].default} holds then." if SHARED[name].default else ".",
    ]
    control, how = _control(name, value)
    return form(
        request,
        "/shared-settings",
        h.input(type="hidden", name="setting", value=name),
        h.input(type="hidden", name="before", value=value),
        field(
            f"value-{name}", "Value", control, [how, hint, " Commands call it ", h.code(name), "."]
        ),
        h.div(h.button("Store for all processes", class_="primary"), class_="actions"),
        h.div(id=f"outcome-{name}", aria_live="polite"),
        into=f"#outcome-{name}",
        class_="stack",
    )


def _control(name: str, value: str) -> tuple[Markup, Node]:
    """Return the control for a setting's value, and a hint at the value's form."""
    given = {"id": f"value-{name}", "name": "value", "aria_describedby": f"value-{name}-hint"}
    if name in _CHOICES:
        options = [("", "not set"), *((word, word) for word in _CHOICES[name])]
        return h.select(
            [h.option(text, value=word, selected=word == value) for word, text in options], **given
        ), None
    if name in (ALLOW_HOSTS, ROLES):
        text, how = (
            ("\n".join(value.split()), "One in each line. ")
            if name == ALLOW_HOSTS
            else (_indented(value), "As JSON. ")
        )
        return h.textarea(text, spellcheck="false", maxlength=_MOST, **given), how
    return h.input(
        type="text", value=value, autocomplete="off", spellcheck="false", maxlength=_MOST, **given
    ), None


def _indented(text: str) -> str:
    try:
        return json_text(json.loads(text)) if text else ""
    except ValueError:
        return text


def _settings(request: PageRequest) -> SharedSettings:
    return SharedSettings(request.server.storage, request.server.clock, request.identity.actor)
