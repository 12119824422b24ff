"""Page of the workspace: settings, and a check that explains which rule would decide a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.callers import Decision, Request
from jackfield.callers.rules import LISTS
from jackfield.callers.searching import found_actions
from jackfield.kernel.errors import JackfieldError, did_you_mean
from jackfield.kernel.markup import Markup, Node, table, terms
from jackfield_service.shell.pages.layout.components import (
    badge,
    bar,
    card,
    check_field,
    choice_field,
    done_notice,
    fault_of,
    form,
    h,
    lines_field,
    notice,
    part,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.shell import fragment, outcome, page, redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connectors.action_guides import missing
from jackfield_service.subjects.tokens.page import (
    gaps_told,
    pattern_lines,
    rule_fields,
    rules_shown,
)
from jackfield_store.access import RETENTION_DAYS, Settings

_OPERATOR_SWITCHES = (
    ("allowAmbient", "allow_ambient", "Connections created here may use the server's identity"),
    (
        "allowOwnExternalId",
        "allow_own_external_id",
        "Connections created here may set their own External ID",
    ),
)
_REFERENCES = "Server secrets that connections created here may refer to"
_DONE = {"changed": "Settings saved. Running processes apply them from now on."}

_SUGGESTED = 50
"""Maximum number of suggested actions of a field; typing narrows them."""
_MOST = 1000


def shown(request: PageRequest) -> Response:
    """Serve ``GET /workspace``."""
    request.require("read")
    settings = _stored(request)
    lead = [
        h.strong(request.identity.workspace),
        ": one tenant, with its connections, tokens and invocations.",
    ]
    content = [done_notice(request, _DONE), _settings(request, settings), _explain_form(request)]
    return page(request, "workspace", "Settings", *content, lead=lead)


def _stored(request: PageRequest) -> Settings:
    """Return the stored settings, since a process's cached settings may be a second old."""
    return request.runtime.access.workspaces.find(request.identity.workspace).settings


def _state(request: PageRequest, settings: Settings) -> Any:
    own: list[Any] = [settings.keep_inputs, settings.retention_days]
    if not request.operator:
        return own
    return [
        *own,
        settings.rules,
        settings.writes,
        settings.allow_references,
        *(getattr(settings, name) for _, name, _ in _OPERATOR_SWITCHES),
    ]


def _present_state(request: PageRequest) -> Any:
    request.require("manage")
    if request.identity.rules:
        raise Problem(403, "a token with rules cannot change the workspace", code="not_allowed")
    return _state(request, _stored(request))


@decides(_present_state)
def changed(request: PageRequest) -> Response:
    """Serve ``POST /workspace``: the operator may change all settings; the scope ``manage``, only
    input recording and retention.
    """
    found = request.runtime.access.workspaces.acting_as(request.identity.actor).set(
        request.identity.workspace, _changes(request)
    )
    if found.warnings:
        return outcome(
            request,
            "workspace",
            "Settings",
            notice(_DONE["changed"], tone="good"),
            gaps_told(found.warnings),
        )
    return redirect(request, "/workspace?done=changed")


def explained(request: PageRequest) -> Response:
    """Serve ``GET /workspace/verdict``: explain whether a token may run an action with a
    connection, with every pattern evaluated.
    """
    request.require("read")
    given = {name: request.query.get(name, "").strip() for name in ("token", "call", "connection")}
    connector, slash, action = given["call"].partition("/")
    if not slash:
        told: Node = fault_of("Enter the action as connector/action", "Choose one from the list.")
    elif (unknown := _unknown(request, connector, action)) is not None:
        told = unknown
    elif (lost := missing(request.connections, given["connection"] or None)) is not None:
        told = fault_of(
            lost.message, "Choose a connection from the list, or leave the field empty."
        )
    else:
        told = _verdict(
            _decision(
                request,
                Request(
                    connector,
                    action,
                    _effect(request, connector, action),
                    given["connection"] or None,
                ),
                given["token"],
            )
        )
    shown = (
        [told]
        if request.partial
        else [_settings(request, _stored(request)), _explain_form(request, given, told)]
    )
    return outcome(request, "workspace", "Settings", *shown)


