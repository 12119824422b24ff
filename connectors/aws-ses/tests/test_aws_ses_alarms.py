"""Alarms on the account's sending, in the documents of ``connections policy``."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from jackfield import Jackfield

ROLE = {
    "type": "aws/awsAssumeRole",
    "values": {"roleARN": "arn:aws:iam::123456789012:role/acme-ses", "externalId": "jf-1"},
}
KEY = {"type": "aws/apiKeySecret", "values": {"accessKeyId": "AKIAX", "secretAccessKey": "s3cret"}}
BOUNCES = {
    "AlarmName": "ses-high-bounce-rate",
    "Namespace": "AWS/SES",
    "MetricName": "Reputation.BounceRate",
    "Statistic": "Average",
    "Period": 300,
    "EvaluationPeriods": 1,
    "Threshold": 0.05,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture(
    params=[pytest.param(ROLE, id="role"), pytest.param(KEY, id="key", marks=pytest.mark.campaign)]
)
def documents(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The documents of a connection."""
    with Jackfield(connections=[{"acme": request.param}], database_url="none") as jackfield:
        found: dict[str, Any] = jackfield.connections.policy("acme", ["sendEmail"])
    return found


def test_cloudformation_makes_the_alarms(documents: dict[str, Any]) -> None:
    """The template holds five alarms, the usual one on bounces among them, and cfn-lint finds no
    fault.
    """
    cfnlint: Any = importlib.import_module("cfnlint.api")  # it has no types
    template = documents["cloudFormation"]
    assert cfnlint.lint(json.dumps(template), cfnlint.ManualArgs(regions=["eu-west-1"])) == []
    alarms = [
        row["Properties"]
        for row in template["Resources"].values()
        if row["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert (
        BOUNCES.items()
        <= next(alarm for alarm in alarms if alarm["AlarmName"] == "ses-high-bounce-rate").items()
    )
    assert sorted({alarm["MetricName"] for alarm in alarms}) == [
        "Reject",
        "Reputation.BounceRate",
        "Reputation.ComplaintRate",
    ]
    assert len(alarms) == 5
    assert template["Parameters"]["CreateAlarms"]["Default"] == "false", (
        "alarms cost extra: whoever wants them says so"
    )


def test_terraform_makes_the_same_alarms(documents: dict[str, Any]) -> None:
    """A Terraform parser reads the module; its alarms have the names, metrics and thresholds of the
    template.
    """
    hcl2: Any = importlib.import_module("hcl2")  # it has no types
    module = hcl2.loads(documents["terraform"])
    rows = [
        alarm
        for block in module["resource"]
        for kind, named in block.items()
        if "metric_alarm" in kind
        for alarm in named.values()
    ]
    found = {
        (plain(row["alarm_name"]), plain(row["metric_name"]), float(row["threshold"]))
        for row in rows
    }
    resources = [
        row["Properties"]
        for row in documents["cloudFormation"]["Resources"].values()
        if "Alarm" in row["Type"]
    ]
    assert found == {
        (row["AlarmName"], row["MetricName"], float(row["Threshold"])) for row in resources
    }


def plain(text: str) -> str:
    """A string without the quotes that some versions of the parser keep."""
    return text.strip('"')
