"""What breaks while a message goes over SMTP: it is delivered once, or not at all, or in doubt, and
the Result says which.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

import pytest

from jackfield import Result
from jackfield.connector import Sent
from raw_server import serving
from smtp_rig import HOST, MAIL, authority, connected, rig
from smtp_server import CLOSE, CUT, DRIP, HANG, PASSWORD, USER, Fault, resolving

RATE = "454 Throttling failure: Maximum sending rate exceeded."
QUICK = 0.2
LARGE = {"big.bin": {"data": "AAAA" * 2_000_000}}
"""More than the buffers between client and server hold: those of the client grow to 4 MiB."""


def _failed(result: Result, code: str) -> dict[str, object]:
    assert result.status == ("in_doubt" if code == "in_doubt" else "failed"), result.to_json()
    error: dict[str, object] = result.to_json()["error"]
    assert error["code"] == code, error
    return error


# Before the final dot


@pytest.mark.parametrize("fault", [CUT, CLOSE])
@pytest.mark.parametrize(
    "verb", ["GREETING", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "CONTENT"]
)
def test_what_breaks_before_the_dot_is_tried_again(verb: str, fault: str) -> None:
    """A server that goes away before it has the whole message gets it once, over another
    connection.
    """
    with rig({verb: [fault]}) as it:
        result = it.send(attachments=LARGE if verb == "CONTENT" else None)
        assert result.status == "succeeded", result.to_json()
        assert result.meta.attempts == 2
        assert len(it.server.received) == 1
        assert it.server.connections == 2


_UNCLEAR: tuple[Fault, ...] = (
    CUT,
    CLOSE,
    "what",
    "235x",
    "250 Ok",
    "354 more",
    "432 A password transition is needed",
    "451 4.3.0 Later",
)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("said", _UNCLEAR)
def test_a_sign_in_without_a_clear_answer_is_tried_once(mechanism: str, said: Fault) -> None:
    """The server may have refused it, and locks out who signs in wrongly too often: only 421 and
    454 say that it was not checked.
    """
    with rig({"AUTH": [said] * 9}, mechanisms=[mechanism]) as it:
        result = it.send()
        _failed(result, "unavailable")
        assert result.error is not None
        assert result.error.sent is Sent.NOTHING
        assert (result.meta.attempts, it.server.count["AUTH"], it.clock.slept) == (1, 1, ())


def test_an_early_refusal_is_heard() -> None:
    """A server that refuses a message before it has all of it: the refusal counts, nothing is in
    doubt.
    """

    def talk(connection: socket.socket) -> None:
        with (
            authority().serving(HOST).wrap_socket(connection, server_side=True) as tls,
            tls.makefile("rb") as lines,
        ):
            tls.sendall(b"220 hello\r\n")
            for line in lines:
                verb = line[:4].upper()
                tls.sendall(
                    {
                        b"EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n",
                        b"AUTH": b"235 ok\r\n",
                        b"DATA": b"354 go\r\n",
                    }.get(verb, b"250 Ok\r\n")
                )
                if verb == b"DATA":
                    tls.sendall(b"552 Message is too long.\r\n")
                    list(iter(lines.readline, b""))
                    return

    values = {"hostname": HOST, "port": 465, "username": USER, "password": PASSWORD}
    with serving(talk) as port, connected(values) as (jackfield, _), resolving({HOST: port}):
        inputs = {**MAIL, "attachments": LARGE}
        result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": inputs})
    assert "too long" in str(_failed(result, "rejected")["message"])
    assert result.meta.attempts == 1


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("GREETING", "421 Too many concurrent SMTP connections"),
        ("AUTH", "454 Temporary authentication failure"),
        ("STARTTLS", "454 4.7.0 TLS not available"),
        ("MAIL", RATE),
        ("MAIL", "421 4.3.2 Service not available"),
        ("RCPT", "451 4.3.0 Temporary service failure"),
        ("RCPT", "421 4.3.2 Service not available"),
        ("DATA", "452 4.3.1 Insufficient system storage"),
        (".", RATE),
        (".", "451 Temporary service failure"),
        (".", "421 4.3.2 Service not available"),
    ],
)
def test_a_passing_refusal_is_tried_again(verb: str, reply: str) -> None:
    """A 4xx, also in answer to the final dot, and then an acceptance: one delivery."""
    with rig({verb: [reply]}) as it:
        result = it.send()
        assert result.status == "succeeded", result.to_json()
        assert result.meta.attempts == 2
        assert len(it.server.received) == 1
        assert len(it.clock.slept) == 1


def test_a_refused_message_keeps_its_connection() -> None:
    """After a 4xx to MAIL the same connection is used for the next try: RSET, and no second
    sign-in.
    """
    with rig({"MAIL": [RATE, RATE]}) as it:
        assert it.send().meta.attempts == 3
        assert it.server.count["RSET"] == 2
        assert it.server.connections == 1


def test_a_refused_connection_is_tried_again_to_the_end() -> None:
    """A port at which nobody listens: as many tries as there are, each one counted, and nothing in
    doubt.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        connected({"hostname": HOST, "username": USER, "password": PASSWORD}) as (jackfield, clock),
        resolving({HOST: port}),
    ):
        result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL})
    error = _failed(result, "unavailable")
    assert "refused the connection" in str(error["message"])
    assert error["retryable"] is True
    assert result.meta.attempts == 6
    assert len(clock.slept) == 5


