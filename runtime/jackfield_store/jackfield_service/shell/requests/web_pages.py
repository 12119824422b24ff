"""Checks for requests that a web page makes a browser send: cross-site requests (CSRF) and DNS
rebinding.

Shared by ``/mcp`` and Dapr's API. A program sends neither ``Origin`` nor ``Sec-Fetch-Site``, and
names the host that it calls.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Host names of this machine on its loopback interface."""
_OWN_SITE = ("", "none", "same-origin")


def page_fault(
    origins: Sequence[str], site: str, host: str, *, allowed: Collection[str], local: bool
) -> str | None:
    """Explain why a request must be refused; return None for a program or a page from an allowed
    origin.

    ``origins`` are the values of ``Origin``, ``site`` is ``Sec-Fetch-Site`` and ``host`` is
    ``Host``, empty if missing. ``local`` means that the server is for this machine only, so that
    another host name indicates DNS rebinding.
    """
    foreign = next((origin for origin in origins if origin not in allowed), None)
    if foreign is not None:
        return f"web pages from '{foreign[:100]}' are not allowed to call"
    if not origins and site.strip().lower() not in _OWN_SITE:
        return "web pages from other sites are not allowed to call"
    if local and host and _name(host) not in LOOPBACK:
        return f"the host '{host[:100]}' is not this machine: call 127.0.0.1 or localhost"
    return None


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
