"""``jackfield files``: store, list, download and delete files that inputs refer to and actions
return.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, declare_workspace
from jackfield.cli.session import Noun, declare_id, declare_list, declare_one, pages
from jackfield.invocation.file_refusals import FileDamaged
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation, NotFound, Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.local import account_key
from jackfield.kernel.media_types import media_type_of
from jackfield_store.commands.stored import open_storage, selected_workspace
from jackfield_store.files import FileLimits, Files

_COLUMNS = ("file", "size", "contentType", "name", "expiresAt")
_PIECE = 1024 * 1024


@contextmanager
def _open_files(arguments: Namespace) -> Iterator[tuple[Files, str]]:
    """Open the files, and yield them with the name of the selected workspace."""
    with open_storage() as storage:
        yield Files(storage, FileLimits(), SystemClock()), selected_workspace(arguments, storage)


def _declare_put(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH", help="the file to store (- = stdin)")
    parser.add_argument("--type", metavar="TYPE", help="its media type (default: by its name)")
    parser.add_argument(
        "--name", metavar="NAME", help="its name in downloads (default: the path's last part)"
    )
    declare_workspace(parser)


def _put(place: tuple[Files, str], arguments: Namespace) -> dict[str, Any]:
    is_stdin = arguments.path == "-"
    name = arguments.name or (None if is_stdin else os.path.basename(arguments.path))
    files, workspace = place
    with _source(arguments.path) as source:
        kept = files.store(
            workspace,
            _pieces(source),
            arguments.type or media_type_of(name),
            name=name,
            caller=account_key(),
        )
    return kept.to_json()


def _source(path: str) -> BinaryIO:
    try:
        return open(sys.stdin.fileno() if path == "-" else path, "rb", closefd=path != "-")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInvocation(
            f"the file '{path[:200]}' cannot be read: {reason}",
            hint="Check the path and its permissions.",
        ) from None


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    try:
        while piece := source.read(_PIECE):
            yield piece
    except OSError as error:
        raise InvalidInvocation(f"the file cannot be read: {error.strerror}") from None


def _declare_get(parser: Parser) -> None:
    declare_id(parser)
    parser.add_argument("--out", metavar="PATH", help="write to this new file (default: stdout)")
    declare_workspace(parser)


def _get(arguments: Namespace, output: Output) -> int:
    if arguments.out is None and sys.stdout.isatty():
        raise UsageError(
            "the content of a file is not for a terminal: give --out PATH, or redirect stdout",
            usage=arguments.usage,
        )
    with _open_files(arguments) as (files, workspace):
        file = files.find(workspace, arguments.id)
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
            raise Unavailable(
                f"the file '{file.id}' cannot be read: {error.strerror}", repeatable=False
            ) from None
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


def _list(place: tuple[Files, str], arguments: Namespace) -> list[dict[str, Any]]:
    files, workspace = place
    return [
        file.to_json()
        for file in pages(
            arguments, lambda cursor, limit: files.list(workspace, cursor=cursor, limit=limit)
        )
    ]


def _rm(place: tuple[Files, str], arguments: Namespace) -> dict[str, Any]:
    files, workspace = place
    if not files.delete(workspace, arguments.id):
        raise _unknown(arguments.id)
    return {"file": arguments.id, "deleted": True}


def _unknown(identifier: str) -> NotFound:
    hint = "'jackfield files list' shows the workspace's files."
    return NotFound(f"no file has the ID '{identifier[:80]}', or it has expired", hint=hint)


_NOUN = Noun(_open_files)
VERBS = {
    "put": Verb("Store a file; inputs refer to it by its ID.", _declare_put, _NOUN.value(_put)),
    "get": Verb("Write the content of a file to stdout or to a new file.", _declare_get, _get),
    "list": Verb("List the stored files, newest first.", declare_list, _NOUN.rows(_list, _COLUMNS)),
    "rm": Verb("Delete a file.", declare_one, _NOUN.value(_rm)),
}
