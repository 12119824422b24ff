"""Redrive of dead letters, with its entry in the audit log."""

from __future__ import annotations

from jackfield.callers.actor import Actor
from jackfield.clock import Clock
from jackfield_store.access import Audit
from jackfield_store.database import Transaction
from jackfield_store.journal.dead_letters import DeadLetters, Redriven
from jackfield_store.resources.storage import Storage


def audited_dead_letters(storage: Storage, workspace: str, clock: Clock, actor: Actor) -> DeadLetters:
    """Return the dead letters of a workspace; the audit log attributes redrives to ``actor``, and they keep to the workspace's limits."""
    audit = Audit(storage.database, lambda: storage.vault, workspace, clock, actor)

    def note(transaction: Transaction, redriven: Redriven) -> None:
        about = {"connector": redriven.connector, "action": redriven.action}
        audit.append(transaction, "invocation.redriven", f"invocation:{redriven.id}", about)

    return DeadLetters(storage.database, workspace, clock, note, lambda: storage.limits.most(workspace, "queued"))
