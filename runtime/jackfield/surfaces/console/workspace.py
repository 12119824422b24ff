"""Page of the workspace: settings, and a check of which rule would decide a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.access import RETENTION_DAYS, Decision, Request, Settings, Tokens
from jackfield.errors import JackfieldError, did_you_mean
from jackfield.surfaces.console.components import badge, csrf_field, fault_of, field, heading, notice, option_list, rows_table, terms
from jackfield.surfaces.console.markup import Markup, Node, h
from jackfield.surfaces.console.page_request import PageRequest
from jackfield.surfaces.console.shell import fragment, page, redirect
from jackfield.surfaces.console.tokens import pattern_lines, rules_shown
from jackfield.surfaces.shared.action_guides import missing
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.searching import found_actions

_OPERATOR_SWITCHES = (
    ("allowAmbient", "allow_ambient", "Connections created here may use the server's identity"),
    ("allowOwnExternalId", "allow_own_external_id", "Connections created here may set their own External ID"),
)
_REFERENCES = "Server secrets that connections created here may refer to"
_DONE = {"changed": "Settings saved. Running processes apply them from now on."}

_SUGGESTED = 500
"""Maximum number of actions, and of connections, that a field suggests."""


def shown(request: PageRequest) -> Response:
    """``GET /workspace``."""
    request.require("read")
    settings = request.runtime.access.settings
    done = notice(_DONE[request.query["done"]], tone="good") if request.query.get("done") in _DONE else None
    title = heading("Workspace", lead=[h.strong(request.identity.workspace), ": one tenant, with its connections, tokens and invocations."])
    return page(request, "workspace", "Workspace", title, done, _settings(request, settings), _explain_form(request))


def changed(request: PageRequest) -> Response:
    """``POST /workspace``: the operator may change all settings; the scope ``manage``, only input recording and retention."""
    request.require("manage")
    if request.identity.rules:
        raise Problem(403, "a token with rules cannot change the workspace")
    try:
        request.runtime.access.workspaces.acting_as(request.identity.actor).set(request.identity.workspace, _changes(request))
    except JackfieldError as error:
        told = fault_of(error.message, error.hint, [item.to_json() for item in error.details])
        if request.partial:
            return fragment(told)
        return page(request, "workspace", "Workspace", heading("Workspace"), told, status=error.http_status)
    return redirect(request, "/workspace?done=changed")


def explained(request: PageRequest) -> Response:
    """``GET /workspace/verdict``: explain whether a token may run an action with a connection, with every pattern evaluated."""
    request.require("read")
    given = {name: request.query.get(name, "").strip() for name in ("token", "call", "connection")}
    connector, slash, action = given["call"].partition("/")
    if not slash:
        told: Node = fault_of("Enter the action as connector/action", "Choose one from the list.")
    elif (unknown := _unknown(request, connector, action)) is not None:
        told = unknown
    elif (lost := missing(request.connections, given["connection"] or None)) is not None:
        told = fault_of(lost.message, "Choose a connection from the list, or leave the field empty.")
    else:
        told = _verdict(
            _decision(request, Request(connector, action, _effect(request, connector, action), given["connection"] or None), given["token"])
        )
    if request.partial:
        return fragment(told)
    settings = request.runtime.access.settings
    return page(request, "workspace", "Workspace", heading("Workspace"), _settings(request, settings), _explain_form(request, given, told))


def _changes(request: PageRequest) -> dict[str, Any]:
    form = request.form
    days = form.get("retentionDays", "").strip()
    changes: dict[str, Any] = {
        "keepInputs": form.get("keepInputs") == "on",
        "retentionDays": int(days) if days.isascii() and days.isdigit() and len(days) < 6 else days,
    }  # fmt: skip
    if request.operator:
        changes["rules"] = {"allow": pattern_lines(form.get("allow", "")), "block": pattern_lines(form.get("block", ""))}
        changes |= {member: form.get(member) == "on" for member, _, _ in _OPERATOR_SWITCHES}
        changes["allowReferences"] = pattern_lines(form.get("allowReferences", ""))
    return changes


def _settings(request: PageRequest, settings: Settings) -> Markup:
    changes = request.may("manage") and not request.identity.rules
    days = h.input(
        type="text", inputmode="numeric", id="retentionDays", name="retentionDays", value=settings.retention_days, disabled=not changes,
        aria_describedby="retentionDays-hint",
    )  # fmt: skip
    form = h.form(
        csrf_field(request.csrf),
        _checkbox("keepInputs", "Record inputs", settings.keep_inputs, "If selected, the journal stores inputs with secrets masked. If not, it stores only a fingerprint.", changes=changes),
        field("retentionDays", "Retention in days", days, f"{RETENTION_DAYS} by default. Invocations in doubt are kept until they are resolved."),
        _operator_settings(request, settings),
        h.div(h.button("Save", class_="primary", disabled=not changes), class_="actions"),
        h.div(id="outcome", aria_live="polite"),
        method="post", action="/workspace", hx_post="/workspace", hx_target="#outcome", hx_swap="innerHTML",
    )  # fmt: skip
    return h.section(h.h2("Settings"), form, class_="card")


def _operator_settings(request: PageRequest, settings: Settings) -> Markup:
    """Render the rules and the access to the server. Only the operator may change them, so that no tenant can lift its own limits."""
    rules = settings.rules
    if request.identity.rules:
        return h.p("Rules and access to the server are hidden from tokens with rules.", class_="muted")
    if not request.operator:
        said: list[tuple[str, Node]] = [(_REFERENCES, ", ".join(_references(settings)) or "none")]
        said += [(title, "yes" if getattr(settings, name) else "no") for _, name, title in _OPERATOR_SWITCHES]
        return h.div(
            h.h3("Set by the operator"), h.p("Only the operator can change these, with ", h.code("jackfield workspaces set"), "."),
            terms([("Rules", rules_shown(rules) or "none: everything is allowed"), *said]),
        )  # fmt: skip
    boxes = [_checkbox(member, title, bool(getattr(settings, name)), None, changes=True) for member, name, title in _OPERATOR_SWITCHES]
    allow = h.textarea("\n".join(rules.allow), id="allow", name="allow", rows=3, spellcheck="false", aria_describedby="allow-hint")
    references = h.textarea(
        "\n".join(_references(settings)), id="allowReferences", name="allowReferences", rows=2, spellcheck="false",
        aria_describedby="allowReferences-hint",
    )  # fmt: skip
    hint: Node = ["One pattern per line, such as ", h.code("env:ACME_*"), " or ", h.code("file:/etc/acme/*"), "; none by default."]
    block = h.textarea("\n".join(rules.block), id="block", name="block", rows=3, spellcheck="false", aria_describedby="block-hint")
    return h.div(
        h.h3("Rules"),
        field("allow", "Allow", allow, ["One pattern per line, such as ", h.code("aws-ses/*"), ". If empty, everything is allowed."]),
        field(
            "block",
            "Block",
            block,
            ["One pattern per line, such as ", h.code("effect:write & connection:prod-*"), ". Block takes precedence."],
        ),
        h.h3("Access to the server"),
        field("allowReferences", _REFERENCES, references, hint),
        boxes,
        class_="stack",
    )


def _references(settings: Settings) -> tuple[str, ...]:
    allowed = settings.allow_references
    return allowed if isinstance(allowed, tuple) else ("*",) if allowed else ()


def _checkbox(name: str, title: str, on: bool, hint: str | None, *, changes: bool) -> Markup:
    box = h.input(type="checkbox", id=name, name=name, checked=on, disabled=not changes, aria_describedby=f"{name}-hint" if hint else None)
    return h.div(h.label(box, " ", title, for_=name), h.p(hint, class_="hint", id=f"{name}-hint") if hint else None, class_="field check")


def _explain_form(request: PageRequest, given: Mapping[str, str] | None = None, told: Node = None) -> Markup:
    given = given or {}
    bound = bool(request.identity.rules)
    tokens = (
        []
        if bound
        else Tokens(request.server.storage.database, request.server.storage.vault, request.identity.workspace, request.server.clock).list(
            limit=200
        )[0]
    )
    choices = [("", "Your token"), *((token.id, f"{token.name or token.id} ({token.scope})") for token in tokens)]
    token = h.select(option_list(choices, given.get("token", "")), id="token", name="token")
    call = h.input(
        type="text",
        id="call",
        name="call",
        value=given.get("call", ""),
        placeholder="aws-ses/sendEmail",
        autocomplete="off",
        spellcheck="false",
        list="call-choices",
    )
    connection = h.input(
        type="text", id="connection", name="connection", value=given.get("connection", ""), autocomplete="off", spellcheck="false",
        list="connection-choices",
    )  # fmt: skip
    form = h.form(
        h.div(field("token", "Token", token), field("call", "Action", call), field("connection", "Connection (optional)", connection), class_="pair"),
        _choices(request),
        h.button("Check"),
        action="/workspace/verdict", hx_get="/workspace/verdict", hx_target="#verdict", hx_swap="innerHTML",
    )  # fmt: skip
    lead = h.p("Check whether a call is allowed and which rule decides.", class_="muted")
    return h.section(h.h2("Check access"), lead, form, h.div(told, id="verdict", aria_live="polite"), class_="card")


def _choices(request: PageRequest) -> list[Markup]:
    """List actions and connections as suggestions for the fields."""
    actions, _ = found_actions(request.server.search, request.catalog, "", None, None, 0, _SUGGESTED)
    names = [str(row["name"]) for row in request.connections.list(limit=_SUGGESTED).items]
    return [
        h.datalist([h.option(value=f"{row.connector}/{row.action}") for row in actions], id="call-choices"),
        h.datalist([h.option(value=value) for value in names], id="connection-choices"),
    ]


def _unknown(request: PageRequest, connector: str, action: str) -> Markup | None:
    """Render the error for an unknown action, since no rule could match it; None if it exists."""
    try:
        actions = request.catalog.find(connector).actions
    except JackfieldError as error:
        return fault_of(error.message, "Choose an action from the list.")
    if action in actions:
        return None
    return fault_of(f"'{connector}' has no action '{action[:80]}'{did_you_mean(action, actions)}", "Choose an action from the list.")


def _effect(request: PageRequest, connector: str, action: str) -> str:
    try:
        found = request.catalog.find(connector).actions.get(action)
    except JackfieldError:
        return "write"
    return found.rule_effect if found is not None else "write"


def _decision(request: PageRequest, asked: Request, token: str) -> Decision:
    if request.identity.rules:  # other patterns may name what is hidden from this token
        return request.runtime.access.authorizer(request.identity.caller).decide(asked).guarded()
    if token:
        return Tokens(
            request.server.storage.database, request.server.storage.vault, request.identity.workspace, request.server.clock
        ).explain(token, asked)
    return request.runtime.access.authorizer(request.identity.caller).decide(asked)


def _verdict(decision: Decision) -> Markup:
    rows = [(step.source, step.kind, h.code(step.pattern), "matches" if step.fits else "no match") for step in decision.trail]
    trail = rows_table("Patterns evaluated", ("Source", "List", "Pattern", "Match"), rows) if rows else None
    reason = decision.rule.removeprefix("allowed: ")
    return h.div(h.p(badge("allowed" if decision.allowed else "refused"), " ", reason), trail, class_="notice plain", role="status")
