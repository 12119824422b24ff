"""What a customer is handed: a role as a CloudFormation template and as a Terraform module, with
the least that it needs.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.core import patch_client

from jackfield.connector import InvalidConnection, InvalidInput
from jackfield_aws import AwsAssumeRole
from jackfield_aws.role_documents import WantedRole, cloudformation_template, terraform_module
from moto_quiet import quiet

quiet()

ROLE_ARN = "arn:aws:iam::123456789012:role/customers/acme-ses"
PRINCIPAL = "arn:aws:iam::111122223333:user/jackfield"
ACTIONS = ["ses:SendRawEmail", "ses:SendEmail", "ses:SendEmail"]


def documents(principal: str | None = PRINCIPAL, **values: Any) -> dict[str, Any]:
    """The documents of a connection."""
    given = {"roleARN": ROLE_ARN, "externalId": "jf-4711", **values}
    return dict(AwsAssumeRole.model_validate(given).policies(ACTIONS, principal))


def test_all_documents_say_the_same() -> None:
    """Template and module have the very policies that are printed alone."""
    found = documents()
    properties = found["cloudFormation"]["Resources"]["Role"]["Properties"]
    assert properties["AssumeRolePolicyDocument"] == found["trustPolicy"]
    assert properties["Policies"][0]["PolicyDocument"] == found["identityPolicy"]
    assert [json.loads(text) for text in encoded(found["terraform"])] == [
        found["trustPolicy"],
        found["identityPolicy"],
    ]
    assert found["trustPolicy"]["Statement"][0]["Condition"] == {
        "StringEquals": {"sts:ExternalId": "jf-4711"}
    }
    assert found["identityPolicy"]["Statement"][0]["Action"] == [
        "ses:SendEmail",
        "ses:SendRawEmail",
    ]
    assert found["assumePolicy"]["Statement"][0]["Resource"] == ROLE_ARN


def encoded(module: str) -> list[str]:
    """What the module gives to ``jsonencode``, with its variable filled in."""
    filled = module.replace("${var.trusted_principal_arn}", PRINCIPAL)
    return [
        text.replace("\n  ", "\n")
        for text in re.findall(r"jsonencode\((.*?)\)\n}", filled, re.DOTALL)
    ]


def test_the_role_is_the_connections() -> None:
    """Name and path are those of the Role ARN, and its sessions may last as long as the connection
    wants.
    """
    properties = documents(durationSeconds=7200)["cloudFormation"]["Resources"]["Role"][
        "Properties"
    ]
    assert (properties["RoleName"], properties["Path"], properties["MaxSessionDuration"]) == (
        "acme-ses",
        "/customers/",
        7200,
    )
    short = documents(durationSeconds=900, roleARN="arn:aws:iam::123456789012:role/acme")[
        "terraform"
    ]
    assert re.search(
        r'name += "acme"\n  description += "[^"]+"\n  path += "/"\n  max_session_duration = 3600\n',
        short,
    )


def test_without_a_principal() -> None:
    """Who assumes the role is asked of whoever sets it up, where it is not known."""
    found = documents(None)
    assert found["trustPolicy"]["Statement"][0]["Principal"]["AWS"].startswith("<ARN of")
    assert list(found["cloudFormation"]["Parameters"]) == ["TrustedPrincipal"]
    trusted = found["cloudFormation"]["Resources"]["Role"]["Properties"][
        "AssumeRolePolicyDocument"
    ]["Statement"][0]["Principal"]
    assert trusted == {"AWS": {"Ref": "TrustedPrincipal"}}
    assert 'variable "trusted_principal_arn"' in found["terraform"]
    assert '"AWS": "${var.trusted_principal_arn}"' in found["terraform"]
    assert "Parameters" not in documents()["cloudFormation"]
    assert "variable" not in documents()["terraform"]


def test_without_an_external_id() -> None:
    """Without an External ID nothing is asked for."""
    assert "Condition" not in documents(externalId=None)["trustPolicy"]["Statement"][0]


@pytest.mark.parametrize(
    "principal",
    [
        "111122223333",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:role/a/b",
        "arn:aws:sts::111122223333:assumed-role/task/session",
    ],
)
def test_principals(principal: str) -> None:
    """An account, a user, a role and a session can be trusted."""
    assert documents(principal)["trustPolicy"]["Statement"][0]["Principal"] == {"AWS": principal}


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        "",
        "arn:aws:iam::111122223333:group/x",
        "ada",
        "arn:aws:iam::1:root",
        f"{PRINCIPAL}\n",
        '"}',
    ],
)
def test_what_is_no_principal(principal: str) -> None:
    """Nobody else can be trusted, least of all everybody."""
    with pytest.raises(InvalidInput) as caught:
        documents(principal)
    assert caught.value.details[0].path == "/principal"


@pytest.mark.parametrize(
    "principal",
    ["arn:aws-us-gov:iam::111122223333:root", "arn:aws-cn:sts::111122223333:assumed-role/a/b"],
)
def test_principal_of_another_partition(principal: str) -> None:
    """IAM refuses a trust policy that names somebody of another partition, so none is printed."""
    with pytest.raises(InvalidInput) as caught:
        documents(principal)
    assert "another partition" in caught.value.details[0].message


def test_what_is_no_role() -> None:
    """A Role ARN that is none makes no documents."""
    with pytest.raises(InvalidConnection):
        WantedRole.of("arn:aws:iam::123456789012:user/ada", ["ses:SendEmail"], None, None, None)


# of the templates with such a role, the one with alarms on SES's sending is linted at each commit
@pytest.mark.campaign
@pytest.mark.parametrize("principal", [PRINCIPAL, None])
def test_cfn_lint_finds_no_fault(principal: str | None) -> None:
    """CloudFormation's own schemas have nothing against the template."""
    cfnlint: Any = importlib.import_module("cfnlint.api")  # it has no types
    assert (
        cfnlint.lint(
            json.dumps(documents(principal)["cloudFormation"]),
            cfnlint.ManualArgs(regions=["eu-west-1"]),
        )
        == []
    )


