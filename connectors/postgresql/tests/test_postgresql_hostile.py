"""Servers that answer a commit with something else: only the tag COMMIT confirms it, and only an
error of the server's refuses it.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest

from flooding import runtime, values_for
from jackfield import Result
from jackfield.connector import Sent
from raw_server import serving

_GARBLED = "the server's answer cannot be read"


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _done(tag: bytes, state: bytes = b"I") -> bytes:
    return _message(b"C", tag + b"\0") + _message(b"Z", state)


def _text(value: bytes, state: bytes) -> bytes:
    """Return a row of one text."""
    column = _message(
        b"T", struct.pack("!H", 1) + b"a\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
    )
    return (
        column
        + _message(b"D", struct.pack("!HI", 1, len(value)) + value)
        + _done(b"SELECT 1", state)
    )


def _error(state: bytes) -> bytes:
    return _message(b"E", b"SERROR\0VERROR\0C" + state + b"\0Mno\0\0")


_READY = _message(b"Z", b"I")
_BUSY = _message(b"Z", b"T")
_ANSWERS = {
    b"BEGIN": _text(b"77", b"T"),
    b"ROLLBACK": _done(b"ROLLBACK"),
    b"COMMIT": _done(b"COMMIT"),
    b"SELECT": _text(b"committed", b"I"),
    b"P": _message(b"1") + _BUSY,
    b"D": _message(b"t", b"\0\0") + _message(b"n") + _BUSY,
    b"E": _message(b"2") + _done(b"DELETE 1", b"T"),
}


def _serve(client: socket.socket, answers: dict[bytes, bytes], last: bytes) -> None:
    """Answer statements, and end the connection after the one of a name."""
    with client.makefile("rb") as stream:
        stream.read(int.from_bytes(stream.read(4), "big") - 4)
        client.sendall(_message(b"R", b"\0\0\0\0") + _READY)
        described = False
        while kind := stream.read(1):
            body = stream.read(int.from_bytes(stream.read(4), "big") - 4)
            name = body.split()[0].rstrip(b";\0") if kind == b"Q" else kind
            if name == b"D" and described:
                continue  # of the portal: told with what it returns
            described = described or name == b"D"
            client.sendall(answers.get(name, b""))
            if name == last:
                return


def _call(name: bytes, said: bytes, known: bytes = b"in progress", seconds: int = 60) -> Result:
    """Run a statement at a server that answers a message with ``said``, and knows something of the
    transaction afterwards.
    """

    def talk(client: socket.socket) -> None:
        with suppress(OSError):
            _serve(
                client,
                {**_ANSWERS, b"SELECT": _text(known, b"I"), name: said},
                name if name == b"COMMIT" else b"",
            )

    with serving(talk) as port, runtime() as jackfield:
        return jackfield.invoke(
            {
                "connector": "postgresql",
                "action": "executeStatement",
                "inputs": {"sql": "DELETE FROM a"},
                "timeoutSeconds": seconds,
                "connection": {"type": "password", "values": values_for("postgresql", port)},
            }
        )


_NO_COMMIT = {
    "nothing": _READY,
    "another command": _done(b"SELECT 1"),
    "no command": _done(b""),
    "an empty statement": _message(b"I") + _READY,
    "rows": _text(b"COMMIT", b"I"),
    "a row without columns": _message(b"D", b"\0\1\0\0\0\1x") + _done(b"COMMIT"),
    "fewer than no columns": _message(b"T", b"\xff\xfb") + _READY,
    "a copy": _message(b"H", b"\0\0\1\0\0") + _READY,
    "an error without a code": _message(b"E", b"SERROR\0Mno\0\0") + _READY,
    "an open transaction": _done(b"COMMIT", b"T"),
    "bytes": _message(b"\xff", b"x") + _READY,
}


@pytest.mark.parametrize("case", _NO_COMMIT)
def test_what_is_no_answer_to_a_commit_confirms_and_refuses_nothing(case: str) -> None:
    """It is unknown then whether the rows have changed; a server that does not know it either
    leaves it so.
    """
    result = _call(b"COMMIT", _NO_COMMIT[case], known=b"")
    assert result.error is not None
    assert (result.status, result.error.sent) == ("in_doubt", Sent.UNKNOWN), result.error
    assert _GARBLED in result.error.message, result.error


def test_the_server_is_asked_what_became_of_an_unreadable_commit() -> None:
    """As after a lost answer: committed or rolled back, as the server says over another
    connection.
    """
    assert _call(b"COMMIT", _done(b"SELECT 1"), known=b"committed").status == "succeeded"
    undone = _call(b"COMMIT", _done(b"SELECT 1"), known=b"aborted")
    assert undone.error is not None
    assert (undone.status, undone.error.sent) == ("failed", Sent.NOTHING)


def test_a_commit_that_rolls_back_is_no_success() -> None:
    """A server answers ROLLBACK to the commit of a transaction that has failed."""
    result = _call(b"COMMIT", _done(b"ROLLBACK"), seconds=30)
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "unavailable",
        Sent.REFUSED,
    )
    assert "rolled the transaction back" in result.error.message


def test_a_commit_is_refused_by_an_error_of_the_servers() -> None:
    """An error with a code is the server's word."""
    result = _call(b"COMMIT", _error(b"23505") + _READY)
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "conflict",
        Sent.REFUSED,
    )


@pytest.mark.parametrize(
    "case",
    [
        "nothing",
        "no command",
        "a row without columns",
        "fewer than no columns",
        "an error without a code",
        "bytes",
    ],
)
def test_what_cannot_be_read_before_the_commit_has_changed_nothing(case: str) -> None:
    """The server has not refused the statement: libpq cannot read what it says."""
    result = _call(b"E", _NO_COMMIT[case])
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "unavailable",
        Sent.NOTHING,
    ), result.error
    assert _GARBLED in result.error.message, result.error


_GIGABYTE = struct.pack("!I", 2**30)


@pytest.mark.parametrize("before", [b"", _message(b"N", b"SNOTICE\0\0")])
@pytest.mark.parametrize("kind", [b"D", b"E", b"N", b"S", b"A"])
def test_a_message_that_says_that_it_is_a_gigabyte_is_not_waited_for(
    kind: bytes, before: bytes
) -> None:
    """A server that announces more than a call takes, and then is silent, is told at once: nothing
    was changed, and the limit is named.
    """

    def talk(client: socket.socket) -> None:
        with suppress(OSError):
            _serve(client, {**_ANSWERS, b"BEGIN": before + kind + _GIGABYTE}, b"")

    with serving(talk) as port, runtime() as jackfield:
        result = jackfield.invoke(
            {
                "connector": "postgresql",
                "action": "executeStatement",
                "inputs": {"sql": "DELETE FROM a"},
                "timeoutSeconds": 60,
                "connection": {"type": "password", "values": values_for("postgresql", port)},
            }
        )
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "rejected",
        Sent.NOTHING,
    ), result.error
    assert "the server would send more than 16,777,216 bytes for one call" in result.error.message
