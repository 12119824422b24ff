"""Documents that create the same resources as ``setting_up``: a CloudFormation template and a
Terraform module.
"""

from __future__ import annotations

import json
from typing import Any

from jackfield_aws_ses.events.setting_up import DEAD_LETTERS_KEPT, MOST_RECEIVES, SES_NAMES, Wanted

_SET_ARN = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/"


def cloudformation(wanted: Wanted, *, queue: bool) -> str:
    """Return a CloudFormation template whose outputs are the topic's ARN and the queues' URLs."""
    condition = {
        "StringEquals": {
            "aws:SourceAccount": {"Ref": "AWS::AccountId"},
            "aws:SourceArn": {"Fn::Sub": _set_arn(wanted)},
        }
    }
    resources: dict[str, Any] = {
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": wanted.name, "SignatureVersion": "2"},
        },
        "TopicPolicy": _policy(
            "SNS::TopicPolicy",
            "Topics",
            "Topic",
            "ses.amazonaws.com",
            "sns:Publish",
            {"Ref": "Topic"},
            condition,
        ),
        "ConfigurationSet": {
            "Type": "AWS::SES::ConfigurationSet",
            "Properties": {"Name": wanted.configuration_set},
        },
        "Events": {
            "Type": "AWS::SES::ConfigurationSetEventDestination",
            "DependsOn": ["TopicPolicy", *(["Subscription"] if queue else [])],
            "Properties": {
                "ConfigurationSetName": {"Ref": "ConfigurationSet"},
                "EventDestination": {
                    "Name": wanted.name,
                    "Enabled": True,
                    "MatchingEventTypes": [SES_NAMES[name] for name in wanted.types],
                    "SnsDestination": {"TopicARN": {"Ref": "Topic"}},
                },
            },
        },
    }
    outputs: dict[str, Any] = {"TopicArn": {"Value": {"Ref": "Topic"}}}
    if queue:
        arn, by = (
            {"Fn::GetAtt": ["Queue", "Arn"]},
            {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}},
        )
        resources |= {
            "DeadLetters": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": wanted.dead_letters,
                    "MessageRetentionPeriod": DEAD_LETTERS_KEPT,
                },
            },
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": wanted.name,
                    "RedrivePolicy": {
                        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
                        "maxReceiveCount": MOST_RECEIVES,
                    },
                },
            },
            "QueuePolicy": _policy(
                "SQS::QueuePolicy",
                "Queues",
                "Queue",
                "sns.amazonaws.com",
                "sqs:SendMessage",
                arn,
                by,
            ),
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "DependsOn": "QueuePolicy",
                "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": arn},
            },
        }
        outputs |= {
            "QueueUrl": {"Value": {"Ref": "Queue"}},
            "DeadLetterQueueUrl": {"Value": {"Ref": "DeadLetters"}},
        }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Events of Amazon SES for jackfield",
        "Resources": resources,
        "Outputs": outputs,
    }
    return json.dumps(template, indent=2) + "\n"


def _set_arn(wanted: Wanted) -> str:
    return f"{_SET_ARN}{wanted.configuration_set}"


def _policy(
    kind: str, places: str, of: str, service: str, action: str, resource: Any, condition: Any
) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {
        "Type": f"AWS::{kind}",
        "Properties": {places: [{"Ref": of}], "PolicyDocument": document},
    }


_TERRAFORM = """
data "aws_caller_identity" "current" {{}}

resource "aws_sesv2_configuration_set" "events" {{
  configuration_set_name = "{set}"
}}

resource "aws_sns_topic" "events" {{
  name              = "{name}"
  signature_version = 2
}}

resource "aws_sns_topic_policy" "events" {{
  arn = aws_sns_topic.events.arn
  policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [{{
      Effect    = "Allow"
      Principal = {{ Service = "ses.amazonaws.com" }}
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.events.arn
      Condition = {{
        StringEquals = {{
          "aws:SourceAccount" = data.aws_caller_identity.current.account_id
          "aws:SourceArn"     = aws_sesv2_configuration_set.events.arn
        }}
      }}
    }}]
  }})
}}

resource "aws_sesv2_configuration_set_event_destination" "events" {{
  configuration_set_name = aws_sesv2_configuration_set.events.configuration_set_name
  event_destination_name = "{name}"
  event_destination {{
    enabled              = true
    matching_event_types = {types}
    sns_destination {{
      topic_arn = aws_sns_topic.events.arn
    }}
  }}
  depends_on = [aws_sns_topic_policy.events{after}]
}}

output "topic_arn" {{
  value = aws_sns_topic.events.arn
}}
"""
_TERRAFORM_QUEUE = """
resource "aws_sqs_queue" "dead_letters" {{
  name                      = "{dead_letters}"
  message_retention_seconds = {kept}
}}

resource "aws_sqs_queue" "events" {{
  name = "{name}"
  redrive_policy = jsonencode({{
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = {most}
  }})
}}

resource "aws_sqs_queue_policy" "events" {{
  queue_url = aws_sqs_queue.events.url
  policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [{{
      Effect    = "Allow"
      Principal = {{ Service = "sns.amazonaws.com" }}
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.events.arn
      Condition = {{ ArnEquals = {{ "aws:SourceArn" = aws_sns_topic.events.arn }} }}
    }}]
  }})
}}

resource "aws_sns_topic_subscription" "events" {{
  topic_arn  = aws_sns_topic.events.arn
  protocol   = "sqs"
  endpoint   = aws_sqs_queue.events.arn
  depends_on = [aws_sqs_queue_policy.events]
}}

output "queue_url" {{
  value = aws_sqs_queue.events.url
}}

output "dead_letter_queue_url" {{
  value = aws_sqs_queue.dead_letters.url
}}
"""


def terraform(wanted: Wanted, *, queue: bool) -> str:
    """Return a Terraform module whose outputs are the topic's ARN and the queues' URLs."""
    after = ", aws_sns_topic_subscription.events" if queue else ""
    types = json.dumps([SES_NAMES[name] for name in wanted.types])
    made = _TERRAFORM.format(
        set=wanted.configuration_set, name=wanted.name, types=types, after=after
    )
    if queue:
        made += _TERRAFORM_QUEUE.format(
            name=wanted.name,
            dead_letters=wanted.dead_letters,
            kept=DEAD_LETTERS_KEPT,
            most=MOST_RECEIVES,
        )
    return made.lstrip()
