"""Redrive of dead letters, with its entry in the audit log."""

from __future__ import annotations

from jackfield.access import Actor, Audit
from jackfield.clock import Clock
from jackfield.database import Database, Transaction
from jackfield.journal.dead_letters import DeadLetters, Redriven
from jackfield.resources.tenant_limits import TenantLimits


def audited_dead_letters(database: Database, workspace: str, clock: Clock, actor: Actor, limits: TenantLimits | None = None) -> DeadLetters:
    """Return the dead letters of a workspace; the audit log attributes redrives to ``actor``, and they keep to ``limits``."""
    audit = Audit(database, workspace, clock, actor)

    def note(transaction: Transaction, redriven: Redriven) -> None:
        about = {"connector": redriven.connector, "action": redriven.action}
        audit.append(transaction, "invocation.redriven", f"invocation:{redriven.id}", about)

    return DeadLetters(database, workspace, clock, note, lambda: None if limits is None else limits.most(workspace, "queued"))
