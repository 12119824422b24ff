"""Servers that answer a request with something else than a status: nothing is confirmed by that."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import paramiko
import pytest
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_DATA,
    CMD_EXTENDED,
    CMD_HANDLE,
    CMD_INIT,
    CMD_MKDIR,
    CMD_NAME,
    CMD_OPEN,
    CMD_REMOVE,
    CMD_RENAME,
    CMD_STATUS,
    CMD_VERSION,
)

from flooding import HOST_KEY, Shell, runtime, values_for
from jackfield import Result
from jackfield.connector import Sent
from raw_server import serving

_FAILURE, _NO_RIGHT = 4, 3


def _packet(kind: int, body: bytes) -> bytes:
    return struct.pack("!IB", len(body) + 1, kind) + body


def _status(number: bytes, code: int, text: bytes = b"x") -> bytes:
    return _packet(CMD_STATUS, number + struct.pack("!II", code, len(text)) + text + b"\0\0\0\0")


def _serve(client: socket.socket, at: int, answer: Callable[[bytes], bytes]) -> None:
    """Answer requests for files, and the ones of a kind with ``answer``."""
    with paramiko.Transport(client) as transport:
        transport.add_server_key(HOST_KEY)
        transport.start_server(server=Shell())
        channel = transport.accept(60)
        with channel.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                packet = stream.read(int.from_bytes(head, "big"))
                kind, number = packet[0], packet[1:5]
                if kind == CMD_INIT:
                    said = _packet(CMD_VERSION, b"\0\0\0\3")
                elif kind == at:
                    said = answer(number)
                elif kind == CMD_OPEN:
                    said = _packet(CMD_HANDLE, number + b"\0\0\0\1h")
                else:
                    said = _status(number, 0)
                channel.sendall(said)


_CALLS: dict[str, tuple[int, dict[str, Any]]] = {
    "deleteFile": (CMD_REMOVE, {"path": "a"}),
    "createFolder": (CMD_MKDIR, {"path": "a"}),
    "moveFile": (CMD_RENAME, {"path": "a", "newPath": "b"}),
    "writeFile": (CMD_EXTENDED, {"path": "/a", "content": "x"}),
}
_NO_STATUS: dict[str, Callable[[bytes], bytes]] = {
    "a handle": lambda number: _packet(CMD_HANDLE, number + b"\0\0\0\1h"),
    "data": lambda number: _packet(CMD_DATA, number + b"\0\0\0\1h"),
    "attributes": lambda number: _packet(CMD_ATTRS, number + b"\0\0\0\0"),
    "names": lambda number: _packet(CMD_NAME, number + b"\0\0\0\0"),
    "an unknown kind": lambda number: _packet(250, number),
    "a status without a code": lambda number: _packet(CMD_STATUS, number),
    "a status with half a code": lambda number: _packet(CMD_STATUS, number + b"\0\0"),
}


def _call(action: str, at: int, answer: Callable[[bytes], bytes]) -> Result:
    def talk(client: socket.socket) -> None:
        with suppress(Exception):
            _serve(client, at, answer)

    with serving(talk) as port, runtime() as jackfield:
        return jackfield.invoke(
            {
                "connector": "sftp",
                "action": action,
                "inputs": _CALLS[action][1],
                "timeoutSeconds": 60,
                "connection": {"type": "login", "values": values_for("sftp", port)},
            }
        )


@pytest.mark.parametrize("case", _NO_STATUS)
@pytest.mark.parametrize("action", _CALLS)
def test_what_is_no_status_confirms_nothing(action: str, case: str) -> None:
    """A change is confirmed by a status that says so; with another answer, it is unknown what was
    done.
    """
    result = _call(action, _CALLS[action][0], _NO_STATUS[case])
    assert result.error is not None
    assert result.status == ("failed" if action == "writeFile" else "in_doubt")
    assert result.error.sent is Sent.UNKNOWN
    assert "the server's answer cannot be read" in result.error.message, result.error


def test_a_file_that_cannot_be_closed_is_not_written() -> None:
    """A server may tell only at the end that it cannot keep what was written, for lack of room for
    example.
    """
    result = _call("writeFile", CMD_CLOSE, lambda number: _status(number, _FAILURE, b"no room"))
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "rejected",
        Sent.REFUSED,
    )
    assert "no room" in result.error.message


def test_a_refusal_is_one_in_any_language() -> None:
    """Words that are no UTF-8 are shown as far as they can be."""
    result = _call(
        "deleteFile", CMD_REMOVE, lambda number: _status(number, _NO_RIGHT, b"verweigert \xfc")
    )
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "forbidden",
        Sent.REFUSED,
    )
    assert "verweigert" in result.error.message
