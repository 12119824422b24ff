"""A scripted HTTP/1.1 server on loopback, the wire's verdict on what it says, and h11's verdict on
the same bytes.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import h11

from jackfield.connector import Reply, Target, Wire, WireFault, WireSettings

NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
"""Answer to every request after the script."""
MOST = 32 * 1024 * 1024
_SHORT = 60
"""Largest body that a verdict quotes."""
_SHORT_SCRIPT = 2_000
_PIECE = 4_096
_LONGEST_HEAD = 16_384
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Move(Enum):
    """Step of a script that is not "send these bytes"."""

    HEAD = "read a request up to the end of its head"
    READ = "read a whole request"
    GATE = (
        "wait until the first reply is closed; the rest of the script happens before the "
        "next request"
    )
    BEGIN = (
        "wait until the next request calls begin; the rest of the script happens before its "
        "first byte"
    )
    FIN = "send nothing more, and go on reading"
    RST = "reset the connection"
    CLOSE = "close the connection"
    HANG = "do nothing until the client has gone"


HEAD, READ, GATE, BEGIN, FIN, RST, CLOSE, HANG = Move


@dataclass(frozen=True)
class Endless:
    """Step of a script: send the same bytes again and again until the client has gone."""

    piece: bytes


@dataclass(frozen=True)
class Drain:
    """Step of a script: read so many bytes of a body."""

    size: int


Step = bytes | Move | Endless | Drain


@dataclass
class Stage:
    """Server of one case: the first connection plays the script, and then answers politely, as all
    others do.

    ``requests`` holds the number of the connection and the text of each request. ``drip`` sends the
    script byte by byte.
    """

    script: Sequence[Step]
    drip: bool = False
    tls: ssl.SSLContext | None = None
    port: int = 0
    accepted: int = 0
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    at_gate: threading.Event = field(default_factory=threading.Event)
    at_begin: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    """The script was played."""

    def connection_of(self, path: bytes) -> int | None:
        """Number of the connection that carried the request for a path."""
        return next(
            (number for number, text in self.requests if path in text.partition(b"\r\n")[0]), None
        )

    def talk(self, number: int, connection: socket.socket) -> None:
        """Play the script, then answer requests until the client goes."""
        if number == 0:
            played = all(self._played(step, connection) for step in self.script)
            self.over.set()
            if not played:
                return
        while text := read_whole(connection):
            self.requests.append((number, text))
            connection.sendall(NEXT)

    def _played(self, step: Step, connection: socket.socket) -> bool:
        """Return False after the last step that a connection can take."""
        match step:
            case bytes():
                self._send(step, connection)
            case Endless():
                while not self.at_gate.wait(0.01):
                    connection.sendall(step.piece)
            case Drain():
                _drain(connection, step.size)
            case _:
                self._move(step, connection)
        return step not in (RST, CLOSE, HANG)

    def _move(self, move: Move, connection: socket.socket) -> None:
        match move:
            case Move.HEAD | Move.READ:
                self.requests.append(
                    (0, read_head(connection) if move is HEAD else read_whole(connection))
                )
            case Move.GATE | Move.BEGIN:
                (self.at_gate if move is GATE else self.at_begin).wait(60)
            case Move.FIN:
                connection.shutdown(socket.SHUT_WR)
            case Move.HANG:
                _drain(connection, sys.maxsize)
            case _:
                if move is RST:
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                connection.close()

    def _send(self, said: bytes, connection: socket.socket) -> None:
        if not self.drip:
            connection.sendall(said)
            return
        for at in range(len(said)):
            connection.sendall(said[at : at + 1])


def _drain(connection: socket.socket, left: int) -> None:
    while left and (found := connection.recv(min(left, 65_536))):
        left -= len(found)


def read_head(connection: socket.socket) -> bytes:
    """A request's head, and not a byte more. What is far too long for one is the rest of an upload
    that the script has not read.
    """
    head = b""
    while not head.endswith(b"\r\n\r\n") and (found := connection.recv(1)):
        head += found
        if len(head) > _LONGEST_HEAD:
            raise ValueError("no head")
    return head


def read_whole(connection: socket.socket) -> bytes:
    """A request with its body, and nothing of the next one."""
    text = read_head(connection)
    length = re.search(rb"content-length: *([0-9]+)", text, re.IGNORECASE)
    end = len(text) + int(length[1]) if length else 0
    while len(text) < end and (found := connection.recv(end - len(text))):
        text += found
    return text


@contextlib.contextmanager
def staged(stage: Stage) -> Iterator[Stage]:
    """Serve a case on ``stage.port``, each connection in its own thread."""
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=talk, args=(stage.accepted, connection), daemon=True)
            stage.accepted += 1
            threads.append(thread)
            thread.start()

    def wrapped(connection: socket.socket) -> socket.socket:
        if stage.tls is None:
            return connection
        return stage.tls.wrap_socket(connection, server_side=True)

    def talk(number: int, connection: socket.socket) -> None:
        with (
            # an end of TLS in the middle of a read is a ValueError
            contextlib.suppress(OSError, ValueError),
            connection,
            wrapped(connection) as spoken,
        ):
            connections.append(spoken)
            stage.talk(number, spoken)
        stage.over.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        stage.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield stage
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(30)
            for one in (stage.at_gate, stage.at_begin):
                one.set()
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(30)


@dataclass(frozen=True)
class Heard:
    """Outcome of one request: "200 body" or "kind sent", the response's fields, and how often
    ``begin`` was called.
    """

    verdict: str
    fields: list[tuple[bytes, bytes]]
    begins: int


def ask(
    wire: Wire,
    target: Target,
    path: bytes,
    *,
    method: str = "GET",
    body: bytes | Iterable[bytes] | None = None,
    length: int | None = None,
    limit: Callable[[], float] = lambda: 30.0,
    begin: Callable[[], None] = lambda: None,
) -> Heard:
    """Send one request and read the whole response."""
    begins = 0

    def began() -> None:
        nonlocal begins
        begins += 1
        begin()

    fields = [(b"Host", b"server.example")]
    if body is not None:
        fields.append(
            (b"Content-Length", b"%d" % (len(body) if isinstance(body, bytes) else length or 0))
        )
    try:
        reply = wire.send(method, target, path, fields, body, limit, began)
        verdict, heard = whole(reply), reply.fields
    except WireFault as fault:
        verdict, heard = f"{fault.kind} {fault.sent.value}", []
    return Heard(verdict, heard, begins)


def whole(reply: Reply) -> str:
    """Read a reply to its end and close it."""
    try:
        return told(reply.status, reply.read(MOST))
    finally:
        reply.close()


def told(status: int, body: bytes) -> str:
    """The verdict on an answer."""
    return (
        f"{status} {body.decode('latin-1')}"
        if len(body) <= _SHORT
        else f"{status} {len(body)} bytes"
    )


@dataclass(frozen=True)
class Case:
    """Answer of a server, and what the client must make of it.

    ``verdict`` is "status body", or "kind sent" of the fault; " | " separates verdicts that are
    equally good. ``reused``: the connection carries the next request; None if either is right.
    ``h11`` is that library's verdict where it differs, and ``why`` says who is right.
    """

    what: str
    answer: bytes | Sequence[Step]
    verdict: str
    reused: bool | None = True
    h11: str | None = None
    why: str = ""
    method: str = "GET"
    ends: bool = False

    @property
    def script(self) -> Sequence[Step]:
        """The server's steps; an answer alone follows the request."""
        if not isinstance(self.answer, bytes):
            return self.answer
        return (READ, self.answer, FIN) if self.ends else (READ, self.answer)


