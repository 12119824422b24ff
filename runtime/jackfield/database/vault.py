"""Encryption of secrets at rest: a data key per workspace, wrapped by the master key; each sealed value is bound to its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hmac import HMAC
from typing import TYPE_CHECKING, Any

from jackfield.bounded_cache import BoundedCache
from jackfield.clock import Clock, SystemClock
from jackfield.database import sealing
from jackfield.database.engine import Database
from jackfield.database.faults import DataKeyDamaged, SealBroken
from jackfield.database.master_key import MasterKey
from jackfield.database.statements import Row
from jackfield.database.transaction import Transaction
from jackfield.dataclass import dataclass
from jackfield.secrecy import SecretHolder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_CACHED_WORKSPACES = 1000
_REFRESH_SECONDS = 60.0
"""Seconds after which a process checks whether another one has created a new data key."""
_PAGE = 500
_COLUMNS = "workspace, key_id, wrapped, master_key_id, created_at"
_IN_ORDER = "ORDER BY workspace, key_id LIMIT :page"
"""Rotations that run at the same time lock the rows in this order, so none waits for another that waits for it."""
_FIRST = "SELECT key_id FROM data_keys ORDER BY workspace, key_id LIMIT 1"
"""Row by whose lock a new data key is created before or after each step of a rotation."""
_OF_OTHERS = f"SELECT {_COLUMNS} FROM data_keys WHERE master_key_id <> :id {_IN_ORDER}"
_OF_ONE = f"SELECT {_COLUMNS} FROM data_keys WHERE master_key_id = :id {_IN_ORDER}"


@dataclass(frozen=True, slots=True, repr=False)
class _DataKey(SecretHolder):
    id: str
    cipher: AESGCM
    digest: HMAC
    """HMAC without data yet: copying it is cheaper than starting from the key."""


@dataclass(frozen=True, slots=True, repr=False)
class _WorkspaceKeys:
    """Keys with which a workspace seals and computes digests; read again after ``until``."""

    current: _DataKey
    first: _DataKey
    until: float


class Vault(SecretHolder):
    """Encryption of values with their workspace's data key, which is created on first use.

    Unwrapped data keys of the 1,000 most recently used workspaces are cached in memory.
    """

    def __init__(self, database: Database, master: MasterKey, clock: Clock | None = None) -> None:
        self._database = database
        self._master = master
        self._clock = clock or SystemClock()
        self._known: BoundedCache[str, _WorkspaceKeys] = BoundedCache(_CACHED_WORKSPACES)
        self._keys: BoundedCache[tuple[str, str], _DataKey] = BoundedCache(_CACHED_WORKSPACES)

    def __repr__(self) -> str:
        return f"<Vault of {self._database!r} with {self._master!r}>"

    def seal(self, workspace: str, aad_parts: tuple[str, ...], plaintext: bytes) -> bytes:
        """Seal ``plaintext`` for one place: the workspace and ``aad_parts`` (for a secret: connection, field, version). Adds 37 bytes.

        :raises WrongMasterKey: if the database's data keys were wrapped by another master key.
        """
        key = self._workspace_keys(workspace).current
        return sealing.seal(key.cipher, key.id, (workspace, *aad_parts), plaintext)

    def open(self, workspace: str, aad_parts: tuple[str, ...], ciphertext: bytes) -> bytes:
        """Decrypt a value sealed for this place.

        :raises SealBroken: if it was changed, or sealed for another workspace or place.
        :raises DataKeyDamaged: if the row of the data key was changed, or moved to another workspace.
        :raises WrongMasterKey: if the data key was wrapped by another master key.
        """
        key_id = sealing.key_id_of(ciphertext)
        key = self._keys.get((workspace, key_id)) or self._read(workspace, key_id)
        return sealing.unseal(key.cipher, (workspace, *aad_parts), ciphertext)

    def attest(self, workspace: str, aad_parts: tuple[str, ...]) -> bytes:
        """Return a seal over open values: nobody without the master key can make one for other values.

        :raises WrongMasterKey: as ``seal`` does.
        """
        return self.seal(workspace, aad_parts, b"")

    def attests(self, workspace: str, aad_parts: tuple[Any, ...], seal: bytes | None) -> bool:
        """Return whether ``seal`` is one over these values, which may have other types where somebody has changed the database.

        :raises DataKeyDamaged: as ``open`` does.
        :raises WrongMasterKey: as ``open`` does.
        """
        try:
            self.open(workspace, aad_parts, seal or b"")
        except (SealBroken, TypeError, AttributeError):
            return False
        return True

    def hmac(self, workspace: str, text: bytes) -> str:
        """Return the HMAC-SHA256 of ``text`` in hexadecimal.

        Its key is derived (HKDF, RFC 5869) from the workspace's first data key. The digest is stable for ever, differs between workspaces,
        and reveals nothing about the text.
        """
        digest = self._workspace_keys(workspace).first.digest.copy()
        digest.update(text)
        return digest.hexdigest()

    def verify(self) -> None:
        """Check that the master key opens all data keys.

        :raises WrongMasterKey: if it does not.
        """
        with self._database.read(flush=False) as transaction:
            _verify(transaction, lambda: self._master)

    def damaged_keys(self) -> Iterator[DataKeyDamaged]:
        """Try every data key and yield an error for each that cannot be unwrapped."""
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(f"SELECT {_COLUMNS} FROM data_keys ORDER BY workspace, key_id")
        for row in rows:
            try:
                _data_key(self._master, row)
            except DataKeyDamaged as fault:
                yield fault

    def rotate(self, new_master: MasterKey | None = None, *, data_keys: bool = False) -> int:
        """Wrap all data keys again, with ``new_master`` or the first present key, while calls go on. Return the number of wrapped keys.

        ``data_keys`` also creates new data keys for values sealed from now on; other processes follow within a minute, and the old keys
        stay for reading. Rotation can be interrupted anywhere and run again.

        A running process needs the new master key too: give every process ``old,new`` first, then rotate, then drop the old one.

        :raises WrongMasterKey: if a data key was wrapped by another master key; nothing was changed.
        """
        master = self._master if new_master is None else new_master.with_others(self._master)
        with self._database.read(flush=False) as transaction:
            _verify(transaction, lambda: master)
        self._master = master
        count = self._rewrap(master)
        if data_keys:
            self._renew()
        return count

    def _workspace_keys(self, workspace: str) -> _WorkspaceKeys:
        known = self._known.get(workspace)
        if known is not None and self._clock.monotonic() < known.until:
            return known
        uncertain = self._database.writing  # do not cache what the surrounding transaction may yet roll back
        known = self._load(workspace) or self._create(workspace)
        if not uncertain:
            self._known.put(workspace, known)
        return known

    def _load(self, workspace: str) -> _WorkspaceKeys | None:
        with self._database.read(flush=False) as transaction:
            return self._all(transaction, workspace)

    def _create(self, workspace: str) -> _WorkspaceKeys:
        with self._database.write() as transaction:
            transaction.execute(_FIRST + self._database.dialect.shares)
            used = _verify(transaction, lambda: self._master)
            master = self._master
            self._insert(transaction, workspace, self._clock.time(), _rotated_to(used, master))
            known = self._all(transaction, workspace)
        self._follow(master)
        if known is None:
            raise sealing.broken()
        return known

    def _insert(self, transaction: Transaction, workspace: str, now: float, master: MasterKey) -> None:
        """Insert a new data key, wrapped with ``master``, unless another process has just inserted one."""
        key_id, key = os.urandom(8).hex(), os.urandom(sealing.KEY_BYTES)
        transaction.change(
            f"INSERT INTO data_keys ({_COLUMNS}) VALUES (:workspace, :key_id, :wrapped, :master_key_id, :created_at) "
            "ON CONFLICT DO NOTHING",
            {
                "workspace": workspace,
                "key_id": key_id,
                "wrapped": master.wrap(workspace, key_id, key),
                "master_key_id": master.id,
                "created_at": now,
            },
        )

    def _all(self, transaction: Transaction, workspace: str) -> _WorkspaceKeys | None:
        rows = transaction.execute(
            f"SELECT {_COLUMNS} FROM data_keys WHERE workspace = :workspace AND (retired_at IS NULL OR created_at = "
            "(SELECT MIN(created_at) FROM data_keys WHERE workspace = :workspace)) ORDER BY created_at",
            {"workspace": workspace},
        )
        if not rows:
            return None
        until = self._clock.monotonic() + _REFRESH_SECONDS
        return _WorkspaceKeys(self._unwrapped(rows[-1]), self._unwrapped(rows[0]), until)

    def _read(self, workspace: str, key_id: str) -> _DataKey:
        uncertain = self._database.writing  # do not cache what the surrounding transaction may yet roll back
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(f"SELECT {_COLUMNS} FROM data_keys WHERE workspace = :workspace", {"workspace": workspace})
        row = next((row for row in rows if row.key_id == key_id), None)
        if row is None:
            for other in rows:
                self._unwrapped(other)  # exchanged keys are the cause then, and the value itself may be as it was
            raise sealing.broken()
        key = self._unwrapped(row)
        if not uncertain:
            self._keys.put((workspace, key_id), key)
        return key

    def _unwrapped(self, row: Row) -> _DataKey:
        found = self._keys.get((row.workspace, row.key_id))
        if found is not None:
            return found
        key = _data_key(self._master, row)
        return _DataKey(row.key_id, sealing.cipher(key), _digest(_derived(key, row.workspace)))

    def _follow(self, used: MasterKey) -> None:
        """Wrap data keys again that this process wrapped with ``used`` while it rotated to another master key."""
        while (master := self._master) is not used:
            if master.id != used.id:
                self._rewrap(master, used)
            used = master

    def _rewrap(self, master: MasterKey, used: MasterKey | None = None) -> int:
        """Wrap data keys with ``master``: those wrapped with ``used``, or with any other."""
        statement, wanted = (_OF_OTHERS, master.id) if used is None else (_OF_ONE, used.id)
        count = 0
        while True:
            with self._database.write() as transaction:
                transaction.execute(_FIRST + self._database.dialect.locks)
                rows = transaction.execute(statement, {"id": wanted, "page": _PAGE})
                for row in rows:
                    count += _rewrapped(transaction, row, master)
            if len(rows) < _PAGE:
                return count

    def _renew(self) -> None:
        """Create new data keys for all workspaces that have one."""
        with self._database.write() as transaction:
            for row in transaction.execute("SELECT workspace, created_at FROM data_keys WHERE retired_at IS NULL ORDER BY workspace"):
                now = max(self._clock.time(), row.created_at + 0.001)  # even after a clock was set back, the new key must not sort first
                transaction.change(
                    "UPDATE data_keys SET retired_at = :now WHERE workspace = :workspace AND retired_at IS NULL",
                    {"now": now, "workspace": row.workspace},
                )
                self._insert(transaction, row.workspace, now, self._master)
        self._known.clear()


def _verify(transaction: Transaction, present: Callable[[], MasterKey]) -> set[str]:
    """Return the ids of the master keys that wrapped data keys."""
    rows = transaction.execute("SELECT DISTINCT master_key_id FROM data_keys")
    master = present()  # after the rows were read: a rotation sets its key before it changes them
    for row in rows:
        if row.master_key_id not in master.ids:
            raise master.wrong(row.master_key_id)
    return {row.master_key_id for row in rows}


def _rotated_to(used: set[str], master: MasterKey) -> MasterKey:
    """Return the keys with the one first that wrapped every data key: another process has rotated to it, and may drop ours."""
    return master.with_first(next(iter(used))) if len(used) == 1 else master


def _data_key(master: MasterKey, row: Row) -> bytes:
    try:
        return master.unwrap(row.workspace, row.key_id, row.master_key_id, row.wrapped)
    except SealBroken:
        raise DataKeyDamaged(
            f"the data key '{row.key_id}' of the workspace '{row.workspace}' cannot be unwrapped: its row in the database was changed "
            "or replaced",
            hint="Run 'jackfield db check', restore a backup, and find out who else writes to the database.",
        ) from None


def _rewrapped(transaction: Transaction, row: Row, master: MasterKey) -> int:
    key = _data_key(master, row)
    return transaction.change(
        "UPDATE data_keys SET wrapped = :wrapped, master_key_id = :id WHERE workspace = :workspace AND key_id = :key_id",
        {"wrapped": master.wrap(row.workspace, row.key_id, key), "id": master.id, "workspace": row.workspace, "key_id": row.key_id},
    )


def _digest(key: bytes) -> HMAC:
    return HMAC(key, digestmod="sha256")


def _derived(key: bytes, workspace: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), sealing.KEY_BYTES, salt=None, info=sealing.bound(("jackfield fingerprint", workspace))).derive(key)
