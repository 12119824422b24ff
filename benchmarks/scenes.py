"""Scenes and their parts that several benchmarks share: one mail, sent by jackfield and by bare
boto3, and databases.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield import Jackfield

KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
ROLE = "arn:aws:iam::123456789012:role/acme-ses"
MAIL = {
    "awsRegion": "eu-west-1",
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello Ada, " * 20,
}
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
PLAIN = '''
from jackfield.connector import Connector, Inputs, Output

connector = Connector("plain", title="Plain", version="1.0.0")

class Say(Inputs):
    """What to say."""
    text: str

class Said(Output):
    """What was said."""
    text: str

@connector.action("say", effect="read")
def say(inputs: Say) -> Said:
    """Say it back."""
    return Said(text=inputs.text)

@connector.action("keep", effect="write")
def keep(inputs: Say) -> Said:
    """Keep it."""
    return Said(text="kept")
'''
"""Source of a connector without connections: a read and a write that send nothing."""


def static_connection(url: str) -> dict[str, Any]:
    """Return a connection file's content with keys."""
    return {"acme-ses": {"type": "aws-ses/apiKeySecret", "values": {**KEYS, "endpoint": url}}}


def role_connection(url: str) -> dict[str, Any]:
    """Return a connection file's content with a role."""
    values = {**KEYS, "roleARN": ROLE, "externalId": "jf-1", "endpoint": url, "stsEndpoint": url}
    return {"acme-ses": {"type": "aws-ses/awsAssumeRole", "values": values}}


def runtime(connection: dict[str, Any]) -> Jackfield:
    """Open a runtime without a journal."""
    return Jackfield(connections=[connection], database_url="none")


def invocation(action: str = "sendEmail", inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the invocation to run."""
    return {
        "connector": "aws-ses",
        "action": action,
        "connection": "acme-ses",
        "inputs": inputs or MAIL,
    }


def boto_client(service: str, url: str, **config: Any) -> Any:
    """Make a boto3 client as a careful user would, who keeps it."""
    import boto3
    from botocore.config import Config

    session = boto3.Session(KEYS["accessKeyId"], KEYS["secretAccessKey"], region_name="eu-west-1")
    return session.client(
        service, endpoint_url=url, config=Config(max_pool_connections=50, **config)
    )


def boto_mail(client: Any) -> Callable[[], object]:
    """Return a call that sends the mail through bare boto3."""
    return lambda: client.send_email(**_V2)


@contextmanager
def send(url: str) -> Iterator[Callable[[], object]]:
    """Send the mail through jackfield, without a journal."""
    with runtime(static_connection(url)) as jackfield:
        yield lambda: jackfield.invoke(invocation()).unwrap()


@contextmanager
def boto_send(url: str, **config: Any) -> Iterator[Callable[[], object]]:
    """Send the mail through a kept boto3 client."""
    yield boto_mail(boto_client("sesv2", url, **config))


@contextmanager
def database(kind: str, *, has_tables: bool = True) -> Iterator[tuple[str, Path]]:
    """Yield the URL of an empty database, ``none``, ``SQLite`` or ``PostgreSQL``, and a data
    folder; a SQLite file makes its tables itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        if kind != "PostgreSQL":
            yield "none" if kind == "none" else f"sqlite:///{folder}/journal.db", Path(folder)
            return
        from jackfield_store.database import open_database
        from postgres import running_server

        with running_server() as server:
            url = server.create()
            if has_tables:
                open_database(url).close()
            yield url, Path(folder)


def databases() -> list[str]:
    """Return the kinds of databases that are there."""
    from postgres import missing

    return ["SQLite"] if missing() is not None else ["SQLite", "PostgreSQL"]
