"""An authorization server whose documents a test changes, and an MCP server that asks for its tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from mcp_rig import Talk, ToolServer


class Provider:
    """Authorization server whose documents a test changes; ``seen`` are its requests, each a method, a path and a body."""

    def __init__(self) -> None:
        owner = self

        class Asked(BaseHTTPRequestHandler):
            def log_message(self, *_words: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                """Send a document."""
                owner.seen.append(("GET", self.path, "", dict(self.headers)))
                if self.path.startswith("/authorize?"):
                    self._ask_person(parse_qs(urlsplit(self.path).query))
                else:
                    self._send(owner.documents.get(self.path))

            def do_POST(self) -> None:
                """Register a client, or issue a token."""
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                owner.seen.append(("POST", self.path, body, dict(self.headers)))
                self._send(owner.registered if self.path == "/register" else owner.token())

            def _ask_person(self, given: dict[str, list[str]]) -> None:
                """Show the page on which a person approves."""
                answer = {"code": "c0de", "state": given["state"][0], "iss": owner.url}
                content = f'<h1>{given["scope"][0]}</h1><a href="{given["redirect_uri"][0]}?{urlencode(answer)}">Approve</a>'.encode()
                self.send_response(200)
                for name, text in {"Content-Type": "text/html", "Content-Length": str(len(content))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(content)

            def _send(self, found: Any) -> None:
                status, headers, value = found if isinstance(found, tuple) else (200 if found else 404, {}, found)
                content = json.dumps(value).encode()
                self.send_response(status)
                for name, text in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(content)

        self.place = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self.url = f"http://127.0.0.1:{self.place.server_port}"
        self.seen: list[tuple[str, str, str, dict[str, str]]] = []
        self.metadata: dict[str, Any] = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register", "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["notes:read", "offline_access"], "authorization_response_iss_parameter_supported": True,
        }  # fmt: skip
        self.documents: dict[str, Any] = {"/.well-known/oauth-authorization-server": self.metadata}
        self.registered: Any = {
            "client_id": "made-1",
            "client_secret": "secret-of-made-1",
            "token_endpoint_auth_method": "client_secret_basic",
        }
        self.lasts = 3600
        self.issued = 0

    def token(self) -> Any:
        """A new token."""
        self.issued += 1
        return {"access_token": f"access-{self.issued}", "token_type": "Bearer", "expires_in": self.lasts, "refresh_token": "refresh-1"}

    def forms(self) -> list[dict[str, str]]:
        """Forms that the token endpoint got."""
        return [{name: one[0] for name, one in parse_qs(body).items()} for _, path, body, _ in self.seen if path == "/token"]

    def registrations(self) -> int:
        """How many clients were registered."""
        return sum(path == "/register" for _, path, _, _ in self.seen)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run it."""
        thread = threading.Thread(target=self.place.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.place.shutdown()
            self.place.server_close()
            thread.join(5)


def guarded(server: ToolServer, provider: Provider) -> list[bool]:
    """Let a server ask for tokens of a provider, once the flag that is returned is True."""
    about = {"resource": server.url, "authorization_servers": [provider.url], "scopes_supported": ["notes:read"]}
    documents: dict[str, Any] = {"/.well-known/oauth-protected-resource/mcp": about}
    server.documents = documents  # type: ignore[attr-defined]
    challenge = f'Bearer resource_metadata="{server.url.removesuffix("/mcp")}/.well-known/oauth-protected-resource/mcp"'
    server.challenge = challenge  # type: ignore[attr-defined]
    locked = [False]

    def before(talk: Talk) -> bool:
        if talk.message["method"] == "GET":
            found = documents.get(talk.message["path"])
            talk.json(found if found is not None else {}, 404 if found is None else 200)
            return True
        if not locked[0] or talk.headers.get("Authorization", "").startswith("Bearer access-"):
            return False
        talk.json({}, 401, WWW_Authenticate=server.challenge)  # type: ignore[attr-defined]
        return True

    server.before = before
    return locked