def test_an_unknown_host_says_so() -> None:
    """A name that the DNS does not have is the host name's fault, and named."""
    with (
        connected({"hostname": HOST, "username": USER, "password": PASSWORD}) as (jackfield, _),
        resolving({HOST: None}),
    ):
        result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL})
    assert f"'{HOST}' cannot be found" in str(_failed(result, "unavailable")["message"])


def test_a_server_that_never_answers_ends_each_try() -> None:
    """A port that takes connections and never talks costs one short wait a try, not the whole
    deadline (S17).
    """
    with (
        rig(patience=QUICK) as it,
        socket.create_server(("127.0.0.1", 0)) as silent,
        resolving({HOST: silent.getsockname()[1]}),
    ):
        error = _failed(it.send(), "unavailable")  # not a timeout: the deadline was not reached
        assert "did not answer within 5 s" in str(error["message"])
        assert "firewall" in str(error["hint"])


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_silence_before_the_dot_ends_at_the_deadline(verb: str) -> None:
    """Without an answer the invocation ends when its time is over; it can be sent again safely."""
    with rig({verb: [HANG]}) as it:
        error = _failed(it.send({"timeoutSeconds": 0.7}), "timeout")
        assert error["retryable"] is True
        assert it.server.received == []


@pytest.mark.parametrize("verb", ["GREETING", "AUTH", "MAIL", "DATA"])
def test_dripping_replies_end_at_the_deadline(verb: str) -> None:
    """A reply that comes byte by byte and never ends does not keep the invocation beyond its
    time.
    """
    with rig({verb: [DRIP] * 10}) as it:
        _failed(it.send({"timeoutSeconds": 0.7}), "timeout")
        assert it.server.received == []


def test_a_deaf_server_ends_at_the_deadline() -> None:
    """A server that stops reading in the middle of a large message: nothing sent, the deadline
    holds.
    """
    with rig({"CONTENT": [HANG]}) as it:
        _failed(it.send({"timeoutSeconds": 1.5}, attachments=LARGE), "timeout")
        assert it.server.received == []


def test_who_leaves_before_the_content_sends_nothing() -> None:
    """A caller that goes away while recipients are told has cancelled the message."""
    gone = threading.Event()
    with rig({"RCPT": [gone.set]}) as it:
        result = it.jackfield.invoke(
            {"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL}, cancelled=gone
        )
        _failed(result, "cancelled")
        assert it.server.received == []
        assert it.server.count["DATA"] == 0


# After the final dot


@pytest.mark.parametrize("fault", [CUT, CLOSE])
def test_a_server_gone_after_the_dot_leaves_doubt(fault: str) -> None:
    """The server has the message and goes away without a reply: exactly one delivery, in doubt, not
    sent again.
    """
    with rig({".": [fault]}) as it:
        result = it.send()
        error = _failed(result, "in_doubt")
        assert "before it was acknowledged" in str(error["message"])
        assert "onDoubt" in str(error["hint"])
        assert result.meta.attempts == 1
        assert len(it.server.received) == 1


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_silence_after_the_dot_leaves_doubt(fault: str) -> None:
    """No answer, or one that never ends: in doubt when the time is over."""
    with rig({".": [fault]}) as it:
        error = _failed(it.send({"timeoutSeconds": 4}), "in_doubt")
        assert "deadline" in str(error["message"])
        assert len(it.server.received) == 1


@pytest.mark.parametrize(
    "reply", ["hello", "2", "999 what", "2500 Ok", "354 go on", "250-Ok\r\n550 no"]
)
def test_a_garbled_answer_to_the_dot_leaves_doubt(reply: str) -> None:
    """An answer that is neither yes nor no settles nothing."""
    with rig({".": [reply]}) as it:
        result = it.send()
        _failed(result, "in_doubt")
        assert result.meta.attempts == 1


def test_a_cut_answer_to_the_dot_leaves_doubt() -> None:
    """`250 Ok 01` without its line end is not an answer, and what there is of the id is not given
    out.
    """

    def talk(connection: socket.socket) -> None:
        with (
            authority().serving(HOST).wrap_socket(connection, server_side=True) as tls,
            tls.makefile("rb") as lines,
        ):
            tls.sendall(b"220 hello\r\n")
            for line in lines:
                verb = line[:4].upper()
                if verb == b"DATA":
                    tls.sendall(b"354 go\r\n")
                    list(iter(lines.readline, b".\r\n"))
                    tls.sendall(b"250 Ok 01")
                    return
                tls.sendall(
                    {b"EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 ok\r\n"}.get(
                        verb, b"250 Ok\r\n"
                    )
                )

    values = {"hostname": HOST, "port": 465, "username": USER, "password": PASSWORD}
    with serving(talk) as port, connected(values) as (jackfield, _), resolving({HOST: port}):
        _failed(
            jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL}),
            "in_doubt",
        )


