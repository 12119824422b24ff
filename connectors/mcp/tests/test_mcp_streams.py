"""Answers on streams of events: found behind whatever comes before them, resumed where that
executes nothing, and never read for ever.

What is read is measured by a clock that goes on by being read, by counts, and by the CPU time of
the thread that calls: all of them are the same on a slow machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock, StillClock
from mcp_rig import Talk, ToolServer, call, said, stage
from waiting import until

_TICK = 0.01
_FLOOD = b'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n' * 1000


class ReadClock(StillClock):
    """Clock on which a hundredth of a second passes by each look at it."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        self.advance(_TICK)
        return super().monotonic()


def _cutting(
    first: Sequence[bytes], rest: Callable[[ToolServer, Talk, list[bytes]], Any], **options: Any
) -> ToolServer:
    """Return a server that hangs up behind ``first`` in place of an answer. ``rest`` answers
    whoever asks for the rest, and gets what was kept back.
    """
    server, kept = ToolServer(legacy=True), list[bytes]()
    server.sessions = set()

    def answer(talk: Talk) -> None:
        kept.append(talk.answered(said("done")))
        talk.stream(*first, **options)

    def before(talk: Talk) -> bool:
        is_asked: bool = talk.message["method"] == "GET"
        if is_asked:
            rest(server, talk, kept)
        return is_asked

    server.on_call, server.before = answer, before
    return server


_BEGINS = b"id: 1\nretry: 1\ndata: \n\n"


def test_streams(tmp_path: Path) -> None:
    """An answer on a stream is found behind comments, notifications and requests, whatever the line
    ends are; the first one counts.
    """
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        ping = {"jsonrpc": "2.0", "id": "p1", "method": "ping"}
        sampling = {"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}}
        told = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
        events = [
            b": hello\r\n\r\n",
            *(
                b"event: message\rdata: " + json.dumps(one).encode() + b"\r\r"
                for one in (ping, sampling, told)
            ),
        ]
        first = talk.answered(said("first"))
        talk.stream(*events, first[:9], first[9:-3], first[-3:], talk.answered(said("second")))

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).output["content"][0]["text"] == "first"
        assert call(jackfield).status == "succeeded"
    replies = {message["id"]: message for message, _ in server.requests if "method" not in message}
    assert replies["p1"]["result"] == {}
    assert replies["s1"]["error"]["code"] == -32601


def test_stream_that_is_resumed(tmp_path: Path) -> None:
    """A legacy server that hangs up behind an event with an ID is asked for the rest: the write is
    executed once, and not in doubt.
    """
    server, kept = ToolServer(legacy=True), []
    server.sessions = set()

    def answer(talk: Talk) -> None:
        kept.append(talk.answered(said("done")))
        talk.stream(b"id: 7\nretry: 1\ndata: \n\n")

    def before(talk: Talk) -> bool:
        if talk.message["method"] != "GET":
            return False
        assert talk.headers["Last-Event-ID"] == "7"
        talk.stream(kept[0])
        return True

    server.on_call, server.before = answer, before
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
    assert (server.count("tools/call"), server.count("GET")) == (1, 1)


@pytest.mark.parametrize("identifier", ["größe-1", "\u2603", "x" * 900])
def test_a_stream_with_an_id_of_any_characters(tmp_path: Path, identifier: str) -> None:
    """It goes back as it came, in UTF-8."""

    def rest(_server: ToolServer, talk: Talk, kept: list[bytes]) -> None:
        assert talk.headers["Last-Event-ID"].encode("latin-1").decode() == identifier
        talk.stream(*kept)

    server = _cutting([f"id: {identifier}\nretry: 1\ndata: \n\n".encode()], rest)
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "succeeded"
    assert server.count("tools/call") == 1


_MOVES = b"id: %d\ndata: \n\n"
_WAITS = b"retry: 10\n\n"
_NEITHER = b": hello\n\n"


@pytest.mark.parametrize(
    ("cuts", "behind"),
    [
        (1, _MOVES),
        (3, _MOVES),
        (4, _MOVES),
        (12, _MOVES),
        (12, _WAITS),
        (3, _NEITHER),
        (4, _NEITHER),
    ],
)
def test_stream_that_is_cut_again(tmp_path: Path, cuts: int, behind: bytes) -> None:
    """Servers of 2025-11-25 hang up behind events on purpose: the stream is resumed until the
    answer comes, while there is a new event or the server says when to ask again. Else it is
    resumed three times, and then the write is in doubt. The tool was called once.
    """

    def rest(server: ToolServer, talk: Talk, kept: list[bytes]) -> None:
        gone = server.count("GET")
        talk.stream(
            *([behind % (gone + 1) if behind == _MOVES else behind] if gone < cuts else kept)
        )

    server, clock = _cutting([_BEGINS], rest), FakeClock()
    begun = clock.monotonic()
    with stage(tmp_path, server, clock=clock) as jackfield:
        result = call(jackfield)
    last = [
        headers["Last-Event-ID"]
        for message, headers in server.requests
        if message["method"] == "GET"
    ]
    goes_on = behind != _NEITHER or cuts < 4
    assert (result.status, server.count("tools/call")) == (
        "succeeded" if goes_on else "in_doubt",
        1,
    )
    assert last == [
        str(number + 1 if behind == _MOVES else 1) for number in range(cuts if goes_on else 3)
    ]
    assert clock.monotonic() - begun >= len(last) - 3  # it is not asked without a pause


