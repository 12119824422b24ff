"""Webhooks over a topic of Amazon SNS: verification, confirmation, registration and removal. A
``Publisher`` is the source of its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jackfield.connector import (
    Conflict,
    Field,
    Forged,
    Hook,
    HookRequest,
    Received,
    TriggerEvent,
    Unfinished,
)
from jackfield_aws import AwsClients
from jackfield_aws.notifications import CONFIRMATION, ENDED, Expected, Message, verify_request
from jackfield_aws_ses.events import setting_up
from jackfield_aws_ses.events.setting_up import Publisher

_TOPIC_ARN = {"pattern": "^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"}
PERMISSIONS = (
    "sns:CreateTopic",
    "sns:GetTopicAttributes",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
    "sns:ConfirmSubscription",
    "sns:GetSubscriptionAttributes",
    "sns:Unsubscribe",
    "sns:DeleteTopic",
)
"""Permissions that registration and removal need, in addition to the publisher's."""
_AGAIN = 3600.0
"""Seconds after which an unconfirmed subscription is requested from SNS again."""


def topic_field(description: str) -> Any:
    """Return the field of an optional input for a topic's ARN."""
    return Field(
        None,
        title="SNS Topic",
        trim=True,
        blank="absent",
        schema=_TOPIC_ARN,
        expects="the ARN of an SNS topic",
        description=description,
    )


def verified(request: HookRequest, hook: Hook) -> Message:
    """Return the topic's message in a request.

    :raises Forged: if SNS has not signed it, or it is another topic's; ``Conflict`` while the topic
        is not known.
    """
    arn = hook.remote.get("topicArn")
    if not isinstance(arn, str):
        raise Conflict("the topic is not known yet")  # the provider sends it again
    versions = ("1", "2") if hook.inputs.topic_arn else ("2",)
    return verify_request(
        request, Expected.of(arn, hook.remote.get("endpoint"), versions), hook.found
    )


def received(
    request: HookRequest, hook: Hook, read: Callable[[str], Iterable[TriggerEvent]]
) -> Received:
    """Return a request's content: a confirmation's token, the end of the subscription, or the
    events that ``read`` returns.

    :raises Forged: as ``verified``; for a repeated confirmation.
    """
    note = verified(request, hook)
    if note.type == CONFIRMATION:
        if "subscription" in hook.remote:
            raise Forged("the subscription is confirmed already")
        return Received(remote={"token": note.token})
    if note.type == ENDED:
        return Received(remote={"ended": True})
    return Received([*read(note.text)])


def register(
    hook: Hook, aws: AwsClients, wanted: Publisher, **more: Any
) -> Mapping[str, Any] | Unfinished:
    """Create the topic, subscribe the URL, confirm with SNS's token, and make SES publish; each
    call takes the next step. ``more`` is stored with the topic.
    """
    known = dict(hook.remote)
    # what ends may be a former one, over the same topic: SNS names the topic only
    made = known.get("subscription")
    if (
        known.pop("ended", False)
        and made is not None
        and not setting_up.is_subscribed(aws, wanted, made)
    ):
        text = "somebody has ended the subscription of the SNS topic"
        raise Conflict(
            text, hint="Find out who, then disable and enable this subscription: it is made again."
        )
    if "topicArn" not in known:
        known = {"topicArn": setting_up.ensure_topic(aws, wanted), **more}
        endpoint = aws.endpoint_of("sns")
        return Unfinished({**known, **({"endpoint": endpoint} if endpoint else {})})
    topic, token = known["topicArn"], known.pop("token", None)
    subscription = known.pop("subscription", None)
    if subscription is not None and setting_up.is_subscribed(aws, wanted, subscription):
        setting_up.ensure_topic(aws, wanted)
    else:
        subscription = None if token is None else setting_up.confirm(aws, wanted, topic, token)
    if subscription is None:
        setting_up.subscribe(aws, wanted, topic, "https", hook.url)
        return Unfinished(known, _AGAIN)
    wanted.publish(aws, topic)
    return {**known, "subscription": subscription}


def remove(hook: Hook, aws: AwsClients, wanted: Publisher) -> None:
    """Stop SES's publishing, then remove subscription and topic."""
    known = hook.remote
    wanted.withdraw(aws)
    if "subscription" in known:
        setting_up.unsubscribe(aws, wanted, known["subscription"])
    if "topicArn" in known:
        setting_up.remove_topic(aws, wanted, known["topicArn"])
