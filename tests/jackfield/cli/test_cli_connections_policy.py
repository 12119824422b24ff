"""``jackfield connections policy``: documents to hand over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]

CONNECTIONS = """
connections:
  acme:
    type: aws/awsAssumeRole
    values: {roleARN: "arn:aws:iam::123456789012:role/acme-ses", accessKeyId: AKIAX, secretAccessKey: s3cret, externalId: jf-1}
  key:
    type: aws/apiKeySecret
    values: {accessKeyId: AKIAX, secretAccessKey: s3cret}
  sending:
    type: aws/apiKeySecret
    values: {accessKeyId: AKIAX, secretAccessKey: s3cret, sender: "Acme <noreply@example.com>"}
  hall:
    type: echo/token
    values: {token: t}
"""
PRINCIPAL = "arn:aws:iam::111122223333:user/jackfield"


@pytest.fixture(autouse=True)
def _connections(shell: Shell, tmp_path: Path) -> None:
    """Connections in a file, the connectors of AWS besides the echo; no database."""
    for hidden in shell.plugs.glob("jackfield_aws*.dist-info"):
        hidden.rmdir()
    shell.set(JACKFIELD_DATABASE_URL="none", JACKFIELD_HOME=str(tmp_path / "home"))
    shell.write("connections.yaml", CONNECTIONS)


def test_all(shell: Shell) -> None:
    """Without a format all documents are printed, and no secret."""
    answer = shell.run("connections", "policy", "acme", "--principal", PRINCIPAL)
    assert answer.code == 0
    assert list(answer.json) == [
        "connection",
        "actions",
        "permissions",
        "identityPolicy",
        "trustPolicy",
        "assumePolicy",
        "cloudFormation",
        "terraform",
    ]
    assert {"aws-ses/getAccount", "aws-ses/listIdentities", "aws-ses/sendEmail"} <= set(
        answer.json["actions"]
    )
    assert "s3cret" not in answer.out


@pytest.mark.parametrize(
    ("form", "member"),
    [
        ("iam", "identityPolicy"),
        ("trust", "trustPolicy"),
        ("assume", "assumePolicy"),
        ("cloudformation", "cloudFormation"),
    ],
)
def test_one_document(shell: Shell, form: str, member: str) -> None:
    """A format prints that document alone, as JSON."""
    whole = shell.run("connections", "policy", "acme").json
    assert shell.run("connections", "policy", "acme", "--format", form).json == whole[member]


def test_terraform(shell: Shell) -> None:
    """Terraform's module is printed as it is; with ``--json`` as a JSON string."""
    answer = shell.run(
        "connections", "policy", "acme", "--format", "terraform", "--principal", PRINCIPAL
    )
    assert answer.out.startswith('resource "aws_iam_role" "access" {\n')
    assert (
        json.loads(
            shell.run(
                "connections",
                "policy",
                "acme",
                "--format",
                "terraform",
                "--principal",
                PRINCIPAL,
                "--json",
            ).out
        )
        == answer.out
    )


def test_chosen_actions(shell: Shell) -> None:
    """Only what the chosen actions need is allowed."""
    policy = shell.run(
        "connections", "policy", "key", "--actions", "listIdentities", "--format", "iam"
    ).json
    assert policy["Statement"][0]["Action"] == ["ses:ListIdentities"]
    policy = shell.run(
        "connections",
        "policy",
        "key",
        "--actions",
        " aws-ses/sendEmail ,listIdentities",
        "--format",
        "iam",
    ).json
    assert policy["Statement"][0]["Action"] == [
        "ses:ListIdentities",
        "ses:SendEmail",
        "ses:SendRawEmail",
    ]


