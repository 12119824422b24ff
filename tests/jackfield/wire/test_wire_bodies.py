"""Bodies of responses: lengths, chunks, interim responses and responses without a body, as no
polite server sends them.
"""

from __future__ import annotations

import gzip
import socket

import pytest
from tests.jackfield.wire.wire_stage import FIN, READ, RST, Case, differences, faults

from growth import calls
from jackfield.wire.connection import Connection
from jackfield.wire.reply import Reply

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
BOTH = "RFC 9112 §6.3 lets the coding win and the connection end; h11 would use it again"
CONTROLS = (
    "RFC 9112 §7.1.1 allows no control characters in an extension, and some end a line to "
    "others; h11 lets all pass"
)
TRAILERS = (
    "RFC 9110 §6.5.1: a field after the body says nothing about it, and is ignored; h11 "
    "looks at its value"
)
GARBLED = "garbled unknown"
CUT = "cut unknown"


def length(text: bytes, verdict: str = GARBLED, body: bytes = b"hello", **options: object) -> Case:
    """A response with these lines, which say how long its body is."""
    return Case(
        f"{text[:60]!r} before {body[:20]!r}",
        OK + text + b"\r\n\r\n" + body,
        verdict,
        **options,  # type: ignore[arg-type]
    )


def chunks(text: bytes, verdict: str = GARBLED, **options: object) -> Case:
    """A response with this body in chunks."""
    return Case(f"chunks {text[:60]!r}", CHUNKED + text, verdict, **options)  # type: ignore[arg-type]


def size(text: bytes, verdict: str = GARBLED, **options: object) -> Case:
    """A response in one chunk of five bytes whose size is written so."""
    return chunks(text + b"\r\nhello\r\n" + LAST, verdict, **options)


LENGTHS = [
    length(b"Content-Length: 5", "200 hello"),
    length(b"cOnTeNt-lEnGtH:5", "200 hello"),
    length(b"Content-Length: 05", "200 hello"),
    length(b"Content-Length: 000000000000005", "200 hello"),
    length(b"Content-Length: 0", "200 ", b""),
    length(b"Content-Length: 5\r\nContent-Length: 5", "200 hello"),
    length(b"Content-Length: 5, 5", "200 hello"),
    length(b"Content-Length: 5,5\r\nContent-Length:  5", "200 hello"),
    length(b"Content-Length: 5\r\nContent-Length: 4"),
    length(b"Content-Length: 4\r\nContent-Length: 5"),
    length(b"Content-Length: 5, 4"),
    length(b"Content-Length: 5\r\nContent-Length: 05"),
    length(b"Content-Length: 5,"),
    length(b"Content-Length: ,5"),
    length(b"Content-Length: 5;"),
    length(b"Content-Length: 5\r\nContent-Length:"),
    length(b"Content-Length:"),
    length(b"Content-Length: +5"),
    length(b"Content-Length: -5"),
    length(b"Content-Length: -0"),
    length(b"Content-Length: 5.0"),
    length(b"Content-Length: 5e0"),
    length(b"Content-Length: 0x5"),
    length(b"Content-Length: 0_5"),
    length(b"Content-Length: 5 5"),
    length(b"Content-Length: 1\r\n 5"),
    length(b"Content-Length:\r\n 5", "200 hello"),
    length(b'Content-Length: "5"'),
    length(b"Content-Length: \xd9\xa5"),
    length(b"Content-Length: \xb2"),
    length(b"Content-Length: \xa05"),
    length(b"Content-Length: \xc2\xa05"),
    length(b"Content-Length: \x0b5"),
    length(b"Content-Length: 5\x0c"),
    length(b"Content-Length: 5\x1f"),
    length(b"Content-Length: 5\x85"),
    length(b"Content-Length: hello"),
    length(b"Content-Length: " + b"9" * 30),
    length(b"Content-Length: " + b"9" * 5_000),
    length(b"Content-Length: 999999999999999999", "cut unknown | large unknown", ends=True),
    length(
        b"Content-Length: 99999999999999999999",
        "garbled unknown | cut unknown | large unknown",
        ends=True,
    ),
    length(b"Content-Length: 6", CUT, ends=True),
    length(b"Content-Length: 5", CUT, b"", ends=True),
    length(b"Content-Length: 5", "200 hello", b"hello, world", reused=False),
    length(b"Content-Length: 0", "200 ", b"hello", reused=False),
    length(b"Content-Length: 5", "200 hello", b"hello\r\n", reused=False),
    length(b"A: b", "200 hello", reused=False, ends=True),
    length(b"A: b", "200 ", b"", reused=False, ends=True),
    length(b"A: b", "200 70000 bytes", b"x" * 70_000, reused=False, ends=True),
    length(b"Connection: keep-alive", "200 hello", reused=False, ends=True),
]

