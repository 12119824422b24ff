"""Small HTTP server on this machine to which a browser returns with a provider's answer (RFC 8252
§7.3).
"""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jackfield.kernel.errors import Unavailable
from jackfield.kernel.failures import ClientsLeave

_PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>jackfield</title><p>You can "
    b"close this page and return to the terminal."
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": str(len(_PAGE)),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


class Loopback(ClientsLeave, HTTPServer):
    """Server on this machine to which the browser returns. ``answers`` are the parameters of
    requests in the form of an answer.
    """

    answers: list[dict[str, str]]

    def answered(self, until: float) -> dict[str, str] | None:
        """Serve requests until one has the form of an answer, and return its parameters; None after
        ``until``. Browsers also request icons.
        """
        self.answers = []
        while (left := until - time.monotonic()) > 0:
            self.timeout = left
            self.handle_request()
            if self.answers:
                return self.answers[0]
        return None


class _Callback(BaseHTTPRequestHandler):
    server: Loopback
    timeout = 5.0

    def do_GET(self) -> None:
        """Accept the provider's answer."""
        parts = urlsplit(self.path)
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path == "/callback" and "state" in given:
            self.server.answers.append(given)
        self.send_response(200 if parts.path == "/callback" else 404)
        for field, value in _HEADERS.items():
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_given: Any) -> None:
        """Log nothing: the address contains the provider's code."""


def listening(port: int) -> Loopback:
    """Listen on a port of 127.0.0.1; 0 for any free port.

    :raises Unavailable: if the port cannot be used.
    """
    try:
        return Loopback(("127.0.0.1", port), _Callback)
    except OSError as error:
        raise Unavailable(
            f"the port {port} cannot be used: {error.strerror}",
            hint="Choose another: '--redirect-port'.",
        ) from None
