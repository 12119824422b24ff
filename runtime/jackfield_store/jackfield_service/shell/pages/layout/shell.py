"""Frame of every page (head, navigation, account), and the security headers of every response."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import HTMLResponse, RedirectResponse, Response

from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.pages.layout.assets import asset
from jackfield_service.shell.pages.layout.components import form, glyph, h, heading, notice
from jackfield_service.shell.pages.layout.drawn import ANEW, MOVED
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.requests.prefix import current_prefix

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HTMX = '{"includeIndicatorCSS": false, "history": "reload", "defaultTimeout": 0, "prefix": ""}'
_SECTIONS = (
    (None, (("overview", "/", "Overview"),)),
    (
        "Integrations",
        (
            ("connectors", "/connectors", "Connectors"),
            ("connections", "/connections", "Connections"),
        ),
    ),
    (
        "Activity",
        (
            ("invocations", "/invocations", "Invocations"),
            ("approvals", "/approvals", "Approvals"),
            ("doubts", "/doubts", "In doubt"),
            ("queue", "/queue", "Queue"),
            ("files", "/files", "Files"),
        ),
    ),
    (
        "Automation",
        (
            ("schedules", "/schedules", "Schedules"),
            ("subscriptions", "/subscriptions", "Subscriptions"),
            ("callbacks", "/callbacks", "Callbacks"),
        ),
    ),
    (
        "Administration",
        (
            ("tokens", "/tokens", "Tokens"),
            ("workspace", "/workspace", "Settings"),
            ("audit", "/audit", "Audit log"),
            ("tenants", "/tenants", "Tenants"),
        ),
    ),
)
"""Sections by subject: key, which also names its picture in ``icons.svg``, address and title."""
_OF_MANAGERS = ("callbacks", "audit")
"""Sections about the whole workspace."""
_OF_OPERATORS = ("tenants",)
"""Sections with data of all workspaces."""
LOGO = Markup(
    '<svg class="logo" viewBox="0 0 28 28" aria-hidden="true"><rect x="1" y="1" width="26" '
    'height="26" rx="6"/>'
    '<circle cx="8.5" cy="9" r="2.6"/><circle cx="19.5" cy="9" r="2.6"/><circle cx="8.5" cy="19" '
    'r="2.6"/><circle cx="19.5" cy="19" r="2.6"/>'
    '<path d="M8.5 9c0 7 11 3 11 10"/></svg>'
)


def document(title: str, *content: Node, scripts: tuple[str, ...] = ()) -> Markup:
    """Render a document. Scripts are deferred and run in the given order."""
    links = [
        h.link(rel="stylesheet", href=asset("console.css")),
        h.link(rel="icon", href=asset("icon.svg"), type="image/svg+xml"),
    ]
    metas = [
        h.meta(charset="utf-8"),
        h.meta(name="viewport", content="width=device-width, initial-scale=1"),
    ]
    metas += [
        h.meta(name="color-scheme", content="light dark"),
        h.meta(name="htmx-config", content=_HTMX),
    ]
    code = [
        h.script(src=asset(name), defer=True)
        for name in ("vendor/htmx-4.0.1.min.js", "console.js", *scripts)
    ]
    head = h.head(metas, h.title(f"{title} · jackfield"), links, code)
    return h.join(
        [
            Markup("<!doctype html>"),
            h.html(head, h.body(*content), lang="en", data_prefix=current_prefix() or None),
        ]
    )


def page(
    request: PageRequest,
    section: str,
    title: str,
    *content: Node,
    lead: Node = None,
    head: Markup | None = None,
    scripts: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    """Render a page with the navigation, in which ``section`` is marked as current, below its title
    with the sentence ``lead``; ``head`` replaces both.
    """
    whole = document(
        title,
        h.a("Skip to content", href="#content", class_="skip"),
        _navigation(request, section),
        h.main(
            head or heading(title, lead=lead),
            _silence(request),
            _anew(request),
            *content,
            id="content",
            tabindex="-1",
        ),
        _sign_in_again(),
        scripts=("session.js", "typing.js", *scripts),
    )
    return secured(HTMLResponse(whole, status))


def _silence(request: PageRequest) -> Markup | None:
    text = (
        "The database does not answer. What it has stored, such as connections, is not "
        "shown, and nothing can be run until it is back."
    )
    return notice(text, tone="warn") if request.is_silent else None


def _anew(request: PageRequest) -> Markup | None:
    return notice(MOVED, tone="warn") if ANEW in request.query else None


def fragment(*content: Node, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Render a part of a page for htmx."""
    return secured(HTMLResponse(h.join(content), status, headers))


