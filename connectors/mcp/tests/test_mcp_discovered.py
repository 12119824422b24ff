"""Sign-in by discovery: a person approves at the provider that the server names, and a hostile server learns no credential."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jackfield.catalog import Catalog
from jackfield.kernel.errors import JackfieldError
from jackfield_store.runtime import Jackfield
from mcp_rig import Talk, ToolServer, call, generate, serving
from plugboard import declare, plugged

REDIRECT = "https://jackfield.example.com/callback"


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
                self._send(owner.documents.get(self.path))

            def do_POST(self) -> None:
                """Register a client, or issue a token."""
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                owner.seen.append(("POST", self.path, body, dict(self.headers)))
                self._send(owner.registered if self.path == "/register" else owner.token())

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


class Stage:
    """A server that wants a sign-in, its provider, and a runtime with a connection to it."""

    def __init__(self, server: ToolServer, provider: Provider, jackfield: Jackfield) -> None:
        self.server, self.provider, self.jackfield = server, provider, jackfield

    def begin(self, **values: Any) -> dict[str, Any]:
        """Begin an authorization."""
        self.jackfield.connections.add("main", "notes/oauth2Discovered", values, test=False)
        found: dict[str, Any] = self.jackfield.connections.authorizing().begin("main", REDIRECT)
        return found

    def complete(self, begun: dict[str, Any], **more: str | None) -> None:
        """Bring the provider's answer."""
        state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
        answer = {"code": "c0de", "state": state, "iss": self.provider.url, **more}
        given = {name: value for name, value in answer.items() if value is not None}
        self.jackfield.connections.authorizing().complete(begun["id"], given)