@pytest.mark.parametrize("principal", [PRINCIPAL, None])
def test_cloudformation_accepts_it(principal: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation makes the role from the template."""
    template = json.dumps(documents(principal)["cloudFormation"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        parameters = (
            [{"ParameterKey": "TrustedPrincipal", "ParameterValue": PRINCIPAL}]
            if principal is None
            else []
        )
        stacks, iam = boto3.client("cloudformation", region_name="eu-west-1"), boto3.client("iam")
        patch_client(stacks)
        patch_client(iam)
        made = stacks.create_stack(
            StackName="acme",
            TemplateBody=template,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=parameters,
        )
        role = iam.get_role(RoleName="acme-ses")["Role"]
        policy = iam.get_role_policy(RoleName="acme-ses", PolicyName="access")["PolicyDocument"]
        (output,) = stacks.describe_stacks(StackName=made["StackId"])["Stacks"][0]["Outputs"]
    assert role["AssumeRolePolicyDocument"] == documents()["trustPolicy"]
    # moto keeps the documents of a stack's inline policies as Python writes them
    assert (ast.literal_eval(policy) if isinstance(policy, str) else policy) == documents()[
        "identityPolicy"
    ]
    assert output["OutputKey"] == "RoleArn"
    assert role["Path"] == "/customers/"


@given(st.text(max_size=20), st.text(max_size=20))
def test_hcl_reads_what_was_meant(name: str, external_id: str) -> None:
    """Whatever the texts, no template sequence of HCL begins in them, and JSON reads them as they
    were.
    """
    role = WantedRole(name, "/", ("ses:SendEmail",), None, external_id or None, 3600)
    module = terraform_module(role)
    assert not re.search(r"(?<!\$)(?:\$\$)*\$\{(?!var\.trusted_principal_arn})", module)
    assert not re.search(r"(?<!%)(?:%%)*%\{", module)
    trust = (
        encoded(module)[0].replace("$${", "${").replace("%%{", "%{")
        if "${" not in external_id + name
        else None
    )
    if trust is not None and "\n" not in json.loads(trust)["Statement"][0].get("Condition", {}).get(
        "StringEquals", {}
    ).get("sts:ExternalId", ""):
        expected = cloudformation_template(role)["Resources"]["Role"]["Properties"][
            "AssumeRolePolicyDocument"
        ]
        expected["Statement"][0]["Principal"]["AWS"] = PRINCIPAL
        assert json.loads(trust) == expected


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ("arn:aws:iam::111122223333:user/shop", "arn:aws:iam::111122223333:user/shop may assume"),
        ("arn:aws:iam::111122223333:root", "any user or role of account 111122223333 may assume"),
        ("111122223333", "any user or role of account 111122223333 may assume"),
        (None, "Whoever the trust policy names may assume"),
    ],
)
def test_an_auditor_reads_who_gets_in_and_how_to_end_it(principal: str | None, who: str) -> None:
    """Role and stack say who assumes the role, with what, and that deleting the stack ends it; a
    whole account is called one.
    """
    role = WantedRole.of(
        "arn:aws:iam::123456789012:role/acme", ["ses:SendEmail"], principal, "jf-1", None
    )
    template = cloudformation_template(role)
    properties = template["Resources"]["Role"]["Properties"]
    assert who in properties["Description"]
    assert "with the External ID" in properties["Description"]
    assert (
        template["Description"]
        == f"{properties['Description']} Delete this stack to end the access."
    )
    assert properties["Tags"] == [{"Key": "purpose", "Value": "third-party-access"}]
    assert who in terraform_module(role)
