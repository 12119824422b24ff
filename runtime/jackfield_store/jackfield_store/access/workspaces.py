"""Workspaces: the tenants of one database, and the settings of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jackfield.callers.actor import LIBRARY, Actor
from jackfield.callers.rules import Rules
from jackfield.callers.workspace_names import check_workspace_name, invalid_workspace_name
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import InvalidInvocation, did_you_mean
from jackfield.kernel.hints import NextStep
from jackfield.kernel.stored_values import possible_time
from jackfield_store.access.audit import Audit, difference, first_acts
from jackfield_store.access.audit_seals import prepare_seals
from jackfield_store.access.kept_rules import kept_rules, with_kept_rules
from jackfield_store.access.settings import (
    IMAGES,
    Settings,
    changed_settings,
    quotas_renamed,
    read_settings,
)
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.batches import ApartError, JointUnit
from jackfield_store.database.epoch import EpochCache
from jackfield_store.database.faults import KEY_FAULTS, RowDamaged
from jackfield_store.database.part import readings
from jackfield_store.keys.settings_seals import settings_place, settings_seal
from jackfield_store.keys.vault import Vault

DEFAULT = "default"
"""Name of the workspace that always exists."""
_OWN = re.compile(r"[A-Za-z0-9]")
_MOST_CACHED = 1000
_TRIES = 100
_INSERT = (
    "INSERT INTO workspaces (name, created_at, settings, seal) VALUES (:name, :now, "
    ":settings, :seal) ON CONFLICT DO NOTHING"
)
_EXISTS = "SELECT name FROM workspaces WHERE name = :name"
_UPDATE = (
    "UPDATE workspaces SET settings = :after, seal = :seal WHERE name = :name AND settings = "
    ":before"
)
_HINT = NextStep("workspaces")


class UnknownWorkspace(InvalidInvocation):
    """Error for a workspace that does not exist."""

    http_status = 404


class WorkspaceExists(InvalidInvocation):
    """Error for a name that another workspace has already."""

    http_status = 409
    problem = "name_taken"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One tenant. ``created_at`` is in seconds since 1970; None for ``default`` until a setting of
    it is changed.
    """

    name: str
    created_at: float | None
    settings: Settings
    damage: str | None = None
    """Description of the damage if the row cannot be read; then there are no settings to show, and
    nothing is allowed.
    """
    warnings: tuple[dict[str, str], ...] = ()
    """Warnings about gaps in the rules that were just set (``rule_warnings``)."""

    def to_json(self) -> dict[str, Any]:
        """Return the workspace as a JSON object."""
        about = {"problem": self.damage} if self.damage is not None else self.settings.to_json()
        warnings = {"warnings": [*self.warnings]} if self.warnings else {}
        return {"name": self.name, "createdAt": iso(self.created_at), **about, **warnings}


class _Known:
    """Cache of settings by workspace, shared by a process; None for a workspace that does not
    exist.
    """

    def __init__(self, epoch: Callable[[], int]) -> None:
        self.settings: EpochCache[str, Settings | None] = EpochCache(epoch, _MOST_CACHED)

    def close(self) -> None:
        """Do nothing: settings hold no resource."""


@dataclass(frozen=True, slots=True)
class _Creation(JointUnit):
    """Insertion of the ``row`` of a workspace, with its data key and the ``act`` in the audit
    log.
    """

    row: Mapping[str, Any]
    act: tuple[str, str, Mapping[str, Any]]
    vault: Vault
    audit: Audit

    def __call__(self, transaction: Transaction) -> None:
        name, text = self.row["name"], self.row["settings"]
        self.vault.reread(name)
        if not transaction.change(
            _INSERT, {**self.row, "seal": settings_seal(self.vault, name, text)}
        ):
            raise _exists(name)
        self.audit.append(transaction, *self.act)

    def goes_with(self, other: object) -> bool:
        """Return whether another unit uses the same vault, and new keys need no key service."""
        return (
            isinstance(other, _Creation)
            and other.vault is self.vault
            and not self.vault.asks_a_service
        )

    def run_all(self, units: Sequence[_Creation], transaction: Transaction) -> None:
        """Insert several workspaces at once.

        :raises ApartError: if one exists already, or an earlier one of its name has left a key or a
            log.
        """
        # two processes that race for names never wait for each other
        units = sorted(units, key=lambda unit: str(unit.row["name"]))
        places = {unit.row["name"]: settings_place(unit.row["settings"]) for unit in units}
        seals, keys = self.vault.attest_first(transaction, places)
        rows = [{**unit.row, "seal": seals.get(unit.row["name"])} for unit in units]
        steps = [keys, (_INSERT, rows), *first_acts((unit.audit, unit.act) for unit in units)]
        if min(transaction.change_all(steps)) < len(units):
            raise ApartError


