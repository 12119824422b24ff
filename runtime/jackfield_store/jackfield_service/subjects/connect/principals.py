"""The principal of a connect session, and whether a trust policy for it admits the platform's key.

The owner of an account is shown a trust policy for the principal that the platform has named. If the principal is not the user or role of
the platform's key, the owner cannot mend that: the error goes to the platform.
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
"""A whole account as principal: its ID, or its ARN (IAM User Guide, AWS JSON policy elements: Principal)."""
_IDENTITY = re.compile(r"arn:([a-z-]+):iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)\Z")
CODE = "principal_of_another_key"


def lets_in(principal: str, identity: str) -> bool:
    """Return whether a trust policy for ``principal`` lets an identity in. The ARN of a role that a session has assumed lacks the path."""
    whole, known = _ACCOUNT.match(principal), _IDENTITY.match(identity)
    if known is None or principal == identity:
        return True  # nothing that could be compared, or the same
    if whole is not None:
        return whole[1] == known[2]
    named = _IDENTITY.match(principal)
    return named is not None and known[3] == "role" and named.groups() == known.groups()


def another_key(principal: str, trial: Mapping[str, Any]) -> InvalidConnection | None:
    """Return the fault of a principal, by the identity of the key that a connection's test has found; None if there is none."""
    found = next((str(step["principal"]) for step in steps_of(trial) if step.get("principal")), "")
    if not principal or not found or lets_in(principal, found):
        return None
    text = f"the key belongs to {found}, and the trust policy that the account's owner was shown lets in {principal}"
    return InvalidConnection(text, hint=f"Create a session whose 'principal' is {found}, or one with a key of {principal}.")


def findings(storage: Storage, workspace: str, clock: Clock, tested: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the stored facts of a connect session that do not fit a ``tested`` connection, for its diagnosis."""
    if not storage.enabled:
        return []
    record = ConnectRecords(storage.database, lambda: storage.vault, workspace, clock).of(str(tested["name"])).get(str(tested["name"]))
    error = another_key(record.principal, tested) if record is not None else None
    if error is None:
        return []
    evidence = "The principal of the connect session, and the identity of the key in the connection's test."
    return [{"code": CODE, "severity": "warning", "message": error.message, "evidence": evidence, "cure": str(error.hint)}]
