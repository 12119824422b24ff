"""Page of the workspace's tokens: create a token, which is displayed once, list and revoke
tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from starlette.responses import Response

from jackfield.callers import Rules
from jackfield.callers.rules import APPROVE, LISTS, TOKEN_SCOPES, may
from jackfield.kernel.clock import moment
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    choice_field,
    code_block,
    done_notice,
    final,
    form,
    h,
    heading,
    lines_field,
    notice,
    panel,
    text_field,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.quota_fields import quota_fields, read_quota
from jackfield_service.shell.pages.layout.selection import NONE, Selection, Step, tick
from jackfield_service.shell.pages.layout.shell import outcome, page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import Token
from jackfield_store.access.quotas import quotas_of

_QUOTA = (
    "How many of its own calls may take effect in a span of time. The command and the API "
    "take several."
)
COLUMNS = ("Name", "Status", "Scope", "Rules", "Expires", "Last used", "Actions")
_PAGE = 50
_DONE = {"revoked": "Token revoked.", **NONE}
_SCOPE_TITLES = {
    "read": "read: view",
    "invoke": "invoke: view and run actions",
    "manage": "manage: all but approve",
    "approve": "approve: view, and decide on calls that wait",
    "invoke approve": "invoke and approve",
    "manage approve": "manage and approve",
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /tokens``."""
    request.require("read")
    lead = "Tokens authenticate programs that call this workspace and people who sign in here."
    done = done_notice(request, _DONE, *NONE)
    may = request.may("manage") and not request.identity.rules
    told = None if may else notice("Your token is not allowed to create or revoke tokens.")
    head = heading("Tokens", _new(request) if may else None, lead=lead)
    return page(request, "tokens", "Tokens", done, told, _list(request), head=head)


def created(request: PageRequest) -> Response:
    """Serve ``POST /tokens``: create a token; only this response contains the token itself."""
    request.require("manage")
    _require_no_rules(request)
    given = request.form
    rules = Rules.checked(*(pattern_lines(given.get(name, "")) for name in LISTS))
    expires = (
        moment(given["expires"], request.now, 1, "the expiry") if given.get("expires") else None
    )
    quota = read_quota(given)
    made = request.tokens.create(
        given.get("scope", ""),
        given.get("name", "").strip(),
        rules,
        expires,
        [] if quota is None else [quota],
    )
    told = h.div(
        h.p("Copy the token now and store it securely. It is not shown again."),
        code_block(made.text, "The new token"),
        gaps_told(made.warnings),
        h.p(h.a("Back to the list", href="/tokens")),
        class_="notice good",
        role="alert",
    )
    return outcome(
        request, "tokens", "Tokens", told, _list(request, again=True) if request.partial else None
    )


def revoked(request: PageRequest) -> Response:
    """Serve ``POST /tokens/{id}/revocation``."""
    request.require("manage")
    _require_no_rules(request)
    request.tokens.revoke(request.path("id"))
    return redirect(request, "/tokens?done=revoked")


def _token_label(request: PageRequest, identifier: str) -> Node:
    try:
        return [
            h.strong(request.tokens.find(identifier).name),
            " ",
            h.code(identifier, class_="small"),
        ]
    except JackfieldError:
        return h.code(identifier[:80])


def _revoke(request: PageRequest, identifier: str, _once: str) -> Node:
    _require_no_rules(request)
    request.tokens.revoke(identifier)
    return "Revoked."


_REVOKE = Step(
    "revoke",
    "Revoke",
    "manage",
    "Programs and people that use them are refused at once. This cannot be undone.",
    _revoke,
    tone="danger",
)
SELECTION = Selection(
    "/tokens", "tokens", "Token", (_REVOKE,), _token_label, lambda _request, identifier: identifier
)
"""Selection of several tokens, and the steps for them."""


def gaps_told(warnings: Iterable[Mapping[str, str]]) -> list[Markup]:
    """Render a warning for each gap of newly created rules."""
    return [
        notice("A rule leaves out changes: ", warning["message"], ".", tone="warn")
        for warning in warnings
    ]


