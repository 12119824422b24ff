"""DNS records of a domain as one plan: published in Route 53, records of others left alone, and
repeated without harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

_WRITES = ("ChangeResourceRecordSets",)


@pytest.fixture(name="aws")
def _aws() -> Iterator[EmbeddedAws]:
    """A simulator with two zones, of which the nearer one counts."""
    with EmbeddedAws(
        identities=["shop.example.com", "elsewhere.net", "noreply@example.com"],
        zones=["example.com", "shop.example.com"],
    ) as aws:
        yield aws


def _invoke(
    aws: EmbeddedAws, action: str = "setUpDns", connector: str = "aws-ses", **inputs: Any
) -> dict[str, Any]:
    connections = {"acme": {"type": "aws-ses/awsAssumeRole", "values": aws.connection_values()}}
    document = {"connector": connector, "action": action, "connection": "acme", "inputs": inputs}
    with Jackfield(connections=connections, database_url="none") as jackfield:
        return jackfield.invoke(document).to_json()


def _output(aws: EmbeddedAws, **inputs: Any) -> dict[str, Any]:
    result = _invoke(aws, **{"identity": "shop.example.com", **inputs})
    assert result["status"] == "succeeded", result
    found: dict[str, Any] = result["output"]
    return found


def _writes(aws: EmbeddedAws) -> int:
    return sum(call.operation in _WRITES for call in aws.calls)


def _put(aws: EmbeddedAws, name: str, kind: str, value: str) -> None:
    record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    made = _invoke(
        aws,
        "changeResourceRecordSets",
        "aws.route53",
        HostedZoneId="Z0000000000002",
        ChangeBatch=batch,
    )
    assert made["status"] == "succeeded", made


def test_records_are_planned_then_published_once(aws: EmbeddedAws) -> None:
    """Three of DKIM, two of the MAIL FROM domain, one of DMARC go into the nearest zone in one
    batch; then there is nothing to do.
    """
    assert (
        _invoke(
            aws, "setMailFrom", identity="shop.example.com", mailFromDomain="mail.shop.example.com"
        )["status"]
        == "succeeded"
    )
    plan = _output(aws, plan=True)
    assert (plan["applied"], plan["hostedZoneId"], plan["kept"]) == (False, "Z0000000000002", [])
    assert [step["to"]["type"] for step in plan["steps"]] == [
        "CNAME",
        "CNAME",
        "CNAME",
        "MX",
        "TXT",
        "TXT",
    ]
    assert [step["name"] for step in plan["steps"]] == [
        record["name"] for record in plan["records"]
    ]
    assert _writes(aws) == 0
    done = _output(aws, apply=plan["digest"])
    assert (done["applied"], done["steps"], _writes(aws)) == (True, plan["steps"], 1)
    assert _output(aws, plan=True)["steps"] == []
    assert _output(aws, apply=plan["digest"])["steps"] == []
    assert _writes(aws) == 1


def test_records_of_others_stay(aws: EmbeddedAws) -> None:
    """A DMARC record with another policy is good, another MX of the MAIL FROM domain is kept and
    told, a wrong DKIM record is replaced.
    """
    _invoke(aws, "setMailFrom", identity="shop.example.com", mailFromDomain="mail.shop.example.com")
    token = next(
        record for record in _output(aws, plan=True)["records"] if record["type"] == "CNAME"
    )
    _put(aws, "_dmarc.shop.example.com", "TXT", '"v=DMARC1; p=reject"')
    _put(aws, "mail.shop.example.com", "MX", "10 mx.other.example")
    _put(aws, token["name"], "CNAME", "old.dkim.amazonses.com")
    plan = _output(aws, plan=True)
    assert [(record["type"], record["name"]) for record in plan["kept"]] == [
        ("MX", "mail.shop.example.com")
    ]
    assert [step["change"] for step in plan["steps"] if step["name"] == token["name"]] == ["update"]
    assert {step["to"]["type"] for step in plan["steps"]} == {"CNAME", "TXT"}
    _output(aws, apply=plan["digest"])
    assert _output(aws, plan=True)["steps"] == []


def test_a_plan_that_has_been_overtaken_is_refused(aws: EmbeddedAws) -> None:
    """The error has the digest of the plan as it is now, and nothing is published."""
    plan = _output(aws, plan=True)
    _put(aws, "_dmarc.shop.example.com", "TXT", '"v=DMARC1; p=reject"')
    refused = _invoke(aws, identity="shop.example.com", apply=plan["digest"])
    assert refused["error"]["code"] == "conflict"
    assert _output(aws, plan=True)["digest"] in refused["error"]["message"]
    assert _writes(aws) == 1


def test_a_domain_that_is_hosted_elsewhere_has_records_to_copy(aws: EmbeddedAws) -> None:
    """Without a hosted zone there is nothing to carry out, and the answer has all records."""
    plan = _output(aws, identity="elsewhere.net", plan=True)
    assert (plan["steps"], "hostedZoneId" in plan and plan["hostedZoneId"]) == (
        [],
        None,
    ) or "hostedZoneId" not in plan
    assert [record["type"] for record in plan["records"]] == ["CNAME", "CNAME", "CNAME", "TXT"]


@pytest.mark.parametrize(
    "given",
    [{}, {"plan": True, "apply": "0" * 64}, {"identity": "noreply@example.com", "plan": True}],
)
def test_what_cannot_be_planned_is_invalid(aws: EmbeddedAws, given: dict[str, Any]) -> None:
    """Neither, both, and an address: AWS is not asked."""
    assert (
        _invoke(aws, **{"identity": "shop.example.com", **given})["error"]["code"]
        == "invalid_input"
    )
    assert aws.calls == []
