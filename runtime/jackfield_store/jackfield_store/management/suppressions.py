"""Suppressed recipients for people who manage them. The audit log names the person who lifted a
suppression, and the digest of the recipient.
"""

from __future__ import annotations

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import Clock
from jackfield_store.access import Audit
from jackfield_store.access.ports import SealedStorage
from jackfield_store.access.settings import Settings
from jackfield_store.journal.suppressions import Suppressions


def audited_suppressions(
    storage: SealedStorage, workspace: str, clock: Clock, actor: Actor, settings: Settings
) -> Suppressions:
    """Return the suppressed recipients of a workspace with these settings; the audit log attributes
    changes to ``actor``.
    """
    audit = Audit(storage.database, lambda: storage.vault, workspace, clock, actor)
    return Suppressions(
        storage.database,
        storage.vault,
        workspace,
        clock,
        lambda transaction, part: audit.append(
            transaction, "suppression.removed", f"suppression:{part}"
        ),
        settings.refusing,
    )
