"""Approvals: a call under a rule ``approve`` waits for a person, and what runs is what that person
was shown.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.jackfield_store.journal.approving import (
    BOB,
    RULE,
    VALUES,
    asked,
    runtime,
    status_of,
    worked,
    workspaces_of,
)

from clocks import FakeClock
from fake_aws import FakeAws
from jackfield import InvocationFailed, InvocationWaiting, Result
from jackfield.callers import Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import ApprovalRequired, InvalidInvocation, JackfieldError, NotAllowed
from jackfield_service.subjects.tenants.tenants import Tenants
from jackfield_store.access import Tokens
from jackfield_store.journal import Queue
from jackfield_store.management.dead_letters import refuse_unapproved
from jackfield_store.recording.decisions import ApprovalClosed
from jackfield_store.runtime import Jackfield
from nursery import mail

_SCHEMAS = Path(__file__).parents[3] / "schemas"


def tokens_of(jackfield: Jackfield, actor: Actor = BOB) -> Tokens:
    """The tokens of its workspace."""
    return Tokens(
        jackfield.storage.database, jackfield.storage.vault, "default", SystemClock(), actor
    )


def test_a_call_waits_until_a_person_approves_it(upgraded: str, aws: FakeAws) -> None:
    """It is sent once, by a worker; ``Result.wait`` has its outcome, and until then ``unwrap`` says
    what it waits for.
    """
    with runtime(upgraded, aws) as jackfield:
        found = asked(jackfield)
        jsonschema.validate(
            found.to_json(),
            json.loads((_SCHEMAS / "result.schema.json").read_text(encoding="utf-8")),
        )
        identifier = found.meta.invocation_id
        assert found.meta.approval is not None
        assert (found.meta.approval["id"], found.exit_code, found.meta.attempts) == (
            identifier,
            4,
            0,
        )
        with pytest.raises(InvocationWaiting, match="waits for a person's approval"):
            found.unwrap()
        assert worked(jackfield) == []
        assert found.wait(0.01).status == "waiting"
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        (row,), cursor = approvals.list(status="waiting")
        shown = approvals.show(identifier)
        assert (row["id"], cursor, shown["status"], shown["inputs"]["subject"]) == (
            identifier,
            None,
            "waiting",
            "order-1",
        )
        assert "s3cr3t" not in json.dumps(shown)
        assert approvals.approve(identifier, "it is fine")["status"] == "approved"
        assert [result.status for result in worked(jackfield)] == ["succeeded"]
        assert found.wait(1).status == "succeeded"
        assert len(aws.messages) == 1
        assert approvals.show(identifier)["decidedBy"] == {"kind": "cli", "id": "bob"}
        assert [row["why"] for row in approvals.list()[0]] == ["it is fine"]


def test_a_restart_in_between_survives(upgraded: str, aws: FakeAws) -> None:
    """Who asks, who approves and who works are three processes, one after the other; a large
    attachment is kept until then.
    """
    call = mail("order-1")
    call["inputs"] = {
        **call["inputs"],
        "attachments": {"a.txt": {"data": "QUFB" * 100_000, "contentType": "text/plain"}},
    }
    with runtime(upgraded, aws) as first:
        found = first.invoke(call)
        assert found.status == "waiting", found.to_json()
    with runtime(upgraded, aws, rule=None) as second:
        approvals = second.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        shown = approvals.show(found.meta.invocation_id)
        # without a store of files that all processes reach, the content is in the inputs
        for file in shown.get("files", {}).values():
            assert (file["contentType"], len(file["sha256"])) == ("text/plain", 64)
        assert len(shown["digest"]) == 64
        approvals.approve(found.meta.invocation_id)
    with runtime(upgraded, aws, rule=None) as third:
        assert [result.status for result in worked(third)] == ["succeeded"]
    assert len(aws.messages) == 1


def test_the_journal_shows_what_waits(upgraded: str, aws: FakeAws) -> None:
    """As a status of its own, by which entries are filtered; what is queued is another."""
    with runtime(upgraded, aws) as jackfield:
        found = asked(jackfield)
        journal = jackfield.journal_of()
        assert [entry.id for entry in journal.entries(status="waiting")[0]] == [
            found.meta.invocation_id
        ]
        assert [
            entry.id for entry in journal.entries(status="waiting", connector="aws-ses")[0]
        ] == [found.meta.invocation_id]
        assert journal.entries(status="queued")[0] == []
        shown = journal.find(found.meta.invocation_id).to_json()
        assert (shown["status"], shown["approval"], "notAfter" in shown) == (
            "waiting",
            found.meta.approval,
            False,
        )
        assert Queue(jackfield.storage.database).depth() in ({}, {"default": 0})
        jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(
            found.meta.invocation_id
        )
        assert [entry.id for entry in journal.entries(status="queued")[0]] == [
            found.meta.invocation_id
        ]
        assert journal.entries(status="waiting")[0] == []


@pytest.mark.parametrize("end", ["decline", "cancel", "expire"])
def test_what_is_not_approved_frees_its_key(upgraded: str, aws: FakeAws, end: str) -> None:
    """The same key while it waits gets the same approval; after its end, the key is free, and
    nothing was sent.
    """
    clock = FakeClock()
    with runtime(upgraded, aws, clock=clock) as jackfield:
        first, again = asked(jackfield), asked(jackfield)
        identifier = first.meta.invocation_id
        assert (again.meta.invocation_id, again.meta.approval, again.meta.replayed) == (
            identifier,
            first.meta.approval,
            True,
        )
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        if end == "decline":
            assert approvals.decline(identifier, "not today")["status"] == "declined"
        elif end == "cancel":
            assert jackfield.cancel(identifier)
        else:
            jackfield.storage.database.record(
                lambda transaction: transaction.change(
                    "UPDATE invocations SET not_after = 1 WHERE id = :id", {"id": identifier}
                )
            )
        third = asked(jackfield)
        assert third.meta.invocation_id != identifier
        assert status_of(jackfield, identifier) == ("failed", "cancelled")
        wanted = {"decline": "declined", "cancel": "cancelled", "expire": "expired"}[end]
        assert approvals.show(identifier)["status"] == wanted
        with pytest.raises(ApprovalClosed):
            approvals.approve(identifier)
        assert (worked(jackfield), aws.messages) == ([], [])


def test_what_expires_is_ended_by_the_watch(upgraded: str, aws: FakeAws) -> None:
    """Without anybody who asks for it."""
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        jackfield.storage.database.record(
            lambda transaction: transaction.change(
                "UPDATE invocations SET not_after = 1 WHERE id = :id", {"id": identifier}
            )
        )
        assert jackfield.journal is not None
        jackfield.journal.recovery.look()
        assert status_of(jackfield, identifier) == ("failed", "cancelled")
        assert jackfield.approvals.show(identifier)["status"] == "expired"


def test_a_decision_counts_once(upgraded: str, aws: FakeAws) -> None:
    """A second approval, and a decline after it, are refused; so is a redrive."""
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        approvals.approve(identifier)
        for decide in (approvals.approve, approvals.decline):
            with pytest.raises(ApprovalClosed, match="does not wait"):
                decide(identifier)
        worked(jackfield)
        with pytest.raises(ApprovalClosed, match="does not wait"):
            approvals.approve(identifier)
        assert (worked(jackfield), len(aws.messages)) == ([], 1)


def _edit(jackfield: Jackfield, aws: FakeAws) -> None:
    jackfield.connections.replace(
        "acme-ses", {**VALUES, "endpoint": aws.url, "region": "eu-west-2"}
    )


def _narrow(jackfield: Jackfield, _aws: FakeAws) -> None:
    workspaces_of(jackfield).set("default", {"rules": {"block": ["aws-ses/sendEmail"]}})


def _suspend(jackfield: Jackfield, _aws: FakeAws) -> None:
    workspaces_of(jackfield).set("default", {"suspended": True})


def _remove(jackfield: Jackfield, _aws: FakeAws) -> None:
    jackfield.connections.remove("acme-ses")


def _account(jackfield: Jackfield, _aws: FakeAws) -> None:
    jackfield.storage.database.record(
        lambda transaction: transaction.change("UPDATE connections SET account_id = 'another'", {})
    )


CHANGES = {
    "connection": _edit,
    "rule": _narrow,
    "suspended": _suspend,
    "removed": _remove,
    "account": _account,
}


@pytest.mark.parametrize("approved_first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_cancelled(
    upgraded: str, aws: FakeAws, change: str, *, approved_first: bool
) -> None:
    """Whether that happens before the approval or between it and the begin: with the reason, and
    nothing is sent.
    """
    with runtime(upgraded, aws) as jackfield:
        jackfield.storage.database.record(
            lambda transaction: transaction.change("UPDATE connections SET account_id = 'one'", {})
        )
        identifier = asked(jackfield).meta.invocation_id
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        if approved_first:
            approvals.approve(identifier)
            CHANGES[change](jackfield, aws)
            assert [result.error and result.error.code for result in worked(jackfield)] == [
                "cancelled"
            ]
        else:
            CHANGES[change](jackfield, aws)
            with pytest.raises(ApprovalClosed, match="it was cancelled"):
                approvals.approve(identifier)
            assert worked(jackfield) == []
        assert status_of(jackfield, identifier) == ("failed", "cancelled")
        assert [row["status"] for row in approvals.list()[0]] == ["cancelled"]
        assert aws.messages == []


def test_who_writes_to_the_database_approves_nothing(upgraded: str, aws: FakeAws) -> None:
    """Neither by a row that looks approved, nor by making the call due, nor by another call's
    inputs.
    """
    with runtime(upgraded, aws) as jackfield:
        one, other = (
            asked(jackfield),
            asked(
                jackfield,
                idempotencyKey="another",
                inputs={**mail("order-1")["inputs"], "subject": "evil"},
            ),
        )

        def forge(transaction: Any) -> None:
            transaction.change(
                "UPDATE invocations SET available_at = 0 WHERE id = :id",
                {"id": one.meta.invocation_id},
            )
            transaction.change(
                "UPDATE approvals SET status = 'approved', decided_at = 1, decided_by = '{}' "
                "WHERE id = :id",
                {"id": one.meta.invocation_id},
            )
            transaction.change(
                "UPDATE invocations SET inputs = (SELECT inputs FROM invocations WHERE id = "
                ":one) WHERE id = :other",
                {"one": one.meta.invocation_id, "other": other.meta.invocation_id},
            )

        jackfield.storage.database.record(forge)
        assert [result.error and result.error.code for result in worked(jackfield)] == ["cancelled"]
        with pytest.raises(ApprovalClosed, match="changed"):
            jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(
                other.meta.invocation_id
            )
        assert aws.messages == []


def test_nobody_approves_his_own_call(upgraded: str, aws: FakeAws) -> None:
    """Nor one by a token that he has created, nor by one that this one has created; another
    approver may.
    """
    with runtime(upgraded, aws) as jackfield:
        boss = tokens_of(jackfield).create("manage approve", "boss").token
        minted = tokens_of(jackfield, Actor("token", boss.id)).create("manage", "minted").token
        further = tokens_of(jackfield, Actor("token", minted.id)).create("invoke", "further").token
        approver = tokens_of(jackfield).create("approve", "approver").token
        for token in (boss, minted, further):
            caller = Caller(token.id, token.scope, token.rules, remote=True, token=token.id)
            found = jackfield.invoke(mail(f"order-{token.name}"), caller=caller)
            assert found.status == "waiting"
            held = Caller(boss.id, boss.scope, boss.rules, remote=True, token=boss.id)
            with pytest.raises(NotAllowed, match="nobody approves his own call"):
                jackfield.approvals_of(held, Actor("token", boss.id)).approve(
                    found.meta.invocation_id
                )
            another = Caller(
                approver.id, approver.scope, approver.rules, remote=True, token=approver.id
            )
            jackfield.approvals_of(another, Actor("token", approver.id)).approve(
                found.meta.invocation_id
            )
        own = asked(jackfield, idempotencyKey="own")
        with pytest.raises(NotAllowed, match="his own call"):
            jackfield.approvals.approve(own.meta.invocation_id)
        assert [result.status for result in worked(jackfield)] == ["succeeded"] * 3


@pytest.mark.parametrize("creator", [Actor("user", "https://id.example.com#ada", "Ada"), "token"])
def test_two_tokens_of_one_creator_are_one_person(
    upgraded: str, aws: FakeAws, creator: Any
) -> None:
    """Who creates a token to call and another one to approve holds both; what another has created,
    or the operator, may approve.
    """
    with runtime(upgraded, aws) as jackfield:
        if creator == "token":
            creator = Actor("token", tokens_of(jackfield).create("manage approve", "boss").token.id)
        made = Tokens(
            jackfield.storage.database,
            jackfield.storage.vault,
            "default",
            SystemClock(),
            creator,
            grants=True,
        )
        calls, approves = (
            made.create("invoke", "calls").token,
            made.create("approve", "approves").token,
        )
        found = jackfield.invoke(
            mail("order-1"),
            caller=Caller(calls.id, calls.scope, calls.rules, remote=True, token=calls.id),
        )
        held = jackfield.approvals_of(
            Caller(approves.id, "approve", remote=True, token=approves.id),
            Actor("token", approves.id),
        )
        assert "nobody approves his own call" in (held.own_reason(found.meta.invocation_id) or "")
        with pytest.raises(NotAllowed, match="nobody approves his own call"):
            held.approve(found.meta.invocation_id)
        other = tokens_of(jackfield).create("approve", "other").token
        free = jackfield.approvals_of(
            Caller(other.id, "approve", remote=True, token=other.id), Actor("token", other.id)
        )
        assert free.own_reason(found.meta.invocation_id) is None
        free.approve(found.meta.invocation_id)
        assert [result.status for result in worked(jackfield)] == ["succeeded"]
    assert len(aws.messages) == 1


@pytest.mark.parametrize("length", [1, 60])
def test_a_chain_of_tokens_is_followed_to_its_first(
    upgraded: str, aws: FakeAws, length: int
) -> None:
    """However many tokens stand between; where one of them is gone, nobody knows, and nobody
    approves.
    """
    with runtime(upgraded, aws) as jackfield:
        tokens = tokens_of(jackfield)
        first = tokens.create("manage approve", name="first").token
        last = first
        for number in range(length):
            last = (
                tokens_of(jackfield, Actor("token", last.id, last.name))
                .create("manage", name=f"n{number}")
                .token
            )
        waits = asked(jackfield, caller=Caller(last.id, "manage", remote=True, token=last.id))
        approver = Caller(first.id, "manage approve", remote=True, token=first.id)
        approvals = jackfield.approvals_of(approver, Actor("token", first.id, "first"))
        with pytest.raises(NotAllowed, match="nobody approves his own call"):
            approvals.approve(waits.meta.invocation_id)
        with jackfield.storage.database.write() as transaction:
            transaction.change("DELETE FROM tokens WHERE name = 'n0'", {})
        with pytest.raises((NotAllowed, ApprovalClosed)):
            approvals.approve(waits.meta.invocation_id)
        assert worked(jackfield) == []
    assert aws.messages == []


def test_a_test_of_the_connection_changes_nothing(upgraded: str, aws: FakeAws) -> None:
    """The account that it finds is that of the same connection: what waits can still be approved,
    and runs.
    """
    with runtime(upgraded, aws) as jackfield:
        with jackfield.storage.database.write() as transaction:
            transaction.change("UPDATE connections SET account_id = NULL", {})
        waits = asked(jackfield)
        with jackfield.storage.database.write() as transaction:
            transaction.change("UPDATE connections SET account_id = '111122223333'", {})
        jackfield.approvals_of(Caller("bob"), BOB).approve(waits.meta.invocation_id)
        assert [result.status for result in worked(jackfield)] == ["succeeded"]


def test_a_call_that_was_begun_before_is_in_doubt(upgraded: str, aws: FakeAws) -> None:
    """A process was lost while it made an approved call, and the connection has changed since:
    nobody says that nothing was sent.
    """
    with runtime(upgraded, aws) as jackfield:
        waits = asked(jackfield)
        jackfield.approvals_of(Caller("bob"), BOB).approve(waits.meta.invocation_id)
        jackfield.connections.replace(
            "acme-ses", {**VALUES, "endpoint": aws.url, "region": "eu-central-1"}
        )
        (claimed,) = Queue(jackfield.storage.database).claim(1)
        found = jackfield.run(replace(claimed, delivery=2))
    assert (
        found.status,
        found.error is not None and "may have sent it before" in found.error.message,
    ) == ("in_doubt", True)


@pytest.mark.parametrize("why", ["\ud800", "a\0b", "x" * 1_001])
def test_a_reason_that_cannot_be_kept_is_refused(upgraded: str, aws: FakeAws, why: str) -> None:
    """Before the decision, which waits on."""
    with runtime(upgraded, aws) as jackfield:
        waits, approvals = asked(jackfield), jackfield.approvals_of(Caller("bob"), BOB)
        for step in (approvals.approve, approvals.decline):
            with pytest.raises(InvalidInvocation) as refused:
                step(waits.meta.invocation_id, why)
            assert [detail.path for detail in refused.value.details] == ["/why"]
        assert approvals.approve(waits.meta.invocation_id, "yes")["status"] == "approved"


def test_a_key_of_another_caller_ends_nothing(upgraded: str, aws: FakeAws) -> None:
    """Two callers with one key and other connections: the second one is refused, and the first call
    waits on.
    """
    with runtime(upgraded, aws) as jackfield:
        jackfield.connections.add(
            "other-ses", "aws-ses/apiKeySecret", {**VALUES, "endpoint": aws.url}
        )
        first, second = (
            tokens_of(jackfield).create("invoke", name=name).token for name in ("one", "two")
        )
        waits = asked(
            jackfield,
            caller=Caller(first.id, "invoke", remote=True, token=first.id),
            idempotencyKey="k",
        )
        caller = Caller(second.id, "invoke", remote=True, token=second.id)
        other = jackfield.invoke(
            {**mail("order-1"), "idempotencyKey": "k", "connection": "other-ses"}, caller=caller
        )
        assert status_of(jackfield, waits.meta.invocation_id)[0] == "waiting"
        assert other.error is not None
        assert other.error.code == "idempotency_conflict"


def test_only_the_operator_lets_somebody_approve(upgraded: str, aws: FakeAws) -> None:
    """A token cannot create one that approves, and without that scope nobody decides."""
    with runtime(upgraded, aws) as jackfield:
        manager = tokens_of(jackfield).create("manage").token
        with pytest.raises(NotAllowed):
            tokens_of(jackfield, Actor("token", manager.id)).create("approve")
        with pytest.raises(NotAllowed):
            tokens_of(jackfield, Actor("platform", "shop")).create("manage approve")
        identifier = asked(jackfield).meta.invocation_id
        caller = Caller(manager.id, manager.scope, manager.rules, remote=True, token=manager.id)
        for step in ("show", "approve", "decline"):
            with pytest.raises(NotAllowed, match="scope 'approve'"):
                getattr(jackfield.approvals_of(caller, Actor("token", manager.id)), step)(
                    identifier
                )


def test_a_call_that_cannot_wait_is_refused(upgraded: str, aws: FakeAws) -> None:
    """Over an inline connection, over a surface without a way to say so, without a journal, and
    what was queued before the rule.
    """
    with runtime(upgraded, aws, rule=None) as jackfield:
        queued = jackfield.enqueue({**mail("order-0"), "idempotencyKey": "before"})
        workspaces_of(jackfield).set("default", RULE)
        inline = {"type": "apiKeySecret", "values": {**VALUES, "endpoint": aws.url}}
        found = [
            jackfield.invoke({**mail("order-1"), "connection": inline}),
            jackfield.invoke(mail("order-2"), caller=Caller(remote=True, waits=False)),
            *worked(jackfield),
        ]
        assert [result.error and result.error.code for result in found] == ["approval_required"] * 3
        assert status_of(jackfield, str(queued)) == ("failed", "approval_required")
    ruled = Caller("ada", "invoke", Rules(approve=("effect:write",)), remote=True)
    file = {
        "connections": {
            "acme-ses": {"type": "aws-ses/apiKeySecret", "values": {**VALUES, "endpoint": aws.url}}
        }
    }
    with Jackfield(database_url="none", environment={}, connections=[file]) as unstored:
        call = {name: value for name, value in mail("order-3").items() if name != "idempotencyKey"}
        refused = unstored.invoke(call, caller=ruled)
        assert refused.error is not None
        assert refused.error.code == "approval_required", refused.to_json()
    assert aws.messages == []


def test_queued_batched_and_dry_calls_obey_the_rule(upgraded: str, aws: FakeAws) -> None:
    """What is queued waits instead; a dry run sends nothing and needs no approval; reads are not
    asked for.
    """
    with runtime(upgraded, aws) as jackfield:
        queued = jackfield.enqueue(mail("order-1"))
        assert isinstance(queued, Result)
        assert queued.status == "waiting"
        batch = jackfield.enqueue_many(
            [{**mail(f"order-{n}"), "idempotencyKey": f"many-{n}"} for n in range(3)]
        )
        assert [(one.status, isinstance(one, Result)) for one in batch] == [("waiting", False)] * 3
        assert len(jackfield.approvals.list()[0]) == 4
        assert worked(jackfield) == []
        rehearsed = jackfield.invoke({**mail("order-1"), "dryRun": True})
        assert rehearsed.status == "succeeded"
        read = jackfield.invoke(
            {
                "connector": "aws-ses",
                "action": "getAccount",
                "connection": "acme-ses",
                "inputs": {"awsRegion": "eu-west-1"},
            }
        )
        assert read.status == "succeeded"


def test_the_rule_of_a_token_and_of_an_effect_holds(upgraded: str, aws: FakeAws) -> None:
    """A token's own rule binds its calls alone; a rule by effect and connection fits as those that
    block do.
    """
    with runtime(
        upgraded, aws, rule={"rules": {"approve": ["effect:write & connection:prod-*"]}}
    ) as jackfield:
        token = tokens_of(jackfield).create("invoke", "agent", Rules(approve=("aws-ses/*",))).token
        caller = Caller(token.id, token.scope, token.rules, remote=True, token=token.id)
        assert (
            jackfield.invoke({**mail("order-1"), "idempotencyKey": "a"}, caller=caller).status
            == "waiting"
        )
        assert jackfield.invoke({**mail("order-1"), "idempotencyKey": "b"}).status == "succeeded"
        manager = jackfield.connections_of(Caller("boss", "manage", remote=True))
        manager.rename("acme-ses", "prod-ses")
        with pytest.raises(NotAllowed, match="allow more with the name"):
            manager.rename("prod-ses", "acme-ses")


def test_equal_calls_of_an_agent_get_one_approval(upgraded: str, aws: FakeAws) -> None:
    """Where twins join, a repeated write without a key waits for the same approval, also with
    ``repeat`` and in the queue. Another input, a key and each of a batch wait for another.
    """
    with runtime(upgraded, aws, rule={**RULE, "twins": "join"}) as jackfield:
        ada = Caller("ada", "invoke", remote=True)
        call = {name: value for name, value in mail("order-1").items() if name != "idempotencyKey"}
        first, again = jackfield.invoke(call, caller=ada), jackfield.invoke(call, caller=ada)
        other = jackfield.invoke(
            {**call, "inputs": {**call["inputs"], "subject": "another"}}, caller=ada
        )
        assert [found.status for found in (first, again, other)] == ["waiting"] * 3
        assert (again.meta.invocation_id, again.meta.twin_of) == (first.meta.invocation_id,) * 2
        assert other.meta.invocation_id != first.meta.invocation_id
        repeated = jackfield.invoke({**call, "repeat": True}, caller=ada)
        queued = jackfield.enqueue({**call, "repeat": True}, caller=ada)
        assert isinstance(queued, Result)
        assert [found.meta.twin_of for found in (repeated, queued)] == [
            first.meta.invocation_id
        ] * 2
        keyed = jackfield.invoke({**call, "idempotencyKey": "one"}, caller=ada)
        batch = jackfield.enqueue_many([call, {**call, "repeat": True}], caller=ada)
        assert [found.status for found in (keyed, *batch)] == ["waiting"] * 3
        assert keyed.meta.twin_of is None
        assert len(jackfield.approvals.list(status="waiting")[0]) == 5


def test_a_failure_of_a_call_that_waits_is_named() -> None:
    """``InvocationWaiting`` is an ``InvocationFailed``, so that who catches that catches both."""
    assert issubclass(InvocationWaiting, InvocationFailed)
    assert not issubclass(InvocationWaiting, JackfieldError)


def test_a_platform_loosens_nothing_that_was_set_meanwhile(
    upgraded: str, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings that its change replaces decide, not those that it has read before."""
    with runtime(upgraded, aws) as jackfield:
        workspaces, found = workspaces_of(jackfield), Tenants.find
        workspaces.create("acme-1", {"rules": {"approve": ["echo/post"]}})

        def late(tenants: Tenants, name: str) -> Any:
            known = found(tenants, name)
            workspaces.set(name, {"rules": {"approve": ["echo/post", "*"]}})
            return known

        monkeypatch.setattr(Tenants, "find", late)
        tenants = Tenants(
            jackfield.storage, jackfield.files, SystemClock(), "acme-*", Actor("platform", "p")
        )
        for change in (tenants.change, tenants.put):
            with pytest.raises(NotAllowed, match="cannot loosen"):
                change("acme-1", {"rules": {"approve": ["echo/post"]}})
        assert workspaces.find("acme-1").settings.rules.approve == ("echo/post", "*")


def test_a_redrive_asks_nobody(upgraded: str, aws: FakeAws) -> None:
    """So a caller whose own calls wait for a person cannot redrive another's dead letter of that
    action.
    """
    with runtime(upgraded, aws, rule=None) as jackfield:
        entry = jackfield.journal_of().find(jackfield.invoke(mail("order-1")).meta.invocation_id)
        bound = Caller("t", "manage", Rules(approve=("aws-ses/*",)), remote=True, token="t")
        with pytest.raises(ApprovalRequired, match="a redrive asks nobody"):
            refuse_unapproved(jackfield.access.authorizer(bound), entry)
        refuse_unapproved(
            jackfield.access.authorizer(replace(bound, rules=Rules(approve=("echo/*",)))), entry
        )
