"""Runtimes whose calls wait for a person's approval."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fake_aws import FakeAws
from jackfield import Result
from jackfield.callers import LIBRARY, Caller
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import Clock, SystemClock
from jackfield_store.access import Workspaces
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from nursery import mail

VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "s3cr3t-of-the-key",
    "region": "eu-west-1",
}
BOB = Actor("cli", "bob")
RULE = {"rules": {"approve": ["aws-ses/sendEmail"]}}


@contextmanager
def runtime(
    url: str, aws: FakeAws, rule: dict[str, Any] | None = RULE, clock: Clock | None = None
) -> Iterator[Jackfield]:
    """A runtime with a stored connection, whose workspace has a rule."""
    values = {**VALUES, "endpoint": aws.url}
    with Jackfield(database_url=url, environment={}, connections=(), clock=clock) as jackfield:
        if not any(one["name"] == "acme-ses" for one in jackfield.connections.list().items):
            jackfield.connections.add("acme-ses", "aws-ses/apiKeySecret", values)
        if rule is not None:
            workspaces_of(jackfield).set("default", rule)
        yield jackfield


def workspaces_of(jackfield: Jackfield) -> Workspaces:
    """The workspaces of its database."""
    return Workspaces(jackfield.storage.database, jackfield.storage.vault, SystemClock())


def worked(jackfield: Jackfield) -> list[Result]:
    """What a worker makes of all that is due."""
    return [jackfield.run(claimed) for claimed in Queue(jackfield.storage.database).claim(100)]


def status_of(jackfield: Jackfield, identifier: str) -> tuple[str, str | None]:
    """Status and error code of an invocation's entry."""
    found = jackfield.journal_of().find(identifier)
    return found.status, found.error_code


def asked(jackfield: Jackfield, caller: Caller = LIBRARY, **more: Any) -> Result:
    """A call that waits."""
    found = jackfield.invoke({**mail("order-1"), **more}, caller=caller)
    assert found.status == "waiting", found.to_json()["error"]
    return found
