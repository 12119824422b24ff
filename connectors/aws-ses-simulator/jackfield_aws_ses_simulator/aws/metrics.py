"""Metrics of SES in Amazon CloudWatch, counted from the accepted messages, and the operations that
read them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.aws.outcomes import outcomes
from jackfield_aws_ses_simulator.aws.resources import Body

_RATES = {"Reputation.BounceRate": "Bounce", "Reputation.ComplaintRate": "Complaint"}
"""Metrics that are shares of all messages sent so far. SES computes them over a representative
volume instead.
"""
_SET = "ses:configuration-set"
"""Dimension of the metrics of one configuration set."""
_STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")


def values(
    ledger: Ledger,
    region: str,
    metric: str,
    start: float,
    end: float,
    period: int,
    statistic: str = "Sum",
    of_set: str | None = None,
) -> dict[float, float]:
    """Return a metric of a region, or of one configuration set there: values by the start of their
    period, oldest first. Periods without data are left out.
    """
    sent = [
        message
        for message in ledger.messages
        if message.region == region and of_set in (None, message.configuration_set)
    ]
    found: dict[float, float] = {}
    for message in sent:
        if start <= message.at < end:
            moment = message.at // period * period
            if metric in _RATES:
                found[moment] = (
                    1.0
                    if statistic == "SampleCount"
                    else _rate(ledger, sent, _RATES[metric], moment + period)
                )
            else:
                found[moment] = found.get(moment, 0.0) + _count(ledger, metric, message)
    return dict(
        sorted((moment, value) for moment, value in found.items() if value or metric in _RATES)
    )


def _rate(ledger: Ledger, sent: list[SentMessage], kind: str, until: float) -> float:
    counted = [message for message in sent if message.at < until]
    return sum(
        any(one.kind == kind for one in outcomes(ledger, message)) for message in counted
    ) / len(counted)


def _count(ledger: Ledger, metric: str, message: SentMessage) -> int:
    """Return a message's contribution to a metric."""
    if metric == "Send":
        return 1
    return Counter(one.kind for one in outcomes(ledger, message))[metric]


def _get_data(ledger: Ledger, call: Call) -> Body:
    given = call.parameters
    start, end = float(given["StartTime"]), float(given["EndTime"])
    return {
        "MetricDataResults": [
            _result(ledger, call.region, query, start, end) for query in given["MetricDataQueries"]
        ],
        "Messages": [],
    }


def _result(
    ledger: Ledger, region: str, query: Mapping[str, Any], start: float, end: float
) -> Body:
    stat = query["MetricStat"]
    name = stat["Metric"]["MetricName"]
    of_set = {item["Name"]: item["Value"] for item in stat["Metric"].get("Dimensions", ())}.get(
        _SET
    )
    found = values(ledger, region, name, start, end, stat["Period"], stat["Stat"], of_set)
    return {
        "Id": query["Id"],
        "Label": name,
        "StatusCode": "Complete",
        "Timestamps": [*found],
        "Values": [*found.values()],
    }


def _get_statistics(ledger: Ledger, call: Call) -> Body:
    given = call.parameters
    name, asked = (
        str(given["MetricName"]),
        [one for one in _STATISTICS if one in given.get("Statistics", ())],
    )
    span = float(given["StartTime"]), float(given["EndTime"]), int(given["Period"])
    points: dict[float, Body] = {}
    for statistic in asked if given["Namespace"] == "AWS/SES" else ():
        for moment, value in values(ledger, call.region, name, *span, statistic).items():
            points.setdefault(
                moment, {"Timestamp": moment, "Unit": "None" if name in _RATES else "Count"}
            )[statistic] = value
    return {"Label": name, "Datapoints": [*points.values()]}


OPERATIONS: Mapping[str, Callable[[Ledger, Call], Body]] = {
    "GetMetricData": _get_data,
    "GetMetricStatistics": _get_statistics,
}
"""Operations by name; each returns the members of its response."""
