"""A server whose workspaces send over Amazon SES, on the simulator: a tenant of SES for each, and
events by webhook.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers.actor import Actor
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_store.access.platform_tokens import PlatformTokens
from ports import free_port
from waiting import until

ARN = "arn:aws:ses:eu-west-1:123456789012:"
MAIL = {
    "to": "ada@example.com",
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello",
}
BOUNCES, COMPLAINS = "bounce@simulator.amazonses.com", "complaint@simulator.amazonses.com"
CUSTOMERS = ("acme-1", "acme-2")


@pytest.fixture
def clock() -> FakeClock:
    """The time of the server and of AWS."""
    return FakeClock()


@pytest.fixture(name="aws")
def _aws(clock: FakeClock) -> Iterator[EmbeddedAws]:
    # those that the server makes for each connection
    with EmbeddedAws(trusted_ids="jf-*", clock=clock.time) as aws:
        yield aws


@pytest.fixture(name="stand")
def _stand(tmp_path: Path, aws: EmbeddedAws, clock: FakeClock) -> Iterator[Stand]:
    """A server that the simulator reaches: the operator leads all calls of AWS there."""
    port = free_port()
    settings = replace(SETTINGS, port=port, public_url=f"http://127.0.0.1:{port}")
    with standing(tmp_path, settings, clock=clock, AWS_ENDPOINT_URL=aws.url) as stand:
        yield stand


def _values(aws: EmbeddedAws, **more: Any) -> dict[str, Any]:
    """What a customer enters: the endpoints are the operator's, and the server makes the External
    ID.
    """
    given = {
        **aws.connection_values(),
        "roleARN": "-".join([aws.role_arn, *filter(None, [more.get("tenant")])]),
    }
    return {
        **{name: given[name] for name in ("roleARN", "accessKeyId", "secretAccessKey", "region")},
        **more,
    }


def _invoke(client: Client, action: str, **inputs: Any) -> Any:
    return client.post(
        "/v1/invocations",
        {"connector": "aws-ses", "action": action, "connection": "mail", "inputs": inputs},
    ).json


def _connected(client: Client, aws: EmbeddedAws, **more: Any) -> Client:
    made = client.post(
        "/v1/connections",
        {"name": "mail", "type": "aws/awsAssumeRole", "values": _values(aws, **more)},
    )
    assert made.status == 201, made.json
    return client


@pytest.fixture(name="owner")
def _owner(stand: Stand, aws: EmbeddedAws) -> Client:
    """The platform's own workspace, from which it administers SES."""
    return _connected(stand.client(), aws)


@pytest.fixture(name="customers")
def _customers(stand: Stand, owner: Client, aws: EmbeddedAws) -> dict[str, Client]:
    """A workspace for each customer, made by the platform, with a tenant of SES that its connection
    decides.
    """
    storage, access = stand.host.storage, stand.host.runtime("default").access
    platform = Client(
        stand.port,
        PlatformTokens(storage.database, storage.vault, stand.host.clock, Actor("cli"))
        .create("acme-*", "x")
        .text,
    )
    found = {}
    for name in CUSTOMERS:
        assert platform.call("PUT", f"/v1/workspaces/{name}", {}).status == 201
        access.workspaces.set(name, {"rules": {"block": ["aws-ses/*Tenant*", "aws.*/*"]}})
        token = platform.post(
            f"/v1/workspaces/{name}/tokens",
            {"scope": "manage", "name": "server", "expiresIn": 3600},
        ).json["token"]
        for action, inputs in (
            ("createTenant", {}),
            ("createTenantAssociation", {"resourceArn": f"{ARN}identity/example.com"}),
        ):
            assert _invoke(owner, action, tenant=name, **inputs)["status"] == "succeeded"
        found[name] = _connected(Client(stand.port, token), aws, tenant=name)
    return found


def _events(client: Client, *types: str) -> list[Mapping[str, Any]]:
    """The events of these types, the oldest first."""
    return [
        event
        for event in client.get("/v1/events?limit=200").json["items"]
        if event["type"] in types
    ]