def suggested(request: PageRequest) -> Response:
    """Serve ``GET /workspace/actions``: actions that match the typed text, as choices of the
    field.
    """
    request.require("read")
    return fragment(_actions(request, request.query.get("call", "").strip()))


def _changes(request: PageRequest) -> dict[str, Any]:
    given = request.form
    days = given.get("retentionDays", "").strip()
    changes: dict[str, Any] = {
        "keepInputs": given.get("keepInputs") == "on",
        "retentionDays": int(days) if days.isascii() and days.isdigit() and len(days) < 6 else days,
    }
    if request.operator:
        changes["rules"] = {name: pattern_lines(given.get(name, "")) for name in LISTS}
        changes["writes"] = "ask" if given.get("writes") == "on" else None
        changes |= {member: given.get(member) == "on" for member, _, _ in _OPERATOR_SWITCHES}
        changes["allowReferences"] = pattern_lines(given.get("allowReferences", ""))
    return changes


def _settings(request: PageRequest, settings: Settings) -> Markup:
    changes = request.may("manage") and not request.identity.rules
    kept = f"{RETENTION_DAYS} by default. Invocations in doubt are kept until they are resolved."
    recorded = (
        "If selected, the journal stores inputs with secrets masked. If not, it stores only "
        "a fingerprint."
    )
    save = form(
        request,
        "/workspace",
        part(
            "Journal",
            "What is kept of each invocation, and for how long.",
            check_field(
                "keepInputs", "Record inputs", settings.keep_inputs, recorded, changes=changes
            ),
            text_field(
                "retentionDays",
                "Retention in days",
                settings.retention_days,
                kept,
                inputmode="numeric",
                disabled=not changes,
            ),
        ),
        _operator_settings(request, settings),
        h.div(id="outcome", aria_live="polite"),
        bar(h.button("Save", class_="primary", disabled=not changes)),
        into="#outcome",
        state=_state(request, settings),
    )
    return card("Settings", save)


def _operator_settings(request: PageRequest, settings: Settings) -> Node:
    """Render the rules and the access to the server. Only the operator may change them, so that no
    tenant can lift its own limits.
    """
    rules = settings.rules
    if request.identity.rules:
        return h.p(
            "Rules and access to the server are hidden from tokens with rules.", class_="muted"
        )
    if not request.operator:
        said: list[tuple[str, Node]] = [(_REFERENCES, ", ".join(_references(settings)) or "none")]
        said += [
            (title, "yes" if getattr(settings, name) else "no")
            for _, name, title in _OPERATOR_SWITCHES
        ]
        asked = "yes" if settings.writes == "ask" else "no"
        lead = [
            "Only the operator can change these, with ",
            h.code("jackfield workspaces set"),
            ".",
        ]
        return part(
            "Set by the operator",
            lead,
            terms(
                [
                    ("Rules", rules_shown(rules) or "none: everything is allowed"),
                    ("Ask before each write", asked),
                    *said,
                ]
            ),
        )
    hint: Node = [
        "One pattern per line, such as ",
        h.code("env:ACME_*"),
        " or ",
        h.code("file:/etc/acme/*"),
        "; none by default.",
    ]
    named = "Writes that no pattern under Allow names wait until a person approves them."
    asks = check_field("writes", "Ask before each write", settings.writes == "ask", named)
    switches = [
        check_field(member, title, bool(getattr(settings, name)))
        for member, name, title in _OPERATOR_SWITCHES
    ]
    return [
        part(
            "Rules",
            "Which calls are made, refused, or wait for a person.",
            rule_fields(rules, "everything is allowed"),
            asks,
        ),
        part(
            "Access to the server",
            "What connections of this workspace may use of the server itself.",
            lines_field("allowReferences", _REFERENCES, _references(settings), hint, rows=2),
            switches,
        ),
    ]


