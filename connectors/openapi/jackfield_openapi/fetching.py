"""HTTP for fetching documents: redirects stay within their origin, and connections keep to the addresses that a guard permits."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from jackfield.connector import Guard, InvalidInput
from jackfield.wire.tls import client_context


class _WithinOrigin(HTTPRedirectHandler):
    """Follows redirects within an origin, and from http to https of the same host."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        """Return the request that follows a redirect.

        :raises InvalidInput: if it leads to another origin.
        """
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        is_upgrade = (old.scheme, new.scheme) == ("http", "https") and old.netloc == new.netloc
        if old[:2] != new[:2] and not is_upgrade:
            shown = "".join(letter for letter in newurl[:200] if letter.isprintable())
            text = f"'{req.full_url[:200]}' redirects to another origin, '{shown}'"
            raise InvalidInput(text, hint="Give that address if you trust it, or download the document.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def opener(guard: Guard, timeout: float) -> OpenerDirector:
    """Return an opener whose direct connections reach only what ``guard`` permits; a proxy of the environment decides for itself."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            self.sock = guard.connect(self.host, self.port, timeout)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            found = guard.connect(self.host, self.port, timeout)
            self.sock = client_context().wrap_socket(found, server_hostname=self.host)

    class Plainly(HTTPHandler):
        def http_open(self, req: Request) -> HTTPResponse:
            return super().http_open(req) if req.has_proxy() else self.do_open(Plain, req)

    class Securely(HTTPSHandler):
        def https_open(self, req: Request) -> HTTPResponse:
            is_tunnelled = getattr(req, "_tunnel_host", None) is not None
            return super().https_open(req) if is_tunnelled else self.do_open(Secure, req)

    made = build_opener(_WithinOrigin, Plainly, Securely)
    made.addheaders = [("Accept", "*/*"), ("User-Agent", "jackfield")]
    return made
