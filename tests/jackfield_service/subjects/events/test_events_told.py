"""Events that the pipe tells: credentials that have expired, and quotas that run low; on SQLite and
PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from fake_aws import FakeAws
from jackfield.connector import Limits
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.pacing.pace import Paces
from jackfield.pacing.state import AccountQuota, PlaceRequest
from jackfield_service.subjects.events import Event
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from jackfield_store.shared_paces import shared_row

KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret", "region": "eu-west-1"}


@pytest.fixture
def jackfield(database_url: str) -> Iterator[Jackfield]:
    """A runtime of its own database."""
    open_database(database_url, migrate=True).close()
    with Jackfield(connections=[], database_url=database_url) as found:
        yield found


def told(jackfield: Jackfield, *types: str) -> list[Event]:
    """Return the events of some types."""
    return list(jackfield.events(types=types))


def test_credentials_that_have_expired_are_told_once(jackfield: Jackfield) -> None:
    """A static credential that AWS calls expired cannot be renewed: the connection is expired,
    until a call over it succeeds again.
    """
    fault = {"do": "status", "status": 403, "code": "ExpiredToken", "times": 2}
    with FakeAws(script=[fault]) as aws:
        jackfield.connections.add(
            "acme-ses", "aws-ses/apiKeySecret", {**KEYS, "endpoint": aws.url}, test=False
        )
        call = {
            "connector": "aws-ses",
            "action": "listIdentities",
            "connection": "acme-ses",
            "inputs": {"awsRegion": "eu-west-1"},
        }
        codes = [
            result.error and result.error.code
            for result in (jackfield.invoke(call) for _ in range(2))
        ]
        assert codes == ["unauthenticated"] * 2
        (event,) = told(jackfield, "connection.*")
        assert jackfield.connections.show("acme-ses")["status"] == "expired"
        assert (event.type, event.subject, event.data["previousStatus"]) == (
            "connection.expired",
            "acme-ses",
            "untested",
        )
        assert jackfield.invoke(call).status == "succeeded"
    assert [event.type for event in told(jackfield, "connection.*")] == [
        "connection.expired",
        "connection.recovered",
    ]


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "AccessDenied"])
def test_credentials_that_are_refused_are_told_once(jackfield: Jackfield, code: str) -> None:
    """A key that was deleted at night, and a role that may not be assumed any more: the connection
    is expired until a call succeeds.
    """
    fault = {
        "do": "status",
        "status": 403,
        "code": code,
        "times": 2,
        "operation": "AssumeRole" if code == "AccessDenied" else "*",
    }
    with FakeAws(script=[fault]) as aws:
        values: dict[str, Any] = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "s3cret",
            "region": "eu-west-1",
            "endpoint": aws.url,
        }
        if code == "AccessDenied":
            values |= {"roleARN": "arn:aws:iam::123456789012:role/Mailer", "stsEndpoint": aws.url}
        jackfield.connections.add(
            "acme-ses",
            f"aws-ses/{'awsAssumeRole' if 'roleARN' in values else 'apiKeySecret'}",
            values,
            test=False,
        )
        call = {
            "connector": "aws-ses",
            "action": "listIdentities",
            "connection": "acme-ses",
            "inputs": {"awsRegion": "eu-west-1"},
        }
        results = [jackfield.invoke(call) for _ in range(3)]
        assert [result.error and result.error.code for result in results] == [
            "unauthenticated",
            "unauthenticated",
            None,
        ]
    assert [event.type for event in told(jackfield, "connection.*")] == [
        "connection.expired",
        "connection.recovered",
    ]


def test_a_quota_that_runs_low_is_told_once_a_day(jackfield: Jackfield) -> None:
    """A tenth of the quota is left, as the provider stated it and by what was sent since: one
    event, and the next a day later.
    """
    clock = SystemClock()
    pace = Paces(
        clock, shared=partial(shared_row, "default", lambda: jackfield.storage.database, clock)
    ).find("aws-ses", "sending", "123456789012 eu-west-1")
    pace.connection = "acme-ses"
    pace.read(lambda: Limits(per_day=200.0, used=100.0), Deadline.after(60.0, clock))
    assert told(jackfield, "quota.low") == []
    for _ in range(3):
        pace.ask(PlaceRequest(40.0, 60.0, again=True))
    (event,) = told(jackfield, "quota.low")
    wanted: dict[str, Any] = {
        "connector": "aws-ses",
        "connection": "acme-ses",
        "budget": "sending",
        "perDay": 200.0,
        "used": 180.0,
    }
    assert (event.subject, event.data) == ("acme-ses", wanted)


def test_a_quota_that_stays_low_is_told_once_a_day() -> None:
    """Who has heard of it hears of it again only after 24 hours, over which providers count; what
    is high again is not told.
    """
    quota = AccountQuota()
    found = []
    for hours, used in (
        (0, 100.0),
        (1, 181.0),
        (2, 100.0),
        (3, 199.0),
        (24, 199.0),
        (25, 190.0),
        (50, 20.0),
    ):
        quota.read(Limits(per_day=200.0, used=used), hours * 3600.0)
        found += [hours] * quota.falls_low(hours * 3600.0)
    assert found == [1, 25]


def test_a_quota_that_the_provider_refuses_is_low(jackfield: Jackfield) -> None:
    """Nobody has read the limits, and the provider says that they are used up: that is told,
    without figures.
    """
    pace = Paces(
        SystemClock(),
        shared=partial(shared_row, "default", lambda: jackfield.storage.database, SystemClock()),
    ).find("aws-ses", "sending", "123456789012 eu-west-1")
    for _ in range(2):
        pace.quota_used_up()
    (event,) = told(jackfield, "quota.low")
    assert (event.subject, event.data) == ("aws-ses", {"connector": "aws-ses", "budget": "sending"})
