"""Notices: messages in topics and queues of events that concern no email. They are acknowledged
without an event.

A notice that needs an operator's action is logged once per process, however often it is delivered:
SNS and SQS deliver more than once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jackfield_aws.notifications import CONFIRMATION, ENDED
from jackfield_aws_ses.events.values import text, texts

_LOG = logging.getLogger("jackfield.aws_ses")
SOURCE = "aws.ses"
"""Member ``source`` of SES's events on EventBridge."""
_VALIDATED = "Successfully validated SNS topic for Amazon SES"
"""Prefix of the text that SES publishes when an event destination is created."""
_ABOUT_TOPICS = "AmazonSns"
"""Prefix of ``notificationType`` in SES's notices about a topic. ``AmazonSnsSubscriptionSucceeded``
is sent for each notification type of each identity when its topic is set.
"""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SHOWN = 300


def is_notice(found: Any, *, tell: bool = True) -> bool:
    """Return whether a message, as text or JSON, is a notice. Log its required action, unless
    ``tell`` is False.
    """
    if isinstance(found, str):
        return found.strip().startswith(_VALIDATED)
    read = _reader(found) if isinstance(found, Mapping) else None
    if read is None:
        return False
    advice = read(found) if tell else ""
    if advice:
        warn_once(advice)
    return True


@lru_cache(maxsize=256)
def warn_once(advice: str) -> None:
    """Log a warning, unless it is among the last 256 different warnings."""
    _LOG.warning("%s", advice)


def shown(value: object) -> str:
    """Return a value of a message as one printable line for the log."""
    return _UNPRINTABLE.sub(" ", str(value))[:_SHOWN]


_Read = Callable[[Mapping[str, Any]], str]
"""Reader of a notice: returns the sentence for the operator, empty if no action is needed."""


def _reader(found: Mapping[str, Any]) -> _Read | None:
    """Return the reader of a notice; None for a message that is no notice."""
    if "detail-type" in found:
        is_mail = isinstance(found.get("detail"), Mapping) and "mail" in found["detail"]
        return None if is_mail or found.get("source") != SOURCE else _of_the_bus
    if found.get("Type") in (CONFIRMATION, ENDED) and "TopicArn" in found:
        return _of_a_topic
    # S3 sends it when notifications of a bucket are set (its user guide, event message structure)
    if found.get("Event") == "s3:TestEvent":
        return _quiet
    if "AlarmName" in found and "NewStateValue" in found:
        return _of_an_alarm
    kind = found.get("notificationType")
    return (
        _quiet
        if isinstance(kind, str) and kind.startswith(_ABOUT_TOPICS) and "mail" not in found
        else None
    )


def _quiet(_found: Mapping[str, Any]) -> str:
    return ""


def _of_a_topic(found: Mapping[str, Any]) -> str:
    """Describe a subscription of the queue that is unconfirmed or has ended."""
    topic, when = shown(found.get("TopicArn")), shown(found.get("Timestamp", ""))
    if found.get("Type") == CONFIRMATION:
        return (
            f"the SNS topic {topic} wants its subscription of the queue confirmed ({when}), and "
            "sends nothing before: subscribe the queue "
            "with credentials of the account that owns the queue, which needs no confirmation"
        )
    return (
        f"the subscription of the queue to the SNS topic {topic} has ended ({when}), so no event "
        "comes: find out who ended it, then "
        "subscribe the queue again ('setUpEvents' with 'queue' does)"
    )


def _of_an_alarm(found: Mapping[str, Any]) -> str:
    """Describe a CloudWatch alarm in the state ALARM that publishes to the topic of events."""
    if found.get("NewStateValue") != "ALARM":
        return ""
    name, why, when = (
        shown(found.get(member, ""))
        for member in ("AlarmName", "NewStateReason", "StateChangeTime")
    )
    return f"the CloudWatch alarm '{name}' is in the state ALARM since {when}: {why}"


def _of_the_bus(found: Mapping[str, Any]) -> str:
    """Describe an EventBridge event of SES that concerns the account, a configuration set, a tenant
    or an identity.
    """
    kind = shown(found["detail-type"])
    about = (
        ", ".join(shown(one) for one in texts(found.get("resources")))
        or f"the account {shown(found.get('account'))}"
    )
    when, where = shown(found.get("time", "")), shown(found.get("region", ""))
    if kind == "Sending Status Disabled":
        return (
            f"Amazon SES has stopped sending for {about} in {where} ({when}){_because(found)}: "
            "read the reputation findings in the SES "
            "console, correct their cause, then resume sending there"
        )
    if kind == "Advisor Recommendation Status Open":
        return (
            f"Amazon SES recommends a change for {about} in {where} "
            f"({when}){_because(found)}: see Virtual Deliverability Manager > Advisor"
        )
    return ""


def _because(found: Mapping[str, Any]) -> str:
    """Return the reason in an EventBridge event: its record's ``cause``, or else the record."""
    detail = found.get("detail")
    data = detail.get("data") if isinstance(detail, Mapping) else None
    record = data.get("record", data) if isinstance(data, Mapping) else None
    if not isinstance(record, Mapping):
        return ""
    words = text(record, "cause") or ", ".join(
        f"{name} {value}" for name, value in record.items() if isinstance(value, str)
    )
    return f", because of: {shown(words)}" if words else ""
