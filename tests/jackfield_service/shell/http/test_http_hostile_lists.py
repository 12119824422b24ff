"""A hostile address list holds nobody up (security finding 1, acceptance 5)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from growth import grows_faster_than_linear
from http_stand import standing

_SIZE = 200_000
VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "s3cr3t-4711",
    "region": "eu-west-1",
}
INPUTS = {"awsRegion": "eu-west-1", "sender": "s@example.com", "subject": "s", "text": "t"}
MAIL = {
    "connector": "aws-ses",
    "action": "sendEmail",
    "connection": {"type": "apiKeySecret", "values": VALUES},
    "dryRun": True,
}


@pytest.mark.parametrize("unit", ['\\"', '"'])
def test_s1_a_200_kb_quoted_list_is_refused_at_once(tmp_path: Path, unit: str) -> None:
    """What a refusal costs grows with the list and no faster, and others are answered meanwhile."""
    with standing(tmp_path) as stand, ThreadPoolExecutor(1) as pool:
        client = stand.client("invoke")

        def refuse(size: int) -> None:
            body = {**MAIL, "inputs": {**INPUTS, "to": '"' + unit * (size // len(unit))}}
            assert client.post("/v1/invocations", body).status == 422

        assert (
            client.post(
                "/v1/invocations", {**MAIL, "inputs": {**INPUTS, "to": "a@example.com"}}
            ).status
            == 200
        )
        assert not grows_faster_than_linear(refuse, _SIZE, time.process_time)
        running = pool.submit(refuse, _SIZE)
        probes = {client.get("/healthz").status}
        while not running.done():
            probes.add(client.get("/healthz").status)
        running.result()
    assert probes == {200}
