"""A platform gives each customer a tenant of Amazon SES: what each may send, who is told of a
pause, and what IAM allows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import AUTH_TYPE_MAPS
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, trigger_stage

from fake_aws import FakeAws
from jackfield import Jackfield, Result
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

ARN = "arn:aws:ses:eu-west-1:123456789012:"
MAIL: dict[str, Any] = {
    "to": "ada@example.com",
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello",
}
RAW = "From: noreply@example.com\r\nTo: ada@example.com\r\nSubject: Hello\r\n{}\r\nHello\r\n"
TEMPLATED = {"to": "ada@example.com", "sender": "noreply@example.com", "templateName": "hello"}
BULK: dict[str, Any] = {
    "sender": "noreply@example.com",
    "templateName": "hello",
    "destinations": [{"to": ["ada@example.com"]}],
}
SENDS: dict[str, dict[str, Any]] = {
    "sendEmail": MAIL,
    "sendRawEmail": {"message": RAW.format("")},
    "sendTemplatedEmail": TEMPLATED,
    "sendBulkEmail": BULK,
}
CUSTOMERS = ("acme", "umbrella")


class Platform:
    """A runtime whose workspace of each customer has a connection with the customer's tenant, and
    one of the platform's without.
    """

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.values = {**aws.connection_values(), "region": aws.region}
        kinds = {"owner": {}, **{name: {"tenant": name} for name in CUSTOMERS}}
        connections = {
            name: {"type": "aws/awsAssumeRole", "values": {**self.values, **more}}
            for name, more in kinds.items()
        }
        self.jackfield = Jackfield(connections=[connections], database_url="none", environment={})

    def call(self, who: str, action: str, **inputs: Any) -> Result:
        """Invoke an action over a connection."""
        return self.jackfield.invoke(
            {"connector": "aws-ses", "action": action, "connection": who, "inputs": inputs}
        )

    def done(self, who: str, action: str, **inputs: Any) -> dict[str, Any]:
        """The output of a success."""
        found = self.call(who, action, **inputs)
        assert found.status == "succeeded", (who, action, found.error)
        return dict(found.output or {})


@pytest.fixture(name="aws")
def _aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(name="platform")
def _platform(aws: EmbeddedAws) -> Iterator[Platform]:
    """Two customers, each with a tenant that may send from example.com with one template."""
    platform = Platform(aws)
    with platform.jackfield:
        platform.done(
            "owner", "createTemplate", templateName="hello", subject="Hello", text="Hello"
        )
        for name in CUSTOMERS:
            platform.done("owner", "createTenant", tenant=name)
            for resource in ("identity/example.com", "template/hello"):
                platform.done(
                    "owner", "createTenantAssociation", tenant=name, resourceArn=ARN + resource
                )
        yield platform


def test_a_paused_customer_is_refused_and_another_sends(platform: Platform) -> None:
    """Each kind of send goes out under the connection's tenant; a pause ends those of one tenant,
    with the cure, until it is lifted.
    """
    platform.done("owner", "updateTenantSending", tenant="acme", sendingStatus="DISABLED")
    for action, inputs in SENDS.items():
        error = platform.call("acme", action, **inputs).error
        assert error is not None, action
        assert (error.code, error.retryable) == ("forbidden", False), action
        assert (error.hint or "").count("getTenantReputation") == 1
        platform.done("umbrella", action, **inputs)
    assert [message.tenant for message in platform.aws.sent] == ["umbrella"] * len(SENDS)
    standing = platform.done("owner", "getTenantReputation", tenant="acme")["ReputationEntity"]
    assert (standing["SendingStatusAggregate"], standing["CustomerManagedStatus"]["Status"]) == (
        "DISABLED",
        "DISABLED",
    )
    platform.done("owner", "updateTenantSending", tenant="acme", sendingStatus="ENABLED")
    platform.done("acme", "sendEmail", **MAIL)
    assert platform.aws.sent[-1].tenant == "acme"


@pytest.mark.parametrize("action", SENDS)
def test_a_customer_cannot_name_another_tenant(platform: Platform, action: str) -> None:
    """Another tenant is refused at its place before anything is sent; the own one, and none, are
    the same.
    """
    for given in ("umbrella", "ACME", " umbrella "):
        error = platform.call("acme", action, **SENDS[action], tenant=given).error
        assert error is not None
        assert (error.code, [detail.path for detail in error.details]) == (
            "invalid_input",
            ["/tenant"],
        ), given
    for same in ("acme", " acme ", "", None):
        platform.done("acme", action, **SENDS[action], tenant=same)
    assert {message.tenant for message in platform.aws.sent} == {"acme"}
    platform.done("owner", action, **SENDS[action], tenant="umbrella")
    assert platform.aws.sent[-1].tenant == "umbrella"


def test_a_message_cannot_choose_its_tenant(platform: Platform) -> None:
    """The header field by which SES chooses a tenant is refused wherever a caller may write header
    fields; destinations have no tenant.
    """
    field = {"X-Ses-Tenant": "umbrella"}
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("sendEmail", {**MAIL, "headers": field}, "/headers/X-Ses-Tenant"),
        ("sendRawEmail", {"message": RAW.format("x-SES-tenant: umbrella\r\n")}, "/message"),
        (
            "sendRawEmail",
            {"message": RAW.format("no field\r\nX-SES-TENANT : umbrella\r\n")},
            "/message",
        ),
        ("sendTemplatedEmail", {**TEMPLATED, "headers": field}, "/headers/X-Ses-Tenant"),
        ("sendBulkEmail", {**BULK, "headers": field}, "/headers/X-Ses-Tenant"),
        (
            "sendBulkEmail",
            {**BULK, "destinations": [{"to": ["a@x.io"], "headers": field}]},
            "/destinations/0/headers/X-Ses-Tenant",
        ),
        (
            "sendBulkEmail",
            {**BULK, "destinations": [{"to": ["a@x.io"], "tenant": "umbrella"}]},
            "/destinations/0/tenant",
        ),
    )
    for who in ("acme", "owner"):
        for action, inputs, path in cases:
            error = platform.call(who, action, **inputs).error
            assert error is not None, inputs
            assert (error.code, {detail.path for detail in error.details}) == (
                "invalid_input",
                {path},
            ), inputs
    assert platform.aws.sent == []


def test_a_tenant_sends_with_its_own_resources_only(platform: Platform) -> None:
    """An identity, a configuration set or a template that is not associated is refused with the
    action that associates it.
    """
    platform.done("owner", "createConfigurationSet", configurationSetName="receipts")
    platform.done("owner", "createTemplate", templateName="other", subject="Hello", text="Hello")
    for action, more in (
        ("sendEmail", {**MAIL, "sender": "newsletter@example.net"}),
        ("sendEmail", {**MAIL, "configurationSetName": "receipts"}),
        ("sendTemplatedEmail", {**TEMPLATED, "templateName": "other"}),
        ("sendBulkEmail", {**BULK, "templateName": "other"}),
    ):
        error = platform.call("acme", action, **more).error
        assert error is not None, more
        assert (error.code, "createTenantAssociation" in (error.hint or "")) == (
            "forbidden",
            True,
        ), more
    platform.done(
        "owner",
        "createTenantAssociation",
        tenant="acme",
        resourceArn=f"{ARN}configuration-set/receipts",
    )
    platform.done("acme", "sendEmail", **MAIL, configurationSetName="receipts")
    listed = platform.done("acme", "listTenantResources", resourceType="CONFIGURATION_SET")[
        "TenantResources"
    ]
    assert [row["ResourceArn"] for row in listed] == [f"{ARN}configuration-set/receipts"]
    users = platform.done(
        "owner",
        "listResourceTenants",
        resourceArn=f"{ARN}identity/example.com",
        pageSize=1,
        fetchAll=True,
    )
    assert [row["TenantName"] for row in users["ResourceTenants"]] == list(CUSTOMERS)
    platform.done(
        "owner", "deleteTenantAssociation", tenant="acme", resourceArn=f"{ARN}identity/example.com"
    )
    assert platform.call("acme", "sendEmail", **MAIL).error is not None
    platform.done("umbrella", "sendEmail", **MAIL)


def test_a_tenant_may_have_a_suppression_list_of_its_own(platform: Platform) -> None:
    """A customer's connection reads and changes the list of its tenant, never the account's or
    another's.
    """
    platform.done(
        "acme", "updateTenantSuppression", suppressionScope="TENANT", suppressedReasons=["BOUNCE"]
    )
    shown = platform.done("acme", "getTenant")["Tenant"]["SuppressionAttributes"]
    assert shown == {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE"]}
    platform.done("acme", "putSuppressedRecipient", address="gone@x.io")
    listed = {who: platform.done(who, "listSuppressedRecipients") for who in ("owner", *CUSTOMERS)}
    assert {who: len(found["SuppressedDestinationSummaries"]) for who, found in listed.items()} == {
        "owner": 0,
        "acme": 1,
        "umbrella": 0,
    }
    for action in ("getSuppressedRecipient", "deleteSuppressedRecipient", "putSuppressedRecipient"):
        error = platform.call("umbrella", action, address="gone@x.io", tenant="acme").error
        assert error is not None
        assert error.code == "invalid_input"
    platform.done("owner", "deleteSuppressedRecipient", address="gone@x.io", tenant="acme")
    error = platform.call("acme", "getSuppressedRecipient", address="gone@x.io").error
    assert error is not None
    assert error.code == "not_found"
    lacking = platform.call("acme", "updateTenantSuppression", suppressionScope="ACCOUNT").error
    assert lacking is not None
    assert [detail.path for detail in lacking.details] == ["/suppressedReasons"]


def test_a_finding_pauses_by_the_policy(platform: Platform) -> None:
    """SES pauses a tenant on a finding of high impact, unless its policy is another; a reinstated
    one may send in spite of it.
    """
    platform.aws.find_fault("acme", "BOUNCE", "HIGH", "The bounce rate exceeded 15.0%.")
    error = platform.call("acme", "sendEmail", **MAIL).error
    assert error is not None
    assert error.code == "forbidden"
    found = platform.done("owner", "getTenantReputation", tenant="acme")
    assert found["ReputationEntity"]["AwsSesManagedStatus"] == {
        "Status": "DISABLED",
        "Cause": "The bounce rate exceeded 15.0%.",
    }
    assert [row["Type"] for row in found["Recommendations"]] == ["BOUNCE"]
    for change in (
        ("updateTenantPolicy", {"policy": "none"}),
        ("updateTenantSending", {"sendingStatus": "REINSTATED"}),
    ):
        platform.done("owner", change[0], tenant="acme", **change[1])
        platform.done("acme", "sendEmail", **MAIL)
        platform.done("owner", "updateTenantPolicy", tenant="acme", policy="strict")
    platform.done("owner", "updateTenantSending", tenant="acme", sendingStatus="ENABLED")
    assert platform.call("acme", "sendEmail", **MAIL).error is not None
    platform.aws.find_fault("acme", "BOUNCE", "HIGH", "The bounce rate is 0.1%.", is_open=False)
    platform.done("acme", "sendEmail", **MAIL)


@pytest.mark.parametrize("tenant", ["acme", None])
def test_a_pause_that_names_nobody_may_be_the_tenants(tenant: str | None) -> None:
    """AWS does not publish the words of a paused tenant's refusal: under a tenant, the hint says
    where to look first.
    """
    values = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "s3cret-key",
        "region": "eu-west-1",
    }
    with (
        FakeAws() as aws,
        Jackfield(connections=[], database_url="none", environment={}) as jackfield,
    ):
        refusal = {
            "operation": "SendEmail",
            "do": "status",
            "status": 400,
            "code": "SendingPausedException",
            "message": "Sending is paused.",
        }
        aws.script([refusal])
        connection = {
            "type": "apiKeySecret",
            "values": {**values, "endpoint": aws.url, **({"tenant": tenant} if tenant else {})},
        }
        error = jackfield.invoke(
            {
                "connector": "aws-ses",
                "action": "sendEmail",
                "connection": connection,
                "inputs": MAIL,
            }
        ).error
    assert error is not None
    assert (error.code, "getTenantReputation" in (error.hint or "")) == (
        "forbidden",
        tenant is not None,
    )


def test_unknown_tenants_say_where_to_look(platform: Platform) -> None:
    """A tenant of another region or none, and a second one of the same name, are told with the
    action that lists them.
    """
    error = platform.call("owner", "sendEmail", **MAIL, tenant="nobody").error
    assert error is not None
    assert (error.code, "listTenants" in (error.hint or "")) == ("not_found", True)
    error = platform.call("owner", "createTenant", tenant="acme").error
    assert error is not None
    assert error.code == "conflict"
    platform.done("owner", "deleteTenant", tenant="acme")
    assert (
        platform.done("owner", "listTenants", nameContains="a", fetchAll=True, pageSize=1)[
            "Tenants"
        ][0]["TenantName"]
        == "umbrella"
    )
    error = platform.call("acme", "sendEmail", **MAIL).error
    assert error is not None
    assert error.code == "not_found"


def test_the_policy_allows_its_tenant_alone(platform: Platform, aws: EmbeddedAws) -> None:
    """In every format the role sends under its tenant only; the same policy as the session's holds
    even for calls past the connector.
    """
    actions = ["sendEmail", "sendBulkEmail", "getTenant", "updateTenantPolicy", "listIdentities"]
    found = platform.jackfield.connections.policy("acme", actions)
    sending, own, rest = found["identityPolicy"]["Statement"][:3]
    assert sending["Condition"]["StringEquals"]["ses:TenantName"] == "acme"
    assert all(name.startswith("ses:Send") for name in sending["Action"])
    assert own["Resource"] == ["arn:*:ses:*:*:tenant/acme/*", "arn:*:ses:*:aws:reputation-policy/*"]
    assert own["Action"] == ["ses:GetTenant", "ses:UpdateReputationEntityPolicy"]
    assert not any("Send" in name or "Tenant" in name for name in rest["Action"])
    role = found["cloudFormation"]["Resources"]["Role"]["Properties"]["Policies"][0][
        "PolicyDocument"
    ]
    assert role == found["identityPolicy"]
    assert (
        json.dumps(found["identityPolicy"], indent=2).splitlines()[1].strip() in found["terraform"]
    )
    assert '"ses:TenantName": "acme"' in found["terraform"]

    policy = platform.jackfield.connections.policy("acme", ["sendEmail"])["identityPolicy"]
    values = {**platform.values, "tenant": "acme", "sessionPolicy": policy}
    narrow = {
        "connector": "aws.sesv2",
        "action": "sendEmail",
        "connection": {"type": "awsAssumeRole", "values": values},
    }
    message = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}}
    asked = {
        "FromEmailAddress": "noreply@example.com",
        "Destination": {"ToAddresses": ["ada@example.com"]},
        "Content": message,
    }
    codes = {}
    for tenant in ("acme", "umbrella", None):
        inputs = {**asked, "awsRegion": aws.region, **({"TenantName": tenant} if tenant else {})}
        error = platform.jackfield.invoke({**narrow, "inputs": inputs}).error
        codes[tenant] = error.code if error else "sent"
    assert codes == {"acme": "sent", "umbrella": "forbidden", None: "forbidden"}


def test_a_narrowed_session_keeps_to_its_tenant(aws: EmbeddedAws) -> None:
    """With 'sessionPolicy': true the session itself is limited to the connection's tenant, and
    still fits into what STS accepts.
    """
    platform = Platform(aws)
    platform.jackfield.close()
    values = {**platform.values, "tenant": "acme", "sessionPolicy": True}
    connections = [
        {
            "acme": {"type": "aws/awsAssumeRole", "values": values},
            "owner": {"type": "aws/awsAssumeRole", "values": platform.values},
        }
    ]
    with Jackfield(connections=connections, database_url="none", environment={}) as jackfield:
        platform.jackfield = jackfield
        platform.done("owner", "createTenant", tenant="acme")
        platform.done("acme", "createTenantAssociation", resourceArn=f"{ARN}identity/example.com")
        platform.done("acme", "sendEmail", **MAIL)
    assert [message.tenant for message in aws.sent] == ["acme"]


@pytest.fixture(name="stage")
def _stage(platform: Platform, tmp_path: Path) -> Iterator[TriggerStage]:
    with trigger_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", servers=1) as stage:
        for name, more in (("owner", {}), ("acme", {"tenant": "acme"})):
            stage.runtime.connections.add(name, "aws/awsAssumeRole", {**platform.values, **more})
        yield stage


def _watch(stage: TriggerStage, who: str, trigger: str, **inputs: Any) -> str:
    name = f"{who}-{trigger}".lower()
    stage.all().add(
        {"name": name, "trigger": f"aws-ses/{trigger}", "connection": who, "inputs": inputs}
    )
    stage.look()
    return name


def _next_events(stage: TriggerStage, before: int) -> list[tuple[str, str, Any]]:
    stage.move(400)
    stage.look()
    found = stage.events("aws_ses.*")[before:]
    return [
        (event.data["subscription"], event.type.partition(".")[2], event.data["payload"]["id"])
        for event in found
    ]


def test_a_pause_arrives_as_an_event(stage: TriggerStage, platform: Platform) -> None:
    """The platform is told of every tenant, a customer of its own only: paused, found fault with,
    resolved, resumed.
    """
    names = [
        _watch(stage, who, trigger)
        for who in ("owner", "acme")
        for trigger in ("tenantStatus", "tenantFindings")
    ]
    assert {stage.all().show(name)["status"] for name in names} == {"active"}
    platform.done("owner", "updateTenantSending", tenant="umbrella", sendingStatus="DISABLED")
    platform.aws.find_fault("acme", "BOUNCE", "HIGH", "The bounce rate exceeded 15.0%.")
    told = _next_events(stage, 0)
    assert sorted(told) == [
        ("acme-tenantfindings", "findingOpened", "acme/BOUNCE"),
        ("acme-tenantstatus", "tenantPaused", "acme"),
        ("owner-tenantfindings", "findingOpened", "acme/BOUNCE"),
        ("owner-tenantstatus", "tenantPaused", "acme"),
        ("owner-tenantstatus", "tenantPaused", "umbrella"),
    ]
    platform.aws.find_fault("acme", "BOUNCE", "HIGH", "The bounce rate is 0.1%.", is_open=False)
    platform.done("owner", "deleteTenant", tenant="umbrella")
    assert sorted(_next_events(stage, len(told))) == [
        ("acme-tenantfindings", "findingResolved", "acme/BOUNCE"),
        ("acme-tenantstatus", "tenantResumed", "acme"),
        ("owner-tenantfindings", "findingResolved", "acme/BOUNCE"),
        ("owner-tenantstatus", "tenantResumed", "acme"),
        ("owner-tenantstatus", "tenantResumed", "umbrella"),
    ]


def test_a_global_endpoint_needs_the_common_runtime(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its signature needs awscrt; without that, each kind of send is refused with the package to
    install, and nothing is sent.
    """
    for name in ("v4a", "s3v4a"):
        monkeypatch.delitem(AUTH_TYPE_MAPS, name, raising=False)
    for action, inputs in SENDS.items():
        error = platform.call("acme", action, **inputs, endpointId="abcdef12.g3h").error
        assert error is not None, action
        assert (error.code, "botocore[crt]" in (error.hint or "")) == (
            "invalid_connection",
            True,
        ), (action, error)
        assert platform.call("acme", action, **inputs, endpointId="a/../b").error is not None
    assert platform.aws.sent == []


