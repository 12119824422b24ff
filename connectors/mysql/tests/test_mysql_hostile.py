"""Servers that answer a commit with something else than OK or an error of theirs: it is unknown
then what has changed.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest

from flooding import MYSQL_GREETING, runtime, values_for
from jackfield import Result
from jackfield.connector import Sent
from raw_server import serving


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _end(number: int) -> bytes:
    return _packet(number, b"\xfe\0\0\2\0")


_OK = b"\0\0\0\2\0\0\0"
_COLUMN = b"\x03def\0\0\0\x01a\0\x0c\x2d\0\x01\0\0\0\xfd\0\0\0\0\0"
_NO_ANSWER = {
    "rows": _packet(1, b"\x01") + _packet(2, _COLUMN) + _end(3) + _packet(4, b"\x01x") + _end(5),
    "no rows": _packet(1, b"\x01") + _packet(2, _COLUMN) + _end(3) + _end(4),
    "an end": _end(1),
    "the wish for a file": _packet(1, b"\xfb/etc/passwd"),
    "an error without a number": _packet(1, b"\xff\0\0no"),
    "an error of clients": _packet(1, b"\xff\xd6\x07#HY000gone"),
    "half an error": _packet(1, b"\xff"),
    "half an OK": _packet(1, b"\0"),
    "nothing": _packet(1, b""),
    "another number": _packet(9, _OK),
    "a length that is none": _packet(1, b"\0\xfe\xff"),
}


def _call(said: bytes) -> Result:
    """Run a statement at a server that answers its commit with ``said``."""

    def talk(client: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as stream:
            client.sendall(_packet(0, MYSQL_GREETING))
            stream.read(int.from_bytes(stream.read(4)[:3], "little"))
            client.sendall(_packet(2, _OK))
            while head := stream.read(4):
                body = stream.read(int.from_bytes(head[:3], "little"))
                client.sendall(said if body[1:] == b"COMMIT" else _packet(1, _OK))

    with serving(talk) as port, runtime() as jackfield:
        return jackfield.invoke(
            {
                "connector": "mysql",
                "action": "executeStatement",
                "inputs": {"sql": "DELETE FROM a"},
                "timeoutSeconds": 60,
                "connection": {"type": "password", "values": values_for("mysql", port)},
            }
        )


@pytest.mark.parametrize("case", _NO_ANSWER)
def test_what_is_no_answer_to_a_commit_confirms_and_refuses_nothing(case: str) -> None:
    """Rows confirm nothing, and what cannot be read refuses nothing."""
    result = _call(_NO_ANSWER[case])
    assert result.error is not None
    assert (result.status, result.error.sent) == ("in_doubt", Sent.UNKNOWN), result.error
    assert "the server's answer cannot be read" in result.error.message, result.error


def test_ok_confirms_a_commit() -> None:
    """The server of these tests is one that can commit."""
    assert _call(_packet(1, _OK)).status == "succeeded"
