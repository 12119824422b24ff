"""Folders of connector packages, stored for the next process: the import system takes 0.1 s to find
a thousand of them.

The file is valid while no entry was added to or removed from the folders of ``sys.path``, and only
for packages in exactly one folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def noted_folders(path: str) -> Mapping[str, str]:
    """Return the folders in the file ``path``, by package, without outdated folders."""
    try:
        with open(path, encoding="utf-8") as file:
            noted = json.load(file)
        known, folders, elsewhere = noted["paths"], noted["folders"], set[str]()
        for folder in sys.path:
            if folder not in known:  # of another way to start Python
                elsewhere.update(_names(folder))
            elif known[folder] != _stamp(folder):
                return {}
        here = {*sys.path}
        return {
            name: folder
            for name, folder in folders.items()
            if name not in elsewhere and os.path.dirname(folder) in here
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def note_of(packages: Iterable[str]) -> bytes:
    """Return the content of a file that stores the folders of packages."""
    paths = {folder: _stamp(folder) for folder in sys.path}
    listed = {folder: {*_names(folder)} for folder in paths}
    counted = Counter(name for names in listed.values() for name in names)
    alone = [name for name in packages if counted[name] == 1]
    folders = {
        name: os.path.join(folder, name)
        for name in alone
        for folder, names in listed.items()
        if name in names
    }
    return json.dumps(
        {
            "paths": paths,
            "folders": {name: path for name, path in folders.items() if os.path.isdir(path)},
        }
    ).encode()


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


def _stamp(folder: str) -> list[Any] | None:
    try:
        about = os.stat(folder or ".")
    except OSError:
        return None
    return [about.st_mtime_ns, about.st_ino]
