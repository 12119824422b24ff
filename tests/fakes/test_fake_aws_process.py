"""The fake under load, and as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import fake_aws
from boto_client import boto_client
from fake_aws import FakeAws, FakeAwsProcess, Fault
from together import at_once

_client = partial(boto_client, timeout=20, connections=60)


def _send(client: Any, text: str = "Hello") -> str:
    content = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": text}}}}
    sent = client.send_email(FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@x.io"]}, Content=content)
    return str(sent["MessageId"])


def _post(url: str, body: object) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_sixty_threads_share_the_fake() -> None:
    """Sixty callers at once are each answered once, on connections of their own, and all are recorded."""
    with FakeAws(latency=0.02) as aws:
        client = _client(aws.url)
        ids = [sent for five in at_once(60, lambda _: [_send(client) for _ in range(5)]) for sent in five]
        assert len(set(ids)) == 300
        assert {message.message_id for message in aws.messages} == set(ids)
        assert 1 < aws.connections <= 60


@pytest.mark.parametrize(("keep", "limit"), [(True, 41_943_040), (False, 300_000)])
def test_size_limit_is_exact(*, keep: bool, limit: int) -> None:
    """A raw message of the limit's size (40 MB by default) is accepted and one byte more refused, kept or not."""
    head = b"From: a@example.com\r\nTo: b@x.io\r\n\r\n"
    line = b"x" * 76 + b"\r\n"
    raw = (head + line * (limit // len(line) + 1))[:limit]
    with FakeAws(message_bytes=keep) as aws:
        if not keep:
            aws.configure(size_limit_v2=limit)
        client = _client(aws.url)
        client.send_email(Content={"Raw": {"Data": raw}})
        with pytest.raises(ClientError, match=str(limit + 1)):
            client.send_email(Content={"Raw": {"Data": raw + b"."}})
        (message,) = aws.messages
    assert (message.size, message.raw == raw) == (limit, keep)


def test_v1_edge_is_ten_megabytes() -> None:
    """SendRawEmail of v1 ends at 10,485,760 bytes, with the text that SES is known for."""
    raw = b"From: a@example.com\r\nTo: b@x.io\r\n\r\n" + (b"x" * 76 + b"\r\n") * 134_500
    with FakeAws() as aws, pytest.raises(ClientError, match=rf"Message length is more than 10485760 bytes long: '{len(raw)}'"):
        _client(aws.url, "ses").send_raw_email(RawMessage={"Data": raw})


def test_process_is_steered_over_http() -> None:
    """The fake as a process of its own takes options and scripts, tells its state, and ends with its caller."""
    with FakeAwsProcess(identities=["example.com"], latency=0.001) as aws:
        client = _client(aws.url)
        aws.script([Fault(do="status", status=429)])
        with pytest.raises(ClientError):
            _send(client)
        sent = _send(client)
        state = aws.state()
        assert (state["connections"], state["received"], state["accepted"]) == (1, 2, 1)
        assert (aws.calls(), state["messages"][0]["messageId"]) == (["sesv2:SendEmail"] * 2, sent)
        aws.configure(paused=True)
        with pytest.raises(ClientError):
            _send(client)
        aws.reset()
        assert aws.counters() == {"connections": 0, "received": 0, "accepted": 0, "counts": {}, "pendingFaults": 0}
        url = aws.url
    with pytest.raises(urllib.error.URLError):
        _post(f"{url}/_fake/reset", {})


def test_command_prints_its_url_first(tmp_path: Path) -> None:
    """`python -m fake_aws` prints the URL as its first line, reads a vector's endpoint from a file, and ends at SIGTERM with 0."""
    config = tmp_path / "endpoint.json"
    config.write_text(json.dumps({"identities": ["other.com"], "messageBytes": True}), "utf-8")
    support = str(Path(fake_aws.__file__).parent.parent)
    command = [sys.executable, "-m", "fake_aws", "--port", "0", "--latency", "0.001", "--no-message-bytes", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": support}) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with pytest.raises(ClientError, match="not verified"):
            _send(_client(url))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    command = [*command[:3], "--json", '{"nope": 1}']
    bad = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": support}, check=False)
    assert (bad.returncode, bad.stderr) == (2, "fake_aws: the endpoint knows no nope\n")


def test_control_calls() -> None:
    """Control calls answer JSON, refuse what they do not know, and are no part of the log."""
    with FakeAws() as aws:
        assert _post(f"{aws.url}/_fake/script", [{"do": "nothing"}])[0] == 400
        assert _post(f"{aws.url}/_fake/nothing", {})[0] == 404
        assert _post(f"{aws.url}/_fake/configure", {"latency": 0.0, "checkRaw": False})[0] == 200
        assert _post(f"{aws.url}/_fake/script", {"script": [{"do": "close"}]})[1]["pendingFaults"] == 1
        credentials = _client(aws.url, "sts")
        assert _post(f"{aws.url}/_fake/reset", {"sessions": True})[1]["pendingFaults"] == 0
        credentials.assume_role(RoleArn="arn:aws:iam::111122223333:role/mail", RoleSessionName="ab")
        for name, body in (("expire", {}), ("advance", {"seconds": 5}), ("release", {})):
            assert _post(f"{aws.url}/_fake/{name}", body)[0] == 200
        assert (aws.calls(), aws.connections) == (["sts:AssumeRole"], 1)
        assert aws.sessions[0].as_json()["expiresAt"] < aws.requests[0].at