@pytest.mark.parametrize(
    ("status", "times", "outcome"),
    [
        (503, 1, "succeeded"),
        (429, 2, "succeeded"),
        (502, 3, "in_doubt"),
        (401, 1, "in_doubt"),
        (404, 1, "in_doubt"),
    ],
)
def test_a_rest_that_is_refused(tmp_path: Path, status: int, times: int, outcome: str) -> None:
    """Where the server is busy, it is asked for again after a wait, three times in all. The tool
    was called once. A refusal is told.
    """

    def rest(server: ToolServer, talk: Talk, kept: list[bytes]) -> None:
        talk.stream(*kept) if server.count("GET") > times else talk.json(
            b"", status, Retry_After="1"
        )

    server, clock = _cutting([_BEGINS], rest), FakeClock()
    begun = clock.monotonic()
    with stage(tmp_path, server, clock=clock) as jackfield:
        found = call(jackfield)
    assert (found.status, server.count("tools/call")) == (outcome, 1)
    if status in (401, 404):
        assert f"status {status}" in found.error.message
    assert server.count("GET") == (times + 1 if outcome == "succeeded" else times)
    assert clock.monotonic() - begun >= (times if outcome == "succeeded" else 0)


CUTS: dict[str, tuple[bytes, str | None]] = {
    "in the next event": (b'id: e2\ndata: {"jsonrpc":', "e1"),
    "behind its lines": (b'id: e2\ndata: {"jsonrpc": "2.0"}\n', "e1"),
    "behind its ID": (b"id: e2\n", "e1"),
    "in its ID": (b"id: e", "e1"),
    "in a character": (b'id: e2\ndata: "\xc3', "e1"),
    "behind an ID alone": (b"id: e2\n\n", "e2"),
    "behind an event of another kind": (b"event: ping\nid: e2\ndata: x\n\n", "e2"),
    "behind an event without an ID": (b"data: x\n\n", "e1"),
    "behind an empty ID": (b"id:\ndata: x\n\n", None),
    "behind an ID that is too long": (b"id: " + b"a" * 1025 + b"\ndata: x\n\n", None),
    "behind the longest ID": (b"id: " + b"a" * 1024 + b"\ndata: x\n\n", "a" * 1024),
}
"""Pieces of a stream behind the event e1, and the ID after which the stream is resumed: None if it
is not.
"""


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("name", CUTS)
def test_where_a_stream_is_resumed(tmp_path: Path, name: str, ends: bool) -> None:
    """An ID counts with its whole event, and not at all if it is too long or empty: nothing is left
    out of the rest.
    """
    piece, last = CUTS[name]
    server = _cutting(
        [b"retry: 10\nid: e1\ndata:\n\n", piece],
        lambda _server, talk, kept: talk.stream(*kept),
        ends=ends,
    )
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        found = call(jackfield)
    asked = [
        headers["Last-Event-ID"]
        for message, headers in server.requests
        if message["method"] == "GET"
    ]
    assert (found.status, server.count("tools/call")) == (
        "in_doubt" if last is None else "succeeded",
        1,
    )
    assert asked == ([] if last is None else [last])


@pytest.mark.parametrize(("retry", "seconds"), [(1, 30), (4000, 2), (5000, 9)])
def test_a_stream_that_is_cut_for_ever(tmp_path: Path, retry: int, seconds: int) -> None:
    """The deadline ends it, also while the client waits before it resumes the stream: the write was
    sent once, and is in doubt.
    """
    server = ToolServer(legacy=True)
    server.sessions = set()

    def cut(talk: Talk) -> None:
        talk.stream(b"id: %d\nretry: %d\ndata: \n\n" % (len(server.requests), retry))

    def before(talk: Talk) -> bool:
        is_asked = talk.message["method"] == "GET"
        if is_asked:
            cut(talk)
        return bool(is_asked)

    server.on_call, server.before = cut, before
    with stage(tmp_path, server, clock=FakeClock()) as jackfield:
        result = call(jackfield, timeoutSeconds=seconds)
    assert (result.status, server.count("tools/call")) == ("in_doubt", 1)
    assert server.count("GET") < 40


