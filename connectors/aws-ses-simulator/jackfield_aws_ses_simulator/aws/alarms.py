"""Alarms of Amazon CloudWatch on metrics of SES. Messages change an alarm's state, and each change
notifies a topic.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from jackfield_aws_ses_simulator.aws.account import NUMBER, page
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.metrics import values
from jackfield_aws_ses_simulator.aws.resources import Body
from jackfield_aws_ses_simulator.aws.topics import publish_for

_KIND, _PAGE = "Alarm", 100
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_TARGETS = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
_NEW = "Unchecked: Initial alarm creation"
_MISSING = {"breaching": "ALARM", "notBreaching": "OK"}


def alarm_arn(region: str, name: str) -> str:
    """Return the ARN of an alarm."""
    return f"arn:aws:cloudwatch:{region}:{NUMBER}:alarm:{name}"


def _alarms(ledger: Ledger, region: str) -> dict[str, Body]:
    return {
        place[2]: found
        for place, found in ledger.records.items()
        if place[:2] == (_KIND, region) and found is not None
    }


def _put(ledger: Ledger, call: Call) -> Body:
    name, now = str(call.parameters["AlarmName"]), ledger.now()
    known = ledger.records.get((_KIND, call.region, name))
    state = known or {
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": _NEW,
        "StateUpdatedTimestamp": now,
    }
    kept = {
        member: state[member] for member in ("StateValue", "StateReason", "StateUpdatedTimestamp")
    }
    ledger.records[_KIND, call.region, name] = {
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "Dimensions": [],
        **call.parameters,
        **kept,
        "AlarmArn": alarm_arn(call.region, name),
        "AlarmConfigurationUpdatedTimestamp": now,
    }
    evaluate(ledger, call.region)
    return {}


def _describe(ledger: Ledger, call: Call) -> Body:
    given = call.parameters
    evaluate(ledger, call.region)
    names, prefix, state = (
        given.get("AlarmNames"),
        given.get("AlarmNamePrefix", ""),
        given.get("StateValue"),
    )
    rows = {
        name: found
        for name, found in _alarms(ledger, call.region).items()
        if (names is None or name in names)
        and name.startswith(prefix)
        and state in (None, found["StateValue"])
    }
    shown = page(
        rows,
        f"{call.operation}/{call.region}",
        given.get("NextToken"),
        str(given.get("MaxRecords", _PAGE)),
    )
    return {
        "MetricAlarms": [rows[name] for name in shown.names],
        "CompositeAlarms": [],
        "NextToken": shown.token,
    }


def _delete(ledger: Ledger, call: Call) -> Body:
    for name in call.parameters["AlarmNames"]:
        ledger.records.pop((_KIND, call.region, name), None)
    return {}


def _set_state(ledger: Ledger, call: Call) -> Body:
    found = _alarms(ledger, call.region).get(str(call.parameters["AlarmName"]))
    if found is not None:
        _change(
            ledger,
            call.region,
            found,
            call.parameters["StateValue"],
            call.parameters["StateReason"],
        )
    return {}


def evaluate(ledger: Ledger, region: str) -> None:
    """Compare the alarms of a region with their metrics, and notify the topics of alarms whose
    state changes.
    """
    for alarm in _alarms(ledger, region).values():
        state, reason = _state(ledger, region, alarm)
        if state != alarm["StateValue"]:
            _change(ledger, region, alarm, state, reason)


def _state(ledger: Ledger, region: str, alarm: Mapping[str, Any]) -> tuple[str, str]:
    """Return an alarm's state and the reason. It is ALARM once as many of its periods breach as
    ``DatapointsToAlarm`` requires.
    """
    compare = _COMPARISONS.get(str(alarm.get("ComparisonOperator")))
    if alarm.get("Namespace") != "AWS/SES" or compare is None or "Threshold" not in alarm:
        return "INSUFFICIENT_DATA", "Insufficient Data: the simulator has metrics of AWS/SES only"
    period, count = int(alarm.get("Period", 300)), int(alarm["EvaluationPeriods"])
    end = ledger.now()
    found = values(
        ledger,
        region,
        str(alarm["MetricName"]),
        end - period * count,
        end,
        period,
        str(alarm.get("Statistic", "Average")),
    )
    breaching = sum(compare(value, float(alarm["Threshold"])) for value in found.values())
    if not found:
        absent = _MISSING.get(str(alarm.get("TreatMissingData")), "INSUFFICIENT_DATA")
        return (
            absent,
            (
                f"{count} missing datapoints were treated as "
                f"[{alarm.get('TreatMissingData', 'missing')}]"
            ),
        )
    shown = ", ".join(f"{value:g}" for value in found.values())
    is_alarm = breaching >= min(int(alarm.get("DatapointsToAlarm", count)), count)
    relation = f"{'' if is_alarm else 'not '}{alarm['ComparisonOperator']} {alarm['Threshold']:g}"
    return (
        "ALARM" if is_alarm else "OK"
    ), f"Threshold Crossed: datapoints [{shown}], {breaching} of {count} breach: {relation}"


def _change(ledger: Ledger, region: str, alarm: Body, state: str, reason: str) -> None:
    old, now = alarm["StateValue"], ledger.now()
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": now}
    if not alarm["ActionsEnabled"]:
        return
    text = json.dumps(
        {
            "AlarmName": alarm["AlarmName"],
            "AlarmDescription": alarm.get("AlarmDescription"),
            "AWSAccountId": NUMBER,
            "Region": region,
            "NewStateValue": state,
            "OldStateValue": old,
            "NewStateReason": reason,
            "AlarmArn": alarm["AlarmArn"],
            "StateChangeTime": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "Trigger": _trigger(alarm),
        }
    )
    _notify(
        ledger,
        alarm[_TARGETS[state]],
        alarm["AlarmArn"],
        text,
        f'{state}: "{alarm["AlarmName"]}" in {region}'[:100],
    )


def _trigger(alarm: Mapping[str, Any]) -> Body:
    names = (
        "MetricName",
        "Namespace",
        "Statistic",
        "Period",
        "EvaluationPeriods",
        "ComparisonOperator",
        "Threshold",
        "TreatMissingData",
    )
    return {name: alarm[name] for name in names if name in alarm}


def _notify(ledger: Ledger, targets: Iterable[str], arn: str, text: str, subject: str) -> None:
    for target in targets:
        publish_for(ledger, target, "cloudwatch.amazonaws.com", arn, text, subject)


OPERATIONS: Mapping[str, Callable[[Ledger, Call], Body]] = {
    "PutMetricAlarm": _put,
    "DescribeAlarms": _describe,
    "DeleteAlarms": _delete,
    "SetAlarmState": _set_state,
}
"""Operations by name; each returns the members of its response."""
