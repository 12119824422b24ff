"""Attacks through URLs, inputs and responses: each is refused, or harmless."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from typing import Any

import pytest

from http_rig import TOKEN, Acme, attempt
from jackfield.catalog import installed_here
from jackfield.connector import (
    ANYWHERE,
    Guard,
    InvalidConnection,
    InvalidInput,
    JackfieldError,
    Unavailable,
)
from jackfield.testing import Answer, Provider, Request
from jackfield_http import ApiKey, MutualTls, PageInputs, Pages
from jackfield_http.urls import UrlError, parse_url
from jackfield_store.runtime import Jackfield
from raw_server import read_request, serving

PUBLIC_ONLY = Guard()


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Script the resolver: each question gets the next address, later ones the last. The names
    asked for.
    """
    asked: list[str] = []

    def resolve(host: str, port: object, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
        ]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize(
    "host",
    [
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
    ],
)
def test_internal_addresses(host: str) -> None:
    """A connection that may reach public addresses only reaches no other, however it is spelled;
    nothing is sent.
    """
    with (
        attempt(f"http://{host}:9/", guard=PUBLIC_ONLY) as (api, call),
        pytest.raises(InvalidConnection),
    ):
        api.get("/x")
    assert not call.begun


def test_dns_rebinding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was public when it was checked is resolved once more to connect, and that address
    is checked, too.
    """
    asked = resolving(monkeypatch, "93.184.215.14", "127.0.0.1")
    PUBLIC_ONLY.check("rebind.example")
    with (
        attempt("http://rebind.example", guard=PUBLIC_ONLY) as (api, call),
        pytest.raises(InvalidConnection),
    ):
        api.get("/x")
    assert (asked, call.begun) == (["rebind.example"] * 2, False)


def test_the_checked_address_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client connects to the address that was checked: a resolver that changes its mind is not
    asked again.
    """
    with Provider([Answer()]) as provider:
        port = provider.url.rpartition(":")[2]
        asked = resolving(monkeypatch, "127.0.0.1", "10.0.0.1")
        with attempt(f"http://api.example:{port}", guard=Guard(loopback=True)) as (api, _):
            assert api.get("/x").status == 200
        monkeypatch.undo()
    assert asked == ["api.example"]


def redirecting(status: int, location: str, **more: str) -> Answer:
    """A redirect."""
    return Answer(status=status, headers={"Location": location, **more})


def lower(request: Request) -> dict[str, str]:
    """A request's header fields by names in lower case."""
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow(status: int) -> None:
    """A redirect to another origin is followed without credentials, and without any field that
    could hold some.
    """
    with (
        Provider([Answer({"ok": True})]) as other,
        Provider([redirecting(status, f"{other.url}/y?z=1")]) as provider,
    ):
        with attempt(provider.url) as (api, _):
            assert (
                api.get(
                    "/x",
                    headers={"X-Api-Key": "k-4711", "Cookie": "sid=4711", "Range": "bytes=0-9"},
                ).json("/ok")
                is True
            )
        seen = lower(other.requests[0])
    assert (other.requests[0].path, seen["range"]) == ("/y?z=1", "bytes=0-9")
    assert not {"authorization", "x-api-key", "cookie"} & seen.keys()
    assert TOKEN not in str(seen)


def test_a_query_key_does_not_follow() -> None:
    """A key in the query stays with the connection's server."""
    kind = type("Q", (ApiKey,), {"location": "query", "name": "key"})
    with Provider([Answer()]) as other, Provider([redirecting(302, f"{other.url}/y")]) as provider:
        with attempt(provider.url, kind, values={"apiKey": "k-4711"}) as (api, _):
            api.get("/x")
        assert (provider.requests[0].path, other.requests[0].path) == ("/x?key=k-4711", "/y")


def test_credentials_do_not_come_back() -> None:
    """A redirect that leads away and back again goes on without credentials: what sent it there may
    not be the server itself.
    """
    with (
        Provider(
            lambda _n, r: (
                Answer(lower(r)) if "back" in r.path else redirecting(302, f"{other.url}/y")
            )
        ) as provider,
        Provider([redirecting(302, f"{provider.url}/back")]) as other,
        attempt(provider.url) as (api, _),
    ):
        assert "authorization" not in api.get("/x").json()


