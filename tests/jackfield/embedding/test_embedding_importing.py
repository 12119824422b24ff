"""Calls while another thread of the host's program imports what jackfield looks for among the loaded modules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider

_HTTP = {"type": "http/bearer", "values": {"token": "t"}}
_POST = {"connector": "http", "action": "request", "inputs": {"url": "/x", "method": "POST"}}
_AWS = {"type": "aws/apiKeySecret", "values": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s" * 40, "region": "eu-west-1"}}
_LIST = {"connector": "aws.dynamodb", "action": "listTables", "inputs": {}}


@pytest.mark.parametrize(
    ("module", "part", "call", "connection", "address"),
    [
        ("asyncio", "asyncio.base_events", _POST, _HTTP, "server"),
        ("asyncio", "asyncio.tasks", _POST, _HTTP, "server"),
        ("botocore.handlers", "botocore.utils", _LIST, _AWS, "endpoint"),
    ],
)
def test_a_module_that_is_being_imported(module: str, part: str, call: dict[str, Any], connection: dict[str, Any], address: str) -> None:
    """A module that lacks most of its names yet disturbs no call."""
    with Provider(lambda _number, _request: Answer({})) as provider:
        held = {**connection, "values": {**connection["values"], address: provider.url}}
        words = [sys.executable, str(Path(__file__).with_name("importing.py")), module, part, json.dumps(call), json.dumps(held)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.stderr) == ('["succeeded", "succeeded"]', "")
