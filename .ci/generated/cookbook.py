"""The cookbook: forty everyday tasks, each as a command, in Python, over HTTP and in the console.
One row makes all four.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from generated.markdown import NOTICE, block

_QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
_TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
_ROW = {"id": "4711", "total": 12.5}
_KEY = {"AttributeName": "id", "KeyType": "HASH"}


class Task(NamedTuple):
    """One task: its title, the action and the inputs that do it, and what is worth knowing."""

    title: str
    connector: str
    action: str
    inputs: Mapping[str, Any]
    note: str = ""


_STORAGE = (
    Task(
        "Create an S3 bucket",
        "aws.s3",
        "createBucket",
        {
            "Bucket": "acme-reports",
            "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
        },
        "Outside us-east-1, S3 wants the region as the bucket's location.",
    ),
    Task("List S3 buckets", "aws.s3", "listBuckets", {}),
    Task(
        "Upload a text to S3",
        "aws.s3",
        "putObject",
        {"Bucket": "acme-reports", "Key": "a.txt", "Body": "Hello"},
        "In a shell, `Body=@report.pdf` uploads a file.",
    ),
    Task("Read a file from S3", "aws.s3", "getObject", {"Bucket": "acme-reports", "Key": "a.txt"}),
    Task(
        "List all files of a bucket",
        "aws.s3",
        "listObjectsV2",
        {"Bucket": "acme-reports", "fetchAll": True},
        "`fetchAll` fetches every page; without it, the Result's `meta.next` has the inputs of "
        "the next one.",
    ),
    Task(
        "Copy a file in S3",
        "aws.s3",
        "copyObject",
        {"Bucket": "acme-reports", "Key": "b.txt", "CopySource": "acme-reports/a.txt"},
    ),
    Task(
        "Delete a file from S3",
        "aws.s3",
        "deleteObject",
        {"Bucket": "acme-reports", "Key": "b.txt"},
    ),
    Task("Create a queue", "aws.sqs", "createQueue", {"QueueName": "orders"}),
    Task(
        "Send a message to a queue",
        "aws.sqs",
        "sendMessage",
        {"QueueUrl": _QUEUE, "MessageBody": "order 4711"},
    ),
    Task(
        "Receive messages from a queue",
        "aws.sqs",
        "receiveMessage",
        {"QueueUrl": _QUEUE, "MaxNumberOfMessages": 10},
    ),
)
_SERVICES = (
    Task(
        "Create a DynamoDB table",
        "aws.dynamodb",
        "createTable",
        {
            "TableName": "orders",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [_KEY],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        },
    ),
    Task(
        "Write a row to DynamoDB",
        "aws.dynamodb",
        "putItem",
        {"TableName": "orders", "Item": {"id": {"S": "4711"}}},
        "Values are typed: `S` is a string, `N` a number, `BOOL` a boolean.",
    ),
    Task(
        "Read a row from DynamoDB",
        "aws.dynamodb",
        "getItem",
        {"TableName": "orders", "Key": {"id": {"S": "4711"}}},
    ),
    Task(
        "Query DynamoDB",
        "aws.dynamodb",
        "query",
        {
            "TableName": "orders",
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"S": "4711"}},
        },
    ),
    Task("Create a topic", "aws.sns", "createTopic", {"Name": "orders"}),
    Task("Publish to a topic", "aws.sns", "publish", {"TopicArn": _TOPIC, "Message": "order 4711"}),
    Task(
        "Store a secret",
        "aws.secretsmanager",
        "createSecret",
        {"Name": "shop", "SecretString": "open-sesame"},
        "Its value is masked in the journal and in logs.",
    ),
    Task(
        "Save a setting",
        "aws.ssm",
        "putParameter",
        {"Name": "/shop/color", "Value": "blue", "Type": "String"},
    ),
    Task(
        "Send a metric",
        "aws.cloudwatch",
        "putMetricData",
        {"Namespace": "shop", "MetricData": [{"MetricName": "orders", "Value": 1}]},
    ),
    Task("List EC2 instances", "aws.ec2", "describeInstances", {"fetchAll": True}),
)
_PEOPLE = (
    Task(
        "Create a GitHub issue",
        "github",
        "createIssue",
        {"owner": "acme", "repo": "shop", "title": "A bug", "labels": ["bug"]},
    ),
    Task(
        "List open issues",
        "github",
        "listIssues",
        {"owner": "acme", "repo": "shop", "state": "open", "fetchAll": True},
    ),
    Task(
        "Comment on an issue",
        "github",
        "createIssueComment",
        {"owner": "acme", "repo": "shop", "issueNumber": 1, "body": "Seen."},
    ),
    Task(
        "Close an issue",
        "github",
        "updateIssue",
        {"owner": "acme", "repo": "shop", "issueNumber": 1, "state": "closed"},
    ),
    Task(
        "Open a pull request",
        "github",
        "createPullRequest",
        {"owner": "acme", "repo": "shop", "title": "Fix it", "head": "fix", "base": "main"},
    ),
    Task(
        "Merge a pull request",
        "github",
        "mergePullRequest",
        {"owner": "acme", "repo": "shop", "pullNumber": 2},
    ),
    Task(
        "Post to a Slack channel",
        "slack",
        "postMessage",
        {"channel": "C024BE91L", "text": "Deployed."},
    ),
    Task(
        "Reply in a Slack thread",
        "slack",
        "postMessage",
        {"channel": "C024BE91L", "text": "Done.", "threadTs": "1503435956.000247"},
    ),
    Task(
        "List Slack channels",
        "slack",
        "listConversations",
        {"excludeArchived": True, "fetchAll": True},
    ),
    Task("Find a Slack user by email", "slack", "findUserByEmail", {"email": "ada@example.com"}),
)
_MONEY = (
    Task(
        "Create a customer", "stripe", "createCustomer", {"email": "ada@example.com", "name": "Ada"}
    ),
    Task(
        "Take a payment",
        "stripe",
        "createPaymentIntent",
        {"amount": 1000, "currency": "eur"},
        "Amounts are in the smallest unit: 10 EUR. Give an idempotency key with each payment: "
        "[Retry safely](retry-safely.md).",
    ),
    Task(
        "Refund a payment",
        "stripe",
        "createRefund",
        {"paymentIntent": "pi_3MtwBwLkdIwHu7ix28a3tqPa"},
    ),
    Task("List all customers", "stripe", "listCustomers", {"fetchAll": True}),
    Task(
        "Cancel a subscription",
        "stripe",
        "cancelSubscription",
        {"subscriptionExposedId": "sub_1MowQVLkdIwHu7ixeRlqHVzs"},
    ),
    Task(
        "Verify a sender",
        "aws-ses",
        "createIdentity",
        {"identity": "noreply@example.com"},
        "SES sends a mail with a link to the address; a domain is verified by the `dnsRecords` "
        "of the answer.",
    ),
    Task(
        "Send an email",
        "aws-ses",
        "sendEmail",
        {
            "sender": "noreply@example.com",
            "to": "ada@example.com",
            "subject": "Hello",
            "text": "Hello Ada",
        },
        "In a shell, `attachments=@report.pdf` attaches a file.",
    ),
    Task("List verified senders", "aws-ses", "listIdentities", {"fetchAll": True}),
    Task("GET a URL", "http", "request", {"url": "/orders", "query": {"state": "open"}}),
    Task(
        "POST JSON to a URL", "http", "request", {"method": "POST", "url": "/orders", "json": _ROW}
    ),
)
PAGES: Mapping[str, tuple[str, tuple[Task, ...]]] = {
    "cookbook-storage": ("files and queues of AWS", _STORAGE),
    "cookbook-services": ("services of AWS", _SERVICES),
    "cookbook-people": ("GitHub and Slack", _PEOPLE),
    "cookbook-money": ("payments, mail and HTTP", _MONEY),
}
"""Pages by name, each with its subject and its tasks."""
_CONNECTIONS = {
    "aws": "acme-aws",
    "aws-ses": "acme-aws",
    "github": "acme-github",
    "slack": "acme-slack",
    "stripe": "acme-stripe",
    "http": "acme-shop",
}
_NEEDS_REGION = ("aws.", "aws-ses")
_HEAD = """# Cookbook: {subject}

