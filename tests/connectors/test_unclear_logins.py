"""Servers that have read a login and give no clear answer: they may have refused it, and lock out
whoever is refused too often.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, cast

import paramiko
import pytest
from pika import spec
from pika.frame import Method

import flooding
from jackfield.connector import Sent
from raw_server import serving
from smtp_rig import authority

Logged = Callable[[socket.socket], None]
_SCRAM = b"R" + struct.pack("!II", 23, 10) + b"SCRAM-SHA-256\0\0"


def _lines(client: socket.socket) -> BinaryIO:
    return cast("BinaryIO", client.makefile("rb"))


def _mysql(client: socket.socket, logged: Logged) -> None:
    client.sendall(struct.pack("<I", len(flooding.MYSQL_GREETING)) + flooding.MYSQL_GREETING)
    with _lines(client) as stream:
        stream.read(int.from_bytes(stream.read(4)[:3], "little"))
    logged(client)


def _postgresql(client: socket.socket, logged: Logged) -> None:
    with _lines(client) as stream:
        stream.read(int.from_bytes(stream.read(4), "big") - 4)
        client.sendall(_SCRAM)
        stream.read(int.from_bytes(stream.read(5)[1:], "big") - 4)
    logged(client)


def _redis(client: socket.socket, logged: Logged) -> None:
    with _lines(client) as lines:
        next(line for line in lines if line.strip() == b"AUTH")
        for _ in range(4):
            lines.readline()
    logged(client)


def _imap(client: socket.socket, logged: Logged) -> None:
    client.sendall(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")
    with _lines(client) as lines:
        for line in lines:
            tag, word = line.split()[:2]
            if word == b"LOGIN":
                return logged(client)
            client.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
    return None


def _rabbitmq(client: socket.socket, logged: Logged) -> None:
    with _lines(client) as stream:
        stream.read(8)
        client.sendall(
            Method(0, spec.Connection.Start(0, 9, {"product": "x"}, "PLAIN", "en_US")).marshal()
        )
        stream.read(int.from_bytes(stream.read(7)[3:], "big") + 1)
    logged(client)


def _smtp(client: socket.socket, logged: Logged) -> None:
    with (
        authority().serving("127.0.0.1").wrap_socket(client, server_side=True) as tls,
        _lines(tls) as lines,
    ):
        tls.sendall(b"220 hello\r\n")
        for line in lines:
            if line.startswith(b"AUTH"):
                return logged(tls)
            tls.sendall(b"250-hello\r\n250 AUTH PLAIN\r\n")
    return None


def _sftp(client: socket.socket, logged: Logged) -> None:
    class Silent(flooding.Shell):
        def check_auth_password(self, _username: str, _password: str) -> int:
            logged(client)
            transport.close()
            return int(paramiko.common.AUTH_FAILED)

    with paramiko.Transport(client) as transport:
        transport.add_server_key(flooding.HOST_KEY)
        transport.start_server(server=Silent())
        transport.join(30)


_SERVERS: dict[str, Callable[[socket.socket, Logged], None]] = {
    "aws-ses": _smtp,
    "imap": _imap,
    "mysql": _mysql,
    "postgresql": _postgresql,
    "rabbitmq": _rabbitmq,
    "redis": _redis,
    "sftp": _sftp,
}
_ONCE_ANYHOW = frozenset({"redis", "sftp"})
"""Connectors that do not try again either where the server goes away at once: Redis gets the login
before it has said anything.
"""

_CODES = {"sftp": {"unavailable", "rejected"}}
"""What is said of it: decrypted, text is a packet of any length, which may be more than a call
takes.
"""


def test_each_session_has_a_server_that_does_not_answer_a_login() -> None:
    """A connector with a session of its own is called by the tests below."""
    assert {*_SERVERS} == {*flooding.CALLS}


@pytest.mark.parametrize("said", [b"", b"\xffwhat is this\r\n" * 4])
@pytest.mark.parametrize("connector", _SERVERS)
def test_a_login_without_a_clear_answer_is_sent_once(connector: str, said: bytes) -> None:
    """A server that goes away before the login is called again; once it has the login, nobody signs
    in again. Nothing was done.
    """
    connections, logins = [0], [0]
    early = connector not in _ONCE_ANYHOW

    def logged(client: socket.socket) -> None:
        logins[0] += 1
        client.sendall(said)

    def talk(client: socket.socket) -> None:
        connections[0] += 1
        if connections[0] > early:
            with suppress(Exception):
                _SERVERS[connector](client, logged)

    _, action, kind, inputs = flooding.CALLS[connector]
    with serving(talk) as port, flooding.runtime() as jackfield:
        given: dict[str, Any] = {"type": kind, "values": flooding.values_for(connector, port)}
        result = jackfield.invoke(
            {
                "connector": connector,
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": 60,
                "connection": given,
            }
        )
    assert result.error is not None
    assert (result.status, result.error.sent) == ("failed", Sent.NOTHING), result.error
    assert result.error.code in _CODES.get(connector, {"unavailable"}), result.error
    assert (logins[0], connections[0], result.meta.attempts) == (1, 1 + early, 1 + early), (
        result.error
    )
