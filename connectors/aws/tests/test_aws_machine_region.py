"""The machine's own region is used where a connection signs in as the machine and nobody names
another one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.testing import Answer, Provider
from jackfield_store.database import open_database

KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
CONFIG = """
[default]
region = us-west-2
[profile mine]
region = ap-south-1
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
"""


@pytest.fixture(name="home", autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with keys in its environment, and no region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["accessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secretAccessKey"])
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return tmp_path


def _result_and_regions(
    kind: str = "aws/awsDefault", values: dict[str, Any] | None = None, **inputs: Any
) -> tuple[dict[str, Any], list[str]]:
    """The Result of a call, and the regions for which its requests were signed."""
    with Provider(lambda _number, _request: Answer({"TableNames": []})) as provider:
        connection = {"type": kind, "values": {"endpoint": provider.url, **(values or {})}}
        with Jackfield(
            connections=[{"connections": {"m": connection}}], database_url="none"
        ) as jackfield:
            body = {
                "connector": "aws.dynamodb",
                "action": "listTables",
                "connection": "m",
                "inputs": inputs,
            }
            found = [jackfield.invoke(body).to_json() for _ in range(2)]
        signed = [
            str(dict(request.headers).get("Authorization", "")) for request in provider.requests
        ]
    assert found[0]["status"] == found[1]["status"]
    return found[0], [text.split("/")[2] for text in signed]


@pytest.mark.parametrize(
    ("environment", "config", "values", "inputs", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "", {}, {}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "", {}, {}, "eu-west-2"),
        (
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"},
            CONFIG,
            {},
            {},
            "eu-west-1",
        ),
        ({}, CONFIG, {}, {}, "us-west-2"),
        ({"AWS_REGION": "eu-west-1"}, CONFIG, {"profile": "mine"}, {}, "ap-south-1"),
        ({"AWS_REGION": "eu-west-1"}, "", {"region": "eu-north-1"}, {}, "eu-north-1"),
        ({"AWS_REGION": "eu-west-1"}, "", {}, {"awsRegion": "eu-south-1"}, "eu-south-1"),
    ],
)
def test_the_machines_region_is_used(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    config: str,
    values: Any,
    inputs: Any,
    region: str,
) -> None:
    """That of the environment, else of the profile; what the connection or the call names goes
    before it.
    """
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (home / "config").write_text(config)
    result, regions = _result_and_regions(values=values, **inputs)
    assert (result["status"], regions) == ("succeeded", [region] * 2), result


@pytest.mark.parametrize(("kind", "values"), [("aws/awsDefault", {}), ("aws/apiKeySecret", KEYS)])
def test_without_a_region_the_input_is_missing(
    monkeypatch: pytest.MonkeyPatch, kind: str, values: dict[str, str]
) -> None:
    """A machine without a region has none to give; and a connection with keys of its own gets
    nothing of the machine.
    """
    if kind == "aws/apiKeySecret":
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
    result, regions = _result_and_regions(kind, values)
    assert regions == []
    assert [(one["path"], one["keyword"]) for one in result["error"]["details"]] == [
        ("/awsRegion", "required")
    ]


def test_a_queued_call_takes_it_too(home: Path) -> None:
    """What a direct call may leave out, a queued one may."""
    environment = {"JACKFIELD_HOME": str(home), "AWS_REGION": "eu-west-1"}
    url = f"sqlite:///{home}/x.db"
    open_database(url, migrate=True).close()
    connections = {
        "connections": {
            "m": {"type": "aws/awsDefault", "values": {"endpoint": "http://127.0.0.1:1"}}
        }
    }
    with Jackfield(
        connections=[connections], database_url=url, environment=environment
    ) as jackfield:
        found = jackfield.enqueue(
            {"connector": "aws.dynamodb", "action": "listTables", "connection": "m", "inputs": {}}
        )
    assert isinstance(found, str)