class Workspaces:
    """All workspaces of a database, for the operator. The audit log names ``actor``."""

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, actor: Actor = LIBRARY
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._actor = actor
        self._known = database.attached(_Known, lambda: _Known(readings(database))).settings

    def acting_as(self, actor: Actor) -> Workspaces:
        """Return a copy whose changes the audit log attributes to ``actor``."""
        return Workspaces(self._database, self._vault, self._clock, actor)

    def create(self, name: str, changes: Mapping[str, Any] | None = None) -> Workspace:
        """Create a workspace with the default settings and ``changes``. Its data key is created
        too, so that a wrong master key is reported now, and not only with the first secret. Rules
        stored for its name apply.

        :raises InvalidInvocation: if the name or a setting is not valid.
        :raises WorkspaceExists: if the name is taken.
        """
        check_workspace_name(name, "/name")
        # as with connections: a name of punctuation only cannot be a folder or an address
        if not _OWN.search(name):
            raise invalid_workspace_name(
                name, "/name", "must contain a letter or a digit", "Choose another name."
            )
        changed_settings(Settings(), changes or {})  # report all faults
        bound = with_kept_rules(kept_rules(self._database, self._vault, name), changes or {})
        made = Workspace(name, self._clock.time(), changed_settings(Settings(), self._dated(bound)))
        if name == DEFAULT or self._database.look_up(_EXISTS, {"name": name}):
            raise _exists(name)
        if self._vault.asks_a_service:
            self._vault.prepare(name)
        prepare_seals(self._vault)
        settings = made.settings.to_json()
        row = {"name": name, "now": made.created_at, "settings": json.dumps(settings)}
        act = ("workspace.created", f"workspace:{name}", {"settings": settings})
        self._database.record(_Creation(row, act, self._vault, self._audit(name)))
        return _warned(made)

    def list(self, *, after: str = "", limit: int = 1000, begin: str = "") -> list[Workspace]:
        """List up to ``limit`` workspaces, ordered by name: names above ``after``, from ``begin``
        on.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                "SELECT name, created_at, settings, seal FROM workspaces WHERE name > :after AND "
                "name >= :begin ORDER BY name LIMIT :limit",
                {"after": after, "begin": begin, "limit": limit},
            )
        if rows:
            self._vault.prepare_all(rows[0].name, rows[-1].name)
        found = [self._list_item(row) for row in rows]
        if after < DEFAULT and begin <= DEFAULT and all(row.name != DEFAULT for row in rows):
            found = sorted([*found, _unset()], key=lambda workspace: workspace.name)[:limit]
        return found

    def find(self, name: str) -> Workspace:
        """Return the workspace with this name.

        :raises UnknownWorkspace: if there is no such workspace.
        :raises Unavailable: if its settings cannot be read.
        """
        with self._database.read(flush=False) as transaction:
            row = transaction.find(
                "SELECT name, created_at, settings, seal FROM workspaces WHERE name = :name",
                {"name": name},
            )
        if row is None and name != DEFAULT:
            raise _unknown(self._database, name)
        return self._workspace_from(row) if row is not None else _unset()

    def settings(self, name: str) -> Settings:
        """Return the present settings of a workspace; every call uses this, without SQL while the
        database's epoch is unchanged.

        :raises UnknownWorkspace: if there is no such workspace.
        :raises Unavailable: if they cannot be read.
        """
        found = self._known.find(name, lambda: self._read_settings(name))
        if found is None:
            raise _unknown(self._database, name)
        return found

    def set(
        self,
        name: str,
        changes: Mapping[str, Any],
        check: Callable[[Settings], object] = lambda _present: None,
    ) -> Workspace:
        """Change the named settings (names as in JSON) and leave the others, even if they are
        changed concurrently. ``check`` gets the replaced settings, and raises to refuse the change.

        :raises InvalidInvocation: if a setting is not valid.
        :raises UnknownWorkspace: if there is no such workspace.
        :raises Unavailable: if its settings cannot be read.
        """
        # report all faults of the changes before anything is written
        changed_settings(Settings(), changes)
        changes = self._dated(changes)
        self._vault.prepare(name)
        prepare_seals(self._vault)
        found = self._set(name, changes, check)
        return _warned(found) if changes.keys() & {"rules", "writes"} else found

    def put(
        self,
        name: str,
        changes: Mapping[str, Any],
        check: Callable[[Settings], object] = lambda _present: None,
    ) -> tuple[Workspace, bool]:
        """Create a workspace, or change the given settings of an existing one; return it, and
        whether it is new. ``check`` also gets the rules stored for a new workspace's name.

        :raises InvalidInvocation: if the name or a setting is not valid.
        """
        check(self._present(name))
        try:
            return self.create(name, changes), True
        except WorkspaceExists:
            return (self.set(name, changes, check) if changes else self.find(name)), False

    def rename_guard(self, name: str, connection: str, to: str) -> None:
        """Move the guard and the quotas of a connection to its new name, in the transaction that
        renames it: a paused connection stays paused.
        """
        settings = self.find(name).settings
        guard, quotas = (
            settings.guards.get(connection),
            quotas_renamed(settings.quotas, connection, to),
        )
        changes = {"guards": {connection: None, to: guard}} if guard is not None else {}
        if quotas != settings.quotas or changes:
            self._set(
                name, {**changes, **({"quotas": quotas} if quotas != settings.quotas else {})}
            )

    def _present(self, name: str) -> Settings:
        try:
            return self.find(name).settings
        except UnknownWorkspace:
            return Settings(rules=kept_rules(self._database, self._vault, name))

    def _set(
        self,
        name: str,
        changes: Mapping[str, Any],
        check: Callable[[Settings], object] = lambda _present: None,
    ) -> Workspace:
        for _ in range(_TRIES):
            if self._try_to_set(name, changes, check):
                return self.find(name)
        raise InvalidInvocation(
            f"the workspace '{name}' is being changed by too many others at once", hint="Try again."
        )

    def _dated(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the changes with the present time in each guard: a guard counts from then on."""
        dated = {"since": iso(self._clock.time())}
        found = {
            one: None if guard is None else {**guard, **dated}
            for one, guard in changes.get("guards", {}).items()
        }
        return {**changes, "guards": found} if found else changes

    def _try_to_set(
        self, name: str, changes: Mapping[str, Any], check: Callable[[Settings], object]
    ) -> bool:
        """Change settings, with an entry in the audit log and, if ``suspended`` changes, an event;
        return False if another process changed them meanwhile.
        """
        with self._database.write() as transaction:
            if name == DEFAULT:
                empty = {
                    "name": name,
                    "now": self._clock.time(),
                    "settings": "{}",
                    "seal": settings_seal(self._vault, name, "{}"),
                }
                transaction.change(_INSERT, empty)
            row = transaction.find(
                "SELECT settings, seal FROM workspaces WHERE name = :name", {"name": name}
            )
            if row is None:
                raise _unknown(self._database, name)
            settings, before = read_settings(self._vault, name, row), json.loads(row.settings)
            check(settings)
            wanted = changed_settings(settings, changes)
            after = {**before, **wanted.to_json()}
            text = json.dumps(after)
            values = {
                "name": name,
                "after": text,
                "before": row.settings,
                "seal": settings_seal(self._vault, name, text),
            }
            changed = bool(transaction.change(_UPDATE, values))
            if changed:
                self._audit(name).append(
                    transaction,
                    "workspace.changed",
                    f"workspace:{name}",
                    _difference({**before, **settings.to_json()}, after),
                )
                self._tell(transaction, name, settings, wanted)
            return changed

    def _tell(self, transaction: Transaction, name: str, before: Settings, after: Settings) -> None:
        """Record the events of a change: the workspace suspended or resumed, connections paused or
        resumed.
        """
        from jackfield_store.database.outbox import record

        now = self._clock.time()
        if after.suspended != before.suspended:
            record(
                transaction,
                name,
                f"workspace.{'suspended' if after.suspended else 'resumed'}",
                name,
                now,
                {"workspace": name},
            )
        for one in {*before.guards, *after.guards}:
            was, paused = (
                (settings.guard_of(one) or {}).get("paused") for settings in (before, after)
            )
            others = {**(before if was is None else after).guards, "*": {}}.values()
            # neither paused nor resumed by that
            renamed = (was or paused) in [guard.get("paused") for guard in others]
            if (was is None) != (paused is None) and not renamed:
                record(
                    transaction,
                    name,
                    f"connection.{'resumed' if paused is None else 'paused'}",
                    one,
                    now,
                    paused or was or {},
                )

    def _read_settings(self, name: str) -> Settings | None:
        try:
            return self.find(name).settings
        except UnknownWorkspace:
            return None

    def _workspace_from(self, row: Row) -> Workspace:
        return Workspace(row.name, row.created_at, read_settings(self._vault, row.name, row))

    def _list_item(self, row: Row) -> Workspace:
        """Read a workspace for a list; a damaged row must not hide the others."""
        try:
            found = self._workspace_from(row)
            return replace(found, created_at=possible_time(row.created_at))
        except (RowDamaged, ValueError):
            return _unread(row.name, "its row in the database is damaged")
        except KEY_FAULTS as fault:
            return _unread(row.name, fault.message)

    def _audit(self, name: str) -> Audit:
        return Audit(self._database, lambda: self._vault, name, self._clock, self._actor)


