"""Event destinations of a configuration set: where Amazon SES reports deliveries, bounces,
complaints, opens and clicks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import ConfigDict

from jackfield.connector import Detail, Field, Inputs, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.actions.configuration_sets import SetChosen
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import Answer, Done, ask, filled, iam, one_example, read

EventType = Literal[
    "SEND",
    "REJECT",
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
    "SUBSCRIPTION",
]
_ONCE = RateLimit(per_second=1)
_ARN = {"pattern": "^arn:[a-z-]+:[a-z0-9-]+:[^\\s]{1,1000}$"}
_EXPECTED = "the ARN of an AWS resource"
_WORD = {"pattern": "^[A-Za-z0-9_-]{1,256}$"}
_WORDED = "1 to 256 letters, digits, '_' or '-'"


class DestinationChosen(SetChosen):
    """Event destination of a configuration set."""

    event_destination_name: str = Field(
        title="Event Destination",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="a name of letters, digits, '_' and '-'",
        description="The name of the event destination.",
    )


class Dimension(Inputs):
    """Dimension of CloudWatch metrics."""

    model_config = ConfigDict(title="Dimension")

    name: str = Field(
        title="Name", schema=_WORD, expects=_WORDED, description="The dimension's name."
    )
    source: Literal["MESSAGE_TAG", "EMAIL_HEADER", "LINK_TAG"] = Field(
        "MESSAGE_TAG", title="Source", description="Origin of its value."
    )
    default: str = Field(
        title="Default",
        schema=_WORD,
        expects=_WORDED,
        description="Value where the message has none.",
    )


class DestinationSettings(DestinationChosen):
    """Event destination: exactly one of a topic, a bus, a stream or metrics."""

    matching_event_types: tuple[EventType, ...] = Field(
        title="Event Types",
        schema={"minItems": 1, "uniqueItems": True},
        description="The events to report.",
    )
    enabled: bool = Field(True, title="Enabled", description="False: no events are reported.")
    sns_topic_arn: str | None = Field(
        None,
        title="SNS Topic",
        trim=True,
        blank="absent",
        schema=_ARN,
        expects=_EXPECTED,
        description="ARN of an Amazon SNS topic.",
    )
    event_bus_arn: str | None = Field(
        None,
        title="Event Bus",
        trim=True,
        blank="absent",
        schema=_ARN,
        expects=_EXPECTED,
        description="ARN of the default event bus of Amazon EventBridge.",
    )
    firehose_stream_arn: str | None = Field(
        None,
        title="Firehose Stream",
        trim=True,
        blank="absent",
        schema=_ARN,
        expects=_EXPECTED,
        description="ARN of an Amazon Data Firehose stream; needs the role.",
    )
    firehose_role_arn: str | None = Field(
        None,
        title="Firehose Role",
        trim=True,
        blank="absent",
        schema=_ARN,
        expects=_EXPECTED,
        description="ARN of the role with which Amazon SES writes to the stream.",
    )
    cloud_watch_dimensions: tuple[Dimension, ...] | None = Field(
        None,
        title="CloudWatch Dimensions",
        schema={"minItems": 1, "maxItems": 10},
        description="Dimensions of Amazon CloudWatch metrics.",
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of inputs with none or several destinations."""
        given = [
            name
            for name, value in (
                ("snsTopicArn", self.sns_topic_arn),
                ("eventBusArn", self.event_bus_arn),
                ("firehoseStreamArn", self.firehose_stream_arn),
                ("cloudWatchDimensions", self.cloud_watch_dimensions),
            )
            if value
        ]
        if len(given) != 1:
            text = (
                "give exactly one of 'snsTopicArn', 'eventBusArn', 'firehoseStreamArn' and "
                "'cloudWatchDimensions'"
            )
            yield Detail(f"/{given[1] if given else 'snsTopicArn'}", text)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the operations that create and update the event destination."""
        stream = {
            "IamRoleArn": self.firehose_role_arn,
            "DeliveryStreamArn": self.firehose_stream_arn,
        }
        dimensions = [
            {
                "DimensionName": item.name,
                "DimensionValueSource": item.source,
                "DefaultDimensionValue": item.default,
            }
            for item in self.cloud_watch_dimensions or ()
        ]
        wanted = {
            "Enabled": self.enabled,
            "MatchingEventTypes": list(self.matching_event_types),
            "SnsDestination": {"TopicArn": self.sns_topic_arn} if self.sns_topic_arn else None,
            "EventBridgeDestination": {"EventBusArn": self.event_bus_arn}
            if self.event_bus_arn
            else None,
            "KinesisFirehoseDestination": stream if self.firehose_stream_arn else None,
            "CloudWatchDestination": {"DimensionConfigurations": dimensions}
            if dimensions
            else None,
        }
        names = {
            "ConfigurationSetName": self.configuration_set_name,
            "EventDestinationName": self.event_destination_name,
        }
        return {**names, "EventDestination": filled(wanted)}


_PAIR = {
    "dependentRequired": {
        "firehoseStreamArn": ["firehoseRoleArn"],
        "firehoseRoleArn": ["firehoseStreamArn"],
    }
}
_TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
_EXAMPLE = {
    "configurationSetName": "receipts",
    "eventDestinationName": "bounces",
    "matchingEventTypes": ["BOUNCE", "COMPLAINT"],
    "snsTopicArn": _TOPIC,
}


@connector.action(
    "createEventDestination",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateConfigurationSetEventDestination"),
    permissions=iam("CreateConfigurationSetEventDestination"),
    rate_limit=_ONCE,
    schema=_PAIR,
    examples=one_example(
        "createEventDestination", "Bounces and complaints to a topic", _EXAMPLE, {}
    ),
    keywords=(
        "sns",
        "webhook",
        "bounce notifications",
        "complaint notifications",
        "track opens and clicks",
        "cloudwatch metrics",
    ),
)
def create_event_destination(wanted: DestinationSettings, aws: AwsClients) -> Done:
    """Publish the events of a configuration set's messages to a topic, a bus, a stream or
    CloudWatch.
    """
    return read(
        Done,
        ask(
            aws, wanted.aws_region, "create_configuration_set_event_destination", wanted.parameters
        ),
    )


@connector.action(
    "updateEventDestination",
    effect="idempotent",
    permissions=iam("UpdateConfigurationSetEventDestination"),
    rate_limit=_ONCE,
    schema=_PAIR,
    examples=one_example("updateEventDestination", "Pause it", {**_EXAMPLE, "enabled": False}, {}),
)
def update_event_destination(wanted: DestinationSettings, aws: AwsClients) -> Done:
    """Replace an event destination."""
    return read(
        Done,
        ask(
            aws, wanted.aws_region, "update_configuration_set_event_destination", wanted.parameters
        ),
    )


@connector.action(
    "deleteEventDestination",
    effect="idempotent",
    permissions=iam("DeleteConfigurationSetEventDestination"),
    rate_limit=_ONCE,
    repeat_ok=("not_found",),
    examples=one_example(
        "deleteEventDestination",
        "One of a set",
        {"configurationSetName": "receipts", "eventDestinationName": "bounces"},
        {},
    ),
)
def delete_event_destination(chosen: DestinationChosen, aws: AwsClients) -> Done:
    """Delete an event destination."""
    names = {
        "ConfigurationSetName": chosen.configuration_set_name,
        "EventDestinationName": chosen.event_destination_name,
    }
    return read(
        Done, ask(aws, chosen.aws_region, "delete_configuration_set_event_destination", names)
    )


class SnsDestination(Answer):
    """Topic."""

    topic_arn: str = Field(description="ARN of the topic.")


class EventBridgeDestination(Answer):
    """Event bus."""

    event_bus_arn: str = Field(description="ARN of the bus.")


class FirehoseDestination(Answer):
    """Stream."""

    iam_role_arn: str = Field(description="ARN of the role that writes.")
    delivery_stream_arn: str = Field(description="ARN of the stream.")


class DimensionConfiguration(Answer):
    """Dimension of metrics."""

    dimension_name: str = Field(description="Name.")
    dimension_value_source: str = Field(description="MESSAGE_TAG, EMAIL_HEADER or LINK_TAG.")
    default_dimension_value: str = Field(description="Value where the message has none.")


class CloudWatchDestination(Answer):
    """Metrics."""

    dimension_configurations: tuple[DimensionConfiguration, ...] = Field(description="Dimensions.")


class PinpointDestination(Answer):
    """Pinpoint project."""

    application_arn: str | None = Field(None, description="ARN of the project.")


class EventDestination(Answer):
    """Event destination of a configuration set."""

    name: str = Field(description="Its name.")
    enabled: bool | None = Field(None, description="False: no events are reported.")
    matching_event_types: tuple[str, ...] = Field(description="Reported events.")
    sns_destination: SnsDestination | None = Field(None, description="Topic.")
    event_bridge_destination: EventBridgeDestination | None = Field(None, description="Event bus.")
    kinesis_firehose_destination: FirehoseDestination | None = Field(None, description="Stream.")
    cloud_watch_destination: CloudWatchDestination | None = Field(None, description="Metrics.")
    pinpoint_destination: PinpointDestination | None = Field(None, description="Pinpoint project.")


class EventDestinations(Answer):
    """All event destinations of a configuration set."""

    event_destinations: tuple[EventDestination, ...] = Field(
        description="Event destinations; Amazon SES returns them in one page."
    )


@connector.action(
    "listEventDestinations",
    effect="read",
    permissions=iam("GetConfigurationSetEventDestinations"),
    rate_limit=_ONCE,
    examples=one_example(
        "listEventDestinations",
        "Of one set",
        {"configurationSetName": "receipts"},
        {
            "EventDestinations": [
                {
                    "Name": "bounces",
                    "Enabled": True,
                    "MatchingEventTypes": ["BOUNCE", "COMPLAINT"],
                    "SnsDestination": {"TopicArn": _TOPIC},
                },
            ]
        },
    ),
)
def list_event_destinations(chosen: SetChosen, aws: AwsClients) -> EventDestinations:
    """List the event destinations of a configuration set."""
    parameters = {"ConfigurationSetName": chosen.configuration_set_name}
    answer = ask(
        aws,
        chosen.aws_region,
        "get_configuration_set_event_destinations",
        parameters,
        "EventDestinations",
    )
    return read(EventDestinations, answer)
