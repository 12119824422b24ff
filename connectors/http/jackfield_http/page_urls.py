"""Addresses of pages: the tokens that are addresses, and the addresses that requests with
credentials may follow.

An address must be on the connection's own server. An address from the server in this invocation may
lead anywhere below the connection's path. An address from a caller may lead only to the list
itself, or below the declared ``under``.
"""

from __future__ import annotations

import re
from typing import NoReturn

from jackfield.connector import Detail, InvalidInput, Sent, Unavailable, current_call
from jackfield.kernel.dataclass import replace
from jackfield_http.urls import Url, UrlError

_WHOLE = re.compile(r"https?://", re.IGNORECASE)
_AFTER_PATH = re.compile(r"[?#]")


class Elsewhere(Unavailable):
    """Error for a next page whose address must not be followed."""

    address = ""


def is_address(token: object, own: Url) -> bool:
    """Return whether a token is an address: a whole URL, or the list's own path. Any other string
    is a value.
    """
    return isinstance(token, str) and (
        is_whole(token) or _AFTER_PATH.split(token, maxsplit=1)[0] == own.path
    )


def is_whole(token: str) -> bool:
    """Return whether a token is a whole URL."""
    return _WHOLE.match(token) is not None


def given(answered: Url, address: str, server: Url, *, root: str) -> Url:
    """Return the URL of a page that a response names, relative to ``answered``; ``root`` is the
    path that must contain the URL.

    A provider behind a gateway may name the list's path without the gateway's prefix, such as
    Confluence behind api.atlassian.com. Then only the query of the address is used.

    :raises Elsewhere: if the URL is invalid, or would carry the credentials elsewhere.
    """
    try:
        found = own_scheme(answered.joined(address), server)
    except UrlError as error:
        raise _lost(address, f"the URL of the next page {error}") from None
    if found.origin != server.origin:
        raise _lost(address, "the next page is on another server, to which no credentials are sent")
    if not is_below(found, root) and found.path.strip("/") and answered.path.endswith(found.path):
        return replace(found, path=answered.path)
    if not is_below(found, root):
        hint = "Set the connection's server to a URL above it."
        raise _lost(
            address,
            f"the next page is not below '{root}', where the connection's credentials belong",
            hint,
        )
    return found


def followed(own: Url, token: str, server: Url, *, root: str, under: str | None) -> Url:
    """Return the URL of a page whose address is a token. A caller may supply any token, so the URL
    must stay on this server and list.

    :raises InvalidInput: if the URL leads elsewhere.
    """
    try:
        url = own_scheme(own.joined(token), server)
    except UrlError:
        refuse("is not a token of this list")
    call = current_call()
    named_here = call is not None and call.follows
    allowed = url.path == own.path if under is None else is_below(url, under)
    fits = allowed or (named_here and is_below(url, root))
    if url.origin != own.origin or not fits:
        refuse("leads to another resource than this list")
    return url


def is_below(url: Url, root: str) -> bool:
    """Return whether a URL's path is ``root`` or below it."""
    return url.path == root or url.path.startswith(f"{root.rstrip('/')}/")


def refuse(text: str) -> NoReturn:
    """Refuse a caller's token with the message ``text``.

    :raises InvalidInput: always.
    """
    hint = (
        "Use 'nextToken' of a page. Where a list goes on at another path, declare that as 'under'."
    )
    raise InvalidInput(
        "1 input is not valid", details=[Detail("/nextToken", text)], hint=hint, sent=Sent.NOTHING
    )


def own_scheme(found: Url, server: Url) -> Url:
    """Return a URL with the scheme of the server: a server behind a proxy that ends TLS names
    itself by http, which is never requested.
    """
    if (server.scheme, found.scheme, found.host) != (
        "https",
        "http",
        server.host,
    ) or found.port not in {80, server.port}:
        return found
    return (
        found
        if found.port == 80 and server.port not in {80, 443}
        else replace(found, scheme="https", port=server.port)
    )


def _lost(address: str, text: str, hint: str | None = None) -> Elsewhere:
    error = Elsewhere(text, hint=hint, sent=Sent.UNKNOWN, repeatable=False)
    error.address = address
    return error
