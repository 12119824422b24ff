"""Shared settings of a database, with the operator's view and changes; each change is in the audit
log of the workspace ``default``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.database.setting_rows import (
    SHARED,
    SharedSetting,
    Stored,
    differences,
    find_setting,
    other_processes,
    remove_setting,
    store_setting,
    stored_settings,
)
from jackfield_store.journal.instance import LEASE
from jackfield_store.resources.storage import Storage

if TYPE_CHECKING:
    from jackfield_store.database import Transaction
    from jackfield_store.keys.vault import Vault


class SettingChanged(InvalidInvocation):
    """Error for a setting with another value than the change expects."""

    http_status = 409
    problem = "conflict"


class SharedSettings:
    """Stored settings that all processes on a database share. The audit log names ``actor``."""

    def __init__(self, storage: Storage, clock: Clock, actor: Actor) -> None:
        self._storage = storage
        self._clock = clock
        self._actor = actor

    def list(self) -> list[dict[str, Any]]:
        """Return each setting as a JSON object: its value, its time, and the places where it
        differs.
        """
        database = self._storage.database
        with database.read(flush=False) as transaction:
            stored, damaged = stored_settings(transaction, self._storage.vault)
            others = other_processes(transaction, database.dialect.now, LEASE)
        differing = {one.name: one.warning for one in differences(stored, None, others)}
        return [
            _summary(setting, stored.get(name), name in damaged, differing.get(name))
            for name, setting in SHARED.items()
        ]

    def find(self, name: str) -> dict[str, Any]:
        """Return one setting.

        :raises InvalidInvocation: if no setting has this name.
        """
        find_setting(name)
        return next(one for one in self.list() if one["name"] == name)

    def set(self, name: str, value: str, seen: str | None = None) -> dict[str, Any]:
        """Store a value for all processes.

        :param seen: the expected present value, empty if none is stored; None to replace any value.
        :raises InvalidInvocation: if there is no such setting, or the value does not fit it.
        :raises SettingChanged: if another value is stored than ``seen``.
        """
        checked = find_setting(name).check(value)
        if not checked:
            raise InvalidInvocation(
                f"the value of '{name}' is empty",
                hint=f"'jackfield settings unset {name}' removes the stored value.",
            )
        vault = self._storage.vault
        vault.prepare(DEFAULT)
        with self._storage.database.write() as transaction:
            before = _replaced(transaction, vault, name, seen)
            store_setting(transaction, vault, name, checked, self._clock.time())
            self._record(transaction, name, before, checked)
        return self.find(name)

    def unset(self, name: str, seen: str | None = None) -> dict[str, Any]:
        """Remove a stored value; ``seen`` is as in ``set``.

        :raises InvalidInvocation: if there is no such setting.
        :raises SettingChanged: if another value is stored than ``seen``.
        """
        find_setting(name)
        vault = self._storage.vault
        vault.prepare(DEFAULT)
        with self._storage.database.write() as transaction:
            before = _replaced(transaction, vault, name, seen)
            if remove_setting(transaction, name):
                self._record(transaction, name, before, None)
        return self.find(name)

    def _record(
        self, transaction: Any, name: str, before: Stored | None, after: str | None
    ) -> None:
        audit = Audit(
            self._storage.database, lambda: self._storage.vault, DEFAULT, self._clock, self._actor
        )
        about = {"before": None if before is None else before.value, "after": after}
        audit.append(transaction, "setting.changed", f"setting:{name}", about)


def _replaced(transaction: Transaction, vault: Vault, name: str, seen: str | None) -> Stored | None:
    """Return the value that a change replaces, None if none is stored.

    :raises SettingChanged: if it differs from the expected one.
    """
    found = stored_settings(transaction, vault)[0].get(name)
    present = "" if found is None else found.value
    if seen is not None and seen != present:
        now = f"'{present[:200]}'" if present else "not set"
        raise SettingChanged(
            f"'{name}' was changed meanwhile: it is {now}", hint="Look at it, and change it again."
        )
    return found


def _summary(
    setting: SharedSetting, stored: Stored | None, is_damaged: bool, differs: str | None
) -> dict[str, Any]:
    about: dict[str, Any] = {
        "name": setting.name,
        "value": None if stored is None else stored.value,
        "variable": setting.variable,
    }
    if stored is not None:
        about["changedAt"] = iso(stored.changed_at)
    if is_damaged:
        about["problem"] = (
            "its row in the database was changed; it does not hold until it is set again"
        )
    if differs is not None:
        about["differs"] = differs
    return {**about, "description": setting.about}
