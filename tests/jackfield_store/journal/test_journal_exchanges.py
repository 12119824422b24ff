"""Exchanges in the journal live as long as their entry: sealed, deleted with it, and open after
keys were rotated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from clocks import FakeClock, time_passes
from fake_aws import FakeAws
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.journal.exchanges import exchanges_of
from jackfield_store.runtime import Jackfield
from nursery import connection, mail

DAY = 86_400.0


@pytest.fixture
def jackfield(database_url: str, aws: FakeAws, clock: FakeClock) -> Iterator[Jackfield]:
    """A runtime on a database of each kind."""
    open_database(database_url, migrate=True).close()
    with Jackfield(
        connections=[connection(aws.url)], database_url=database_url, clock=clock
    ) as opened:
        yield opened


def kept(jackfield: Jackfield, identifier: str) -> Mapping[str, Any] | None:
    """What is kept of an invocation's exchanges."""
    assert jackfield.journal is not None
    return exchanges_of(jackfield.journal, identifier)


def refuse(aws: FakeAws) -> None:
    """Let the next mail be refused."""
    aws.script(
        [
            {
                "operation": "SendEmail",
                "do": "status",
                "status": 400,
                "code": "MessageRejected",
                "message": "no",
            }
        ]
    )


def rows(jackfield: Jackfield) -> list[bytes]:
    """The sealed rows of the table."""
    with jackfield.storage.database.read() as transaction:
        return [
            bytes(row.sealed)
            for row in transaction.execute("SELECT sealed FROM invocation_exchanges")
        ]


def test_they_are_sealed_and_deleted_with_their_entry(
    jackfield: Jackfield, aws: FakeAws, clock: FakeClock
) -> None:
    """The row shows nothing of what was sent, and the purge that deletes the entry deletes it."""
    refuse(aws)
    identifier = jackfield.invoke(mail("old")).meta.invocation_id
    assert kept(jackfield, identifier) is not None
    (sealed,) = rows(jackfield)
    assert b"outbound-emails" not in sealed
    time_passes(31 * DAY, clock, jackfield.storage.database)
    assert jackfield.journal is not None
    jackfield.journal.purge()
    assert rows(jackfield) == []


def test_rotated_keys_open_them(jackfield: Jackfield, aws: FakeAws) -> None:
    """New data keys seal what comes; what was sealed with earlier ones is read as before."""
    refuse(aws)
    identifier = jackfield.invoke(mail("old")).meta.invocation_id
    before = kept(jackfield, identifier)
    jackfield.storage.vault.rotate(data_keys=True)
    assert kept(jackfield, identifier) == before


def test_a_recorded_workspace_keeps_bodies_of_failures(jackfield: Jackfield, aws: FakeAws) -> None:
    """Where inputs are recorded, a failure shows the bodies without a trace; a success keeps
    nothing.
    """
    jackfield.access.workspaces.set("default", {"keepInputs": True})
    refuse(aws)
    failed, fine = jackfield.invoke(mail("a")), jackfield.invoke(mail("b"))
    found = kept(jackfield, failed.meta.invocation_id)
    assert found is not None
    assert "Hello Ada" in found["exchanges"][0]["request"]["body"]
    assert "MessageRejected" in str(found["exchanges"][0]["response"])
    assert kept(jackfield, fine.meta.invocation_id) is None


def test_a_queued_call_keeps_them_and_its_trace(jackfield: Jackfield) -> None:
    """A worker keeps the exchanges of what was queued with ``trace``, and the entry's labels are
    found as before.
    """
    given = {**mail("queued"), "trace": True, "context": {"labels": {"order": "4711"}}}
    identifier = jackfield.enqueue(given)
    assert isinstance(identifier, str)
    (claimed,) = Queue(jackfield.storage.database).claim(1)
    assert asyncio.run(jackfield.arun(claimed)).status == "succeeded"
    found = kept(jackfield, identifier)
    assert found is not None
    assert found["exchanges"][0]["response"]["status"] == 200


def test_an_unkeyed_failure_with_labels_keeps_both(jackfield: Jackfield, aws: FakeAws) -> None:
    """A call that is recorded whole at its end has its exchanges, and is found by its label."""
    refuse(aws)
    given = {name: value for name, value in mail("x").items() if name != "idempotencyKey"}
    result = jackfield.invoke({**given, "context": {"labels": {"order": "4711"}}})
    assert kept(jackfield, result.meta.invocation_id) is not None
    assert jackfield.journal is not None
    assert [entry.id for entry in jackfield.journal.entries(label="order=4711")[0]] == [
        result.meta.invocation_id
    ]
