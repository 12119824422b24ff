"""Publishing of events in one step: topic, its policy and subscribers, and the configuration set's
event destination.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import WithJsonSchema

from jackfield.connector import Field
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.events import setting_up
from jackfield_aws_ses.events.documents import cloudformation, terraform
from jackfield_aws_ses.events.setting_up import SES_NAMES, USUAL, Wanted
from jackfield_aws_ses.provider import Answer, Done, Regional, iam, one_example, read

_TOPIC = "arn:aws:sns:eu-west-1:123456789012:jackfield-receipts"
_QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jackfield-receipts"
Types = Annotated[
    tuple[str, ...],
    WithJsonSchema(
        {"type": "array", "items": {"enum": sorted(SES_NAMES)}, "minItems": 1, "uniqueItems": True}
    ),
]


class EventsOf(Regional):
    """Configuration set whose events are published."""

    configuration_set_name: str = Field(
        title="Configuration Set",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="Made if it does not exist.",
    )


class SetUp(EventsOf):
    """Events to publish, and their receivers."""

    types: Types = Field(
        USUAL,
        title="Event Types",
        description="Opens and clicks only if named: SES rewrites messages to see them.",
    )
    queue: bool = Field(
        False, title="Queue", description="Make a queue as well, for the trigger 'mailQueue'."
    )
    document: Literal["none", "cloudformation", "terraform"] = Field(
        "none",
        title="Document",
        description="Make nothing, and return the template or module that makes all of it.",
    )

    @property
    def wanted(self) -> Wanted:
        """Configuration set, types and topic as ``setting_up`` creates them."""
        return Wanted(self.configuration_set_name, self.types, self.aws_region)


class Published(Answer):
    """Topic and queue that were made, or the document that makes them."""

    topic_arn: str | None = Field(None, description="ARN of the topic.")
    queue_url: str | None = Field(None, description="URL of the queue.")
    dead_letter_queue_url: str | None = Field(
        None, description="URL of the queue of messages that are no events of SES."
    )
    document: str | None = Field(None, alias="document", description="The template or module.")


@connector.action(
    "setUpEvents",
    effect="idempotent",
    permissions={
        "aws:iam": [
            *iam(
                "CreateConfigurationSet",
                "GetConfigurationSet",
                "CreateConfigurationSetEventDestination",
                "GetConfigurationSetEventDestinations",
                "UpdateConfigurationSetEventDestination",
            )["aws:iam"],
            "sns:CreateTopic",
            "sns:GetTopicAttributes",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sqs:CreateQueue",
            "sqs:GetQueueAttributes",
            "sqs:SetQueueAttributes",
        ]
    },
    examples=one_example(
        "setUpEvents",
        "With a queue",
        {"configurationSetName": "receipts", "queue": True},
        {"TopicArn": _TOPIC, "QueueUrl": _QUEUE, "DeadLetterQueueUrl": f"{_QUEUE}-dead"},
    ),
    keywords=("bounce notifications", "delivery status", "what became of a mail"),
)
def set_up_events(events: SetUp, aws: AwsClients) -> Published:
    """Publish the events of a configuration set's messages: a topic with its policy, a queue with
    its dead-letter queue if wanted, and the event destination.
    """
    wanted = events.wanted
    if events.document != "none":
        make = cloudformation if events.document == "cloudformation" else terraform
        return Published(document=make(wanted, queue=events.queue))
    topic = setting_up.ensure_topic(aws, wanted)
    queue, dead_letters = (
        setting_up.ensure_queue(aws, wanted, topic) if events.queue else (None, None)
    )
    wanted.publish(aws, topic)
    return Published(topic_arn=topic, queue_url=queue, dead_letter_queue_url=dead_letters)


@connector.action(
    "tearDownEvents",
    effect="idempotent",
    permissions={
        "aws:iam": [
            "ses:DeleteConfigurationSetEventDestination",
            "sns:ListTopics",
            "sns:DeleteTopic",
            "sqs:GetQueueUrl",
            "sqs:DeleteQueue",
        ]
    },
    examples=one_example("tearDownEvents", "Of one set", {"configurationSetName": "receipts"}, {}),
)
def tear_down_events(events: EventsOf, aws: AwsClients) -> Done:
    """Remove the resources that 'setUpEvents' created: event destination, topic and queues. The
    configuration set stays.
    """
    wanted = Wanted(events.configuration_set_name, USUAL, events.aws_region)
    wanted.withdraw(aws)
    topic = setting_up.find_topic(aws, wanted)
    if topic is not None:
        setting_up.remove_topic(aws, wanted, topic)
    setting_up.remove_queues(aws, wanted)
    return read(Done, {})
