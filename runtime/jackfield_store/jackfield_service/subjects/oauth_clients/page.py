"""Pages of OAuth clients, to which connections refer by name: registered, rotated and removed in
one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.connections.oauth_clients import SECRETS, VALUES
from jackfield.invocation import decode
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, codes
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    bar,
    card,
    check_field,
    done_notice,
    folded,
    form,
    h,
    heading,
    json_text,
    lines_field,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.resources import Cells, facts, find_one, listing, things
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.oauth_clients.subject import OAUTH_CLIENTS
from jackfield_store.access import DEFAULT
from jackfield_store.connections.connection_rows import PLACEHOLDER

_AT = "/oauth-clients"
_FIELDS = {
    "clientId": ("Client ID", "As the provider shows it."),
    "clientSecret": ("Client secret", "Stored encrypted, never shown."),
    "authorizationUrl": ("Authorization URL", "Where people approve."),
    "tokenUrl": ("Token URL", "Where the secret is sent."),
    "issuer": ("Issuer", "Of an OpenID provider, in place of the URLs."),
    "revocationUrl": ("Revocation URL", None),
    "deviceUrl": ("Device authorization URL", None),
}
"""Values with a field of their own, with its label and hint; the others are given as JSON."""
_FIRST = 4
_REST = VALUES - {*_FIELDS, "scopes"}
_DONE = {
    "created": "Registered. Connections name it as their OAuth client.",
    "changed": "Saved. Each process uses it from its next call on; approvals stay.",
    "removed": "OAuth client removed, with its secrets.",
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /oauth-clients``: the clients by name, the server's included; with ``?new=1`` the
    form of a new one.
    """
    clients = things(request, OAUTH_CLIENTS)
    if "new" in request.query:
        return page(request, "connections", "Register a client", _new(request))
    shown = listing(
        request,
        OAUTH_CLIENTS,
        clients,
        _AT,
        "OAuth clients",
        _cells(request),
        empty="No OAuth clients yet.",
    )
    serves = (
        "every workspace"
        if request.identity.workspace == DEFAULT
        else "this workspace, in place of the server's of the same name"
    )
    lead = (
        "Clients of authorization servers, registered once. One that is made here serves "
        f"{serves}. Its secret goes nowhere but to its own endpoints."
    )
    new = h.a("Register a client", href=f"{_AT}?new=1", class_="button primary")
    head = heading("OAuth clients", new, lead=lead)
    return page(
        request, "connections", "OAuth clients", done_notice(request, _DONE), shown, head=head
    )


def created(request: PageRequest) -> Response:
    """Serve ``POST /oauth-clients``."""
    name, values = (
        request.form.get("name", "").strip(),
        {key: item for key, item in _values(request).items() if item is not None},
    )
    made = things(request, OAUTH_CLIENTS).add(name, _hosts(request), values)
    return redirect(request, f"{_AT}/{made['name']}?done=created")


def shown(request: PageRequest) -> Response:
    """Serve ``GET /oauth-clients/{client}``: its values without secrets, and the form that changes
    them.
    """
    found = find_one(request, OAUTH_CLIENTS)
    about = facts(
        request,
        OAUTH_CLIENTS,
        found,
        _cells(request),
        *((name, _value(value)) for name, value in found["values"].items()),
    )
    example = json_text({"oauthClient": found["name"]})
    use = h.p(
        "A connection refers to it by the value ",
        h.code(example.replace("\n", " ").replace("  ", "")),
        ".",
        class_="muted",
    )
    own = None if found["inherited"] else [_edit(request, found), _removal(request, found)]
    head = heading(
        found["name"],
        badge("active" if not found["inherited"] else "inherited"),
        lead="OAuth client",
    )
    return page(
        request,
        "connections",
        str(found["name"]),
        done_notice(request, _DONE),
        card("OAuth client", about, use),
        own,
        head=head,
    )


def _cells(request: PageRequest) -> Cells:
    unseen, urls = h.span("not shown", class_="muted"), h.span("those of its URLs", class_="muted")
    return {
        "server": lambda item: codes(item["server"]) or (unseen if item["inherited"] else urls),
        "updatedAt": lambda item: (
            at(item["updatedAt"], request.now)
            if "updatedAt" in item
            else badge("damaged")
            if "problem" in item
            else unseen
        ),
    }


def _state(found: Mapping[str, Any]) -> Any:
    return (
        None
        if found["inherited"]
        else [found.get(member) for member in ("name", "version", "createdAt")]
    )


def _present_state(request: PageRequest) -> Any:
    return _state(find_one(request, OAUTH_CLIENTS))