def test_redirects_on_the_same_origin_keep_them() -> None:
    """A redirect within the server carries the credentials."""
    with (
        Provider(lambda n, r: redirecting(307, "/y") if n == 1 else Answer(lower(r))) as provider,
        attempt(provider.url) as (api, _),
    ):
        assert api.get("/x").json("/authorization") == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://192.168.1.1/admin",
    ],
)
def test_redirects_into_the_network(location: str) -> None:
    """Not even an operator's connection, which may reach any address, is led to internal ones by
    its server.
    """
    with (
        Provider([redirecting(302, location)]) as provider,
        attempt(provider.url, guard=ANYWHERE) as (api, _),
        pytest.raises(InvalidConnection),
    ):
        api.get("/x")


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://ada:pw@example.com/",
        "http://exa mple.com/",
        "http://a\\@b/",
        "ftp://a/",
        "//",
        "http:///x",
        "/../../etc",
    ],
)
def test_redirects_to_no_place(location: str) -> None:
    """A redirect to something that is not a plain http URL is an error."""
    with (
        Provider([redirecting(302, location)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(Unavailable),
    ):
        api.get("/x")


def test_redirect_loops() -> None:
    """A loop of redirects ends."""
    with (
        Provider([redirecting(302, "/x")]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(Unavailable, match="more than 5"),
    ):
        api.get("/x")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_are_not_redirected(method: str) -> None:
    """A redirect of a request that changes something is not followed: its body would go to another
    place, or be lost.
    """
    with (
        Provider([Answer()]) as other,
        Provider([redirecting(307, f"{other.url}/y")]) as provider,
        attempt(provider.url) as (api, _),
    ):
        with pytest.raises(JackfieldError, match="status 307"):
            api.request(method, "/x", json={"secret": 1})
        assert other.requests == []


def test_a_client_certificate_does_not_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client certificate is shown to the connection's server only."""
    monkeypatch.setattr("jackfield_http.connection_types.tls_context", lambda *_: None)
    with Provider([Answer()]) as other, Provider([redirecting(302, other.url)]) as provider:
        with (
            attempt(provider.url, MutualTls, values={"certificate": "c", "privateKey": "k"}) as (
                api,
                _,
            ),
            pytest.raises(InvalidConnection),
        ):
            api.get("/x")
        assert other.requests == []


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "../admin", "%2e%2e", "..\\admin", "a\nb", "a\x00b", "\r\nX: y", "\x7f"],
)
def test_path_values_that_climb(value: str) -> None:
    """A path value that is empty, climbs, or has control characters is refused at its input."""
    with attempt("http://127.0.0.1:9") as (api, _), pytest.raises(InvalidInput) as found:
        api.get("/parcels/{id}", {"id": value})
    assert found.value.details[0].path == "/id"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a/b", "/p/a%2Fb/x"),
        ("a?b=c", "/p/a%3Fb%3Dc/x"),
        ("a#b", "/p/a%23b/x"),
        ("%2e%2ea", "/p/%252e%252ea/x"),
        ("a;b", "/p/a%3Bb/x"),
        ("a\\admin", "/p/a%5Cadmin/x"),
        ("\u2025", "/p/%E2%80%A5/x"),
        ("{id}", "/p/%7Bid%7D/x"),
        ("a//b", "/p/a%2F%2Fb/x"),
    ],
)
def test_path_values_stay_in_their_segment(value: str, path: str) -> None:
    """Whatever a path value holds, it is one segment of the path."""
    with Provider([Answer()]) as provider, attempt(provider.url) as (api, _):
        api.get("/p/{id}/x", {"id": value})
        assert provider.requests[0].path == path


@pytest.mark.parametrize(
    "path",
    [
        "/p/../admin",
        "/p/%2e%2e/admin",
        "/p?admin=1",
        "/p#x",
        "p",
        "//evil.example/x y",
        "/p\r\nX: y",
        "/p/./x",
        "@evil/",
    ],
)
def test_paths_with_inputs_in_them(path: str) -> None:
    """An author who puts an input into the path as text cannot be led to another resource."""
    with attempt("http://127.0.0.1:9") as (api, _), pytest.raises(InvalidInput):
        api.get(path)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-B: c"},
        {"X-A": "a\nb"},
        {"X-A": "a\x00"},
        {"X-A\r\nX-B": "c"},
        {"X A": "c"},
        {"": "c"},
        {"X-A": "€"},
    ],
)
def test_header_injection(headers: dict[str, str]) -> None:
    """A header value or name with a line break is refused, before anything is sent."""
    with attempt("http://127.0.0.1:9") as (api, call), pytest.raises(InvalidInput):
        api.get("/x", headers=headers)
    assert not call.begun


_OF_ONE_HOP = (
    "HTTP2-Settings",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Expect",
)


