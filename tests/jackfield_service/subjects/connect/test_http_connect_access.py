"""The role or policy that a customer is asked for: for what the platform will call and nothing
else, and named after the platform.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from moto import mock_aws
from moto.core import patch_client
from tests.jackfield_service.subjects.connect.connect_browser import Person

from fake_aws import FakeAws, Role, User
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.connect.access import role_name, stack_name
from moto_quiet import quiet
from moto_rig import offer

quiet()

BASE = "/v1/workspaces/acme-1/connect-sessions"
ROLE = "aws-ses/awsAssumeRole"
USER = "arn:aws:iam::111122223333:user/shop"
OPEN = "arn:aws:iam::123456789012:role/open"
KEYS: dict[str, Any] = {
    "values": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret"},
    "locked": ["accessKeyId", "secretAccessKey"],
}
SENDING = ["ses:SendEmail", "ses:SendRawEmail"]
TESTING = {
    "Sid": "ConnectionTest",
    "Effect": "Allow",
    "Action": ["ses:GetAccount"],
    "Resource": "*",
}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder = tmp_path_factory.mktemp("access")
    offer(folder / "home", {"*": {"services": ["s3"]}})
    with standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


def opened(platform: Client, **body: Any) -> Person:
    """The form of a session, as its user sees it."""
    asked: dict[str, Any] = {
        "verify": "link",
        "types": [ROLE],
        "connection": "mail",
        "principal": USER,
        "defaults": KEYS,
        **body,
    }
    answer = platform.post(BASE, asked)
    assert answer.status == 201, answer.body
    return Person(platform.port).go(answer.json["url"]).begin()


def template_of(person: Person) -> dict[str, Any]:
    """The template that the page offers."""
    address = next(path for path in person.visited if "/session/" in path)
    shown = Person(person.port, dict(person.cookies)).go(f"{urlsplit(address).path}/template")
    found: dict[str, Any] = json.loads(shown.text)
    return found


def statements(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Statements of the role's policy."""
    found: list[dict[str, Any]] = template["Resources"]["Role"]["Properties"]["Policies"][0][
        "PolicyDocument"
    ]["Statement"]
    return found


