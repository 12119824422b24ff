"""``jackfield files``: store, list, download and delete files that inputs refer to and actions return."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import declare_one, declare_pages, declare_workspace, open_storage, pages, person, selected_workspace
from jackfield.clock import SystemClock
from jackfield.errors import InvalidInvocation, NotFound, Unavailable
from jackfield.failures import OnFailure
from jackfield.files import FileDamaged, FileLimits, Files
from jackfield.files.media_types import media_type_of

if TYPE_CHECKING:
    from jackfield.resources.storage import Storage

_COLUMNS = ("file", "size", "contentType", "name", "expiresAt")
_PIECE = 1024 * 1024


def _files(storage: Storage) -> Files:
    return Files(storage, FileLimits(), SystemClock())


def _declare_put(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH", help="the file to store (- = stdin)")
    parser.add_argument("--type", metavar="TYPE", help="its media type (default: by its name)")
    parser.add_argument("--name", metavar="NAME", help="its name in downloads (default: the path's last part)")
    declare_workspace(parser)


def _put(arguments: Namespace, output: Output) -> int:
    is_stdin = arguments.path == "-"
    name = arguments.name or (None if is_stdin else os.path.basename(arguments.path))
    with open_storage() as storage:
        workspace = selected_workspace(arguments, storage)
        with _opened(arguments.path) as source:
            kept = _files(storage).store(workspace, _pieces(source), arguments.type or media_type_of(name), name=name, caller=person())
    output.value(kept.to_json())
    return 0


def _opened(path: str) -> BinaryIO:
    try:
        return open(sys.stdin.fileno() if path == "-" else path, "rb", closefd=path != "-")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInvocation(f"the file '{path[:200]}' cannot be read: {reason}", hint="Check the path and its permissions.") from None


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    try:
        while piece := source.read(_PIECE):
            yield piece
    except OSError as error:
        raise InvalidInvocation(f"the file cannot be read: {error.strerror}") from None


def _declare_get(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--out", metavar="PATH", help="write to this new file (default: stdout)")
    declare_workspace(parser)


def _get(arguments: Namespace, output: Output) -> int:
    if arguments.out is None and sys.stdout.isatty():
        raise UsageError("the content of a file is not for a terminal: give --out PATH, or redirect stdout", usage=arguments.usage)
    with open_storage() as storage:
        files = _files(storage)
        file = files.find(selected_workspace(arguments, storage), arguments.id)
        if file is None:
            raise _unknown(arguments.id)
        try:
            reader = files.reader(file)
            reader.check()
            pieces = iter(lambda: reader.read(_PIECE), b"")
            if arguments.out is None:
                for piece in pieces:
                    output.stream.buffer.write(piece)
                output.stream.buffer.flush()
            else:
                _write(arguments.out, pieces)
        except FileDamaged as error:
            raise Unavailable(f"the file '{file.id}' cannot be read: {error.strerror}", repeatable=False) from None
    if arguments.out is not None:
        output.value({**file.to_json(), "out": arguments.out})
    return 0


def _write(path: str, pieces: Iterator[bytes]) -> None:
    try:
        with open(path, "xb") as target, OnFailure(os.unlink, path):
            target.writelines(pieces)
    except FileExistsError:
        raise InvalidInvocation(f"'{path[:200]}' exists already", hint="Name a new file.") from None
    except OSError as error:
        if isinstance(error, FileDamaged):
            raise
        raise InvalidInvocation(f"'{path[:200]}' cannot be written: {error.strerror}") from None


def _declare_list(parser: Parser) -> None:
    declare_workspace(parser)
    declare_pages(parser)


def _list(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        files, workspace = _files(storage), selected_workspace(arguments, storage)
        found = pages(arguments, lambda cursor, limit: files.list(workspace, cursor=cursor, limit=limit))
    output.rows([file.to_json() for file in found], _COLUMNS)
    return 0


def _rm(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        if not _files(storage).delete(selected_workspace(arguments, storage), arguments.id):
            raise _unknown(arguments.id)
    output.value({"file": arguments.id, "deleted": True})
    return 0


def _unknown(identifier: str) -> NotFound:
    hint = "'jackfield files list' shows the workspace's files."
    return NotFound(f"no file has the ID '{identifier[:80]}', or it has expired", hint=hint)


VERBS = {
    "put": Verb("Store a file; inputs refer to it by its ID.", _declare_put, _put),
    "get": Verb("Write the content of a file to stdout or to a new file.", _declare_get, _get),
    "list": Verb("List the stored files, newest first.", _declare_list, _list),
    "rm": Verb("Delete a file.", declare_one, _rm),
}
