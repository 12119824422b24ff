"""Connectors that are installed into the data folder, each version in its own environment.

Every cold command reads one index file instead of a folder per version. The index is derived from
the receipts, which are read if the index is damaged.
"""

from __future__ import annotations

import json
import os

from jackfield.catalog.discovery import RECEIPT, EntryPoint

TYPE_CHECKING = False  # typing would cost a cold command more time than reading the index
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

FOLDER = "connectors"
"""Name of the folder of installed connectors in the data folder: ``KEY/VERSION/`` each, and the
index.
"""
INDEX = "installed.json"
"""Name of the index file of the installed connectors."""
INDEX_VERSION = 1
REVOKED = "revoked.json"
"""File of revocations of installed connectors, as last published by the catalogues. Each reading of
a catalogue rewrites the file.
"""


class InstallationFolder:
    """Connectors in the data folder ``home``, as of the last reading."""

    def __init__(self, home: str) -> None:
        self._folder = os.path.join(home, FOLDER)
        self._stamp: tuple[int, ...] = ()

    def points(self) -> list[EntryPoint]:
        """Return the entry points of the installed connectors, the default version of each key
        first.
        """
        self._stamp = self._present_stamp()
        try:
            with open(os.path.join(self._folder, INDEX), encoding="utf-8") as file:
                return _points(self._folder, json.load(file))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _points(self._folder, index(read_receipts(self._folder), {}))

    def has_changed(self) -> bool:
        """Return whether the index was written since the last reading."""
        return self._present_stamp() != self._stamp

    def _present_stamp(self) -> tuple[int, ...]:
        try:
            about = os.stat(os.path.join(self._folder, INDEX))
        except OSError:
            return ()
        return about.st_mtime_ns, about.st_ino, about.st_size


def _points(folder: str, data: Mapping[str, Any]) -> list[EntryPoint]:
    return [
        EntryPoint(
            key,
            row["entryPoint"],
            row["distribution"],
            row["version"],
            tuple(os.path.join(folder, path) for path in row["paths"]),
        )
        for key, connector in data["connectors"].items()
        for row in connector["versions"]
    ]


def revocations(home: str | None) -> dict[str, dict[str, Any]]:
    """Return the revocations of installed connectors, by key: ``{"version", "publisher", "keyId",
    "at", "reason"?}``.

    It is the state last read from their catalogues: nothing is downloaded.
    """
    folder, found = os.path.join(home or "", FOLDER), {}
    for row in read_revocations(folder) if home is not None else ():
        if os.path.isdir(os.path.join(folder, row["connector"], row["version"])):
            found[row["connector"]] = row
    return found


def read_revocations(folder: str) -> list[dict[str, Any]]:
    """Return the recorded revocations of the connectors in ``folder``; an empty list if the file is
    missing or damaged.
    """
    try:
        with open(os.path.join(folder, REVOKED), encoding="utf-8") as file:
            rows = json.load(file)["revoked"]
        return [
            row
            for row in rows
            if all(isinstance(row[name], str) for name in ("connector", "version", "keyId", "at"))
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def read_receipts(folder: str) -> list[dict[str, Any]]:
    """Return the receipts of all connectors installed in ``folder``, without the remains of
    interrupted installations.
    """
    found = []
    for key in _names(folder):
        for version in _names(os.path.join(folder, key)):
            try:
                with open(os.path.join(folder, key, version, RECEIPT), encoding="utf-8") as file:
                    receipt = json.load(file)
            except (OSError, ValueError, RecursionError):
                continue
            if _is_receipt(receipt, key, version):
                found.append(receipt)
    return found


def _is_receipt(receipt: Any, key: str, version: str) -> bool:
    if not isinstance(receipt, dict) or (receipt.get("key"), receipt.get("version")) != (
        key,
        version,
    ):
        return False
    paths = receipt.get("paths")
    return (
        all(isinstance(receipt.get(name), str) for name in ("name", "entryPoint"))
        and isinstance(paths, list)
        and all(isinstance(path, str) for path in paths)
    )


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name[:1] != ".")
    except OSError:
        return []


def index(receipts: Iterable[Mapping[str, Any]], pins: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of the index, the default version of each connector first: the version in
    ``pins``, or else the highest.
    """
    from packaging.version import Version

    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for receipt in receipts:
        by_key.setdefault(str(receipt["key"]), []).append(receipt)

    def rank(receipt: Mapping[str, Any]) -> tuple[bool, bool, Version]:
        version = Version(receipt["version"])
        return receipt["version"] == pins.get(receipt["key"]), not version.is_prerelease, version

    connectors = {}
    for key in sorted(by_key):
        rows = [
            {
                "version": receipt["version"],
                "distribution": receipt["name"],
                "entryPoint": receipt["entryPoint"],
                "paths": [f"{key}/{receipt['version']}/{path}" for path in receipt["paths"]],
            }
            for receipt in sorted(by_key[key], key=rank, reverse=True)
        ]
        pin = {"pinned": pins[key]} if rows[0]["version"] == pins.get(key) else {}
        connectors[key] = {**pin, "versions": rows}
    return {"indexVersion": INDEX_VERSION, "connectors": connectors}
