"""Whose turn it is: connections that end early or serve again, answers that come early or late, and
what each says about the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from tests.jackfield.wire.wire_stage import (
    BEGIN,
    CLOSE,
    FIN,
    GATE,
    HANG,
    HEAD,
    READ,
    RST,
    Case,
    Drain,
    Endless,
    Heard,
    Stage,
    Step,
    ask,
    differences,
    faults,
    judge,
    staged,
)

from jackfield.connector import Target, Wire, WireFault, WireSettings
from jackfield.kernel.errors import Sent

OK = b"HTTP/1.1 200 OK\r\n"
FINAL = OK + b"Content-Length: 5\r\n\r\nhello"
STALE = OK + b"Content-Length: 5\r\n\r\nstale"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
REFUSAL = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
CUT = "cut unknown"


def closing(lines: bytes, *, reused: bool, version: bytes = b"1.1") -> Case:
    """A response with these lines, which say whether its connection goes on."""
    text = b"HTTP/" + version + b" 200 OK\r\nContent-Length: 5\r\n" + lines + b"\r\n\r\nhello"
    return Case(f"{version!r} {lines!r}", text, "200 hello", reused=reused)


CONNECTIONS = [
    closing(b"Connection: keep-alive", reused=True),
    closing(b"Connection: close", reused=False),
    closing(b"connection:CLOSE", reused=False),
    closing(b"Connection: keep-alive, close", reused=False),
    closing(b"Connection: close, x", reused=False),
    closing(b"Connection: x\r\nConnection: close", reused=False),
    closing(b"Connection: x,\tclose ,", reused=False),
    closing(b"Connection:\r\n close", reused=False),
    closing(b"Connection: closed", reused=True),
    closing(b"Connection: not close", reused=True),
    closing(b"Proxy-Connection: close", reused=True),
    closing(b"A: b", reused=False, version=b"1.0"),
    closing(b"Connection: close", reused=False, version=b"1.0"),
]

IDLE = [
    Case("closed while idle", (READ, FINAL, GATE, CLOSE), "200 hello", reused=False),
    Case("ended while idle", (READ, FINAL, GATE, FIN), "200 hello", reused=False),
    Case("reset while idle", (READ, FINAL, GATE, RST), "200 hello", reused=False),
    Case("a response while idle", (READ, FINAL, GATE, STALE), "200 hello", reused=False),
    Case(
        "a timeout while idle",
        (READ, FINAL, GATE, b"HTTP/1.1 408 Late\r\nConnection: close\r\n\r\n", CLOSE),
        "200 hello",
        reused=False,
    ),
    Case("an empty line while idle", (READ, FINAL, GATE, b"\r\n"), "200 hello", reused=False),
    Case("one byte while idle", (READ, FINAL, GATE, b"\x00"), "200 hello", reused=False),
    Case("a response behind the response", FINAL + STALE, "200 hello", reused=False),
    Case("a response behind chunks", CHUNKED + STALE, "200 hello", reused=False),
    Case("half a response behind the response", FINAL + b"HTTP/1.1 2", "200 hello", reused=False),
    Case(
        "100 behind the response",
        FINAL + b"HTTP/1.1 100 Continue\r\n\r\n",
        "200 hello",
        reused=False,
    ),
    Case("closed at once, as nobody said", (READ, FINAL, CLOSE), "200 hello", reused=False),
    Case("closed after 204", (READ, b"HTTP/1.1 204 No\r\n\r\n", GATE, CLOSE), "204 ", reused=False),
    Case(
        "a response before the request", (FINAL, READ), "200 hello | garbled unknown", reused=None
    ),
    Case("reset when the request begins", (READ, FINAL, BEGIN, RST), "200 hello", reused=False),
]

ENDS = [
    Case("nothing", (READ, FIN), CUT),
    Case("nothing but a reset", (READ, RST), CUT),
    Case("closed before anything was read", (CLOSE,), "cut unknown | cut nothing"),
    Case(
        "reset before anything was read", (RST,), "cut unknown | cut nothing | unreachable nothing"
    ),
    Case("closed in the request", (HEAD, CLOSE), CUT, method="POST"),
    Case("reset in the request", (HEAD, RST), CUT, method="POST"),
    Case(
        "an answer in the request, then closed",
        (HEAD, FINAL, CLOSE),
        "200 hello | cut unknown",
        method="POST",
        reused=False,
    ),
    *(
        Case(f"closed after byte {end}", FINAL[:end], CUT, ends=True)
        for end in range(1, len(FINAL))
    ),
    *(
        Case(f"chunks closed after byte {end}", CHUNKED[:end], CUT, ends=True)
        for end in range(1, len(CHUNKED))
    ),
    *(
        Case(f"reset after byte {end}", (READ, FINAL[:end], RST), CUT)
        for end in range(1, len(FINAL), 5)
    ),
    *(
        Case(f"chunks reset after byte {end}", (READ, CHUNKED[:end], RST), CUT)
        for end in range(1, len(CHUNKED), 5)
    ),
]


@pytest.mark.parametrize("cases", [CONNECTIONS, IDLE, ENDS], ids=["connections", "idle", "ends"])
def test_a_response_answers_its_own_request_only(cases: list[Case]) -> None:
    """A connection serves again if it stands and nothing is left on it; a response that ends early
    is none.
    """
    assert faults(cases) == ""


@pytest.mark.parametrize("cases", [CONNECTIONS, ENDS], ids=["connections", "ends"])
def test_h11_says_the_same_of_ends(cases: list[Case]) -> None:
    """h11 takes no response for whole that is not."""
    assert differences(cases) == ""


def test_what_h11_says_of_connections() -> None:
    """h11 uses the same connections again."""
    for case in CONNECTIONS:
        assert isinstance(case.answer, bytes)
        assert judge("GET", case.answer, ends=False).reusable == case.reused, case.what


def test_a_connection_that_ends_when_the_request_has_left() -> None:
    """Nobody knows what a server did with a request that left before the connection's end was seen:
    it is not sent again.
    """
    with staged(Stage((READ, FINAL, BEGIN, CLOSE))) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)

        def begin() -> None:
            stage.at_begin.set()
            stage.over.wait(60)

        assert ask(wire, target, b"/first").verdict == "200 hello"
        found = ask(wire, target, b"/second", begin=begin)
        assert (found.verdict, found.begins, stage.connection_of(b"/second")) == (CUT, 1, None)


UPLOAD = 12 * 1024 * 1024
"""More than the buffers of two sockets hold, 10 MiB where Linux was left as it is."""
EARLY: Sequence[tuple[str, Sequence[Step], str]] = [
    ("refused and closed", (HEAD, REFUSAL, CLOSE), "413 "),
    ("refused, not read and not closed", (HEAD, REFUSAL, GATE), "413 "),
    ("refused, then read", (HEAD, REFUSAL, Drain(UPLOAD)), "413 "),
    ("refused before the head was read", (REFUSAL, GATE), "413 "),
    (
        "refused with a body and closed",
        (HEAD, b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", CLOSE),
        "403 no",
    ),
    (
        "refused with a body until the end",
        (HEAD, b"HTTP/1.1 403 No\r\n\r\nno", FIN, GATE),
        "403 no",
    ),
    (
        "sent elsewhere",
        (HEAD, b"HTTP/1.1 307 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", GATE),
        "307 ",
    ),
    ("failed", (HEAD, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", GATE), "500 "),
    ("accepted, then read", (HEAD, FINAL, Drain(UPLOAD)), "200 hello"),
    ("accepted and closed", (HEAD, FINAL, CLOSE), CUT),
    (
        "to be continued, unasked",
        (HEAD, b"HTTP/1.1 100 Continue\r\n\r\n", Drain(UPLOAD), FINAL),
        "200 hello",
    ),
    (
        "early hints",
        (HEAD, b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n", Drain(UPLOAD), FINAL),
        "200 hello",
    ),
    (
        "early hints, then refused",
        (HEAD, b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n", REFUSAL, GATE),
        "413 ",
    ),
    (
        "half a status line, then read",
        (HEAD, b"HTTP/1.1 2", Drain(UPLOAD), FINAL[10:]),
        "200 hello",
    ),
    ("garbage", (HEAD, b"garbage\r\n\r\n", GATE), "garbled unknown"),
    ("ended", (HEAD, FIN, GATE), CUT),
    ("closed", (HEAD, CLOSE), CUT),
    ("reset", (HEAD, RST), CUT),
]


@pytest.mark.parametrize("shape", ["whole", "pieces"])
def test_answers_before_the_request_was_read(shape: str) -> None:
    """A server may answer before it has read an upload: its refusal counts, its success only with
    the whole upload taken.
    """
    wrong = []
    for what, script, verdict in EARLY:
        with staged(Stage(script)) as stage:
            wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
            body = (
                bytes(UPLOAD)
                if shape == "whole"
                else (bytes(65_536) for _ in range(UPLOAD // 65_536))
            )
            found = ask(wire, target, b"/first", method="PUT", body=body, length=UPLOAD)
            stage.at_gate.set()
            following = ask(wire, target, b"/next").verdict
        wrong += (
            []
            if (found.verdict, found.begins, following) == (verdict, 1, "200 next")
            else [f"{what}: {found}, {following}"]
        )
    assert "\n".join(wrong) == ""


LATE: Sequence[tuple[str, Sequence[Step]]] = [
    ("no answer", (READ, HANG)),
    ("half a status line", (READ, b"HTTP/1.1 2", HANG)),
    ("half a head", (READ, OK + b"A: b\r\n", HANG)),
    ("a head without a body", (READ, OK + b"Content-Length: 5\r\n\r\n", HANG)),
    ("half a body", (READ, OK + b"Content-Length: 5\r\n\r\nhel", HANG)),
    ("half a chunk", (READ, CHUNKED[:50], HANG)),
    ("chunks without the last", (READ, CHUNKED.removesuffix(b"0\r\nA: b\r\n\r\n"), HANG)),
    ("half a trailer", (READ, CHUNKED[:-2], HANG)),
    ("a body until the end, which does not come", (READ, OK + b"\r\nhello", HANG)),
    ("only 100", (READ, b"HTTP/1.1 100 Continue\r\n\r\n", HANG)),
    ("a trickled head", (READ, OK, Endless(b"A: b\r\n"))),
    ("a trickled field", (READ, OK + b"A: ", Endless(b"b"))),
    ("a trickled body", (READ, OK + b"Content-Length: 100000\r\n\r\n", Endless(b"x"))),
    ("a trickled body without an end", (READ, OK + b"\r\n", Endless(b"x"))),
    ("trickled chunks", (READ, OK + b"Transfer-Encoding: chunked\r\n\r\n", Endless(b"1\r\nx\r\n"))),
    (
        "a trickled size of a chunk",
        (READ, OK + b"Transfer-Encoding: chunked\r\n\r\n5;", Endless(b"a")),
    ),
    ("a trickled trailer", (READ, CHUNKED[:-2], Endless(b"A: b\r\n"))),
    ("trickled interim responses", (READ, Endless(b"HTTP/1.1 100 Continue\r\n\r\n"))),
]


def test_a_server_that_takes_its_time() -> None:
    """The deadline bounds the whole response, however it is spread; the server may have done what
    it was asked.
    """
    wrong = []
    for what, script in LATE:
        with staged(Stage(script)) as stage:
            wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
            limit, begin = timed(0.5)
            found = ask(wire, target, b"/first", limit=limit, begin=begin)
            stage.at_gate.set()
            following = ask(wire, target, b"/next").verdict
        wrong += (
            []
            if (found, following) == (Heard("late unknown", [], 1), "200 next")
            else [f"{what}: {found}, {following}"]
        )
    assert "\n".join(wrong) == ""


@pytest.mark.parametrize("shape", ["whole", "pieces"])
def test_an_upload_that_nobody_reads(shape: str) -> None:
    """A server that stops reading costs the deadline; what it has read may count."""
    with staged(Stage((HEAD, GATE))) as stage:
        limit, begin = timed(0.5)
        body = (
            bytes(UPLOAD) if shape == "whole" else (bytes(65_536) for _ in range(UPLOAD // 65_536))
        )
        target = Target("http", "127.0.0.1", stage.port)
        found = ask(
            Wire(WireSettings()),
            target,
            b"/first",
            method="PUT",
            body=body,
            length=UPLOAD,
            limit=limit,
            begin=begin,
        )
        assert (found.verdict, found.begins) == ("late unknown", 1)


def test_no_time_is_left_when_the_request_begins() -> None:
    """A deadline that passes between the connection and the first byte: nothing was sent."""
    with staged(Stage(())) as stage:
        limit, begin = timed(0.0)
        found = ask(
            Wire(WireSettings()),
            Target("http", "127.0.0.1", stage.port),
            b"/first",
            limit=limit,
            begin=begin,
        )
        assert (found.verdict, found.begins, stage.requests) == ("late nothing", 1, [])


def timed(seconds: float) -> tuple[Callable[[], float], Callable[[], None]]:
    """A limit of so many seconds from the request's beginning on, and what the beginning must
    call.
    """
    begun: list[float] = []
    return lambda: begun[0] + seconds - time.monotonic() if begun else 30.0, lambda: begun.append(
        time.monotonic()
    )


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 500\r\n\r\n" + b"x" * 500,
        OK + b"\r\n" + b"x" * 500,
        OK
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"64\r\n"
        + b"x" * 100
        + b"\r\n"
        + b"64\r\n"
        + b"x" * 100
        + b"\r\n0\r\n\r\n",
    ],
    ids=["length", "until the end", "chunks"],
)
def test_a_body_that_is_too_large(answer: bytes) -> None:
    """A body beyond the limit is a fault, and its connection ends."""
    with staged(Stage((READ, answer, FIN))) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
        reply = wire.send(
            "GET", target, b"/first", [(b"Host", b"x")], None, lambda: 30.0, lambda: None
        )
        with pytest.raises(WireFault) as found:
            reply.read(100)
        assert (found.value.kind, found.value.sent) == ("large", Sent.UNKNOWN)
        assert ask(wire, target, b"/next").verdict == "200 next"
        assert stage.connection_of(b"/next") == 1


def test_a_body_that_nobody_reads_to_its_end() -> None:
    """A reply that is closed early takes its connection with it, so that the rest of the body
    answers nobody.
    """
    with staged(Stage((READ, OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5_000))) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
        for take in (0, 1):
            reply = wire.send(
                "GET", target, b"/first", [(b"Host", b"x")], None, lambda: 30.0, lambda: None
            )
            assert all(next(reply.raw()) for _ in range(take))
            reply.close()
        assert ask(wire, target, b"/next").verdict == "200 next"
        assert stage.accepted == 3


REQUESTS: Sequence[tuple[str, bytes, tuple[bytes, bytes]]] = [
    ("GET\r\nA: b\r\n", b"/", (b"A", b"b")),
    ("GE T", b"/", (b"A", b"b")),
    ("", b"/", (b"A", b"b")),
    ("GET", b"", (b"A", b"b")),
    ("GET", b"/ /x", (b"A", b"b")),
    ("GET", b"/ HTTP/1.1\r\nA: b\r\n\r\nGET /", (b"A", b"b")),
    ("GET", b"/ HTTP/1.1\r\nB: c\r\nC:", (b"A", b"b")),
    ("GET / HTTP/1.1\r\nB:", b"/", (b"A", b"b")),
    ("GET", b"/\n", (b"A", b"b")),
    ("GET", b"/\x00", (b"A", b"b")),
    ("GET", b"/\xc3\xa9", (b"A", b"b")),
    ("GET", b"/", (b"A\r\nB", b"b")),
    ("GET", b"/", (b"A B", b"b")),
    ("GET", b"/", (b"", b"b")),
    ("GET", b"/", (b"A", b"b\r\nC: d")),
    ("GET", b"/", (b"A: b\r\nC", b"d")),
    ("GET", b"/", (b"A", b"b\nC: d")),
    ("GET", b"/", (b"A", b"b\rc")),
    ("GET", b"/", (b"A", b"b\x00c")),
    ("GET", b"/", (b"A", b"b\r\n c")),
    ("GET", b"/", (b"A", b"b\r\n\r\nGET /second HTTP/1.1")),
]


def test_requests_that_would_be_two() -> None:
    """What would end its line, or is not allowed where it stands, is not sent; nothing begins."""
    begun: list[int] = []
    with staged(Stage(())) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
        for method, path, field in REQUESTS:
            with pytest.raises(WireFault) as found:
                wire.send(
                    method,
                    target,
                    path,
                    [(b"Host", b"x"), field],
                    None,
                    lambda: 30.0,
                    lambda: begun.append(1),
                )
            assert (found.value.kind, found.value.sent) == ("unsendable", Sent.NOTHING), (
                method,
                path,
                field,
            )
        assert (begun, stage.requests) == ([], [])


def test_a_body_that_fails_while_it_is_read() -> None:
    """What reads the body may raise; that passes unchanged, and the half request is never followed
    by another.
    """

    def broken() -> Iterator[bytes]:
        yield b"x" * 100
        raise LookupError("the file has gone")

    with staged(Stage(())) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
        with pytest.raises(LookupError):
            wire.send(
                "PUT",
                target,
                b"/first",
                [(b"Host", b"x"), (b"Content-Length", b"200")],
                broken(),
                lambda: 30.0,
                lambda: None,
            )
        assert ask(wire, target, b"/next").verdict == "200 next"
        assert stage.connection_of(b"/next") == 1


@pytest.mark.parametrize(
    "pieces", [[b"x" * 99], [b"x" * 100, b"x"], []], ids=["short", "long", "none"]
)
def test_a_body_that_is_not_as_long_as_was_said(pieces: list[bytes]) -> None:
    """A body of another length than its Content-Length would be followed by the next request: the
    connection ends.
    """
    with staged(Stage(())) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)
        assert (
            ask(wire, target, b"/first", method="PUT", body=iter(pieces), length=100).verdict
            == "unsendable unknown"
        )
        assert ask(wire, target, b"/next").verdict == "200 next"
        assert stage.connection_of(b"/next") == 1


def test_begin_stops_a_request() -> None:
    """What begin raises passes unchanged, and nothing is sent; the connection serves the next
    request or none.
    """
    with staged(Stage(())) as stage:
        wire, target = Wire(WireSettings()), Target("http", "127.0.0.1", stage.port)

        def refuse() -> None:
            raise LookupError("cancelled")

        with pytest.raises(LookupError):
            wire.send("GET", target, b"/first", [(b"Host", b"x")], None, lambda: 30.0, refuse)
        assert ask(wire, target, b"/next").verdict == "200 next"
        assert stage.connection_of(b"/first") is None


def _second(script: Sequence[Step], settings: WireSettings) -> tuple[Heard, int | None]:
    """What a POST gets after a first request, and the number of its connection; it begins as the
    script is over.
    """
    with staged(Stage(script)) as stage:
        wire, target = Wire(settings), Target("http", "127.0.0.1", stage.port)
        ask(wire, target, b"/first")

        def begin() -> None:
            stage.at_begin.set()
            stage.over.wait(60)

        heard = ask(wire, target, b"/next", method="POST", body=b"order", begin=begin)
        return heard, stage.connection_of(b"/next")


def test_a_response_that_comes_while_a_write_begins_answers_nothing() -> None:
    """A kept connection is looked at once more after the begin of a write was recorded: what came
    meanwhile is no answer to it.
    """
    heard, connection = _second((READ, FINAL, BEGIN, STALE), WireSettings())
    assert (heard.verdict, heard.begins, connection) == ("200 next", 1, 1)


def test_writes_go_over_new_connections_where_that_is_set() -> None:
    """With ``fresh_writes`` a write never uses a kept connection, and a read does."""
    heard, connection = _second((READ, FINAL), WireSettings(fresh_writes=True))
    assert (heard.verdict, connection) == ("200 next", 1)
    with staged(Stage((READ, FINAL))) as stage:
        wire, target = (
            Wire(WireSettings(fresh_writes=True)),
            Target("http", "127.0.0.1", stage.port),
        )
        ask(wire, target, b"/first")
        assert ask(wire, target, b"/next").verdict == "200 next"
        assert stage.connection_of(b"/next") == 0
