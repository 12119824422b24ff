"""An authorization server whose documents a test changes, and an MCP server that asks for its
tokens.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from jackfield_market.testing import loopback_provider
from jackfield_market.testing.loopback_provider import Answer, Request
from mcp_rig import Talk, ToolServer


class Provider:
    """Authorization server whose documents a test changes; ``seen`` are its requests, each a
    method, a path and a body.
    """

    def __init__(self) -> None:
        self.place = loopback_provider.Provider(self._answer)
        self.url = self.place.url
        self.seen: list[tuple[str, str, str, dict[str, str]]] = []
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["notes:read", "offline_access"],
            "authorization_response_iss_parameter_supported": True,
        }
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
        return {
            "access_token": f"access-{self.issued}",
            "token_type": "Bearer",
            "expires_in": self.lasts,
            "refresh_token": "refresh-1",
        }

    def forms(self) -> list[dict[str, str]]:
        """Forms that the token endpoint got."""
        return [
            {name: one[0] for name, one in parse_qs(body).items()}
            for _, path, body, _ in self.seen
            if path == "/token"
        ]

    def registrations(self) -> int:
        """How many clients were registered."""
        return sum(path == "/register" for _, path, _, _ in self.seen)

    def serving(self) -> loopback_provider.Provider:
        """Return what runs it."""
        return self.place

    def _answer(self, _number: int, request: Request) -> Answer:
        """Send a document, register a client, or issue a token."""
        body = request.body.decode()
        self.seen.append((request.method, request.path, body, dict(request.headers)))
        if request.path.startswith("/authorize?"):
            return self._asking(parse_qs(urlsplit(request.path).query))
        found = self._made(request.path) if request.changes else self.documents.get(request.path)
        status, headers, value = (
            found if isinstance(found, tuple) else (200 if found else 404, {}, found)
        )
        return Answer(value, status, headers)

    def _made(self, path: str) -> Any:
        return self.registered if path == "/register" else self.token()

    def _asking(self, given: dict[str, list[str]]) -> Answer:
        """Show the page on which a person approves."""
        answer = {"code": "c0de", "state": given["state"][0], "iss": self.url}
        content = (
            f"<h1>{given['scope'][0]}</h1><a "
            f'href="{given["redirect_uri"][0]}?{urlencode(answer)}">Approve</a>'
        )
        return Answer(headers={"Content-Type": "text/html"}, content=content.encode())


def guarded(server: ToolServer, provider: Provider) -> list[bool]:
    """Let a server ask for tokens of a provider, once the flag that is returned is True."""
    about = {
        "resource": server.url,
        "authorization_servers": [provider.url],
        "scopes_supported": ["notes:read"],
    }
    documents: dict[str, Any] = {"/.well-known/oauth-protected-resource/mcp": about}
    server.documents = documents  # type: ignore[attr-defined]
    challenge = (
        "Bearer "
        f'resource_metadata="{server.url.removesuffix("/mcp")}/.well-known/oauth-protected-resource/mcp"'
    )
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
