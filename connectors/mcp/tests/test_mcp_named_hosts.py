"""Hosts that a server names for the sign-in: what is private is never asked, and no credential
reaches anybody but who it is for.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from jackfield.kernel.errors import JackfieldError
from mcp_provider import Provider
from mcp_rig import Talk, ToolServer, call, generate, installed, serving
from mcp_sign_in import REDIRECT, Stage, asked, stage

PUBLIC = "93.184.215.14"
METADATA = "/.well-known/oauth-protected-resource/mcp"
ISSUER = "/.well-known/oauth-authorization-server"
SECRETS = (
    b"c0de",
    b"access-",
    b"refresh-",
    b"secret-of",
    b"code_verifier",
    b"Bearer",
    b"Authorization",
)
MOVED = (301, 302, 303, 307, 308)


class Network:
    """Names that resolve as a test says, and every address that a connection is opened to. Those
    beyond this machine are unreachable.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[str]] = {}
        """Addresses of a name, one for each question; the last one stays."""
        self.reached: list[tuple[str, int]] = []
        resolve, connect = socket.getaddrinfo, socket.socket.connect

        def resolved(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
            if host not in self.names:
                return resolve(host, port, *rest, **more)
            turns = self.names[host]
            address = turns.pop(0) if len(turns) > 1 else turns[0]
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port or 0),
                )
            ]

        def connected(this: socket.socket, address: Any) -> None:
            self.reached.append(address[:2])
            if address[0] not in ("127.0.0.1", "::1"):
                raise OSError("unreachable")
            connect(this, address)

        monkeypatch.setattr("socket.getaddrinfo", resolved)
        monkeypatch.setattr("socket.socket.connect", connected)

    def beside(self, *servers: ToolServer | Provider) -> set[str]:
        """Hosts of connections to others than these."""
        ports = {urlsplit(one.url).port for one in servers}
        return {host for host, port in self.reached if port not in ports}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """The network of a test."""
    return Network(monkeypatch)


@contextmanager
def trap() -> Iterator[tuple[str, list[bytes]]]:
    """A port of this machine, and all bytes that reach it."""
    with serving(server := ToolServer()):
        got: list[bytes] = []

        def caught(talk: Talk) -> bool:
            got.append(json.dumps([talk.message, dict(talk.headers)]).encode())
            return False

        server.before = caught
        yield f"127.0.0.1:{server.place.server_port}", got


def refused(found: Stage) -> str:
    """Begin an authorization, which is refused; the code."""
    with pytest.raises(JackfieldError) as caught:
        found.begin()
    return caught.value.code


def names_issuer(found: Stage, issuer: str) -> None:
    """Let the server name who signs people in."""
    found.server.documents[METADATA]["authorization_servers"] = [issuer]  # type: ignore[attr-defined]


PRIVATE = ("169.254.169.254", "127.0.0.1", "::1", "10.1.2.3", "fd00:ec2::254")


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_issuer(tmp_path: Path, network: Network, address: str, by_name: bool) -> None:
    """A server elsewhere names nobody on this machine or in the operator's network, neither by an
    address nor by a name.
    """
    network.names["mcp.example.com"], network.names["login.example.com"] = ["127.0.0.1"], [address]
    with stage(tmp_path, host="mcp.example.com") as found:
        network.reached.clear()
        names_issuer(
            found,
            "https://login.example.com"
            if by_name
            else f"https://{f'[{address}]' if ':' in address else address}",
        )
        assert refused(found) == "invalid_connection"
        assert network.beside(found.server) == set()


def test_an_issuer_by_rebinding(tmp_path: Path, network: Network) -> None:
    """A name that is public at first, and private when it is looked up again, is judged each
    time.
    """
    network.names["mcp.example.com"], network.names["login.example.com"] = (
        ["127.0.0.1"],
        [PUBLIC, "127.0.0.1"],
    )
    with stage(tmp_path, host="mcp.example.com") as found:
        network.reached.clear()
        names_issuer(found, "https://login.example.com")
        codes = {refused(found), refused(found)}
        assert codes <= {"invalid_connection", "unavailable"}
        assert network.beside(found.server) == {PUBLIC}


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1:9", "[::1]:9", "other.example.com"])
def test_metadata_elsewhere(tmp_path: Path, network: Network, host: str) -> None:
    """The server's own metadata are on its own origin, or nowhere."""
    network.names["other.example.com"] = [PUBLIC]
    with stage(tmp_path) as found:
        network.reached.clear()
        found.server.challenge = f'Bearer resource_metadata="http://{host}/metadata"'  # type: ignore[attr-defined]
        assert refused(found) == "invalid_connection"
        assert network.beside(found.server) == set()


@pytest.mark.parametrize("place", ["resource", "issuer"])
@pytest.mark.parametrize("status", MOVED)
def test_metadata_by_a_redirect(tmp_path: Path, network: Network, place: str, status: int) -> None:
    """No document is read where a redirect leads."""
    with trap() as (port, got), stage(tmp_path) as found:
        network.reached.clear()
        moved: Any = (status, {"Location": f"http://{port}/metadata"}, {})
        if place == "issuer":
            found.provider.documents[ISSUER] = moved
        else:
            found.server.before = lambda talk: _moved(talk, status, port)
        assert refused(found) == "invalid_connection"
        assert (got, network.beside(found.server, found.provider)) == ([], set())


