"""Files uploaded once and referred to by id: encrypted on disk per workspace, with quotas and an expiry."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jackfield.database import SealBroken
from jackfield.errors import Detail, InvalidInput
from jackfield.resources.storage import home
from jackfield.surfaces.shared.body import TooLarge
from jackfield.surfaces.shared.file_places import Place, file_places
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.sealed_files import CHUNK, SealedFile, Usages, create, opened

if TYPE_CHECKING:
    from jackfield.clock import Clock
    from jackfield.resources.storage import Storage
    from jackfield.surfaces.shared.settings import Settings

__all__ = ["Files"]

_ID = re.compile(r"file_[A-Za-z0-9_-]{22}\Z")
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\Z")
_PARTIAL_KEPT = 3600.0


_LONGER = 3600.0
"""Seconds for which a file outlives the idempotency key of the last invocation that used it: a repeat must be replayed, not refused."""


class Files:
    """The uploads of one home. A file belongs to its workspace; in others its id is unknown."""

    def __init__(self, storage: Storage, settings: Settings, clock: Clock) -> None:
        self._folder = Path(home(storage.environment)) / "files"
        self._storage = storage
        self._usages = Usages(clock)
        self._count = settings.files_count
        self._limit = settings.max_file
        self._cap = settings.files_cap
        self._together = settings.max_body
        self._kept = settings.files_kept
        self._clock = clock

    async def keep(self, workspace: str, pieces: AsyncIterator[bytes], content_type: str) -> dict[str, Any]:
        """Stream a body to disk; return the response of ``POST /v1/files``.

        :raises TooLarge: if it exceeds the limit; nothing of it is stored.
        :raises Problem: 507 if the workspace's quota or the disk is full.
        """
        folder, identifier = self._owned(workspace), f"file_{secrets.token_urlsafe(16)}"
        size: int | None = None
        try:
            used = await asyncio.to_thread(self._usages.reserve, folder, self._count)
        except OSError:
            raise _no_disk() from None
        if used is None:
            raise Problem(507, f"the workspace may have {self._count:,} files", {"Connection": "close"})
        try:
            about = await self._kept_as(workspace, folder / identifier, pieces, self._cap - used, content_type)
            size = about["size"]
        except OSError:
            raise _no_disk() from None
        finally:
            self._usages.settle(folder, size)
        return {"file": identifier, **about}

    async def _kept_as(self, workspace: str, path: Path, pieces: AsyncIterator[bytes], room: int, content_type: str) -> dict[str, Any]:
        partial = path.with_suffix(".part")
        try:
            with await asyncio.to_thread(create, partial) as file:
                sealed = SealedFile(file)
                size = await self._write(sealed, pieces, room)
            about = {"size": size, "contentType": content_type, "expiresAt": self._clock.time() + self._kept}
            await asyncio.to_thread(self._finish, workspace, partial, path, about, sealed.key)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return about

    def _finish(self, workspace: str, partial: Path, path: Path, about: Mapping[str, Any], key: bytes) -> None:
        sealed = self._storage.vault.seal(workspace, ("file", path.name), key)
        _written(path.with_suffix(".json"), {**about, "key": b64encode(sealed).decode("ascii")})
        partial.replace(path)

    def filled(
        self,
        workspace: str,
        inputs: Any,
        schema: Mapping[str, Any],
        weigh: Callable[[int], None] = lambda _size: None,
    ) -> Any:
        """Return ``inputs`` with each ``{"file": id}`` where ``schema`` takes a FILE replaced by ``{"data", "contentType"}``; the same
        object if there is none. ``weigh`` is called with their total size before they are read.

        :raises InvalidInput: for ids that are unknown or expired, and for files that are too large together.
        """
        places = list(file_places(inputs, schema))
        if not places:
            return inputs
        named = {place.identifier for place in places}
        weigh(self._weight(places, {identifier: self._size(workspace, identifier) for identifier in named}))
        found = {identifier: self._content(workspace, identifier) for identifier in named}
        _check_there([place for place in places if found[place.identifier] is None])
        filled = json.loads(json.dumps(inputs))
        for place in places:
            parent = filled
            for step in place.steps[:-1]:
                parent = parent[step]
            parent[place.steps[-1]] = found[place.identifier]
        return filled

    def _weight(self, places: list[Place], sizes: Mapping[str, int | None]) -> int:
        """Return the total size of the referenced files. A file referenced twice counts twice, since it is sent twice."""
        _check_there([place for place in places if sizes[place.identifier] is None])
        weight = sum(sizes[place.identifier] or 0 for place in places)
        if weight > self._together:
            text = f"the files of an invocation may have {self._together:,} bytes together, and these have {weight:,}"
            details = [Detail(f"{place.path}/file", "is one of several files that are too large together") for place in places]
            raise InvalidInput(text, details=details, hint="Name fewer files, or smaller ones.")
        return weight

    def sweep(self) -> int:
        """Delete expired files and unfinished uploads; return the number of expired files."""
        count, now = 0, self._clock.time()
        for about in self._folder.glob("*/*.json"):
            if _read(about).get("expiresAt", 0.0) < now:
                about.with_suffix("").unlink(missing_ok=True)
                about.unlink(missing_ok=True)
                count += 1
        for partial in self._folder.glob("*/*.part"):
            with contextlib.suppress(OSError):
                if partial.stat().st_mtime < now - _PARTIAL_KEPT:
                    partial.unlink()
        self._usages.forget()
        return count

    async def _write(self, file: SealedFile, pieces: AsyncIterator[bytes], room: int) -> int:
        size, waiting = 0, bytearray()
        async for piece in pieces:
            size += len(piece)
            if size > self._limit:
                raise TooLarge(self._limit)
            if size > room:
                raise Problem(507, f"the files of the workspace may have {self._cap:,} bytes together", {"Connection": "close"})
            waiting += piece
            while len(waiting) > CHUNK:
                await asyncio.to_thread(file.write, bytes(waiting[:CHUNK]))
                del waiting[:CHUNK]
        await asyncio.to_thread(file.write, bytes(waiting), last=True)
        return size

    def _size(self, workspace: str, identifier: str) -> int | None:
        """Return the size of a file in bytes; None if the workspace has no such file or it has expired."""
        if not _ID.match(identifier):
            return None
        about = _read(self._owned(workspace) / f"{identifier}.json")
        size = about.get("size")
        return size if about.get("expiresAt", 0.0) >= self._clock.time() and isinstance(size, int) else None

    def _content(self, workspace: str, identifier: str) -> dict[str, str] | None:
        """Return the file in the form of an input; None if it no longer exists."""
        path = self._owned(workspace) / f"{identifier}.json"
        about, now = _read(path), self._clock.time()
        if about.get("expiresAt", 0.0) < now:
            return None
        try:
            key = self._storage.vault.open(workspace, ("file", identifier), b64decode(about.get("key", "")))
            content = opened(self._owned(workspace) / identifier, key)
            if about["expiresAt"] < now + self._kept:
                _written(path, {**about, "expiresAt": now + self._kept + _LONGER})
        except (OSError, SealBroken):
            return None
        return {"data": b64encode(content).decode("ascii"), "contentType": about["contentType"]}

    def _owned(self, workspace: str) -> Path:
        """Return the folder of a workspace. Names that are not valid file names, which an identity provider may issue, are hashed."""
        name = workspace if _SAFE.match(workspace) else "~" + hashlib.sha256(workspace.encode()).hexdigest()
        return self._folder / name


def _check_there(missing: list[Place]) -> None:
    if missing:
        count = "1 input is" if len(missing) == 1 else f"{len(missing)} inputs are"
        details = [Detail(f"{place.path}/file", "there is no such file, or it has expired") for place in missing]
        raise InvalidInput(f"{count} not valid", details=details, hint="Upload it again: POST /v1/files.")


def _no_disk() -> Problem:
    return Problem(507, "the file cannot be kept: the disk is full or cannot be written")


def _written(path: Path, about: dict[str, Any]) -> None:
    """Replace a file's metadata atomically, for concurrent readers."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with create(fresh) as file:
        file.write(json.dumps(about).encode())
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
