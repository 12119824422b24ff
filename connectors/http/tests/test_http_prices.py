"""An answer with too many values is refused before it is parsed, however it comes, and one that is
parsed is parsed once.
"""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from growth import calls
from http_rig import attempt
from jackfield.connector import JackfieldError, Sent, TooCostly, Unavailable
from jackfield.testing import Answer, Provider
from jackfield_http import parsing
from jackfield_http.answers import media_type
from jackfield_http.headers import Headers
from jackfield_http.parsing import MAX_ITEMS, Reading, parsed
from jackfield_http.request.connector import request
from jackfield_http.request.models import RequestInputs
from raw_server import read_request, serving

MIB = 1024 * 1024
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


def many(size: int) -> bytes:
    """Empty lists, in so many bytes of JSON."""
    return b"[" + b"[]," * (size // 3) + b"1]"


@contextmanager
def provider(
    content: bytes, coding: str, *, chunked: bool, kind: bytes = b"application/json"
) -> Iterator[str]:
    """A server that answers with this content."""
    body = CODINGS[coding](content)
    coded = b"Content-Encoding: %s\r\n" % coding.encode() if coding else b""

    def talk(connection: Any) -> None:
        while read_request(connection):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s" % (kind, coded)
            try:
                if not chunked:
                    connection.sendall(b"%sContent-Length: %d\r\n\r\n" % (head, len(body)))
                    connection.sendall(body)
                    continue
                connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(body), 60_000):
                    piece = body[at : at + 60_000]
                    connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.sendall(b"0\r\n\r\n")
            except OSError:  # the client has read enough
                return

    with serving(talk) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_too_many_values_are_refused_while_they_are_read(
    coding: str, *, chunked: bool, times: int
) -> None:
    """7.5, 15 and 30 MB of empty lists, plain, compressed and in chunks, take no more memory than
    the limit has; a write is in doubt.
    """
    with (
        provider(many(times * 7_500_000), coding, chunked=chunked) as url,
        attempt(url) as (api, call),
    ):
        tracemalloc.start()
        try:
            with pytest.raises(Unavailable, match="more than 1,000,000 values") as raised:
                api.post("/lists", json={})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 16 * MIB
    assert (raised.value.sent, raised.value.retryable, raised.value.repeatable) == (
        Sent.UNKNOWN,
        False,
        False,
    )
    assert call.requests == 1


def test_a_declared_text_is_judged_before_it_is_parsed() -> None:
    """A body that is not declared as JSON is read as text; who parses it gets the same refusal."""
    with (
        provider(many(7_500_000), "gzip", chunked=False, kind=b"text/plain") as url,
        attempt(url) as (api, _),
    ):
        answer = api.get("/lists")
        with (
            mock.patch("json.loads", side_effect=AssertionError),
            pytest.raises(JackfieldError, match="1,000,000 values"),
        ):
            answer.json()


def test_an_error_with_too_many_values_is_told_by_its_status() -> None:
    """The status is clear without the body."""
    answer = Answer(status=403, content=many(200_000), headers={"Content-Type": "application/json"})
    with (
        Provider([answer]) as server,
        attempt(server.url) as (api, _),
        pytest.raises(JackfieldError) as raised,
    ):
        api.get("/lists")
    assert raised.value.code == "forbidden"


def test_a_million_values_pass() -> None:
    """The limit is where it is said to be."""
    assert len(parsed(b"[" + b"1," * 999_998 + b"1]")) == 999_999
    with pytest.raises(TooCostly):
        parsed(b"[" + b"1," * 1_000_000 + b"1]")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'["\ud83d\ude00"]', ["\U0001f600"]),
        (r'["\ud83d"]', ["\ufffd"]),
        (r'["\ude00"]', ["\ufffd"]),
        (r'["\ud83d\ud83d\ude00"]', ["\ufffd\U0001f600"]),
        (r'["\ud83d\ude00\ude00"]', ["\U0001f600\ufffd"]),
        (r'["\\ud83d\ude00"]', ["\\ud83d\ufffd"]),
        (r'["\\\ud83d\ude00"]', ["\\\U0001f600"]),
        (r'["\\\\ud83d"]', ["\\\\ud83d"]),
        (r'{"\ud83d": {"b": ["\udc00", 1, null]}}', {"\ufffd": {"b": ["\ufffd", 1, None]}}),
        ('["\ud83d"]', ["\ufffd"]),
    ],
)
def test_half_a_character_is_replaced_and_the_text_is_parsed_once(text: str, value: Any) -> None:
    """Escaped or not, as value or name, one half alone is no character; both halves are one."""
    with mock.patch.object(
        json.JSONDecoder, "decode", autospec=True, side_effect=json.JSONDecoder.decode
    ) as decode:
        assert parsed(text.encode("utf-8", "surrogatepass")) == value
    assert decode.call_count == 1


