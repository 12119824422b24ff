"""Sign-in by discovery: a person approves at the provider that the server names, and a hostile
server learns no credential.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jackfield.kernel.errors import JackfieldError
from mcp_provider import Provider
from mcp_rig import Talk, ToolServer, call
from mcp_sign_in import REDIRECT, asked, stage


def test_a_person_signs_in(tmp_path: Path) -> None:
    """A client is registered, the person is asked for what the server names, and every token
    request names the server.
    """
    with stage(tmp_path) as found:
        begun = found.begin()
        asked = {name: one[0] for name, one in parse_qs(urlsplit(begun["url"]).query).items()}
        assert (asked["client_id"], asked["resource"], asked["scope"]) == (
            "made-1",
            found.server.url,
            "notes:read offline_access",
        )
        assert asked["code_challenge_method"] == "S256"
        assert call(found.jackfield).error.code == "invalid_connection"
        found.complete(begun)
        assert call(found.jackfield).status == "succeeded"
        assert call(found.jackfield).status == "succeeded"
        form = found.provider.forms()[0]
        assert (form["resource"], form["redirect_uri"], bool(form["code_verifier"])) == (
            found.server.url,
            REDIRECT,
            True,
        )
        assert found.server.requests[-1][1]["Authorization"].startswith("Bearer access-")


@pytest.mark.parametrize(
    ("taken", "sent"),
    [
        (["client_secret_basic", "client_secret_post"], "body"),
        (["client_secret_post"], "body"),
        (["client_secret_basic"], "header"),
        (None, "header"),
        (["private_key_jwt"], "header"),
        (["client_secret_post", "none"], "nothing"),
    ],
)
def test_where_a_registered_client_sends_its_secret(
    tmp_path: Path, taken: list[str] | None, sent: str
) -> None:
    """In the body where the provider takes it there: servers of the Python SDK want the client's ID
    in the form, whatever they say of the header field. Without a list, RFC 8414 means the header
    field.
    """

    def change(_server: ToolServer, provider: Provider) -> None:
        provider.metadata |= (
            {} if taken is None else {"token_endpoint_auth_methods_supported": taken}
        )
        del provider.registered["token_endpoint_auth_method"]
        if sent == "nothing":
            del provider.registered["client_secret"]

    with stage(tmp_path, change) as found:
        found.complete(found.begin())
        form = found.provider.forms()[0]
        (headers,) = (headers for _, path, _, headers in found.provider.seen if path == "/token")
        in_header = any(name.lower() == "authorization" for name in headers)
        assert (form.get("client_id"), "client_secret" in form, in_header) == {
            "body": ("made-1", True, False),
            "header": (None, False, True),
            "nothing": ("made-1", False, False),
        }[sent]


def test_refresh(tmp_path: Path) -> None:
    """A refresh goes to the provider that was found at the approval, with the registered client,
    and names the server.
    """

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
        begun = found.begin(
            resource="none", clientId="own", clientSecret="own-secret-4711", scopes=["notes:write"]
        )
        asked = {name: one[0] for name, one in parse_qs(urlsplit(begun["url"]).query).items()}
        found.complete(begun)
        assert ("resource" in asked, asked["client_id"], asked["scope"]) == (
            False,
            "own",
            "notes:write offline_access",
        )
        assert "resource" not in found.provider.forms()[0]
        assert not [path for _, path, _, _ in found.provider.seen if path == "/register"]


def _resource(value: Any) -> Callable[[ToolServer, Provider], object]:
    def change(server: ToolServer, _provider: Provider) -> None:
        server.documents["/.well-known/oauth-protected-resource/mcp"]["resource"] = value  # type: ignore[attr-defined]

    return change


def _issuer(value: str) -> Callable[[ToolServer, Provider], object]:
    def change(server: ToolServer, _provider: Provider) -> None:
        server.documents["/.well-known/oauth-protected-resource/mcp"]["authorization_servers"] = [  # type: ignore[attr-defined]
            value
        ]

    return change


def _metadata(**members: Any) -> Callable[[ToolServer, Provider], object]:
    return lambda _server, provider: provider.metadata.update(members)


REFUSED: dict[str, Callable[[ToolServer, Provider], object]] = {
    "another resource": _resource("https://other.example.com/mcp"),
    "another path": _resource("http://127.0.0.1/mcp/deeper"),
    "no resource": _resource(None),
    "internal issuer": _issuer("https://10.1.2.3"),
    "issuer by http": _issuer("http://login.example.com"),
    "issuer that is no URL": _issuer("file:///etc/passwd"),
    "no PKCE": _metadata(code_challenge_methods_supported=["plain"]),
    "PKCE unsaid": _metadata(code_challenge_methods_supported=None),
    "token endpoint by http": _metadata(token_endpoint="http://login.example.com/token"),
    "no token endpoint": _metadata(token_endpoint=None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_metadata(tmp_path: Path, name: str) -> None:
    """What is not as it should be ends the sign-in before anybody is asked, and nothing is sent
    anywhere else.
    """
    with stage(tmp_path, REFUSED[name]) as found:
        began = time.monotonic()
        with pytest.raises(JackfieldError) as caught:
            found.begin()
        assert time.monotonic() - began < 20
        assert caught.value.code in ("invalid_connection", "unavailable", "timeout")
        assert not [
            path
            for method, path, _, _ in found.provider.seen
            if method == "POST" or path == "/other"
        ]


def test_server_that_changed(tmp_path: Path) -> None:
    """An approval for one server is none for another."""
    with stage(tmp_path) as found:
        found.complete(found.begin())
        other = found.server.url.replace("/mcp", "/other")
        found.jackfield.connections.replace("main", {"server": other}, test=False)
        sent = len(found.server.requests)
        assert call(found.jackfield).error.code == "invalid_connection"
        assert not [one for one in found.server.requests[sent:] if "Authorization" in one[1]]


def test_one_client_for_a_server(tmp_path: Path) -> None:
    """Connections to a server share the client that was registered first; one that the provider no
    longer accepts is forgotten, and a redirect URI of its own has one of its own.
    """
    with stage(tmp_path) as found:
        connections = found.jackfield.connections
        found.complete(found.begin())
        connections.add("second", "notes/oauth2Discovered", {}, test=False)
        begun = connections.authorizing().begin("second", REDIRECT)
        assert (asked(begun)["client_id"], found.provider.registrations()) == ("made-1", 1)
        found.provider.token = lambda: (401, {}, {"error": "invalid_client"})  # type: ignore[method-assign]
        with pytest.raises(JackfieldError):
            found.complete(begun)
        found.provider.registered["client_id"] = "made-2"
        assert (
            asked(connections.authorizing().begin("second", REDIRECT))["client_id"],
            found.provider.registrations(),
        ) == ("made-2", 2)
        connections.authorizing().begin("second", f"{REDIRECT}/other")
        assert found.provider.registrations() == 3
        assert call(found.jackfield).status == "succeeded"


@pytest.mark.parametrize("ends", ["soon", "later", "never", "wrong"])
def test_a_secret_that_ends(tmp_path: Path, ends: str) -> None:
    """A client whose secret is about to end is registered anew for who connects then."""
    with stage(tmp_path) as found:
        at = {
            "soon": int(time.time()) + 60,
            "later": int(time.time()) + 86_400,
            "never": 0,
            "wrong": "tomorrow",
        }[ends]
        found.provider.registered["client_secret_expires_at"] = at
        found.begin()
        found.jackfield.connections.authorizing().begin("main", REDIRECT)
        assert found.provider.registrations() == (2 if ends == "soon" else 1)


def test_the_document_of_the_client(tmp_path: Path) -> None:
    """Where the provider reads documents of clients, the client is the one of this installation's
    server, for its own callback alone.
    """
    with stage(tmp_path, _metadata(client_id_metadata_document_supported=True)) as found:
        found.jackfield.storage.shared.take("publicUrl", "https://jackfield.example.com/panel")
        begun = asked(found.begin())
        assert (begun["client_id"], found.provider.registrations()) == ("made-1", 1)
        begun = found.jackfield.connections.authorizing().begin(
            "main", "https://jackfield.example.com/panel/oauth2/callback"
        )
        assert (
            asked(begun)["client_id"]
            == "https://jackfield.example.com/panel/oauth2/client-metadata.json"
        )
        found.complete(begun)
        form = found.provider.forms()[0]
        assert (form["client_id"], "client_secret" in form, found.provider.registrations()) == (
            asked(begun)["client_id"],
            False,
            1,
        )
        for url in ("http://jackfield.example.com", "https://10.1.2.3", "https://localhost:8080"):
            found.jackfield.storage.shared.take("publicUrl", url)
            callback = f"{url.replace('http:', 'https:')}/oauth2/callback"
            assert (
                "client-metadata"
                not in asked(found.jackfield.connections.authorizing().begin("main", callback))[
                    "client_id"
                ]
            )


@pytest.mark.parametrize("status", [403, 401])
def test_step_up(tmp_path: Path, status: int) -> None:
    """A server that asks for more scopes gets them with the next approval, beside those that were
    granted; asking twice changes nothing. A new token of the same approval would not have them.
    """
    with stage(tmp_path) as found:
        found.complete(found.begin())
        wide = 'Bearer error="insufficient_scope", scope="notes:write notes:read"'
        found.server.on_call = lambda talk: talk.json({}, status, WWW_Authenticate=wide)
        for _ in range(2):
            refused = call(found.jackfield).error
            assert (refused.code, refused.details[0].path) == ("forbidden", "/scopes")
        assert (found.server.count("tools/call"), len(found.provider.forms())) == (2, 1)
        begun = found.jackfield.connections.authorizing().begin("main", REDIRECT)
        assert asked(begun)["scope"] == "notes:read offline_access notes:write"
        found.complete(begun)
        assert (
            asked(found.jackfield.connections.authorizing().begin("main", REDIRECT))["scope"]
            == "notes:read offline_access notes:write"
        )


def test_a_flood_of_scopes(tmp_path: Path) -> None:
    """A server that asks for a thousand scopes, or for one of a thousand characters, is not
    heard.
    """
    with stage(tmp_path) as found:
        found.complete(found.begin())
        for scopes in (" ".join(str(number) for number in range(200)), "x" * 900):
            wide = f'Bearer error="insufficient_scope", scope="{scopes}"'
            found.server.on_call = partial(Talk.json, value={}, status=403, WWW_Authenticate=wide)
            assert call(found.jackfield).error.code == "forbidden"
        assert (
            asked(found.jackfield.connections.authorizing().begin("main", REDIRECT))["scope"]
            == "notes:read offline_access"
        )