def _references(settings: Settings) -> tuple[str, ...]:
    allowed = settings.allow_references
    return allowed if isinstance(allowed, tuple) else ("*",) if allowed else ()


def _explain_form(
    request: PageRequest, given: Mapping[str, str] | None = None, told: Node = None
) -> Markup:
    given = given or {}
    tokens = [] if request.identity.rules else request.tokens.list(limit=200)[0]
    choices = [
        ("", "Your token"),
        *((token.id, f"{token.name} ({token.scope})") for token in tokens),
    ]
    check = h.form(
        h.div(
            choice_field("token", "Token", choices, given.get("token", "")),
            text_field(
                "call",
                "Action",
                given.get("call", ""),
                placeholder="Search actions",
                list="call-choices",
                hx_get="/workspace/actions",
                hx_trigger="input changed delay:200ms",
                hx_target="#call-choices",
                hx_swap="innerHTML",
            ),
            choice_field(
                "connection", "Connection", _connections(request), given.get("connection", "")
            ),
            class_="pair",
        ),
        h.datalist(_actions(request, ""), id="call-choices"),
        h.button("Check"),
        action="/workspace/verdict",
        hx_get="/workspace/verdict",
        hx_target="#verdict",
        hx_swap="innerHTML",
    )
    lead = h.p("Check whether a call is allowed and which rule decides.", class_="muted")
    return card("Check access", lead, check, h.div(told, id="verdict", aria_live="polite"))


def _actions(request: PageRequest, words: str) -> list[Markup]:
    found, _ = found_actions(
        request.search, request.catalog, words.replace("/", " "), None, None, 0, _SUGGESTED
    )
    return [h.option(row.title, value=f"{row.connector}/{row.action}") for row in found]


def _connections(request: PageRequest) -> list[tuple[str, str]]:
    names = [str(row["name"]) for row in request.connections.list(limit=_MOST).items]
    return [("", "No connection"), *((name, name) for name in names)]


def _unknown(request: PageRequest, connector: str, action: str) -> Markup | None:
    """Render the error for an unknown action, since no rule could match it; None if it exists."""
    try:
        actions = request.catalog.find(connector).actions
    except JackfieldError as error:
        return fault_of(error.message, "Choose an action from the list.")
    if action in actions:
        return None
    return fault_of(
        f"'{connector}' has no action '{action[:80]}'{did_you_mean(action, actions)}",
        "Choose an action from the list.",
    )


def _effect(request: PageRequest, connector: str, action: str) -> str:
    try:
        found = request.catalog.find(connector).actions.get(action)
    except JackfieldError:
        return "write"
    return found.rule_effect if found is not None else "write"


def _decision(request: PageRequest, asked: Request, token: str) -> Decision:
    if request.identity.rules:  # other patterns may name what is hidden from this token
        return request.runtime.access.authorizer(request.identity.caller).explain(asked).guarded()
    if token:
        return request.tokens.explain(token, asked)
    return request.runtime.access.authorizer(request.identity.caller).explain(asked)


def _verdict(decision: Decision) -> Markup:
    rows = [
        (step.source, step.kind, h.code(step.pattern), "matches" if step.fits else "no match")
        for step in decision.trail
    ]
    trail = (
        table("Patterns evaluated", ("Source", "List", "Pattern", "Match"), rows) if rows else None
    )
    reason = decision.rule.removeprefix("allowed: ")
    return h.div(
        h.p(badge("allowed" if decision.allowed else "refused"), " ", reason),
        trail,
        class_="notice plain",
        role="status",
    )


PAGES: tuple[Page, ...] = (
    Page("/workspace", shown),
    Page("/workspace", changed, "POST"),
    Page("/workspace/verdict", explained),
    Page("/workspace/actions", suggested),
)
