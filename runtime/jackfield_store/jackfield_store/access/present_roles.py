"""Present rights of people whose calls wait: the current roles, by the groups that the identity
provider has named last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from jackfield.callers.roles import Rights, read_grants, rights_in
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access.sign_ins import SignIns
from jackfield_store.database.setting_rows import ROLES

if TYPE_CHECKING:
    from jackfield.callers.caller import PersonKey
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database
    from jackfield_store.keys.vault import Vault

    class SignInStorage(Protocol):
        """Database of sign-ins and roles, and its vault."""

        @property
        def database(self) -> Database:
            """Database of the process."""

        @property
        def vault(self) -> Vault:
            """Vault that uses the database."""

        def shared_setting(self, name: str) -> str:
            """Return a setting that all processes on the database share, or this process's own;
            empty if it is not set.
            """


def present_rights(
    storage: SignInStorage, workspace: str, clock: Clock, person: PersonKey
) -> Rights | None:
    """Return a person's present rights in a workspace; None for a person without rights.

    Groups come from the person's newest sign-in. A person who is no longer signed in has the groups
    of ``person``.
    """
    issuer, subject, groups = person
    newest = SignIns(storage.database, storage.vault, clock).newest(issuer, subject)
    try:
        grants = read_grants(storage.shared_setting(ROLES))
    except InvalidInvocation:
        return None
    return rights_in(
        grants, workspace, issuer, subject, groups if newest is None else newest.groups
    )
