"""Scripted faults of the fake AWS endpoint, as a real boto3 sees them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from boto_client import boto_client
from fake_aws import FakeAws, Fault


def _send(client: Any) -> Any:
    content = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
    return client.send_email(
        FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@x.io"]}, Content=content
    )


def _send_v1(client: Any) -> Any:
    return client.send_raw_email(
        RawMessage={"Data": b"From: a@example.com\r\nTo: b@x.io\r\n\r\nHello"}
    )


@pytest.mark.parametrize("kind", ["reset", "close"])
@pytest.mark.parametrize("accept", [True, False])
def test_connection_dies_after_the_request(kind: str, *, accept: bool) -> None:
    """RST and FIN come after the request was read whole: the send is received, and accepted only if
    the script says so.
    """
    with FakeAws(script=[{"operation": "SendEmail", "do": kind, "accept": accept}]) as aws:
        client = boto_client(aws.url)
        with pytest.raises(ConnectionClosedError):
            _send(client)
        assert (aws.received, aws.accepted) == (1, int(accept))
        assert _send(client)["MessageId"]
        assert (aws.received, aws.accepted, aws.connections) == (2, 1 + accept, 2)


def test_hang_ends_with_the_caller() -> None:
    """A hang gives the caller its read timeout; the message counts as accepted, and the fake stops
    without delay.
    """
    with FakeAws(script=[{"do": "hang"}]) as aws:
        with pytest.raises(ReadTimeoutError):
            _send(boto_client(aws.url, timeout=2.0))
        assert (aws.received, aws.accepted) == (1, 1)


def test_hang_with_seconds_answers_late() -> None:
    """A hang with seconds gives the true answer after that time; not accepted before, it is judged
    then.
    """
    with FakeAws(script=[{"do": "hang", "seconds": 0.1, "accept": False}]) as aws:
        started = time.monotonic()
        assert _send(boto_client(aws.url))["MessageId"] == aws.messages[0].message_id
        assert time.monotonic() - started >= 0.1


def test_release_ends_hangs() -> None:
    """release() sends the held answers."""
    with FakeAws(script=[{"do": "hang"}]) as aws:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(_send(boto_client(aws.url))))
        thread.start()
        assert aws.wait_until(lambda aws: aws.accepted == 1)
        while thread.is_alive():
            aws.release()
            thread.join(0.01)
        assert answers[0]["MessageId"] == aws.messages[0].message_id


@pytest.mark.parametrize(
    ("fault", "v1", "v2"),
    [
        (
            {"status": 400, "code": "MessageRejected", "message": "No."},
            "MessageRejected",
            "MessageRejected",
        ),
        ({"status": 429}, "Throttling", "TooManyRequestsException"),
        ({"status": 503}, "ServiceUnavailable", "ServiceUnavailableException"),
        ({"status": 500}, "InternalFailure", "InternalServiceErrorException"),
        ({"status": 403}, "AccessDenied", "AccessDeniedException"),
    ],
)
def test_status_speaks_the_protocol(fault: dict[str, Any], v1: str, v2: str) -> None:
    """A status fault is parsed by boto3 as that error in both protocols, and nothing is
    accepted.
    """
    with FakeAws(
        script=[{"do": "status", "times": 2, "headers": {"Retry-After": "3"}, **fault}]
    ) as aws:
        with pytest.raises(ClientError) as first:
            _send_v1(boto_client(aws.url, "ses"))
        with pytest.raises(ClientError) as second:
            _send(boto_client(aws.url))
        assert (aws.received, aws.accepted) == (2, 0)
    assert [item.value.response["Error"]["Code"] for item in (first, second)] == [v1, v2]
    for raised in (first, second):
        meta = raised.value.response["ResponseMetadata"]
        assert (meta["HTTPStatusCode"], meta["HTTPHeaders"]["retry-after"]) == (
            fault["status"],
            "3",
        )


@pytest.mark.parametrize("count", [0, 10, None])
def test_cut_ends_early(count: int | None) -> None:
    """A cut answer announces more than it sends: v1 raises, v2 only lacks the id; both sends were
    accepted.
    """
    with FakeAws(script=[Fault(do="cut", bytes=count, times=2)]) as aws:
        assert "MessageId" not in _send(boto_client(aws.url))
        with pytest.raises(ResponseParserError):
            _send_v1(boto_client(aws.url, "ses"))
        assert (aws.received, aws.accepted) == (2, 2)


@pytest.mark.parametrize("head", [True, False])
def test_drip_outlives_read_timeouts(*, head: bool) -> None:
    """A dripped answer comes whole, however short the read timeout, since each byte renews it."""
    with FakeAws(script=[{"do": "drip", "seconds": 0.03, "head": head}]) as aws:
        started = time.monotonic()
        assert _send(boto_client(aws.url, timeout=1.0))["MessageId"] == aws.messages[0].message_id
        assert time.monotonic() - started > 1.0


def test_latency_of_answers_and_connections() -> None:
    """Each answer waits the latency, the first of a connection more, a latency fault more still."""
    with FakeAws(
        latency=0.02,
        connect_latency=0.04,
        script=[{"do": "pass", "times": 2}, {"do": "latency", "seconds": 0.1}],
    ) as aws:
        client = boto_client(aws.url)
        times = []
        for _ in range(4):
            started = time.monotonic()
            _send(client)
            times.append(time.monotonic() - started)
    assert times[0] >= 0.06
    assert times[1] >= 0.02
    assert times[2] >= 0.12
    assert times[3] >= 0.02


def test_flaky_port() -> None:
    """reset_before_read kills the first connections before anything is read; a request on a later
    one is served.
    """
    with FakeAws(script=[{"do": "reset_before_read", "times": 2}]) as aws:
        for _ in range(2):
            # When the RST arrives decides which of the two boto3 makes of it.
            with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
                _send(boto_client(aws.url))
        assert _send(boto_client(aws.url))["MessageId"]
        assert (aws.received, aws.accepted, aws.connections) == (1, 1, 3)


def test_queue_is_ordered_and_apart_by_operation() -> None:
    """Faults go to their operation in order, `pass` takes a turn, `always` stays behind the queue,
    and "*" fits all.
    """
    script: list[dict[str, Any]] = [
        {"operation": "ses:ListIdentities", "do": "pass"},
        {"operation": "ListIdentities", "do": "status", "status": 400, "code": "Throttling"},
        {
            "operation": "GetAccount",
            "do": "status",
            "status": 418,
            "code": "Teapot",
            "always": True,
        },
    ]
    with FakeAws(script=script, identities=["a.io", "b.io"]) as aws:
        ses, v2 = boto_client(aws.url, "ses"), boto_client(aws.url)
        assert ses.list_identities(MaxItems=1)["Identities"] == ["a.io"]
        for call in (v2.get_account, ses.list_identities, v2.get_account):
            with pytest.raises(ClientError):
                call()
        assert ses.list_identities()["Identities"] == ["a.io", "b.io"]
        aws.script([{"do": "status"}])
        with pytest.raises(ClientError) as raised:
            ses.list_identities()
    assert raised.value.response["Error"]["Code"] == "ValidationError"
