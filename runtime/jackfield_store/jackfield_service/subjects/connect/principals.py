"""The principal of a connect session, and the check that its trust policy admits the platform's
key.

The owner of an account gets a trust policy for the platform's principal. If the principal is not
the user or role of the platform's key, the owner cannot mend that: the error goes to the platform.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import InvalidConnection
from jackfield_service.subjects.connect.faults import steps_of
from jackfield_service.subjects.connect.records import ConnectRecords

if TYPE_CHECKING:
    from jackfield.kernel.clock import Clock
    from jackfield_store.resources.storage import Storage

_ACCOUNT = re.compile(r"(?:arn:[a-z-]+:iam::)?(\d{12})(?::root)?\Z")
"""Regular expression of a whole account as principal: its ID, or its ARN (IAM User Guide, AWS JSON
policy elements: Principal).
"""
_IDENTITY = re.compile(r"arn:([a-z-]+):iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)\Z")
CODE = "principal_of_another_key"


def lets_in(principal: str, identity: str) -> bool:
    """Return whether a trust policy for ``principal`` admits an identity; True for an unknown form
    of identity. The ARN of an assumed role lacks the role's path.
    """
    whole, known = _ACCOUNT.match(principal), _IDENTITY.match(identity)
    if known is None or principal == identity:
        return True  # nothing that could be compared, or the same
    if whole is not None:
        return whole[1] == known[2]
    named = _IDENTITY.match(principal)
    return named is not None and known[3] == "role" and named.groups() == known.groups()


def another_key(principal: str, trial: Mapping[str, Any]) -> InvalidConnection | None:
    """Return the fault of a principal that does not match the identity of the key in a connection's
    test; None if it matches.
    """
    found = next((str(step["principal"]) for step in steps_of(trial) if step.get("principal")), "")
    if not principal or not found or lets_in(principal, found):
        return None
    text = (
        f"the key belongs to {found}, and the trust policy that the account's owner was "
        f"shown lets in {principal}"
    )
    return InvalidConnection(
        text,
        hint=f"Create a session whose 'principal' is {found}, or one with a key of {principal}.",
    )


def findings(
    storage: Storage, workspace: str, clock: Clock, tested: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Return the stored facts of a connect session that contradict a ``tested`` connection, for its
    diagnosis.
    """
    if not storage.enabled:
        return []
    record = (
        ConnectRecords(storage.database, lambda: storage.vault, workspace, clock)
        .of(str(tested["name"]))
        .get(str(tested["name"]))
    )
    error = another_key(record.principal, tested) if record is not None else None
    if error is None:
        return []
    evidence = (
        "The principal of the connect session, and the identity of the key in the "
        "connection's test."
    )
    return [
        {
            "code": CODE,
            "severity": "warning",
            "message": error.message,
            "evidence": evidence,
            "cure": str(error.hint),
        }
    ]