@decides(_present_state)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /oauth-clients/{client}``: change values; an empty secret leaves the stored one
    unchanged.
    """
    found = find_one(request, OAUTH_CLIENTS)
    given, present = _values(request), found["values"]
    names = {*given, *present} - (SECRETS - {*given})
    values = {name: given.get(name) for name in names if given.get(name) != present.get(name)}
    things(request, OAUTH_CLIENTS).change(
        found["name"], {"server": _hosts(request), "values": values}
    )
    return redirect(request, f"{_AT}/{found['name']}?done=changed")


@decides(_present_state)
def removed(request: PageRequest) -> Response:
    """Serve ``POST /oauth-clients/{client}/removal``, which is refused while connections refer to
    it, unless ``force`` is ticked.
    """
    things(request, OAUTH_CLIENTS).remove(
        find_one(request, OAUTH_CLIENTS)["name"], force=request.form.get("force") == "on"
    )
    return redirect(request, f"{_AT}?done=removed")


def _value(value: Any) -> Node:
    if value == PLACEHOLDER:
        return h.span("stored", class_="muted")
    return (
        codes(value)
        if isinstance(value, list)
        else h.code(value if isinstance(value, str) else json_text(value))
    )


def _new(request: PageRequest) -> Markup:
    name = text_field(
        "name", "Name", hint="Connections refer to it by this name.", required=True, maxlength=100
    )
    button = h.div(h.button("Register", class_="primary"), class_="actions")
    return form(
        request,
        _AT,
        name,
        _fields({}, []),
        h.div(id="made", aria_live="polite"),
        button,
        into="#made",
        class_="card stack",
    )


def _edit(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    fields = _fields(found["values"], found["server"])
    button = bar(h.button("Save", class_="primary"))
    at_ = f"{_AT}/{found['name']}"
    return folded(
        "Change it",
        form(
            request,
            at_,
            fields,
            h.div(id="made", aria_live="polite"),
            button,
            into="#made",
            state=_state(found),
        ),
    )


def _removal(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    text = h.p(
        "Connections that refer to it cannot be used any more, and their approvals have ended. "
        "This cannot be undone."
    )
    force = check_field("force", "Although connections refer to it", on=False, asks=True)
    button = h.button(f"Remove {found['name']}", class_="danger")
    told = h.div(id="removing", aria_live="polite")
    return folded(
        "Remove",
        form(
            request,
            f"{_AT}/{found['name']}/removal",
            text,
            force,
            told,
            button,
            into="#removing",
            state=_state(found),
        ),
    )


def _fields(values: Mapping[str, Any], hosts: list[str]) -> list[Node]:
    drawn: list[Markup] = []
    for name, (title, hint) in _FIELDS.items():
        is_kept = values.get(name) == PLACEHOLDER
        shown: Any = (
            {"type": "password", "autocomplete": "new-password"}
            if name in SECRETS
            else {"maxlength": 2000}
        )
        note = "Stored; leave it empty to keep it." if is_kept else hint
        drawn.append(text_field(name, title, "" if is_kept else values.get(name), note, **shown))
    rest = {name: value for name, value in values.items() if name in _REST}
    scopes = lines_field(
        "scopes",
        "Scopes",
        values.get("scopes", ()),
        "One per line. Connections may ask for fewer.",
        rows=2,
    )
    server = lines_field(
        "server",
        "Further hosts",
        hosts,
        "One per line, such as *.example.com, beside those of the URLs.",
        rows=2,
    )
    known, masked = ["As JSON: ", ", ".join(sorted(_REST)), "."], " ".join(sorted(SECRETS))
    other = lines_field(
        "rest",
        "Further values",
        [json_text(rest)] if rest else (),
        known,
        rows=3,
        data_secrets=masked,
    )
    further = h.details(h.summary("More fields"), *drawn[_FIRST:], other, class_="further")
    return [*drawn[:_FIRST], scopes, server, further]


def _hosts(request: PageRequest) -> list[str]:
    return request.form.get("server", "").split()


def _values(request: PageRequest) -> dict[str, Any]:
    """Return the values of the form: None for an empty field, without an empty secret, which stays
    unchanged.

    :raises Problem: 400 if a JSON field is not valid JSON.
    """
    text = request.form.get("rest", "").strip()
    try:
        rest = decode(text) if text else {}
    except JackfieldError as error:
        raise Problem(400, f"the further values: {error.message}") from None
    if not isinstance(rest, dict):
        raise Problem(400, "the further values must be a JSON object")
    if unknown := sorted(rest.keys() - _REST):
        raise Problem(
            400, f"'{unknown[0][:80]}' is none of the further values: {', '.join(sorted(_REST))}"
        )
    given = {name: request.form.get(name, "").strip() or None for name in _FIELDS}
    kept = {
        name: value for name, value in given.items() if value is not None or name not in SECRETS
    }
    return {**rest, **kept, "scopes": request.form.get("scopes", "").split() or None}


PAGES: tuple[Page, ...] = (
    Page("/oauth-clients", listed),
    Page("/oauth-clients", created, "POST"),
    Page("/oauth-clients/{client}", shown),
    Page("/oauth-clients/{client}", changed, "POST"),
    Page("/oauth-clients/{client}/removal", removed, "POST"),
)
