"""A proxy that does not take the login: it is asked once, and named with its status and the schemes
that it offers.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from http_rig import Acme
from inmemory import installed
from jackfield.catalog import installed_here
from jackfield.connector import Connector, Inputs, Output
from jackfield.testing import Answer, Provider
from jackfield_http import HttpClient
from jackfield_store.runtime import Jackfield
from raw_server import read_request, serving

PASSWORD = "pass-word-4711"
LOGINS: dict[str, dict[str, str]] = {
    "login": {"proxyUsername": "ada", "proxyPassword": PASSWORD},
    "none": {},
}
OFFERS: dict[str, tuple[bytes, str]] = {
    "one list": (b"Proxy-Authenticate: Negotiate, NTLM\r\n", "offers Negotiate, NTLM"),
    "fields": (
        (
            b'proxy-authenticate: NTLM\r\nPROXY-AUTHENTICATE: Digest realm="a, b", nonce="x=, '
            b'Basic"\r\n'
        ),
        "offers NTLM, Digest",
    ),
    "with tokens": (
        b'Proxy-Authenticate: Negotiate dG9rZW4=, Basic realm = "x", charset="UTF-8"\r\n',
        "offers Negotiate, Basic",
    ),
    "nothing": (b"", "offers no way to sign in"),
    "no challenge": (b'Proxy-Authenticate: ="\x1b[31m, ,,\r\n', "offers no way to sign in"),
}


@contextmanager
def _proxy(
    offers: bytes = b"Proxy-Authenticate: NTLM\r\n",
    status: str = "407 Proxy Authentication Required",
) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that answers 407 to all, and what it was asked."""
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(read_request(connection))
        connection.sendall(
            f"HTTP/1.1 {status}\r\n".encode() + offers + b"Content-Length: 0\r\n\r\n"
        )

    with serving(talk) as port:
        yield f"127.0.0.1:{port}", asked


def _failed(connection: dict[str, Any], method: str = "GET") -> Any:
    inputs = {"method": method, "url": "/x"}
    with Jackfield(catalog=installed_here({}), database_url="none") as jackfield:
        result = jackfield.invoke(
            {"connector": "http", "action": "request", "connection": connection, "inputs": inputs}
        )
    assert (result.status, result.meta.attempts <= 1) == ("failed", True)
    return result.error


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("server", ["https://api.example", "http://api.example"])
@pytest.mark.parametrize("login", LOGINS)
def test_a_login_is_tried_once(login: str, server: str, method: str) -> None:
    """One request, through a tunnel and in clear text, with a login and without; nothing went on to
    the server.
    """
    with _proxy() as (at, asked):
        values = {"server": server, "token": "t", "proxy": f"http://{at}", **LOGINS[login]}
        error = _failed({"type": "http/bearer", "values": values}, method)
    assert (error.code, error.retryable, len(asked)) == ("unavailable", True, 1)
    assert f"the proxy '{at}' answered 407 and offers NTLM" in error.message
    assert "proxyPassword" in error.hint
    assert (
        PASSWORD not in str(error.to_json()),
        (b"Proxy-Authorization" in asked[0]) == (login == "login"),
    ) == (True, True)


@pytest.mark.parametrize(
    ("status", "final"),
    [("401 Unauthorized", True), ("403 Forbidden", True), ("502 Bad Gateway", False)],
)
def test_a_tunnel_that_is_denied_is_asked_for_once(status: str, final: bool) -> None:
    """A proxy that knows who asks and does not let him through gets the password once; one that
    fails may do better.
    """
    with _proxy(status=status) as (at, asked):
        values = {"server": "https://api.example", "proxy": f"http://{at}", **LOGINS["login"]}
        call = {"connector": "http", "action": "request", "inputs": {"url": "/x"}}
        with Jackfield(catalog=installed_here({}), database_url="none") as jackfield:
            error = jackfield.invoke(
                {**call, "connection": {"type": "http/anonymous", "values": values}}
            ).error
    assert error is not None
    assert (error.code, len(asked) == 1, status in error.message) == ("unavailable", final, True)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_token_endpoint_behind_a_proxy(scheme: str) -> None:
    """The request for a token is the one that the proxy refuses: it is asked once, too."""
    with _proxy() as (at, asked):
        values = {
            "server": "https://api.example",
            "tokenUrl": f"{scheme}://login.example/token",
            "clientId": "c",
            "clientSecret": "s",
            "proxy": f"http://{at}",
            **LOGINS["login"],
        }
        error = _failed({"type": "http/oauth2ClientCredentials", "values": values})
    assert (error.code, len(asked), f"the proxy '{at}' answered 407" in error.message) == (
        "unavailable",
        1,
        True,
    )


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("name", OFFERS)
def test_schemes_that_are_offered(name: str, scheme: str) -> None:
    """They are read from challenges of any form, and nothing else of the answer is shown."""
    fields, words = OFFERS[name]
    with _proxy(fields) as (at, asked):
        error = _failed(
            {
                "type": "http/anonymous",
                "values": {"server": f"{scheme}://api.example", "proxy": f"http://{at}"},
            }
        )
    assert (len(asked), words in error.message, error.message.isprintable()) == (1, True, True)


@pytest.mark.parametrize("effect", ["read", "write"])
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("login", LOGINS)
def test_over_http2(tmp_path: Path, login: str, scheme: str, effect: Any) -> None:
    """A connection that offers HTTP/2 asks the proxy once, and names it; a write is not in
    doubt.
    """
    kind = type("Fast", (Acme,), {"http2": True, "__annotations__": {"http2": ClassVar[bool]}})
    connector = Connector("fast", title="Fast", version="1.0.0", connections=[kind])

    @connector.action("ask", effect=effect)
    def ask(_wanted: Inputs, api: HttpClient) -> Output:
        """Ask for a thing, or make one."""
        api.request("GET" if effect == "read" else "POST", "/x")
        return Output()

    with (
        _proxy() as (at, asked),
        installed(tmp_path, connector) as catalog,
        Jackfield(catalog=catalog, database_url="none") as jackfield,
    ):
        values = {
            "server": f"{scheme}://api.example",
            "token": "t",
            "proxy": f"http://{at}",
            **LOGINS[login],
        }
        connection = {"type": "fast/acmeToken", "values": values}
        result = jackfield.invoke(
            {"connector": "fast", "action": "ask", "connection": connection, "inputs": {}}
        )
    assert (result.status, result.error and result.error.code, len(asked)) == (
        "failed",
        "unavailable",
        1,
    )
    assert f"'{at}' answered 407" in str(result.error)
    assert PASSWORD not in json.dumps(result.to_json())


def test_a_server_that_answers_so() -> None:
    """A 407 without a proxy of the connection, as of one that nobody has named, is not repeated
    either.
    """
    with Provider([Answer({}, 407)] * 2) as server:
        error = _failed({"type": "http/anonymous", "values": {"server": server.url}})
        assert (error.code, len(server.requests)) == ("unavailable", 1)
