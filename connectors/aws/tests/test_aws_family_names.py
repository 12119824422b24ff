"""A connection of a family serves the family under any of its names, wherever it was written
down.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from moto_rig import offer

KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "family-secret-4711"}
EXAMPLE = Path(__file__).parents[3] / "examples" / "connections.yaml"


@pytest.fixture(name="jackfield", scope="module")
def _jackfield(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jackfield]:
    home = tmp_path_factory.mktemp("home")
    file = home / "keys.yaml"
    file.write_text(
        f"connections: {{in-file: {{type: aws-ses/apiKeySecret, values: {KEYS}}}}}",
        encoding="utf-8",
    )
    in_code = {
        "in-code": {"type": "aws-ses/apiKeySecret", "values": KEYS},
        "sibling": {"type": "aws.sqs/apiKeySecret", "values": KEYS},
    }
    environment = offer(home, {"default": {"services": ["sns", "sqs"]}})
    with Jackfield(
        connections=[file, in_code, EXAMPLE], database_url="none", environment=environment
    ) as opened:
        yield opened


@pytest.mark.parametrize(
    "connection",
    ["in-file", "in-code", "sibling", {"type": "aws-ses/apiKeySecret", "values": KEYS}],
    ids=["file", "mapping", "sibling", "inline"],
)
@pytest.mark.parametrize(
    ("connector", "action"), [("aws.sns", "listTopics"), ("aws-ses", "getAccount")]
)
def test_it_serves_a_sibling(
    jackfield: Jackfield, connection: Any, connector: str, action: str
) -> None:
    """'aws-ses/apiKeySecret' in a file was refused by 'aws.sns': 'cannot serve'."""
    call = {
        "connector": connector,
        "action": action,
        "connection": connection,
        "inputs": {"awsRegion": "eu-west-1"},
        "dryRun": True,
    }
    assert jackfield.invoke(call).status == "succeeded"


def test_it_has_the_familys_name_in_lists(jackfield: Jackfield) -> None:
    """The shipped example, too, is listed under the name by which it would be stored."""
    listed = {row["name"]: row["type"] for row in jackfield.connections.list().items}
    assert listed["demo"] == "aws/awsAssumeRole"
    assert listed["in-file"] == listed["sibling"] == "aws/apiKeySecret"


@pytest.mark.parametrize("kind", ["aws-ses/nope", "nope/apiKeySecret", "http/apiKeySecret"])
def test_names_that_are_not_of_the_family_stay_refused(jackfield: Jackfield, kind: str) -> None:
    """A type or a connector that does not exist, or has no such type, is no name of the
    family's.
    """
    call = {
        "connector": "aws.sns",
        "action": "listTopics",
        "connection": {"type": kind, "values": KEYS},
        "dryRun": True,
    }
    error = jackfield.invoke({**call, "inputs": {"awsRegion": "eu-west-1"}}).error
    assert error is not None
    assert (error.code, error.details[0].path) == ("invalid_invocation", "/connection/type")