def outcome(
    request: PageRequest, section: str, title: str, *content: Node, status: int = 200
) -> Response:
    """Render the outcome of a form: as a fragment for htmx, else as a page."""
    return (
        fragment(*content)
        if request.partial
        else page(request, section, title, *content, status=status)
    )


def redirect(request: PageRequest, address: str) -> Response:
    """Redirect to another page of the console, for htmx by its own header."""
    if request.partial:
        return fragment(headers={"HX-Redirect": address})
    return secured(RedirectResponse(address, 303))


def secured(response: Response) -> Response:
    """Add the console's security headers to a response."""
    response.headers.update(_HEADERS)
    return response


def _navigation(request: PageRequest, section: str) -> Markup:
    who = request.identity.name or request.identity.id
    return h.header(
        h.a(LOGO, h.span("jackfield"), href="/", class_="brand"),
        h.p(
            h.span("Workspace "),
            h.strong(request.identity.workspace),
            _switch(request),
            class_="where",
        ),
        h.button("Menu", type="button", popovertarget="menu"),
        h.div(
            h.button("Close", type="button", popovertarget="menu", class_="quiet"),
            h.nav(
                [_links(request, section, group, own) for group, own in _SECTIONS],
                aria_label="Sections",
            ),
            h.div(
                h.p(who, " · ", request.identity.scope, class_="who"),
                form(request, "/logout", h.button("Sign out", class_="quiet")),
                h.a("API", href="/docs"),
                class_="account",
            ),
            id="menu",
            popover=True,
        ),
        class_="side",
        data_session=session_of(request.identity),
    )


def _links(
    request: PageRequest, section: str, group: str | None, own: Iterable[tuple[str, str, str]]
) -> list[Node]:
    links = [
        h.li(h.a(glyph(key), title, href=address, aria_current="page" if key == section else None))
        for key, address, title in own
        if _sees(request, key)
    ]
    return (
        [h.p(group, class_="group"), h.ul(links)]
        if group and links
        else [h.ul(links)]
        if links
        else []
    )


def session_of(identity: Identity) -> str:
    """Return the key of sessions whose forms are interchangeable: it differs by workspace and
    person.
    """
    return f"{identity.workspace} {identity.id}"


SIGNED_IN = "/login/done"
"""Address of the last page of a window in which a person signs in again."""


def _sign_in_again() -> Markup:
    return h.dialog(
        h.div(
            h.h2("Your session has ended", id="session-ended-title"),
            h.p(
                "The form was not sent. Sign in in a new window: this page stays as it is, and "
                "the form is sent then."
            ),
            h.p(role="status"),
            h.div(
                h.a(
                    "Sign in",
                    href=f"/login?next={SIGNED_IN}",
                    class_="button primary",
                    target="_blank",
                ),
                h.button("Close", type="button", data_close="session-ended"),
                class_="actions",
            ),
            class_="stack",
        ),
        id="session-ended",
        aria_labelledby="session-ended-title",
    )


def _sees(request: PageRequest, section: str) -> bool:
    if section in _OF_OPERATORS:
        return request.operator
    if section == "approvals":
        return request.may("approve")
    return section not in _OF_MANAGERS or (request.may("manage") and not request.identity.rules)


def _switch(request: PageRequest) -> Node:
    address = (
        "/tenants"
        if request.operator
        else "/workspaces"
        if len(request.identity.others) > 1
        else None
    )
    return None if address is None else [" ", h.a("Switch", href=address)]
