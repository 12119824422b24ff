"""A server that sends more replies than it was asked for: none of them answers another command."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from unittest import mock

import pytest

from jackfield import Jackfield, Result
from jackfield.connector import Deadline
from jackfield.wire.sessions import SessionPool
from jackfield_aws_ses.smtp.session import Session
from raw_server import serving
from smtp_rig import HOST, MAIL, authority, connected
from smtp_server import PASSWORD, USER, resolving

_REPLIES = {
    b"EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n",
    b"AUTH": b"235 ok\r\n",
    b"DATA": b"354 go\r\n",
}
_STRAY = b"250 Ok stray\r\n"


@dataclass
class _Server:
    """Server that sends ``extra`` after its reply to a verb, of its first connection only, and to
    the final dot replies ``verdict``.

    ``later`` is sent after the first message, in a TLS record of its own, so that no read of the
    message's reply gets it.
    """

    extra: Mapping[bytes, bytes] = field(default_factory=dict)
    verdict: bytes = b"250 Ok true\r\n"
    later: bytes = b""
    connections: int = 0
    contents: int = 0
    _open: socket.socket | None = None

    def talk(self, connection: socket.socket) -> None:
        """Serve one connection."""
        self.connections += 1
        extra = self.extra if self.connections == 1 else {}
        with (
            suppress(OSError),
            authority().serving(HOST).wrap_socket(connection, server_side=True) as tls,
            tls.makefile("rb") as lines,
        ):
            self._open = tls
            tls.sendall(b"220 hello\r\n" + extra.get(b"", b""))
            for line in lines:
                verb = line[:4].strip().upper()
                tls.sendall(_REPLIES.get(verb, b"250 Ok\r\n") + extra.get(verb, b""))
                if verb == b"DATA" and self._takes_content(lines):
                    tls.sendall(self.verdict + extra.get(b".", b""))
                    if self.later and self.contents == 1:
                        tls.sendall(self.later)

    def hang_up(self) -> None:
        """End the connection that is open, if any."""
        if self._open is not None:
            with suppress(OSError):
                self._open.shutdown(socket.SHUT_RDWR)

    def _takes_content(self, lines: BinaryIO) -> bool:
        for line in lines:
            if line == b".\r\n":
                self.contents += 1
                return True
        return False


@contextmanager
def _reached(server: _Server) -> Iterator[Jackfield]:
    with ExitStack() as stack:
        port = stack.enter_context(serving(server.talk))
        stack.callback(server.hang_up)
        values = {"hostname": HOST, "port": 465, "username": USER, "password": PASSWORD}
        jackfield, _ = stack.enter_context(connected(values))
        stack.enter_context(resolving({HOST: port}))
        yield jackfield


def _send(jackfield: Jackfield) -> Result:
    return jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL})


@pytest.mark.parametrize(
    "verb",
    [b"", b"EHLO", b"AUTH", b"MAIL", b"RCPT", b"DATA"],
    ids=lambda verb: verb.decode() or "greeting",
)
def test_r2_a_second_reply_answers_no_other_command(verb: bytes) -> None:
    """A stray 250 ends the connection before anything is sent; over the next one the message is
    refused, and so is the Result.
    """
    server = _Server({verb: _STRAY}, verdict=b"554 Message rejected: no.\r\n")
    with _reached(server) as jackfield:
        result = _send(jackfield)
    assert (result.status, result.error and result.error.code) == ("failed", "rejected"), (
        result.to_json()
    )
    assert (server.connections, server.contents, result.meta.attempts) == (2, 1, 2)


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        (b"250 Ok one\r\n", b"554 Message rejected: no.\r\n"),
        (b"554 Message rejected: no.\r\n", b"250 Ok two\r\n"),
    ],
)
def test_r2_two_replies_to_the_dot_leave_doubt(verdict: bytes, after: bytes) -> None:
    """Which of two replies is the message's nobody knows: it is in doubt, and neither sent again
    nor called sent or failed.
    """
    server = _Server({b".": after}, verdict)
    with _reached(server) as jackfield:
        result = _send(jackfield)
    assert result.status == "in_doubt", result.to_json()
    assert result.error is not None
    assert "no command had asked for" in result.error.message
    assert server.contents == 1


def test_r2_a_farewell_after_the_dot_changes_nothing() -> None:
    """A server may say 421 after a message and close the connection: the message's own reply
    counts, and the next one goes elsewhere.
    """
    server = _Server({b".": b"421 bye\r\n"})
    with _reached(server) as jackfield:
        results = [_send(jackfield), _send(jackfield)]
    assert [result.status for result in results] == ["succeeded", "succeeded"]
    assert (server.connections, server.contents) == (2, 2)


def test_r2_a_reply_between_messages_ends_the_connection() -> None:
    """What arrives on an idle connection is not the reply to the next message's first command."""
    server = _Server(later=_STRAY)
    take = SessionPool.take

    def take_readable(pool: SessionPool[Session], deadline: Deadline) -> Session | None:
        found = take(pool, deadline)
        assert found is None or (
            found.sock is not None and select.select([found.sock], [], [], 30)[0]
        )
        return found

    with _reached(server) as jackfield:
        first = _send(jackfield)
        with mock.patch.object(SessionPool, "take", take_readable):
            second = _send(jackfield)
    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert (server.connections, server.contents, second.meta.attempts) == (2, 2, 1)
