"""A small HashiCorp Vault on loopback: version 2 of the KV engine, tokens, namespaces, faults, redirects, with or without TLS."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up, as those do who do not trust its certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class VaultServer:
    """A context manager. ``secrets`` are lists of versions (each an object of fields) by ``mount/path``; ``reads`` counts requests.

    ``token`` is what it takes, ``namespace`` what it must be told, ``status`` what it answers to everything, ``redirect`` where it sends
    its clients, ``body`` what it says instead of an answer.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None, token: str = "root-token", namespace: str | None = None) -> None:
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        self.token = token
        self.namespace = namespace
        self.status: int | None = None
        self.redirect: str | None = None
        self.body: bytes | None = None
        self.reads: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._scheme = "http"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What VAULT_ADDR is."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def environment(self, **more: str) -> dict[str, str]:
        """The variables that lead to this server."""
        return {"VAULT_ADDR": self.url, "VAULT_TOKEN": self.token, **more}

    def answer(self, path: str, token: str | None, namespace: str | None) -> tuple[int, Any]:
        """Status and body of a request."""
        parts = urlsplit(path)
        self.reads.append(path)
        if self.status is not None:
            return self.status, {"errors": ["as told"]}
        if token != self.token or (self.namespace is not None and namespace != self.namespace):
            return 403, {"errors": ["permission denied"]}
        mount, _, rest = unquote(parts.path).removeprefix("/v1/").partition("/data/")
        versions = self.secrets.get(f"{mount}/{rest}", [])
        version = int(parse_qs(parts.query).get("version", [str(len(versions))])[0])
        if not 1 <= version <= len(versions):
            return 404, {"errors": []}
        return 200, {"data": {"data": versions[version - 1], "metadata": {"version": version}}}


def _handler(vault: VaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer one read."""
            status, found = vault.answer(self.path, self.headers.get("X-Vault-Token"), self.headers.get("X-Vault-Namespace"))
            content = json.dumps(found).encode() if vault.body is None else vault.body
            self.send_response(307 if vault.redirect is not None else status)
            if vault.redirect is not None:
                self.send_header("Location", vault.redirect)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
