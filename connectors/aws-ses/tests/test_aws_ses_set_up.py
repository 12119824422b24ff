"""Set-up of an account as one plan: shown first, done exactly as shown, and repeated without
harm.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from boto_client import boto_client
from jackfield import Jackfield
from jackfield_aws_ses_simulator.aws.account import NUMBER
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

_MANIFEST_ACTION = "setUpAccount"
_WANTED = {"identity": "shop.example.com", "configurationSetName": "receipts"}
_WRITES = ("Create", "Put", "Set", "Update", "Subscribe", "Delete", "Send")
_ALL = ["identity", "configurationSet", "topic", "queue", "eventDestination", *["alarm"] * 5]


def _permissions() -> list[str]:
    manifest = Jackfield(connections={}, database_url="none").catalog.find("aws-ses")
    found: list[str] = list(manifest.actions[_MANIFEST_ACTION].permissions["aws:iam"])
    return found


@pytest.fixture(name="aws")
def _aws() -> Iterator[EmbeddedAws]:
    """A simulator whose role may do what the action declares, and nothing else."""
    with EmbeddedAws(permissions=_permissions()) as aws:
        yield aws


def _invoke(aws: EmbeddedAws, **inputs: Any) -> dict[str, Any]:
    connections = {"acme": {"type": "aws-ses/awsAssumeRole", "values": aws.connection_values()}}
    document = {
        "connector": "aws-ses",
        "action": _MANIFEST_ACTION,
        "connection": "acme",
        "inputs": {**_WANTED, **inputs},
    }
    with Jackfield(connections=connections, database_url="none") as jackfield:
        return jackfield.invoke(document).to_json()


def _plan(aws: EmbeddedAws, **inputs: Any) -> dict[str, Any]:
    result = _invoke(aws, plan=True, **inputs)
    assert result["status"] == "succeeded", result
    found: dict[str, Any] = result["output"]
    return found


def _applied(aws: EmbeddedAws, digest: str, **inputs: Any) -> dict[str, Any]:
    result = _invoke(aws, apply=digest, **inputs)
    assert result["status"] == "succeeded", result
    found: dict[str, Any] = result["output"]
    return found


def _writes(aws: EmbeddedAws) -> list[str]:
    return [call.operation for call in aws.calls if call.operation.startswith(_WRITES)]


def _client(aws: EmbeddedAws, service: str) -> Any:
    keys = {"AccessKeyId": aws.access_key_id, "SecretAccessKey": aws.secret_access_key}
    sts = boto_client(aws.url, "sts", keys)
    found = sts.assume_role(RoleArn=aws.role_arn, RoleSessionName="ada", ExternalId=aws.external_id)
    return boto_client(aws.url, service, found["Credentials"])


def test_a_plan_reads_and_changes_nothing(aws: EmbeddedAws) -> None:
    """It has every step of an empty account in a safe order, and the digest is that of the
    canonical JSON; twice it is the same.
    """
    plan = _plan(aws)
    assert (plan["applied"], [step["resource"] for step in plan["steps"]]) == (False, _ALL)
    assert {step["change"] for step in plan["steps"]} == {"create"}
    text = json.dumps(plan["steps"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert plan["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert _plan(aws) == plan
    assert _writes(aws) == []


def test_what_was_planned_is_done_and_a_second_run_finds_nothing_to_do(aws: EmbeddedAws) -> None:
    """The answer has the steps and the queue's URL; then the plan is empty, and applying any digest
    does no harm.
    """
    plan = _plan(aws)
    done = _applied(aws, plan["digest"])
    assert (done["applied"], done["steps"], done["queueUrl"]) == (
        True,
        plan["steps"],
        f"{aws.url}/{NUMBER}/jackfield-receipts",
    )
    again = _plan(aws)
    assert again["steps"] == []
    before = len(_writes(aws))
    for digest in (plan["digest"], again["digest"]):
        assert _applied(aws, digest)["steps"] == []
    assert len(_writes(aws)) == before


def test_a_plan_that_has_been_overtaken_is_refused(aws: EmbeddedAws) -> None:
    """Somebody makes an alarm meanwhile: nothing is changed, and the error has the digest of the
    plan as it is now.
    """
    plan = _plan(aws)
    alarm = next(step["to"] for step in plan["steps"] if step["resource"] == "alarm")
    _client(aws, "cloudwatch").put_metric_alarm(**alarm)
    before = len(_writes(aws))
    refused = _invoke(aws, apply=plan["digest"])
    assert (refused["status"], refused["error"]["code"]) == ("failed", "conflict")
    assert len(_writes(aws)) == before
    now = _plan(aws)
    assert now["digest"] in refused["error"]["message"]
    assert len(now["steps"]) == len(plan["steps"]) - 1
    assert _applied(aws, now["digest"])["applied"]


@pytest.mark.parametrize("other", ["threshold", "types", "policy", "queue policy", "subscription"])
def test_what_was_changed_by_others_is_one_step(aws: EmbeddedAws, other: str) -> None:
    """The plan mends exactly what is otherwise, and leaves the rest."""
    _applied(aws, _plan(aws)["digest"])
    topic, url = (
        f"arn:aws:sns:eu-west-1:{NUMBER}:jackfield-receipts",
        f"{aws.url}/{NUMBER}/jackfield-receipts",
    )
    more: dict[str, Any] = {}
    if other == "threshold":
        alarm = {
            "AlarmName": "ses-high-bounce-rate",
            "Namespace": "AWS/SES",
            "MetricName": "Reputation.BounceRate",
            "Period": 300,
        }
        compared = {
            "EvaluationPeriods": 1,
            "Threshold": 0.5,
            "ComparisonOperator": "GreaterThanThreshold",
            "Statistic": "Average",
        }
        _client(aws, "cloudwatch").put_metric_alarm(**alarm, **compared, AlarmActions=[topic])
    elif other == "types":
        more = {"types": ["bounced", "opened"]}
    elif other == "policy":
        _client(aws, "sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue='{"Statement": []}'
        )
    elif other == "queue policy":
        _client(aws, "sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    else:
        aws._ledger.records = {
            place: one for place, one in aws._ledger.records.items() if place[0] != "Subscription"
        }
    plan = _plan(aws, **more)
    resource = {"threshold": "alarm", "types": "eventDestination", "policy": "topic"}.get(
        other, "queue"
    )
    assert [(step["resource"], step["change"]) for step in plan["steps"]] == [(resource, "update")]
    _applied(aws, plan["digest"], **more)
    assert _plan(aws, **more)["steps"] == []
    if other == "threshold":
        found = _client(aws, "cloudwatch").describe_alarms(AlarmNames=["ses-high-bounce-rate"])[
            "MetricAlarms"
        ][0]
        assert (found["Threshold"], found["AlarmActions"]) == (0.05, [topic]), (
            "what it notifies stays"
        )


def test_parts_can_be_left_out(aws: EmbeddedAws) -> None:
    """Without queue and alarms the plan has neither; a topic for the alarms is in each."""
    assert [step["resource"] for step in _plan(aws, queue=False, alarms=False)["steps"]] == [
        *_ALL[:3],
        "eventDestination",
    ]
    topic = f"arn:aws:sns:eu-west-1:{NUMBER}:alerts"
    alarms = [
        step["to"]["AlarmActions"]
        for step in _plan(aws, alarmTopicArn=topic)["steps"]
        if step["resource"] == "alarm"
    ]
    assert alarms == [[topic]] * 5


@pytest.mark.parametrize(
    "given",
    [{}, {"plan": True, "apply": "0" * 64}, {"apply": "abc"}],
    ids=["neither", "both", "no digest"],
)
def test_it_is_either_a_plan_or_its_digest(aws: EmbeddedAws, given: dict[str, Any]) -> None:
    """Anything else is invalid, and AWS is not asked."""
    refused = _invoke(aws, **given)
    assert refused["error"]["code"] == "invalid_input"
    assert _writes(aws) == []