def test_the_role_may_do_what_the_platform_calls(platform: Client) -> None:
    """Of one action, its two permissions and what the connection's test needs: no alarm, no
    parameter, no word of ours. CloudFormation's linter has nothing against it, and CloudFormation
    makes the role.
    """
    template = template_of(
        opened(platform, actions=["aws-ses/sendEmail"], theme={"name": "The Shop"})
    )
    assert statements(template) == [
        {"Effect": "Allow", "Action": SENDING, "Resource": "*"},
        TESTING,
    ]
    assert (
        list(template["Resources"]),
        "Parameters" in template,
        "jackfield" in json.dumps(template),
    ) == (["Role"], False, False)
    assert template["Resources"]["Role"]["Properties"]["RoleName"] == "The-Shop-mail"
    cfnlint: Any = importlib.import_module("cfnlint.api")  # it has no types
    assert cfnlint.lint(json.dumps(template), cfnlint.ManualArgs(regions=["eu-west-1"])) == []
    with mock_aws():
        stacks, iam = boto3.client("cloudformation", region_name="eu-west-1"), boto3.client("iam")
        patch_client(stacks)
        patch_client(iam)
        stacks.create_stack(
            StackName="The-Shop-mail",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        made = iam.get_role(RoleName="The-Shop-mail")["Role"]
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": USER}


@pytest.mark.parametrize(
    ("actions", "allowed", "denied"),
    [
        (["sendEmail"], {"ses:SendEmail"}, {"ses:ListIdentities"}),
        (["aws-ses/listI*"], {"ses:ListIdentities"}, {"ses:SendEmail"}),
        (["effect:read"], {"ses:ListIdentities"}, {"ses:SendEmail", "ses:CreateEmailIdentity"}),
        (
            ["aws-ses/* & effect:read", "slack/postMessage"],
            {"ses:ListIdentities"},
            {"ses:SendEmail"},
        ),
    ],
)
def test_actions_are_patterns_as_in_rules(
    platform: Client, actions: list[str], allowed: set[str], denied: set[str]
) -> None:
    """A name, a pattern of a connector, an effect; what another type of the session calls is not
    this role's.
    """
    person = opened(platform, actions=actions, types=[ROLE, "slack/botToken"]).press("Amazon SES")
    found = {name for row in statements(template_of(person)) for name in row["Action"]}
    assert allowed <= found
    assert not denied & found


def test_resources_are_those_that_are_known(platform: Client) -> None:
    """A call's inputs name the resource; a sender that the platform gives is the only one that may
    be sent from.
    """
    calls = [{"action": "aws.s3/getObject", "inputs": {"Bucket": "acme-reports", "Key": "a/b"}}]
    rows = statements(template_of(opened(platform, types=["aws.s3/awsAssumeRole"], calls=calls)))
    assert {
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": "arn:aws:s3:::acme-reports/a/b",
    } in rows
    calls = [
        {"action": f"aws.s3/{name}", "inputs": {"Bucket": "acme-reports"}}
        for name in ("getObject", "listObjectsV2")
    ]
    rows = statements(
        template_of(
            opened(platform, types=["aws.s3/awsAssumeRole"], connection="files", calls=calls)
        )
    )
    assert {
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": "arn:aws:s3:::acme-reports/*",
    } in rows
    assert {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": "arn:aws:s3:::acme-reports",
    } in rows
    calls = [{"action": "aws.s3/listObjectsV2", "inputs": {"Bucket": "acme-reports"}}]
    mixed = opened(
        platform, types=["aws.s3/awsAssumeRole"], actions=["putObject", "listBuckets"], calls=calls
    )
    assert {
        name: row["Resource"]
        for row in statements(template_of(mixed))
        for name in row["Action"]
        if name.startswith("s3:")
    } == {
        "s3:PutObject": "arn:*:s3:*:*:*/*",
        "s3:ListAllMyBuckets": "*",
        "s3:ListBucket": "arn:aws:s3:::acme-reports",
    }
    defaults = {"values": {**KEYS["values"], "sender": "noreply@example.com"}}
    rows = statements(template_of(opened(platform, actions=["sendEmail"], defaults=defaults)))
    assert rows[0]["Condition"] == {"StringEquals": {"ses:FromAddress": "noreply@example.com"}}


def test_without_a_list_the_rules_of_the_workspace_decide(platform: Client) -> None:
    """What the platform lets its tenant call is what the role may do, triggers included."""
    rules = {"rules": {"allow": ["aws-ses/listIdentities", "aws-ses/tenantStatus"]}}
    assert platform.call("PATCH", "/v1/workspaces/acme-1", rules).status == 200
    try:
        found = {
            name for row in statements(template_of(opened(platform))) for name in row["Action"]
        }
    finally:
        platform.call("PATCH", "/v1/workspaces/acme-1", {"rules": {"allow": []}})
    assert found == {"ses:ListIdentities", "ses:ListTenants", "ses:GetTenant", "ses:GetAccount"}


def test_a_role_for_everything_is_warned_about(platform: Client) -> None:
    """A platform that does not say what it will call learns of it when it creates the session; one
    that does hears nothing.
    """
    body: dict[str, Any] = {"verify": "link", "types": [ROLE], "defaults": KEYS, "principal": USER}
    answer = platform.post(BASE, body)
    assert [(one["path"], "rules allow" in one["message"]) for one in answer.json["warnings"]] == [
        ("/actions", True)
    ]
    assert "warnings" not in platform.post(BASE, {**body, "actions": ["sendEmail"]}).json


def test_an_access_key_says_what_its_user_needs(platform: Client) -> None:
    """Where a customer enters a key, the page shows the policy for the key's user, if the platform
    says what it calls.
    """
    person = opened(
        platform, types=["aws-ses/apiKeySecret"], actions=["sendEmail"], principal="", defaults={}
    )
    assert "Permissions that are needed" in person.said
    assert all(name in person.said for name in (*SENDING, "ses:GetAccount"))
    assert "ses:ListIdentities" not in person.said
    assert (
        "Permissions that are needed"
        not in opened(platform, types=["aws-ses/apiKeySecret"], principal="", defaults={}).said
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"actions": ["aws-ses/sendMail"]}, "/actions/0"),
        ({"actions": ["sendEmail", "slack/postMessage"]}, "/actions/1"),
        ({"actions": ["aws-ses/send Email & x"]}, "/actions/0"),
        ({"actions": "sendEmail"}, "/actions"),
        ({"actions": ["a"] * 101}, "/actions"),
        ({"calls": [{"action": "aws.s3/getObjekt"}]}, "/calls/0/action"),
        ({"calls": [{"inputs": {}}]}, "/calls/0/action"),
        ({"calls": [{"action": "sendEmail", "then": 1}]}, "/calls/0/then"),
        ({"principal": "*"}, "/principal"),
        ({"principal": ""}, "/principal"),
        ({"principal": "", "actions": ["sendEmail"]}, "/principal"),
        ({"actions": ["sendEmail"], "defaults": {}}, "/defaults/values/accessKeyId"),
    ],
)
def test_what_its_user_could_not_cure_is_refused(
    platform: Client, body: dict[str, Any], path: str
) -> None:
    """A mistake of the platform is told when it creates the session, with its place."""
    answer = platform.post(
        BASE, {"verify": "link", "types": [ROLE], "defaults": KEYS, "principal": USER, **body}
    )
    assert (answer.status, [item["path"] for item in answer.json["details"]]) == (400, [path]), (
        answer.body
    )


