"""The fake under load, and as a process of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from boto_client import boto_client
from fake_aws import FakeAws, FakeAwsProcess
from jackfield_aws_ses_simulator.aws import sending
from together import at_once

_client = partial(boto_client, timeout=20, connections=60)


def _send(client: Any, text: str = "Hello") -> str:
    content = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": text}}}}
    sent = client.send_email(
        FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@x.io"]}, Content=content
    )
    return str(sent["MessageId"])


def test_sixty_threads_share_the_fake() -> None:
    """Sixty callers at once are each answered once, on connections of their own, and all are
    recorded.
    """
    with FakeAws(latency=0.02) as aws:
        client = _client(aws.url)
        ids = [
            sent for two in at_once(60, lambda _: [_send(client) for _ in range(2)]) for sent in two
        ]
        assert len(set(ids)) == 120
        assert {message.message_id for message in aws.messages} == set(ids)
        assert 1 < aws.connections <= 60


def test_size_limit_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """A raw message of as many bytes as are allowed is accepted and one byte more refused; it is 40
    MB at SES.
    """
    assert sending._LARGEST == {"ses": 10_485_760, "sesv2": 41_943_040}
    limit = 1_000_000
    monkeypatch.setitem(sending._LARGEST, "sesv2", limit)
    head = b"From: a@example.com\r\nTo: b@x.io\r\n\r\n"
    line = b"x" * 76 + b"\r\n"
    raw = (head + line * (limit // len(line) + 1))[:limit]
    with FakeAws() as aws:
        client = _client(aws.url)
        client.send_email(Content={"Raw": {"Data": raw}})
        with pytest.raises(ClientError, match=str(limit + 1)):
            client.send_email(Content={"Raw": {"Data": raw + b"."}})
        (message,) = aws.messages
    assert (message.size, message.raw == raw) == (limit, True)


def test_process_takes_options_and_tells_its_state() -> None:
    """The fake as a process of its own takes options, shows its state while it runs, and ends with
    its caller.
    """
    with FakeAwsProcess(
        identities=["example.com"], latency=0.001, script=[{"do": "status", "status": 429}]
    ) as aws:
        client = _client(aws.url)
        with pytest.raises(ClientError):
            _send(client)
        assert aws.state()["accepted"] == 0
        sent = _send(client)
        state = aws.state()
    assert (state["connections"], state["received"], state["accepted"]) == (1, 2, 1)
    assert (state["calls"], state["messages"][0]["messageId"]) == (["sesv2:SendEmail"] * 2, sent)
    with pytest.raises(EndpointConnectionError):
        _send(client)
