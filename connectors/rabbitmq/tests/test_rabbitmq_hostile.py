"""Brokers that confirm another message than ours, and messages that have no form as an output:
nothing is confirmed or lost by them.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pika import BasicProperties, spec
from pika.frame import Body, Header, Method, decode_frame

from flooding import runtime, values_for
from jackfield import Result
from jackfield.connector import Sent
from raw_server import serving


def _answer(method: Any, channel: int = 1) -> bytes:
    return bytes(Method(channel, method).marshal())


_ANSWERS = {
    spec.Connection.StartOk: _answer(spec.Connection.Tune(1, 131_072, 0), 0),
    spec.Connection.Open: _answer(spec.Connection.OpenOk(), 0),
    spec.Channel.Open: _answer(spec.Channel.OpenOk()),
    spec.Confirm.Select: _answer(spec.Confirm.SelectOk()),
    spec.Basic.Qos: _answer(spec.Basic.QosOk()),
}


def _frames(client: socket.socket) -> Iterator[Any]:
    with client.makefile("rb") as stream:
        stream.read(8)
        while len(head := stream.read(7)) == 7:
            yield decode_frame(head + stream.read(int.from_bytes(head[3:], "big") + 1))[1]


_EMPTY = _answer(spec.Basic.GetEmpty())


def _call(
    said: bytes, action: str, inputs: dict[str, Any], *more: bytes
) -> tuple[Result, list[str]]:
    """Call an action at a broker that answers a message, or the questions for one, with ``said``
    and ``more``, and then that there is none; return what it was asked, too.
    """
    asked: list[str] = []
    answers = [said, *more]

    def talk(client: socket.socket) -> None:
        with suppress(OSError):
            client.sendall(_answer(spec.Connection.Start(0, 9, {}, "PLAIN", "en_US"), 0))
            for frame in _frames(client):
                method: Any = getattr(frame, "method", None)
                settles = isinstance(method, spec.Basic.Ack | spec.Basic.Nack)
                asked.append(
                    f"{type(method).__name__} {method.delivery_tag}"
                    if settles
                    else type(method or frame).__name__
                )
                is_ours = isinstance(frame, Body) or isinstance(method, spec.Basic.Get)
                client.sendall(
                    (answers.pop(0) if answers else _EMPTY)
                    if is_ours
                    else _ANSWERS.get(type(method), b"")
                )

    with serving(talk) as port, runtime() as jackfield:
        result = jackfield.invoke(
            {
                "connector": "rabbitmq",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": 60,
                "connection": {"type": "login", "values": values_for("rabbitmq", port)},
            }
        )
    return result, asked


_MESSAGE = {"routingKey": "orders", "body": "a"}


@pytest.mark.parametrize(
    "answer", [spec.Basic.Ack(2), spec.Basic.Ack(0), spec.Basic.Ack(99, True), spec.Basic.Nack(2)]
)
def test_the_confirmation_of_another_message_confirms_nothing(answer: Any) -> None:
    """A broker numbers the messages of a channel: a number that is not ours says nothing of
    ours.
    """
    result, _ = _call(_answer(answer), "publishMessage", _MESSAGE)
    assert result.error is not None
    assert (result.status, result.error.sent) == ("in_doubt", Sent.UNKNOWN)
    assert "the server's answer cannot be read" in result.error.message


@pytest.mark.parametrize(
    "answer", [spec.Basic.Ack(1), spec.Basic.Ack(1, True), spec.Basic.Ack(0, True)]
)
def test_the_confirmation_of_our_message_confirms_it(answer: Any) -> None:
    """Our number, or all numbers up to it, or all of them."""
    assert _call(_answer(answer), "publishMessage", _MESSAGE)[0].status == "succeeded"


def _nested(kind: bytes, levels: int) -> bytes:
    """Return headers of so many levels: tables in each other, or lists."""
    value = b"I\0\0\0\1"
    for _ in range(levels):
        value = (b"\x01a" if kind == b"F" else b"") + value
        value = kind + len(value).to_bytes(4, "big") + value
    return b"\x01a" + value


def _headers(table: bytes) -> bytes:
    body = (
        struct.pack(">HHQHI", spec.Basic.INDEX, 0, 1, BasicProperties.FLAG_HEADERS, len(table))
        + table
    )
    return b"\x02\0\1" + len(body).to_bytes(4, "big") + body + b"\xce"


_UNFIT = {
    "tables": (_nested(b"F", 100), "rejected"),
    "lists": (_nested(b"A", 100), "rejected"),
    "many tables": (_nested(b"F", 400), "rejected"),
    "too many tables": (_nested(b"F", 2000), "unavailable"),
    "no number": (b"\x01ad" + struct.pack(">d", float("nan")), "unavailable"),
    "no time": (b"\x01aT" + b"\xff" * 8, "unavailable"),
}


@pytest.mark.parametrize("case", _UNFIT)
def test_a_message_that_cannot_be_told_stays_in_its_queue(case: str) -> None:
    """It is acknowledged only once it is an output: whoever publishes to a queue writes the
    headers.
    """
    table, code = _UNFIT[case]
    got = (
        _answer(spec.Basic.GetOk(1, False, "", "orders", 0))
        + _headers(table)
        + bytes(Body(1, b"a").marshal())
    )
    result, asked = _call(got, "takeMessages", {"queue": "orders"})
    assert result.error is not None
    assert (result.status, result.error.code, result.error.sent) == (
        "failed",
        code,
        Sent.NOTHING,
    ), result.error
    assert "Get" in asked
    assert not [one for one in asked if "ck" in one]


@pytest.mark.parametrize("case", _UNFIT)
def test_a_message_that_cannot_be_told_blocks_no_other(case: str) -> None:
    """Those behind it are taken, in the same call; it stays in its queue, and is told with its
    reason.
    """
    unfit = _headers(_UNFIT[case][0]) + bytes(Body(1, b"a").marshal())
    fit = bytes(Header(1, 1, BasicProperties(message_id="m")).marshal()) + bytes(
        Body(1, b"b").marshal()
    )
    got = [
        _answer(spec.Basic.GetOk(tag, False, "", "orders", 0)) + (fit if tag % 2 == 0 else unfit)
        for tag in (1, 2, 3, 4, 5)
    ]
    result, asked = _call(got[0], "takeMessages", {"queue": "orders", "count": 9}, *got[1:])
    assert result.output is not None, result.error
    assert [one["body"] for one in result.output["messages"]] == ["b", "b"]
    assert len({one["reason"] for one in result.output["unreadable"]}) == 1
    assert len(result.output["unreadable"]) == 3
    assert [one for one in asked if "ck" in one] == ["Nack 1", "Nack 3", "Nack 5", "Ack 4"]


def test_a_message_without_faults_is_acknowledged() -> None:
    """The broker of these tests is one whose messages can be taken."""
    got = _answer(spec.Basic.GetOk(1, False, "", "orders", 0)) + bytes(
        Header(1, 1, BasicProperties(headers={"a": [1]})).marshal()
    )
    result, asked = _call(
        got + bytes(Body(1, b"a").marshal()), "takeMessages", {"queue": "orders", "count": 1}
    )
    assert result.status == "succeeded"
    assert result.output is not None
    assert result.output["messages"][0]["headers"] == {"a": [1]}
    assert "Ack 1" in asked
