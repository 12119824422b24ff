"""Redrive of dead letters, with its entry in the audit log."""

from __future__ import annotations

from typing import Any

from jackfield.call.call_rules import approval_required
from jackfield.callers import Authorizer, Request
from jackfield.callers.actor import Actor
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import Clock
from jackfield_store.access import Audit
from jackfield_store.database import Transaction
from jackfield_store.journal.dead_letters import DeadLetters, Redriven
from jackfield_store.resources.storage import Storage


def refuse_unapproved(authorizer: Authorizer, entry: Entry) -> None:
    """Refuse to queue a dead letter again if the caller's own calls of its action need an approval:
    the redriven call would not wait for one.

    :raises ApprovalRequired: if such calls need an approval.
    """
    effect: Any = entry.effect
    rule = authorizer.asks(Request(entry.connector, entry.action, effect, entry.connection))
    if rule is not None:
        raise approval_required(rule, "a redrive asks nobody")


def audited_dead_letters(
    storage: Storage, workspace: str, clock: Clock, actor: Actor
) -> DeadLetters:
    """Return the dead letters of a workspace. The audit log attributes redrives to ``actor``;
    redrives count against the workspace's limits.
    """
    audit = Audit(storage.database, lambda: storage.vault, workspace, clock, actor)

    def note(transaction: Transaction, redriven: Redriven) -> None:
        about = {"connector": redriven.connector, "action": redriven.action}
        audit.append(transaction, "invocation.redriven", f"invocation:{redriven.id}", about)

    return DeadLetters(
        storage.database, workspace, clock, note, lambda: storage.limits.most(workspace, "queued")
    )
