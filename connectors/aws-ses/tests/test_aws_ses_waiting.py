"""``waitUntilVerified``: in the queue without a worker, or directly until the deadline."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jackfield.invocation.entry import Entry
from jackfield_store.journal import Queue
from rig import Rig

PENDING = {"VerifiedForSendingStatus": False, "VerificationStatus": "PENDING"}
DONE = {"VerifiedForSendingStatus": True, "VerificationStatus": "SUCCESS"}
HOUR = 3600.0


def wanted(**more: Any) -> dict[str, Any]:
    """An invocation that looks each hour."""
    inputs = {"awsRegion": "eu-west-1", "identity": "example.com", "intervalSeconds": 3600}
    return {
        "connector": "aws-ses",
        "action": "waitUntilVerified",
        "connection": "acme",
        "inputs": inputs,
        **more,
    }


def entry_of(rig: Rig, identifier: str) -> Entry:
    """The journal's entry."""
    assert rig.jackfield.journal is not None
    return rig.jackfield.journal.find(identifier)


def stored(folder: Path) -> dict[str, str]:
    """The environment of a runtime with a journal."""
    return {"JACKFIELD_DATABASE_URL": f"sqlite:///{folder}/journal.db"}


def look(rig: Rig) -> list[str]:
    """Let a worker take what is due; the ids."""
    found = Queue(rig.jackfield.storage.database, rig.clock).claim(5)
    for claimed in found:
        asyncio.run(rig.jackfield.arun(claimed))
    return [claimed.id for claimed in found]


def test_it_waits_in_the_queue(tmp_path: Path) -> None:
    """An identity that is pending puts the invocation back for the next hour, visibly; once it is
    verified the Result is recorded.
    """
    with Rig(
        tmp_path,
        answers={"GetEmailIdentity": [PENDING, PENDING, DONE]},
        environment=stored(tmp_path),
    ) as rig:
        identifier = rig.jackfield.enqueue(wanted())
        assert isinstance(identifier, str)
        for _ in range(2):
            assert look(rig) == [identifier]
            entry = entry_of(rig, identifier)
            assert entry.status == "queued"
            assert entry.available_at == pytest.approx(rig.clock.time() + HOUR)
            assert "notBefore" in entry.to_json()
            assert look(rig) == []
            rig.clock.advance(HOUR + 1)
        assert look(rig) == [identifier]
        entry = entry_of(rig, identifier)
    assert entry.status == "succeeded"
    assert entry.result is not None
    assert entry.result["output"]["VerifiedForSendingStatus"] is True


def test_it_ends_after_three_days(tmp_path: Path) -> None:
    """Past 72 hours it is a timeout, and not queued again."""
    with Rig(tmp_path, answers={"GetEmailIdentity": PENDING}, environment=stored(tmp_path)) as rig:
        identifier = rig.jackfield.enqueue(wanted())
        rig.clock.advance(71.5 * HOUR)
        assert look(rig) == [identifier]
        entry = entry_of(rig, str(identifier))
        assert (entry.status, entry.error_code) == ("failed", "timeout")


def test_it_is_direct_until_its_deadline(tmp_path: Path) -> None:
    """A direct call looks again until its deadline and then says to queue it; a failed verification
    ends it at once.
    """
    with Rig(tmp_path, answers={"GetEmailIdentity": PENDING}) as rig:
        found = rig.jackfield.invoke(wanted(timeoutSeconds=60))
        assert rig.aws.counts["sesv2:GetEmailIdentity"] > 1
    assert found.error is not None
    assert (found.error.code, "Queue" in str(found.error.hint)) == ("timeout", True)
    failed = {
        "VerifiedForSendingStatus": False,
        "VerificationStatus": "FAILED",
        "VerificationInfo": {"ErrorType": "HOST_NOT_FOUND"},
    }
    with Rig(tmp_path, answers={"GetEmailIdentity": failed}) as rig:
        found = rig.jackfield.invoke(wanted())
    assert found.error is not None
    assert found.error.code == "rejected"
    assert "HOST_NOT_FOUND" in found.error.message
