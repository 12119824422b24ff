"""``invoke --save-to``: saving of an output's files at a path of the caller."""

from __future__ import annotations

import mimetypes
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jackfield.invocation.file_references import replaced
from jackfield.kernel.errors import InvalidInvocation, JackfieldError

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.invocation.returned_files import ReturnedFile


def check_target(target: str) -> None:
    """Check, before anything is sent, that files can be saved at ``target``.

    :raises InvalidInvocation: if the folder does not exist or cannot be written.
    """
    folder = target if os.path.isdir(target) else os.path.dirname(target.rstrip("/")) or "."
    if not os.path.isdir(folder):
        raise InvalidInvocation(
            f"'{target[:200]}' cannot be written: there is no folder '{folder[:200]}'",
            hint="Create the folder.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInvocation(
            f"'{target[:200]}' cannot be written: the folder '{folder[:200]}' is read-only",
            hint="Name another one.",
        )


def saved(result: Result, target: str) -> tuple[dict[str, Any], int]:
    """Save the files of a Result: one file as ``target``, several into a folder of that name.
    Return the Result as JSON, with ``savedTo`` in place of contents, and the exit code.

    If the output has no file, or the files cannot be saved, that is reported on stderr, and the
    exit code is 1, although the action has run.
    """
    body = result.to_json("cli")
    files = result.files
    try:
        paths = _write(files, target)
    except (JackfieldError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        sys.stderr.write(
            f"jackfield: the action succeeded, but its files could not be saved to '{target}': "
            f"{reason}\n"
        )
        return body, 1
    if not files:
        hint = (
            "; 'response=file' makes one of any response"
            if (result.meta.connector, result.meta.action) == ("http", "request")
            else ""
        )
        sys.stderr.write(
            "jackfield: the action succeeded, but its output has no file: nothing was "
            f"saved{hint}\n"
        )
        return body, 1
    body["output"] = replaced(
        body["output"],
        [
            (file.steps, _about(body["output"], file, path))
            for file, path in zip(files, paths, strict=True)
        ],
    )
    return body, result.exit_code


def _write(files: tuple[ReturnedFile, ...], target: str) -> list[str]:
    if len(files) == 1 and not target.endswith("/") and not os.path.isdir(target):
        files[0].save(target)
        return [target]
    if files:
        os.makedirs(target, exist_ok=True)
    paths = [os.path.join(target, name) for name in _names(files)]
    for file, path in zip(files, paths, strict=True):
        file.save(path)
    return paths


def _names(files: Iterable[ReturnedFile]) -> list[str]:
    """Return a unique name for each file: its own, or its place in the output."""
    names: list[str] = []
    for file in files:
        place = next((step for step in reversed(file.steps) if isinstance(step, str)), "file")
        own = os.path.basename((file.name or "").replace("\\", "/")).lstrip(".").replace("\0", "")
        name = own or place.replace("/", "_") + (
            mimetypes.MimeTypes().guess_extension(file.content_type) or ""
        )
        stem, suffix = os.path.splitext(name)
        number = 2
        while name in names:
            name, number = f"{stem}-{number}{suffix}", number + 1
        names.append(name)
    return names


def _about(output: Any, file: ReturnedFile, path: str) -> dict[str, Any]:
    found = output
    for step in file.steps:
        found = found[step]
    kept = {name: value for name, value in found.items() if name != "data"}
    return {**kept, "size": file.size, "savedTo": path}
