"""An External ID of another workspace's does not come in by a file or behind a reference; on both
databases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.jackfield_store.connections.managed import ROLE, paths

from jackfield import Jackfield

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]
pytestmark = pytest.mark.above_sql

INPUTS = {
    "awsRegion": "eu-west-1",
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello Ada",
}
EXTERNAL_ID = "acme-4711-long-and-random"


@pytest.mark.parametrize(
    ("given", "stored"),
    [(EXTERNAL_ID, False), ({"$env": "TAKEN_ID"}, False), ({"$env": "TAKEN_ID"}, True)],
)
def test_an_external_id_of_another_workspace(
    open_runtime: Callable[..., Jackfield],
    monkeypatch: pytest.MonkeyPatch,
    given: Any,
    stored: bool,
) -> None:
    """A connection of a file, or one that refers to its External ID, is refused when it is opened
    where a stored connection of another workspace uses it; the owner goes on using it.
    """
    monkeypatch.setenv("TAKEN_ID", EXTERNAL_ID)
    owner = open_runtime("acme")
    owner.connections.add(
        "role", "aws-ses/awsAssumeRole", {**ROLE, "externalId": EXTERNAL_ID}, test=False
    )
    entry: dict[str, Any] = {
        "type": "aws-ses/awsAssumeRole",
        "values": {**ROLE, "externalId": given},
    }
    other = open_runtime("globex", connections=[] if stored else [{"connections": {"mine": entry}}])
    if stored:
        other.connections.add("mine", entry["type"], entry["values"], test=False)
    result = other.invoke(
        {"connector": "aws-ses", "action": "sendEmail", "connection": "mine", "inputs": INPUTS}
    )
    assert result.error is not None
    assert (result.error.code, paths(result.error)) == ("invalid_connection", ["/externalId"])
    assert EXTERNAL_ID not in str(result.error)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    own = owner.invoke(
        {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "role",
            "inputs": INPUTS,
            "timeoutSeconds": 1,
        }
    )
    assert own.error is not None
    assert own.error.code != "invalid_connection"