def test_framing_is_the_clients() -> None:
    """Fields that frame a message cannot be set: two lengths would let a request hide in another.
    Some servers read ``_`` as ``-``.
    """
    framing = {
        "Content-Length": "0",
        "Transfer-Encoding": "chunked",
        "Host": "evil",
        "Connection": "close",
        "Upgrade": "h2c",
    }
    framing |= {"Content_Length": "0", "Transfer_Encoding": "chunked"} | dict.fromkeys(
        _OF_ONE_HOP, "x"
    )
    with Provider([Answer()]) as provider, attempt(provider.url) as (api, _):
        api.post("/x", content=b"abc", headers=framing)
        seen = lower(provider.requests[0])
    assert (seen["content-length"], seen["host"]) == ("3", provider.url.removeprefix("http://"))
    assert (
        not {"transfer-encoding", "transfer_encoding", "content_length", "connection", "upgrade"}
        & seen.keys()
    )
    assert not {name.lower() for name in _OF_ONE_HOP} & seen.keys()


_CALLERS = [name for name in _OF_ONE_HOP if name != "Proxy-Authorization"]


@pytest.mark.parametrize(
    "name", [*_CALLERS, *(name.lower().replace("-", "_") for name in _CALLERS)]
)
@pytest.mark.parametrize("place", ["headers", "idempotencyHeader"])
def test_a_field_of_one_hop_is_no_input(place: str, name: str) -> None:
    """A field that belongs to one connection is refused at its place, in any form of its name, and
    nothing is sent.
    """
    with (
        Provider([Answer()]) as provider,
        Jackfield(catalog=installed_here({}), database_url="none") as jackfield,
    ):
        connection = {"type": "http/anonymous", "values": {"server": provider.url}}
        inputs = {"method": "POST", "url": "/x", place: {name: "x"} if place == "headers" else name}
        error = jackfield.invoke(
            {"connector": "http", "action": "request", "connection": connection, "inputs": inputs}
        ).error
        assert not provider.requests
    assert error is not None
    assert error.code == "invalid_input"
    assert [detail.path for detail in error.details] == [
        f"/headers/{name}" if place == "headers" else "/idempotencyHeader"
    ]


@pytest.mark.parametrize("header", [True, False], ids=["header", "key"])
@pytest.mark.parametrize("name", _OF_ONE_HOP)
def test_a_field_of_one_hop_is_no_credential(name: str, *, header: bool) -> None:
    """A connection's own header, or its key's, cannot be such a field either."""
    more = {"headerName": name, "headerValue": "v"} if header else {"keyName": name}
    with (
        Provider([Answer()]) as provider,
        Jackfield(catalog=installed_here({}), database_url="none") as jackfield,
    ):
        connection = {
            "type": "http/apiKey",
            "values": {"server": provider.url, "apiKey": "k", **more},
        }
        error = jackfield.invoke(
            {
                "connector": "http",
                "action": "request",
                "connection": connection,
                "inputs": {"url": "/x"},
            }
        ).error
        assert not provider.requests
    assert error is not None
    assert error.code == "invalid_connection"


@pytest.mark.parametrize("status", [200, 404])
def test_what_a_proxy_says_is_not_shown(status: int) -> None:
    """Challenges and proofs of a proxy in a response may hold credentials: they are not in the
    output, nor in an error.
    """
    fields = dict.fromkeys(
        (
            "Proxy-Authenticate",
            "Proxy-Authentication-Info",
            "Authentication-Info",
            "WWW-Authenticate",
        ),
        "Digest s3cret",
    )
    script = [Answer({"id": 1}, status, headers=fields)]
    with (
        Provider(script) as provider,
        Jackfield(catalog=installed_here({}), database_url="none") as jackfield,
    ):
        connection = {"type": "http/anonymous", "values": {"server": provider.url}}
        result = jackfield.invoke(
            {
                "connector": "http",
                "action": "request",
                "connection": connection,
                "inputs": {"url": "/x"},
            }
        )
    assert result.status == ("succeeded" if status == 200 else "failed")
    assert "s3cret" not in json.dumps(result.to_json())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("br", "identity"),
        ("gzip;q=0.5, br", "gzip;q=0.5"),
        ("*", "identity"),
        ("Deflate, identity", "Deflate, identity"),
    ],
)
def test_a_coding_that_cannot_be_read_is_not_asked_for(given: str, sent: str) -> None:
    """A caller's 'Accept-Encoding: br' got a POST an answer that nobody could read, so that it
    ended in doubt.
    """
    with Provider([Answer()]) as provider, attempt(provider.url) as (api, _):
        api.post("/x", json={}, headers={"accept-encoding": given})
        assert lower(provider.requests[0])["accept-encoding"] == sent


def test_a_token_with_a_line_break() -> None:
    """A credential that a header cannot carry is refused at the connection's value."""
    with (
        pytest.raises(InvalidConnection) as found,
        attempt("http://127.0.0.1:9", values={"token": "a\r\nX: y"}),
    ):
        pass
    assert found.value.details[0].path == "/token"


