"""Attacks through the action ``http.request`` and through a generated connector: each is refused,
or harmless, through both.
"""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from jackfield import Jackfield
from jackfield.callers import LIBRARY, Caller
from jackfield.catalog import Catalog, EntryPoint
from jackfield.connector import Guard
from jackfield.invocation import Result
from jackfield.testing import Answer, Provider, Request
from jackfield_http.connection_types import HttpConnection
from openapi_rig import document, generate, operation
from plugboard import declare, plugged
from raw_server import read_request, serving

_TOKEN = "tok-4711-secret"
_REMOTE = Caller(remote=True)
_LIMIT = 1_000_000
_LINK = {"Link": {"schema": {"type": "string"}}}
_LISTED = {
    "200": {
        "description": "",
        "headers": _LINK,
        "content": {"application/json": {"schema": {"type": "array", "items": {}}}},
    }
}
_DOCUMENT = document(
    {
        "/p/{id}/x": {
            method: operation(
                operationId=f"{method}P",
                parameters=[
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "q", "in": "query", "schema": {"type": "string"}},
                    {"name": "X-Note", "in": "header", "schema": {"type": "string"}},
                ],
                **(
                    {}
                    if method == "get"
                    else {
                        "requestBody": {
                            "content": {"application/json": {"schema": {"type": "object"}}}
                        }
                    }
                ),
            )
            for method in ("get", "post", "put", "patch", "delete")
        },
        "/list": {
            "get": operation(
                operationId="listP",
                parameters=[{"name": "page", "in": "query", "schema": {"type": "integer"}}],
                responses=_LISTED,
            )
        },
    },
    servers=[{"url": "https://api.acme.example"}],
    security=[{"bearer": []}],
    components={"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
)


@dataclass
class Door:
    """A connector whose callers choose values of the request."""

    runtime: Jackfield
    connector: str
    type: str

    def call(
        self,
        server: str,
        *,
        caller: Caller = LIBRARY,
        method: str = "GET",
        token: str = _TOKEN,
        **values: str,
    ) -> Result:
        """Send a request with a path value ``id``, a query value ``q`` and a header value
        ``note``.
        """
        connection = {"type": self.type, "values": {"server": server, "token": token}}
        action, inputs = self.request(method, values)
        called = {
            "connector": self.connector,
            "action": action,
            "connection": connection,
            "inputs": inputs,
            "timeoutSeconds": 60,
        }
        return self.runtime.invoke(called, caller=caller)

    def request(self, method: str, values: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """The action and its inputs."""
        if self.connector == "http":
            query = {"q": values["q"]} if "q" in values else {}
            headers = {"X-Note": values["note"]} if "note" in values else {}
            return "request", {
                "method": method,
                "url": f"/p/{values.get('id', '7')}/x",
                "query": query,
                "headers": headers,
            }
        names = {"id": "id", "q": "q", "note": "xNote"}
        return f"{method.lower()}P", {
            "id": "7",
            **{names[name]: value for name, value in values.items()},
        }


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a connector that is generated from a document."""
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, _DOCUMENT)
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    return folder / "made"


@pytest.fixture(params=["http.request", "generated"], scope="module")
def door(request: pytest.FixtureRequest, generated: Path) -> Iterator[Door]:
    """Each test runs through both connectors. A connection that came over HTTP reaches public
    addresses only.
    """
    key, module = (
        ("http", "jackfield_http.request:connector")
        if request.param == "http.request"
        else ("acme", "jackfield_acme:http")
    )
    catalog = Catalog([EntryPoint(key, module, f"jackfield-{key}")])
    with (
        plugged(generated),
        Jackfield(catalog=catalog, database_url="none", guard=Guard()) as runtime,
    ):
        yield Door(runtime, key, f"{key}/bearer")


def code_of(result: Result) -> str:
    """The error's code; empty for a success."""
    return result.error.code if result.error is not None else ""


def lower(request: Request) -> dict[str, str]:
    """A request's header fields by names in lower case."""
    return {name.lower(): value for name, value in request.headers.items()}


_INTERNAL: list[Any] = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "100.64.0.1",
    "2130706433",
    "0x7f000001",
    "127.1",
    "192.0.0.192",
    "[fe80::1]",
    "224.0.0.1",
]


def test_internal_addresses(door: Door, subtests: pytest.Subtests) -> None:
    """A server that a remote caller names is public, however it is spelled; nothing is sent."""
    for host in _INTERNAL:
        with subtests.test(host=host):
            result = door.call(f"http://{host}:9", caller=_REMOTE)
            assert (code_of(result), result.meta.attempts) == ("invalid_connection", 0)


