"""Effect of each operation: reviewed exceptions first, then the model's traits, then the verb. An
uncertain effect is ``write``.

HTTP methods prove nothing: AWS sends 1,410 of its ``Get…`` operations by POST, and some operations
with effects by GET.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from jackfield.manifest.manifest import Effect, RepeatOk
from jackfield_aws.virtual.reviewed import NOT_REPEATED, REPEATED, VERBS

_READ_WORDS = """
Get List Describe Head Search Query Scan Lookup Select Discover Check Validate Preview Estimate Simulate Count Compare Calculate
Suggest View
"""
_READ = frozenset(_READ_WORDS.split())
_IDEMPOTENT_WORDS = """
Delete Update Modify Set Tag Untag Enable Disable Associate Disassociate Attach Detach Remove Deregister Cancel Stop Pause Deactivate
"""
_IDEMPOTENT = frozenset(_IDEMPOTENT_WORDS.split())
_REMOVING = (
    "Delete",
    "Remove",
    "Detach",
    "Deregister",
    "Disassociate",
    "Revoke",
    "Cancel",
    "Terminate",
    "Abort",
    "Untag",
)
REPEAT_OK: Mapping[str, tuple[RepeatOk, ...]] = {
    **dict.fromkeys(_REMOVING, ("not_found",)),
    "Purge": ("conflict",),
}
"""Refusals, by verb, that count as success after an attempt with an unknown outcome: a removed
object is not found, or a purge is in progress.
"""
_PREFIXES = frozenset(("Batch", "Admin", "Bulk", "Transact"))
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")

_TABLE: Mapping[str, Mapping[Effect, str]] = {
    "stepfunctions": {"write": "StartExecution GetActivityTask SendTask*"},
    "sqs": {"write": "ReceiveMessage SendMessage SendMessageBatch"},
    "sns": {"write": "Publish*", "idempotent": "CreateTopic Subscribe Unsubscribe"},
    "dynamodb": {
        "write": "UpdateItem ExecuteStatement BatchExecuteStatement",
        "idempotent": "PutItem DeleteItem BatchWriteItem",
        "read": "BatchGetItem TransactGetItems",
    },
    "s3": {
        "idempotent": "CopyObject UploadPart* Abort* CompleteMultipartUpload PutObject",
        "read": "CreateSession SelectObjectContent",
        "write": "WriteGetObjectResponse",
    },
    "lambda": {"write": "Invoke* PublishLayerVersion", "idempotent": "PublishVersion"},
    "ses": {"write": "Send* VerifyEmail*", "read": "TestRender*"},
    "sesv2": {"write": "Send* CreateEmailIdentity", "read": "TestRender*"},
    "events": {"write": "PutEvents PutPartnerEvents", "read": "Test*"},
    "kinesis": {"write": "PutRecord PutRecords SplitShard MergeShards", "read": "SubscribeToShard"},
    "firehose": {"write": "PutRecord PutRecordBatch"},
    "logs": {
        "write": "PutLogEvents",
        "read": "FilterLogEvents StartLiveTail Test*",
        "idempotent": "StartQuery",
    },
    "cloudwatch": {"write": "PutMetricData"},
    "kms": {
        "read": (
            "Encrypt Decrypt ReEncrypt Sign Verify* GenerateMac GenerateRandom "
            "GenerateDataKey* DeriveSharedSecret"
        ),
        "write": "RotateKeyOnDemand CreateKey",
    },
    "sts": {"read": "AssumeRole* GetSessionToken GetFederationToken DecodeAuthorizationMessage"},
    "iam": {
        "write": "CreateAccessKey AddRoleToInstanceProfile EnableMFADevice",
        "idempotent": "GenerateCredentialReport Add*To*",
    },
    "ssm": {
        "write": "SendCommand StartAutomationExecution StartSession PutParameter",
        "idempotent": "AddTagsToResource",
    },
    "cognito-idp": {
        "write": (
            "GetUserAttributeVerificationCode GetTokensFromRefreshToken "
            "AdminResetUserPassword ForgotPassword ResendConfirmationCode"
        )
    },
    "ec2": {"write": "Reboot* Allocate* Assign*"},
    "ecs": {"write": "UpdateService", "read": "DiscoverPollEndpoint"},
    "rds": {"write": "Reboot* Failover*"},
    "cloudformation": {
        "read": "Detect* EstimateTemplateCost",
        "write": "ExecuteChangeSet SignalResource",
    },
    "route53": {"idempotent": "ChangeResourceRecordSets"},
    "ecr": {"write": "InitiateLayerUpload PutImage"},
    "ecr-public": {"write": "InitiateLayerUpload PutImage"},
    "codecommit": {"write": "PutFile"},
    "codepipeline": {
        "write": (
            "PutApprovalResult PutActionRevision Put*JobSuccessResult Put*JobFailureResult "
            "StopPipelineExecution"
        )
    },
    "cur": {"write": "PutReportDefinition"},
    "glue": {"write": "PutSchemaVersionMetadata"},
    "lex-models": {"write": "Put*"},
    "rekognition": {"write": "PutProjectPolicy"},
    "organizations": {"write": "AttachPolicy CancelHandshake TerminateResponsibilityTransfer"},
    "waf": {"write": "Update* Put*"},
    "waf-regional": {"write": "Update* Put*"},
    "wafv2": {
        "write": (
            "UpdateIPSet UpdateRegexPatternSet UpdateRuleGroup UpdateWebACL "
            "UpdateManagedRuleSet* PutManagedRuleSet*"
        )
    },
    "bedrock-runtime": {
        "idempotent": "Converse ConverseStream InvokeModel InvokeModelWithResponseStream ApplyGuardrail"
    },
    "apigateway": {"write": "UpdateMethod"},
    "ivs": {"write": "StartViewerSessionRevocation"},
    "license-manager": {
        "write": "CheckInLicense CheckoutLicense CheckoutBorrowLicense ExtendLicenseConsumption"
    },
    "iot": {"write": "ConfirmTopicRuleDestination"},
    "deadline": {"write": "AssumeFleetRole* AssumeQueueRole*"},
    "timestream-write": {"idempotent": "WriteRecords"},
    "iotsitewise": {"idempotent": "BatchPutAssetPropertyValue"},
    "sagemaker-featurestore-runtime": {"idempotent": "PutRecord"},
    "sagemaker-metrics": {"write": "BatchPutMetrics"},
    "datazone": {"write": "PostLineageEvent"},
    "neptunedata": {"write": "ExecuteOpenCypherExplainQuery"},
    "xray": {"write": "PutTraceSegments PutTelemetryRecords"},
}
"""Exceptions to the rules by service, each checked in AWS's documentation. ``*`` matches any
letters.