@pytest.mark.parametrize("times", [1, 2, 4])
def test_brackets_of_a_text_cost_nothing(times: int) -> None:
    """A text of n, 2n, 4n nested brackets is copied twice at most, and not once per level."""
    content = json.dumps("[" * (times * 2 * MIB) + "]" * (times * 2 * MIB)).encode()
    assert calls(lambda: parsing._is_deep(content, "")) < 20


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize(
    ("reading", "piece"),
    [
        ("lines", b"[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]\n"),
        ("events", b"data: [[],[],[],[],[],[],[],[],[],[],[],[],[],[]]\n\n"),
        ("events", b'data: "\n\ndata: [[],[],[],[],[],[],[],[],[]]\n\n'),
        ("events", b"\n"),
        ("events", b":\r"),
    ],
)
def test_the_items_of_a_stream_are_counted_together(
    reading: Reading, piece: bytes, times: int
) -> None:
    """Small items are refused by their sum, before any is parsed: a quote in one hides nothing of
    the next, and lines count, too.
    """
    content = piece * (times * 4 * MIB // len(piece))
    with mock.patch("json.loads", side_effect=AssertionError), pytest.raises(TooCostly):
        parsed(content, reading)


@pytest.mark.parametrize(
    ("reading", "piece"), [("lines", b"[\n"), ("lines", b"[\n\n"), ("events", b"data:[\n\n")]
)
def test_items_are_counted_before_the_first_is_parsed(reading: Reading, piece: bytes) -> None:
    """Of 100,001 items that are no JSON, their number is told; events without JSON are texts."""
    with (
        mock.patch.object(parsing, "_DECODER", None),
        pytest.raises(ValueError, match="more than 100,000 items"),
    ):
        parsed(piece * (MAX_ITEMS + 1), reading)


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("piece", [b"\n", b" \r\n", b"\x1e\n"])
def test_empty_lines_of_a_stream_take_no_memory(piece: bytes, times: int) -> None:
    """Of n, 2n, 4n empty lines no list is made, which would take eight bytes for each; nor work in
    Python.
    """
    content = piece * (times * 2 * MIB // len(piece)) + b"1\n"
    tracemalloc.start()
    try:
        assert parsed(content, "lines") == [1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(content) + MIB
    assert calls(lambda: parsed(content, "lines")) < 100


_LONG = b"9" * 8_193
_FIELDS = (b"Retry-After", b"X-RateLimit-Remaining", b"X-RateLimit-Reset", b"RateLimit", b"Link")


def test_a_field_that_is_too_long_is_not_parsed() -> None:
    """It counts as missing for every parser, and is whole for a caller who gets the fields."""
    short, long = (Headers([(name, value) for name in _FIELDS]) for value in (b"9" * 9, _LONG))
    assert short.retry_after == 86_400
    assert short.rate_limit_remaining == 999_999_999
    assert (long.retry_after, long.retry_after_throttle) == (None, None)
    assert (long.rate_limit_remaining, long.rate_limit_reset, long.link("next")) == (None,) * 3
    assert (long.get("link"), long.first("link")) == (None, None)
    assert dict(long)["link"] == long["Link"] == _LONG.decode()
    other = Headers([(b"Content-Type", b"application/json;" + _LONG)])
    assert media_type(other) == ""


def test_a_text_stays_one_where_no_file_can_be_stored() -> None:
    """Without storage, a text of any length that an output may have is part of it."""
    size = 5 * MIB
    with (
        provider(b"x" * size, "", chunked=False, kind=b"text/plain") as url,
        attempt(url) as (api, call),
    ):
        assert call.files is None
        assert len(request(RequestInputs(url="/text"), api).text or "") == size
