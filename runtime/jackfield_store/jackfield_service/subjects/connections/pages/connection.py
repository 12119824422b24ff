"""Page of a connection: account, test results, values to edit, and the policies that the account
needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.responses import Response

from jackfield.connections.connection_types import ConnectionKind
from jackfield.connections.named_connection import STORE
from jackfield.kernel.errors import JackfieldError, UnknownConnector
from jackfield.kernel.markup import Markup, Node, codes, terms
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    bar,
    card,
    code_block,
    csrf_field,
    done_notice,
    folded,
    form,
    guide,
    h,
    heading,
    json_text,
    notice,
    panel,
    tabs,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides, drawn_from
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.quota_card import QuotaCard, quotas_from
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.subjects.connections.pages import authorization
from jackfield_service.subjects.connections.pages.calls import Calls, calls_over
from jackfield_service.subjects.connections.pages.connections import account_of
from jackfield_service.subjects.connections.pages.form import editor_of
from jackfield_service.subjects.connections.pages.state import connection_state, present_connection
from jackfield_service.subjects.connections.pages.uses import uses
from jackfield_service.subjects.suppressions.page import guard_card
from jackfield_store.management.diagnosis import doctors
from jackfield_store.management.served_actions import TooWide

_EXTERNAL_ID = "<the External ID of this connection>"
"""Placeholder in hints, since hints are journaled and logged; only the connection's own page shows
the value.
"""


def _needed(text: str) -> Markup:
    return code_block(text, "What is needed")


def cure(
    hint: str,
    external_id: str | None = None,
    lead: str = "What to do: {}",
    block: Callable[[str], Markup] = _needed,
) -> Markup:
    """Render a hint. ``external_id`` replaces its placeholder. In ``lead``, ``{}`` is replaced by
    the text before a JSON object, which ``block`` renders.
    """
    text = hint.replace(_EXTERNAL_ID, external_id) if external_id else hint
    shown = [
        h.p(part) if isinstance(part, str) else block(json_text(part))
        for part in _parts(text, lead)
    ]
    return h.div(shown, class_="hint-next stack")


def _parts(text: str, lead: str) -> Iterator[object]:
    """Split a hint into its first JSON object, and the text around it."""
    decoder, begin = json.JSONDecoder(), text.find("{")
    try:
        found, end = decoder.raw_decode(text, begin) if begin >= 0 else ({}, -1)
    except (ValueError, RecursionError):
        found = {}
    if not found:
        yield lead.replace("{}", text)
        return
    yield lead.replace("{}", text[:begin].strip())
    yield found
    rest = text[end:].strip()
    if rest:
        yield rest


_LINKS = 20
"""Maximum number of connectors that the page names."""

_FEW = 12
"""Maximum number of permissions that are listed unfolded."""

_DONE = {
    "created": "Connection saved.",
    "changed": "Values saved.",
    "renamed": (
        "Connection renamed. Its schedules, subscriptions and queued calls follow; "
        "idempotency keys stay with the old name."
    ),
    "unchanged": "Nothing was changed: the connection has this name already.",
    "quotas": "Quotas saved.",
    "resumed": "Connection resumed. Its guard counts from now on.",
    "connected": "Connected. Test it to see which account it uses.",
}
_DOCUMENTS = (
    ("trustPolicy", "Trust policy"),
    ("identityPolicy", "Permissions policy"),
    ("assumePolicy", "User policy"),
    ("cloudFormation", "CloudFormation"),
    ("terraform", "Terraform"),
)


def shown(request: PageRequest) -> Response:
    """Serve ``GET /connections/{name}``."""
    request.require("read")
    row = request.connections.show(request.path("name"))
    kind = request.connections.kinds.known(row["type"])
    stored = row.get("source") == STORE
    external_id, unreadable = _external_id(request, row)
    used, calls = _users(request, row)
    facts = terms(
        [
            ("Type", [kind.about.title, " ", h.code(row["type"])] if kind else h.code(row["type"])),
            ("Connectors", _serves(kind)),
            ("Source", None if stored else h.code(row.get("source"))),
            ("Used by", _comma_list(used, calls.queued, calls.waiting)),
            ("Last call", calls.last),
            ("External ID", f"cannot be read: {unreadable}" if unreadable else None),
        ]
    )
    approval = authorization.approval_card(request, row, kind.about.authorizes if kind else ())
    content: list[Node] = [
        done_notice(request, _DONE),
        h.section(facts, class_="card"),
        approval,
        guard_card(request, str(row["name"])),
        _test_card(request, row, external_id),
    ]
    if kind is not None:
        content += [
            _values_card(request, row, kind, stored=stored),
            _quotas(request, row) if stored else None,
            _policies(request, row, external_id),
            _guide(kind),
        ]
    head = _title(request, row, used, calls)
    return page(request, "connections", str(row["name"]), *content, head=head, scripts=FORM_SCRIPTS)


def tested(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/test``: run the test and return the card with its steps."""
    request.require("invoke")
    before = request.connections.show(request.path("name"))
    row = request.connections.test(str(before["name"]))
    if not request.partial:
        return redirect(request, f"/connections/{row['name']}")
    # the page's other forms are drawn from the account before
    if connection_state(request, before) != connection_state(request, row):
        return fragment(headers={"HX-Refresh": "true"})
    external_id, _ = _external_id(request, row)
    policies = _policies(request, row, external_id, anew=True) if _tested_principal(row) else None
    return fragment(
        _test_card(request, row, external_id),
        _title(request, row, *_users(request, row), anew=True),
        policies,
    )


