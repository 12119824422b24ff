"""Servers of sessions that keep to their protocol, as far as one change needs them, and tell what
they were sent last.

Each answers a connection until it ends. ``told`` gets the name of a step once its command has
arrived, before it is answered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

import paramiko
from paramiko import sftp as packets
from pika import BasicProperties, spec
from pika.frame import Body, Header, Method, decode_frame

from flooding import HOST_KEY, MYSQL_GREETING, TRUST, Shell

Told = Callable[[str], None]
GREETING, SIGN_IN, FIRST, CHANGE, COMMIT = (
    "greeting",
    "sign-in",
    "first command",
    "change",
    "commit",
)
"""Steps. The change of a database comes before its commit, which few protocols have."""


def _lines(client: socket.socket) -> BinaryIO:
    return cast("BinaryIO", client.makefile("rb"))


def _whole(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes.

    :raises EOFError: if the connection ends before: nobody has said anything then.
    """
    if len(found := stream.read(size)) < size:
        raise EOFError
    return found


def _mysql_packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


_MYSQL_OK = b"\0\0\0\2\0\0\0"


def mysql(client: socket.socket, told: Told) -> None:
    """MySQL, without rows."""
    steps = {b"COMMIT": COMMIT, b"EXECUTE": CHANGE}
    client.sendall(_mysql_packet(0, MYSQL_GREETING))
    with _lines(client) as stream:
        _whole(stream, int.from_bytes(_whole(stream, 4)[:3], "little"))
        told(SIGN_IN)
        client.sendall(_mysql_packet(2, _MYSQL_OK))
        while head := stream.read(4):
            body = stream.read(int.from_bytes(head[:3], "little"))
            told(steps.get(body[1:].partition(b" ")[0], FIRST))
            client.sendall(_mysql_packet(1, _MYSQL_OK))


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _pg_done(tag: bytes, state: bytes = b"I") -> bytes:
    return _message(b"C", tag + b"\0") + _message(b"Z", state)


def _pg_text(value: bytes, state: bytes) -> bytes:
    column = _message(
        b"T", struct.pack("!H", 1) + b"a\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
    )
    return (
        column
        + _message(b"D", struct.pack("!HI", 1, len(value)) + value)
        + _pg_done(b"SELECT 1", state)
    )


_PG_BUSY = _message(b"Z", b"T")
_PG_ANSWERS = {
    b"BEGIN": _pg_text(b"77", b"T"),
    b"ROLLBACK": _pg_done(b"ROLLBACK"),
    b"COMMIT": _pg_done(b"COMMIT"),
    b"SELECT": _pg_text(b"", b"I"),
    b"P": _message(b"1") + _PG_BUSY,
    b"D": _message(b"t", b"\0\0") + _message(b"n") + _PG_BUSY,
    b"E": _message(b"2") + _pg_done(b"DELETE 1", b"T"),
}
_SALT = b"salt"


