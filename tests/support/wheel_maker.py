"""Connector wheels for tests, correct ones and hostile ones, put together byte by byte."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jackfield_market.wheels import record_hash

PACKAGE = "jackfield_acme"
INFO = "jackfield_acme-1.0.0.dist-info"
FILE = "jackfield_acme-1.0.0-py3-none-any.whl"
CODE = "raise SystemExit('code of the package was run')\n"

Change = Callable[[dict[str, bytes]], None]


def manifest(**members: Any) -> dict[str, Any]:
    """A small valid manifest with ``members`` replaced."""
    closed = {"type": "object", "additionalProperties": False}
    fields = {"name": {"type": "string", "title": "Name", "maxLength": 20}}
    action = {
        "key": "greet",
        "title": "Greet",
        "description": "Greet somebody.",
        "effect": "read",
        "inputs": {**closed, "properties": fields, "required": ["name"]},
        "output": {
            **closed,
            "properties": {"Greeting": {"type": "string"}},
            "required": ["Greeting"],
        },
    }
    about = {
        "manifestVersion": 1,
        "key": "acme",
        "title": "Acme",
        "description": "Greets.",
        "version": "1.0.0",
    }
    return {**about, "connectionTypes": [], "actions": [action], **members}


def files() -> dict[str, bytes]:
    """The files of a correct wheel, without RECORD."""
    texts = {
        f"{PACKAGE}/__init__.py": CODE,
        f"{PACKAGE}/connector.json": json.dumps(manifest()),
        f"{INFO}/METADATA": (
            "Metadata-Version: 2.4\nName: jackfield-acme\nVersion: 1.0.0\nRequires-Dist: "
            "jackfield<1,>=0.1\n"
        ),
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/entry_points.txt": f"[jackfield.connectors]\nacme = {PACKAGE}:connector\n",
    }
    return {path: text.encode() for path, text in texts.items()}


def record(contents: Mapping[str, bytes]) -> bytes:
    """RECORD of a wheel with these files."""
    rows = [f"{path},{record_hash(content)},{len(content)}\n" for path, content in contents.items()]
    return ("".join(rows) + f"{INFO}/RECORD,,\n").encode()


def archive(contents: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """A zip archive of these files; ``modes`` are st_mode values by path."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (modes or {}).get(path, 0o100644) << 16
            opened.writestr(entry, content)
    return made.getvalue()


def wheel_bytes(change: Change | None = None, modes: Mapping[str, int] | None = None) -> bytes:
    """A wheel whose files ``change`` has edited before RECORD was written; the wheel is correct
    without it.
    """
    contents = files()
    if change is not None:
        change(contents)
    return archive({**contents, f"{INFO}/RECORD": record(contents)}, modes)


def write_wheel(folder: Path, change: Change | None = None, name: str = FILE) -> Path:
    """Write such a wheel into ``folder``."""
    path = folder / name
    path.write_bytes(wheel_bytes(change))
    return path


def put(path: str, content: str | bytes) -> Change:
    """A change that sets one file."""

    def change(contents: dict[str, bytes]) -> None:
        contents[path] = content.encode() if isinstance(content, str) else content

    return change


def swap(path: str, old: str, new: str) -> Change:
    """A change that replaces text in one file."""

    def change(contents: dict[str, bytes]) -> None:
        assert old.encode() in contents[path]
        contents[path] = contents[path].replace(old.encode(), new.encode())

    return change


def drop(path: str) -> Change:
    """A change that removes one file."""

    def change(contents: dict[str, bytes]) -> None:
        del contents[path]

    return change
