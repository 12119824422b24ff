"""What a throttle of AWS slows: the operation in its region, or the bucket, table or queue that is
throttled, and nothing else.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from moto_rig import EVERYTHING, Rig, offer
from raw_server import read_request, serving

THROTTLED = (
    b"HTTP/1.1 429 Slow Down\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
FINE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: "
    b"2\r\nConnection: close\r\n\r\n{}"
)
KEY = {"id": {"S": "1"}}
CALLS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "bucket": ("s3/getObject", {"Bucket": "slow", "Key": "k"}, {"Bucket": "other", "Key": "k"}),
    "table": (
        "dynamodb/getItem",
        {"TableName": "slow", "Key": KEY},
        {"TableName": "other", "Key": KEY},
    ),
    "queue": (
        "sqs/getQueueAttributes",
        {"QueueUrl": "http://q/1/slow"},
        {"QueueUrl": "http://q/1/other"},
    ),
    "region": ("ssm/describeParameters", {"awsRegion": "us-east-1"}, {"awsRegion": "eu-west-1"}),
}
"""An action, inputs that are throttled, and inputs that are not."""


def _talk(connection: socket.socket) -> None:
    request = read_request(connection)
    connection.sendall(THROTTLED if b"slow" in request or b"us-east-1/ssm" in request else FINE)


@pytest.mark.parametrize("what", CALLS)
def test_w2_a_throttle_slows_what_aws_throttles(tmp_path: Path, what: str) -> None:
    """After a throttle of one of them, calls to it wait, and calls to others are sent at once."""
    action, slow, other = CALLS[what]
    environment = offer(tmp_path, {"default": EVERYTHING})
    with (
        serving(_talk) as port,
        Jackfield(database_url="none", environment=environment) as jackfield,
    ):
        rig = Rig(jackfield, f"http://127.0.0.1:{port}")
        results = [rig.result(action, timeout=10, **inputs) for inputs in (slow, other, slow)]
    seen = [(result.error and result.error.code, result.meta.attempts) for result in results]
    assert seen == [("rate_limited", 1), (None, 1), ("rate_limited", 0)]
