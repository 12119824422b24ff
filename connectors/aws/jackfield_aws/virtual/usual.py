"""Services and operations that people usually mean: they come first of search results that are equal otherwise."""

from __future__ import annotations

from collections.abc import Mapping

_EVERYDAY_NAMES = """
s3 dynamodb sqs sns ec2 lambda iam sts sesv2 ses secretsmanager ssm cloudwatch logs events stepfunctions kms rds ecs ecr eks
route53 cloudformation cloudfront kinesis firehose athena glue apigateway cognito-idp bedrock-runtime acm elbv2 autoscaling
scheduler
"""
EVERYDAY = _EVERYDAY_NAMES.split()
"""Services that most people mean when a query fits several, the most used first."""


KEYWORDS: Mapping[tuple[str, str], str] = {
    ("s3", "PutObject"): "upload object file store",
    ("s3", "GetObject"): "download object file",
    ("s3", "ListObjectsV2"): "list files",
    ("sns", "Publish"): "message topic notification",
    ("dynamodb", "Query"): "table",
    ("dynamodb", "Scan"): "table",
    ("lambda", "Invoke"): "function run",
    ("kms", "Encrypt"): "data",
    ("kms", "Decrypt"): "data",
    ("bedrock-runtime", "Converse"): "model chat",
    ("bedrock-runtime", "InvokeModel"): "prompt",
    ("ec2", "RunInstances"): "launch instance",
    ("logs", "FilterLogEvents"): "search",
    ("sts", "GetCallerIdentity"): "account whoami",
    ("stepfunctions", "StartExecution"): "state machine workflow",
}
"""Words by which people look for operations that are named otherwise."""
