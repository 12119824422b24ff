"""Roles of people who sign in at the identity provider. The operator grants and removes them; each
change is in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jackfield.callers.actor import Actor
from jackfield.callers.roles import RoleGrant, read_grants, write_grants
from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.access.sign_ins import SignIns
from jackfield_store.database.setting_rows import (
    ROLES,
    find_setting,
    remove_setting,
    store_setting,
    stored_settings,
)
from jackfield_store.resources.storage import Storage


class Roles:
    """Grants of roles, which all processes on a database share: the setting ``roles``. The audit
    log names ``actor``.
    """

    def __init__(self, storage: Storage, clock: Clock, actor: Actor) -> None:
        self._storage, self._clock, self._actor = storage, clock, actor

    def list(self) -> list[RoleGrant]:
        """Return the grants of roles that apply in this process, in the order of the setting.

        :raises InvalidInvocation: if a variable has roles that are not valid.
        """
        return [*read_grants(self._storage.shared_setting(ROLES))]

    def add(self, grant: RoleGrant) -> None:
        """Grant a role; nothing changes if it was granted before.

        :raises InvalidInvocation: if a variable of this process has the roles instead.
        """
        self._changed(
            lambda grants: grants if grant in grants else (*grants, grant), "role.granted", grant
        )

    def remove(self, grant: RoleGrant) -> None:
        """Remove a role; its holder loses it with the next request.

        :raises InvalidInvocation: if it was not granted, or a variable of this process has the
            roles instead.
        """
        if grant not in self.list():
            raise InvalidInvocation(
                "nobody has this role so", hint="'jackfield roles list' shows who has which role."
            )
        self._changed(
            lambda grants: tuple(one for one in grants if one != grant), "role.revoked", grant
        )

    def invite(self, grant: RoleGrant) -> str:
        """Create an invitation to the role and workspace of ``grant``, for the first person who
        uses it, and return its secret.
        """
        self._check_variable()
        storage = self._storage
        secret = SignIns(storage.database, storage.vault, self._clock).invite(
            grant.role, grant.workspace
        )
        log = Audit(storage.database, lambda: storage.vault, DEFAULT, self._clock, self._actor)
        log.record("role.offered", f"role:{grant.role}", {"workspace": grant.workspace})
        return secret

    def _check_variable(self) -> None:
        variable = find_setting(ROLES).variable
        if self._storage.environment.get(variable):
            raise InvalidInvocation(
                f"the variable {variable} has the roles of this process",
                hint=f"Change it there, or unset {variable}.",
            )

    def _changed(
        self,
        change: Callable[[tuple[RoleGrant, ...]], tuple[RoleGrant, ...]],
        event: str,
        grant: RoleGrant,
    ) -> None:
        self._check_variable()
        storage = self._storage
        vault = storage.vault
        vault.prepare(DEFAULT)
        audit = Audit(storage.database, lambda: vault, DEFAULT, self._clock, self._actor).prepare()
        about: dict[str, Any] = {
            name: value for name, value in grant.to_json().items() if name != "role"
        }
        with storage.database.write() as transaction:
            stored = stored_settings(transaction, vault)[0].get(ROLES)
            before = read_grants("" if stored is None else stored.value)
            after = change(before)
            if after == before:
                return
            if after:
                store_setting(transaction, vault, ROLES, write_grants(after), self._clock.time())
            else:
                remove_setting(transaction, ROLES)
            audit.append(transaction, event, f"role:{grant.role}", about)
