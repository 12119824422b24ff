"""The pages that a person sees between a provider and the starting page: they name no connection,
and give the next step.
"""

from __future__ import annotations

from html import escape
from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Header fields of a page whose address contains the provider's code: no other site may learn
it.
"""
_PAGE = """<!doctype html>
<html lang="{locale}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme"
content="light dark"><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>
"""
Key = Literal["stale", "declined", "answered", "connecting"]
_WORDS: dict[str, dict[Key, tuple[str, str]]] = {
    "en": {
        "stale": (
            "Not connected",
            (
                "This approval does not count any more: it was used, its time is over, or you "
                "have begun again. {back}"
            ),
        ),
        "declined": ("Not connected", "You did not approve. {back}"),
        "answered": ("Almost connected", "Go back to where you began: it is finished there."),
        "connecting": ("Connecting", "Continue"),
    },
    "de": {
        "stale": (
            "Nicht verbunden",
            (
                "Diese Zustimmung gilt nicht mehr: Sie wurde benutzt, ist abgelaufen, oder Sie "
                "haben neu begonnen. {back}"
            ),
        ),
        "declined": ("Nicht verbunden", "Sie haben nicht zugestimmt. {back}"),
        "answered": (
            "Fast verbunden",
            "Gehen Sie dorthin zurück, wo Sie begonnen haben: Dort wird es abgeschlossen.",
        ),
        "connecting": ("Es wird verbunden", "Weiter"),
    },
}
_BACK = {
    "en": "Go back to where you began, and go on there. You can close this window.",
    "de": (
        "Gehen Sie dorthin zurück, wo Sie begonnen haben, und machen Sie dort weiter. Dieses "
        "Fenster können Sie schließen."
    ),
}


def page(request: Request, key: Key, status: int = 200) -> Response:
    """Render a page that requires no action."""
    locale, (title, text) = _worded(request, key)
    return HTMLResponse(
        _PAGE.format(locale=locale, title=escape(title), text=escape(text)), status, HEADERS
    )


def handed_over(request: Request, address: str) -> Response:
    """Refresh to a page of this server: a redirect of another site's link would not carry a
    SameSite=Strict cookie.
    """
    locale, (title, text) = _worded(request, "connecting")
    shown = _PAGE.format(
        locale=locale, title=escape(title), text=f'<a href="{escape(address)}">{escape(text)}</a>'
    )
    refresh = f'<meta http-equiv="refresh" content="0;url={escape(address)}"></head>'
    return HTMLResponse(shown.replace("</head>", refresh, 1), 200, HEADERS)


def _worded(request: Request, key: Key) -> tuple[str, tuple[str, str]]:
    accepted = (
        part.strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")
    )
    locale = next((one for one in accepted if one in _WORDS), "en")
    title, text = _WORDS[locale][key]
    return locale, (title, text.format(back=_BACK[locale]))
