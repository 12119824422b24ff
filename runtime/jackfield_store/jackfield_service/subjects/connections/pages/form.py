"""Forms that create and edit connections, with the setup guide of the type next to them; saving
tests the connection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from jackfield.connections.audience import AUDIENCES, audience_of
from jackfield.connections.connection_types import ConnectionKind
from jackfield.connections.provenance import Provenance
from jackfield.invocation import decode
from jackfield.kernel.errors import InvalidConnection, JackfieldError
from jackfield.kernel.hints import worded
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.components import (
    card,
    csrf_field,
    fault_of,
    guide,
    h,
    line,
    schema_editor,
    search,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.form_schema import form_schema
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connect.choice import free_name
from jackfield_service.subjects.connections.pages.state import present_connection
from jackfield_service.subjects.connectors.pages.connectors import icon_of
from jackfield_store.connections.connection_rows import secret_places

_REMOTE = Provenance("remote")
_NAMED = 10
"""Maximum number of connectors that a card names."""
_MOST = 1000
_CARDS = 60
"""Maximum number of connection types offered at once."""
_NAMES = 200
_NAME = "Letters, digits, dots, underscores and hyphens."


def shown(request: PageRequest) -> Response:
    """Serve ``GET /new-connection``: ``?type=`` selects a type, ``?connector=`` offers that
    connector's types, ``?inside=1`` is for a dialog.
    """
    request.require("manage")
    inside = "inside" in request.query
    kinds, wanted = request.connections.kinds, request.query.get("type")
    if wanted is None:
        words = request.query.get("q", "").strip()
        found = _choice(request, _matching(_fitting(request), words), inside=inside)
        if request.partial and not inside:
            return fragment(found)
        box = None if inside else search("/new-connection", "Search systems", words, live=True)
        content, title = (
            h.div(box, h.div(found, id="found", aria_live="polite"), class_="stack"),
            "New connection",
        )
        lead = "Choose a system and how to sign in to it."
    else:
        kind = kinds.find(wanted)
        content, title, lead = (
            _form(request, kind, inside=inside),
            f"New connection: {_title(kind)}",
            line(kind.about.description),
        )
    if inside:
        return fragment(h.p(lead, class_="lead"), content)
    return page(request, "connections", title, content, lead=lead, scripts=FORM_SCRIPTS)


def created(request: PageRequest) -> Response:
    """Serve ``POST /connections``; ``how`` is ``test``, ``untested`` or ``force``."""
    request.require("manage")
    name, kind = request.form.get("name", "").strip(), request.form.get("type", "")

    def add(values: Mapping[str, Any], **how: bool) -> dict[str, Any]:
        return request.connections.add(name, kind, values, provenance=_REMOTE, **how)

    return _saved(request, add, f"/connections/{name}?done=created")


@decides(present_connection)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/values``: replace the values of a stored connection."""
    request.require("manage")
    name, version = request.path("name"), request.form.get("version", "")

    def replace(values: Mapping[str, Any], **how: bool) -> dict[str, Any]:
        seen = int(version) if version.isascii() and version.isdigit() else None
        return request.connections.replace(name, values, seen, provenance=_REMOTE, **how)

    return _saved(request, replace, f"/connections/{name}?done=changed")


def editor_of(
    kind: ConnectionKind, values: Mapping[str, Any], *, own_external_id: bool, fresh: bool
) -> Markup:
    """Build the form of a type's values: first the values from the provider, last values about the
    server's network. Stored secrets are never sent to the browser; an empty field leaves them
    unchanged.
    """
    secret = {path[1:] for path in secret_places(kind.schema, values)}
    schema = kind.schema
    if fresh or not own_external_id:
        schema = _without_generated(schema, keep=own_external_id or not fresh)
    fixed = [] if own_external_id else _generated(schema)
    audiences = {
        name: audience_of(schema, name, authorizes=bool(kind.about.authorizes))
        for name in schema.get("properties", {})
    }
    ranks = {name: AUDIENCES.index(audience) for name, audience in audiences.items()}
    seldom = [name for name, audience in audiences.items() if audience == "operator"]
    shown_values = {key: value for key, value in values.items() if key not in secret}
    form = form_schema(
        schema,
        stored=secret,
        fixed=fixed,
        seldom=seldom,
        ranks=ranks,
        given=shown_values,
        auth=kind.about.auth or "none",
    )
    return schema_editor("values", form, shown_values, kind.manifests[0].key, aria_label="Values")


