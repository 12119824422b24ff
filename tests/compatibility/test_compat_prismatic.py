"""Prismatic's connections and inputs, in each of the forms in which an integration has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from foreign_files import connection, loaded, problem, write
from jackfield import Jackfield

KEYS = {"accessKeyId": "AKIPRISMATICKEY", "secretAccessKey": "prismatic-key-secret"}
COMPONENT = {"key": "aws-ses", "version": "LATEST", "isPublic": True}
ROLE = "arn:aws:iam::123456789012:role/orders-mail"


def test_both_connections_of_the_document_are_read(samples: Path) -> None:
    """An integration's role and key pair are connections under the variables' names; other variables are none."""
    found = {item.name: (item.type, dict(item.values)) for item in loaded(samples / "prismatic-integration.yaml").files()}
    assert found == {
        "Mail-by-role": (
            "aws/awsAssumeRole",
            {
                "roleARN": ROLE,
                "externalId": "orders-7",
                "accessKeyId": "AKIPRISMATICROLE",
                "secretAccessKey": "prismatic-role-secret",
            },
        ),
        "Mail-by-key": ("aws/apiKeySecret", KEYS),
    }


def test_what_an_integration_sends_is_sent(samples: Path, aws: FakeAws) -> None:
    """Its inputs are taken as they are: regions in any spelling, lists with commas, blank copies, attachments as keys and values."""
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        assert runtime.invoke(invocation).unwrap()
        listed = runtime.invoke(
            {
                "connector": "aws-ses",
                "action": "listIdentities",
                "connection": "Mail-by-key",
                "inputs": {"awsRegion": "eu-west-1", "identityType": "Domain", "nextToken": "", "fetchAll": "true", "pageSize": "50"},
            }
        )
    assert listed.status == "succeeded"
    (message,) = aws.messages
    assert (message.to, message.cc, message.reply_to) == (("ada@rcpt.test", "bob@rcpt.test"), (), ("help@sender.test",))
    assert (message.region, message.access_key_id, [item.name for item in message.content.attachments]) == (
        "eu-west-1",
        "AKIPRISMATICKEY",
        ["slip.txt"],
    )


def test_recipients_of_nothing_but_blanks_are_not_given(samples: Path, aws: FakeAws) -> None:
    """A form that leaves a blank behind names nobody: the mail goes to the others, and to nobody where there is no other."""
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    inputs = {**invocation["inputs"], "cc": " ", "bcc": "\t ", "replyTo": " \n"}
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        assert runtime.invoke({**invocation, "inputs": inputs}).unwrap()
        refused = runtime.invoke({**invocation, "inputs": {**inputs, "to": "  "}})
    (message,) = aws.messages
    assert (message.cc, message.bcc, message.reply_to) == ((), (), ())
    assert refused.error is not None
    assert refused.error.code == "invalid_input"


def test_a_role_is_assumed_with_its_external_id(samples: Path, aws: FakeAws) -> None:
    """The connection by role works as it is."""
    aws.configure(roles={ROLE: {"external_id": "orders-7"}})
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        assert runtime.invoke({**invocation, "connection": "Mail-by-role"}).unwrap()
    assert aws.calls() == ["sts:AssumeRole", "sesv2:SendEmail"]


TYPED = {name: {"type": "value", "value": value} for name, value in KEYS.items()}
LISTED = [{"name": name, "type": "VALUE", "value": value} for name, value in KEYS.items()]
CONNECTION = {"key": "apiKeySecret", "component": COMPONENT}


@pytest.mark.parametrize(
    "document",
    [
        {
            "definitionVersion": 7,
            "requiredConfigVars": [{"key": "Mail", "dataType": "connection", "connection": CONNECTION, "inputs": TYPED}],
        },
        {"configVariables": [{"key": "Mail", "connection": CONNECTION, "inputs": LISTED}]},
        {"configVariables": [{"key": "Mail", "connection": CONNECTION, "inputs": json.dumps(LISTED)}]},
        {"configVars": {"Mail": {"connection": CONNECTION, "inputs": KEYS}}},
        [{"key": "Mail", "connection": CONNECTION, "inputs": [{"key": name, "value": value} for name, value in KEYS.items()]}],
        {"key": "Mail", "connection": "apiKeySecret", "component": "aws-ses", "inputs": KEYS},
        {"key": "Mail", "connection": "apiKeySecret", "inputs": KEYS},
        {"key": "apiKeySecret", "configVarKey": "Mail", "fields": {**KEYS, "externalId": ""}, "token": None, "context": None},
        {"configVariables": [{"key": "Mail", "dataType": "connection", "connection": CONNECTION, "values": KEYS}]},
    ],
)
def test_a_connection_may_be_written_in_any_form(folder: Path, document: Any) -> None:
    """In an integration, an instance, alone, or as code gets it; inputs as objects, typed values, lists, or JSON text."""
    found = connection(write(folder, "prismatic.json", json.dumps(document)))
    assert (found.name, found.type, dict(found.values)) == ("Mail", "aws/apiKeySecret", KEYS)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"requiredConfigVars": []}, "there is no connection among the configuration variables"),
        ({"requiredConfigVars": 5}, "requiredConfigVars: must be a list"),
        (
            {"configVariables": [{"key": "M", "connection": {"component": COMPONENT}}]},
            "configVariables[0]: connection.key: must be the key of a connection",
        ),
        (
            {"configVariables": [{"key": "M", "connection": {"key": "apiKeySecret", "component": {"key": "slack"}}}]},
            "no installed connector knows the component 'slack'; known: aws-ses",
        ),
        (
            {"configVariables": [{"key": "M", "connection": {"key": "x", "component": 5}}]},
            "connection.component.key: must be the key of a component",
        ),
        ({"key": "M", "connection": "oauth2", "inputs": {}}, "connection.key: no installed connector knows 'oauth2'"),
        ({"key": "M", "connection": CONNECTION, "inputs": 5}, "inputs: must be an object, or a list"),
        ({"key": "M", "connection": CONNECTION, "inputs": "{"}, "inputs: it is a text, but not JSON"),
        ({"key": "M", "connection": CONNECTION, "inputs": [{"value": 1}]}, "inputs[0]: must be an object with 'name' and 'value'"),
        (
            {"key": "M", "connection": CONNECTION, "inputs": {"accessKeyId": {"type": "configVar", "value": "x"}}},
            "inputs.accessKeyId: is a reference of the type 'configvar'",
        ),
        (
            {"key": "M", "connection": CONNECTION, "inputs": {"apiKey": "x"}},
            "inputs.apiKey: is not an input of the connection 'apiKeySecret'",
        ),
        (
            {"key": "M", "connection": {"key": "other", "component": COMPONENT}, "inputs": {}},
            "there is no way to sign in; it needs key=awsAssumeRole or key=apiKeySecret",
        ),
    ],
)
def test_a_fault_names_its_place(folder: Path, document: Any, says: str) -> None:
    """What is wrong is told with the member, and without its value."""
    told = problem(write(folder, "prismatic.json", json.dumps(document)))
    assert told.startswith("prismatic.json: ")
    assert says in told
