"""IAM action of an operation. Most are named after it; the rows are those that differ (AWS service authorization reference)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIXES: Mapping[str, str] = {
    "monitoring": "cloudwatch",
    "tagging": "tag",
    "iotdata": "iot",
    "IoTSecuredTunneling": "iot",
    "iot-jobs-data": "iotjobsdata",
    "mturk-requester": "mechanicalturk",
    "cloudcontrolapi": "cloudformation",
    "bedrock-runtime": "bedrock",
    "bedrock-agent": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "partnercentral-account": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
}
"""Prefixes of IAM actions that are not the signing name."""
_BY_METHOD = frozenset(("apigateway", "apigatewayv2"))
"""Services whose IAM actions are HTTP methods."""
_ROWS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "s3": {
        "ListObjects": ("s3:ListBucket",),
        "ListObjectsV2": ("s3:ListBucket",),
        "ListObjectVersions": ("s3:ListBucketVersions",),
        "ListBuckets": ("s3:ListAllMyBuckets",),
        "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
        "ListParts": ("s3:ListMultipartUploadParts",),
        "HeadBucket": ("s3:ListBucket",),
        "HeadObject": ("s3:GetObject",),
        "CopyObject": ("s3:GetObject", "s3:PutObject"),
        "CreateMultipartUpload": ("s3:PutObject",),
        "UploadPart": ("s3:PutObject",),
        "UploadPartCopy": ("s3:GetObject", "s3:PutObject"),
        "CompleteMultipartUpload": ("s3:PutObject",),
        "DeleteObjects": ("s3:DeleteObject",),
        "SelectObjectContent": ("s3:GetObject",),
        "GetObjectTorrent": ("s3:GetObject",),
        "DeleteBucketCors": ("s3:PutBucketCORS",),
        "GetBucketCors": ("s3:GetBucketCORS",),
        "PutBucketCors": ("s3:PutBucketCORS",),
        "DeleteBucketEncryption": ("s3:PutEncryptionConfiguration",),
        "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
        "PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
        "DeleteBucketLifecycle": ("s3:PutLifecycleConfiguration",),
        "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
        "PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
        "DeleteBucketReplication": ("s3:PutReplicationConfiguration",),
        "GetBucketReplication": ("s3:GetReplicationConfiguration",),
        "PutBucketReplication": ("s3:PutReplicationConfiguration",),
        "DeleteBucketTagging": ("s3:PutBucketTagging",),
        "DeletePublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
        "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
        "PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
        "GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
        "PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
        "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
        "PutObjectLockConfiguration": ("s3:PutBucketObjectLockConfiguration",),
    },
    "lambda": {"Invoke": ("lambda:InvokeFunction",), "InvokeAsync": ("lambda:InvokeFunction",)},
    "sqs": {
        "SendMessageBatch": ("sqs:SendMessage",),
        "DeleteMessageBatch": ("sqs:DeleteMessage",),
        "ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    },
    "sns": {"PublishBatch": ("sns:Publish",)},
    "dynamodb": {
        "TransactGetItems": ("dynamodb:GetItem",),
        "TransactWriteItems": ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"),
        "ExecuteStatement": ("dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"),
    },
    "kms": {"ReEncrypt": ("kms:ReEncryptFrom", "kms:ReEncryptTo")},
    "bedrock-runtime": {
        "Converse": ("bedrock:InvokeModel",),
        "ConverseStream": ("bedrock:InvokeModelWithResponseStream",),
    },
}


def prefix_of(service_model: Any) -> str:
    """Return the prefix of the IAM actions of a service."""
    name = str(service_model.signing_name)
    return _PREFIXES.get(service_model.service_name) or _PREFIXES.get(service_model.endpoint_prefix) or _PREFIXES.get(name) or name


def permissions_of(service: str, operation: Any) -> tuple[str, ...]:
    """Return the IAM actions that an operation needs; none if it is not signed."""
    if operation.auth_type == "none":
        return ()
    row = _ROWS.get(service, {}).get(operation.name)
    if row is not None:
        return row
    if service in _BY_METHOD:
        return (f"apigateway:{operation.http.get('method', 'POST')}",)
    return (f"{prefix_of(operation.service_model)}:{operation.name}",)