def test_who_prefers_twice_gets_twice() -> None:
    """With `onDoubt: retry` an unanswered message is sent again."""
    with rig({".": [CUT]}) as it:
        result = it.send({"onDoubt": "retry"})
        assert result.status == "succeeded"
        assert result.meta.attempts == 2
        assert len(it.server.received) == 2


# Connections that died while they lay idle


def _farewells() -> list[tuple[str, Fault]]:
    return [
        ("421", "421 4.4.2 Idle too long"),
        ("451", "451 4.4.2 Timeout waiting for data from client"),
        ("cut", CUT),
        ("close", CLOSE),
        ("silence", HANG),
    ]


@pytest.mark.parametrize(
    "fault", [fault for _, fault in _farewells()], ids=[name for name, _ in _farewells()]
)
def test_a_dead_kept_connection_is_replaced(fault: Fault) -> None:
    """A connection that turns out to be dead at MAIL is replaced within the same try: no doubt, no
    back-off.
    """
    with rig({"MAIL": [None, fault]}, patience=1.0 if fault is HANG else 30.0) as it:
        assert it.send().status == "succeeded"
        result = it.send()
        assert result.status == "succeeded", result.to_json()
        assert result.meta.attempts == 1
        assert len(it.server.received) == 2
        assert it.server.connections == 2
        assert it.clock.slept == ()


def test_a_server_that_was_restarted_costs_nothing() -> None:
    """All kept connections are gone: the next message goes out over a new one."""
    with rig() as it:
        it.send()
        it.server.drop()
        result = it.send()
        assert (result.status, result.meta.attempts) == ("succeeded", 1)
        assert it.server.connections == 2


def test_a_new_connection_that_dies_too_is_a_failed_try() -> None:
    """The replacement happens once: then the rule for failed tries holds."""
    with rig({"MAIL": [None, CLOSE, CLOSE]}) as it:
        it.send()
        result = it.send()
        assert (result.status, result.meta.attempts) == ("succeeded", 2)
        assert len(it.server.received) == 2


def test_an_endless_reply_ends() -> None:
    """A reply of more lines, or of longer lines, than any server sends is not read on."""

    def talk(connection: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection.sendall(b"220-again\r\n" * 1000)

    values = {"hostname": HOST, "username": USER, "password": PASSWORD}
    with serving(talk) as port, connected(values) as (jackfield, _), resolving({HOST: port}):
        result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL})
    assert "a response that is not SMTP" in str(_failed(result, "unavailable")["message"])


def test_a_connection_that_breaks_at_rset_is_not_kept() -> None:
    """A refused message whose connection breaks while it is taken back: the next try opens
    another.
    """
    with rig({"MAIL": [RATE], "RSET": [CUT]}) as it:
        result = it.send()
        assert (result.status, result.meta.attempts, it.server.connections) == ("succeeded", 2, 2)


def test_a_kept_connection_cannot_outlast_the_deadline() -> None:
    """Silence on a kept connection, and less time than a dead one is given: the invocation's own
    time counts.
    """
    with rig({"MAIL": [None, HANG]}) as it:
        it.send()
        _failed(it.send({"timeoutSeconds": 0.5}), "timeout")
        assert len(it.server.received) == 1


@pytest.mark.parametrize("step", ["announce", "hand_over", "finish"])
def test_an_interrupted_conversation_is_not_kept(step: str) -> None:
    """Whoever stops the process in the middle of a message leaves no half-used connection
    behind.
    """
    with rig() as it:
        it.send()
        with (
            mock.patch(f"jackfield_aws_ses.smtp.client.{step}", side_effect=KeyboardInterrupt),
            suppress(KeyboardInterrupt),
        ):
            it.send()
        assert it.send().status == "succeeded"
        assert it.server.connections == 2


# What no socket raises


class Odd(Exception):
    """As what a library that traces or proxies connections raises, or a host's own guard."""


