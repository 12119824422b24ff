"""``getSendingMetrics``: the counts that CloudWatch has of an account's sending, on the simulator
and on moto.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from jackfield import Jackfield, Result
from moto_server import moto_server
from rig import KEY_ID, SECRET, Rig, key_values

MAIL = {"sender": "noreply@example.com", "subject": "Hello", "text": "Hello"}


def call(jackfield: Jackfield, action: str, **inputs: Any) -> Result:
    """Invoke an action in eu-west-1 over the connection ``acme``."""
    given = {"awsRegion": "eu-west-1", **inputs}
    return jackfield.invoke(
        {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": given}
    )


def test_sends_bounces_and_complaints_are_counted(tmp_path: Path) -> None:
    """The mailbox simulator's addresses bounce and complain; rates are shares of what was sent, and
    another region counts for itself.
    """
    with Rig(tmp_path, values=key_values()) as rig:
        for to in (
            "ada@example.com",
            "bounce@simulator.amazonses.com",
            "complaint@simulator.amazonses.com",
            "eve@example.com",
        ):
            assert call(rig.jackfield, "sendEmail", **MAIL, to=to).status == "succeeded"
        found = call(rig.jackfield, "getSendingMetrics", period=86_400).unwrap()
        elsewhere = call(rig.jackfield, "getSendingMetrics", awsRegion="us-east-1").unwrap()
    assert found["Totals"] == {"Send": 4, "Delivery": 3, "Bounce": 1, "Complaint": 1, "Reject": 0}
    assert (found["BounceRate"], found["ComplaintRate"], found["Period"]) == (0.25, 0.25, 86_400)
    assert sum(point["Send"] for point in found["Datapoints"]) == 4
    assert (elsewhere["Datapoints"], "BounceRate" in elsewhere) == ([], False)


def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    """CloudWatch's refusal is AWS's own, with the permission to add; the policy of the connection
    has it.
    """
    users = {KEY_ID: {"secret": SECRET, "allow": ["ses:*"]}}
    with Rig(tmp_path, values=key_values(), users=users) as rig:
        error = call(rig.jackfield, "getSendingMetrics").error
        policy = rig.jackfield.connections.policy("acme", ["getSendingMetrics"])
    assert error is not None
    assert (error.code, "cloudwatch:GetMetricData" in str(error.hint)) == ("forbidden", True)
    assert policy["permissions"] == ["cloudwatch:GetMetricData"]


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"startTime": "2026-11-20T11:00:00Z", "endTime": "2026-11-20T10:00:00Z"}, "/startTime"),
        (
            {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-11-20T10:00:00Z", "period": 60},
            "/period",
        ),
        ({"period": 90}, "/period"),
    ],
)
def test_intervals_that_make_no_sense_are_refused(
    tmp_path: Path, inputs: dict[str, Any], path: str
) -> None:
    """An end before the start, more intervals than a call returns, and a period that CloudWatch
    does not have.
    """
    with Rig(tmp_path, values=key_values()) as rig:
        error = call(rig.jackfield, "getSendingMetrics", **inputs).error
        assert rig.aws.requests == []
    assert error is not None
    assert (error.code, error.details[0].path) == ("invalid_input", path)


def test_a_configuration_set_counts_for_itself(tmp_path: Path) -> None:
    """With a configuration set, what was sent over others or none does not count."""
    with Rig(tmp_path, values=key_values()) as rig:
        call(rig.jackfield, "createConfigurationSet", configurationSetName="letters").unwrap()
        for more in ({}, {"configurationSetName": "letters"}):
            call(rig.jackfield, "sendEmail", **MAIL, to="ada@example.com", **more).unwrap()
        found = call(rig.jackfield, "getSendingMetrics", configurationSetName="letters").unwrap()
    assert found["Totals"]["Send"] == 1


def test_moto_understands_the_request(tmp_path: Path) -> None:
    """Another implementation of CloudWatch reads the same request, and its counts come back by
    interval; openings and clicks are shares of what was delivered, those of a configuration set of
    its own.
    """
    with moto_server() as url:
        client = boto3.client(
            "cloudwatch",
            region_name="eu-west-1",
            endpoint_url=url,
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        of_set = [{"Name": "ses:configuration-set", "Value": "letters"}]
        counts = [
            (5, "Send", []),
            (1, "Bounce", []),
            (4, "Delivery", []),
            (2, "Open", []),
            (1, "Click", []),
            (2, "Delivery", of_set),
            (1, "Open", of_set),
        ]
        for value, metric, dimensions in counts:
            # moto adds up all dimensions, CloudWatch none
            at = "2026-11-20T14:20:00Z" if dimensions else "2026-11-20T10:20:00Z"
            data = [
                {"MetricName": metric, "Value": value, "Timestamp": at, "Dimensions": dimensions}
            ]
            client.put_metric_data(Namespace="AWS/SES", MetricData=data)
        connections = [{"acme": {"type": "aws/apiKeySecret", "values": key_values(endpoint=url)}}]
        with Jackfield(connections=connections, database_url="none") as jackfield:
            times = {"startTime": "2026-11-20T10:00:00Z", "endTime": "2026-11-20T12:00:00Z"}
            later = {"startTime": "2026-11-20T14:00:00Z", "endTime": "2026-11-20T16:00:00Z"}
            found = call(jackfield, "getSendingMetrics", **times).unwrap()
            letters = call(
                jackfield, "getSendingMetrics", **later, configurationSetName="letters"
            ).unwrap()
    assert (found["Totals"]["Send"], found["Totals"]["Bounce"], found["BounceRate"]) == (5, 1, 0.2)
    assert (found["OpenRate"], found["ClickRate"]) == (0.5, 0.25)
    assert (
        letters["Totals"]["Send"],
        letters["OpenRate"],
        "ClickRate" in letters,
        "BounceRate" in letters,
    ) == (0, 0.5, False, False)
    assert [point["Timestamp"] for point in found["Datapoints"]] == ["2026-11-20T10:00:00Z"]