def test_a_service_that_the_workspace_is_not_offered_is_named(platform: Client) -> None:
    """A service of AWS that nobody has offered is no spelling mistake: the answer says so, and who
    can offer it with what.
    """
    body = {"verify": "link", "types": ["aws/awsAssumeRole"], "defaults": KEYS, "principal": USER}
    answer = platform.post(
        BASE, {**body, "calls": [{"action": "aws.sqs/sendMessage", "inputs": {}}]}
    )
    assert (answer.status, [item["path"] for item in answer.json["details"]]) == (
        400,
        ["/calls/0/action"],
    )
    assert "the workspace is not offered the connector 'aws.sqs'" in answer.json["detail"]
    assert "offers add aws.sqs --workspace acme-1" in answer.json["hint"]
    misspelt = platform.post(BASE, {**body, "actions": ["aws.s3/getObjekt"]})
    assert ("not offered" in misspelt.json["detail"], "hint" in misspelt.json) == (False, False)


def test_a_principal_of_another_partition_gets_its_template(platform: Client) -> None:
    """The role's account is not known yet; its partition is that of whoever assumes it."""
    principal = "arn:aws-us-gov:iam::111122223333:user/shop"
    properties = template_of(opened(platform, principal=principal, actions=["sendEmail"]))[
        "Resources"
    ]["Role"]["Properties"]
    assert properties["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": principal}


@pytest.mark.parametrize(
    ("platform_name", "connection", "role", "stack"),
    [
        ("The Shop", "mail", "The-Shop-mail", "The-Shop-mail"),
        (
            "Müller & Söhne, Großhandel",
            "mail_1.eu",
            "Muller-Sohne-Grosshandel-mail_1.eu",
            "Muller-Sohne-Grosshandel-mail-1-eu",
        ),
        ("", "mail", "access-mail", "access-mail"),
        ("株式会社", "mail", "access-mail", "access-mail"),
        ("3D Print", "mail", "access-mail", "access-mail"),
        (
            "<script>${AWS::StackName}",
            "mail",
            "script-AWS-StackName-mail",
            "script-AWS-StackName-mail",
        ),
        ("A", "x" * 100, f"A-{'x' * 53}-09ecb6eb", f"A-{'x' * 53}-09ecb6eb"),
    ],
)
def test_names(platform_name: str, connection: str, role: str, stack: str) -> None:
    """Names are the platform's and the connection's, within the limits of IAM and CloudFormation,
    and neutral where it has none.
    """
    assert (
        role_name(platform_name, connection),
        stack_name(role_name(platform_name, connection)),
    ) == (role, stack)
    assert len(role) <= 64


