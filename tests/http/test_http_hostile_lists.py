"""A hostile address list holds nobody up (security finding 1, acceptance 5)."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from http_stand import Client, standing

_TRIES = 5
_WITHIN = 0.05
VALUES = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cr3t-4711", "region": "eu-west-1"}
INPUTS = {"awsRegion": "eu-west-1", "sender": "s@example.com", "subject": "s", "text": "t"}
MAIL = {"connector": "aws-ses", "action": "sendEmail", "connection": {"type": "apiKeySecret", "values": VALUES}, "dryRun": True}


def timed(client: Client, path: str, body: object = None) -> tuple[float, int]:
    """Return the CPU seconds that this process, server included, spends on one request, and its status: other load must not count."""
    start = time.process_time()
    status = (client.get(path) if body is None else client.post(path, body)).status
    return time.process_time() - start, status


@pytest.mark.parametrize("unit", ['\\"', '"'])
def test_s1_a_200_kb_quoted_list_is_refused_at_once(tmp_path: Path, unit: str) -> None:
    """The list is refused in under 50 ms, and `/healthz` answers in under 50 ms meanwhile."""
    body = {**MAIL, "inputs": {**INPUTS, "to": '"' + unit * (200_000 // len(unit))}}
    with standing(tmp_path) as stand:
        client = stand.client("invoke")
        client.post("/v1/invocations", {**MAIL, "inputs": {**INPUTS, "to": "a@example.com"}})
        refusals, probes = [], []
        for _ in range(_TRIES):
            thread = threading.Thread(target=lambda: refusals.append(timed(client, "/v1/invocations", body)))
            thread.start()
            while thread.is_alive():
                probes.append(timed(client, "/healthz"))
            thread.join()
    assert {status for _, status in refusals} == {422}
    assert {status for _, status in probes} == {200}
    assert min(taken for taken, _ in refusals) < _WITHIN
    assert sorted(taken for taken, _ in probes)[len(probes) // 2] < _WITHIN
