"""The client sends what it is asked to send, and answers with what came back."""

from __future__ import annotations

import encodings.aliases
import gzip
import io
import json
import pickle
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from growth import grows_faster_than_linear
from http_rig import TOKEN, Acme, Cache, attempt
from jackfield.connector import File, InvalidInput, JackfieldError, Sent, Unavailable
from jackfield.testing import Answer, Provider, Request
from jackfield_http import ApiKey, BasicLogin, Part
from jackfield_http.charsets import decoded_text
from jackfield_http.wire import Wire


def echo(_number: int, request: Request) -> Answer:
    """What the server has seen."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    seen = {
        "method": request.method,
        "path": request.path,
        "headers": headers,
        "body": request.body.decode("latin-1"),
    }
    return Answer(seen, headers={"X-Request-Id": "r-7"})


@pytest.fixture
def server() -> Iterator[Provider]:
    """A server that echoes."""
    with Provider(echo) as provider:
        yield provider


def test_a_request_arrives_whole(server: Provider) -> None:
    """Method, path, query, credentials and body reach the server, and its request ID the call."""
    with attempt(f"{server.url}/v1/") as (api, call):
        query = {"q": "a b&c", "tag": ["x", "y"], "flag": True, "none": None}
        seen = api.post(
            "/parcels/{id}/notes", {"id": "a/b ü"}, query=query, json={"text": "Zoë"}
        ).json()
        assert (call.request_id, call.requests, call.changes) == ("r-7", 1, True)
    assert (seen["method"], seen["path"]) == (
        "POST",
        "/v1/parcels/a%2Fb%20%C3%BC/notes?q=a%20b%26c&tag=x&tag=y&flag=true",
    )
    assert json.loads(seen["body"].encode("latin-1")) == {"text": "Zoë"}
    assert seen["headers"]["authorization"] == f"Bearer {TOKEN}"
    assert seen["headers"]["content-type"] == "application/json"
    assert seen["headers"]["accept-encoding"] == "gzip, deflate"
    assert seen["headers"]["user-agent"].startswith("jackfield/")


@pytest.mark.parametrize(
    ("options", "content_type", "body"),
    [
        (
            {"form": {"a": "1 2", "b": ["x", "y"], "c": None}},
            "application/x-www-form-urlencoded",
            "a=1+2&b=x&b=y",
        ),
        ({"content": "Zoë"}, "text/plain; charset=utf-8", "Zo\u00c3\u00ab"),
        (
            {"content": b"\x00\x01", "content_type": "application/x-acme"},
            "application/x-acme",
            "\x00\x01",
        ),
        ({"content": io.BytesIO(b"file"), "content_type": "image/png"}, "image/png", "file"),
        ({"content": iter([b"one", b"two"])}, None, "onetwo"),
        (
            {"json": {"a": 1}, "content_type": "application/vnd.acme+json"},
            "application/vnd.acme+json",
            '{"a":1}',
        ),
        ({}, None, ""),
    ],
    ids=["form", "text", "bytes", "file", "chunks", "vendor json", "nothing"],
)
def test_bodies(
    server: Provider, options: dict[str, Any], content_type: str | None, body: str
) -> None:
    """Each kind of body arrives with its media type."""
    with attempt(server.url) as (api, _):
        seen = api.put("/x", **options).json()
    assert (seen["headers"].get("content-type"), seen["body"]) == (content_type, body)


def test_multipart(server: Provider) -> None:
    """Fields and files arrive in one body, whose length is known; a name cannot end its header
    line.
    """
    fields = {
        "title": "Milk",
        "one": File(b"PNG", "image/png"),
        'a"\r\nX: y': Part(io.BytesIO(b"big"), 'n"\r\n.bin'),
    }
    with attempt(server.url) as (api, _):
        seen = api.post("/files", multipart=fields).json()
    assert int(seen["headers"]["content-length"]) == len(seen["body"])
    assert 'name="title"\r\n\r\nMilk\r\n' in seen["body"]
    assert 'name="one"; filename="one"\r\nContent-Type: image/png\r\n\r\nPNG\r\n' in seen["body"]
    assert 'name="a%22%0D%0AX: y"; filename="n%22%0D%0A.bin"' in seen["body"]


@pytest.mark.parametrize(
    ("kind", "values", "name", "value", "path"),
    [
        (type("K", (ApiKey,), {}), {"apiKey": " k1 "}, "x-api-key", "k1", "/x"),
        (
            type("C", (ApiKey,), {"location": "cookie", "name": "sid"}),
            {"apiKey": "k;1"},
            "cookie",
            "sid=k%3B1",
            "/x",
        ),
        (
            type("Q", (ApiKey,), {"location": "query", "name": "key"}),
            {"apiKey": "k&1"},
            "x",
            None,
            "/x?a=1&key=k%261",
        ),
        (
            BasicLogin,
            {"username": "ada", "password": "p:ü"},
            "authorization",
            "Basic YWRhOnA6w7w=",
            "/x",
        ),
    ],
    ids=["header", "cookie", "query", "basic"],
)
def test_credentials(
    server: Provider, kind: Any, values: dict[str, str], name: str, value: str | None, path: str
) -> None:
    """Each connection type puts its credentials where they belong."""
    with attempt(server.url, kind, values=values) as (api, _):
        seen = api.get("/x", query={"a": 1} if "?" in path else None).json()
    assert (seen["headers"].get(name), seen["path"]) == (value, path)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw", "members"])
def test_compressed_answers(coding: str) -> None:
    """Compressed responses are decoded, also those of several gzip members, and deflated ones
    without a header.
    """
    body = b'{"text": "' + b"x" * 300_000 + b'"}'
    content = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "members": gzip.compress(body[:9]) + gzip.compress(body[9:]),
    }
    content["raw"] = zlib.compress(body)[2:-4]
    headers = {"Content-Encoding": "deflate" if coding in {"deflate", "raw"} else "gzip"}
    with (
        Provider([Answer(content=content[coding], headers=headers)]) as provider,
        attempt(provider.url) as (api, _),
    ):
        assert len(api.get("/x").json("/text")) == 300_000


def test_streams_both_ways() -> None:
    """An upload is read in pieces, and a download arrives in pieces."""
    pieces = [b"x" * 50_000] * 40
    with (
        Provider(
            [Answer(content=b"".join(pieces), headers={"Content-Type": "video/mp4"})]
        ) as provider,
        attempt(provider.url) as (api, _),
    ):
        with api.stream("POST", "/up", content=iter(pieces)) as answer:
            sizes = [len(chunk) for chunk in answer.chunks()]
        assert (sum(sizes), max(sizes) <= 65_536, answer.status) == (2_000_000, True, 200)
        assert len(provider.requests[0].body) == 2_000_000


def test_a_stream_is_not_read_after_its_end() -> None:
    """Chunks that outlive the block of their stream were an empty file, or a part of one, with
    success; they are an author's mistake.
    """
    with (
        Provider([Answer(content=b"x" * 1_000_000)]) as provider,
        attempt(provider.url, values={"token": "t"}) as (api, _),
    ):
        with api.stream("GET", "/large") as answer:
            chunks = answer.chunks()
            first = next(chunks)
        with pytest.raises(ValueError, match="the response is closed"):
            next(chunks)
        assert 0 < len(first) < 1_000_000


def test_a_connection_is_used_again() -> None:
    """Requests of all attempts over a connection share its pool."""
    cache = Cache()
    with Provider(echo) as provider:
        for _ in range(2):
            with attempt(provider.url, cache=cache) as (api, _):
                api.get("/x")
    assert len([kept for kept in cache.objects.values() if isinstance(kept, Wire)]) == 1


def test_idempotency_keys() -> None:
    """A request passes the invocation's key on; a later one of the attempt has a key of its own,
    which the next attempt uses again.
    """
    seen: list[str] = []
    with Provider(echo) as provider:
        for _ in range(2):
            with attempt(
                provider.url, type("Stripe", (Acme,), {"idempotency_header": "X-Key"})
            ) as (api, call):
                call.key.value = "order-1"
                seen += [
                    api.post("/x", json={}, idempotent=True).json("/headers/x-key")
                    for _ in range(2)
                ]
                assert call.key.used
    assert seen == ["order-1", "order-1-2"] * 2


def test_nothing_secret_is_shown() -> None:
    """Clients and answers show no secret and no body, and neither can be pickled."""
    with Provider(echo) as provider, attempt(provider.url) as (api, _):
        answer = api.get("/x")
        assert TOKEN not in repr(api) + repr(answer) + repr(vars(api)["_sign_in"])
        for what in (api, vars(api)["_sign_in"]):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(what)


def test_answers_that_are_no_json() -> None:
    """A response that is not JSON is a failure whose outcome is unknown; text stays available."""
    page = Answer(content=b"<html>\xfc", headers={"Content-Type": "text/html; charset=latin-1"})
    with Provider([page, page]) as provider, attempt(provider.url) as (api, _):
        answer = api.post("/x", headers={"Accept": "text/html"})
        assert answer.text == "<html>ü"
        with pytest.raises(Unavailable) as found:
            answer.json()
        assert found.value.sent is Sent.UNKNOWN


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "undefined", "utf-7", "raw_unicode_escape", "rot13", "none"]
)
def test_charsets_that_are_none(charset: str) -> None:
    """Text in a charset that only Python knows is readable, and never breaks what it passes
    through.
    """
    page = Answer(
        content=rb"+2AA-\ud800 \xff", headers={"Content-Type": f"text/plain; charset={charset}"}
    )
    with Provider([page]) as provider, attempt(provider.url) as (api, _):
        assert api.get("/x").text.encode()


@pytest.mark.parametrize(
    ("content", "label", "text"),
    [
        (b"\x80", "ISO-8859-1", "€"),
        (b"\xff\xfea\0", "utf-16", "a"),
        (b"a\0", "UTF-16LE", "a"),
        ("ж".encode("koi8-r"), "koi8-r", "ж"),
    ],
)
def test_charsets_are_those_of_the_web(content: bytes, label: str, text: str) -> None:
    """Labels mean what browsers take them for: ISO-8859-1 is Windows-1252, UTF-16 is little endian
    unless a mark says otherwise.
    """
    assert decoded_text(content, label) == text


_CODECS = sorted(
    {*encodings.aliases.aliases.values(), "idna", "punycode", "unicode_escape", "utf-8"}
)


def test_s4_no_charset_makes_a_response_take_more_than_linear_time(
    subtests: pytest.Subtests,
) -> None:
    """``punycode`` took seconds for 200 kB and hours for 32 MiB; whatever codec of Python a
    provider names, time is linear.
    """
    for label in _CODECS:
        with subtests.test(label=label):
            for start in (b"ab-1", b"\xff\x1b$B"):
                assert not grows_faster_than_linear(_decoding(start, label), 400_000)


def _decoding(start: bytes, label: str) -> Callable[[int], object]:
    return lambda size: decoded_text(start * (size // 4), label)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (rb'{"a": "\ud83d", "\udfff": "\ud83d\ude00"}', {"a": "\ufffd", "\ufffd": "\U0001f600"}),
        (b"[" * 200 + b"]" * 200, None),
        (b"[" * 201 + b"]" * 201, Unavailable),
        (b'["[",' * 201 + b"1" + b"]" * 201, Unavailable),
        (b'{"a": 1e400}', Unavailable),
        (b'{"a": 1e-400, "b": 1e100}', {"a": 0.0, "b": 1e100}),
    ],
)
def test_json_that_is_no_output(content: bytes, found: Any) -> None:
    """Half a character is replaced; what is nested too deeply, or is no number, is refused as
    unclear instead of failing later.
    """
    with Provider([Answer(content=content)]) as provider, attempt(provider.url) as (api, _):
        answer = api.post("/x")
        if found is Unavailable:
            with pytest.raises(Unavailable, match="not JSON"):
                answer.json()
        else:
            assert found is None or answer.json() == found


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999",
        "soon",
        "-5",
        "1e999",
    ],
)
def test_waits_that_are_none(value: str) -> None:
    """A Retry-After that is neither a number of seconds nor a date says nothing."""
    with (
        Provider([Answer(status=503, headers={"Retry-After": value})]) as provider,
        attempt(provider.url) as (api, _),
    ):
        with pytest.raises(Unavailable) as found:
            api.get("/x")
        assert found.value.retry_after is None


def test_a_redirect_in_octets(server: Provider) -> None:
    """The octets of a redirect's address are kept, whatever their charset."""
    moved = Answer(status=302, headers={"Location": "/caf\xe9"})
    with Provider([moved, Answer()]) as provider, attempt(provider.url) as (api, _):
        api.get("/x")
        assert provider.requests[1].path == "/caf%E9"


@pytest.mark.parametrize(
    "options",
    [
        {"json": float("nan")},
        {"json": {"a": object()}},
        {"headers": {"X-A": "a\r\nb"}},
        {"headers": {"a b": "c"}},
    ],
)
def test_requests_that_cannot_be_built(server: Provider, options: dict[str, Any]) -> None:
    """What cannot be sent is refused before anything is sent."""
    with attempt(server.url) as (api, call):
        with pytest.raises(InvalidInput):
            api.post("/x", **options)
        assert (call.requests, server.requests) == (0, [])


def test_one_body(server: Provider) -> None:
    """Two bodies are a mistake of the author."""
    with attempt(server.url) as (api, _), pytest.raises(ValueError, match="one body"):
        api.post("/x", json={}, form={})


def test_expected_statuses() -> None:
    """A status that is expected is a success, one that is not is an error, and a 204 has no
    body.
    """
    with (
        Provider([Answer(status=404), Answer(status=204), Answer()]) as provider,
        attempt(provider.url) as (api, _),
    ):
        assert api.get("/x", expect=(200, 404)).status == 404
        assert api.delete("/x").content == b""
        with pytest.raises(JackfieldError, match="status 200"):
            api.post("/x", expect=(201,))
