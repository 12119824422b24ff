"""Where ``jackfield apply`` puts new secrets: a file of this account, or what reads a pipe."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import replace_file


class NewSecrets:
    """Target of new secrets. It is opened before the transaction, for which all writers of the
    database wait; within it, nothing is waited for.
    """

    def __init__(self, path: str) -> None:
        """Open the target.

        :raises InvalidInvocation: if it can take no secrets.
        """
        self._path = path
        self._file = os.path.realpath(path) if os.path.islink(path) else path
        self._pipe: int | None = None
        self._present: dict[str, Any] = {}
        with self._refusing():
            self._open()

    def close(self) -> None:
        """Close the pipe."""
        if self._pipe is not None:
            os.close(self._pipe)

    def keep(self, workspace: str, secrets: Mapping[str, Any]) -> None:
        """Add the secrets of a workspace before they become valid: to the file, on the disk, or as
        one line to the pipe.

        :raises InvalidInvocation: if they cannot be written.
        """
        with self._refusing():
            if self._pipe is not None:
                line = f"{json.dumps({workspace: secrets})}\n".encode()
                if os.write(self._pipe, line) < len(line):
                    raise BlockingIOError
                return
            for kind, things in secrets.items():
                self._present.setdefault(workspace, {}).setdefault(kind, {}).update(things)
            content = json.dumps(self._present, indent=2) + "\n"
            replace_file(self._file, content.encode(), mode=0o600, keeps_mode=False)

    def _open(self) -> None:
        try:
            about = os.stat(self._file)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(about.st_mode):
            # who opens a pipe waits for its reader, who writes to it does not
            self._pipe = os.open(self._file, os.O_WRONLY | os.O_NOCTTY)
            os.set_blocking(self._pipe, False)
            return
        if self._file != self._path and about.st_uid not in (os.geteuid(), 0):
            raise PermissionError(0, "it is a link to a file of another account")
        with open(self._file, encoding="utf-8") as file:
            self._present = json.loads(file.read() or "{}")
        if not isinstance(self._present, dict):
            raise TypeError

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, TypeError, AttributeError) as fault:
            reason = "it has something else"
            if isinstance(fault, BlockingIOError):
                reason = "its reader does not read"
            elif isinstance(fault, OSError) and fault.strerror:
                reason = fault.strerror
            raise InvalidInvocation(
                f"--secrets-out '{self._path[:200]}': {reason}",
                hint="Name a new file. Nothing was changed.",
            ) from None
