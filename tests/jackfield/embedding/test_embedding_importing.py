"""Calls while another thread of the host's program imports what jackfield looks for among the
loaded modules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider

_HTTP = {"type": "http/bearer", "values": {"token": "t"}}
_POST = {"connector": "http", "action": "request", "inputs": {"url": "/x", "method": "POST"}}
_AWS = {
    "type": "aws/apiKeySecret",
    "values": {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "s" * 40,
        "region": "eu-west-1",
    },
}
_LIST = {"connector": "aws.dynamodb", "action": "listTables", "inputs": {}}


@pytest.mark.parametrize(
    ("module", "part", "call", "connection", "address", "database"),
    [
        ("asyncio", "asyncio.base_events", _POST, _HTTP, "server", "none"),
        ("asyncio", "asyncio.tasks", _POST, _HTTP, "server", "none"),
        ("botocore.handlers", "botocore.utils", _LIST, _AWS, "endpoint", "none"),
        (
            "multiprocessing.util",
            "multiprocessing.process",
            _POST,
            _HTTP,
            "server",
            "sqlite:///{}/j.db",
        ),
    ],
)
def test_a_module_that_is_being_imported(
    module: str,
    part: str,
    call: dict[str, Any],
    connection: dict[str, Any],
    address: str,
    database: str,
    tmp_path: Path,
) -> None:
    """A module that lacks most of its names yet disturbs no call, and not the one that opens the
    database either.
    """
    with Provider(lambda _number, _request: Answer({})) as provider:
        held = {**connection, "values": {**connection["values"], address: provider.url}}
        words = [
            sys.executable,
            str(Path(__file__).with_name("importing.py")),
            module,
            part,
            json.dumps(call),
            json.dumps(held),
        ]
        environment = {**os.environ, "JACKFIELD_HOME": str(tmp_path)}
        done = subprocess.run(
            [*words, database.format(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert (done.stdout, done.stderr) == ('["succeeded", "succeeded"]', "")
