"""The unmodified ``dapr`` package, in a process of its own that knows the sidecar's ports only, as
an application would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_dapr.sidecars import SidecarClient, component, sidecar

from fake_aws import FakeAws

APPLICATION = """
import asyncio, json, sys
import grpc
from dapr.clients import DaprClient
from dapr.aio.clients import DaprClient as AsyncDaprClient

calls = json.load(sys.stdin)

def told(call):
    return dict(binding_name=call["name"], operation=call["operation"], data=call["data"], binding_metadata=call["metadata"])

def answer(response):
    return {"data": response.data.decode(), "metadata": dict(response.binding_metadata)}

def fault(error):
    return {"code": error.code().name, "details": error.details()}

def sync():
    with DaprClient() as client:
        for call in calls:
            try:
                yield answer(client.invoke_binding(**told(call)))
            except grpc.RpcError as error:
                yield fault(error)

async def aio():
    async with AsyncDaprClient() as client:
        for call in calls:
            try:
                yield answer(await client.invoke_binding(**told(call)))
            except grpc.RpcError as error:
                yield fault(error)

async def collected():
    return [row async for row in aio()]

def components():
    with DaprClient() as client:
        return [item.name for item in client.get_metadata().registered_components]

json.dump({"sync": list(sync()), "aio": asyncio.run(collected()), "components": components()}, sys.stdout)
"""


def call(
    data: str, operation: str = "create", name: str = "outbox", **metadata: str
) -> dict[str, Any]:
    """One ``invoke_binding``."""
    return {"name": name, "operation": operation, "data": data, "metadata": metadata}


CALLS = [
    call('"<p>quoted</p>"', emailTo="a@rcpt.test;b@rcpt.test"),
    call("<p>bare</p>"),
    call("`backticks`"),
    call('"😀"'),
    call('"x"', operation="get"),
    call('"x"', name="nope"),
    call('"x"', subject=""),
]


def used(running: SidecarClient, calls: list[dict[str, Any]], **environment: str) -> dict[str, Any]:
    """What the application prints."""
    ports = {
        "DAPR_HTTP_PORT": str(running.http_port),
        "DAPR_GRPC_PORT": str(running.grpc_port),
        "DAPR_HEALTH_TIMEOUT": "20",
    }
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        env={**os.environ, **ports, **environment},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def dapr(folder: Path, aws: FakeAws) -> Iterator[SidecarClient]:
    """A sidecar that asks for a token."""
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder, token="t0ken") as running:
        yield running


def test_an_application_works_unchanged(dapr: SidecarClient, aws: FakeAws) -> None:
    """Both clients wait for the sidecar, sign in with the token, send, get the message id, and see
    errors in Dapr's words.
    """
    found = used(dapr, CALLS, DAPR_API_TOKEN="t0ken")
    assert found["components"] == ["outbox"]
    bodies = ["<p>quoted</p>", "<p>bare</p>", "backticks", "😀"]
    assert [message.content.html for message in aws.messages] == bodies * 2
    assert aws.messages[0].to == aws.messages[4].to == ("a@rcpt.test", "b@rcpt.test")
    sent = [{"data": "", "metadata": {"messageId": message.message_id}} for message in aws.messages]
    faults = [
        "outbox: binding outbox does not support operation get. supported operations:create",
        "nope: couldn't find output binding nope",
        (
            "outbox: SES binding error: subject property not supplied in configuration- or "
            "request-metadata"
        ),
    ]
    refused = [
        {"code": "INTERNAL", "details": f"error invoking output binding {text}"} for text in faults
    ]
    assert found["sync"] == sent[:4] + refused
    assert found["aio"] == sent[4:] + refused