def test_a_role_that_asks_for_no_external_id_is_not_connected(platform: Client) -> None:
    """Whoever can name the role would use it over this server: the test fails, and says what to
    change with the session's External ID.
    """
    with FakeAws(
        roles={OPEN: Role()},
        users={
            KEYS["values"]["accessKeyId"]: User(secret=KEYS["values"]["secretAccessKey"], arn=USER)
        },
    ) as aws:
        values = {**KEYS["values"], "stsEndpoint": aws.url, "endpoint": aws.url}
        person = opened(
            platform,
            actions=["sendEmail"],
            defaults={"values": values, "locked": [*KEYS["locked"]]},
        )
        named = [re.findall(r'"sts:ExternalId": "(jf-[^"]+)"', person.said)]
        person.press("Continue", roleARN=OPEN, region="eu-west-1")
        named += [re.findall(r'"sts:ExternalId": "(jf-[^"]+)"', person.said)]
    assert (
        "The role can be assumed without the External ID, so the External ID protects nothing."
        in person.said
    )
    assert ("The test failed" in person.said, ">Connect</button>" in person.text) == (True, False)
    assert (len({*named[0]}), {*named[1]}, len(named[1])) == (1, {*named[0]}, len(named[0]) + 1)
    assert "<the External ID" not in person.said


def test_what_is_misspelt_or_not_offered_is_told(platform: Client) -> None:
    """A type of a service that the workspace is not offered says so, and how it is offered; a
    misspelt action, label, field or icon is refused at its place, with the nearest name. Labels for
    what other workspaces are offered are none of that.
    """
    asked: dict[str, Any] = {
        "verify": "link",
        "types": [ROLE],
        "connection": "mail",
        "principal": USER,
        "defaults": KEYS,
    }
    refused = platform.post(BASE, {**asked, "types": ["aws.dynamodb/awsAssumeRole"]})
    assert (
        refused.status,
        "not offered the connector 'aws.dynamodb'" in refused.json["detail"],
    ) == (400, True)
    assert "aws.dynamodb --workspace acme-1" in refused.json["hint"], refused.json
    for body, path, said in (
        ({"actions": ["sendEmial"]}, "/actions/0", "did you mean 'sendEmail'?"),
        ({"actions": ["aws-ses/sendEmial"]}, "/actions/0", "did you mean 'sendEmail'?"),
        (
            {"labels": {"slack/botTokn": {"title": "Slack"}}},
            "/labels/slack~1botTokn",
            "did you mean 'slack/botToken'?",
        ),
        (
            {"labels": {ROLE: {"fields": {"roleARM": {"title": "Role"}}}}},
            "/labels/aws-ses~1awsAssumeRole/fields/roleARM",
            "'roleARN'?",
        ),
        ({"icons": {"slak": "data:image/png;base64,AAAA"}}, "/icons/slak", "did you mean 'slack'?"),
    ):
        answer = platform.post(BASE, {**asked, **body})
        assert (answer.status, [fault["path"] for fault in answer.json["details"]]) == (400, [path])
        assert said in answer.json["details"][0]["message"], answer.json
    labels = {
        "aws.dynamodb/awsAssumeRole": {"title": "Tables"},
        "aws/awsAssumeRole": {"title": "Role"},
    }
    assert platform.post(BASE, {**asked, "labels": labels}).status == 201


def test_the_catalogues_icons_are_icons_of_a_session(stand: Stand, platform: Client) -> None:
    """What ``GET /v1/connectors`` shows is taken as it is; an SVG as text runs and loads as little
    as one in base64.
    """
    token = platform.post("/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}).json[
        "token"
    ]
    icons = {
        row["key"]: row["icon"]
        for row in Client(stand.port, token).get("/v1/connectors").json["items"]
        if "icon" in row
    }
    assert len(icons) > 3
    shown = opened(platform, icons=icons, actions=["sendEmail"])
    assert icons["aws-ses"] in unescape(shown.text)
    for inner in (
        "<script/>",
        "%3Cscript/%3E",
        "<image href='https://x.example/'/>",
        "<a onclick='x()'/>",
    ):
        drawn = f"data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'>{inner}</svg>"
        answer = platform.post(
            BASE,
            {
                "verify": "link",
                "types": [ROLE],
                "principal": USER,
                "defaults": KEYS,
                "icons": {"aws-ses": drawn},
            },
        )
        assert (answer.status, answer.json["details"][0]["path"]) == (400, "/icons/aws-ses")
