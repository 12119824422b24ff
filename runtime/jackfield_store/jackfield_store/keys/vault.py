"""Encryption at rest by a data key per workspace, which a master key or a key service wraps. Sealed
values are bound to their place.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import proxy

from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database.engine import Database
from jackfield_store.database.faults import (
    KEY_FAULTS,
    DatabaseUnfit,
    KeyServiceUnavailable,
    SealBroken,
    UsageFault,
)
from jackfield_store.keys import sealing
from jackfield_store.keys.data_keys import CACHE_SECONDS, COLUMNS, INSTALLATION, DataKeys
from jackfield_store.keys.key_ring import KeyRing, RingPart
from jackfield_store.keys.workspace_wrappers import HOME, WorkspaceWrappers

if TYPE_CHECKING:
    from jackfield_store.database.statements import Row
    from jackfield_store.database.transaction import Step, Transaction
    from jackfield_store.keys.key_wrappers import KeyService
    from jackfield_store.keys.rewrapping import Rotated


class Vault(SecretHolder):
    """Encryption of values with their workspace's data key, which is created on first use.

    Unwrapped data keys of the 10,000 most recently used workspaces are cached in memory, each for
    ``lifetime`` seconds.
    """

    def __init__(
        self,
        database: Database,
        master: KeyRing | RingPart,
        clock: Clock | None = None,
        *,
        lifetime: float = CACHE_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        # parts that referred back to it would leave it, and its database, to the collector
        me: Vault = proxy(self)
        self._own = WorkspaceWrappers(database, me)
        self._keys = DataKeys(
            database,
            KeyRing.of(master),
            self._clock,
            lifetime,
            self._own.of,
            partial(Vault.rewrap, me),
        )

    def __repr__(self) -> str:
        return f"<Vault of {self._database!r} with {self._keys.ring!r}>"

    def seal(self, workspace: str, aad_parts: tuple[str, ...], plaintext: bytes) -> bytes:
        """Seal ``plaintext`` for one place: the workspace and ``aad_parts`` (for a secret:
        connection, field, version). Adds 37 bytes.

        :raises WrongMasterKey: if the database's data keys were wrapped by another master key.
        :raises KeyServiceUnavailable: if the workspace's key is not cached, and the key service
            gives no answer.
        """
        key = self._keys.of(workspace).current
        return sealing.seal(key.cipher, key.id, (workspace, *aad_parts), plaintext)

    def open(self, workspace: str, aad_parts: tuple[str, ...], ciphertext: bytes) -> bytes:
        """Decrypt a value sealed for this place.

        :raises SealBroken: if it was changed, or sealed for another workspace or place.
        :raises DataKeyDamaged: if the row of the data key was changed, or moved to another
            workspace.
        :raises WrongMasterKey: if the data key was wrapped by another master key.
        :raises KeyServiceUnavailable: as ``seal`` does.
        """
        key = self._keys.find(workspace, sealing.key_id_of(ciphertext))
        return sealing.unseal(key.cipher, (workspace, *aad_parts), ciphertext)

    def seal_text(self, workspace: str, aad_parts: tuple[str, ...], plaintext: bytes) -> str:
        """Seal as ``seal`` does, as text for a cookie, a header field or a URL."""
        return _text_of(self.seal(workspace, aad_parts, plaintext))

    def open_text(self, workspace: str, aad_parts: tuple[str, ...], text: str) -> bytes:
        """Decrypt a text that ``seal_text`` returned. Each seal has one text: other spellings are
        refused.

        :raises SealBroken: if the text is not such a seal; and the other errors of ``open``.
        """
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            sealed = b""
        return self.open(workspace, aad_parts, sealed if _text_of(sealed) == text else b"")

    def require_key(self, workspace: str, ciphertext: bytes) -> None:
        """Require that a value was sealed for some place in this workspace, without decrypting it.

        :raises SealBroken: if it was sealed for another workspace.
        """
        self._keys.find(workspace, sealing.key_id_of(ciphertext))

    def attest(self, workspace: str, aad_parts: tuple[str, ...]) -> bytes:
        """Return a seal over open values: without the master key, nobody can make a seal for other
        values.

        :raises WrongMasterKey: as ``seal`` does.
        :raises KeyServiceUnavailable: as ``seal`` does.
        """
        return self.seal(workspace, aad_parts, b"")

    def attest_first(
        self, transaction: Transaction, places: Mapping[str, tuple[str, ...]]
    ) -> tuple[dict[str, bytes], Step]:
        """Return a seal over open values for each of several new workspaces, and the step that
        stores their first data keys.

        :raises ApartError: as ``DataKeys.first`` does.
        """
        keys, step = self._keys.first(transaction, places)
        return {
            one: sealing.seal(key.cipher, key.id, (one, *places[one]), b"")
            for one, key in keys.items()
        }, step

    def attests(self, workspace: str, aad_parts: tuple[Any, ...], seal: bytes | None) -> bool:
        """Return whether ``seal`` is a seal over these values, which may have other types if the
        database was changed.

        :raises DataKeyDamaged: as ``open`` does.
        :raises WrongMasterKey: as ``open`` does.
        :raises KeyServiceUnavailable: as ``open`` does.
        """
        try:
            self.open(workspace, aad_parts, seal or b"")
        except (SealBroken, TypeError, AttributeError):
            return False
        return True

    def hmac(self, workspace: str, text: bytes) -> str:
        """Return the HMAC-SHA256 of ``text`` in hexadecimal.

        Its key is derived (HKDF, RFC 5869) from the workspace's first data key. The digest is
        stable for ever, differs between workspaces, and reveals nothing about the text.
        """
        digest = self._keys.of(workspace).first.digest.copy()
        digest.update(text)
        return digest.hexdigest()

    def hmac_key(self, workspace: str) -> str:
        """Return the id of the data key from which ``hmac`` derives its key. The id differs if the
        workspace was deleted and made again.
        """
        return self._keys.of(workspace).first.id

    def prepare(self, workspace: str) -> None:
        """Unwrap the keys of a workspace, so that no transaction waits for a key service.

        :raises KeyServiceUnavailable: as ``seal`` does.
        """
        if not self._database.writing:
            self._keys.prepare(workspace, create=self.asks_a_service)

    def prepare_all(self, first: str, last: str) -> None:
        """Unwrap the keys of the workspaces from ``first`` to ``last`` by one query; a key that
        fails raises its error when used.
        """
        if not self._database.writing:
            self._keys.read(first, last)

    def uses_services(self) -> bool:
        """Return whether any key of the database may need a key service."""
        return self._keys.uses_services()

    def services_of(self, workspaces: Sequence[str]) -> dict[str, str]:
        """Return for each workspace with a key service the URI of that service."""
        return self._keys.services_of(workspaces)

    def has_keys(self, workspace: str) -> bool:
        """Return whether the keys of a workspace are cached: neither the database nor a key service
        is needed.
        """
        return self._keys.has(workspace)

    def keys_of(self, workspace: str) -> KeysOfWorkspace:
        """Return a view of the keys of a workspace; a call gets them through it before anything is
        sent.
        """
        return KeysOfWorkspace(self, self._keys, workspace)

    @property
    def asks_a_service(self) -> bool:
        """True if a key service wraps new data keys."""
        return not self._keys.ring.first.is_local

    @property
    def trouble(self) -> str | None:
        """Reason why the key service cannot be reached; None if it can be reached, or this process
        has not used it yet.
        """
        return self._keys.ring.trouble

    @property
    def cached(self) -> int:
        """Number of unwrapped data keys in this process."""
        return len(self._keys)

    @property
    def ring(self) -> KeyRing:
        """Wrappers of the installation."""
        return self._keys.ring

    def verify(self) -> None:
        """Check that the ring has the wrappers of the data keys.

        :raises WrongMasterKey: if the ring lacks a wrapper.
        """
        with self._database.read(flush=False) as transaction:
            self._keys.verify(transaction)

    def key_faults(self) -> Iterator[tuple[str, DatabaseUnfit | KeyServiceUnavailable]]:
        """Try every data key and yield an error for each that cannot be unwrapped, with its
        workspace.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                f"SELECT {COLUMNS} FROM data_keys ORDER BY workspace, key_id"
            )
        for row in rows:
            try:
                self._keys.plain(row)
            except KEY_FAULTS as fault:
                yield row.workspace, fault

    def rotate(self, new_master: RingPart | None = None, *, data_keys: bool = False) -> Rotated:
        """Wrap all data keys again, with ``new_master`` or the first present wrapper, while calls
        go on.

        Keys that the key service has wrapped are wrapped with the newest version of its key.
        ``data_keys`` also creates new data keys for values sealed from now on; other processes
        follow within a minute, and the old keys stay for reading. Rotation can be interrupted
        anywhere and run again.

        A running process needs the new wrapper too: give every process ``old,new`` first, then
        rotate, then drop the old one.

        :raises WrongMasterKey: if a data key was wrapped by another master key; nothing was
            changed.
        :raises KeyServiceUnavailable: if the key service gives no answer; keys wrapped so far stay
            rewrapped.
        """
        ring = self._keys.ring if new_master is None else self._keys.ring.behind(new_master)
        with self._database.read(flush=False) as transaction:
            self._keys.verify(transaction, ring)
        from jackfield_store.keys.rewrapping import Rotated, refresh, renew, rewrap

        self._keys.ring = ring
        left = set[str]()  # of one tenant each: it must not keep the others from being rotated
        count = refresh(self._database, self._keys, ring.first, left=left) + rewrap(
            self._database, self._keys, ring.first, left=left
        )
        for workspace, wrappers in self._own.all().items():
            try:
                count += self._settle(workspace, wrappers)
            except KEY_FAULTS:
                left.add(workspace)
        if data_keys:
            renew(self._database, self._keys, self._clock.time(), sorted(left))
        return Rotated(count, tuple(sorted(left)))

    def assign(self, workspace: str, uri: str) -> int:
        """Assign a key service of its own to a workspace, and wrap its data keys with it. Return
        the number of keys.

        Other processes need no setting. After an interruption, ``rotate`` continues.

        :raises UsageFault: for the workspace ``default``, whose key protects these assignments.
        :raises DatabaseUnfit: if the URI does not name a key service.
        :raises KeyServiceUnavailable: if a key service gives no answer.
        :raises KeyServiceRefused: if a key service refuses.
        """
        _check_assignable(workspace)
        fault = self._tried(self._keys.ring.opened(uri), workspace)  # before anything depends on it
        if fault is not None:
            raise fault
        return self._settle(workspace, self._moved_to(uri, workspace))

    def unassign(self, workspace: str) -> int:
        """Wrap a workspace's data keys with the wrapper of the installation again. Return the
        number of keys.

        :raises KeyServiceUnavailable: if a key service gives no answer.
        :raises KeyServiceRefused: if a key service refuses.
        """
        wrappers = self._moved_to(INSTALLATION, workspace)
        return self._settle(workspace, wrappers) if wrappers else 0

    def rewrap(self, keys: DataKeys) -> None:
        """Wrap all data keys with the first wrapper of their ring."""
        from jackfield_store.keys.rewrapping import rewrap

        rewrap(self._database, keys, keys.ring.first)

    def _moved_to(self, first: str, workspace: str) -> tuple[str, ...]:
        """Store that ``first`` wraps the data keys of a workspace, and earlier wrappers unwrap
        them. Return the wrappers; an empty tuple if the workspace has none of its own.
        """
        while True:
            before = self._own.of(workspace)
            wrappers = tuple(dict.fromkeys((first, *(before or (INSTALLATION,)))))
            if wrappers == (INSTALLATION,):
                return ()
            if self._own.change(workspace, before, wrappers):
                return wrappers

    def _settle(self, workspace: str, wrappers: tuple[str, ...]) -> int:
        """Wrap the data keys of a workspace with the first of its wrappers; drop the others. If
        another process changes the wrappers, leave the remaining keys to that process.
        """
        from jackfield_store.keys.rewrapping import refresh, rewrap

        first, database, keys = wrappers[0], self._database, self._keys
        target = keys.ring.first if first == INSTALLATION else keys.ring.opened(first)
        holds = partial(self._own.hold, workspace=workspace, wrappers=wrappers)
        count = refresh(database, keys, target, workspace, holds) + rewrap(
            database, keys, target, workspace, holds
        )
        if len(wrappers) > 1:
            self._own.change(workspace, wrappers, () if first == INSTALLATION else (first,))
        return count

    def assigned(self) -> dict[str, str]:
        """Return the key service of each workspace that has its own."""
        return {workspace: wrappers[0] for workspace, wrappers in self._own.all().items()}

    def reread(self, workspace: str | None = None) -> None:
        """Drop the cached data keys: the database was set back and may have fewer, or a workspace's
        keys were deleted with an earlier workspace of its name.
        """
        if workspace is None:
            self._keys.clear()
        else:
            self._keys.reread(workspace)

    def forget(self, workspace: str | None = None) -> int:
        """Let all processes drop the unwrapped keys of a workspace, or of all, within a minute.
        Return the number of data keys.
        """
        return self._keys.forget(self._clock.time(), workspace)

    def ask_services(self) -> dict[str, JackfieldError | None]:
        """Let each key service wrap and unwrap a key. Return the errors, by URI; None for a working
        service.
        """
        services = {service.id: (service, HOME) for service in self._keys.ring.services}
        own = {
            uri: (self._keys.ring.opened(uri), workspace)
            for workspace, uri in self.assigned().items()
            if uri not in services
        }
        return {
            uri: self._tried(service, workspace)
            for uri, (service, workspace) in {**services, **own}.items()
        }

    def _tried(self, service: KeyService, workspace: str) -> JackfieldError | None:
        context = self._keys.context(workspace, "trial")
        key = os.urandom(sealing.KEY_BYTES)
        try:
            same = service.unwrap(context, service.wrap(context, key)) == key
        except JackfieldError as fault:
            return fault
        return None if same else sealing.broken()


