"""Whatever keeps a request from its first byte, of whatever class and by whoever, is known as not
sent.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from host_provider import Provider, request
from jackfield import Jackfield


class Blocked(RuntimeError):
    """As pytest-socket's SocketBlockedError."""


class Odd(Exception):
    """As what a proxying or tracing library raises."""


_PLACES = {
    "resolver": (socket, "getaddrinfo"),
    "constructor": (socket, "socket"),
    "connect": (socket.socket, "connect"),
    "options": (socket.socket, "setsockopt"),
    "context": (ssl.SSLContext, "wrap_socket"),
}
"""What a guard of a host's tests replaces, and libraries that trace or proxy connections do."""


@pytest.fixture
def jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime whose connections lead to a name, and to a server with TLS."""
    values = {"plain": "http://localhost:9", "tls": "https://localhost:9"}
    found = {
        name: {"type": "http/bearer", "values": {"server": server, "token": "t"}}
        for name, server in values.items()
    }
    with Jackfield(
        connections=[{"connections": found}], database_url=f"sqlite:///{tmp_path / 'j.db'}"
    ) as made:
        made.open()
        yield made


def _call(jackfield: Jackfield, method: str, connection: str, **members: Any) -> tuple[str, str]:
    result = jackfield.invoke(
        {**request(method=method), "connection": connection, **members}, tries=1
    )
    assert result.error is not None
    return result.error.code, result.error.message


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize(
    "error",
    [
        Blocked("no sockets in tests"),
        Odd("odd"),
        ValueError("bad"),
        KeyError("k"),
        AssertionError("no"),
    ],
)
@pytest.mark.parametrize("place", ["resolver", "constructor", "connect"])
def test_what_keeps_a_connection_from_being_made_is_unavailable(
    place: str, error: Exception, method: str, jackfield: Jackfield
) -> None:
    """A write is not in doubt and a read no bug: both are unavailable, in the words of what was
    raised.
    """
    owner, name = _PLACES[place]
    with mock.patch.object(owner, name, side_effect=error):
        code, message = _call(jackfield, method, "plain")
    assert (code, type(error).__name__ in message) == ("unavailable", True), message


def test_a_handshake_that_somebody_forbids_is_not_sent(
    jackfield: Jackfield, provider: Provider
) -> None:
    """TLS that fails with what no socket raises is not sent, either."""
    server = provider.url.replace("http:", "https:")
    with mock.patch.object(ssl.SSLContext, "wrap_socket", side_effect=Odd("no TLS here")):
        inline = {"type": "http/bearer", "values": {"server": server, "token": "t"}}
        result = jackfield.invoke({**request(), "connection": inline}, tries=1)
    assert result.error is not None
    assert (result.error.code, "no TLS here" in result.error.message) == ("unavailable", True)
    assert provider.paths == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the bytes of a connection")
@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("error", [Blocked("no sockets in tests"), Odd("odd"), KeyError("k")])
@pytest.mark.parametrize("name", ["send", "settimeout"])
def test_what_is_raised_in_place_of_the_first_write_has_sent_nothing(
    name: str, error: Exception, is_kept: bool, provider: Provider, tmp_path: Path
) -> None:
    """The system has taken no byte for the connection since: a write is unavailable, over a new
    connection and over one that was kept.
    """
    with Jackfield(
        connections=[provider.connection()], database_url=f"sqlite:///{tmp_path / 'j.db'}"
    ) as made:
        made.open()
        if is_kept:
            made.invoke(request("/before")).unwrap()
        with mock.patch.object(socket.socket, name, side_effect=error):
            result = made.invoke(request(), tries=1)
        assert result.error is not None
        assert (result.error.code, type(error).__name__ in result.error.message) == (
            "unavailable",
            True,
        ), result.error
        assert provider.paths == ["/before"] * is_kept


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_is_raised_after_the_first_write_may_have_sent_something(
    is_kept: bool, provider: Provider, tmp_path: Path
) -> None:
    """A tracer that writes, and then raises its own fault, leaves a doubt: nothing repeats the
    request.
    """

    def traced(self: socket.socket, data: bytes, *flags: int) -> int:
        super(socket.socket, self).send(data, *flags)
        raise Odd("a fault of the tracer")

    with Jackfield(
        connections=[provider.connection()], database_url=f"sqlite:///{tmp_path / 'j.db'}"
    ) as made:
        made.open()
        if is_kept:
            made.invoke(request("/before")).unwrap()
        with mock.patch.object(socket.socket, "send", traced):
            result = made.invoke(request("/once"))
        assert result.status == "in_doubt"
        assert provider.paths.count("/once") <= 1


@pytest.mark.parametrize("error", [Blocked("no sockets in tests"), Odd("odd"), KeyError("k")])
@pytest.mark.parametrize("place", ["resolver", "constructor", "connect"])
def test_a_mail_that_somebody_keeps_from_its_server_is_not_sent(
    place: str, error: Exception, tmp_path: Path
) -> None:
    """The same over SMTP: the mail is not in doubt, and its idempotency key is free."""
    owner, name = _PLACES[place]
    values = {"hostname": "localhost", "port": 9, "username": "u", "password": "p"}
    with Jackfield(
        connections={"mail": {"type": "aws-ses/smtp", "values": values}},
        database_url=f"sqlite:///{tmp_path / 'j.db'}",
    ) as made:
        made.open()
        mail = {
            "to": ["desk@rcpt.test"],
            "sender": "ops@sender.test",
            "subject": "Late",
            "text": "hi",
        }
        call = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "mail",
            "inputs": mail,
            "idempotencyKey": "order-1",
        }
        for _ in range(2):
            with mock.patch.object(owner, name, side_effect=error):
                result = made.invoke(call, tries=1)
            assert result.error is not None
            assert (result.error.code, type(error).__name__ in result.error.message) == (
                "unavailable",
                True,
            ), result.error
            assert not result.meta.replayed


# urllib3 closes a socket that could not connect only after an OSError
@pytest.mark.filterwarnings(
    "ignore:Exception ignored (in.|while finalizing socket) "
    "<socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("error", [Blocked("no sockets in tests"), Odd("odd"), KeyError("k")])
@pytest.mark.parametrize("place", ["resolver", "constructor", "connect"])
def test_what_keeps_botocores_client_from_aws_is_not_sent(
    place: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with botocore's own client in place of our requests."""
    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
    owner, name = _PLACES[place]
    values = {
        "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
        "secretAccessKey": "x" * 40,
        "region": "eu-west-1",
        "endpoint": "http://127.0.0.1:9",
    }
    with Jackfield(
        connections={"a": {"type": "aws/apiKeySecret", "values": values}},
        database_url=f"sqlite:///{tmp_path / 'j.db'}",
    ) as made:
        made.open()
        mail = {
            "awsRegion": "eu-west-1",
            "to": ["a@rcpt.test"],
            "sender": "o@sender.test",
            "subject": "Late",
            "text": "hi",
        }
        with mock.patch.object(owner, name, side_effect=error):
            result = made.invoke(
                {"connector": "aws-ses", "action": "sendEmail", "connection": "a", "inputs": mail},
                tries=1,
            )
    assert result.error is not None
    assert result.error.code == "unavailable", result.error
