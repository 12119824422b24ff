"""Installed connectors of a data folder: their receipts, the index that the catalog reads, and a
lock for one writer at a time.

An installation is built next to its place and renamed, so that other processes see all of it or
nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from jackfield.catalog.discovery import RECEIPT
from jackfield.catalog.installations import (
    FOLDER,
    INDEX,
    REVOKED,
    index,
    read_receipts,
    read_revocations,
)
from jackfield.kernel.durable import sync
from jackfield.kernel.errors import Conflict, InvalidInvocation
from jackfield.kernel.failures import OnFailure
from jackfield_market.files import write_file

_MEMBERS = {"wheel": str, "sha256": str, "publisher": dict, "source": dict, "dependencies": list}
_PART = ".part"
WAIT = 60.0
"""Maximum wait for another writer, in seconds."""
_STEP = 0.1


class Installed:
    """Installed connectors of the data folder ``home``. Make changes within ``with
    installed.exclusive():``.
    """

    def __init__(self, home: str) -> None:
        self.home = home
        self.folder = os.path.join(home, FOLDER)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the folder against other writers, and remove the remains of a killed writer.

        :raises Conflict: if another process holds the lock for longer than a minute.
        """
        with one_writer(self.folder, ".lock"):
            self._sweep()
            yield

    def receipts(self) -> list[dict[str, Any]]:
        """Return the receipts of all installed versions. A version with a damaged receipt counts as
        not installed.
        """
        return [receipt for receipt in read_receipts(self.folder) if _is_whole(receipt)]

    def of(self, key: str) -> list[dict[str, Any]]:
        """Return the receipts of a connector, highest version first."""
        mine = [receipt for receipt in self.receipts() if receipt["key"] == key]
        return sorted(mine, key=lambda receipt: Version(receipt["version"]), reverse=True)

    def pins(self) -> dict[str, str]:
        """Return the pinned versions by key."""
        try:
            with open(os.path.join(self.folder, INDEX), encoding="utf-8") as file:
                connectors = json.load(file)["connectors"]
            return {key: row["pinned"] for key, row in connectors.items() if "pinned" in row}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # a damaged index has no pins
            return {}

    def index(self) -> bytes:
        """Return the index file's content, which each installation writes anew; empty if the file
        cannot be read.
        """
        try:
            return Path(self.folder, INDEX).read_bytes()
        except OSError:
            return b""

    def place(self, key: str, version: str, build: Callable[[str], Mapping[str, Any]]) -> str:
        """Install a version: ``build`` fills an empty folder and returns its receipt. Return the
        folder of the version.

        :raises InvalidInvocation: if a symbolic link is in its place.
        """
        parent = self._own(key, version)
        part = os.path.join(parent, f".{version}-{secrets.token_hex(4)}{_PART}")
        with OnFailure(shutil.rmtree, part, True):
            os.makedirs(part)
            receipt = build(part)
            with open(os.path.join(part, RECEIPT), "x", encoding="utf-8") as file:
                file.write(json.dumps(receipt, indent=1, ensure_ascii=False) + "\n")
            _flush(part)  # after a power failure, what was renamed is whole
            final = os.path.join(parent, version)
            if os.path.lexists(final):  # without a receipt: not an installation
                shutil.rmtree(final)
            os.replace(part, final)
            sync(Path(parent))
        return final

    def remove(self, key: str, version: str) -> None:
        """Remove a version. It disappears at once, even if deleting its files is interrupted.

        :raises InvalidInvocation: if a symbolic link is in its place.
        """
        parent = self._own(key, version)
        gone = os.path.join(parent, f".{version}-{secrets.token_hex(4)}{_PART}")
        os.replace(os.path.join(parent, version), gone)
        shutil.rmtree(gone, ignore_errors=True)
        if not os.listdir(parent):
            os.rmdir(parent)

    def publish(self, pins: Mapping[str, str]) -> None:
        """Write the index anew from the receipts."""
        content = json.dumps(index(self.receipts(), pins), indent=1, ensure_ascii=False) + "\n"
        write_file(os.path.join(self.folder, INDEX), content.encode())

    def note_revoked(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Record the revocations of installed connectors. Return the new revocations."""
        known = read_revocations(self.folder)
        if rows != known:
            write_file(
                os.path.join(self.folder, REVOKED), json.dumps({"revoked": rows}, indent=1).encode()
            )
        named = {(row["connector"], row["version"], row["keyId"]) for row in known}
        return [
            row for row in rows if (row["connector"], row["version"], row["keyId"]) not in named
        ]

    def _own(self, key: str, version: str) -> str:
        """Return the folder of a connector. Through a symbolic link, changes would reach files that
        are not jackfield's.

        :raises InvalidInvocation: if the folder, or its version's folder, is a symbolic link.
        """
        parent = os.path.join(self.folder, key)
        for path in (parent, os.path.join(parent, version)):
            if os.path.islink(path):
                raise InvalidInvocation(
                    f"'{path}' is a symbolic link",
                    hint="Look where it leads, remove it, and try again.",
                )
        return parent

    def _sweep(self) -> None:
        for key in os.listdir(self.folder):
            parent = os.path.join(self.folder, key)
            for name in (
                os.listdir(parent) if os.path.isdir(parent) and not os.path.islink(parent) else ()
            ):
                if name.startswith(".") and name.endswith(_PART):
                    shutil.rmtree(os.path.join(parent, name), ignore_errors=True)


def _is_whole(receipt: Mapping[str, Any]) -> bool:
    try:
        Version(receipt["version"])
    except InvalidVersion:
        return False
    if not all(isinstance(receipt.get(name), kind) for name, kind in _MEMBERS.items()):
        return False
    publisher, source = receipt["publisher"], receipt["source"]
    texts = [
        *(publisher.get(name) for name in ("publisher", "keyId")),
        *(source.get(name) for name in ("url", "rootSha256")),
    ]
    return all(isinstance(text, str) for text in texts)


@contextmanager
def one_writer(folder: str, name: str) -> Iterator[None]:
    """Create ``folder``, and hold the lock file ``name`` in it. Threads exclude each other as
    processes do.

    :raises Conflict: if another writer holds it for longer than a minute.
    :raises InvalidInvocation: if the folder cannot be written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        handle = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InvalidInvocation(
            f"the folder '{folder}' cannot be written: {error.strerror}", hint="Set JACKFIELD_HOME."
        ) from None
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)  # releases the lock


def _lock(handle: int, folder: str) -> None:
    import fcntl

    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                raise Conflict(
                    f"another process has been changing '{folder}' for a minute",
                    hint="Try again when it has ended.",
                ) from None
            time.sleep(_STEP)
        else:
            return


def _flush(folder: str) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))
