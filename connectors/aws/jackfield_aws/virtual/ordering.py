"""Order and groups of a service's operations in lists: the most used ones first, each with its
resource.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from jackfield_aws.virtual.names import title_of

RULES = 1
"""Version of the rules for groups."""
MOST_USED = {
    "s3": (
        "ListBuckets ListObjectsV2 GetObject PutObject DeleteObject CopyObject HeadObject "
        "CreateBucket DeleteBucket"
    ),
    "ec2": "RunInstances DescribeInstances StartInstances StopInstances TerminateInstances "
    "RebootInstances DescribeImages"
    " CreateTags DescribeSecurityGroups AuthorizeSecurityGroupIngress DescribeSubnets "
    "DescribeVpcs DescribeVolumes CreateSnapshot",
    "lambda": (
        "Invoke ListFunctions GetFunction CreateFunction UpdateFunctionCode "
        "UpdateFunctionConfiguration DeleteFunction"
    ),
    "dynamodb": "GetItem PutItem UpdateItem DeleteItem Query Scan BatchGetItem BatchWriteItem "
    "TransactWriteItems ListTables"
    " DescribeTable CreateTable",
    "sqs": (
        "SendMessage ReceiveMessage DeleteMessage SendMessageBatch ListQueues GetQueueUrl "
        "GetQueueAttributes CreateQueue PurgeQueue"
    ),
    "sns": (
        "Publish PublishBatch ListTopics CreateTopic Subscribe ListSubscriptionsByTopic Unsubscribe"
    ),
    "iam": (
        "ListUsers ListRoles GetRole CreateRole AttachRolePolicy ListAttachedRolePolicies "
        "ListPolicies GetUser CreateUser PutRolePolicy"
    ),
    "sts": "GetCallerIdentity",
    "secretsmanager": (
        "GetSecretValue ListSecrets CreateSecret PutSecretValue DescribeSecret UpdateSecret "
        "DeleteSecret RotateSecret"
    ),
    "ssm": "GetParameter GetParameters GetParametersByPath PutParameter SendCommand "
    "GetCommandInvocation StartAutomationExecution"
    " DescribeInstanceInformation DeleteParameter",
    "cloudwatch": (
        "GetMetricData GetMetricStatistics PutMetricData ListMetrics DescribeAlarms "
        "PutMetricAlarm SetAlarmState"
    ),
    "logs": (
        "FilterLogEvents StartQuery GetQueryResults DescribeLogGroups DescribeLogStreams "
        "GetLogEvents PutLogEvents PutRetentionPolicy"
    ),
    "events": "PutEvents ListRules PutRule PutTargets EnableRule DisableRule",
    "stepfunctions": (
        "StartExecution DescribeExecution ListExecutions StartSyncExecution StopExecution "
        "ListStateMachines SendTaskSuccess"
    ),
    "kms": "Encrypt Decrypt ListKeys DescribeKey CreateKey Sign Verify",
    "rds": "DescribeDBInstances CreateDBSnapshot StartDBInstance StopDBInstance RebootDBInstance "
    "CreateDBInstance ModifyDBInstance"
    " DescribeDBClusters DescribeDBSnapshots",
    "ecs": (
        "RunTask UpdateService DescribeServices ListServices ListTasks DescribeTasks "
        "StopTask ListClusters RegisterTaskDefinition"
    ),
    "ecr": (
        "DescribeRepositories DescribeImages ListImages CreateRepository BatchDeleteImage "
        "StartImageScan"
    ),
    "route53": (
        "ChangeResourceRecordSets ListResourceRecordSets ListHostedZones GetChange CreateHostedZone"
    ),
    "cloudformation": (
        "CreateStack UpdateStack DeleteStack DescribeStacks DescribeStackEvents ListStacks "
        "CreateChangeSet ExecuteChangeSet"
    ),
    "sesv2": (
        "SendEmail SendBulkEmail GetAccount ListEmailIdentities GetEmailIdentity "
        "CreateEmailIdentity PutSuppressedDestination"
    ),
    "athena": (
        "StartQueryExecution GetQueryExecution GetQueryResults ListWorkGroups StopQueryExecution"
    ),
    "bedrock-runtime": "Converse InvokeModel ApplyGuardrail",
}
"""Most used operations of the most used services, in order of use."""
_LEAST = 3
_KEPT_GROUPS = 16
"""Number of services whose groups are cached: computing EC2's takes 17 ms."""
_LARGE = 200
"""Number of operations by which a group's minimum size grows by one."""
_KEPT = re.compile("(ss|us|is|as|ics|Cors)$")
"""Pattern of the ends of singular words that look like plurals."""


def ordered(service: str, rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return a service's rows, the most used operations first; a row begins with the operation's
    name.
    """
    places = {name: place for place, name in enumerate(MOST_USED.get(service, "").split())}
    return sorted(rows, key=lambda row: places.get(row[0], len(places)))


@lru_cache(maxsize=_KEPT_GROUPS)
def groups(names: tuple[str, ...]) -> Mapping[str, str]:
    """Return the resource of each operation: "Instance" for ``RunInstances`` and
    ``DescribeInstances``. An operation on a rare resource gets a part of its name that enough
    others share ("Transit Gateway"), or an empty text.
    """
    nouns = {name: tuple(_singular(word) for word in title_of(name).split()[1:]) for name in names}
    least = _LEAST + len(nouns) // _LARGE
    shared = Counter(noun[:length] for noun in nouns.values() for length in range(1, len(noun) + 1))
    first = {name: _longest(noun, shared, least) for name, noun in nouns.items()}
    sizes = Counter(first.values())
    return {name: " ".join(_longest(group, sizes, least)) for name, group in first.items()}


def _longest(
    noun: tuple[str, ...], shared: Mapping[tuple[str, ...], int], least: int
) -> tuple[str, ...]:
    return next(
        (
            noun[:length]
            for length in range(len(noun), 0, -1)
            if shared.get(noun[:length], 0) >= least
        ),
        (),
    )


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > len("dies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word if _KEPT.search(word) else word.removesuffix("s")
