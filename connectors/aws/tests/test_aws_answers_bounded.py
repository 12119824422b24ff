"""An endpoint that answers without end, or with too many values, does not fill the memory of the
process (security finding 9).
"""

from __future__ import annotations

import contextlib
import socket
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import HTTPClientError
from botocore.session import Session

from aws_opening import KEY_ID, SECRET, Opener
from jackfield.connector import MAX_ANSWER, JackfieldError, Sent, Unavailable, bounded_answer
from jackfield.connector.context import entered
from jackfield_aws import AWS_ERRORS, ApiKeySecret
from jackfield_aws.foreign_answers import check_answer
from jackfield_aws.virtual.plain_values import add_json
from raw_server import read_request, serving
from uncollected import uncollected

pytestmark = pytest.mark.usefixtures("direct")

_PIECE = b" " * 65536
_TIMES = 2 * MAX_ANSWER // len(_PIECE)
HEADS = {
    "length": b"Content-Length: %d" % (len(_PIECE) * _TIMES),
    "chunked": b"Transfer-Encoding: chunked",
    "until it closes": b"Connection: close",
}


def _talk(head: bytes, sent: list[int]) -> Callable[[socket.socket], None]:
    """Answer a request with 64 MiB of blanks."""
    piece = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE) if b"chunked" in head else _PIECE

    def talk(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s\r\n\r\n" % head
            )
            for _ in range(_TIMES):
                connection.sendall(piece)
                sent.append(len(_PIECE))

    return talk


@pytest.mark.parametrize("how", HEADS)
def test_s9_an_answer_without_end_is_refused_while_it_is_read(opener: Opener, how: str) -> None:
    """After 32 MiB the answer is refused and its connection closed, before any parser sees it; the
    next call connects anew.
    """
    sent: list[int] = []
    with serving(_talk(HEADS[how], sent)) as port:
        values: dict[str, Any] = {
            "accessKeyId": KEY_ID,
            "secretAccessKey": SECRET,
            "endpoint": f"http://127.0.0.1:{port}",
        }
        clients = ApiKeySecret.model_validate(values).open(opener.context(awsRegion="eu-west-1"))
        for _ in range(2):
            # whatever botocore raises
            with (
                pytest.raises(Exception, match=r".") as raised,
                entered(opener.context(seconds=30).call),
            ):
                clients.client("sesv2").get_account()
            error = AWS_ERRORS(raised.value, clients)
            assert isinstance(error, JackfieldError)
            assert (error.code, error.sent, error.repeatable) == (
                "unavailable",
                Sent.UNKNOWN,
                False,
            )
            assert "larger than 33,554,432 bytes" in error.message
    assert sum(sent) < 2 * 1.5 * MAX_ANSWER


def test_s9_any_connector_can_bound_its_answers() -> None:
    """The rule is one function of the author's API: what fits passes, what does not is refused at
    once.
    """
    assert b"".join(bounded_answer([b"ab", b"c"], limit=3)) == b"abc"
    with pytest.raises(Unavailable, match="larger than 3 bytes"):
        list(bounded_answer([b"ab", b"cd"], limit=3))


_MANY = {
    "sesv2": (
        b"application/json",
        b'{"SendingEnabled": [' + b"[]," * 3_000_000 + b"1]}",
        "get_account",
    ),
    "sts": (b"text/xml", b"<r>" + b"<x>1</x>" * 3_000_000 + b"</r>", "get_caller_identity"),
    "s3": (b"application/octet-stream", b"<r>" + b"<x/>" * 3_000_000 + b"</r>", "list_buckets"),
    "sns": (
        b"",
        b"<!DOCTYPE r [<!ENTITY a '<x/>'>]><r>" + b"&a;" * 30_000 + b"</r>",
        "list_topics",
    ),
}
"""Responses by service: their media type, and what they cost too much by."""


@pytest.mark.parametrize("service", _MANY)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_of_too_many_values_is_refused_before_it_is_parsed(
    opener: Opener, service: str, status: int
) -> None:
    """JSON and XML that would take a gigabyte once parsed, of successes and of errors, take no more
    than their bytes.

    The outcome is unclear, and a repeated request would be answered alike.
    """
    kind, body, method = _MANY[service]

    def talk(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(
                b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
                % (status, kind, len(body))
            )
            with contextlib.suppress(OSError):  # it reads no more than it needs
                connection.sendall(body)

    with serving(talk) as port:
        values: dict[str, Any] = {
            "accessKeyId": KEY_ID,
            "secretAccessKey": SECRET,
            "endpoint": f"http://127.0.0.1:{port}",
        }
        clients = ApiKeySecret.model_validate(values).open(opener.context(awsRegion="eu-west-1"))
        client = clients.client(service)
        tracemalloc.start()
        try:
            # whatever botocore raises
            with (
                pytest.raises(Exception, match=r".") as raised,
                entered(opener.context(seconds=30).call),
            ):
                getattr(client, method)()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        error = AWS_ERRORS(raised.value, clients)
    assert isinstance(error, JackfieldError)
    assert (error.code, error.sent, error.repeatable, error.retryable) == (
        "unavailable",
        Sent.UNKNOWN,
        False,
        False,
    )
    assert "more than 1,000,000 values" in error.message or "has a document type" in error.message
    assert peak < 2 * len(body) + 16 * 1024 * 1024


@pytest.mark.parametrize("status", [200, 400, 503])
def test_json_that_is_nested_too_deeply_is_unclear(status: int) -> None:
    """An answer of 40 kB with 20,000 levels, a success or an error, is unclear as any that is not
    the service's.
    """
    operation = Session().get_service_model("sesv2").operation_model("GetAccount")
    body = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    with pytest.raises(HTTPClientError) as raised, uncollected():
        check_answer({"body": body, "status_code": status, "headers": {}}, operation)
    error = raised.value.kwargs["error"]
    assert (error.code, error.sent) == ("unavailable", Sent.UNKNOWN)


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("form", ["text", "data"])
def test_json_within_a_member_is_judged_before_it_is_parsed(form: str, times: int) -> None:
    """A text or a body that an answer holds is left as it is if its JSON has too many values."""
    text = "[" + "[]," * (times * 700_000) + "1]"
    answer: dict[str, Any] = {
        "Payload": text if form == "text" else {"data": b64encode(text.encode()).decode()}
    }
    tracemalloc.start()
    try:
        add_json(answer, ("Payload",))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert list(answer) == ["Payload"]
    assert peak < 3 * len(text) + 1024 * 1024


def test_cbor_is_judged_before_it_is_parsed() -> None:
    """A service that speaks CBOR is judged by its data items."""
    with pytest.raises(HTTPClientError) as raised:
        check_answer(
            {"body": b"\x9f" + b"\x80" * 2_000_000, "status_code": 200, "headers": {}}, _Cbor()
        )
    assert "1,000,000 values" in str(raised.value.kwargs["error"].message)


class _Cbor:
    """An operation of a service that speaks CBOR."""

    name = "ListMetrics"
    output_shape = None

    class service_model:  # noqa: N801 (botocore's name)
        """The service."""

        resolved_protocol = "smithy-rpc-v2-cbor"
