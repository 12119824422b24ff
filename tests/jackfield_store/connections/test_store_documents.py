"""Connections from documents, into documents, and the policies that they need; on both
databases.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.jackfield_store.connections.managed import ROLE

from jackfield import Jackfield
from jackfield.kernel.errors import (
    InvalidConnection,
    InvalidInvocation,
    UnknownAction,
    UnknownConnection,
)

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]
pytestmark = pytest.mark.above_sql

# Documents


DOCUMENT = """
connections:
  one: {type: echo/token, values: {token: t1, greeting: Hi}}
  two: {type: echo/token, values: {token: bad}}
  three: {type: echo/none}
  four five: {type: echo/token}
  filed: {type: echo/token, values: {token: t}}
"""


def test_import(managed_jackfield: Jackfield, tmp_path: Path) -> None:
    """Of a document everything is kept that can be, with a row for each."""
    rows = managed_jackfield.connections.import_document(DOCUMENT)
    assert [(row["name"], row["result"]) for row in rows] == [
        ("one", "added"),
        ("two", "refused"),
        ("three", "refused"),
        (None, "refused"),
        ("filed", "refused"),
    ]
    assert rows[0]["status"] == "ok"
    assert [row["error"]["code"] for row in rows[1:]] == ["invalid_connection"] * 4
    path = tmp_path / "more.yaml"
    path.write_text(
        "connections: {one: {type: echo/token, values: {token: new}}}", encoding="utf-8"
    )
    assert (
        managed_jackfield.connections.import_document(path)[0]["error"]["details"][0]["path"]
        == "/name"
    )
    assert (
        managed_jackfield.connections.import_document(path, replace=True)[0]["result"] == "replaced"
    )
    assert managed_jackfield.connections.find("one").values["token"] == "new"


def test_files_that_are_referred_to(managed_jackfield: Jackfield, tmp_path: Path) -> None:
    """A relative file reference starts at the document's folder, also after the process has moved
    elsewhere.
    """
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "token").write_text("from a file\n", encoding="utf-8")
    document = tmp_path / "folder" / "c.json"
    document.write_text(
        '{"connections": {"one": {"type": "echo/token", "values": {"token": {"$file": "token"}}}}}',
        encoding="utf-8",
    )
    assert managed_jackfield.connections.import_document(document)[0]["status"] == "ok"
    assert managed_jackfield.connections.find("one").values["token"] == {
        "$file": str(tmp_path / "folder" / "token")
    }


@pytest.mark.parametrize(
    "document", ["connections: [\n", "{", "{}", "[]", "no-such-file.yaml", "a: 1\nb: 2\n"]
)
def test_what_cannot_be_imported(managed_jackfield: Jackfield, document: str) -> None:
    """A document that is broken or of no format that is known is refused as a whole."""
    with pytest.raises(InvalidConnection):
        managed_jackfield.connections.import_document(document)


def test_exported_secrets_have_variables_of_their_own(managed_jackfield: Jackfield) -> None:
    """Connections whose names differ by case or punctuation only do not share a variable, no
    variable begins with a digit, and one that is referred to already is left to that.
    """
    names = ["a.b", "a-b", "A_B", ".9", "9_", "9lives", "ref"]
    for name in names[:-1]:
        managed_jackfield.connections.add(
            name, "echo/token", {"token": f"s3cret {name}"}, test=False
        )
    managed_jackfield.connections.add(
        "ref", "echo/token", {"token": {"$env": "A_B_TOKEN"}}, test=False
    )
    exported = managed_jackfield.connections.export(names)["connections"]
    variables = {name: exported[name]["values"]["token"]["$env"] for name in names}
    assert variables == {
        "ref": "A_B_TOKEN",
        "A_B": "A_B_TOKEN_2",
        "a-b": "A_B_TOKEN_3",
        "a.b": "A_B_TOKEN_4",
        ".9": "CONNECTION_9_TOKEN",
        "9_": "CONNECTION_9_TOKEN_2",
        "9lives": "CONNECTION_9LIVES_TOKEN",
    }
    assert managed_jackfield.connections.export(names[::-1])["connections"] == exported


def test_export(managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]) -> None:
    """What is exported can be imported; secrets are references to the environment, or themselves
    where asked for.
    """
    managed_jackfield.connections.add("hall-1", "echo/token", {"token": "s3cret", "greeting": "Hi"})
    entry = {"type": "echo/token", "values": {"token": {"$env": "HALL_1_TOKEN"}, "greeting": "Hi"}}
    assert managed_jackfield.connections.export(["hall-1"]) == {"connections": {"hall-1": entry}}
    assert "s3cret" not in json.dumps(managed_jackfield.connections.export())
    assert set(managed_jackfield.connections.export()["connections"]) == {"filed", "hall-1"}
    whole = managed_jackfield.connections.export(["hall-1"], secrets=True)
    other = open_runtime("other")
    assert other.connections.import_document(json.dumps(whole))[0]["status"] == "ok"
    assert other.connections.export(["hall-1"], secrets=True) == whole
    assert managed_jackfield.connections.find("hall-1").values["token"] == "s3cret"
    with pytest.raises(UnknownConnection):
        managed_jackfield.connections.export(["none"])


# Policies


def test_policies(managed_jackfield: Jackfield) -> None:
    """Policies are made from what the chosen actions declare; all actions where none is chosen."""
    managed_jackfield.connections.add(
        "role", "aws/awsAssumeRole", {**ROLE, "externalId": "jf-1"}, test=False
    )
    found = managed_jackfield.connections.policy(
        "role", ["listIdentities"], "arn:aws:iam::111122223333:user/jackfield"
    )
    assert found["actions"] == ["aws-ses/listIdentities"]
    assert (
        found["permissions"]
        == found["identityPolicy"]["Statement"][0]["Action"]
        == ["ses:ListIdentities"]
    )
    assert set(found) >= {"trustPolicy", "assumePolicy", "cloudFormation", "terraform"}
    everything = managed_jackfield.connections.policy("role")["permissions"]
    assert {
        "ses:CreateEmailIdentity",
        "ses:ListIdentities",
        "ses:SendEmail",
        "ses:SendRawEmail",
    } <= set(everything)
    with pytest.raises(UnknownAction, match="did you mean 'sendEmail'"):
        managed_jackfield.connections.policy("role", ["sendMail"])
    with pytest.raises(InvalidInvocation):
        managed_jackfield.connections.policy("role", [])


def test_types_without_policies(managed_jackfield: Jackfield) -> None:
    """A connection whose type makes no policies says so."""
    with pytest.raises(InvalidConnection, match="need no policies"):
        managed_jackfield.connections.policy("filed")
