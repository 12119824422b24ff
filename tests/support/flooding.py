"""Servers that send more than anybody asked for, before, in or after the sign-in; and a process
that calls them and tells its memory.

Run as a program, with the name of a connector: it writes a line of JSON for each step.
"""

from __future__ import annotations

import functools
import json
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko
from pika import spec
from pika.frame import Method

from jackfield import Jackfield
from raw_server import serving
from smtp_rig import LOGIN, MAIL, authority
from waiting import until

SIZE = 220 << 20
"""Bytes that a server sends."""
MOST_LEFT_MB = 30
"""How much more memory than before a process may have afterwards."""
_PIECE = b"x" * 65_536
_BODY = b"\x03\0\1\0\1\0\0" + b"x" * 65_536 + b"\xce"
_OK = b"\x07\0\0%c\0\0\0\2\0\0\0"
_MYSQL_HEAD = b"\x0a8.4.0\0" + struct.pack("<I8sxHBHHB10x", 7, b"A" * 8, 0x8209, 45, 2, 0x8, 21)
MYSQL_GREETING = _MYSQL_HEAD + b"A" * 12 + b"\0mysql_native_password\0"
HOST_KEY = paramiko.ECDSAKey.generate()


def _flood(
    client: socket.socket, said: bytes | None, head: bytes = b"", piece: bytes = _PIECE
) -> None:
    """Send ``said``, or more than is taken."""
    client.sendall(head if said is None else said)
    if said is not None:
        client.recv(65_536)
        return
    for _ in range(SIZE // len(piece)):
        client.sendall(piece)


def _flood_mysql(client: socket.socket, said: bytes | None, number: int) -> None:
    """One packet: the next piece continues one of this length."""
    if said is not None:
        return _flood(client, said)
    for more in range(SIZE // 0xFFFFFF + 1):
        client.sendall(b"\xff\xff\xff" + bytes([(number + more) % 256]))
        for at in range(0, 0xFFFFFF, len(_PIECE)):
            client.sendall(_PIECE[: 0xFFFFFF - at])
    return None


def mysql(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """MySQL."""
    if step == "before":
        return _flood_mysql(client, said, 0)
    client.sendall(struct.pack("<I", len(MYSQL_GREETING)) + MYSQL_GREETING)
    client.recv(65_536)
    if step == "in":
        return _flood_mysql(client, said, 2)
    client.sendall(_OK % 2)
    client.recv(65_536)
    client.sendall(_OK % 1)
    client.recv(65_536)
    return _flood_mysql(client, said, 1)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def postgresql(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """PostgreSQL."""
    client.recv(65_536)
    if step == "before":
        return _flood(client, said, b"E" + struct.pack("!I", SIZE))
    client.sendall(_message(b"R", struct.pack("!I", 0)))
    if step == "in":
        return _flood(client, said, piece=_message(b"S", b"a\0" + b"x" * 8000 + b"\0"))
    client.sendall(_message(b"Z", b"I"))
    client.recv(65_536)
    column = _message(
        b"T", struct.pack("!H", 1) + b"a\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
    )
    return _flood(client, said, column + b"D" + struct.pack("!IHI", SIZE + 10, 1, SIZE))


def redis(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """Redis."""
    answers = {
        b"AUTH": b"+OK\r\n",
        b"CLIENT": b"+OK\r\n",
        b"PING": b"+PONG\r\n",
        b"SELECT": b"+OK\r\n",
    }
    while found := client.recv(65_536):
        word = found.split(b"\r\n")[2]
        if step != "after" or word not in answers:
            return _flood(client, said, b"+")
        client.sendall(answers[word])
    return None


def imap(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """IMAP."""
    if step == "before":
        return _flood(client, said, b"* OK {%d}\r\n" % SIZE)
    client.sendall(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")
    with client.makefile("rb") as lines:
        for line in lines:
            tag, word = line.split()[:2]
            if word == (b"LOGIN" if step == "in" else b"EXAMINE"):
                return _flood(client, said, piece=b"* NO " + b"x" * 8000 + b"\r\n")
            client.sendall(
                b"* CAPABILITY IMAP4rev1\r\n" * (word == b"CAPABILITY") + tag + b" OK done\r\n"
            )
    return None


def rabbitmq(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """RabbitMQ."""

    def say(channel: int, method: Any) -> None:
        client.recv(65_536)
        client.sendall(Method(channel, method).marshal())

    if step != "before":
        say(0, spec.Connection.Start(0, 9, {"product": "x"}, "PLAIN", "en_US"))
    if step == "after":
        say(0, spec.Connection.Tune(1, 131_072, 0))
        client.recv(65_536)
        client.sendall(Method(0, spec.Connection.OpenOk()).marshal())
        say(1, spec.Channel.OpenOk())
        say(1, spec.Confirm.SelectOk())
    client.recv(65_536)
    _flood(client, said, piece=_BODY)


class Shell(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko has no types
    """Anybody may do anything."""

    def get_allowed_auths(self, _username: str) -> str:
        """Tell how to sign in."""
        return "password"

    def check_auth_password(self, _username: str, _password: str) -> int:
        """Let anybody in."""
        return int(paramiko.common.AUTH_SUCCESSFUL)

    def check_channel_request(self, _kind: str, _number: int) -> int:
        """Open any channel."""
        return int(paramiko.common.OPEN_SUCCEEDED)

    def check_channel_subsystem_request(self, _channel: Any, _name: str) -> bool:
        """Start any subsystem."""
        return True


def sftp(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """SSH. After the sign-in, ``said`` answers the second request for files; at the step 'keys', it
    is a message before the sign-in.
    """
    if step in {"before", "in"}:
        client.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" * (step == "in"))
        client.recv(65_536)
        return _flood(client, said, (struct.pack("!IB", SIZE + 4, 4) + b"\x14") * (step == "in"))
    with paramiko.Transport(client) as transport:
        transport.add_server_key(HOST_KEY)
        transport.start_server(server=Shell())
        if step == "keys":
            transport._send_message(paramiko.Message(said))
        channel = transport.accept(30)
        channel.recv(65_536)
        if said is None:
            return _flood(channel, said, struct.pack("!I", SIZE))
        channel.sendall(struct.pack("!IBI", 5, 2, 3))
        channel.recv(65_536)
        channel.sendall(struct.pack("!IBII", 10, 102, 1, 1) + b"h")
        channel.recv(65_536)
        return _flood(channel, said)


TRUST = functools.cache(lambda: authority().serving("127.0.0.1"))


def smtp(client: socket.socket, step: str, said: bytes | None = None) -> None:
    """SMTP, over TLS from the first byte."""
    with TRUST().wrap_socket(client, server_side=True) as tls, tls.makefile("rb") as lines:
        if step == "before":
            return _flood(tls, said)
        tls.sendall(b"220 hello\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == (b"AUTH" if step == "in" else b"MAIL"):
                return _flood(tls, said, b"250-")
            tls.sendall(
                {b"EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 ok\r\n"}.get(
                    verb, b"250 Ok\r\n"
                )
            )
    return None


CALLS: dict[str, tuple[Callable[..., None], str, str, dict[str, Any]]] = {
    "mysql": (mysql, "runQuery", "password", {"sql": "SELECT 1"}),
    "postgresql": (postgresql, "runQuery", "password", {"sql": "SELECT 1"}),
    "redis": (redis, "getValue", "login", {"key": "a"}),
    "imap": (imap, "searchMessages", "login", {}),
    "rabbitmq": (rabbitmq, "takeMessages", "login", {"queue": "a"}),
    "sftp": (sftp, "listFiles", "login", {}),
    "aws-ses": (smtp, "sendEmail", "smtp", MAIL),
}


def values_for(connector: str, port: int) -> dict[str, Any]:
    """Values of a connection to a port of this machine."""
    if connector == "aws-ses":
        return {"hostname": "127.0.0.1", "port": port, "security": "tls", **LOGIN}
    values: dict[str, Any] = {
        "hostname": "127.0.0.1",
        "port": port,
        "username": "ada",
        "password": "secret",
        "tls": "disable",
    }
    if connector in {"mysql", "postgresql"}:
        values["database"] = "shop"
    if connector == "sftp":
        values["hostKey"] = HOST_KEY.fingerprint
        del values["tls"]
    return values


def runtime(connections: Any = None) -> Jackfield:
    """A runtime without a database that believes the SMTP server."""
    return Jackfield(
        connections=connections,
        database_url="none",
        environment={"AWS_CA_BUNDLE": str(authority().bundle)},
    )


def _memory(name: str) -> int:
    """Return a number of MB that Linux tells about this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024


def measured(connector: str) -> Iterator[dict[str, Any]]:
    """Call a server for each step; tell the error, and by how many MB the memory has grown at most,
    and in the end.
    """
    serve, action, kind, inputs = CALLS[connector]
    with runtime() as jackfield:
        for step in ("warm", "before", "in", "after"):

            def talk(client: socket.socket, step: str = step) -> None:
                with suppress(Exception):
                    serve(client, step) if step != "warm" else None

            with serving(talk) as port:
                before = _memory("VmRSS")
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
                result = jackfield.invoke(
                    {
                        "connector": connector,
                        "action": action,
                        "inputs": inputs,
                        "timeoutSeconds": 120,
                        "connection": {"type": kind, "values": values_for(connector, port)},
                    }
                )
                peak = _memory("VmHWM") - before
            until(lambda: step == "warm" or _memory("VmRSS") - before <= MOST_LEFT_MB)  # noqa: B023 (it is called here)
            error = result.error
            yield {
                "step": step,
                "peak": peak,
                "status": result.status,
                "attempts": result.meta.attempts,
                "message": str(error and error.message),
                "hint": str(error and error.details),
            }


if __name__ == "__main__":
    for one in measured(sys.argv[1]):
        sys.stdout.write(json.dumps(one) + "\n")