@pytest.mark.parametrize(("seconds", "status"), [(5.0, "succeeded"), (0.0, "in_doubt")])
def test_pings_while_a_tool_runs(tmp_path: Path, seconds: float, status: str) -> None:
    """A server that pings for as long as its tool runs is answered each time. One that asks without
    a pause is not heard to its end.
    """
    server, clock = ToolServer(legacy=True), FakeClock()
    asked = [
        b"data: "
        + json.dumps({"jsonrpc": "2.0", "id": f"p{number}", "method": "ping"}).encode()
        + b"\n\n"
        for number in range(60)
    ]

    def pieces(talk: Talk) -> Iterator[bytes]:
        for one in asked:
            yield one
            clock.advance(seconds)
        yield talk.answered(said("done"))

    server.on_call = lambda talk: (
        talk.stream(*pieces(talk)) if seconds == 0 else _paced(talk, pieces(talk), server)
    )
    with stage(tmp_path, server, clock=clock) as jackfield:
        result = call(jackfield, timeoutSeconds=600)
    replies = [message for message, _ in server.requests if "method" not in message]
    assert (result.status, server.count("tools/call")) == (status, 1)
    assert len(replies) == 60 if seconds else len(replies) < 30


def _is_answered(server: ToolServer, times: int) -> bool:
    return sum("method" not in message for message, _ in server.requests) >= times


def _paced(talk: Talk, pieces: Iterator[bytes], server: ToolServer) -> None:
    """Send each piece once the one before it was answered."""
    talk.send_response(200)
    talk.send_header("Content-Type", "text/event-stream")
    talk.send_header("Transfer-Encoding", "chunked")
    talk.end_headers()
    for number, piece in enumerate(pieces):
        until(partial(_is_answered, server, number))
        talk.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        talk.wfile.flush()
    talk.wfile.write(b"0\r\n\r\n")


def _flood(talk: Talk, pieces: Iterator[bytes]) -> None:
    """Send pieces of a stream until nobody reads them."""
    talk.send_response(200)
    talk.send_header("Content-Type", "text/event-stream")
    talk.end_headers()
    try:
        for piece in pieces:
            talk.wfile.write(piece)
    except OSError:
        talk.close_connection = True


@pytest.mark.parametrize("legacy", [True, False])
def test_comments_for_ever(tmp_path: Path, legacy: bool) -> None:
    """They are read until the deadline and 0.2 seconds, within which the Result is made, and no
    longer. A legacy server is told that nobody waits any more, which may take a second more; any
    other sees the hang-up.
    """
    server, clock = ToolServer(legacy=legacy), ReadClock()
    server.on_call = lambda talk: _flood(talk, repeat(b": hello\n\n"))
    with stage(tmp_path, server, clock=clock) as jackfield:
        call(jackfield, dryRun=True)
        began = clock.monotonic()
        result = call(jackfield, timeoutSeconds=5)
        seconds = clock.monotonic() - began
    assert (result.status, server.count("tools/call"), server.count("notifications/cancelled")) == (
        "in_doubt",
        1,
        int(legacy),
    )
    assert 5.0 <= seconds <= 5.2 + (1.0 if legacy else 0.0)


def test_notifications_for_ever(tmp_path: Path) -> None:
    """A flood of notifications ends at a limit, long before the deadline, and costs less than a
    second of CPU time.
    """
    server, sent = ToolServer(), count(-1)  # the last piece asked for was not sent
    server.on_call = lambda talk: _flood(talk, (_FLOOD for _ in sent))
    with stage(tmp_path, server) as jackfield:
        call(jackfield, dryRun=True)
        began = time.thread_time()
        result = call(jackfield, timeoutSeconds=900)
        seconds = time.thread_time() - began
    assert (
        result.status,
        "10,000 other messages" in result.error.message,
        server.count("tools/call"),
    ) == ("in_doubt", True, 1)
    assert seconds < 1.0
    assert 10_000 <= 1000 * next(sent) < 1_000_000  # what the sockets hold of the rest


def test_large_event(tmp_path: Path) -> None:
    """An event of ten megabytes is read once, for half a second of CPU time at most."""
    server = ToolServer()
    server.on_call = lambda talk: talk.stream(
        talk.answered({"content": [{"type": "text", "text": "x" * 10_000_000}]})
    )
    with stage(tmp_path, server) as jackfield:
        call(jackfield, dryRun=True)
        began = time.thread_time()
        result: Any = call(jackfield, timeoutSeconds=300)
        seconds = time.thread_time() - began
    assert (result.status, seconds < 0.5) == ("succeeded", True)
