"""Changes that an account needs before it sends and is watched: identity, configuration set, events
with their queue, five alarms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from jackfield_aws import AwsClients
from jackfield_aws_ses.alarms import ALARMS
from jackfield_aws_ses.events import setting_up
from jackfield_aws_ses.events.setting_up import EXISTS, GONE, Wanted, passing
from jackfield_aws_ses.plans import Change
from jackfield_aws_ses.provider import ask


def account_changes(
    aws: AwsClients,
    region: str,
    identity: str | None,
    wanted: Wanted,
    *,
    queue: bool,
    alarms: bool,
    alarm_topic: str | None,
) -> Iterator[Change]:
    """Yield the missing or different settings, ordered so that nothing is published before it has a
    receiver.
    """
    if identity is not None and not passing(
        GONE, aws, region, "get_email_identity", {"EmailIdentity": identity}
    ):
        yield Change(
            "identity", identity, "create", {}, partial(_create_identity, aws, region, identity)
        )
    name = wanted.configuration_set
    if not passing(GONE, aws, region, "get_configuration_set", {"ConfigurationSetName": name}):
        yield Change("configurationSet", name, "create", {}, partial(wanted.prepare, aws))
    topic = setting_up.find_topic(aws, wanted)
    yield from _topic(aws, wanted, topic)
    if queue:
        yield from _queue(aws, wanted, topic)
    yield from _destination(aws, wanted, topic)
    if alarms:
        yield from _alarms(aws, region, alarm_topic)


def _create_identity(aws: AwsClients, region: str, identity: str) -> None:
    passing(EXISTS, aws, region, "create_email_identity", {"EmailIdentity": identity})


def _topic(aws: AwsClients, wanted: Wanted, topic: str | None) -> Iterator[Change]:
    to = {"publisher": "ses.amazonaws.com", "source": wanted.source, "signatureVersion": "2"}
    if topic is None or setting_up.topic_changes(aws, wanted, topic):
        yield Change(
            "topic",
            wanted.name,
            "create" if topic is None else "update",
            to,
            partial(setting_up.ensure_topic, aws, wanted),
        )


def _queue(aws: AwsClients, wanted: Wanted, topic: str | None) -> Iterator[Change]:
    url = setting_up.find_queue(aws, wanted)
    if url is not None and topic is not None:
        arn, changes = setting_up.queue_changes(aws, wanted, url, topic)
        if not changes and setting_up.is_queue_subscribed(aws, wanted, topic, arn):
            return
    change: Literal["create", "update"] = "create" if url is None else "update"
    to = {"subscribedTo": wanted.name}
    yield Change(
        "queue",
        wanted.name,
        change,
        to,
        lambda: setting_up.ensure_queue(aws, wanted, _create_topic(aws, wanted)),
    )


def _destination(aws: AwsClients, wanted: Wanted, topic: str | None) -> Iterator[Change]:
    known = wanted.destination(aws)
    if known is not None and topic is not None and wanted.is_published(known, topic):
        return
    to = {
        "configurationSet": wanted.configuration_set,
        "types": sorted(wanted.types),
        "topic": wanted.name,
    }
    change: Literal["create", "update"] = "create" if known is None else "update"
    yield Change(
        "eventDestination",
        wanted.name,
        change,
        to,
        lambda: wanted.publish(aws, _create_topic(aws, wanted)),
    )


def _create_topic(aws: AwsClients, wanted: Wanted) -> str:
    """Return the ARN of the existing topic, from CreateTopic since lists may be outdated."""
    return str(
        ask(
            aws,
            setting_up.region_of(aws, wanted),
            "create_topic",
            {"Name": wanted.name},
            "TopicArn",
            service="sns",
        )["TopicArn"]
    )


def _alarms(aws: AwsClients, region: str, topic: str | None) -> Iterator[Change]:
    asked = {"AlarmNames": [alarm.name for alarm in ALARMS]}
    found = ask(aws, region, "describe_alarms", asked, "MetricAlarms", service="cloudwatch")[
        "MetricAlarms"
    ]
    known = {one["AlarmName"]: one for one in found}
    for alarm in ALARMS:
        to = {**alarm.parameters, **({"AlarmActions": [topic]} if topic else {})}
        if not _is(known.get(alarm.name), to):
            change: Literal["create", "update"] = "update" if alarm.name in known else "create"
            yield Change(
                "alarm",
                alarm.name,
                change,
                to,
                partial(_put_alarm, aws, region, to, known.get(alarm.name)),
            )


def _is(known: Mapping[str, Any] | None, to: Mapping[str, Any]) -> bool:
    return known is not None and all(known.get(name) == value for name, value in to.items())


def _put_alarm(
    aws: AwsClients, region: str, to: Mapping[str, Any], known: Mapping[str, Any] | None
) -> None:
    """Create or change an alarm. Without a topic in ``to``, the alarm keeps its present one."""
    kept = {"AlarmActions": known["AlarmActions"]} if known and known.get("AlarmActions") else {}
    ask(aws, region, "put_metric_alarm", {**kept, **to}, service="cloudwatch")