def _moved(talk: Talk, status: int, port: str) -> bool:
    if talk.message["method"] != "GET":
        talk.json({}, 401)
    else:
        talk.json({}, status, Location=f"http://{port}/metadata")
    return True


@pytest.mark.parametrize("private", ["169.254.169.254", "10.1.2.3", "internal.example.com"])
@pytest.mark.parametrize("endpoint", ["token_endpoint", "registration_endpoint"])
def test_a_private_endpoint(tmp_path: Path, network: Network, endpoint: str, private: str) -> None:
    """What a provider names is judged, too, when it is asked: neither a code nor a client's
    metadata reach the operator's network.
    """
    network.names["internal.example.com"] = ["10.0.0.5"]
    with stage(tmp_path) as found:
        network.reached.clear()
        found.provider.metadata[endpoint] = f"https://{private}/x"
        with pytest.raises(JackfieldError):
            found.complete(found.begin())
        assert network.beside(found.server, found.provider) == set()


@pytest.mark.parametrize("where", ["named", "published"])
def test_an_issuer_with_a_slash(tmp_path: Path, where: str) -> None:
    """An issuer is the same text in both places."""
    with stage(tmp_path) as found:
        if where == "named":
            names_issuer(found, f"{found.provider.url}/")
        else:
            found.provider.metadata["issuer"] += "/"
        assert refused(found) == "invalid_connection"
        assert not [path for method, path, _, _ in found.provider.seen if method == "POST"]


@pytest.mark.parametrize("iss", ["missing", "wrong", "slash", "upper case", "port"])
def test_an_answer_of_another_issuer(tmp_path: Path, iss: str) -> None:
    """It ends the sign-in before the code is sent, and nothing of the answer is shown."""
    with stage(tmp_path) as found:
        own = found.provider.url
        given = {
            "missing": None,
            "wrong": "https://other.example.com",
            "slash": f"{own}/",
            "upper case": own.upper(),
            "port": f"{own}:80",
        }
        begun = found.begin()
        with pytest.raises(JackfieldError) as caught:
            found.complete(
                begun, iss=given[iss], error="access_denied", error_description="call 555-0100"
            )
        assert (found.provider.forms(), "555-0100" in str(caught.value)) == ([], False)
        with pytest.raises(JackfieldError):
            found.complete(found.begin(), iss=given[iss])
        assert found.provider.forms() == []


@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token"])
@pytest.mark.parametrize("status", MOVED)
def test_a_token_endpoint_that_redirects(
    tmp_path: Path, network: Network, status: int, grant: str
) -> None:
    """Neither a code nor a refresh token is sent where a redirect leads."""
    with trap() as (port, got), stage(tmp_path) as found:
        found.provider.lasts = 1
        begun, token = found.begin(), found.provider.token

        def moved() -> Any:
            return status, {"Location": f"http://{port}/token"}, {}

        if grant == "authorization_code":
            found.provider.token = moved  # type: ignore[method-assign]
            with pytest.raises(JackfieldError):
                found.complete(begun)
        else:
            found.provider.token = token  # type: ignore[method-assign]
            found.complete(begun)
            found.provider.token = moved  # type: ignore[method-assign]
            assert call(found.jackfield, timeoutSeconds=5).status == "failed"
        assert found.provider.forms()[-1]["grant_type"] == grant
        assert (got, network.beside(found.server, found.provider)) == ([], set())


def test_an_issuer_that_is_swapped_after_consent(tmp_path: Path) -> None:
    """A refresh, and a code that is under way, go to the provider that the person has seen; another
    one is another client and consent.
    """
    other = Provider()
    with other.serving(), stage(tmp_path) as found:
        found.provider.lasts = 1
        begun = found.begin()
        names_issuer(found, other.url)
        found.complete(begun)
        for _ in range(2):
            assert call(found.jackfield).status == "succeeded"
        assert [form["grant_type"] for form in found.provider.forms()][:2] == [
            "authorization_code",
            "refresh_token",
        ]
        assert other.seen == []
        other.metadata["scopes_supported"], other.registered["client_id"] = [], "made-elsewhere"
        anew = asked(found.jackfield.connections.authorizing().begin("main", REDIRECT))
        assert (anew["client_id"], anew["scope"], other.registrations()) == (
            "made-elsewhere",
            "notes:read",
            1,
        )
        heard = json.dumps([body for _, _, body, _ in other.seen]) + json.dumps(
            [header for _, _, _, header in other.seen]
        )
        assert not [secret for secret in SECRETS if secret.decode() in heard]


@pytest.mark.parametrize("method", ["server/discover", "tools/list", "tools/call"])
@pytest.mark.parametrize("status", MOVED)
def test_a_call_that_is_redirected(
    tmp_path: Path, network: Network, method: str, status: int
) -> None:
    """The credential goes to the connection's own server, and to nobody where a redirect of one of
    its requests leads.
    """
    server = ToolServer()
    with trap() as (port, got), serving(server):
        generate(tmp_path, server.url)

        def before(talk: Talk) -> bool:
            if talk.message["method"] == method:
                talk.json({}, status, Location=f"http://{port}/mcp")
            return bool(talk.message["method"] == method)

        server.before = before
        with installed(tmp_path, "bearer", token="t0ken-4711-abcdef") as jackfield:
            found = call(jackfield, timeoutSeconds=5).status
        # which a server of an older revision may answer in any way
        assert (found == "succeeded") is (method == "server/discover")
        assert (got, network.beside(server)) == ([], set())