def _generated(schema: Mapping[str, Any]) -> list[str]:
    members: Mapping[str, Any] = schema.get("properties", {})
    return [
        key
        for key, member in members.items()
        if isinstance(member, Mapping) and (member.get("x-jackfield") or {}).get("generated")
    ]


def _without_generated(schema: Mapping[str, Any], *, keep: bool) -> Mapping[str, Any]:
    if keep:
        return schema
    made = _generated(schema)
    return {
        **schema,
        "properties": {
            key: member for key, member in schema.get("properties", {}).items() if key not in made
        },
    }


def _fitting(request: PageRequest) -> list[ConnectionKind]:
    """List the types of one connector or of all, in their authors' order, without types that the
    workspace may not use.
    """
    kinds, connector, known = (
        request.connections.kinds,
        request.query.get("connector"),
        request.connections,
    )
    if connector is None:
        manifests = request.catalog.manifests()
        names = dict.fromkeys(
            manifest.full_name(kind)
            for manifest in manifests
            for kind in manifest.connection_types.values()
        )
        known_kinds = {kind.full_name: kind for kind in kinds.all()}
        found = _used_first(request, [known_kinds[name] for name in names])
    else:  # under the connector's own titles
        found = [
            kinds.find(f"{connector}/{key}")
            for key in request.catalog.find(connector).connection_types
        ]
    return (
        found if known.access().ambient else [kind for kind in found if not known.needs_host(kind)]
    )


def _used_first(request: PageRequest, kinds: list[ConnectionKind]) -> list[ConnectionKind]:
    """Sort the types: first types of existing connections, then types of connectors that the
    workspace calls, then the others.
    """
    types = Counter(str(row["type"]) for row in request.connections.list(limit=_MOST).items)
    called = {key.partition(".")[0] for key, _ in request.uses}

    def place(kind: ConnectionKind) -> tuple[int, bool]:
        return -types[kind.full_name], called.isdisjoint(
            [kind.full_name.partition("/")[0], *(one.key for one in kind.chosen)]
        )

    return sorted(kinds, key=place)


def _matching(kinds: list[ConnectionKind], words: str) -> list[ConnectionKind]:
    wanted = words.casefold().split()
    return [kind for kind in kinds if not wanted or all(word in _searched(kind) for word in wanted)]


def _searched(kind: ConnectionKind) -> str:
    names = [f"{manifest.key} {manifest.title}" for manifest in kind.chosen]
    return f"{kind.full_name} {kind.about.title} {' '.join(names)}".casefold()


def _title(kind: ConnectionKind) -> str:
    """Name a type with its connector, since many are called "Token"."""
    connector, title = kind.manifests[0], kind.about.title
    if (
        kind.full_name.partition("/")[0] != connector.key
        or connector.title.casefold() in title.casefold()
    ):
        return title
    return f"{connector.title}: {title}"


def _is_recommended(kind: ConnectionKind) -> bool:
    """Return whether a type is the first of several types of its connector, which is the author's
    recommendation.
    """
    manifest = kind.manifests[0]
    return (
        len(manifest.connection_types) > 1
        and next(iter(manifest.connection_types.values())).key == kind.about.key
    )


def _served(kind: ConnectionKind) -> str:
    """Name the connectors that a type is for, with the first ones and the number of the others if
    there are many.
    """
    rest = len(kind.chosen) - _NAMED
    more = [f"{rest:,} more"] if rest > 0 else []
    return ", ".join([*(manifest.title for manifest in kind.chosen[:_NAMED]), *more])


def _choice(request: PageRequest, kinds: list[ConnectionKind], *, inside: bool) -> Markup:
    def link(kind: ConnectionKind) -> Markup:
        own = request.query.get("connector")
        address = f"/new-connection?type={f'{own}/{kind.about.key}' if own else kind.full_name}"
        if inside:
            return h.a(
                _title(kind),
                href=address,
                class_="whole",
                hx_get=f"{address}&inside=1",
                hx_target="#new-connection-body",
            )
        return h.a(_title(kind), href=address, class_="whole")

    if not kinds:
        return h.p(
            "No system matches."
            if request.query.get("q")
            else "No installed connector needs a connection.",
            class_="empty",
        )
    rest = len(kinds) - _CARDS
    cards = [
        h.li(
            h.h2(icon_of(kind.manifests[0]), link(kind)),
            h.p(line(kind.about.description)),
            h.p(
                "For ",
                _served(kind),
                h.span(" · recommended") if _is_recommended(kind) else None,
                class_="muted",
            ),
            class_="card",
        )
        for kind in kinds[:_CARDS]
    ]
    more = h.p(f"{rest:,} more. Use the search to find them.", class_="muted") if rest > 0 else None
    return h.div(h.ul(cards, class_="cards"), more)


