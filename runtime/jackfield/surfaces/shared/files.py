"""Files uploaded once and referred to by id (``{"file": id}`` in inputs): encrypted on disk per workspace, with quotas and an expiry."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

from jackfield.catalog import Catalog
from jackfield.clock import Clock
from jackfield.database import SealBroken
from jackfield.errors import Detail, InvalidInput, UnknownName
from jackfield.home import home
from jackfield.json_pointer import pointer
from jackfield.resources.storage import Storage
from jackfield.schema_walk import Schema, below, nodes
from jackfield.surfaces.shared.body import TooLarge
from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.sealed_files import CHUNK, SealedFile, Usages, create, opened
from jackfield.surfaces.shared.settings import Settings

_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Place:
    """One ``{"file": id}``: the steps to it and its JSON Pointer."""

    steps: tuple[str | int, ...]
    identifier: str

    @property
    def path(self) -> str:
        """JSON Pointer of the reference (RFC 6901)."""
        return pointer(*self.steps)


def file_places(inputs: object, schema: Schema) -> Iterator[Place]:
    """Find the files that ``inputs`` refer to."""
    for place in _candidates(inputs, ()):
        if any(map(_takes_file, reduce(partial(below, schema), place.steps, nodes(schema, schema)))):
            yield place


def _candidates(value: object, steps: tuple[str | int, ...]) -> Iterator[Place]:
    if steps and isinstance(value, dict) and value.keys() == {"file"} and isinstance(value["file"], str):
        yield Place(steps, value["file"])
    elif isinstance(value, dict | list) and len(steps) <= _DEPTH:
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list):
                yield from _candidates(item, (*steps, step))


def _takes_file(schema: Schema) -> bool:
    """Return whether the schema is a FILE in its long form and has no ``file`` property of its own."""
    properties = schema.get("properties")
    return isinstance(properties, Mapping) and {"data", "contentType"} <= properties.keys() and "file" not in properties


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
            raise Problem(507, f"the workspace already has the maximum of {self._count:,} files", {"Connection": "close"})
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
            text = f"the files of an invocation must not exceed {self._together:,} bytes in total; these have {weight:,}"
            details = [Detail(f"{place.path}/file", "is one of several files that together exceed the limit") for place in places]
            raise InvalidInput(text, details=details, hint="Use fewer or smaller files.")
        return weight

    def sweep(self) -> int:
        """Delete expired files and unfinished uploads; return the number of expired files."""
        count, now = 0, self._clock.time()
        for about in self._folder.glob("*/*.json"):
            if _read(about).get("expiresAt", 0.0) < now:
                about.with_suffix("").unlink(missing_ok=True)
                about.unlink(missing_ok=True)
                count += 1
        for unfinished in self._folder.glob("*/*.part"):
            with contextlib.suppress(OSError):
                if unfinished.stat().st_mtime < now - _PARTIAL_KEPT:
                    unfinished.unlink()
        self._usages.forget()
        return count

    async def _write(self, file: SealedFile, pieces: AsyncIterator[bytes], room: int) -> int:
        size, waiting = 0, bytearray()
        async for piece in pieces:
            size += len(piece)
            if size > self._limit:
                raise TooLarge(self._limit)
            if size > room:
                raise Problem(507, f"the workspace's files must not exceed {self._cap:,} bytes in total", {"Connection": "close"})
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
        details = [Detail(f"{place.path}/file", "the file does not exist or has expired") for place in missing]
        raise InvalidInput(f"{count} not valid", details=details, hint="Upload it again: POST /v1/files.")


def _no_disk() -> Problem:
    return Problem(507, "the file cannot be stored: the disk is full or not writable")


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


async def with_files(
    body: Mapping[str, Any],
    catalog: Catalog,
    files: Files,
    workspace: str,
    briefly: Callable[[Callable[[], Any]], Awaitable[Any]],
    weigh: Callable[[int], None] = lambda _size: None,
) -> Mapping[str, Any]:
    """Return the invocation with the files that its inputs refer to. Unknown connectors and actions are left to the pipe. ``briefly`` reads
    the files in a thread; ``weigh`` is called with their total size before they are read.

    :raises InvalidInput: for ids that are unknown or expired, and for files that are too large together.
    """
    given, connector, key, version = (body.get(name) for name in ("inputs", "connector", "action", "connectorVersion"))
    if not isinstance(given, dict) or not isinstance(connector, str) or not isinstance(key, str) or not _may_name_files(given):
        return body
    try:
        action = catalog.find(connector, version if isinstance(version, str) else None).actions.get(key)
    except UnknownName:
        return body
    if action is None:
        return body
    schema = action.inputs
    inputs = await briefly(lambda: files.filled(workspace, given, schema, weigh))
    return body if inputs is given else {**body, "inputs": inputs}


def _may_name_files(value: object) -> bool:
    """Return whether the inputs contain any ``{"file": …}``."""
    if isinstance(value, dict):
        return value.keys() == {"file"} or any(_may_name_files(item) for item in value.values() if isinstance(item, dict | list))
    return isinstance(value, list) and any(_may_name_files(item) for item in value if isinstance(item, dict | list))
