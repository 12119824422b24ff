"""The data keys of all workspaces: rows, each wrapped by a master key or a key service, and their
unwrapped copies in this process.

A key service is rarely called: unwrapped keys are cached for a day, and threads that need one key
share a request. Write transactions only request keys that were not prepared (``Vault.prepare``).
While the service cannot be reached, cached keys serve two hours more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from hmac import HMAC
from typing import TYPE_CHECKING

from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.clock import Clock
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database.batches import ApartError
from jackfield_store.database.engine import Database
from jackfield_store.database.faults import (
    DataKeyDamaged,
    KeyServiceUnavailable,
    RowDamaged,
    SealBroken,
    WrongMasterKey,
)
from jackfield_store.database.flights import Flights
from jackfield_store.database.statements import Row
from jackfield_store.database.transaction import Step, Transaction
from jackfield_store.keys import sealing
from jackfield_store.keys.key_ring import KeyRing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from jackfield_store.keys.key_wrappers import KeyService
    from jackfield_store.keys.master_key import LocalKey

    AnyWrapper = LocalKey | KeyService

CACHE_SECONDS = 86_400.0
"""Default lifetime of an unwrapped data key in this process, in seconds."""
_GRACE = 1 / 12
"""Share of its lifetime for which a key may be used after its end, if the key service cannot be
reached.
"""
_CACHED_WORKSPACES = 10_000
_REFRESH_SECONDS = 60.0
"""Seconds after which a process checks whether another process has created a new data key, or
requested all to forget one.
"""
INSTALLATION = "installation"
"""Name of the installation's wrappers among the wrappers of a workspace."""
COLUMNS = "workspace, key_id, wrapped, master_key_id, created_at, forgotten_at"
_FIRST = "SELECT key_id FROM data_keys ORDER BY workspace, key_id LIMIT 1"
"""Query for the row whose lock orders the creation of a data key before or after each step of a
rotation.
"""
_INSERT = (
    "INSERT INTO data_keys (workspace, key_id, wrapped, master_key_id, created_at) "
    "VALUES (:workspace, :key_id, :wrapped, :master_key_id, :created_at) ON CONFLICT DO NOTHING"
)
_OF_WORKSPACE = (
    f"SELECT {COLUMNS} FROM data_keys WHERE workspace = :workspace AND (retired_at IS NULL OR "
    "created_at = "
    "(SELECT MIN(created_at) FROM data_keys WHERE workspace = :workspace)) ORDER BY created_at"
)
_ONE = f"SELECT {COLUMNS} FROM data_keys WHERE workspace = :workspace AND key_id = :key_id"
_NAMES = (
    "SELECT DISTINCT workspace FROM data_keys WHERE workspace > :after ORDER BY workspace LIMIT 50"
)
_FORGET = "UPDATE data_keys SET forgotten_at = :now WHERE workspace = :workspace"
_NEIGHBOURS = f"SELECT {COLUMNS} FROM data_keys WHERE workspace >= :first AND workspace <= :last"
_USED = """
WITH RECURSIVE used(id) AS (
    SELECT MIN(master_key_id) FROM data_keys
    UNION ALL SELECT (SELECT MIN(k.master_key_id) FROM data_keys k WHERE k.master_key_id > used.id) FROM used WHERE used.id IS NOT NULL
) SELECT id AS master_key_id FROM used WHERE id IS NOT NULL
"""
"""Query for the ids of the wrappers in use: one index lookup for each, however many keys there
are.
"""
_FOREIGN = (
    "SELECT 1 AS one FROM data_keys WHERE master_key_id = :id AND workspace NOT IN (SELECT "
    "workspace FROM workspace_wrappers) LIMIT 1"
)


@dataclass(frozen=True, slots=True, repr=False)
class DataKey(SecretHolder):
    """Unwrapped data key. ``mark`` is its row's ``forgotten_at``. It is unwrapped again from
    ``renew`` on, unused from ``until`` on.
    """

    id: str
    cipher: AESGCM
    digest: HMAC
    """HMAC without data yet: copying it is cheaper than starting from the key."""
    mark: float | None
    renew: float
    until: float


@dataclass(frozen=True, slots=True, repr=False)
class WorkspaceKeys(SecretHolder):
    """Keys with which a workspace seals and computes digests; they are read again after
    ``until``.
    """

    current: DataKey
    first: DataKey
    until: float