def _form(request: PageRequest, kind: ConnectionKind, *, inside: bool) -> Markup:
    own = request.connections.access().own_external_id
    made = _generated(kind.schema) if not own else []
    hint = f"{_NAME} Invocations refer to the connection by this name."
    name = text_field(
        "name", "Name", _free_name(request, kind), hint=hint, required=True, maxlength=100
    )
    form = h.form(
        csrf_field(request.csrf),
        h.input(type="hidden", name="type", value=kind.full_name),
        h.input(type="hidden", name="values", data_collected="values", value="{}"),
        h.input(type="hidden", name="inside", value="1") if inside else None,
        h.div(name, data_schemapath="values.name"),
        editor_of(kind, {}, own_external_id=own, fresh=True),
        _external_id_note() if made else None,
        h.div(id="outcome", aria_live="polite"),
        _buttons(untested_first=bool(made)),
        class_="card",
        hx_post="/connections",
        hx_target="#outcome",
        hx_swap="innerHTML",
        novalidate=True,
    )
    return h.div(form, _guide(kind), class_="workbench")


def _external_id_note() -> Markup:
    return h.p(
        "jackfield generates an External ID when the connection is saved. Save the connection "
        "without testing, create the role with the "
        "policies shown on the connection's page, then test the connection.",
        class_="notice plain",
    )


def _buttons(*, untested_first: bool) -> Markup:
    test = h.button(
        "Save and test", name="how", value="test", class_=None if untested_first else "primary"
    )
    untested = h.button(
        "Save without testing",
        name="how",
        value="untested",
        class_="primary" if untested_first else None,
    )
    busy = h.span("Testing…", class_="busy-note", role="status")
    return (
        h.div(untested, test, busy, class_="actions")
        if untested_first
        else h.div(test, untested, busy, class_="actions")
    )


def _guide(kind: ConnectionKind) -> Markup | None:
    if not kind.about.setup:
        return None
    return card("Setup guide", guide(kind.about.setup), class_="card beside-form")


def _saved(request: PageRequest, save: Callable[..., dict[str, Any]], address: str) -> Response:
    """Save the form's values by the method of its button; render a refusal next to the form."""
    how = request.form.get("how", "test")
    try:
        values = decode(request.form.get("values", "{}"))
        if not isinstance(values, dict):
            raise Problem(400, "the values must be an object")
        row = save(values, test=how != "untested", force=how == "force")
    except InvalidConnection as error:
        return fragment(_error_notice(error))
    except JackfieldError as error:
        return fragment(fault_of(error.message, error.hint))
    if request.form.get("inside"):
        return fragment(_inside(row))
    return redirect(request, address)


def _error_notice(error: InvalidConnection) -> list[Node]:
    details = [item.to_json() for item in error.details]
    test_failed = bool(details) and all(item["path"] == "" for item in details)
    if not test_failed:
        return [fault_of(error.message, error.hint, details)]
    failed = h.ul([h.li(item["message"]) for item in details], class_="faults")
    hint = (worded(error.hint, "console") or "").strip()
    force = h.button("Save anyway", name="how", value="force")
    return [
        h.div(
            h.p("The test failed, so the connection was not saved.", class_="message"),
            failed,
            h.p("What to do: ", hint, class_="hint-next") if hint else None,
            h.p(force),
            class_="notice bad",
            role="alert",
        )
    ]


def _inside(row: Mapping[str, Any]) -> Markup:
    """Render the element that closes the dialog and makes the page behind it select the new
    connection.
    """
    name = str(row["name"])
    label = f"{name}, {row['type']}"
    more = h.p(
        h.a("Its page", href=f"/connections/{name}", target="_blank"),
        " has what it needs at the provider.",
    )
    return h.div(
        h.p(f"“{name}” saved."),
        more,
        class_="notice good",
        data_created=name,
        data_label=label,
        data_values=json.dumps(row["values"]),
    )


def _free_name(request: PageRequest, kind: ConnectionKind) -> str:
    """Propose a name: the connector's, with a number if that name is in use."""
    taken = {str(row["name"]) for row in request.connections.list(limit=_NAMES).items}
    return free_name(kind.manifests[0].key.replace(".", "-"), taken.__contains__)
