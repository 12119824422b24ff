"""Every write that AWS's log has carries the marker of its attempt, over our own wire and over
botocore's client.
"""

from __future__ import annotations

import base64
import json
import random
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from aws_parity import sample
from jackfield.testing import Provider, Request
from jackfield_aws.virtual import models
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import described
from jackfield_aws.virtual.trail import evidence_of
from processes import Processes, variables

_MARKED = re.compile(r"md/jackfield#[a-z2-7]{26}$")
_SIGNED = re.compile(r"SignedHeaders=([a-z0-9;-]+)")


def _writes(number: int, draw: random.Random) -> list[tuple[str, str]]:
    """Return so many operations that CloudTrail's Event history has, of as many services."""
    found: list[tuple[str, str]] = []
    for service in draw.sample(models.services(), len(models.services())):
        names = models.operations(service)
        for name in draw.sample(names, min(5, len(names))):
            about = described(service, name)
            if evidence_of(service, name, about.effect, by_key=about.by_key):
                found.append((service, name))
                break
        if len(found) == number:
            break
    return found


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.mark.parametrize("number", [12, pytest.param(150, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("direct", ["1", "0"], ids=["own-wire", "botocore"])
def test_random_writes_carry_a_marker_that_is_not_signed(
    tmp_path: Path, direct: str, number: int
) -> None:
    """Operations of as many services, with the inputs that they require. What the schema or the
    endpoint's rules refuse sends nothing.
    """
    draw, sent = random.Random(number), dict[str, list[Request]]()
    writes = _writes(number, draw)
    with (
        variables(
            tmp_path, f"sqlite:///{tmp_path}/j.db", JACKFIELD_AWS_DIRECT=direct
        ) as environment,
        Processes(environment) as stage,
        Provider(lambda _number, _request: "close") as provider,
    ):
        values = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "s3cret-of-acme",
            "endpoint": provider.url,
            "region": "eu-west-1",
        }
        stage.runtime.connections.add("acme", "aws/apiKeySecret", values, test=False)
        for service, name in writes:
            before, shape = (
                len(provider.requests),
                models.service_model(service).operation_model(name).input_shape,
            )
            inputs = json.loads(json.dumps(_json(sample(shape, whole=False)) if shape else {}))
            asked = {
                "connector": f"aws.{service}",
                "action": action_key(name),
                "connection": "acme",
                "inputs": inputs,
                "timeoutSeconds": 5,
            }
            stage.runtime.invoke(asked)
            sent[f"{service}.{name}"] = provider.requests[before:]
    reached = {name: requests for name, requests in sent.items() if requests}
    sys.stdout.write(f"{len(reached)} of {len(sent)} operations were sent\n")
    assert len(reached) > len(sent) / 2
    for name, requests in reached.items():
        for request in requests:
            assert _MARKED.search(request.headers["User-Agent"]), name
            # some operations are for people without an account
            signed = _SIGNED.search(request.headers.get("Authorization", ""))
            assert signed is None or "user-agent" not in signed[1].split(";"), name
