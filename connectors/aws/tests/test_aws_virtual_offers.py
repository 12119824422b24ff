"""What the operator offers a workspace of AWS holds on every surface: HTTP, console, MCP and
command line.
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
from tests.jackfield_service.shell.pages.console_client import placed

from http_stand import Stand, clean, standing
from jackfield_store.access import Workspaces
from mcp_talk import Server, called, remote
from moto_rig import offer

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

OFFERS: dict[str, Any] = {
    "default": {"services": ["sts", "sqs.send*", "sqs.purge*"], "effects": ["read", "write"]},
    "robots": {"services": ["sqs"], "effects": ["read"], "mcp": True},
}
"""Reads and writes of two services to one workspace; to the other all reads of one, over MCP,
too.
"""
_INLINE = {
    "type": "apiKeySecret",
    "values": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s-4711"},
}
_QUEUE = {"awsRegion": "eu-west-1", "QueueUrl": "http://queue/q"}
CASES: tuple[tuple[str, str, dict[str, Any], str | None], ...] = (
    ("aws.sqs", "sendMessage", {**_QUEUE, "MessageBody": "x"}, None),
    ("aws.sts", "getCallerIdentity", {"awsRegion": "eu-west-1"}, None),
    ("aws.sqs", "purgeQueue", _QUEUE, "unknown_action"),
    ("aws.sqs", "receiveMessage", _QUEUE, "unknown_action"),
    ("aws.s3", "listBuckets", {"awsRegion": "eu-west-1"}, "unknown_connector"),
    ("aws.nope", "x", {}, "unknown_connector"),
)
"""Invocations of the default workspace: two of what it is offered, then the wrong effect, the wrong
action and the wrong service.
"""


def _say(connector: str, action: str, inputs: Any) -> dict[str, Any]:
    """Make an invocation that ends before anything is sent."""
    return {
        "connector": connector,
        "action": action,
        "connection": _INLINE,
        "inputs": inputs,
        "dryRun": True,
    }


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("offers")
    offer(folder / "home", OFFERS)
    with standing(folder) as found:
        Workspaces(found.host.storage.database, found.host.storage.vault, found.host.clock).create(
            "robots"
        )
        yield found


@pytest.mark.parametrize(("connector", "action", "inputs", "code"), CASES)
def test_http_runs_what_is_offered_and_knows_nothing_else(
    stand: Stand, connector: str, action: str, inputs: Any, code: str | None
) -> None:
    """An offered action runs; another effect, action or service does not exist, one by one, in a
    batch, and as a schema.
    """
    client = stand.client()
    answer = client.post("/v1/invocations", _say(connector, action, inputs))
    assert answer.json.get("error", {}).get("code") == code
    schema = client.get(f"/v1/connectors/{connector}/actions/{action}/schema")
    assert (schema.status, answer.status) == ((200, 200) if code is None else (404, 404))
    queued = {**_say(connector, action, inputs), "connection": "mine"}
    (entry,) = client.post("/v1/invocations:batch", [queued]).json
    assert (entry.get("error", {}).get("code") in ("unknown_action", "unknown_connector")) == (
        code is not None
    ), entry


def test_http_lists_what_is_offered(stand: Stand) -> None:
    """Manifests and searches have the offered part alone; another workspace has its own."""
    client, other = stand.client(), stand.client(workspace="robots")
    assert [item["key"] for item in client.get("/v1/connectors/aws.sqs").json["actions"]] == [
        "sendMessage",
        "sendMessageBatch",
    ]
    assert client.get("/v1/connectors/aws.s3").status == 404
    assert other.get("/v1/connectors/aws.sts").status == 404
    assert "sendMessage" not in {
        item["key"] for item in other.get("/v1/connectors/aws.sqs").json["actions"]
    }
    found = {
        (item["connector"], item["action"])
        for item in client.get("/v1/actions?q=queue&limit=100").json["items"]
    }
    assert not {key for key, _ in found if key.startswith("aws.") and key != "aws.sqs"}
    assert ("aws.sqs", "purgeQueue") not in found


def test_mcp_has_none_unless_the_offer_says_so(stand: Stand) -> None:
    """Without ``mcp`` nothing of AWS is found, described or run; with it, the offered effects are,
    and no others.
    """
    default, robots = _server(stand, "default"), _server(stand, "robots")
    assert not _search_actions(default, "send message queue")
    refused = called(
        default, "execute_action", **_say("aws.sqs", "sendMessage", {**_QUEUE, "MessageBody": "x"})
    ).structured_content
    assert refused["error"]["code"] == "unknown_connector"
    assert called(
        default, "get_action_guide", connector="aws.sts", action="getCallerIdentity"
    ).is_error
    assert ("aws.sqs", "listQueues") in _search_actions(robots, "list queues")
    listed = called(
        robots, "execute_action", **_say("aws.sqs", "listQueues", {"awsRegion": "eu-west-1"})
    ).structured_content
    assert listed["status"] == "succeeded"
    refused = called(
        robots, "execute_action", **_say("aws.sqs", "sendMessage", {**_QUEUE, "MessageBody": "x"})
    ).structured_content
    assert refused["error"]["code"] == "unknown_action"


def _server(stand: Stand, workspace: str) -> Server:
    return remote(stand.port, stand.client(workspace=workspace).token)


def _search_actions(server: Server, query: str) -> set[tuple[str, str]]:
    rows = called(server, "search_actions", query=query).structured_content["items"]
    return {
        (row["connector"], row["action"]) for row in rows if row["connector"].startswith("aws.")
    }


def test_the_console_shows_what_is_offered(tmp_path: Path) -> None:
    """A page for the offered action, and none for what is not offered."""
    offer(tmp_path / "home", OFFERS)
    with placed(tmp_path) as place:
        browser = place.signed_in()
        shown = browser.get("/connectors/aws.sqs")
        assert shown.status == 200
        assert "Send Message" in shown.words
        assert "Purge Queue" not in shown.words
        assert browser.get("/connectors/aws.sqs/actions/sendMessage").status == 200
        for address in (
            "/connectors/aws.s3",
            "/connectors/aws.s3/actions/listBuckets",
            "/connectors/aws.sqs/actions/purgeQueue",
        ):
            assert browser.get(address).status == 404, address


def test_the_command_line_knows_what_is_offered(tmp_path: Path) -> None:
    """Lists, schemas and calls have the offered part of the workspace that the environment
    names.
    """
    offer(tmp_path, OFFERS)

    def run(*words: str, workspace: str = "default", code: int = 0) -> Any:
        environment = clean(tmp_path, JACKFIELD_DATABASE_URL="none", JACKFIELD_WORKSPACE=workspace)
        command = [sys.executable, "-m", "jackfield", *words, "--json"]
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=os.fspath(tmp_path),
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    keys = {item["key"] for item in run("connectors", "list")}
    assert {key for key in keys if key.startswith("aws.")} == {"aws.sts", "aws.sqs"}
    assert run("schema", "aws.sqs", "sendMessage")["required"]
    assert run("schema", "aws.sqs", "purgeQueue", code=2)["error"]["code"] == "unknown_action"
    assert (
        run("schema", "aws.sqs", "sendMessage", workspace="robots", code=2)["error"]["code"]
        == "unknown_action"
    )
    (tmp_path / "call.json").write_text(
        json.dumps(_say("aws.s3", "listBuckets", {})), encoding="utf-8"
    )
    assert run("invoke", "--file", "call.json", code=2)["error"]["code"] == "unknown_connector"