def test_a_pause_stops_one_workspace_and_no_other(
    owner: Client, customers: dict[str, Client], aws: EmbeddedAws, clock: FakeClock
) -> None:
    """A paused customer is refused with the cure, may not resume itself, and hears of the pause;
    the other customer goes on sending.
    """
    acme, other = customers.values()
    for who in (owner, acme):
        made = who.post(
            "/v1/subscriptions",
            {"name": "t", "trigger": "aws-ses/tenantStatus", "connection": "mail"},
        )
        assert made.status == 201, made.json
        until(lambda who=who: who.get("/v1/subscriptions/t").json.get("lastSuccessAt"))  # type: ignore[misc]
    assert (
        _invoke(owner, "updateTenantSending", tenant="acme-1", sendingStatus="DISABLED")["status"]
        == "succeeded"
    )
    refused, sent = _invoke(acme, "sendEmail", **MAIL), _invoke(other, "sendEmail", **MAIL)
    assert (refused["error"]["code"], refused["error"]["hint"].count("getTenantReputation")) == (
        "forbidden",
        1,
    )
    assert (sent["status"], [message.tenant for message in aws.sent]) == ("succeeded", ["acme-2"])
    for action, inputs in (
        ("updateTenantSending", {"sendingStatus": "ENABLED"}),
        ("getTenant", {}),
    ):
        assert _invoke(acme, action, **inputs)["error"]["code"] == "not_allowed", action
    for name in ("acme-2", "nobody"):
        found = _invoke(acme, "sendEmail", **MAIL, tenant=name)["error"]
        assert (found["code"], [one["path"] for one in found["details"]]) == (
            "invalid_input",
            ["/tenant"],
        )
    clock.advance(600)
    told = {
        who: until(lambda who=who: _events(who, "aws_ses.tenantPaused"))  # type: ignore[misc]
        for who in (owner, acme)
    }
    assert {
        who: [one["data"]["payload"]["id"] for one in found] for who, found in told.items()
    } == {owner: ["acme-1"], acme: ["acme-1"]}
    assert _events(other, "aws_ses.tenantPaused") == []
    policy = acme.get("/v1/connections/mail/policy?actions=sendEmail").json["identityPolicy"][
        "Statement"
    ]
    assert [
        one["Condition"]["StringEquals"]["ses:TenantName"]
        for one in policy
        if "ses:SendEmail" in one["Action"]
    ] == ["acme-1"]
    assert "acme-2" not in json.dumps(policy)
    assert (
        _invoke(owner, "updateTenantSending", tenant="acme-1", sendingStatus="ENABLED")["status"]
        == "succeeded"
    )
    assert _invoke(acme, "sendEmail", **MAIL)["status"] == "succeeded"
    assert aws.sent[-1].tenant == "acme-1"


def test_a_bounce_comes_back_by_webhook_and_is_not_sent_to_again(
    stand: Stand, owner: Client, aws: EmbeddedAws
) -> None:
    """Topic, confirmation, signed notification, event, suppression, refusal: all of it over HTTP,
    and nothing is left behind.
    """
    stand.host.runtime("default").access.workspaces.set("default", {"guards": {"mail": {}}})
    watch = {"name": "receipts", "trigger": "aws-ses/mailEvents", "connection": "mail"}
    made = owner.post(
        "/v1/subscriptions",
        {
            **watch,
            "inputs": {"configurationSetName": "receipts", "types": ["bounced", "complained"]},
        },
    )
    assert (made.status, made.json["status"]) == (201, "pending")
    until(lambda: owner.get("/v1/subscriptions/receipts").json["status"] == "active")
    sent = {
        to: _invoke(owner, "sendEmail", **{**MAIL, "to": to, "configurationSetName": "receipts"})
        for to in (BOUNCES, COMPLAINS)
    }
    assert [result["status"] for result in sent.values()] == ["succeeded", "succeeded"]
    kinds = {"aws_ses.bounced": BOUNCES, "aws_ses.complained": COMPLAINS}
    until(lambda: len(_events(owner, *kinds)) == len(kinds))
    found = _events(owner, *kinds)
    assert {event["type"]: event["data"]["payload"]["recipient"] for event in found} == kinds
    shown = owner.get(f"/v1/invocations/{sent[BOUNCES]['meta']['invocationId']}").json
    assert shown["outcomes"][0]["part"] == BOUNCES
    assert {
        row["recipient"]: row["reason"] for row in owner.get("/v1/suppressions").json["items"]
    } == {
        BOUNCES: "bounce",
        COMPLAINS: "complaint",
    }
    before = len(aws.sent)
    for to in (
        BOUNCES,
        '"bounce"@Simulator.amazonses.com',
        f"ada@example.com\n{COMPLAINS}",
        f"Ada <{BOUNCES}> (x)",
    ):
        assert (
            _invoke(owner, "sendEmail", **{**MAIL, "to": to})["error"]["code"] == "not_allowed"
        ), to
    forged = Client(stand.port).call(
        "POST",
        made.json["url"].partition(str(stand.port))[2] or made.json["url"],
        {"eventType": "Bounce"},
    )
    assert (forged.status in (401, 403), len(aws.sent)) == (True, before)
    assert owner.post("/v1/subscriptions/receipts:disable").status == 200
    until(
        lambda: (
            not _invoke(owner, "listEventDestinations", configurationSetName="receipts")["output"][
                "EventDestinations"
            ]
        )
    )