def pattern_lines(text: str) -> list[str]:
    """Split a text field into patterns, one per line; skip empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def rules_shown(rules: Rules) -> list[Node]:
    """Render rules as one pattern per line; an empty list if there are none."""
    texts = [
        *(f"allow {text}" for text in rules.allow),
        *(f"block {text}" for text in rules.block),
        *(f"approve {text}" for text in rules.approve),
        *(f"at most {quota.title}" for quota in quotas_of(rules.quotas, "token")),
    ]
    return [[h.code(text), h.br()] for text in texts]


def _list(request: PageRequest, *, again: bool = False) -> Markup:
    found = _sorts(request).read(request, partial(_visible_tokens, request), _PAGE)
    rows = [token_row(request, token, ticks=True) for token in found.rows]
    bar = SELECTION.bar(request) if rows and not request.identity.rules else None
    shown = found.table(
        "/tokens",
        "Tokens",
        COLUMNS,
        rows,
        empty="No tokens yet.",
        picks=bar and SELECTION.every(request),
    )
    return h.div(bar, shown, id="list", hx_swap_oob="true" if again else None)


def _sorts(request: PageRequest) -> Sorts:
    members = {
        "Name": "name",
        "Status": "status",
        "Scope": "scope",
        "Expires": "expiresAt",
        "Last used": "lastUsedAt",
    }
    return Sorts(
        members, names="id", value=lambda token, member: token.to_json(request.now).get(member)
    )


def _visible_tokens(
    request: PageRequest, cursor: str | None, limit: int
) -> tuple[list[Token], str | None]:
    """Return a page of the workspace's tokens, and the cursor of the next page, None on the last
    page. A token with rules sees only itself, since other tokens' names and rules may reveal hidden
    objects.
    """
    if request.identity.rules:
        return [
            request.tokens.find(request.identity.id)
        ] if request.identity.kind == "token" else [], None
    return request.tokens.list(cursor=cursor, limit=limit)


def _require_no_rules(request: PageRequest) -> None:
    """Reject callers with rules: they could otherwise create a token without rules.

    :raises Problem: 403 if the caller's token has rules.
    """
    if request.identity.rules:
        raise Problem(403, "a token with rules cannot create or revoke tokens", code="not_allowed")


def _new(request: PageRequest) -> list[Node]:
    gives = request.tokens.gives_approve
    expiry = [("30d", "in 30 days"), ("90d", "in 90 days"), ("365d", "in a year"), ("", "never")]
    create = form(
        request,
        "/tokens",
        text_field(
            "name",
            "Name",
            hint="Who uses it, and for what; named after the time if empty.",
            maxlength=200,
        ),
        h.div(
            choice_field(
                "scope",
                "Scope",
                [
                    (one, _SCOPE_TITLES[one])
                    for one in TOKEN_SCOPES
                    if gives or not may(one, APPROVE)
                ],
                "invoke",
            ),
            choice_field("expires", "Expires", expiry, "90d"),
            class_="pair",
        ),
        h.details(h.summary("Rules"), rule_fields(), class_="further"),
        h.details(
            h.summary("Quota"), h.p(_QUOTA, class_="muted"), quota_fields(), class_="further"
        ),
        h.div(h.button("Create token", class_="primary"), class_="actions"),
        into="#made",
    )
    return panel(
        "new-token",
        "New token",
        "New token",
        create,
        h.div(id="made", aria_live="polite"),
        tone="primary",
    )


def rule_fields(
    rules: Rules | None = None,
    otherwise: str = "the token allows everything that the workspace allows",
) -> Markup:
    """Render the fields of rules; ``otherwise`` describes the effect of a token without rules."""
    example, block = (
        ["One pattern per line, such as ", h.code("aws-ses/*"), f". If empty, {otherwise}."],
        "effect:change & connection:prod-*",
    )
    return h.div(
        lines_field("allow", "Allow", rules.allow if rules else (), example, rows=2),
        lines_field(
            "block",
            "Block",
            rules.block if rules else (),
            ["One pattern per line, such as ", h.code(block), ". Block takes precedence."],
            rows=2,
        ),
        lines_field(
            "approve",
            "Approve",
            rules.approve if rules else (),
            [
                "One pattern per line, such as ",
                h.code("effect:change"),
                ". Such a call waits until a person approves it.",
            ],
            rows=2,
        ),
        class_="stack",
    )


def token_row(
    request: PageRequest, token: Token, address: str = "/tokens", *, ticks: bool = False
) -> tuple[Node, ...]:
    """Render a token as a row of ``COLUMNS``, with a checkbox if ``ticks``; ``address`` is the
    address of the tokens' list.
    """
    status = token.status(request.now)
    revoke: Node = None
    if status == "active" and request.may("manage") and not request.identity.rules:
        told = "Programs and people that use it are refused at once. This cannot be undone."
        revoke = final(request, f"{address}/{token.id}/revocation", "Revoke", told, of=token.name)
    box = tick(token.id, token.name) if ticks and revoke is not None else None
    name = [box, h.strong(token.name), h.br(), h.code(token.id, class_="small")]
    used = at(token.last_used_at, request.now)
    expires = at(token.expires_at, request.now) if token.expires_at is not None else "never"
    return (
        name,
        badge(status),
        token.scope,
        rules_shown(token.rules) or "none",
        expires,
        used,
        revoke,
    )


PAGES: tuple[Page, ...] = (
    Page("/tokens", listed),
    Page("/tokens", created, "POST"),
    Page("/tokens/selection", SELECTION.taken, "POST"),
    Page("/tokens/{id}/revocation", revoked, "POST"),
)
