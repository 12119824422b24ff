"""Amazon CloudWatch (AWS JSON 1.0), of which the simulator has ``GetMetricData`` for the metrics of SES."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from jackfield_aws_ses.demo.aws.access import Caller
from jackfield_aws_ses.demo.aws.call import Call
from jackfield_aws_ses.demo.aws.exchange import Answer
from jackfield_aws_ses.demo.aws.ledger import Ledger
from jackfield_aws_ses.demo.aws.messages import SentMessage
from jackfield_aws_ses.demo.aws.refusals import unimplemented

_JSON = "application/x-amz-json-1.0"
_SET = "ses:configuration-set"
_SIMULATED = {"bounce@simulator.amazonses.com": ("Bounce",), "complaint@simulator.amazonses.com": ("Delivery", "Complaint")}


def answer_monitoring(ledger: Ledger, call: Call, caller: Caller) -> Answer:
    """Answer a call of CloudWatch.

    :raises Refusal: when AWS would refuse it, or the simulator does not know the operation.
    """
    if call.operation != "GetMetricData":
        raise unimplemented(call.operation)
    caller.authorise("*", "cloudwatch:GetMetricData")
    given = call.parameters
    start, end = float(given["StartTime"]), float(given["EndTime"])
    results = [_result(ledger, call.region, query, start, end) for query in given["MetricDataQueries"]]
    body = json.dumps({"MetricDataResults": results, "Messages": []}).encode()
    return Answer(200, body, _JSON, (("x-amzn-RequestId", call.request_id),))


def _result(ledger: Ledger, region: str, query: dict[str, Any], start: float, end: float) -> dict[str, Any]:
    """Count one metric by periods, oldest first."""
    stat = query["MetricStat"]
    name, period = stat["Metric"]["MetricName"], stat["Period"]
    dimensions = {item["Name"]: item["Value"] for item in stat["Metric"].get("Dimensions", ())}
    of_set = dimensions.get(_SET)
    counts: Counter[float] = Counter()
    for message in ledger.messages:
        if message.region == region and start <= message.at < end and of_set in (None, message.configuration_set):
            counts[message.at // period * period] += _count(name, message)
    times = sorted(moment for moment, count in counts.items() if count)
    return {"Id": query["Id"], "Label": name, "StatusCode": "Complete", "Timestamps": times, "Values": [counts[moment] for moment in times]}


def _count(metric: str, message: SentMessage) -> int:
    """Count a message for a metric; the mailbox simulator's addresses bounce and complain."""
    if metric == "Send":
        return 1
    return sum(metric in _SIMULATED.get(address.lower(), ("Delivery",)) for address in message.recipients)