CODINGS = [
    length(b"Transfer-Encoding: chunked", "200 hello", b"5\r\nhello\r\n" + LAST),
    length(b"tRANSFER-eNCODING:cHUNKED", "200 hello", b"5\r\nhello\r\n" + LAST),
    length(b"Transfer-Encoding:\r\n chunked", "200 hello", b"5\r\nhello\r\n" + LAST),
    length(
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        "200 hello",
        b"5\r\nhello\r\n" + LAST,
        reused=False,
    ),
    length(
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        "200 hello",
        b"5\r\nhello\r\n" + LAST,
        reused=False,
    ),
    length(
        b"Content-Length: 3, 4\r\nTransfer-Encoding: chunked", GARBLED, b"5\r\nhello\r\n" + LAST
    ),
    length(b"Content-Length: x\r\nTransfer-Encoding: chunked", GARBLED, b"5\r\nhello\r\n" + LAST),
    length(b"Content-Length: 3\r\nTransfer-Encoding: x", GARBLED, b"hello"),
    *(
        length(b"Transfer-Encoding: " + coding, GARBLED, b"5\r\nhello\r\n" + LAST)
        for coding in (
            b"chunked, chunked",
            b"chunked,chunked",
            b"chunked\r\nTransfer-Encoding: chunked",
            b"gzip, chunked",
            b"chunked, gzip",
            b"gzip",
            b"identity",
            b"identity, chunked",
            b"xchunked",
            b"chunkedx",
            b"x chunked",
            b"chunked x",
            b"chunked;q=1",
            b'"chunked"',
            b"\x0bchunked",
            b"chunked\x0c",
            b"\xa0chunked",
            b"chunked\x1f",
            b"chunked\x00",
            b"chun\xe9ked",
            b"chunke\xc4\x8f",
            b"",
            b"gzip\r\nTransfer-Encoding: chunked",
            b"chunked\r\nTransfer-Encoding: identity",
        )
    ),
    length(b"Transfer-Encoding: chunked,", "garbled unknown", b"5\r\nhello\r\n" + LAST),
    length(b"Transfer-Encoding : chunked"),
    length(b"Transfer_Encoding: chunked\r\nContent-Length: 5", "200 hello"),
    Case(
        "chunks in HTTP/1.0",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + LAST,
        "200 hello",
        reused=False,
    ),
]

