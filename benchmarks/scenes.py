"""The same mail, sent by jackfield and by bare boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jackfield import Jackfield

KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
ROLE = "arn:aws:iam::123456789012:role/acme-ses"
MAIL = {
    "awsRegion": "eu-west-1", "to": ["ada@example.com"], "sender": "noreply@example.com", "subject": "Hello", "text": "Hello Ada, " * 20,
}  # fmt: skip
_V2 = {
    "FromEmailAddress": MAIL["sender"],
    "Destination": {"ToAddresses": MAIL["to"]},
    "Content": {
        "Simple": {
            "Subject": {"Data": MAIL["subject"], "Charset": "UTF-8"},
            "Body": {"Text": {"Data": MAIL["text"], "Charset": "UTF-8"}},
        }
    },
}


def static_connection(url: str) -> dict[str, Any]:
    """A connection file's content with keys."""
    return {"acme-ses": {"type": "aws-ses/apiKeySecret", "values": {**KEYS, "endpoint": url}}}


def role_connection(url: str) -> dict[str, Any]:
    """The same with a role."""
    values = {**KEYS, "roleARN": ROLE, "externalId": "jf-1", "endpoint": url, "stsEndpoint": url}
    return {"acme-ses": {"type": "aws-ses/awsAssumeRole", "values": values}}


def runtime(connection: dict[str, Any]) -> Jackfield:
    """A runtime without a journal."""
    return Jackfield(connections=[connection], database_url="none")


def invocation(action: str = "sendEmail", inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """The invocation to run."""
    return {"connector": "aws-ses", "action": action, "connection": "acme-ses", "inputs": inputs or MAIL}


def boto_client(service: str, url: str, **config: Any) -> Any:
    """A cached boto3 client as a careful user would make it."""
    import boto3
    from botocore.config import Config

    session = boto3.Session(KEYS["accessKeyId"], KEYS["secretAccessKey"], region_name="eu-west-1")
    return session.client(service, endpoint_url=url, config=Config(max_pool_connections=50, **config))


def boto_mail(client: Any) -> Callable[[], object]:
    """A call that sends the mail through bare boto3."""
    return lambda: client.send_email(**_V2)
