"""Files stored once and referred to by id (``{"file": id}``): encrypted per workspace, with quotas
and an expiry.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from jackfield.invocation import MAX_BYTES
from jackfield.invocation.file_references import file_places
from jackfield.invocation.file_refusals import FileDamaged, FileTooLarge, Quota
from jackfield.kernel.clock import Clock
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import JackfieldError, NotFound
from jackfield.kernel.exports import late_hints
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.media_types import clean_name, media_type

if TYPE_CHECKING:
    from jackfield.invocation.stored_file import StoredFile
    from jackfield_store.database.shared_clock import SharedClock
    from jackfield_store.files.blobs import Blobs
    from jackfield_store.files.sealing import SealedReader
    from jackfield_store.files.table import FileTable
    from jackfield_store.resources.storage import Storage

_ID = re.compile(r"file_[A-Za-z0-9_-]{22}\Z")
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\Z")
_KEY = 32
_UNFINISHED_KEPT = 3600.0
"""Seconds without progress after which an upload counts as abandoned, and a deletion is tried
again.
"""
_LONGER = 3600.0
"""Seconds for which a file outlives the idempotency key of the last invocation that used it: a
repeat must be replayed, not refused.
"""
_PIECE = 1024 * 1024
"""Number of bytes of an upload that are collected before a thread stores them."""
_SWEPT = 200
"""Maximum number of files deleted by one step of a sweep."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Limits of stored files: bytes of a file, seconds of its retention, bytes and number of a
    workspace's files. ``together`` limits the total bytes of files that an invocation passes by
    value.
    """

    size: int = 5 * 1024**3
    kept: float = 24 * 3600.0
    cap: int = 20 * 1024**3
    count: int = 10_000
    together: int = MAX_BYTES


class Files:
    """Stored files of all workspaces of one process. A file belongs to its workspace; in others its
    id is unknown. Thread-safe.

    All methods raise ``Unavailable`` if the database or the store cannot be reached, and
    ``InvalidInvocation`` if there is no database.
    """

    def __init__(self, storage: Storage, limits: FileLimits, clock: Clock) -> None:
        self.limits = limits
        self.storage = storage
        self.clock = clock
        self._made: Blobs | None = None
        self._arriving: set[str] = set()

    @property
    def enabled(self) -> bool:
        """True if there is a database, which files need."""
        return self.storage.enabled

    @property
    def together(self) -> int:
        """Maximum total bytes of the files that an invocation passes by value."""
        return self.limits.together

    @property
    def blobs(self) -> Blobs:
        """Store of the content.

        :raises InvalidInvocation: if ``JACKFIELD_FILES_URL`` is not valid.
        """
        if self._made is None:
            from jackfield_store.files.blobs import blobs_from

            self._made = blobs_from(self.storage.environment)
        return self._made

    @property
    def is_shared(self) -> bool:
        """True if every process that uses the database is known to reach the same store: a folder
        may belong to one machine.
        """
        return self.enabled and (
            self.storage.database.dialect.name == "sqlite" or self.blobs.is_shared
        )

    @property
    def table(self) -> FileTable:
        """Rows of the files."""
        from jackfield_store.files.table import FileTable

        return FileTable(self.storage.database)

    @property
    def time(self) -> SharedClock:
        """Time by which files expire."""
        from jackfield_store.database.shared_clock import SharedClock

        return SharedClock.of(self.storage.database, self.clock)

    def quota(self, workspace: str) -> Quota:
        """Return the maximum bytes of a workspace's files: its limit ``storageBytes``, if that is
        less than the server's.
        """
        own = self.storage.limits.most(workspace, "storageBytes")
        return (
            Quota(self.limits.cap)
            if own is None or own > self.limits.cap
            else Quota(int(own), "storageBytes")
        )

    def is_full(self, workspace: str) -> bool:
        """Return whether a workspace has a limit ``storageBytes`` and has reached it."""
        quota = self.quota(workspace)
        return bool(quota.limit) and self.table.usage(workspace)[1] >= quota.most

    async def keep(
        self,
        workspace: str,
        pieces: AsyncIterator[bytes],
        content_type: str,
        *,
        name: str | None = None,
        caller: str | None = None,
        announced: int = 0,
    ) -> StoredFile:
        """Store content as it arrives; ``announced`` is its size in bytes, if known.

        :raises FileTooLarge: if it exceeds the limit; nothing of it is stored.
        :raises NoRoom: if the server's quota of the workspace, or the disk, is full.
        :raises LimitReached: if the workspace's files would exceed its limit.
        """
        import asyncio

        incoming = await asyncio.to_thread(
            self.incoming, workspace, content_type, name=name, caller=caller, announced=announced
        )
        stored: StoredFile | None = None
        try:
            waiting = bytearray()
            async for piece in pieces:
                waiting += piece
                if len(waiting) >= _PIECE:
                    await asyncio.to_thread(incoming.write, waiting)
                    waiting = bytearray()
            await asyncio.to_thread(incoming.write, waiting)
            stored = await asyncio.to_thread(incoming.finish)
        finally:
            if stored is None:
                await asyncio.to_thread(incoming.abort)
        return stored

    def store(
        self,
        workspace: str,
        pieces: Iterable[bytes],
        content_type: str,
        *,
        name: str | None = None,
        caller: str | None = None,
        returned: bool = False,
        invocation: str | None = None,
        kept: float | None = None,
    ) -> StoredFile:
        """Store content, as ``keep`` does. Files that a call has ``returned`` are stored even
        beyond the workspace's own limit, and count: the call has been carried out. ``invocation``
        is the ID of a queued call, which another process may take over. ``kept`` is the retention
        in seconds, if less than usual.
        """
        incoming = self.incoming(
            workspace,
            content_type,
            name=name,
            caller=caller,
            returned=returned,
            invocation=invocation,
            kept=kept,
        )
        with OnFailure(incoming.abort):
            for piece in pieces:
                incoming.write(piece)
            return incoming.finish()

    def incoming(
        self,
        workspace: str,
        content_type: str,
        *,
        name: str | None = None,
        caller: str | None = None,
        announced: int = 0,
        returned: bool = False,
        invocation: str | None = None,
        kept: float | None = None,
    ) -> Incoming:
        """Begin to store a file. Name and content type become header fields of downloads: any name
        is cleaned, and an invalid media type is replaced by octets.
        """
        from jackfield.invocation.stored_file import StoredFile

        name = clean_name(name or "")
        identifier, now, kind = (
            f"file_{secrets.token_urlsafe(16)}",
            self.time.stamp(),
            media_type(content_type),
        )
        about = {
            "name": name,
            "content_type": kind,
            "caller": caller,
            "now": now,
            "until": now + _UNFINISHED_KEPT,
        }
        quota = Quota(self.limits.cap) if returned else self.quota(workspace)
        self._arriving.add(identifier)
        with OnFailure(self._arriving.discard, identifier):
            self.table.begin(
                workspace, identifier, about, self.limits.count, quota, announced, invocation
            )
        until = now + min(self.limits.kept, self.limits.kept if kept is None else kept)
        file = StoredFile(workspace, identifier, name, kind, 0, b"", caller, now, until)
        with OnFailure(self.discard, workspace, identifier):
            return Incoming(self, file, quota)

    def find(self, workspace: str, identifier: str, owner: str | None = None) -> StoredFile | None:
        """Return a file of ``owner``, if given, otherwise of any caller. None if the workspace has
        no such file, the file has expired, or its row was changed in the database.
        """
        file = (
            self.table.find(workspace, identifier, self.time.now())
            if _ID.match(identifier)
            else None
        )
        if file is None or (owner is not None and file.caller != owner):
            return None
        return None if self._open_row(file) is None else file

    def list(
        self,
        workspace: str,
        caller: str | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[list[StoredFile], str | None]:
        """Return a page of the workspace's files, newest first, and the cursor of the next page,
        None on the last page. With ``caller``, return only the caller's files. Files whose rows
        were changed in the database are left out.
        """
        found, after = self.table.list(
            workspace, self.time.now(), caller, cursor=cursor, limit=limit
        )
        return [file for file in found if self._open_row(file) is not None], after

    def reader(self, file: StoredFile) -> SealedReader:
        """Return a reader of a file's content.

        :raises FileDamaged: if its row was changed.
        """
        from jackfield_store.files.sealing import SealedReader

        return SealedReader(
            self.blobs, _key(file.workspace, file.id), self._secrets(file)[0], file.size
        )

    def is_whole(self, file: StoredFile, blobs: Blobs) -> bool:
        """Read a file's content in a store; return True if its digest matches.

        :raises FileDamaged: if the file's row was changed.
        """
        from jackfield_store.files.sealing import CHUNK, SealedReader

        secret, expected = self._secrets(file)
        found = hashlib.sha256()
        try:
            with SealedReader(blobs, _key(file.workspace, file.id), secret, file.size) as reader:
                while piece := reader.read(CHUNK):
                    found.update(piece)
        except FileDamaged:
            return False
        return found.digest() == expected

    def copy(self, file: StoredFile, blobs: Blobs) -> None:
        """Copy a file's content to another store, still encrypted. The remains of an earlier copy
        are replaced.

        :raises FileDamaged: if a part of it is missing.
        """
        from jackfield_store.files.sealing import SEALED_SEGMENT, sealed_size

        key, total = _key(file.workspace, file.id), sealed_size(file.size)
        blobs.delete(key)
        target = blobs.writer(key, SEALED_SEGMENT)
        with OnFailure(target.abort):
            for start in range(0, total, SEALED_SEGMENT):
                target.write(
                    memoryview(
                        self.blobs.read(
                            key, start, min(SEALED_SEGMENT, total - start), SEALED_SEGMENT
                        )
                    )
                )
            target.finish()

    def open(self, file: StoredFile) -> BinaryIO:
        """Return a new reader of a file's content, whose ``read(n)`` returns ``n`` bytes except at
        the end.

        :raises FileDamaged: as ``reader`` does.
        """
        from jackfield_store.files.sealing import buffered

        return cast("BinaryIO", buffered(self.reader(file)))

    def open_by_id(self, workspace: str, identifier: str) -> BinaryIO:
        """Return a new reader of a file's content by its ID.

        :raises NotFound: if the workspace has no such file, or it has expired.
        """
        file = self.find(workspace, identifier)
        if file is None:
            raise NotFound(
                f"no file has the ID '{identifier[:80]}', or it has expired",
                hint="Run the action again.",
            )
        return self.open(file)

    def _secrets(self, file: StoredFile) -> tuple[bytes, bytes]:
        """Return key and digest of a file's content.

        :raises FileDamaged: if its row is not as it was stored.
        """
        found = self._open_row(file)
        if found is None:
            raise FileDamaged(None, "the stored file was changed")
        return found

    def _open_row(self, file: StoredFile) -> tuple[bytes, bytes] | None:
        """Return key and digest of a file's content; None if its row is not as it was stored."""
        from jackfield_store.database import SealBroken

        try:
            secret = self.storage.vault.open(file.workspace, ("file", file.id), file.sealed)
        except SealBroken:
            return None
        bound = secret[2 * _KEY :]  # nothing in files that the version before has stored
        return None if bound and bound != file.binding else (secret[:_KEY], secret[_KEY : 2 * _KEY])

    def renew(self, workspace: str, identifiers: Iterable[str]) -> None:
        """Extend the expiry of files beyond the idempotency key of an invocation that uses them
        now.
        """
        self.table.renew(
            workspace, set(identifiers), self.time.stamp() + self.limits.kept + _LONGER
        )

    def delete(self, workspace: str, identifier: str) -> bool:
        """Delete a file; return False if it does not exist."""
        if self.find(workspace, identifier) is None:
            return False
        if self.table.hide(workspace, identifier, self.time.stamp() + _UNFINISHED_KEPT):
            self._erase(workspace, identifier)
        return True

    def erase(self, workspace: str, identifier: str) -> None:
        """Delete the content of a file, whatever its state; the caller deletes its row, which
        belongs to a purged workspace.

        :raises Unavailable: if the store is unavailable; the call can be repeated.
        """
        self.blobs.delete(_key(workspace, identifier))

    def sweep(self) -> int:
        """Delete expired files and abandoned uploads; return the number of expired files. Several
        processes may sweep at once.

        No file is deleted while this process's clock and the database's differ by more than a
        minute.
        """
        count, now = 0, self.time.sure()
        while now is not None and (found := self.table.expired(now, _SWEPT)):
            for workspace, identifier, finished in found:
                if self.table.hide(workspace, identifier, now + _UNFINISHED_KEPT, expired_at=now):
                    self._erase(workspace, identifier)
                    count += finished
            if len(found) < _SWEPT:
                break
        return count

    def weight(
        self, workspace: str, owner: str | None, inputs: Any, schema: Mapping[str, Any]
    ) -> int:
        """Return the total size of the files that an invocation would pass by value; 0 if it would
        be refused. A file that is referred to twice counts twice, since it is sent twice.
        """
        places = [place for place in file_places(inputs, schema) if not place.is_streamed]
        sizes = [
            file.size
            for place in places
            if (file := self.find(workspace, place.identifier, owner)) is not None
        ]
        total = sum(sizes)
        return total if total <= self.limits.together else 0

    def digests(
        self, workspace: str, owner: str | None, identifiers: Iterable[str]
    ) -> dict[str, Any]:
        """Return a digest of type and content for each file that ``find`` returns; requests are
        compared by it.
        """
        found: dict[str, Any] = {}
        for identifier in identifiers:
            file = self.find(workspace, identifier, owner)
            opened = None if file is None else self._open_row(file)
            if file is not None and opened is not None:
                found[identifier] = {"contentType": file.content_type, "sha256": opened[1].hex()}
        return found

    def content(self, file: StoredFile) -> dict[str, str] | None:
        """Return a file in the form of an input; None if its content was damaged."""
        try:
            content = self.open(file).read()
        except FileDamaged:
            return None
        return {"data": b64encode(content).decode("ascii"), "contentType": file.content_type}

    def _erase(self, workspace: str, identifier: str) -> None:
        """Delete the content of a hidden file, then its row: if the store is unavailable, the row
        stays and the deletion is repeated.
        """
        self.blobs.delete(_key(workspace, identifier))
        self.table.drop(workspace, identifier)

    def discard(self, workspace: str, identifier: str) -> None:
        """Remove an unfinished upload; if that fails, the sweep removes it later."""
        self.arrived(identifier)
        with suppress(JackfieldError):
            self._erase(workspace, identifier)

    def arrived(self, identifier: str) -> None:
        """Record that this process stores no more of a file."""
        self._arriving.discard(identifier)

    def discard_lost(self, workspace: str, invocation: str) -> None:
        """Remove unfinished files of a queued invocation whose earlier process was lost.

        If that process was only slow, it has lost the invocation and cannot finish them.
        """
        for identifier in self.table.unfinished(workspace, invocation):
            if identifier not in self._arriving:
                self.discard(workspace, identifier)