def test_dns_rebinding(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is checked, and internal when it is connected to, is
    refused.
    """
    asked: list[str] = []

    def resolve(host: str, port: object, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = "93.184.215.14" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with Provider([Answer()]) as provider:
        result = door.call(
            f"http://rebind.example:{provider.url.rpartition(':')[2]}", caller=_REMOTE
        )
    assert (code_of(result), len(asked) >= 2, provider.requests) == ("invalid_connection", True, [])


_LOCATIONS: list[Any] = [
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://192.168.1.1/admin",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://ada:pw@example.com/",
    "http://exa mple.com/",
    "http://a\\@b/",
    "http:///x",
    "/../../etc",
    "/x",
]


def test_redirects(door: Door, subtests: pytest.Subtests) -> None:
    """A redirect into the network, to no plain URL or in a circle is an error, even over an
    operator's connection.
    """
    for location in _LOCATIONS:
        with (
            subtests.test(location=location),
            Provider([Answer(status=302, headers={"Location": location})]) as provider,
        ):
            assert code_of(door.call(provider.url)) in {"invalid_connection", "unavailable"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow(door: Door, status: int) -> None:
    """A redirect to another origin is followed without credentials."""
    with Provider([Answer({"ok": 1})]) as other:
        with Provider([Answer(status=status, headers={"Location": f"{other.url}/y"})]) as provider:
            assert door.call(provider.url, note="n").status == "succeeded"
        seen = lower(other.requests[0])
    assert (
        lower(provider.requests[0])["authorization"],
        "authorization" in seen,
        "x-note" in seen,
    ) == (f"Bearer {_TOKEN}", False, False)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_are_not_redirected(door: Door, method: str) -> None:
    """A redirect of a request that changes something is an error."""
    with (
        Provider([Answer()]) as other,
        Provider([Answer(status=307, headers={"Location": f"{other.url}/y"})]) as provider,
    ):
        assert door.call(provider.url, method=method).status != "succeeded"
        assert (len(provider.requests), other.requests) == (1, [])


_TRAVERSALS: list[Any] = [
    "..",
    ".",
    "%2e%2e",
    "../../admin",
    "..\\admin",
    "a\r\nX: y",
    "a\nb",
    "a\x00b",
    "\x7f",
]


def test_path_traversal(door: Door, subtests: pytest.Subtests) -> None:
    """A path value is refused, or stays below the path that it was given for."""
    for value in _TRAVERSALS:
        with subtests.test(value=value):
            with Provider([Answer({})]) as provider:
                result = door.call(f"{provider.url}/v1", id=value)
                paths = [request.path for request in provider.requests]
            assert (
                paths == []
                if code_of(result)
                else all(path.startswith("/v1/p/") and "/../" not in path for path in paths)
            )
            assert code_of(result) in {"", "invalid_input"}
            assert not any("\n" in path or "X" in path for path in paths)


@pytest.mark.parametrize(
    "value", ["a&admin=1", "a#b", "a=b", "a\r\nX: y", "a b", "%26admin=1", "a;b"]
)
def test_query_injection(door: Door, value: str) -> None:
    """A query value stays one value."""
    with Provider([Answer({})]) as provider:
        door.call(provider.url, q=value).unwrap()
        assert parse_qsl(urlsplit(provider.requests[0].path).query) == [("q", value)]


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\rb", "a\x00", "€", "a\x7f"])
def test_header_injection(door: Door, value: str) -> None:
    """A header value that is more than one is refused before anything is sent."""
    with Provider([Answer({})]) as provider:
        assert (code_of(door.call(provider.url, note=value)), provider.requests) == (
            "invalid_input",
            [],
        )


def test_a_token_with_a_line_break(door: Door) -> None:
    """A credential that a header cannot carry is refused at the connection's value, and not
    shown.
    """
    with Provider([Answer({})]) as provider:
        result = door.call(provider.url, token="tok-4711\r\nX: y")
    assert (code_of(result), provider.requests, "4711" in str(result.to_json())) == (
        "invalid_connection",
        [],
        False,
    )


@cache
def _answers() -> dict[str, Answer]:
    zeros = b"\0" * 20_000_000
    packed = gzip.compress(zeros)
    return {
        "gzip bomb": Answer(content=packed, headers={"Content-Encoding": "gzip"}),
        "deflate bomb": Answer(
            content=zlib.compress(zeros), headers={"Content-Encoding": "deflate"}
        ),
        "nested bomb": Answer(
            content=gzip.compress(packed), headers={"Content-Encoding": "gzip, gzip"}
        ),
        "large": Answer(content=b"x" * (_LIMIT + 1)),
        "deep": Answer(content=b"[" * 100_000, headers={"Content-Type": "application/json"}),
        "deep objects": Answer(
            content=b'{"a":' * 50_000, headers={"Content-Type": "application/json"}
        ),
        "long number": Answer(content=b"9" * 10_000, headers={"Content-Type": "application/json"}),
        "not a number": Answer(content=b"NaN", headers={"Content-Type": "application/json"}),
        "no text": Answer(content=b"\xff\xfe", headers={"Content-Type": "application/json"}),
        "cut off": Answer(content=packed[:2000], headers={"Content-Encoding": "gzip"}),
    }


@pytest.mark.parametrize("name", [*_answers()])
def test_answers_that_break_parsers(door: Door, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A response that inflates beyond the limit, or that breaks parsers, is an error and no crash.
    It shows no success of a write.
    """
    monkeypatch.setattr(HttpConnection, "largest", _LIMIT)
    with Provider([_answers()[name]]) as provider:
        result = door.call(provider.url, method="POST")
    assert (result.status, result.output, code_of(result)) == ("in_doubt", None, "in_doubt")


@pytest.mark.parametrize(
    "begins", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 422 No\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: "]
)
def test_endless_answers(door: Door, monkeypatch: pytest.MonkeyPatch, begins: bytes) -> None:
    """A body, an error's body or a header without an end is read up to a limit."""
    monkeypatch.setattr(HttpConnection, "largest", _LIMIT)

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(begins)
        while True:
            connection.sendall(b"x" * 65536)

    with serving(talk) as port:
        assert code_of(door.call(f"http://127.0.0.1:{port}", method="POST")) in {
            "in_doubt",
            "rejected",
        }


def test_many_header_fields(door: Door) -> None:
    """A response with very many header fields is refused."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"Content-Length: 2\r\n\r\n{}"
        )

    with serving(talk) as port:
        assert code_of(door.call(f"http://127.0.0.1:{port}", method="POST")) == "in_doubt"
