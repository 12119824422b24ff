"""Stored files in inputs: contents for actions that take values, streams for actions that take
streams, copies for queued invocations.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from jackfield.invocation.file_references import (
    GivenFiles,
    check_there,
    file_places,
    large_contents,
    named_files,
    replaced,
    too_large_together,
    with_digests,
)
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.call.ports import Files
    from jackfield.call.waiter import Waiter
    from jackfield.connector.reading import FileSource
    from jackfield.invocation import Invocation
    from jackfield.invocation.claimed import Claimed
    from jackfield.invocation.file_references import FileLocation
    from jackfield.invocation.given_files import GivenFile
    from jackfield.invocation.stored_file import StoredFile
    from jackfield.kernel.walk import Schema

_SOME_BYTE = "AA=="
_PIECE = 1024 * 1024
_NONE_GIVEN: Mapping[str, GivenFile] = {}
_LARGE = 256 * 1024
"""Minimum number of base64 characters for content of a queued invocation to be stored as a file."""


@dataclass(frozen=True, slots=True)
class StoredSource:
    """Stored file that an action reads as a stream."""

    files: Files
    file: StoredFile

    @property
    def id(self) -> str:
        """ID of the stored file."""
        return self.file.id

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.file.size

    @property
    def content_type(self) -> str:
        """Media type."""
        return self.file.content_type

    @property
    def name(self) -> str | None:
        """File name, if known."""
        return self.file.name

    def open(self) -> BinaryIO:
        """Return a new reader of the content."""
        return self.files.open(self.file)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Storage of the files that one invocation returns."""

    files: Files
    workspace: str
    caller: str | None
    claimed: Claimed | None
    """Delivery of the call, if it was queued. A later delivery takes over from a lost process,
    which may have been storing a file.
    """
    returned: list[str]
    """IDs of the stored files."""

    def store(
        self, chunks: Iterable[bytes], content_type: str, name: str | None
    ) -> Mapping[str, Any]:
        """Store content and return the file as it appears in the output."""
        claimed = self.claimed
        queued = None if claimed is None else claimed.id
        if claimed is not None and claimed.delivery > 1:
            self.files.discard_lost(self.workspace, claimed.id)
        stored = self.files.store(
            self.workspace,
            chunks,
            content_type,
            name=name,
            caller=self.caller,
            invocation=queued,
            returned=True,
        )
        self.returned.append(stored.id)
        # it must outlive the idempotency key that replays its id
        self.files.renew(self.workspace, [stored.id])
        return (self.files.find(self.workspace, stored.id) or stored).to_json()

    def find(self, identifier: str) -> StoredSource | None:
        """Return a stored file of the workspace; None if the workspace has no such file."""
        file = self.files.find(self.workspace, identifier)
        return None if file is None else StoredSource(self.files, file)


async def compared(
    waiter: Waiter,
    invocation: Invocation,
    files: Files,
    workspace: str,
    owner: str | None,
    given: GivenFiles,
) -> Invocation:
    """Return the invocation with digests in place of its files, for comparison under an idempotency
    key.

    :raises InvalidInput: if a file that the caller passed cannot be read.
    """
    inputs = invocation.inputs
    named = named_files(inputs) if invocation.idempotency_key is not None else set()
    if not named:
        return invocation

    def step() -> dict[str, Any]:
        given.check(inputs)
        found = {identifier: file.digest() for identifier, file in given.items()}
        stored = named - given.keys()
        return found | files.digests(workspace, owner, stored) if stored else found

    return replace(invocation, inputs=with_digests(inputs, await waiter.call(step)))


async def fill(
    waiter: Waiter,
    inputs: Mapping[str, Any],
    schema: Schema,
    files: Files,
    workspace: str,
    owner: str | None,
    given: GivenFiles,
) -> tuple[Mapping[str, Any], Mapping[str, FileSource]]:
    """Replace references to files by ``{"data", "contentType"}`` if the schema declares a FILE, and
    find the files to be streamed, by ID.

    ``owner``: only this caller's files may be used; None allows all files of the workspace.
    ``given`` are files that the caller passed.

    :raises InvalidInput: for unknown or expired IDs and files of another owner, for files that are
        too large together, and for unreadable files of the caller.
    """
    inputs, places = given.put(inputs, schema)
    if not places:
        return inputs, {}

    def step() -> tuple[Mapping[str, Any], Mapping[str, FileSource]]:
        given.check(inputs)
        streamed = [place for place in places if place.is_streamed]
        found = _find_files(
            files, workspace, owner, [place for place in streamed if place.identifier not in given]
        )
        passed = [place for place in places if not place.is_streamed]
        contents = _contents(files, workspace, owner, passed, given)
        if stored := {place.identifier for place in places} - given.keys():
            files.renew(workspace, stored)
        filled = replaced(inputs, [(place.steps, contents[place.identifier]) for place in passed])
        return filled, {
            **{name: StoredSource(files, file) for name, file in found.items()},
            **given,
        }

    return await waiter.call(step)