def test_patterns_of_actions(shell: Shell) -> None:
    """Actions may be patterns as in rules; calls come beside them, and a pattern that fits nothing
    is refused.
    """
    policy = shell.run(
        "connections",
        "policy",
        "key",
        "--actions",
        "aws-ses/list*ities & effect:read",
        "--format",
        "iam",
    ).json
    assert policy["Statement"][0]["Action"] == ["ses:ListIdentities"]
    found = shell.run("connections", "policy", "key", "--actions", "aws-ses/* & effect:read").json
    assert {"ses:ListIdentities", "ses:GetAccount"} <= set(found["permissions"])
    assert "ses:SendEmail" not in found["permissions"]
    shell.write("calls.json", json.dumps([{"action": "aws-ses/sendEmail", "inputs": {}}]))
    found = shell.run(
        "connections", "policy", "key", "--actions", "listIdentities", "--calls", "calls.json"
    )
    assert found.json["permissions"] == ["ses:ListIdentities", "ses:SendEmail", "ses:SendRawEmail"]
    for pattern, said in (
        ("aws-ses/zip*", "supports no action"),
        ("effect:rite", "is not an effect"),
        ("aws-sez/*", "aws-sez"),
    ):
        refused = shell.run("connections", "policy", "key", "--actions", pattern)
        assert (refused.code, said in refused.out) == (2, True), refused.out


def test_templates_name_no_software(shell: Shell) -> None:
    """What the owner of an account is handed has a neutral name of the policy, and none of ours but
    in the principal that is given.
    """
    found = shell.run("connections", "policy", "acme", "--principal", "111122223333").json
    assert "jackfield" not in json.dumps([found["cloudFormation"], found["terraform"]])


def test_the_test_of_a_connection_is_allowed(shell: Shell) -> None:
    """The connection's test is allowed in a statement of its own, unless the chosen actions need
    the same.
    """
    policy = shell.run(
        "connections", "policy", "key", "--actions", "sendEmail", "--format", "iam"
    ).json
    assert policy["Statement"][1] == {
        "Sid": "ConnectionTest",
        "Effect": "Allow",
        "Action": ["ses:GetAccount"],
        "Resource": "*",
    }
    policy = shell.run(
        "connections", "policy", "key", "--actions", "getAccount", "--format", "iam"
    ).json
    assert [statement["Action"] for statement in policy["Statement"]] == [["ses:GetAccount"]]


@pytest.mark.parametrize(
    ("name", "words", "condition"),
    [
        (
            "key",
            ["--from", "noreply@example.com"],
            {"StringEquals": {"ses:FromAddress": "noreply@example.com"}},
        ),
        ("key", ["--from", "*@example.com"], {"StringLike": {"ses:FromAddress": "*@example.com"}}),
        ("sending", [], {"StringEquals": {"ses:FromAddress": "noreply@example.com"}}),
        ("sending", ["--from", "*"], None),
        ("key", [], None),
    ],
)
def test_the_sender_is_a_condition(
    shell: Shell, name: str, words: list[str], condition: object
) -> None:
    """Sending is allowed from the address given, else from the connection's sender; listing has no
    such condition.
    """
    chosen = ["--actions", "sendEmail,listIdentities", "--format", "iam"]
    first, *others = shell.run("connections", "policy", name, *words, *chosen).json["Statement"]
    assert first.get("Condition") == condition
    assert not any("Condition" in statement for statement in others)
    allowed = {action for statement in (first, *others) for action in statement["Action"]}
    assert allowed == {"ses:SendEmail", "ses:SendRawEmail", "ses:ListIdentities", "ses:GetAccount"}


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["key", "--from", "nobody"], "invalid_input", "the sender is not valid"),
        (["acme", "--actions", "sendMail"], "unknown_action", "did you mean 'sendEmail'"),
        (["acme", "--actions", ","], "invalid_invocation", "declare no permissions"),
        (["acme", "--principal", "*"], "invalid_input", "the principal is not valid"),
        (["key", "--format", "trust"], "invalid_invocation", "has no document 'trust'"),
        (["hall"], "invalid_connection", "need no policies"),
        (["none"], "unknown_connection", "no connection is named 'none'"),
        (["acme", "--format", "yaml"], "invalid_invocation", "invalid choice"),
    ],
)
def test_what_is_not_valid(shell: Shell, words: list[str], code: str, reason: str) -> None:
    """Each mistake is told in a sentence, with exit code 2."""
    answer = shell.run("connections", "policy", *words)
    assert (answer.code, answer.json["error"]["code"]) == (2, code)
    assert reason in answer.json["error"]["message"]