class KeysOfWorkspace(SecretHolder):
    """View of the keys of one workspace. ``services.asked`` is False in processes that never need a
    key service.
    """

    def __init__(self, vault: Vault, keys: DataKeys, workspace: str) -> None:
        self.services = keys.services
        self._vault = vault
        self._keys = keys
        self._workspace = workspace

    def are_ready(self) -> bool:
        """Return whether sealing needs neither the database nor a key service now."""
        return self._keys.has(self._workspace)

    def prepare(self) -> None:
        """Get the keys.

        :raises KeyServiceUnavailable: if the key service gives no answer.
        :raises KeyServiceRefused: if it refuses.
        """
        self._vault.prepare(self._workspace)


class SealedTable:
    """Base of stores of one workspace's rows that are partly sealed. Thread-safe."""

    def __init__(
        self, database: Database, vault: Callable[[], Vault], workspace: str, clock: Clock
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._clock = clock


def _text_of(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode("ascii").rstrip("=")


def _check_assignable(workspace: str) -> None:
    if workspace == HOME:
        raise UsageFault(
            f"the workspace '{HOME}' cannot have a key service of its own: its key protects "
            "those of the others",
            hint="Set JACKFIELD_KEY_WRAPPERS to change the key service of the installation.",
        )


@dataclass(frozen=True, slots=True)
class SealedRows:
    """Rows of a table with a sealed column. ``open`` decrypts a row with ``columns`` and the
    ``key`` after ``workspace``; ``what`` names the row, with its columns in braces.
    """

    table: str
    columns: str
    what: str
    open: Callable[[Vault, Row], object]
    key: tuple[str, ...] = ("id",)