async def by_value(
    waiter: Waiter,
    inputs: Mapping[str, Any],
    schema: Schema,
    files: Files,
    workspace: str,
    owner: str | None,
    given: GivenFiles,
) -> Mapping[str, Any]:
    """Return the inputs with the content of streamed files, for a connector in another process.

    :raises InvalidInput: as ``fill`` does.
    """
    places = file_places(inputs, schema)
    if not places:
        return inputs
    contents = await waiter.call(partial(_contents, files, workspace, owner, places, given))
    filled: Mapping[str, Any] = replaced(
        inputs, [(place.steps, contents[place.identifier]) for place in places]
    )
    return filled


async def kept(
    waiter: Waiter,
    inputs: Mapping[str, Any],
    schema: Schema,
    files: Files,
    workspace: str,
    caller: str | None,
    given: GivenFiles,
) -> Mapping[str, Any]:
    """Store the files that the caller passed, and return the inputs of a queued invocation with
    references to them, which a worker can read.

    :raises InvalidInput: if one of the files cannot be read.
    """
    inputs, places = given.put(inputs, schema)

    def step() -> Mapping[str, Any]:
        given.check(inputs)
        stored = []
        for place in given.places(places):
            file = given[place.identifier]
            with file.open() as content:
                pieces = iter(partial(content.read, _PIECE), b"")
                about = files.store(
                    workspace, pieces, file.content_type, name=file.name, caller=caller
                )
            stored.append((place.steps, {"file": about.id}))
        found: Mapping[str, Any] = replaced(inputs, stored)
        return found

    return await waiter.call(step)


async def reserve(
    waiter: Waiter,
    inputs: Mapping[str, Any],
    schema: Schema,
    files: Files,
    workspace: str,
    owner: str | None,
    given: Mapping[str, GivenFile] = _NONE_GIVEN,
) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Return the inputs of an invocation with a placeholder for each file, which the schema
    accepts, and the IDs of the stored files. The files stay references. ``given`` are files that
    the caller passed.

    :raises InvalidInput: as ``fill`` does.
    """
    places = file_places(inputs, schema)
    if not places:
        return inputs, ()
    stored = [place for place in places if place.identifier not in given]
    found = (
        await waiter.call(partial(_find_files, files, workspace, owner, stored)) if stored else {}
    )
    holes = [
        (place.steps, _placeholder(given.get(place.identifier) or found[place.identifier]))
        for place in places
        if not place.is_streamed
    ]
    return replaced(inputs, holes), tuple(found)


async def stow(
    waiter: Waiter,
    body: Mapping[str, Any],
    inputs: Mapping[str, Any],
    schema: Schema,
    files: Files,
    workspace: str,
    caller: str | None,
) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Return the body of a queued invocation with its large contents stored as files, as if the
    caller had uploaded them, and the IDs of these files.

    Contents stay in the body if other processes cannot reach the files, or if the files cannot be
    stored now.
    """
    places = large_contents(inputs, schema, _LARGE)
    if not places or body.get("inputs") != inputs:
        return body, ()

    def step() -> tuple[Mapping[str, Any], Sequence[str]]:
        if not files.is_shared:
            return body, ()
        stored = []
        for steps in places:
            content: Any = reduce(getitem, steps, cast("Any", inputs))
            file = files.store(
                workspace, [b64decode(content["data"])], content["contentType"], caller=caller
            )
            stored.append((steps, {"file": file.id}))
        return {**body, "inputs": replaced(inputs, stored)}, [about["file"] for _, about in stored]

    try:
        waiting = await waiter.call(step)
    except (JackfieldError, ValueError):  # what was stored expires unused
        return body, ()
    return waiting


def _find_files(
    files: Files, workspace: str, owner: str | None, places: list[FileLocation]
) -> dict[str, StoredFile]:
    found = {place.identifier: files.find(workspace, place.identifier, owner) for place in places}
    check_there([place for place in places if found[place.identifier] is None])
    return {name: file for name, file in found.items() if file is not None}


def _contents(
    files: Files,
    workspace: str,
    owner: str | None,
    places: Sequence[FileLocation],
    given: Mapping[str, GivenFile],
) -> dict[str, dict[str, str]]:
    """Return the files at these places in the form of an input, by ID; ``given`` are files that the
    caller passed.

    :raises InvalidInput: for unknown IDs, and for files that are too large together.
    """
    stored = [place for place in places if place.identifier not in given]
    known = _find_files(files, workspace, owner, stored)
    weight = sum((given.get(place.identifier) or known[place.identifier]).size for place in places)
    if weight > files.together:
        raise too_large_together(places, weight, files.together)
    contents = {name: files.content(file) for name, file in known.items()}
    check_there([place for place in stored if contents[place.identifier] is None])
    passed = {
        name: given[name].as_value()
        for name in {place.identifier for place in places} & given.keys()
    }
    return passed | {name: content for name, content in contents.items() if content is not None}


def _placeholder(file: StoredFile | GivenFile) -> dict[str, str]:
    return {"data": _SOME_BYTE if file.size else "", "contentType": file.content_type}
