"""SES API v2 on loopback, as far as the doctor reads it: the account, identities by region, the suppression list."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

__all__ = ["SesV2Server", "Setup"]

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/")
_NOT_FOUND = (404, {"message": "no such resource"}, "NotFoundException")


@dataclass
class Setup:
    """What the server answers. ``denied`` are operations that the credentials may not call."""

    account: dict[str, Any]
    identities: dict[tuple[str, str], dict[str, Any]]
    suppressed: dict[str, dict[str, Any]] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    speaks_v2: bool = True

    def answer(self, path: str, region: str) -> tuple[int, dict[str, Any], str | None]:
        """Return status, body and error code for a GET."""
        if not self.speaks_v2:
            return 501, {"message": "API for service 'sesv2' not yet implemented or pro feature"}, "InternalFailure"
        kind, _, name = path.removeprefix("/v2/email/").partition("/")
        operation, found = self._find(kind, name, region)
        if operation in self.denied:
            return 403, {"message": f"User is not authorized to perform: ses:{operation}"}, "AccessDeniedException"
        return (200, found, None) if found is not None else _NOT_FOUND

    def _find(self, kind: str, name: str, region: str) -> tuple[str, dict[str, Any] | None]:
        if kind == "account":
            return "GetAccount", self.account
        if kind == "identities":
            return "GetEmailIdentity", self.identities.get((name, region))
        return "GetSuppressedDestination", self.suppressed.get(name.rpartition("/")[2])


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128
    """The doctor asks eight regions at once: a connection that finds no room here is repeated by TCP after one second, and after three."""


class SesV2Server:
    """Serves one set-up; ``url`` is its address."""

    def __init__(self, setup: Setup) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = _SCOPE.search(self.headers["Authorization"])
                status, body, code = setup.answer(unquote(self.path), found[1] if found else "")
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("x-amzn-RequestId", "11111111-2222-3333-4444-555555555555")
                if code is not None:
                    self.send_header("x-amzn-ErrorType", code)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self._server = _Listener(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
