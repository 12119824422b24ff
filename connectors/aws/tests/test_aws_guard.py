"""A connection that may not reach the operator's own network connects to nothing there, in a try
and outside of one.
"""

from __future__ import annotations

import socket

import pytest

from aws_opening import KEY_ID, SECRET
from jackfield.connector import Guard, InvalidConnection, Sent, Unavailable
from jackfield_aws import AWS_ERRORS
from jackfield_aws.keys import Keys
from jackfield_aws.sessions import ClientSpec, make_client
from raw_server import read_request, serving

pytestmark = pytest.mark.usefixtures("direct")

GUARD = Guard()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def _spec(endpoint: str, guard: Guard = GUARD) -> ClientSpec:
    return ClientSpec("sesv2", "eu-west-1", endpoint, Keys(KEY_ID, SECRET), guard)


def test_an_internal_endpoint_is_refused_at_its_value() -> None:
    """An endpoint inside the operator's network is refused before a client is made."""
    with pytest.raises(InvalidConnection) as raised:
        make_client(_spec("http://127.0.0.1:9"))
    assert [detail.path for detail in raised.value.details] == ["/endpoint"]


@pytest.mark.parametrize("endpoint", ["http://[::1", "http://"])
def test_what_is_no_url_is_refused_as_such(endpoint: str) -> None:
    """An endpoint that is no URL is refused for that, whatever the guard would say."""
    with pytest.raises(InvalidConnection, match="not a URL"):
        make_client(_spec(endpoint))


def test_a_name_that_resolves_to_nothing_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that cannot be resolved, and so not be judged, is unavailable, and nothing is sent."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    client = make_client(_spec("http://email.example.test"))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Exception, match=r".") as raised:  # whatever botocore raises
        client.get_account()
    client.close()
    error = AWS_ERRORS(raised.value, None)
    assert error is not None
    assert (type(error), error.sent) == (Unavailable, Sent.NOTHING)


def test_a_permitted_address_is_connected_to() -> None:
    """What the guard lets through works outside of a try as well."""

    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ANSWER)

    with serving(answer) as port:
        client = make_client(_spec(f"http://127.0.0.1:{port}", Guard(loopback=True)))
        assert client.get_account()["ResponseMetadata"]["HTTPStatusCode"] == 200
        client.close()