class Incoming:
    """File that is being stored. It exists only after ``finish``."""

    def __init__(self, files: Files, file: StoredFile, quota: Quota) -> None:
        from jackfield_store.files.sealing import SEALED_SEGMENT, SealingWriter

        self._files = files
        self._file = file
        self._quota = quota
        self._target = files.blobs.writer(_key(file.workspace, file.id), SEALED_SEGMENT)
        self._content = SealingWriter(self._target, self._arrived)
        self._recorded = 0

    def write(self, piece: bytes | bytearray) -> None:
        """Append a piece of any size.

        :raises FileTooLarge, NoRoom: as ``Files.keep`` does.
        """
        limit = self._files.limits.size
        if self._content.size + len(piece) > limit:
            raise FileTooLarge(limit)
        self._content.write(piece)

    def finish(self) -> StoredFile:
        """Store the rest and return the file, which exists from now on."""
        files, file, content = self._files, self._file, self._content
        content.end()
        content.release()
        self._target.finish()
        file = replace(file, size=content.size)
        sealed = files.storage.vault.seal(
            file.workspace, ("file", file.id), content.key + content.digest + file.binding
        )
        rest = content.size - self._recorded
        files.table.finish(file.workspace, file.id, rest, file.expires_at, self._quota, sealed)
        files.arrived(file.id)
        return replace(file, sealed=sealed)

    def abort(self) -> None:
        """Discard the stored data; raises nothing."""
        self._content.release()
        self._target.abort()
        self._files.discard(self._file.workspace, self._file.id)

    def _arrived(self, size: int) -> None:
        files, file = self._files, self._file
        until = files.time.stamp() + _UNFINISHED_KEPT
        files.table.arrived(file.workspace, file.id, size, until, self._quota)
        self._recorded += size


def _key(workspace: str, identifier: str) -> str:
    """Return the key of a file's content. A workspace's name is hashed if it is not a valid file
    name, as an identity provider may issue.
    """
    name = (
        workspace
        if _SAFE.match(workspace)
        else "~" + hashlib.sha256(workspace.encode()).hexdigest()
    )
    return f"{name}/{identifier}"


late_hints(__name__)