@decides(present_connection)
def renamed(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/name``."""
    request.require("manage")
    name, new = request.path("name"), request.form.get("new", "").strip()
    row = request.connections.rename(name, new)
    return redirect(
        request, f"/connections/{row['name']}?done={'unchanged' if new == name else 'renamed'}"
    )


@decides(present_connection)
def allowed(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/quotas``."""
    request.require("manage")
    name = request.path("name")
    row = request.connections.limit(
        name, quotas_from(request.form, request.connections.show(name).get("quotas", ()))
    )
    return redirect(request, f"/connections/{row['name']}?done=quotas")


@decides(present_connection)
def removed(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/removal``."""
    request.require("manage")
    request.connections.remove(request.path("name"))
    return redirect(request, "/connections?done=removed")


def _users(request: PageRequest, row: Mapping[str, Any]) -> tuple[list[Node], Calls]:
    name = str(row["name"])
    return uses(request, [name]).get(name, []), calls_over(request, name)


def _title(
    request: PageRequest,
    row: Mapping[str, Any],
    used: list[Node],
    calls: Calls,
    *,
    anew: bool = False,
) -> Markup:
    steps: list[Node] = []
    if row.get("source") == STORE and request.may("manage"):
        steps = [_rename(request, row, used, calls), _remove(request, row, used, calls)]
    return heading(
        row["name"],
        badge(str(row.get("status", "untested"))),
        steps,
        lead=["Account: ", account_of(row)],
        anew=anew,
    )


def _serves(kind: ConnectionKind | None) -> Node:
    if kind is None:
        return h.span("none: no installed connector uses this type", class_="muted")
    rest = len(kind.chosen) - _LINKS
    links = [
        [h.a(manifest.title, href=f"/connectors/{manifest.key}"), " "]
        for manifest in kind.chosen[:_LINKS]
    ]
    return [links, h.span(f"and {rest:,} more", class_="muted") if rest > 0 else None]


def _test_card(request: PageRequest, row: Mapping[str, Any], external_id: str | None) -> Markup:
    """Render the last test step by step, with a hint for each failed step."""
    last: Mapping[str, Any] = row.get("lastTest") or {}
    steps = [_step(item, external_id) for item in last.get("steps", ())]
    untested = h.p("Not tested yet. A test signs in and makes read-only requests.")
    status_line = (
        h.p("Tested ", at(last.get("at"), request.now), class_="muted") if last else untested
    )
    button = h.button(
        "Test again" if last else "Test", class_="primary", disabled=not request.may("invoke")
    )
    busy = h.span("Testing…", class_="busy-note", role="status")
    address = f"/connections/{row['name']}"
    test = form(
        request,
        f"{address}/test",
        h.div(busy, button, class_="beside"),
        into="#test",
        swap="outerHTML",
    )
    examine = (
        h.a("Run full diagnostics", href=f"{address}/doctor")
        if doctors(request.catalog, str(row["type"]))
        else None
    )
    top = h.div(h.h2("Test"), h.div(examine, test, class_="beside"), class_="row")
    done = h.ol(steps, class_="steps") if steps else None
    return h.section(top, status_line, done, id="test", class_="card", aria_live="polite")


def _step(item: Mapping[str, Any], external_id: str | None) -> Markup:
    passed, mandatory = bool(item.get("passed")), bool(item.get("mandatory", True))
    word = "passed" if passed else "failed" if mandatory else "warning"
    hint = cure(str(item["hint"]), external_id) if item.get("hint") and not passed else None
    return h.li(
        h.div(h.strong(item["title"]), " ", badge(word)),
        h.p(item.get("message", "")),
        hint,
        class_=f"step {word}",
    )


def _external_id(request: PageRequest, row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the External ID, with references resolved, or the reason why it cannot be read."""
    try:
        return request.connections.external_id(str(row["name"])), None
    except JackfieldError as error:
        return None, error.message


def _tested_principal(row: Mapping[str, Any]) -> str | None:
    """Return the identity that signed in during the last test; None if unknown."""
    steps: Any = (row.get("lastTest") or {}).get("steps", ())
    return next((str(step["principal"]) for step in steps if step.get("principal")), None)


def _policies(
    request: PageRequest, row: Mapping[str, Any], external: str | None, *, anew: bool = False
) -> Markup | None:
    """Render the policies to copy; None for types without policies. ``anew`` replaces the current
    card in an htmx swap.
    """
    principal = request.query.get("principal", "").strip() or _tested_principal(row)
    connector = request.query.get("connector", "").strip() or None
    made, fault = _build_policies(request, row, principal, connector)
    if made is None and fault is None:
        return None
    found = made or {}
    panels = [
        (title, code_block(_document(found[key]), title))
        for key, title in _DOCUMENTS
        if key in found
    ]
    if made is not None and not panels:
        return None
    names = found.get("permissions", ())
    count = f"{len(names):,} {'permission' if len(names) == 1 else 'permissions'}"
    needed = h.details(
        h.summary(f"The actions of this connection need {count}"),
        h.p(codes(names)),
        open=len(names) <= _FEW,
    )
    is_asked = not {"principal", "connector"}.isdisjoint(request.query)
    shown = [
        needed if made else None,
        [h.h3("External ID"), code_block(external, "External ID")] if external else None,
        _policy_form(row, principal, connector, trusts="trustPolicy" in found),
        notice(fault.message, tone="bad") if fault else None,
        tabs("policies", panels) if panels else None,
    ]
    return folded(
        "Required permissions",
        h.div(shown, class_="stack", id="policies"),
        id="policy-card",
        hx_swap_oob="true" if anew else None,
        open=is_asked or row.get("status") != "ok",
    )


def _build_policies(
    request: PageRequest, row: Mapping[str, Any], principal: str | None, connector: str | None
) -> tuple[Mapping[str, Any] | None, JackfieldError | None]:
    """Return the policies, and the fault if they are not the requested ones; (None, None) for types
    without policies.
    """
    name, make = str(row["name"]), request.connections.policy
    try:
        return make(name, None, principal, None, connector), None
    except (TooWide, UnknownConnector) as error:
        return None, error
    except JackfieldError as error:
        return (None, None) if principal is None else (make(name, connector=connector), error)


def _policy_form(
    row: Mapping[str, Any], principal: str | None, connector: str | None, *, trusts: bool
) -> Markup:
    """Render the form that narrows the policies to one connector, and asks for the principal that a
    role trusts.
    """
    example, arn = (
        "arn:aws:iam::111122223333:user/jackfield",
        "ARN of the user or role that assumes this role, for the trust policy.",
    )
    return h.form(
        text_field(
            "connector",
            "Connector",
            connector,
            "Only what the actions of this connector need.",
            placeholder="aws.s3",
        ),
        text_field("principal", "Principal", principal, arn, placeholder=example)
        if trusts
        else None,
        h.button("Apply"),
        action=f"/connections/{row['name']}#policies",
        class_="inline",
    )


def _document(made: Any) -> str:
    return made if isinstance(made, str) else json_text(made)


def _values_card(
    request: PageRequest, row: Mapping[str, Any], kind: ConnectionKind, *, stored: bool
) -> Markup:
    if not stored or not request.may("manage"):
        reason = (
            f"Defined in {row.get('source')}; edit it there."
            if not stored
            else "Your token is not allowed to edit connections."
        )
        return card("Values", h.p(reason, class_="muted"), _values(row, kind))
    own = request.connections.access().own_external_id
    edit = h.form(
        csrf_field(drawn_from(request.csrf, connection_state(request, row))),
        h.input(type="hidden", name="version", value=row["version"]),
        h.input(type="hidden", name="values", data_collected="values", value="{}"),
        editor_of(kind, row["values"], own_external_id=own, fresh=False),
        h.div(id="outcome", aria_live="polite"),
        bar(
            h.button("Save and test", name="how", value="test", class_="primary"),
            h.button("Save without testing", name="how", value="untested"),
            h.span("Testing…", class_="busy-note", role="status"),
        ),
        hx_post=f"/connections/{row['name']}/values",
        hx_target="#outcome",
        hx_swap="innerHTML",
        novalidate=True,
    )
    hint = h.p("Secrets are never shown. Leave a secret empty to keep it.", class_="muted")
    return card(
        "Values",
        _values(row, kind),
        h.details(h.summary("Change values"), hint, edit, class_="further"),
        id="values",
    )


def _quotas(request: PageRequest, row: Mapping[str, Any]) -> Markup:
    address, state, name = "", None, str(row["name"])
    if request.may("manage"):
        address, state = f"/connections/{name}/quotas", connection_state(request, row)
    key = request.connections.find(name).id
    return QuotaCard(request, row.get("quotas", ()), address, state, "connection", key).drawn()


def _values(row: Mapping[str, Any], kind: ConnectionKind) -> Markup:
    fields: Mapping[str, Any] = kind.schema.get("properties", {})
    texts = {
        name: value if isinstance(value, str) else json_text(value)
        for name, value in row["values"].items()
    }
    hidden = h.span("stored, never shown", class_="muted")
    shown = {
        name: h.code(text) if text.strip("*") else hidden for name, text in texts.items() if text
    }
    return terms(
        [(fields.get(name, {}).get("title", name), value) for name, value in shown.items()]
    )


def _guide(kind: ConnectionKind) -> Markup | None:
    if not kind.about.setup:
        return None
    return folded("Setup guide", guide(kind.about.setup))


def _rename(request: PageRequest, row: Mapping[str, Any], used: Node, calls: Calls) -> list[Node]:
    following = _comma_list(used, calls.queued)
    follow = [
        _users_line("These follow the new name: ", following) if following else None,
        _spoiled(calls),
    ]
    new = text_field(
        "new",
        "Name",
        str(row["name"]),
        "Calls by the old name will fail. Those that are queued follow; those that wait for an "
        "approval end.",
        required=True,
        maxlength=100,
    )
    refused = h.div(id="renamed", aria_live="polite")
    fields, address = (new, follow, h.button("Rename"), refused), f"/connections/{row['name']}/name"
    asked = form(request, address, *fields, into="#renamed", state=connection_state(request, row))
    return panel("rename", "Rename", "Rename this connection", asked)


def _remove(request: PageRequest, row: Mapping[str, Any], used: Node, calls: Calls) -> list[Node]:
    ended = (
        ", and revokes its approval at the provider"
        if row.get("authorization", {}).get("status") == "granted"
        else None
    )
    stopped = h.p(h.strong("These stop: "), used, ".") if used else None
    text = h.p(
        "This deletes the connection and its secrets",
        ended,
        ". Invocations that use it will fail. This cannot be undone.",
    )
    button = h.button(f"Remove {row['name']}", class_="danger")
    failed = _users_line("These fail: ", calls.queued) if calls.queued else None
    told = text, stopped, failed, _spoiled(calls), button
    asked = form(
        request, f"/connections/{row['name']}/removal", *told, state=connection_state(request, row)
    )
    return panel("remove", "Remove", "Remove this connection", asked, tone="quiet danger")


def _comma_list(*users: Node) -> Node:
    return [node for one in users if one for node in (", ", one)][1:] or None


def _spoiled(calls: Calls) -> Markup | None:
    return (
        _users_line("These cannot be approved any more: ", calls.waiting) if calls.waiting else None
    )


def _users_line(lead: str, users: Node) -> Markup:
    return h.p(lead, users, ".", class_="small")