def test_an_endpoint_without_version_2_sends_nothing_outside_the_tenant() -> None:
    """Version 1 has no tenants: where version 2 is lacking, a message under a tenant is refused;
    without one, version 1 takes it.
    """
    key = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "s3cret-key",
        "region": "eu-west-1",
    }
    with FakeAws() as aws:
        aws.script(
            [
                {
                    "operation": "SendEmail",
                    "do": "status",
                    "status": 501,
                    "code": "NotImplemented",
                    "message": "no",
                }
            ]
            * 4
        )
        kinds = {"owner": key, "acme": {**key, "tenant": "acme"}}
        connections = {
            name: {"type": "aws/apiKeySecret", "values": {**one, "endpoint": aws.url}}
            for name, one in kinds.items()
        }
        with Jackfield(connections=[connections], database_url="none", environment={}) as jackfield:
            found = {}
            for who in kinds:
                for action in ("sendEmail", "sendRawEmail"):
                    asked = {
                        "connector": "aws-ses",
                        "action": action,
                        "connection": who,
                        "inputs": SENDS[action],
                    }
                    error = jackfield.invoke(asked).error
                    found[who, action] = error.code if error else "sent"
        assert found == {
            ("owner", "sendEmail"): "sent",
            ("owner", "sendRawEmail"): "sent",
            ("acme", "sendEmail"): "rejected",
            ("acme", "sendRawEmail"): "rejected",
        }
