"""Origin checks for requests of web pages: only pages of the server's own origin and of origins
that the operator allows may call. DNS rebinding can give a foreign page the server's address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import Request

from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.requests.web_pages import page_fault

_DEFAULT = {"http": 80, "https": 443}
_NEVER_SENT = {"http": ":80", "https": ":443"}
_PROXIED = "; behind a proxy, start the server with --behind-proxy and --public-url"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?\Z")


def check_origin(request: Request, settings: ServerSettings, public_url: str) -> None:
    """Refuse requests of web pages, except from the server's own and the operator's allowed
    origins; ``public_url`` is the server's own.

    :raises Problem: 403.
    """
    given, headers = request.headers.getlist("origin"), request.headers
    allowed = {*settings.origins, *_own(request, settings), *_public(public_url)} if given else ()
    fault = page_fault(
        given,
        headers.get("sec-fetch-site", ""),
        headers.get("host", ""),
        allowed=allowed,
        local=settings.local,
    )
    if fault is not None:
        raise Problem(
            403,
            f"{fault}: 'jackfield serve --origin' allows them"
            if "pages" in fault
            else f"{fault}{_PROXIED}",
        )


def check_origins(origins: Iterable[str]) -> None:
    """Check the origins that the operator allows; ``*`` stands for all.

    :raises InvalidInvocation: for an origin that no browser sends: with a path, upper case, or the
        scheme's default port.
    """
    for origin in origins:
        if origin != "*" and (
            not _ORIGIN.match(origin)
            or origin.endswith(_NEVER_SENT.get(origin.partition(":")[0], " "))
        ):
            raise InvalidInvocation(
                f"--origin '{origin[:200]}' is not an origin as browsers send it",
                hint=(
                    "Write scheme and host, and the port unless it is the scheme's default: "
                    "https://app.example, http://localhost:3000."
                ),
            )


def foreign_host(headers: Iterable[tuple[bytes, bytes]], settings: ServerSettings) -> str | None:
    """Explain why a page is not served under the requested host; return None if it is served.

    A server that only this machine can reach has no other name: a page under another name is DNS
    rebinding.
    """
    host = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
    fault = page_fault((), "", host, allowed=(), local=settings.local)
    return fault and f"{fault}{_PROXIED}"


def _public(url: str) -> set[str]:
    parts = urlsplit(url)
    return {f"{parts.scheme}://{parts.netloc}".lower()} if url else set()


def _own(request: Request, settings: ServerSettings) -> set[str]:
    """Return the origins of this server. The request's Host header is trusted over TLS only, where
    a certificate vouches for it; without TLS, an attacker who rebinds a name to this machine
    controls it.
    """
    scheme, server = request.scope["scheme"], request.scope.get("server")
    if settings.local:
        port = server[1] if server else settings.port
        suffix = "" if port == _DEFAULT.get(scheme) else f":{port}"
        return {f"{scheme}://{host}{suffix}" for host in ("127.0.0.1", "localhost", "[::1]")}
    return {f"https://{request.headers.get('host', '')}"} if scheme == "https" else set()
