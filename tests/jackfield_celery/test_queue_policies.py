"""Approvals and policies where Celery and RabbitMQ carry the queue: nothing is released before a
person or a policy allows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_celery.engine_stand import EngineStand, engine_stand

from jackfield import Result
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield.invocation.entry import Entry
from jackfield_store.queue import Engine
from policy_stub import ALLOW, Policy, policy_service
from rabbitmq import Node

BOB = Actor("cli", "bob")
AGENT = Caller("agent", "invoke", remote=True)


@pytest.fixture(name="policy")
def _policy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Policy]:
    """A service that may answer as late as a busy machine does."""
    monkeypatch.setattr("jackfield.call.policy_service.WITHIN", 60.0)
    with policy_service() as found:
        yield found


@pytest.fixture(name="stand")
def _stand(
    tmp_path: Path, database_url: str, rabbitmq: Node, policy: Policy
) -> Iterator[EngineStand]:
    """An engine on SQLite or PostgreSQL, RabbitMQ, and a policy service."""
    with engine_stand(tmp_path, database_url, rabbitmq.url, **policy.environment) as found:
        yield found


def asked(stand: EngineStand, name: str, **more: Any) -> str:
    """Queue a call that waits for a person, and return its id."""
    call = {"connector": "counting", "action": "count", "inputs": {"name": name}, **more}
    found = stand.runtimes.find("default").enqueue(call, caller=AGENT)
    assert isinstance(found, Result)
    assert found.status == "waiting", found.to_json()
    return found.meta.invocation_id


def decide(stand: EngineStand, identifier: str, *, approves: bool = True) -> None:
    """Decide as somebody else."""
    approvals = stand.runtimes.find("default").approvals_of(
        Caller("cli:bob", audience="operator"), BOB
    )
    (approvals.approve if approves else approvals.decline)(identifier)


def entry_of(stand: EngineStand, identifier: str) -> Entry:
    """The entry as a caller finds it."""
    found: Entry = stand.runtimes.find("default").journal_of(AGENT).find(identifier)
    return found


@pytest.mark.parametrize("by", ["rule", "policy"])
def test_what_waits_for_a_person_is_released_once_approved(
    stand: EngineStand, policy: Policy, by: str
) -> None:
    """Others run meanwhile. What is approved runs once, also beside the messages of others, and
    what is declined never.
    """
    if by == "rule":
        stand.runtimes.find("default").access.workspaces.set(
            "default", {"rules": {"approve": ["counting/count"]}}
        )
    else:
        policy.decide = lambda question: {
            "allow": True,
            "approve": question["hook"] == "call" and question["caller"]["name"] == "agent",
        }
    approved, declined, left = (asked(stand, name) for name in ("approved", "declined", "left"))
    if by == "rule":
        stand.runtimes.find("default").access.workspaces.set("default", {"rules": {"approve": []}})
    other = stand.queue("other")

    def step(engine: Engine) -> None:
        stand.ended(other)
        assert [entry_of(stand, one).status for one in (approved, declined, left)] == [
            "waiting"
        ] * 3
        assert stand.calls == {"other": 1}
        decide(stand, approved)
        decide(stand, declined, approves=False)
        stand.ended(approved, declined)
        assert engine.depth().get("default", 0) == 0

    stand.work(step)
    assert stand.calls == {"other": 1, "approved": 1}
    assert [entry_of(stand, one).error_code for one in (approved, declined)] == [None, "cancelled"]
    assert entry_of(stand, left).status == "waiting"


def test_a_worker_asks_the_policy_of_now(stand: EngineStand, policy: Policy) -> None:
    """What was queued, or approved, and is refused when it begins, is not sent."""
    queued = stand.queue("queued")
    policy.decide = lambda question: {"allow": True, "approve": question["hook"] == "call"}
    approved = asked(stand, "approved")
    decide(stand, approved)
    policy.decide = lambda _question: {"allow": False, "reason": "not on Fridays"}
    entries = stand.work(lambda _engine: stand.ended(queued, approved))
    assert [entry.error_code for entry in entries] == ["not_allowed", "cancelled"]
    assert all("not on Fridays" in str(entry.result) for entry in entries)
    assert stand.calls == {}


def test_a_worker_withholds_and_asks_again(stand: EngineStand, policy: Policy) -> None:
    """An output without a decision is withheld until somebody looks for it while the service is
    there.
    """
    policy.decide = lambda question: ALLOW if question["hook"] == "call" else None
    queued = stand.queue("queued")
    (entry,) = stand.work(lambda _engine: stand.ended(queued))
    assert (entry.status, "output" in entry.to_json()) == ("succeeded", False)
    policy.decide = lambda _question: ALLOW
    assert entry_of(stand, queued).to_json()["output"] == {"name": "queued"}
    policy.decide = lambda question: {
        "allow": True,
        "withhold": ["/name"] if question["hook"] == "output" else [],
    }
    other = stand.queue("other")
    stand.work(lambda _engine: stand.ended(other))
    assert entry_of(stand, other).to_json()["output"] == {}


def test_a_queued_call_waits_while_the_service_is_away(stand: EngineStand, policy: Policy) -> None:
    """It goes back to the queue, and runs once there is a decision: once."""
    queued = stand.queue("queued")
    policy.asked.clear()
    policy.status = 500

    def step(_engine: Engine) -> None:
        stand.until(
            queued,
            holds=lambda entry: (
                bool(policy.asked)
                and entry.status == "queued"
                and (entry.available_at or 0.0) > 0.0
            ),
        )
        policy.status = 200
        stand.ended(queued)

    stand.work(step)
    assert stand.calls == {"queued": 1}
