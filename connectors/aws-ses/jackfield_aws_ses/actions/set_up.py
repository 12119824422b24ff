"""Set-up of an account as one plan: identity, configuration set, events and alarms."""

from __future__ import annotations

from collections.abc import Iterable

from jackfield.connector import Detail, Field
from jackfield_aws import AwsClients
from jackfield_aws_ses.actions.events import Types
from jackfield_aws_ses.actions.verification import IdentityChosen
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.events.account_changes import account_changes
from jackfield_aws_ses.events.setting_up import USUAL, Wanted, find_queue, region_of
from jackfield_aws_ses.plans import Plan, Plannable, carried_out
from jackfield_aws_ses.provider import iam, one_example

_TOPIC = {"pattern": "^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"}
_DIGEST = "13b4d0f1a7c56e9b8d2f4a6c8e0b1d3f5a7c9e2b4d6f8a0c1e3b5d7f9a2c4e6b"


class AccountWanted(Plannable, IdentityChosen):
    """Required setup of an account."""

    configuration_set_name: str = Field(
        title="Configuration Set",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="Its messages' events are published.",
    )
    types: Types = Field(
        USUAL,
        title="Event Types",
        description="Opens and clicks only if named: SES rewrites messages to see them.",
    )
    queue: bool = Field(
        True, title="Queue", description="Make a queue as well, for the trigger 'mailQueue'."
    )
    alarms: bool = Field(
        True,
        title="Alarms",
        description="Make the five alarms on bounces, complaints and rejected messages.",
    )
    alarm_topic_arn: str | None = Field(
        None,
        title="Alarm Topic",
        trim=True,
        blank="absent",
        schema=_TOPIC,
        expects="the ARN of an SNS topic",
        description="Topic that the alarms notify; by default, what they notify already stays.",
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of the identity, and the fault of giving both or neither of 'plan' and
        'apply'.
        """
        yield from IdentityChosen.rules(self)
        yield from Plannable.rules(self)


class AccountPlan(Plan):
    """Plan for an account."""

    queue_url: str | None = Field(
        None, alias="queueUrl", description="URL of the queue, if it exists."
    )


@connector.action(
    "setUpAccount",
    effect="idempotent",
    permissions={
        "aws:iam": [
            *iam(
                "GetEmailIdentity",
                "CreateEmailIdentity",
                "GetConfigurationSet",
                "CreateConfigurationSet",
                "GetConfigurationSetEventDestinations",
                "CreateConfigurationSetEventDestination",
                "UpdateConfigurationSetEventDestination",
            )["aws:iam"],
            "sns:ListTopics",
            "sns:CreateTopic",
            "sns:GetTopicAttributes",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sns:ListSubscriptionsByTopic",
            "sqs:CreateQueue",
            "sqs:GetQueueUrl",
            "sqs:GetQueueAttributes",
            "sqs:SetQueueAttributes",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:PutMetricAlarm",
        ]
    },
    examples=one_example(
        "setUpAccount",
        "What is missing",
        {"identity": "example.com", "configurationSetName": "receipts", "plan": True},
        {
            "digest": _DIGEST,
            "applied": False,
            "steps": [
                {
                    "resource": "configurationSet",
                    "name": "receipts",
                    "region": "eu-west-1",
                    "change": "create",
                    "to": {},
                }
            ],
        },
    ),
    keywords=("set up ses", "onboarding", "getting started", "infrastructure", "bounce alarms"),
)
def set_up_account(wanted: AccountWanted, aws: AwsClients) -> AccountPlan:
    """Plan the missing resources for sending and monitoring, and create them: identity,
    configuration set, events with a queue, five alarms. With 'plan' nothing is changed; with
    'apply', exactly the plan with that digest is carried out.
    """
    events = Wanted(wanted.configuration_set_name, wanted.types, wanted.aws_region)
    region = region_of(aws, events)
    changes = [
        *account_changes(
            aws,
            region,
            wanted.name,
            events,
            queue=wanted.queue,
            alarms=wanted.alarms,
            alarm_topic=wanted.alarm_topic_arn,
        )
    ]
    found = carried_out(wanted, region, changes)
    url = find_queue(aws, events) if wanted.queue else None
    return AccountPlan.model_validate({**found, "queueUrl": url})