def play(
    case: Case,
    *,
    drip: bool = False,
    tls: ssl.SSLContext | None = None,
    settings: WireSettings | None = None,
) -> list[str]:
    """Play a case and then ask for something else; return what went wrong."""
    with staged(Stage(case.script, drip, tls)) as stage:
        used = Wire(settings or WireSettings())
        target = Target(
            "http" if tls is None else "https", "localhost" if tls else "127.0.0.1", stage.port
        )
        body = b"order" if case.method == "POST" else None
        first = ask(used, target, b"/first", method=case.method, body=body)
        stage.at_gate.set()
        if BEGIN not in case.script:
            stage.over.wait(60)
        begin = _let_in(stage) if BEGIN in case.script else lambda: None
        second = ask(used, target, b"/next", begin=begin)
        return list(_wrong(case, first, second, reused=stage.connection_of(b"/next") == 0))


def faults(
    cases: Iterable[Case],
    *,
    drip: bool = False,
    tls: ssl.SSLContext | None = None,
    settings: WireSettings | None = None,
) -> str:
    """Play cases, byte by byte only the short ones; return what went wrong, a line each."""
    played = [
        case
        for case in cases
        if not drip
        or sum(len(step) for step in case.script if isinstance(step, bytes)) < _SHORT_SCRIPT
    ]
    return "\n".join(
        fault for case in played for fault in play(case, drip=drip, tls=tls, settings=settings)
    )


