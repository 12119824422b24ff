"""Approvals raced by many while workers are killed: each call is approved once, and made once or in
doubt, never twice.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from fake_aws import FakeAws
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield.invocation import Enqueued
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Workspaces
from jackfield_store.database import open_database
from jackfield_store.recording.decisions import ApprovalClosed
from jackfield_store.runtime import Jackfield
from nursery import mail
from policy_stub import Policy, policy_service

_VALUES = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s", "region": "eu-west-1"}
_CLIENTS = 8
_WORKER = """
import sys
from jackfield import Jackfield
from jackfield_store.journal import Queue
with Jackfield(database_url=sys.argv[1], connections=()) as jackfield:
    jackfield.open()
    queue = Queue(jackfield.storage.database)
    print("ready", flush=True)
    while True:
        for claimed in queue.claim(4):
            jackfield.run(claimed)
"""
"""Works until it is killed."""


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        yield found


@contextmanager
def _worker(url: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER, url], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def _asked(jackfield: Jackfield, count: int) -> list[str]:
    """IDs of as many calls that wait."""
    found = jackfield.enqueue_many([mail(f"order-{number}") for number in range(count)])
    assert all(isinstance(one, Enqueued) and one.status == "waiting" for one in found)
    return [one.invocation_id for one in found if isinstance(one, Enqueued)]


def _race(url: str, ids: list[str], number: int) -> list[str]:
    """Approve all of them, in an order of one's own; return those that this approver has
    approved.
    """
    mine, order = [], random.Random(number).sample(ids, len(ids))
    with Jackfield(database_url=url, connections=()) as jackfield:
        approvals = jackfield.approvals_of(
            Caller(f"cli:{number}", audience="operator"), Actor("cli", str(number))
        )
        for identifier in order:
            try:
                approvals.approve(identifier)
            except ApprovalClosed:
                continue
            mine.append(identifier)
    return mine


@pytest.mark.parametrize("by", ["rule", "policy"])
@pytest.mark.parametrize(
    ("count", "kills"), [(12, 2), pytest.param(1_000, 40, marks=pytest.mark.campaign)]
)
def test_each_is_made_once_or_in_doubt(
    database_url: str,
    count: int,
    kills: int,
    by: str,
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight approvers race for each of the calls, and a worker is killed again and again in
    between. A rule asks for the approvals, or a policy service, which is asked again when a worker
    begins.
    """
    open_database(database_url, migrate=True).close()
    if by == "policy":
        policy.decide = lambda question: {"allow": True, "approve": question["hook"] == "call"}
        for name, value in policy.environment.items():
            monkeypatch.setenv(name, value)
    with (
        FakeAws(latency=0.02) as aws,
        Jackfield(database_url=database_url, connections=()) as jackfield,
    ):
        jackfield.connections.add(
            "acme-ses", "aws-ses/apiKeySecret", {**_VALUES, "endpoint": aws.url}
        )
        workspaces = Workspaces(jackfield.storage.database, jackfield.storage.vault, SystemClock())
        workspaces.set(
            "default", {"rules": {"approve": ["aws-ses/sendEmail"] if by == "rule" else []}}
        )
        ids = _asked(jackfield, count)
        moments = random.Random(count)
        with ThreadPoolExecutor(_CLIENTS) as pool:
            racing = [pool.submit(_race, database_url, ids, number) for number in range(_CLIENTS)]
            for _ in range(kills):
                with _worker(database_url):
                    threading.Event().wait(moments.uniform(0.0, 0.3))
            approved = [identifier for one in racing for identifier in one.result()]
        assert (sorted(approved), len(approved)) == (sorted(ids), count)
        journal = jackfield.journal_of()
        with _worker(database_url):
            assert jackfield.journal is not None
            for identifier in ids:
                while jackfield.wait(identifier, 0.2).status in ("queued", "running"):
                    jackfield.journal.recovery.look()
        statuses = {identifier: journal.find(identifier).status for identifier in ids}
        sent = Counter(message.subject for message in aws.messages)
        assert {*statuses.values()} <= {"succeeded", "in_doubt"}
        assert max(sent.values()) == 1
        made = {
            number for number, identifier in enumerate(ids) if statuses[identifier] == "succeeded"
        }
        assert {f"order-{number}" for number in made} <= {*sent}
        assert (
            not {f"order-{number}" for number in range(count)}
            - {*sent}
            - {
                f"order-{number}"
                for number, identifier in enumerate(ids)
                if statuses[identifier] == "in_doubt"
            }
        )
        assert {row["status"] for row in jackfield.approvals.list(limit=100)[0]} == {"approved"}