CHUNKS = [
    chunks(LAST, "200 "),
    chunks(b"5\r\nhello\r\n" + LAST, "200 hello"),
    chunks(b"1\r\nh\r\n4\r\nello\r\n" + LAST, "200 hello"),
    chunks(b"".join(b"1\r\nx\r\n" for _ in range(3_000)) + LAST, "200 3000 bytes"),
    chunks(b"11170\r\n" + b"x" * 70_000 + b"\r\n" + LAST, "200 70000 bytes"),
    chunks(b"A\r\n0123456789\r\na\r\n0123456789\r\n" + LAST, "200 01234567890123456789"),
    chunks(b"5\r\nhello\r\n000\r\n\r\n", "200 hello"),
    chunks(b"5\r\nhello\r\n0;last\r\n\r\n", "200 hello"),
    size(b"05", "200 hello"),
    size(b"000000000000005", "200 hello"),
    size(b"5;a", "200 hello"),
    size(b"5;a=b;c=d", "200 hello"),
    size(b'5;a="b;c"', "200 hello"),
    size(b"5 ", "200 hello"),
    size(
        b"5\t;a",
        "200 hello",
        h11="garbled",
        why="RFC 9112 §7.1.1 allows spaces before an extension, and wants them removed",
    ),
    size(b"5;" + b"x" * 1_000, "200 hello"),
    size(b"5;" + b"x" * 70_000),
    size(b"5;\x00", h11="200 hello", why=CONTROLS),
    size(b"5;a\x01b", "200 hello"),
    size(b"5;a\rb", h11="200 hello", why=CONTROLS),
    size(b""),
    size(b" "),
    size(b" 5"),
    size(b"+5"),
    size(b"-5"),
    size(b"-0"),
    size(b"0x5"),
    size(b"5h"),
    size(b"G"),
    size(b"5,"),
    size(b"5 5"),
    size(b"5.0"),
    size(b"0_5"),
    size(b"\xd9\xa5"),
    size(b"\x0b5"),
    size(b"5\xa0"),
    size(b"5\x00"),
    size(b"5\r"),
    size(b"hello"),
    size(b"0" * 70_000 + b"5"),
    size(b"1" + b"0" * 16, "garbled unknown | cut unknown", ends=True),
    size(b"1" + b"0" * 40),
    size(b"FFFFFFFFFFFFFFF", "cut unknown | large unknown", ends=True),
    size(b"4"),
    size(b"6"),
    chunks(
        b"5\nhello\n0\n\n",
        h11="waits",
        why="h11 looks for a CR LF to come; a line that ends otherwise is no better for that",
    ),
    chunks(b"5\r\nhello\n" + LAST),
    chunks(b"5\r\nhello" + LAST),
    chunks(b"5\r\nhello\r\r\n" + LAST),
    chunks(b"5\r\nhelloXX" + LAST),
    chunks(b"5\rhello\r\n" + LAST, "garbled unknown | cut unknown", ends=True),
    chunks(b"5\r\nhello\r\n\r\n" + LAST),
    chunks(b"", CUT, ends=True),
    chunks(b"5", CUT, ends=True),
    chunks(b"5\r\n", CUT, ends=True),
    chunks(b"5\r\nhel", CUT, ends=True),
    chunks(b"5\r\nhello", CUT, ends=True),
    chunks(b"5\r\nhello\r\n", CUT, ends=True),
    chunks(b"5\r\nhello\r\n0", CUT, ends=True),
    chunks(b"5\r\nhello\r\n0\r\n", CUT, ends=True),
    chunks(b"5\r\nhello\r\n0\r\n\r", CUT, ends=True),
    chunks(b"5\r\nhello\r\n0\r\nA: b\r\n", CUT, ends=True),
    chunks(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", "200 hello"),
    chunks(
        b"5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\n\r\n",
        "200 hello",
        h11="garbled",
        why=TRAILERS,
    ),
    chunks(b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n", "200 hello"),
    chunks(b"5\r\nhello\r\n0\r\nA : b\r\n\r\n"),
    chunks(b"5\r\nhello\r\n0\r\nA\r\n\r\n"),
    chunks(b"5\r\nhello\r\n0\r\nA: \x00\r\n\r\n"),
    chunks(b"5\r\nhello\r\n0\r\nA: " + b"x" * 70_000 + b"\r\n\r\n"),
    chunks(b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 12_000 + b"\r\n"),
    chunks(b"5\r\nhello\r\n" + LAST + b"x", "200 hello", reused=False),
    chunks(b"5\r\nhello\r\n" + LAST + b"\r\n", "200 hello", reused=False),
    chunks(b"5\r\nhello\r\n" + LAST + LAST, "200 hello", reused=False),
    Case("chunks cut by a reset", (READ, CHUNKED + b"5\r\nhello\r\n", RST), CUT),
    Case("a body until the end, cut by a reset", (READ, OK + b"\r\nhello", RST), CUT),
    Case(
        "a body with a length, cut by a reset",
        (READ, OK + b"Content-Length: 9\r\n\r\nhello", RST),
        CUT,
    ),
    Case(
        "half a gzip until the end",
        (READ, OK + b"\r\n" + gzip.compress(b"x" * 99, mtime=0)[:10], FIN),
        "200 " + gzip.compress(b"x" * 99, mtime=0)[:10].decode("latin-1"),
        reused=False,
    ),
]

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
INTERIM = [
    Case("100", b"HTTP/1.1 100 Continue\r\n\r\n" + FINAL, "200 hello"),
    Case(
        "102 and 103 with fields",
        b"HTTP/1.1 102 P\r\nA: b\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n" + FINAL,
        "200 hello",
    ),
    Case("199", b"HTTP/1.1 199 Odd\r\n\r\n" + FINAL, "200 hello"),
    Case("20 of them", b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + FINAL, "200 hello"),
    Case(
        "100 of HTTP/1.0",
        b"HTTP/1.0 100 Continue\r\n\r\n" + FINAL,
        "200 hello | garbled unknown",
        reused=None,
    ),
    Case(
        "100 with a length and no body",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" + FINAL,
        "200 hello",
    ),
    Case(
        "100 with a body",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + FINAL,
        GARBLED,
    ),
    Case(
        "100 in chunks",
        b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST + FINAL,
        GARBLED,
    ),
    Case("103 with a bad field", b"HTTP/1.1 103 Hints\r\nA : b\r\n\r\n" + FINAL, GARBLED),
    Case(
        "103 with half a body of another",
        b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n\r\n" + FINAL,
        GARBLED,
    ),
    Case(
        "103 with two lengths",
        b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + FINAL,
        GARBLED,
    ),
    Case(
        "103 with another coding",
        b"HTTP/1.1 103 Hints\r\nTransfer-Encoding: gzip\r\n\r\n" + FINAL,
        GARBLED,
    ),
    Case(
        "101 for nothing",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + FINAL,
        GARBLED,
    ),
    Case("101 after 100", b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 101 S\r\n\r\n" + FINAL, GARBLED),
    Case("only 100", b"HTTP/1.1 100 Continue\r\n\r\n", CUT, ends=True),
    Case("only half of 103", b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n", CUT, ends=True),
    Case(
        "more than anyone needs",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + FINAL,
        GARBLED,
        h11="200 hello",
        why="they are counted, so that a server cannot go on for ever",
    ),
]

BODILESS = [
    Case(
        "HEAD with a length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 ", method="HEAD"
    ),
    Case("HEAD with a body", FINAL, "200 ", method="HEAD", reused=False),
    Case("HEAD in chunks", CHUNKED, "200 ", method="HEAD"),
    Case("HEAD in chunks that come", CHUNKED + LAST, "200 ", method="HEAD", reused=False),
    Case("HEAD without a length", OK + b"\r\n", "200 ", method="HEAD"),
    Case(
        "HEAD with a length of 5 TB",
        OK + b"Content-Length: 5000000000000\r\n\r\n",
        "200 ",
        method="HEAD",
    ),
    Case(
        "HEAD with two lengths",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        GARBLED,
        method="HEAD",
    ),
    Case(
        "HEAD with a length that is none", OK + b"Content-Length: x\r\n\r\n", GARBLED, method="HEAD"
    ),
    Case(
        "HEAD with another coding", OK + b"Transfer-Encoding: gzip\r\n\r\n", GARBLED, method="HEAD"
    ),
    Case("HEAD and 404", b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n", "404 ", method="HEAD"),
    Case("204", b"HTTP/1.1 204 No\r\n\r\n", "204 "),
    Case("204 with a length of 0", b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "204 "),
    Case("204 with a length", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "204 "),
    Case(
        "204 with a body",
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
        "204 ",
        reused=False,
    ),
    Case("204 with a coding", b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", "204 "),
    Case(
        "204 with chunks",
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST,
        "204 ",
        reused=False,
    ),
    Case("204 and a second response", b"HTTP/1.1 204 No\r\n\r\n" + FINAL, "204 ", reused=False),
    Case("204 to a POST", b"HTTP/1.1 204 No\r\n\r\n", "204 ", method="POST"),
    Case("304 with a length", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", "304 "),
    Case(
        "304 with a body",
        b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello",
        "304 ",
        reused=False,
    ),
    Case("205 with a length of 0", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", "205 "),
    Case("205 with a body", b"HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello", "205 hello"),
    Case(
        "204 until the end",
        b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n",
        "204 ",
        reused=False,
        ends=True,
    ),
]

TABLES = {
    "lengths": LENGTHS,
    "codings": CODINGS,
    "chunks": CHUNKS,
    "interim": INTERIM,
    "bodiless": BODILESS,
}


@pytest.mark.parametrize("drip", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("table", TABLES)
def test_where_a_body_ends(table: str, drip: bool) -> None:
    """A body ends where its framing says, or the response is a fault; what follows it is never the
    answer to another request.
    """
    assert faults(TABLES[table], drip=drip) == ""


@pytest.mark.parametrize("table", TABLES)
def test_h11_says_the_same_of_bodies(table: str) -> None:
    """h11 sees the same end of each body; where it does not, the table has its verdict and a reason
    for ours.
    """
    assert differences(TABLES[table]) == ""


def test_a_body_in_the_smallest_chunks_costs_what_it_is_long() -> None:
    """Chunks that have arrived whole are read together, a few calls each: in one piece, and up to
    the first that has not.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours)
        connection.buffer += b"1\r\nx\r\n" * 10_000 + b"2\r\nx"
        theirs.sendall(b"x\r\n" + b"1;a=b\r\ny\r\n" * 1_000 + b"0\r\n\r\n")
        reply = Reply(CHUNKED, "GET", connection, lambda: 30.0, None)
        pieces: list[bytes] = []
        assert calls(lambda: pieces.extend(reply.raw())) < 6 * 11_000
    assert b"".join(pieces) == b"x" * 10_002 + b"y" * 1_000
    assert len(pieces) < 10