Each task is one invocation, shown as a command, in Python and as the body of `POST /v1/invocations`; the console has its form at the
address below the title. The other pages: {others}.

The connections are in `connections.yaml`, which `JACKFIELD_CONNECTIONS` names, or stored by `jackfield connections add`;
[Connections](../reference/connections.md) has their types. Over HTTP, send the body with a token of the scope `invoke`, and offer
services of AWS first ([Call any AWS service](any-aws-service.md)):

```text
curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" http://127.0.0.1:8080/v1/invocations -d "$BODY"
```

```py
from jackfield import Jackfield

jackfield = Jackfield(connections=["connections.yaml"])


def run(connector, action, connection, **inputs):
    invocation = {{"connector": connector, "action": action, "connection": connection, "inputs": inputs}}
    return jackfield.invoke(invocation).unwrap()  # raises InvocationFailed
```"""


def page(name: str) -> str:
    """One page of the cookbook."""
    subject, tasks = PAGES[name]
    others = ", ".join(
        f"[{about}]({other}.md)" for other, (about, _) in PAGES.items() if other != name
    )
    return (
        "\n\n".join(
            [
                NOTICE,
                _HEAD.format(subject=subject, others=others),
                *(part for task in tasks for part in _parts(task)),
            ]
        )
        + "\n"
    )


def _parts(task: Task) -> Iterator[str]:
    connection = _CONNECTIONS[task.connector.partition(".")[0]]
    region = {"awsRegion": "eu-west-1"} if task.connector.startswith(_NEEDS_REGION) else {}
    inputs = {**region, **task.inputs}
    yield f"## {task.title}"
    yield f"Console: `/connectors/{task.connector}/actions/{task.action}`. {task.note}".rstrip()
    words = [
        "jackfield",
        "invoke",
        task.connector,
        task.action,
        "--connection",
        connection,
        *map(_word, inputs.items()),
    ]
    yield block(shlex.join(words), "sh")
    called = ", ".join(
        [
            f'"{task.connector}"',
            f'"{task.action}"',
            f'"{connection}"',
            *(f"{key}={_literal(value)}" for key, value in inputs.items()),
        ]
    )
    yield block(f"run({called})", "py")
    body = {
        "connector": task.connector,
        "action": task.action,
        "connection": connection,
        "inputs": inputs,
    }
    yield block(json.dumps(body, ensure_ascii=False), "json")


def _word(item: tuple[str, Any]) -> str:
    key, value = item
    return (
        f"{key}={value}"
        if isinstance(value, str)
        else f"{key}:={json.dumps(value, ensure_ascii=False)}"
    )


def _literal(value: Any) -> str:
    return repr(value).replace("'", '"')
