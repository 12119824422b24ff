"""CloudWatch alarms on the account's sending, as CloudFormation resources and as Terraform.

The metrics cover the whole account in one region: deploy them in each region that sends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Alarm:
    """Alarm on a metric of the namespace ``AWS/SES`` that fires above a threshold. ``period`` is in
    seconds.
    """

    key: str
    description: str
    metric: str
    threshold: float
    statistic: str = "Average"
    period: int = 300

    @property
    def name(self) -> str:
        """Name of the alarm: ``ses-high-bounce-rate``."""
        return f"ses-{self.key}"

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of PutMetricAlarm, without the topic that the alarm notifies."""
        return {
            "AlarmName": self.name,
            "AlarmDescription": self.description,
            "Namespace": "AWS/SES",
            "MetricName": self.metric,
            "Statistic": self.statistic,
            "Period": self.period,
            "EvaluationPeriods": 1,
            "Threshold": self.threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }

    @property
    def resource(self) -> str:
        """Logical name in CloudFormation: ``SesHighBounceRate``."""
        return "Ses" + self.key.replace("-", " ").title().replace(" ", "")


ALARMS = (
    Alarm(
        "high-bounce-rate",
        "Alert on high SES bounce rate: AWS reviews accounts above 5 %.",
        "Reputation.BounceRate",
        0.05,
    ),
    Alarm(
        "critical-bounce-rate",
        "AWS may pause sending above a bounce rate of 10 %.",
        "Reputation.BounceRate",
        0.1,
    ),
    Alarm(
        "high-complaint-rate",
        "AWS reviews accounts above a complaint rate of 0.1 %.",
        "Reputation.ComplaintRate",
        0.001,
    ),
    Alarm(
        "critical-complaint-rate",
        "AWS may pause sending above a complaint rate of 0.5 %.",
        "Reputation.ComplaintRate",
        0.005,
    ),
    Alarm(
        "rejected-messages",
        "SES rejected a message for its content, such as a virus.",
        "Reject",
        0,
        "Sum",
    ),
)
"""Alarms that AWS recommends on bounce and complaint rates, with limits from its enforcement FAQ
(Amazon SES developer guide).
"""

_TOPIC = "ARN of the SNS topic that alarms notify; empty for none."
_CREATE = "true creates the CloudWatch alarms, which cost extra."


def with_alarms(documents: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documents with the alarms added to the CloudFormation template and the Terraform
    module; either is created if missing.
    """
    return {
        "cloudFormation": _template(
            documents.get("cloudFormation") or {"AWSTemplateFormatVersion": "2010-09-09"}
        ),
        "terraform": "\n".join(part for part in (documents.get("terraform"), _module()) if part),
    }


def _template(template: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        "CreateAlarms": {
            "Type": "String",
            "Default": "false",
            "AllowedValues": ["true", "false"],
            "Description": _CREATE,
        },
        "AlarmTopicArn": {"Type": "String", "Default": "", "Description": _TOPIC},
    }
    conditions = {
        "CreateAlarms": {"Fn::Equals": [{"Ref": "CreateAlarms"}, "true"]},
        "HasAlarmTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]},
    }
    alarms = {alarm.resource: _resource(alarm) for alarm in ALARMS}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "CloudWatch alarms on the sending of Amazon SES.",
        **template,
        "Parameters": {**template.get("Parameters", {}), **parameters},
        "Conditions": conditions,
        "Resources": {**template.get("Resources", {}), **alarms},
    }


def _resource(alarm: Alarm) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Condition": "CreateAlarms",
        "Properties": {
            **alarm.parameters,
            "AlarmActions": {
                "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
            },
        },
    }


def _module() -> str:
    return _VARIABLES + "".join(f"\n{_block(alarm)}" for alarm in ALARMS)


_VARIABLES = f"""variable "create_alarms" {{
  description = {json.dumps(_CREATE)}
  type        = bool
  default     = false
}}

variable "alarm_topic_arn" {{
  description = {json.dumps(_TOPIC)}
  type        = string
  default     = ""
}}
"""


def _block(alarm: Alarm) -> str:
    return f"""resource "aws_cloudwatch_metric_alarm" "{alarm.name.replace("-", "_")}" {{
  count               = var.create_alarms ? 1 : 0
  alarm_name          = {json.dumps(alarm.name)}
  alarm_description   = {json.dumps(alarm.description)}
  namespace           = "AWS/SES"
  metric_name         = {json.dumps(alarm.metric)}
  statistic           = {json.dumps(alarm.statistic)}
  period              = {alarm.period}
  evaluation_periods  = 1
  threshold           = {alarm.threshold:g}
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}}
"""