An operation is a ``write`` if AWS refuses it when it is sent again, since its object exists or its
lock token was used. A repeated request would end as a failure although the first one took effect.
"""
_CONDITION_WORDS = """
ConditionExpression Expected IfMatch IfNoneMatch LockToken ExpectedRevisionId expectedRevisionId RevisionId revisionId PolicyRevisionId
ExpectedVersion expectedVersion CurrentVersion currentVersion CollectionVersion ReturnValues
"""
_CONDITIONS = frozenset(_CONDITION_WORDS.split())
"""Inputs that make an operation depend on the state it changes: sent again, it is refused, or
returns its own change as the old state.
"""
_NO_VALUES = "NONE"
"""Value of DynamoDB's ``ReturnValues`` that requests no values."""
_NAMES = frozenset(("RevisionId", "revisionId"))
"""Inputs that, if required, are no condition, since they name the object to change."""


Condition = Callable[[Mapping[str, Any]], bool]
"""Function that returns whether inputs make an idempotent operation a ``write``."""


def condition_of(service: str, operation: str, shape: Any) -> Condition | None:
    """Return the condition that makes an otherwise idempotent operation a ``write``; None if the
    operation has no such condition.
    """
    if (service, operation) == ("route53", "ChangeResourceRecordSets"):
        return _creates_or_deletes
    names = (
        frozenset()
        if shape is None
        else _CONDITIONS.intersection(shape.members) - _NAMES.intersection(shape.required_members)
    )
    return partial(_is_given, names) if names else None


def _is_given(names: frozenset[str], inputs: Mapping[str, Any]) -> bool:
    return any(inputs.get(name) not in (None, _NO_VALUES) for name in names)


def _creates_or_deletes(inputs: Mapping[str, Any]) -> bool:
    """Return whether a repeated change would be refused, as all but UPSERT are (Amazon Route 53 API
    reference).
    """
    changes = (inputs.get("ChangeBatch") or {}).get("Changes") or ()
    return any(change.get("Action") != "UPSERT" for change in changes)


def effect_of(service: str, operation: Any) -> Effect:
    """Return the effect of a botocore operation."""
    name = operation.name
    if (service, name) in NOT_REPEATED:
        return "write"
    reviewed = next(
        (
            effect
            for effect, names in _reviewed(service)
            if any(fnmatchcase(name, item) for item in names)
        ),
        None,
    )
    if reviewed is not None:
        return reviewed
    verb, _ = verb_of(name)
    traits = operation._operation_model  # noqa: SLF001 (botocore has no public name for the trait)
    if verb in _READ or (traits.get("readonly") and verb not in ("Start", "Stop")):
        return "read"
    if operation.idempotent_members or traits.get("idempotent"):
        return "idempotent"
    if verb in VERBS:
        return "idempotent" if (service, name) in REPEATED else "write"
    return "idempotent" if verb in _IDEMPOTENT else "write"


def verb_of(operation: str) -> tuple[str, str]:
    """Return the verb of an operation's name as a whole word, and the rest."""
    words = _WORDS.findall(operation)
    if len(words) > 1 and words[0] in _PREFIXES:
        words = words[1:]
    return words[0], "".join(words[1:])


def _reviewed(service: str) -> Iterator[tuple[Effect, Iterable[str]]]:
    for effect, names in _TABLE.get(service, {}).items():
        yield effect, names.split()