@contextmanager
def stage(folder: Path, change: Callable[[ToolServer, Provider], object] = lambda _server, _provider: None) -> Iterator[Stage]:
    """Run all of it; ``change`` changes what is said before anybody asks."""
    server, provider = ToolServer(), Provider()
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
    thread = threading.Thread(target=provider.place.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with serving(server):
        generate(folder, server.url)
        locked[0] = True
        change(server, provider)
        declare(folder / "made", "jackfield-notes", "jackfield.connectors", {"notes": "jackfield_notes:mcp"})
        home = {"JACKFIELD_HOME": str(folder)}
        with (
            plugged(folder / "made"),
            Jackfield(catalog=Catalog.installed(), database_url=f"sqlite:///{folder}/j.db", environment=home) as jackfield,
        ):
            yield Stage(server, provider, jackfield)
    provider.place.shutdown()
    provider.place.server_close()
    thread.join(5)


def test_a_person_signs_in(tmp_path: Path) -> None:
    """A client is registered, the person is asked for what the server names, and every token request names the server."""
    with stage(tmp_path) as found:
        begun = found.begin()
        asked = {name: one[0] for name, one in parse_qs(urlsplit(begun["url"]).query).items()}
        assert (asked["client_id"], asked["resource"], asked["scope"]) == ("made-1", found.server.url, "notes:read offline_access")
        assert asked["code_challenge_method"] == "S256"
        assert call(found.jackfield).error.code == "invalid_connection"
        found.complete(begun)
        assert call(found.jackfield).status == "succeeded"
        assert call(found.jackfield).status == "succeeded"
        form = found.provider.forms()[0]
        assert (form["resource"], form["redirect_uri"], bool(form["code_verifier"])) == (found.server.url, REDIRECT, True)
        assert found.server.requests[-1][1]["Authorization"].startswith("Bearer access-")


def test_refresh(tmp_path: Path) -> None:
    """A refresh goes to the provider that was found at the approval, with the registered client, and names the server."""

    def short(_server: ToolServer, provider: Provider) -> None:
        provider.lasts = 1

    with stage(tmp_path, short) as found:
        found.complete(found.begin())
        found.provider.metadata["token_endpoint"] = "http://127.0.0.1:9/token"
        assert call(found.jackfield).status == "succeeded"
        forms = found.provider.forms()
        assert [form["grant_type"] for form in forms] == ["authorization_code", "refresh_token"]
        assert forms[1]["resource"] == found.server.url
        assert call(found.jackfield).status == "succeeded"


def test_resource_is_a_setting(tmp_path: Path) -> None:
    """Providers that refuse 'resource' get none, and an entered client is not registered."""
    with stage(tmp_path) as found:
        begun = found.begin(resource="none", clientId="own", clientSecret="own-secret-4711", scopes=["notes:write"])
        asked = {name: one[0] for name, one in parse_qs(urlsplit(begun["url"]).query).items()}
        found.complete(begun)
        assert ("resource" in asked, asked["client_id"], asked["scope"]) == (False, "own", "notes:write offline_access")
        assert "resource" not in found.provider.forms()[0]
        assert not [path for _, path, _, _ in found.provider.seen if path == "/register"]


def _resource(value: Any) -> Callable[[ToolServer, Provider], object]:
    def change(server: ToolServer, _provider: Provider) -> None:
        server.documents["/.well-known/oauth-protected-resource/mcp"]["resource"] = value  # type: ignore[attr-defined]

    return change


def _issuer(value: str) -> Callable[[ToolServer, Provider], object]:
    def change(server: ToolServer, _provider: Provider) -> None:
        server.documents["/.well-known/oauth-protected-resource/mcp"]["authorization_servers"] = [value]  # type: ignore[attr-defined]

    return change


def _metadata(**members: Any) -> Callable[[ToolServer, Provider], object]:
    return lambda _server, provider: provider.metadata.update(members)


def _elsewhere(url: str) -> Callable[[ToolServer, Provider], object]:
    def change(server: ToolServer, _provider: Provider) -> None:
        server.challenge = f'Bearer resource_metadata="{url}"'  # type: ignore[attr-defined]

    return change


def _redirect(_server: ToolServer, provider: Provider) -> None:
    provider.documents["/.well-known/oauth-authorization-server"] = (302, {"Location": f"{provider.url}/other"}, {})
    provider.documents["/other"] = provider.metadata


REFUSED: dict[str, Callable[[ToolServer, Provider], object]] = {
    "another resource": _resource("https://other.example.com/mcp"),
    "another path": _resource("http://127.0.0.1/mcp/deeper"),
    "no resource": _resource(None),
    "metadata on another host": _elsewhere("http://127.0.0.1:9/metadata"),
    "metadata of the cloud": _elsewhere("http://169.254.169.254/latest"),
    "issuer of the cloud": _issuer("https://169.254.169.254"),
    "internal issuer": _issuer("https://10.1.2.3"),
    "issuer by http": _issuer("http://login.example.com"),
    "issuer that is no URL": _issuer("file:///etc/passwd"),
    "issuer with a slash": _metadata(issuer="http://127.0.0.1/"),
    "no PKCE": _metadata(code_challenge_methods_supported=["plain"]),
    "PKCE unsaid": _metadata(code_challenge_methods_supported=None),
    "token endpoint by http": _metadata(token_endpoint="http://login.example.com/token"),
    "no token endpoint": _metadata(token_endpoint=None),
    "metadata by a redirect": _redirect,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_metadata(tmp_path: Path, name: str) -> None:
    """What is not as it should be ends the sign-in before anybody is asked, and nothing is sent anywhere else."""
    with stage(tmp_path, REFUSED[name]) as found:
        began = time.monotonic()
        with pytest.raises(JackfieldError) as caught:
            found.begin()
        assert time.monotonic() - began < 20
        assert caught.value.code in ("invalid_connection", "unavailable", "timeout")
        assert not [path for method, path, _, _ in found.provider.seen if method == "POST" or path == "/other"]


@pytest.mark.parametrize("iss", [None, "https://other.example.com", "slash"])
def test_answer_of_another_issuer(tmp_path: Path, iss: str | None) -> None:
    """An answer without the issuer that the provider announces, or with another one, is refused before the code is sent."""
    with stage(tmp_path) as found:
        begun = found.begin()
        with pytest.raises(JackfieldError):
            found.complete(begun, iss=f"{found.provider.url}/" if iss == "slash" else iss)
        assert found.provider.forms() == []


def test_token_endpoint_that_redirects(tmp_path: Path) -> None:
    """A token endpoint that redirects gets the code once, and nobody else does."""
    with stage(tmp_path) as found:
        begun = found.begin()
        found.provider.token = lambda: (307, {"Location": f"{found.provider.url}/stolen"}, {})  # type: ignore[method-assign]
        with pytest.raises(JackfieldError):
            found.complete(begun)
        assert not [path for _, path, _, _ in found.provider.seen if path == "/stolen"]


def test_server_that_changed(tmp_path: Path) -> None:
    """An approval for one server is none for another."""
    with stage(tmp_path) as found:
        found.complete(found.begin())
        other = found.server.url.replace("/mcp", "/other")
        found.jackfield.connections.replace("main", {"server": other}, test=False)
        sent = len(found.server.requests)
        assert call(found.jackfield).error.code == "invalid_connection"
        assert not [one for one in found.server.requests[sent:] if "Authorization" in one[1]]