_ODD = [
    ValueError("odd"),
    RuntimeError("odd"),
    MemoryError("odd"),
    KeyError("odd"),
    SystemExit("odd"),
    GeneratorExit("odd"),
]
_BEFORE = [
    ("MAIL", False),
    ("MAIL", True),
    ("RCPT", False),
    ("RCPT", True),
    ("DATA", False),
    ("DATA", True),
    ("CONTENT", False),
]


@contextmanager
def _raising(error: BaseException, verb: str, *, when_read: bool) -> Iterator[None]:
    """Raise once, in place of the line of a command, of the content or of the dot, or of what is
    read of the answer to it.
    """
    send, recv, said = ssl.SSLSocket.send, ssl.SSLSocket.recv, [""]

    def is_due(what: str, *, reading: bool) -> bool:
        if (what, reading) != (verb, when_read) or said[0] == "raised":
            return False
        said[0] = "raised"
        return True

    def sends(sock: ssl.SSLSocket, data: Any, *given: Any) -> int:
        text = bytes(data[:4]).decode("ascii").strip().upper()
        what = "DOT" if text == "." else "CONTENT" if said[0] == "DATA" else text
        if is_due(what, reading=False):
            raise error
        if said[0] != "raised":
            said[0] = what
        return send(sock, data, *given)

    def receives(sock: ssl.SSLSocket, *given: Any) -> bytes:
        if is_due(said[0], reading=True):
            raise error
        return recv(sock, *given)

    with (
        mock.patch.object(ssl.SSLSocket, "send", sends),
        mock.patch.object(ssl.SSLSocket, "recv", receives),
    ):
        yield


@pytest.mark.parametrize("error", _ODD, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("verb", "when_read"), _BEFORE)
def test_whatever_is_raised_before_the_dot_is_not_sent(
    verb: str, when_read: bool, error: BaseException
) -> None:
    """By whoever, of whatever class: nothing is in doubt, and the next try delivers the message,
    once, over another connection.
    """
    with rig() as it:
        with _raising(error, verb, when_read=when_read):
            result = it.send()
        assert result.status == "succeeded", result.to_json()
        assert (result.meta.attempts, len(it.server.received), it.server.connections) == (2, 1, 2)


@pytest.mark.parametrize(("verb", "when_read"), _BEFORE)
def test_what_nobody_has_named_is_not_repeated(verb: str, when_read: bool) -> None:
    """A class of exceptions that neither Python nor a transport raises may be a time limit of the
    host: nothing was sent, nor is it tried again.
    """
    with rig() as it:
        with _raising(Odd("odd"), verb, when_read=when_read):
            result = it.send()
        assert _failed(result, "unavailable")["message"]
        assert (result.meta.attempts, len(it.server.received)) == (1, 0)


@pytest.mark.parametrize("verb", ["RCPT", "DATA", "CONTENT"])
def test_what_is_raised_before_the_dot_is_told_in_its_words(verb: str) -> None:
    """A caller who tries once gets what was raised, as a failure."""
    with rig() as it:
        with _raising(Odd("no mail in tests"), verb, when_read=False):
            result = it.jackfield.invoke(
                {
                    "connector": "aws-ses",
                    "action": "sendEmail",
                    "connection": "link",
                    "inputs": MAIL,
                },
                tries=1,
            )
        assert "Odd: no mail in tests" in str(_failed(result, "unavailable")["message"])
        assert it.server.received == []


@pytest.mark.parametrize("error", [*_ODD, Odd("odd")], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when_read", [False, True])
def test_whatever_is_raised_from_the_dot_on_is_in_doubt(
    when_read: bool, error: BaseException
) -> None:
    """The dot may have left, and the server may have taken the message: nobody sends it again."""
    with rig() as it:
        with _raising(error, "DOT", when_read=when_read):
            result = it.send()
        _failed(result, "in_doubt")
        assert result.meta.attempts == 1


@pytest.mark.parametrize("error", _ODD, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when_read", [False, True])
def test_whatever_is_raised_after_a_refusal_leaves_it_one(
    when_read: bool, error: BaseException
) -> None:
    """The server has refused the message: what it says to the next command, or does not, puts
    nothing in doubt.
    """
    with rig({"MAIL": ["550 5.7.1 no"]}) as it:
        with _raising(error, "RSET", when_read=when_read):
            result = it.send()
        _failed(result, "rejected")
        assert (result.meta.attempts, it.server.received) == (1, [])


@pytest.mark.parametrize("error", _ODD, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when_read", [False, True])
def test_whatever_is_raised_by_a_farewell_changes_nothing(
    when_read: bool, error: BaseException
) -> None:
    """A message that was delivered is, whatever ends its connection."""
    with rig() as it, mock.patch("jackfield_aws_ses.smtp.session.MESSAGES", 1):
        with _raising(error, "QUIT", when_read=when_read):
            result = it.send()
        assert (result.status, len(it.server.received)) == ("succeeded", 1), result.to_json()
