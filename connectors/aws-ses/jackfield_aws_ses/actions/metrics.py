"""``getSendingMetrics``: CloudWatch's counts of the account's sending in one region, or of a
configuration set's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.provider import Answer, Moment, Regional, ask, one_example, read

METRICS = ("Send", "Delivery", "Bounce", "Complaint", "Reject")
_TRACKED = ("Open", "Click")
_RATES = {"Bounce": "Send", "Complaint": "Send", "Open": "Delivery", "Click": "Delivery"}
_NAMESPACE = "AWS/SES"
_SET = "ses:configuration-set"
"""CloudWatch dimension with the configuration set: SES's auto-tag, as an event destination in
CloudWatch publishes it.
"""
_MOST = 1440
"""Maximum number of intervals of one call: a day by the minute, two months by the hour."""
_DAY = timedelta(days=1)
_Time = Annotated[datetime, WithJsonSchema({"type": "string", "format": "date-time"})]


class MetricsQuery(Regional):
    """Region, time and length of the intervals."""

    start_time: _Time | None = Field(
        None,
        title="Start",
        blank="absent",
        description="Begin of the first interval; by default 24 hours before the end.",
    )
    end_time: _Time | None = Field(
        None, title="End", blank="absent", description="Time in the last interval; by default now."
    )
    period: int = Field(
        3600,
        title="Period",
        blank="absent",
        schema={"minimum": 60, "maximum": 86_400, "multipleOf": 60},
        description="Length of an interval in seconds, a multiple of 60. CloudWatch keeps minutes "
        "for 15 days, 5 minutes for 63 days, and "
        "hours for 455 days.",
    )

    configuration_set_name: str | None = Field(
        None,
        title="Configuration Set",
        trim=True,
        blank="absent",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="Count this configuration set only. It needs an event destination in "
        "CloudWatch with the message tag "
        "'ses:configuration-set' as a dimension.",
    )

    def interval(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the start of the first interval and the end of the last one. ``now`` is the
        default end.
        """
        end = (self.end_time or now).astimezone(UTC)
        start = self.start_time.astimezone(UTC) if self.start_time is not None else end - _DAY
        last = _floored(end - timedelta(microseconds=1), self.period)
        return _floored(start, self.period), last + timedelta(seconds=self.period)

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of the interval: an end before the start, or too many periods."""
        start, end = self.interval(datetime.now(UTC))
        if end <= start:
            yield Detail("/startTime", "is not before the end", "maximum")
        elif (end - start) / timedelta(seconds=self.period) > _MOST:
            yield Detail(
                "/period", f"gives more than {_MOST:,} intervals from start to end", "minimum"
            )


class Counts(Answer):
    """Counts of messages; SES counts a bounce and a complaint for each recipient."""

    send: float = Field(0, description="Messages that SES accepted.")
    delivery: float = Field(0, description="Messages that a recipient's server accepted.")
    bounce: float = Field(0, description="Hard bounces.")
    complaint: float = Field(0, description="Recipients who marked a message as spam.")
    reject: float = Field(0, description="Messages rejected for their content, such as a virus.")
    open: float | None = Field(
        None, description="Openings, each time; absent if none was tracked in the whole time."
    )
    click: float | None = Field(
        None,
        description="Clicks on links, each time; absent if none was tracked in the whole time.",
    )


class Interval(Counts):
    """Counts of one interval."""

    timestamp: Moment = Field(description="Begin of the interval.")


class SendingMetrics(Answer):
    """Counts of the account or the configuration set in the region, oldest first."""

    datapoints: tuple[Interval, ...] = Field(description="Intervals in which anything was counted.")
    totals: Counts = Field(description="Sums over all intervals.")
    bounce_rate: float | None = Field(
        None, description="Bounces per message sent in that time; AWS reviews accounts above 0.05."
    )
    complaint_rate: float | None = Field(
        None,
        description="Complaints per message sent in that time; AWS reviews accounts above 0.001.",
    )
    open_rate: float | None = Field(
        None,
        description="Openings per message delivered. One message may be opened often, so the rate "
        "may exceed 1; programs that load "
        "pictures in advance count too.",
    )
    click_rate: float | None = Field(None, description="Clicks per message delivered.")
    period: int = Field(description="Length of an interval in seconds.")


_POINT = {
    "Timestamp": "2026-11-20T10:00:00Z",
    "Send": 420.0,
    "Delivery": 415.0,
    "Bounce": 3.0,
    "Complaint": 0.0,
    "Reject": 0.0,
    "Open": 166.0,
    "Click": 83.0,
}


@connector.action(
    "getSendingMetrics",
    effect="read",
    permissions={"aws:iam": ["cloudwatch:GetMetricData"]},
    rate_limit=RateLimit(per_second=10),
    examples=one_example(
        "getSendingMetrics",
        "One hour",
        {"startTime": "2026-11-20T10:00:00Z", "endTime": "2026-11-20T11:00:00Z"},
        {
            "Datapoints": [_POINT],
            "Totals": {name: _POINT[name] for name in (*METRICS, *_TRACKED)},
            "BounceRate": 0.007143,
            "ComplaintRate": 0.0,
            "OpenRate": 0.4,
            "ClickRate": 0.2,
            "Period": 3600,
        },
    ),
)
def get_sending_metrics(query: MetricsQuery, aws: AwsClients) -> SendingMetrics:
    """Read sends, deliveries, bounces, complaints, rejects, openings and clicks from CloudWatch, of
    the account or one configuration set, with the rates of bounces and complaints per message sent,
    of openings and clicks per message delivered.
    """
    start, end = query.interval(datetime.now(UTC))
    name_of_set = query.configuration_set_name
    dimensions = (
        {"Dimensions": [{"Name": _SET, "Value": name_of_set}]} if name_of_set is not None else {}
    )
    wanted = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {"Namespace": _NAMESPACE, "MetricName": name, **dimensions},
                "Period": query.period,
                "Stat": "Sum",
            },
        }
        for name in (*METRICS, *_TRACKED)
    ]
    parameters = {
        "MetricDataQueries": wanted,
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    answer = ask(
        aws,
        query.aws_region,
        "get_metric_data",
        parameters,
        "MetricDataResults",
        service="cloudwatch",
    )
    points = _points(answer["MetricDataResults"])
    counted = points[0].keys() - {"Timestamp"} if points else METRICS
    totals = {name: sum(point[name] for point in points) for name in counted}
    rates = {
        name + "Rate": round(totals[name] / totals[base], 6)
        for name, base in _RATES.items()
        if name in totals and totals[base]
    }
    return read(
        SendingMetrics, {"Datapoints": points, "Totals": totals, "Period": query.period, **rates}
    )


def _points(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per interval with its metrics, oldest first."""
    results = list(results)
    tracked = [
        name
        for name in _TRACKED
        if any(result.get("Id") == name.lower() and result.get("Values") for result in results)
    ]
    names = {name.lower(): name for name in (*METRICS, *tracked)}
    found: dict[datetime, dict[str, Any]] = {}
    for result in results:
        name = names.get(str(result.get("Id")))
        for moment, value in zip(
            result.get("Timestamps", ()), result.get("Values", ()), strict=False
        ):
            if name is not None:
                found.setdefault(
                    moment, {"Timestamp": moment, **dict.fromkeys(names.values(), 0.0)}
                )[name] += value
    return [found[moment] for moment in sorted(found)]


def _floored(moment: datetime, period: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // period * period, UTC)
