"""Page of the workspace's tokens: create one, which is shown once, list and revoke them."""

from __future__ import annotations

from starlette.responses import Response

from jackfield.access import SCOPES, Rules, Token, Tokens
from jackfield.clock import moment
from jackfield.errors import JackfieldError
from jackfield.surfaces.console.components import (
    at,
    badge,
    code_block,
    csrf_field,
    fault_of,
    field,
    heading,
    more,
    notice,
    option_list,
    rows_table,
)
from jackfield.surfaces.console.markup import Markup, Node, h
from jackfield.surfaces.console.page_request import PageRequest
from jackfield.surfaces.console.shell import fragment, page, redirect
from jackfield.surfaces.shared.problem import Problem

_DONE = {"revoked": "Token revoked."}
_SCOPE_TITLES = {"read": "read: view", "invoke": "invoke: view and run actions", "manage": "manage: full access"}


def listed(request: PageRequest) -> Response:
    """``GET /tokens``."""
    request.require("read")
    found, cursor = _listed(request)
    lead = "Tokens authenticate programs that call this workspace and people who sign in here."
    rows = [_row(request, token) for token in found]
    columns = ("Name", "Status", "Scope", "Rules", "Expires", "Last used", "Actions")
    table = h.section(h.h2("Tokens"), rows_table("Tokens", columns, rows, empty="No tokens yet."), class_="card")
    done = notice(_DONE[request.query["done"]], tone="good") if request.query.get("done") in _DONE else None
    older = more(f"/tokens?cursor={cursor}" if cursor else None)
    return page(request, "tokens", "Tokens", heading("Tokens", lead=lead), done, _create_form(request), table, older)


def created(request: PageRequest) -> Response:
    """``POST /tokens``: create a token; only this response contains its text."""
    request.require("manage")
    _require_no_rules(request)
    form = request.form
    try:
        rules = Rules.checked(pattern_lines(form.get("allow", "")), pattern_lines(form.get("block", "")))
        expires = moment(form["expires"], request.now, 1, "the expiry") if form.get("expires") else None
        made = _tokens(request).create(form.get("scope", ""), form.get("name", "").strip(), rules, expires)
    except JackfieldError as error:
        told = fault_of(error.message, error.hint, [item.to_json() for item in error.details])
        return fragment(told) if request.partial else page(request, "tokens", "Tokens", heading("Tokens"), told, status=error.http_status)
    told = h.div(
        h.p("Copy the token now and store it securely. It is not shown again."),
        code_block(made.text, "The new token"),
        h.p(h.a("Back to the list", href="/tokens")),
        class_="notice good", role="alert",
    )  # fmt: skip
    return fragment(told) if request.partial else page(request, "tokens", "Tokens", heading("Tokens"), told)


def revoked(request: PageRequest) -> Response:
    """``POST /tokens/{id}/revocation``."""
    request.require("manage")
    _require_no_rules(request)
    _tokens(request).revoke(request.path("id"))
    return redirect(request, "/tokens?done=revoked")


def pattern_lines(text: str) -> list[str]:
    """Split a text field into patterns, one per line; skip empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def rules_shown(rules: Rules) -> list[Node]:
    """Render rules as one pattern per line; an empty list if there are none."""
    texts = [*(f"allow {text}" for text in rules.allow), *(f"block {text}" for text in rules.block)]
    return [[h.code(text), h.br()] for text in texts]


def _listed(request: PageRequest) -> tuple[list[Token], str | None]:
    """List the workspace's tokens; a token with rules sees only itself, since other tokens' names and rules may reveal what is hidden."""
    if request.identity.rules:
        return [_tokens(request).find(request.identity.id)], None
    return _tokens(request).list(cursor=request.query.get("cursor") or None)


def _tokens(request: PageRequest) -> Tokens:
    return Tokens(
        request.server.storage.database,
        request.server.storage.vault,
        request.identity.workspace,
        request.server.clock,
        request.identity.actor,
    )


def _require_no_rules(request: PageRequest) -> None:
    """Reject callers with rules: they could otherwise create a token without rules.

    :raises Problem: 403 if the caller's token has rules.
    """
    if request.identity.rules:
        raise Problem(403, "a token with rules cannot create or revoke tokens")


def _create_form(request: PageRequest) -> Markup | None:
    if not request.may("manage") or request.identity.rules:
        return notice("Your token is not allowed to create or revoke tokens.")
    name = h.input(type="text", id="name", name="name", maxlength=200, autocomplete="off", aria_describedby="name-hint")
    scope = h.select(option_list([(one, _SCOPE_TITLES[one]) for one in SCOPES], "invoke"), id="scope", name="scope")
    expiry = [("30d", "in 30 days"), ("90d", "in 90 days"), ("365d", "in a year"), ("", "never")]
    expires = h.select(option_list(expiry, "90d"), id="expires", name="expires")
    form = h.form(
        csrf_field(request.csrf),
        field("name", "Name", name, "Who uses it, and for what."),
        h.div(field("scope", "Scope", scope), field("expires", "Expires", expires), class_="pair"),
        h.details(h.summary("Rules"), _rule_fields(), class_="further"),
        h.div(h.button("Create token", class_="primary"), class_="actions"),
        method="post", action="/tokens", hx_post="/tokens", hx_target="#made", hx_swap="innerHTML",
    )  # fmt: skip
    return h.section(h.h2("New token"), form, h.div(id="made", aria_live="polite"), class_="card")


def _rule_fields() -> Markup:
    allow = h.textarea(id="allow", name="allow", rows=2, spellcheck="false", placeholder="aws-ses/*", aria_describedby="allow-hint")
    block = h.textarea(
        id="block", name="block", rows=2, spellcheck="false", placeholder="effect:write & connection:prod-*", aria_describedby="block-hint"
    )
    return h.div(
        field("allow", "Allow", allow, "One pattern per line. If empty, the token allows everything that the workspace allows."),
        field("block", "Block", block, "One pattern per line. Block takes precedence over allow."),
        class_="stack",
    )


def _row(request: PageRequest, token: Token) -> tuple[Node, ...]:
    status = token.status(request.now)
    revoke: Node = None
    if status == "active" and request.may("manage") and not request.identity.rules:
        revoke = h.form(
            csrf_field(request.csrf), h.button("Revoke", class_="quiet danger", aria_label=f"Revoke {token.name or token.id}"),
            method="post", action=f"/tokens/{token.id}/revocation",
        )  # fmt: skip
    name = [h.strong(token.name or "unnamed"), h.br(), h.code(token.id, class_="small")]
    used = at(token.last_used_at, request.now)
    expires = at(token.expires_at, request.now) if token.expires_at is not None else "never"
    return name, badge(status), token.scope, rules_shown(token.rules) or "none", expires, used, revoke
