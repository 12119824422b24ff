"""Servers that answer a command as no server may: each action says that the answer cannot be read,
and what was sent by then.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from flooding import runtime, values_for
from jackfield import Result
from jackfield.connector import Sent
from raw_server import serving

Answer = Callable[[bytes], bytes]
_MAIL = b"From: a@example.com\r\nSubject: x\r\n\r\nhello\r\n"
_FACTS = b'UID 7 FLAGS (\\Seen) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 100'
_ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 MOVE UIDPLUS\r\n",
    b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 17] ok\r\n",
    b"EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 17] ok\r\n",
    b"LIST": b'* LIST () "/" INBOX\r\n',
    b"SEARCH": b"* SEARCH 7\r\n",
    b"FETCH": b"* 1 FETCH (%s BODY[] {%d}\r\n%s)\r\n" % (_FACTS, len(_MAIL), _MAIL),
}
_GARBLED = "the server's answer cannot be read"


def _serve(client: socket.socket, at: bytes, answer: Answer) -> None:
    """Answer commands politely, but the one of a name."""
    client.sendall(b"* OK hello\r\n")
    with client.makefile("rb") as lines:
        for line in lines:
            tag, *words = line.upper().split()
            word = words[words[0] == b"UID"]
            if word == at:
                client.sendall(answer(tag))
            else:
                client.sendall(_ANSWERS.get(word, b"") + tag + b" OK done\r\n")
            if word == b"LOGOUT":
                return


def _call(at: bytes, answer: Answer, action: str, inputs: dict[str, Any]) -> Result:
    def talk(client: socket.socket) -> None:
        with suppress(OSError):
            _serve(client, at, answer)

    with serving(talk) as port, runtime() as jackfield:
        return jackfield.invoke(
            {
                "connector": "imap",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": 60,
                "connection": {"type": "login", "values": values_for("imap", port)},
            }
        )


def _then_ok(said: bytes) -> Answer:
    return lambda tag: said + b"\r\n" + tag + b" OK done\r\n"


def _weird(tag: bytes) -> bytes:
    return tag + b" WHAT done\r\n"


_ONE = {"uids": [7]}
_READS: dict[str, tuple[bytes, Answer, str, dict[str, Any]]] = {
    "numbers as flags of a mailbox": (
        b"LIST",
        _then_ok(b'* LIST (1 2) "/" a'),
        "listMailboxes",
        {},
    ),
    "a number as separator": (b"LIST", _then_ok(b"* LIST () 5 a"), "listMailboxes", {}),
    "no flags of a mailbox": (b"LIST", _then_ok(b'* LIST NIL "/" a'), "listMailboxes", {}),
    "flags in each other": (b"LIST", _then_ok(b'* LIST ((a)) "/" a'), "listMailboxes", {}),
    "no body": (b"FETCH", _then_ok(b"* 1 FETCH (%s)" % _FACTS), "getMessage", {"uid": 7}),
    "a number as body": (
        b"FETCH",
        _then_ok(b"* 1 FETCH (%s BODY[] 5)" % _FACTS),
        "getMessage",
        {"uid": 7},
    ),
    "no flags": (
        b"FETCH",
        _then_ok(b'* 1 FETCH (UID 7 RFC822.SIZE 5 BODY[] "a")'),
        "getMessage",
        {"uid": 7},
    ),
    "numbers as flags": (
        b"FETCH",
        _then_ok(b'* 1 FETCH (UID 7 FLAGS (1) RFC822.SIZE 5 BODY[] "a")'),
        "getMessage",
        {"uid": 7},
    ),
    "a literal that is none": (
        b"FETCH",
        _then_ok(b"* 1 FETCH (UID 7 BODY[] {-1}"),
        "getMessage",
        {"uid": 7},
    ),
    "an end that is none": (b"FETCH", _weird, "getMessage", {"uid": 7}),
    "no number of the mailbox": (
        b"SELECT",
        lambda tag: tag + b" OK done\r\n",
        "moveMessages",
        {**_ONE, "to": "a"},
    ),
    "words as numbers": (b"SEARCH", _then_ok(b"* SEARCH a"), "moveMessages", {**_ONE, "to": "a"}),
    "a search with an odd end": (b"SEARCH", _weird, "deleteMessages", _ONE),
    "capabilities that are none": (
        b"CAPABILITY",
        _then_ok(b"* CAPABILITY X"),
        "saveDraft",
        {"text": "a"},
    ),
    "a login with an odd end": (b"LOGIN", _weird, "saveDraft", {"text": "a"}),
}


@pytest.mark.parametrize("case", _READS)
def test_what_cannot_be_read_before_a_change_has_changed_nothing(case: str) -> None:
    """An answer that no parser, or no action, can read is told as such: no fault of this program,
    no refusal, and nothing was sent.
    """
    result = _call(*_READS[case])
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "unavailable",
        Sent.NOTHING,
    ), result.error
    assert _GARBLED in result.error.message, result.error
    assert result.meta.attempts == 1


_CHANGES: dict[str, tuple[bytes, Answer, str, dict[str, Any]]] = {
    "flags": (b"STORE", _weird, "flagMessages", {**_ONE, "add": ["seen"]}),
    "a move": (b"MOVE", _weird, "moveMessages", {**_ONE, "to": "a"}),
    "a deletion": (b"EXPUNGE", _weird, "deleteMessages", _ONE),
    "a draft": (b"APPEND", _weird, "saveDraft", {"text": "a"}),
    "a draft that was not sent": (
        b"APPEND",
        lambda tag: tag + b" OK [APPENDUID 17 12] done\r\n",
        "saveDraft",
        {"text": "a"},
    ),
}


@pytest.mark.parametrize("case", _CHANGES)
def test_an_end_that_is_none_is_no_refusal_of_a_change(case: str) -> None:
    """Only NO and BAD refuse, and only OK after the whole command confirms: with others, it is
    unknown what has changed.
    """
    result = _call(*_CHANGES[case])
    assert result.error is not None
    assert result.status == ("in_doubt" if _CHANGES[case][2] == "saveDraft" else "failed")
    assert result.error.sent is Sent.UNKNOWN
    assert _GARBLED in result.error.message, result.error


@pytest.mark.parametrize("said", [b" NO [NOPERM] no", b" BAD no"])
@pytest.mark.parametrize(
    ("at", "action"),
    [(b"SELECT", "flagMessages"), (b"STORE", "flagMessages"), (b"APPEND", "saveDraft")],
)
def test_a_refusal_stays_one(at: bytes, action: str, said: bytes) -> None:
    """What the server refuses is told in its words, also where another command was asked in
    between.
    """
    inputs: dict[str, Any] = {"text": "a"} if action == "saveDraft" else {**_ONE, "add": ["seen"]}
    result = _call(at, lambda tag: tag + said + b"\r\n", action, inputs)
    assert result.error is not None
    assert (result.status, result.error.sent) == ("failed", Sent.REFUSED)
    assert result.error.code in {"forbidden", "rejected"}


def test_a_login_that_is_not_answered_is_tried_once() -> None:
    """A server that ends the connection may have refused the login: it is not said so, and the user
    is not locked out.
    """
    result = _call(b"LOGIN", lambda _tag: b"* BYE go\r\n", "saveDraft", {"text": "a"})
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        "unavailable",
        Sent.NOTHING,
    )
    assert result.meta.attempts == 1