def _warned(made: Workspace) -> Workspace:
    """Return a workspace with the warnings about its new rules."""
    rules = made.settings.binding
    if not (rules or rules.asks_writes):
        return made
    from jackfield_store.access.rule_warnings import warned  # no call needs it

    return replace(made, warnings=warned(rules, made.name, f"the workspace '{made.name}'"))


def require(database: Database, name: str) -> None:
    """Require that a workspace exists. Otherwise a typo would create connections and invocations
    that a later workspace of that name would inherit.

    :raises UnknownWorkspace: if there is no such workspace.
    """
    if name != DEFAULT and database.look_up(_EXISTS, {"name": name}) is None:
        raise _unknown(database, name)


def unknown_to_platform(name: str) -> UnknownWorkspace:
    """Return one error for missing workspaces and for workspaces of others, so that it reveals no
    name.
    """
    hint = (
        "GET /v1/workspaces lists those that the platform's token manages; PUT "
        "/v1/workspaces/{name} creates one whose name fits the token."
    )
    return UnknownWorkspace(f"no workspace is named '{name[:100]}'", hint=hint)


def _exists(name: str) -> WorkspaceExists:
    return WorkspaceExists(
        f"the workspace '{name}' exists already",
        hint="Choose another name; 'workspaces set' changes it.",
    )


def _unknown(database: Database, name: str) -> UnknownWorkspace:
    with database.read(flush=False) as transaction:
        names = [
            row.name
            for row in transaction.execute("SELECT name FROM workspaces ORDER BY name LIMIT 1000")
        ]
    tail = did_you_mean(name, [*names, DEFAULT])
    return UnknownWorkspace(f"no workspace is named '{name[:100]}'{tail}", hint=_HINT)


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    changed = difference(before, after)
    return {
        side: {name: _audited_setting(value) for name, value in values.items()}
        for side, values in changed.items()
    }


def _audited_setting(setting: Any) -> Any:
    """Return a setting for the audit log, with images replaced by their length."""
    if not isinstance(setting, Mapping):
        return setting
    return {
        **setting,
        **{name: f"{len(setting[name]):,} characters" for name in IMAGES if name in setting},
    }


def _unread(name: str, damage: str) -> Workspace:
    return Workspace(name, None, Settings(rules=Rules(block=("*",))), damage)


def _unset() -> Workspace:
    return Workspace(DEFAULT, None, Settings())