@dataclass(frozen=True, slots=True, repr=False)
class _Fresh(SecretHolder):
    """New data key, not stored yet."""

    id: str
    key: bytes
    wrapped: bytes
    wrapper: AnyWrapper

    def values(self, workspace: str, now: float) -> dict[str, object]:
        """Return the values of its row."""
        return {
            "workspace": workspace,
            "key_id": self.id,
            "wrapped": self.wrapped,
            "master_key_id": self.wrapper.id,
            "created_at": now,
        }


class Services:
    """Record of whether the process needs key services. ``asked`` is True if the installation has
    one, or one was called for a workspace.
    """

    __slots__ = ("asked",)

    def __init__(self, *, asked: bool) -> None:
        self.asked = asked


class DataKeys(SecretHolder):
    """Data keys of one database. ``own`` returns the ids of a workspace's own wrappers, in order of
    use. ``rewrap`` wraps all data keys with the first wrapper of the ring.
    """

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        lifetime: float,
        own: Callable[[str], tuple[str, ...]],
        rewrap: Callable[[DataKeys], object],
    ) -> None:
        self.ring = ring
        self._database = database
        self._clock = clock
        self._lifetime = lifetime
        self.services = Services(asked=any(":" in name for name in ring.ids))
        self._own = own
        self._rewrap = rewrap
        self._installation: str | None = None
        self._known: BoundedCache[str, WorkspaceKeys] = BoundedCache(_CACHED_WORKSPACES)
        self._checked: BoundedCache[tuple[str, str], tuple[DataKey, float]] = BoundedCache(
            _CACHED_WORKSPACES
        )
        """Keys whose rows were read less than a minute ago."""
        self._unwrapped: BoundedCache[tuple[str, str], DataKey] = BoundedCache(_CACHED_WORKSPACES)
        """Keys that are used with their row at hand only, since a transaction that has created one
        may be rolled back.
        """
        self._flights: Flights[DataKey] = Flights()

    def __len__(self) -> int:
        return len(self._unwrapped)

    def of(self, workspace: str) -> WorkspaceKeys:
        """Return the keys of a workspace; create the first if it has none.

        :raises WrongMasterKey: if they were wrapped by a wrapper that is not in the ring.
        :raises KeyServiceUnavailable: if a key is not cached, and the key service gives no answer.
        """
        known = self._known.get(workspace)
        if known is not None and self._clock.monotonic() < known.until:
            return known
        known = self.prepare(workspace, create=True)
        if known is None:
            raise sealing.broken()
        return known

    def prepare(self, workspace: str, *, create: bool) -> WorkspaceKeys | None:
        """Return the keys of a workspace as ``of`` does; None if it has no key and ``create`` is
        False.
        """
        # do not cache what the surrounding transaction may yet roll back
        uncertain = self._database.writing
        known = self._known.get(workspace)
        if known is not None and self._clock.monotonic() < known.until:
            return known
        known = self._load(workspace)
        if known is None and create:
            known = self._created(workspace)
        if known is not None and not uncertain:
            self._known.put(workspace, known)
        return known

    def has(self, workspace: str) -> bool:
        """Return whether the keys of a workspace are cached: neither the database nor a key service
        is needed.
        """
        known = self._known.get(workspace)
        return known is not None and self._clock.monotonic() < known.until

    def find(self, workspace: str, key_id: str) -> DataKey:
        """Return one key of a workspace.

        :raises SealBroken: if no key has this id.
        :raises DataKeyDamaged: if its row was changed, or moved to another workspace.
        :raises WrongMasterKey: as ``of`` does.
        :raises KeyServiceUnavailable: as ``of`` does.
        """
        known = self._checked.get((workspace, key_id))
        if known is not None and self._clock.monotonic() < known[1]:
            return known[0]
        return self._load_data_key(workspace, key_id)

    def read(self, first: str, last: str) -> None:
        """Read the keys of the workspaces from ``first`` to ``last`` at once. A key that cannot be
        unwrapped fails when it is needed.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(_NEIGHBOURS, {"first": first, "last": last})
        for row in rows:
            self._follow_exchange(row.workspace, row.key_id)
            with suppress(JackfieldError):
                self._checked.put(
                    (row.workspace, row.key_id),
                    (self._read_key(row), self._clock.monotonic() + _REFRESH_SECONDS),
                )

    def reread(self, workspace: str) -> None:
        """Read a workspace's keys before the next seal: a purged workspace may have had its
        name.
        """
        self._known.remove(workspace)

    def _follow_exchange(self, workspace: str, key_id: str) -> None:
        """Read a workspace's keys again when an unknown key appears, so that no deleted key is used
        for sealing.

        So a process notices that another process has purged the workspace and created it again: it
        opens some of its data, such as settings, before it seals any.
        """
        known = self._known.get(workspace)
        if known is not None and key_id not in (known.current.id, known.first.id):
            self.reread(workspace)

    def clear(self) -> None:
        """Drop the cached keys; their rows are read again when needed."""
        self._known.clear()
        self._checked.clear()

    def forget(self, now: float, workspace: str | None = None) -> int:
        """Let all processes drop the unwrapped keys of a workspace, or of all, within a minute,
        this one at once. Return the number of keys.
        """
        count, names = 0, self._after("") if workspace is None else [workspace]
        while names:
            with self._database.write() as transaction:
                count += transaction.change_many(
                    _FORGET, [{"workspace": name, "now": now} for name in names]
                )
            names = self._after(names[-1]) if workspace is None else []
        self.clear()
        return count

    def _after(self, name: str) -> list[str]:
        with self._database.read(flush=False) as transaction:
            return [row.workspace for row in transaction.execute(_NAMES, {"after": name})]

    def context(self, workspace: str, key_id: str) -> dict[str, str]:
        """Return the context that a wrapped key is bound to."""
        return {"installation": self._installed(), "workspace": workspace, "key": key_id}

    def plain(self, row: Row) -> bytes:
        """Unwrap the key of a row, cached or not.

        :raises DataKeyDamaged: if the row was changed, or moved to another workspace.
        :raises WrongMasterKey: as ``of`` does.
        :raises KeyServiceUnavailable: if the key service gives no answer.
        """
        try:
            wrapper = self.wrapper(row.workspace, row.master_key_id)
        except WrongMasterKey:
            later = self._database.look_up(_ONE, {"workspace": row.workspace, "key_id": row.key_id})
            if later is None or later.master_key_id == row.master_key_id:
                raise
            # it was wrapped again since the row was read, and its former wrapper taken from the
            # workspace
            return self.plain(later)
        self.services.asked |= not wrapper.is_local
        try:
            return wrapper.unwrap(self.context(row.workspace, row.key_id), bytes(row.wrapped))
        except SealBroken:
            raise damaged(row) from None

    def wrapper(self, workspace: str, wrapper_id: str) -> AnyWrapper:
        """Return a wrapper of the installation, or one of the workspace's own.

        :raises WrongMasterKey: if it is neither.
        """
        found = self.ring.wrapper(wrapper_id)
        if found is None and wrapper_id in self._own(workspace):
            found = self.ring.opened(wrapper_id)
        if found is None:
            raise self.ring.wrong(wrapper_id)
        return found

    def uses_services(self) -> bool:
        """Return whether any key of the database may need a key service."""
        with self._database.read(flush=False) as transaction:
            used = [row.master_key_id for row in transaction.execute(_USED)]
        return any(":" in name for name in (*used, self.ring.ids[0]))

    def services_of(self, workspaces: Sequence[str]) -> dict[str, str]:
        """Return for each workspace with a key service the URI of that service."""
        values = {f"name_{place}": name for place, name in enumerate(workspaces)}
        statement = (
            "SELECT workspace, master_key_id FROM data_keys WHERE workspace IN "
            f"({', '.join(f':{name}' for name in values)})"
        )
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(statement, values)
        first = self.ring.ids[0]
        # whose first key has yet to be made
        anew = dict.fromkeys(set(workspaces).difference(row.workspace for row in rows), first)
        return {
            name: uri
            for name, uri in (*anew.items(), *((row.workspace, row.master_key_id) for row in rows))
            if ":" in uri
        }

    def target(self, transaction: Transaction, workspace: str) -> AnyWrapper:
        """Return the wrapper for new keys of a workspace: its own, else the wrapper of all the
        installation's keys, else the installation's first. Another process may have rotated to the
        wrapper of all keys.

        :raises WrongMasterKey: if data keys were wrapped by a wrapper that is not in the ring.
        """
        own = self._own(workspace)
        return (
            self.ring.opened(own[0])
            if own and own[0] != INSTALLATION
            else self._shared(transaction)
        )

    def _shared(self, transaction: Transaction) -> AnyWrapper:
        used = self.verify(transaction)
        return self.ring.having(used.pop()) if len(used) == 1 else self.ring.first

    def verify(self, transaction: Transaction, ring: KeyRing | None = None) -> set[str]:
        """Return the ids of the installation's wrappers that wrapped data keys. If a further key
        has a wrapper outside of the ring, the key is damaged, or its wrapper was dropped too early:
        only its workspace gets the error.

        :raises WrongMasterKey: if only other wrappers did, and for workspaces without wrappers of
            their own.
        """
        rows = transaction.execute(_USED)
        ring = ring or self.ring
        # after the rows were read: a rotation sets its ring before it changes them
        present = ring.ids
        used = {row.master_key_id for row in rows}
        for wrapper_id in () if used.intersection(present) else sorted(used):
            if transaction.find(_FOREIGN, {"id": wrapper_id}) is not None:
                raise ring.wrong(wrapper_id)
        return used.intersection(present)

    def fresh(self, workspace: str, wrapper: AnyWrapper) -> _Fresh:
        """Make and wrap a new data key."""
        key_id, key = os.urandom(8).hex(), os.urandom(sealing.KEY_BYTES)
        return _Fresh(key_id, key, wrapper.wrap(self.context(workspace, key_id), key), wrapper)

    def first(
        self, transaction: Transaction, workspaces: Iterable[str]
    ) -> tuple[dict[str, DataKey], Step]:
        """Make the first data keys of new workspaces, and return them with the step that stores
        them: it must change a row for each.

        :raises ApartError: if the database has no data key yet, or a key service would be needed.
        """
        others = self.beside_creations(transaction)
        target, now = self._shared(transaction), self._clock.time()
        if not (others and target.is_local):
            raise ApartError
        return self.storing([(one, now, self.fresh(one, target)) for one in workspaces])

    def storing(self, fresh: list[tuple[str, float, _Fresh]]) -> tuple[dict[str, DataKey], Step]:
        """Return new data keys by workspace, with the step that stores them."""
        return {one: self._store_data_key(one, new) for one, _, new in fresh}, (
            _INSERT,
            [new.values(one, at) for one, at, new in fresh],
        )

    def insert(
        self, transaction: Transaction, workspace: str, now: float, fresh: _Fresh
    ) -> DataKey | None:
        """Store a new data key, unless the workspace has a current one; then return None."""
        return (
            self._store_data_key(workspace, fresh)
            if transaction.change(_INSERT, fresh.values(workspace, now))
            else None
        )

    def _store_data_key(self, workspace: str, fresh: _Fresh) -> DataKey:
        made = self._data_key(workspace, fresh.id, fresh.key, None)
        self._unwrapped.put((workspace, fresh.id), made)
        return made

    def beside_creations(self, transaction: Transaction) -> bool:
        """Exclude the steps of a rotation from the rest of the transaction, which creates data
        keys; return True if the database has data keys.
        """
        return bool(transaction.execute(_FIRST + self._database.dialect.shares))

    def between_creations(self, transaction: Transaction) -> None:
        """Wait for transactions that are creating data keys, and let none begin before the end of
        this transaction.
        """
        transaction.execute(_FIRST + self._database.dialect.locks)

    def _load(self, workspace: str) -> WorkspaceKeys | None:
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(_OF_WORKSPACE, {"workspace": workspace})
        return self._of_rows(rows)

    def _of_rows(self, rows: list[Row]) -> WorkspaceKeys | None:
        until = self._clock.monotonic() + _REFRESH_SECONDS
        return (
            WorkspaceKeys(self._read_key(rows[-1]), self._read_key(rows[0]), until)
            if rows
            else None
        )

    def _created(self, workspace: str) -> WorkspaceKeys | None:
        """Create the first data key of a workspace, unless another process does; return the keys. A
        key service wraps the key before the transaction, unless this thread is in one already.
        """
        inside, fresh = self._database.writing, None
        known: WorkspaceKeys | None = None
        # inside a transaction without a savepoint: its errors end both
        begin = self._database.read if inside else self._database.write
        while known is None:
            with begin() as transaction:
                self.beside_creations(transaction)
                ring, target = self.ring, self.target(transaction, workspace)
                if target.is_local or inside:
                    fresh = self.fresh(workspace, target)
                if fresh is not None and fresh.wrapper.id == target.id:
                    made = self.insert(transaction, workspace, self._clock.time(), fresh)
                    rows = (
                        [] if made else transaction.execute(_OF_WORKSPACE, {"workspace": workspace})
                    )
                    known = (
                        WorkspaceKeys(made, made, self._clock.monotonic() + _REFRESH_SECONDS)
                        if made
                        else self._of_rows(rows)
                    )
            fresh = fresh if known else self.fresh(workspace, target)
        self._follow(ring)
        return known

    def _follow(self, used: KeyRing) -> None:
        """Wrap again the data keys that this process wrapped with the ring ``used`` while it
        rotated to another ring.
        """
        while (ring := self.ring) is not used:
            self._rewrap(self)
            used = ring

    def _load_data_key(self, workspace: str, key_id: str) -> DataKey:
        # do not cache what the surrounding transaction may yet roll back
        uncertain = self._database.writing
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                f"SELECT {COLUMNS} FROM data_keys WHERE workspace = :workspace",
                {"workspace": workspace},
            )
        row = next((row for row in rows if row.key_id == key_id), None)
        if row is None:
            for other in rows:
                # exchanged keys are the cause then, and the value itself may be as it was
                self._read_key(other)
            raise sealing.broken()
        self._follow_exchange(workspace, key_id)
        key = self._read_key(row)
        if not uncertain:
            self._checked.put(
                (workspace, key_id), (key, self._clock.monotonic() + _REFRESH_SECONDS)
            )
        return key

    def _read_key(self, row: Row) -> DataKey:
        place = (row.workspace, row.key_id)
        known, now = self._unwrapped.get(place), self._clock.monotonic()
        if known is None or known.mark != row.forgotten_at or now >= known.until:
            self._unwrapped.remove(place)
            return self._flights.run(
                place, partial(self._unwrap, row), late=partial(_slow, row.workspace)
            )
        if now < known.renew or self._database.writing:
            return known
        try:
            return self._flights.run(place, partial(self._unwrap, row), meanwhile=known)
        except KeyServiceUnavailable:
            return known

    def _unwrap(self, row: Row) -> DataKey:
        known = self._unwrapped.get((row.workspace, row.key_id))
        if (
            known is not None
            and known.mark == row.forgotten_at
            and self._clock.monotonic() < known.renew
        ):
            return known  # another thread has unwrapped it between our check and our turn
        found = self._data_key(row.workspace, row.key_id, self.plain(row), row.forgotten_at)
        self._unwrapped.put((row.workspace, row.key_id), found)
        return found

    def _data_key(self, workspace: str, key_id: str, key: bytes, mark: float | None) -> DataKey:
        renew = self._clock.monotonic() + self._lifetime
        return DataKey(
            key_id,
            sealing.cipher(key),
            _digest(_derived(key, workspace)),
            mark,
            renew,
            renew + self._lifetime * _GRACE,
        )

    def _installed(self) -> str:
        if self._installation is None:
            row = self._database.look_up("SELECT id FROM installation", {})
            if row is None:
                raise RowDamaged(
                    "the installation has no id: its row in the database is gone",
                    hint="Restore a backup.",
                )
            self._installation = str(row.id)
        return self._installation


def _slow(workspace: str) -> KeyServiceUnavailable:
    return KeyServiceUnavailable(
        f"the key service of the workspace '{workspace}' is being asked for its key, and has not "
        "answered yet",
        hint="Try again. If it stays so, see 'jackfield keys list': it asks each key service.",
    )


def damaged(row: Row) -> DataKeyDamaged:
    """Return the error for a data key whose row was changed."""
    return DataKeyDamaged(
        f"the data key '{row.key_id}' of the workspace '{row.workspace}' cannot be unwrapped: its "
        "row in the database was changed "
        "or replaced",
        hint=(
            "Run 'jackfield db check', restore a backup, and find out who else writes to the "
            "database."
        ),
    )


def _digest(key: bytes) -> HMAC:
    return HMAC(key, digestmod="sha256")


def _derived(key: bytes, workspace: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(
        SHA256(),
        sealing.KEY_BYTES,
        salt=None,
        info=sealing.bound(("jackfield fingerprint", workspace)),
    ).derive(key)
