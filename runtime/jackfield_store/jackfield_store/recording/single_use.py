"""Single use of approvals: the audit log records that an approved call was begun, in the
transaction that begins it.

An attacker with write access to the database can set its rows back to an earlier state, but cannot
remove an audit entry without breaking the chain, whose head is sealed. So a call is begun only if
the log is complete from the decision on, and has no record of an earlier begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.callers.actor import LIBRARY
from jackfield.kernel.errors import Cancelled, InDoubt
from jackfield.kernel.hints import NextStep
from jackfield_store.access import Audit

if TYPE_CHECKING:
    from jackfield.invocation.claimed import Claimed
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Transaction
    from jackfield_store.journal.journal import Journal, Unit

APPROVED, BEGUN, RETURNED = "approval.approved", "approval.begun", "approval.returned"
_PREFIX = "approval."
_BEGUN_BEFORE = (
    "the audit log says that it was begun before, and its row in the database was put back"
)


def audit_of(journal: Journal, clock: Clock) -> Audit:
    """Return the audit log of a journal's workspace, in the name of the process itself."""
    return Audit(journal.database, lambda: journal.vault, journal.workspace, clock, LIBRARY)


def target_of(identifier: str) -> str:
    """Return the object of entries about a call."""
    return f"invocation:{identifier}"


def was_decided(audit: Audit, identifier: str) -> bool:
    """Return whether the audit log knows of a decision on a call."""
    return bool(audit.acts(target_of(identifier), _PREFIX))


def unusable(audit: Audit, identifier: str) -> str | None:
    """Return the reason why an approval may not be used; None if the audit log has its decision,
    and is complete since then.
    """
    decided = [
        act
        for act in audit.prepare().acts(target_of(identifier), _PREFIX)
        if act.about.get("event") not in (BEGUN, RETURNED)
    ]
    if [act.about.get("event") for act in decided] != [APPROVED]:
        return "the audit log does not know of its approval, or of more than one decision"
    if (fault := audit.fault_since(decided[0].sequence)) is not None:
        return f"the audit log was changed after its approval: {fault}"
    return None


def beginning(unit: Unit, journal: Journal, clock: Clock, claimed: Claimed, effect: str) -> Unit:
    """Return the unit that begins an approved call, and records the begin in the audit log.

    It raises Cancelled, or InDoubt, if the log records an earlier begin, unless a lost worker has
    left the call to another.
    """
    audit, target = audit_of(journal, clock), target_of(claimed.id)

    def begin(transaction: Transaction) -> int:
        changed = unit(transaction)
        if changed:
            # first: it locks the log for others
            audit.append(transaction, BEGUN, target, {"delivery": claimed.delivery})
            acts = [act.about for act in audit.acts(target, _PREFIX, transaction)][:-1]
            if not _may_begin(acts, claimed.delivery, effect):
                raise _error_of_claim(claimed)
        return changed

    return begin


def returning(unit: Unit, journal: Journal, clock: Clock, claimed: Claimed) -> Unit:
    """Return the unit that returns an approved but unsent call to the queue, and records that in
    the audit log if the call had begun.
    """
    audit, target = audit_of(journal, clock), target_of(claimed.id)

    def give_back(transaction: Transaction) -> int:
        changed, acts = unit(transaction), audit.acts(target, _PREFIX, transaction)
        if changed and acts and acts[-1].about.get("event") == BEGUN:
            audit.append(transaction, RETURNED, target, {"delivery": claimed.delivery})
        return changed

    return give_back


def _may_begin(acts: Sequence[Mapping[str, Any]], delivery: int, effect: str) -> bool:
    """Return whether a delivery may begin a call, by the call's entries in the audit log. After a
    lost worker, another delivery may begin a repeatable call.
    """
    last = next((act for act in reversed(acts) if act.get("event") in (BEGUN, RETURNED)), None)
    if last is None:
        return True
    known = last.get("details", {}).get("delivery")
    is_later = isinstance(known, int) and delivery > known
    return is_later and (last["event"] == RETURNED or effect != "write")


def _error_of_claim(claimed: Claimed) -> Cancelled | InDoubt:
    if claimed.delivery > 1:
        return InDoubt(
            f"{_BEGUN_BEFORE}; that may have sent it", hint=NextStep("in_doubt", id=claimed.id)
        )
    return Cancelled(f"{_BEGUN_BEFORE}; nothing was sent by this one")