def differences(cases: Iterable[Case]) -> str:
    """Let h11 read the answers of cases; return where it sees other things in them than the table
    says, a line each.
    """
    wrong = []
    for case in cases:
        if isinstance(case.answer, bytes):
            wanted = [case.h11] if case.h11 else case.verdict.replace(" unknown", "").split(" | ")
            found = judge(case.method, case.answer, ends=case.ends).verdict
            wrong += [] if found in wanted else [f"{case.what}: {found!r}, not {wanted!r}"]
            wrong += [f"{case.what}: no reason is given"] if case.h11 and not case.why else []
    return "\n".join(wrong)


def _let_in(stage: Stage) -> Callable[[], None]:
    def begin() -> None:
        stage.at_begin.set()
        stage.over.wait(60)

    return begin


def _wrong(case: Case, first: Heard, second: Heard, *, reused: bool) -> Iterator[str]:
    what, allowed = f"{case.what}: ", case.verdict.split(" | ")
    if first.verdict not in allowed:
        yield f"{what}{first.verdict!r}, not {case.verdict!r}"
    elif case.reused is not None and reused is not (case.reused and first.verdict[0].isdigit()):
        yield f"{what}the connection was {'' if reused else 'not '}used again"
    elif first.verdict[0].isdigit() and isinstance(case.answer, bytes) and case.h11 is None:
        judged = judge(case.method, case.answer, ends=case.ends)
        if unframed(first.fields) != unframed(judged.fields):
            yield f"{what}the fields are {first.fields}, to h11 {judged.fields}"
        if reused and not judged.reusable:
            yield f"{what}h11 would not use the connection again"
    if first.begins != (first.verdict != "unreachable nothing"):
        yield f"{what}begin was called {first.begins} times"
    if (second.verdict, second.begins) != ("200 next", 1):
        yield f"{what}the next request got {second.verdict!r}, with {second.begins} calls of begin"


def unframed(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Fields with names in lower case, without those that frame the body, which h11 rewrites."""
    return [(name.lower(), value) for name, value in fields if name.lower() not in _FRAMING]


@dataclass(frozen=True)
class Judged:
    """h11's verdict on an answer: "status body", "garbled", "cut", or "waits" for more; fields;
    whether the connection may be reused.
    """

    verdict: str
    fields: list[tuple[bytes, bytes]]
    reusable: bool


def judge(method: str, said: bytes, *, ends: bool) -> Judged:
    """Let h11 read an answer."""
    spoken = h11.Connection(h11.CLIENT, max_incomplete_event_size=65_536)
    body = b"order" if method == "POST" else b""
    spoken.send(
        h11.Request(
            method=method, target="/", headers=[("Host", "x"), ("Content-Length", str(len(body)))]
        )
    )
    spoken.send(h11.Data(data=body))
    spoken.send(h11.EndOfMessage())
    try:
        return _read(spoken, said, ends=ends)
    except h11.RemoteProtocolError as error:
        text = str(error)
        return Judged(
            "cut" if "peer " in text or "ConnectionClosed" in text else "garbled",
            [],
            reusable=False,
        )


def _read(spoken: h11.Connection, said: bytes, *, ends: bool) -> Judged:
    response, body, at = None, b"", 0
    while True:
        event = spoken.next_event()
        match event:
            case h11.Response():
                response = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                assert response is not None
                left, ended = spoken.trailing_data
                reusable = (
                    spoken.our_state is h11.DONE
                    and spoken.their_state is h11.DONE
                    and not left
                    and not ended
                )
                return Judged(told(response.status_code, body), list(response.headers), reusable)
            case h11.NEED_DATA if at < len(said) + ends:
                # in pieces, since it limits only what is incomplete
                spoken.receive_data(said[at : at + _PIECE])
                at = min(at + _PIECE, len(said)) if at < len(said) else at + 1
            case h11.NEED_DATA | h11.PAUSED:
                return Judged("waits", [], reusable=False)
            case h11.ConnectionClosed():
                return Judged("cut", [], reusable=False)