def zeros(size: int, coding: str) -> bytes:
    """Compressed zeros."""
    body = b"\0" * size
    return gzip.compress(body) if coding == "gzip" else zlib.compress(body)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bombs(coding: str) -> None:
    """A small response that inflates to a large one ends at the limit, whatever its size would
    be.
    """
    kind = type("Small", (Acme,), {"largest": 1_000_000})
    answer = Answer(content=zeros(50_000_000, coding), headers={"Content-Encoding": coding})
    with (
        Provider([answer]) as provider,
        attempt(provider.url, kind) as (api, _),
        pytest.raises(Unavailable, match="1,000,000 bytes"),
    ):
        api.get("/x")


def test_nested_bombs() -> None:
    """Two layers of compression are undone within the limit of the decoded body, and of what is
    between them; more are not.
    """
    kind = type("Small", (Acme,), {"largest": 1_000_000})
    # and so is one with 64 KiB in a field of its header, of which few fill the limit
    empty = gzip.compress(b"")
    stuffed = empty[:3] + b"\x04" + empty[4:10] + b"\xff\xff" + bytes(0xFFFF) + empty[10:]
    twice, often = (
        gzip.compress(zeros(50_000_000, "gzip")),
        gzip.compress(empty * 100_000 + stuffed * 1_000),
    )
    bombs = {
        "1,000,000 bytes": Answer(content=twice, headers={"Content-Encoding": "gzip, gzip"}),
        "between its codings": Answer(content=often, headers={"Content-Encoding": "gzip, gzip"}),
        "more than 2 content codings": Answer(
            content=gzip.compress(twice), headers={"Content-Encoding": "gzip, gzip, gzip"}
        ),
    }
    for text, answer in bombs.items():
        with (
            Provider([answer]) as provider,
            attempt(provider.url, kind) as (api, _),
            pytest.raises(Unavailable, match=text),
        ):
            api.get("/x")


@pytest.mark.parametrize("status", [b"200 OK", b"422 No"])
def test_endless_bodies(status: bytes) -> None:
    """A body without an end is read up to the limit, that of an error up to a smaller one."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    kind = type("Small", (Acme,), {"largest": 1_000_000})
    with (
        serving(talk) as port,
        attempt(f"http://127.0.0.1:{port}", kind) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.post("/x")
    assert found.value.code == ("unavailable" if status == b"200 OK" else "rejected")
    assert not (found.value.retryable and found.value.repeatable)


def test_many_header_fields() -> None:
    """A response with very many header fields is refused."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n")

    with (
        serving(talk) as port,
        attempt(f"http://127.0.0.1:{port}") as (api, _),
        pytest.raises(Unavailable, match="200 header fields"),
    ):
        api.get("/x")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b"NaN", b"\xff\xfe", b""]
)
def test_json_that_breaks_parsers(body: bytes) -> None:
    """JSON that is nested too deeply, or no JSON, is an error and no crash."""
    with (
        Provider([Answer(content=body)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(Unavailable, match="not JSON"),
    ):
        api.get("/x").json()


@pytest.mark.parametrize(
    "token",
    [
        "http://evil.example/p?page=2",
        "//evil.example/p",
        "/admin?delete=all",
        "/p/../admin",
        "?x=1\r\nX: y",
        "https://127.0.0.1/p",
        "/p%2f..%2fadmin",
    ],
)
def test_page_tokens_that_lead_elsewhere(token: str) -> None:
    """A token that is a URL stays within its list: callers send tokens, too."""
    with (
        Provider([Answer([])]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(InvalidInput) as found,
    ):
        Pages.link().fetch(api, "/p", PageInputs(next_token=token))
    assert (found.value.details[0].path, provider.requests) == ("/nextToken", [])


def test_a_next_page_on_another_server() -> None:
    """A response that leads its list to another server is an error: no credentials go there."""
    answer = Answer([1], headers={"Link": '<https://evil.example/p?page=2>; rel="next"'})
    with (
        Provider([answer]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(Unavailable, match="another server"),
    ):
        Pages.link().fetch(api, "/p", PageInputs())


@pytest.mark.parametrize(
    "text",
    [
        "http://a@b@c/",
        "http://a\\b/",
        "http://a b/",
        "http://",
        "http://[::1/",
        "http://a:99999/",
        "http://a:b/",
        "javascript:alert(1)",
        "//a/b",
        "http://exa\tmple/",
        "http://%31%32%37.0.0.1/",
        "http://a/b c",
        "http://a/../b",
        "http://a..b/%2e%2e/",
        "http://-/",
    ],
)
def test_urls_that_parsers_read_differently(text: str) -> None:
    """A URL that is ambiguous is refused, and the message does not depend on which parser is
    right.
    """
    with pytest.raises(UrlError):
        parse_url(text)


def test_an_oversized_redirect_target() -> None:
    """A location of a hundred kilobytes is refused, not followed."""
    with (
        Provider([redirecting(302, "/" + "x" * 20_000)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(Unavailable),
    ):
        api.get("/x")
