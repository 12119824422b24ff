"""A language model's view: tasks planned and run over MCP from what the tools say alone, by a
script in the model's place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from mcp_talk import local, talked
from moto_rig import offer
from moto_server import moto_server

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_SERVICES = (
    "s3 dynamodb sqs sns lambda secretsmanager ec2 iam stepfunctions cloudwatch logs ssm "
    "route53 kms ecs rds"
)
_OFFER = {"services": [*_SERVICES.split(), "secretsmanager.getSecretValue"], "mcp": True}
_REGION = {"awsRegion": "eu-west-1"}
TASKS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (
        "create an s3 bucket",
        {
            "Bucket": "reports-4711",
            "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
        },
    ),
    ("list s3 buckets", {}),
    ("upload a file to s3", {"Bucket": "reports-4711", "Key": "a.txt", "Body": "hello"}),
    ("download a file from s3", {"Bucket": "reports-4711", "Key": "a.txt"}),
    ("create an sqs queue", {"QueueName": "orders"}),
    ("create an sns topic", {"Name": "orders"}),
    ("store a secret", {"Name": "s1", "SecretString": "hush-4711"}),
    ("list lambda functions", {}),
    ("list my ec2 instances", {}),
    (
        "send a custom metric",
        {"Namespace": "shop", "MetricData": [{"MetricName": "orders", "Value": 1}]},
    ),
    (
        "save a setting in parameter store",
        {"Name": "/shop/color", "Value": "blue", "Type": "String"},
    ),
    ("create a github issue", {"owner": "acme", "repo": "shop", "title": "A bug"}),
    ("list pull requests", {"owner": "acme", "repo": "shop"}),
    ("comment on an issue", {"owner": "acme", "repo": "shop", "issueNumber": 1, "body": "Seen."}),
    ("send a message to a slack channel", {"channel": "C1", "text": "hello"}),
    ("list slack channels", {}),
    ("create a customer", {"email": "ada@example.com"}),
    ("charge a card", {"amount": 1000, "currency": "eur"}),
    ("refund a payment", {"payment_intent": "pi_1"}),
    (
        "send an email",
        {
            "sender": "a@example.com",
            "to": ["ada@example.com"],
            "subject": "Hello",
            "text": "Hello Ada",
        },
    ),
)
"""Task in a person's words, and the facts that the person knows: values by the names that the
provider gives them.
"""
_MOST_WRONG = 2


@pytest.fixture(name="url", scope="module")
def _url() -> Iterator[str]:
    with moto_server() as url:
        yield url


def connections(url: str) -> str:
    """One connection for each provider, as a person would have made them."""
    aws = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s-4711", "endpoint": url}
    rows = {
        "aws": {"type": "aws/apiKeySecret", "values": aws},
        "code": {"type": "github/accessToken", "values": {"token": "ghp_4711"}},
        "team": {"type": "slack/botToken", "values": {"token": "xoxb-4711"}},
        "shop": {"type": "stripe/secretKey", "values": {"token": "sk_test_4711"}},
    }
    return json.dumps({"connections": rows})


def placed(schema: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts where the schema of the inputs has their names: at the top, or in an object."""
    members = schema.get("properties", {})
    inputs: dict[str, Any] = {}
    for name, value in {**_REGION, **facts}.items():
        near = next(
            (
                own
                for own in members
                if own.casefold().replace("_", "") == name.casefold().replace("_", "")
            ),
            None,
        )
        inside = next(
            (own for own, member in members.items() if name in member.get("properties", {})), None
        )
        if near is not None and not (
            inside is not None and members[near].get("type") == "object" and isinstance(value, str)
        ):
            inputs[near] = value
        elif inside is not None:
            inputs.setdefault(inside, {})[name] = value
    return inputs


async def done(client: Client, task: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Search for the task, take the first result, read its guide, call it over the first connection
    that is named.
    """
    found = (
        await client.call_tool("search_actions", {"query": task, "limit": 3})
    ).structured_content
    assert found is not None
    row = found["items"][0]
    which = {"connector": row["connector"], "action": row["action"]}
    guide = (await client.call_tool("get_action_guide", which)).structured_content
    assert guide is not None
    inputs = placed(guide["thirdParty"]["inputs"], facts)
    is_ours = row["connector"].startswith("aws.")
    call = {
        **which,
        "inputs": inputs,
        "connection": row["connections"][0],
        **({} if is_ours else {"dryRun": True}),
    }
    result = (await client.call_tool("execute_action", call)).structured_content
    assert result is not None
    return {
        "task": task,
        **which,
        "status": result["status"],
        "error": result.get("error", {}).get("message"),
    }


def test_twenty_tasks_are_planned_from_the_tools_texts_alone(tmp_path: Path, url: str) -> None:
    """A script that knows no connector searches, reads the schema and calls: at most two of 20
    first calls are wrong. Calls of AWS reach a provider; those of services that have no simulator
    here are dry runs, which judge the same inputs.
    """
    offer(tmp_path / "home", {"default": _OFFER})
    (tmp_path / "connections.json").write_text(connections(url))
    server = local(tmp_path, JACKFIELD_CONNECTIONS=str(tmp_path / "connections.json"))

    async def all_of_them(client: Client) -> list[Mapping[str, Any]]:
        return [await done(client, task, facts) for task, facts in TASKS]

    rows = talked(server, all_of_them)
    wrong = [row for row in rows if row["status"] != "succeeded"]
    assert len(rows) == 20
    assert len(wrong) <= _MOST_WRONG, wrong