def _scram(client: socket.socket, stream: BinaryIO, told: Told) -> None:
    """Let anybody in whose password is 'secret' (RFC 5802, section 3)."""
    client.sendall(_message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"))
    first = _whole(stream, int.from_bytes(_whole(stream, 5)[1:], "big") - 4).partition(b"n,,")[2]
    challenge = first.partition(b"r=")[2] + b"x,s=" + base64.b64encode(_SALT) + b",i=1"
    client.sendall(_message(b"R", struct.pack("!I", 11) + b"r=" + challenge))
    final = _whole(stream, int.from_bytes(_whole(stream, 5)[1:], "big") - 4)
    told(SIGN_IN)
    key = hmac.digest(hashlib.pbkdf2_hmac("sha256", b"secret", _SALT, 1), b"Server Key", "sha256")
    proof = hmac.digest(
        key, b",".join((first, b"r=" + challenge, final.rpartition(b",p=")[0])), "sha256"
    )
    client.sendall(_message(b"R", struct.pack("!I", 12) + b"v=" + base64.b64encode(proof)))
    client.sendall(_message(b"R", struct.pack("!I", 0)) + _message(b"Z", b"I"))


_PG_STEPS = {b"COMMIT": COMMIT, b"E": CHANGE}


def postgresql(client: socket.socket, told: Told) -> None:
    """PostgreSQL, which does not know what became of a transaction."""
    with _lines(client) as stream:
        stream.read(int.from_bytes(stream.read(4), "big") - 4)
        _scram(client, stream, told)
        described = False
        while kind := stream.read(1):
            body = stream.read(int.from_bytes(stream.read(4), "big") - 4)
            name = body.split()[0].rstrip(b";\0") if kind == b"Q" else kind
            if name == b"D" and described:
                continue  # of the portal: told with what it returns
            described = name == b"D" or (described and name != b"P")
            if kind in b"QPE":  # others are not answered by themselves
                told(_PG_STEPS.get(name, FIRST))
            client.sendall(_PG_ANSWERS.get(name, b""))


_REDIS: dict[bytes, tuple[str, bytes]] = {
    b"AUTH": (SIGN_IN, b"+OK\r\n"),
    b"CLIENT": (SIGN_IN, b"+OK\r\n"),
    b"SET": (CHANGE, b"+OK\r\n"),
    b"LPOP": (CHANGE, b"*1\r\n$1\r\na\r\n"),
}


def redis(client: socket.socket, told: Told) -> None:
    """Redis."""
    with _lines(client) as stream:
        while head := stream.readline():
            words = [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
            echo = (
                b"$%d\r\n%s\r\n" % (len(words[-1]), words[-1]) if len(words) > 1 else b"+PONG\r\n"
            )
            step, answer = _REDIS.get(words[0], (FIRST, echo))
            told(step)
            client.sendall(answer)


def imap(client: socket.socket, told: Told) -> None:
    """IMAP, with an empty mailbox."""
    client.sendall(b"* OK hello\r\n")
    with _lines(client) as lines:
        for line in lines:
            tag, word, *rest = line.split()
            told({b"CAPABILITY": GREETING, b"LOGIN": SIGN_IN, b"APPEND": CHANGE}.get(word, FIRST))
            if word == b"APPEND":
                client.sendall(b"+ go on\r\n")
                lines.read(int(rest[-1][1:-1]) + 2)
            capable = b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n" if word == b"CAPABILITY" else b""
            client.sendall(
                capable
                + tag
                + (b" OK [APPENDUID 17 12] done\r\n" if word == b"APPEND" else b" OK done\r\n")
            )


def _amqp(method: Any, channel: int = 1) -> bytes:
    return bytes(Method(channel, method).marshal())


_GOT = (
    _amqp(spec.Basic.GetOk(1, False, "", "orders", 0))
    + bytes(Header(1, 1, BasicProperties(headers={"a": [1]})).marshal())
    + bytes(Body(1, b"a").marshal())
)
_RABBIT: dict[Any, tuple[str, bytes]] = {
    spec.Connection.StartOk: (SIGN_IN, _amqp(spec.Connection.Tune(1, 131_072, 0), 0)),
    spec.Connection.Open: (FIRST, _amqp(spec.Connection.OpenOk(), 0)),
    spec.Channel.Open: (FIRST, _amqp(spec.Channel.OpenOk())),
    spec.Confirm.Select: (FIRST, _amqp(spec.Confirm.SelectOk())),
    spec.Basic.Get: (FIRST, _GOT),
    spec.Basic.Ack: (CHANGE, b""),
    spec.Basic.Qos: ("", _amqp(spec.Basic.QosOk())),
}


def _frames(stream: BinaryIO) -> Iterator[Any]:
    while len(head := stream.read(7)) == 7:
        yield decode_frame(head + stream.read(int.from_bytes(head[3:], "big") + 1))[1]


def rabbitmq(client: socket.socket, told: Told) -> None:
    """RabbitMQ, with a queue that does not end."""
    with _lines(client) as stream:
        stream.read(8)
        client.sendall(_amqp(spec.Connection.Start(0, 9, {}, "PLAIN", "en_US"), 0))
        published = 0
        for frame in _frames(stream):
            step, answer = _RABBIT.get(type(getattr(frame, "method", None)), ("", b""))
            if isinstance(frame, Body):
                published += 1
                step, answer = CHANGE, _amqp(spec.Basic.Ack(published))
            if step:
                told(step)
            client.sendall(answer)


def _packet(kind: int, body: bytes) -> bytes:
    return struct.pack("!IB", len(body) + 1, kind) + body


def _status(number: bytes, code: int = 0, text: bytes = b"x") -> bytes:
    return _packet(
        packets.CMD_STATUS, number + struct.pack("!II", code, len(text)) + text + b"\0\0\0\0"
    )


_SFTP: dict[int, tuple[str, Callable[[bytes], bytes]]] = {
    packets.CMD_INIT: (FIRST, lambda _number: _packet(packets.CMD_VERSION, b"\0\0\0\3")),
    packets.CMD_REMOVE: (CHANGE, _status),
    packets.CMD_REALPATH: (
        FIRST,
        lambda number: _packet(
            packets.CMD_NAME, number + struct.pack("!II", 1, 1) + b"/" + struct.pack("!II", 0, 0)
        ),
    ),
}


def sftp(client: socket.socket, told: Told) -> None:
    """SFTP."""

    class Telling(Shell):
        def check_auth_password(self, username: str, password: str) -> int:
            told(SIGN_IN)
            return super().check_auth_password(username, password)

    with paramiko.Transport(client) as transport:
        transport.add_server_key(HOST_KEY)
        transport.start_server(server=Telling())
        channel = transport.accept(60)
        if channel is None:
            return
        with channel.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                packet = stream.read(int.from_bytes(head, "big"))
                step, answer = _SFTP.get(packet[0], (FIRST, _status))
                told(step)
                channel.sendall(answer(packet[1:5]))


def smtp(client: socket.socket, told: Told) -> None:
    """SMTP, over TLS from the first byte."""
    answers = {
        b"EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n",
        b"AUTH": b"235 ok\r\n",
        b"DATA": b"354 go\r\n",
        b"QUIT": b"221 bye\r\n",
    }
    with TRUST().wrap_socket(client, server_side=True) as tls, _lines(tls) as lines:
        tls.sendall(b"220 hello\r\n")
        for line in lines:
            verb = line[:4].upper()
            told({b"EHLO": GREETING, b"AUTH": SIGN_IN}.get(verb, FIRST))
            tls.sendall(answers.get(verb, b"250 Ok\r\n"))
            if verb == b"DATA":
                while (content := lines.readline()) not in (b".\r\n", b""):
                    pass
                if content:
                    told(CHANGE)
                    tls.sendall(b"250 Ok 0100\r\n")


SERVERS: dict[str, Callable[[socket.socket, Told], None]] = {
    "aws-ses": smtp,
    "imap": imap,
    "mysql": mysql,
    "postgresql": postgresql,
    "rabbitmq": rabbitmq,
    "redis": redis,
    "sftp": sftp,
}


class _Served(socketserver.ThreadingTCPServer):
    daemon_threads = True
    newest: object = None


@contextmanager
def polite(connector: str, told: Told) -> Iterator[int]:
    """A port where a connector's server answers any number of connections. What the newest one is
    sent is told, from its greeting on.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            server.newest = self
            self._tell(GREETING)
            with suppress(Exception):
                SERVERS[connector](self.request, self._tell)

        def _tell(self, step: str) -> None:
            if server.newest is self:
                told(step)

    with _Served(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
