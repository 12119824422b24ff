"""Files of a generated connector: manifest, project file, lock and report, and the changes that a
new generation would make.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jackfield.connector import InvalidInput
from jackfield.manifest.parts import package_of
from jackfield.manifest.reading import INDEX, index_of
from jackfield_openapi.conversion import Converted

LOCK = "openapi.lock.json"
REPORT = "openapi.report.json"
_KEY = re.compile(r"[a-z][A-Za-z0-9]*")
SUGGESTED = "suggested.overlay.json"
OVERLAYS = ("overlay.yaml", "overlay.yml", "overlay.json")
"""File names of the project's own overlay, which each generation applies."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lock:
    """Record of earlier generations: the key of each operation, and the selection."""

    actions: Mapping[str, str]
    select: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read a lock; a missing one is empty.

        :raises InvalidInput: if the file is no lock.
        """
        try:
            found = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return cls({}, ())
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"the lock '{path}' cannot be read ({type(error).__name__})",
                hint="Restore it; its keys are in use.",
            ) from None
        actions = found.get("actions") if isinstance(found, dict) else None
        if not isinstance(actions, dict) or not all(
            isinstance(key, str) and _KEY.fullmatch(key) for key in actions.values()
        ):
            raise InvalidInput(
                f"'{path}' is no lock of this generator", hint="Restore it; its keys are in use."
            )
        select = found.get("select")
        return cls(actions, tuple(map(str, select)) if isinstance(select, list) else ())


def project_version(folder: Path) -> str | None:
    """Return the version in the author's project file; None without one."""
    found = _project(folder).get("version")
    return found if isinstance(found, str) else None


def project_key(folder: Path) -> str | None:
    """Return the key of the connector that the project file declares; None if it declares none, or
    several.
    """
    points = _project(folder).get("entry-points")
    keys = list(points.get("jackfield.connectors") or ()) if isinstance(points, dict) else []
    return keys[0] if len(keys) == 1 else None


def _project(folder: Path) -> Mapping[str, Any]:
    content = _file_bytes(folder / "pyproject.toml")
    try:
        found = tomllib.loads((content or b"").decode()).get("project")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def files_of(
    converted: Converted, source: str, content: bytes, select: tuple[str, ...]
) -> dict[str, bytes]:
    """Return the files of the project by their paths; the same document gives the same bytes."""
    manifest = converted.manifest
    package = package_of(manifest["key"])
    lock: Json = {
        "lockVersion": 1,
        "document": {
            "source": source if "://" in source else os.path.basename(source),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        "actions": dict(sorted(converted.locked.items())),
    }
    if select:
        lock["select"] = list(select)
    content_of, index = written(manifest)
    made = {
        f"{package}/connector.json": content_of,
        **({f"{package}/{INDEX}": index} if index is not None else {}),
        "pyproject.toml": f"{pyproject_head(manifest, package, 'http', converted.license)}{_check(manifest)}".encode(),
        "README.md": _readme(manifest).encode(),
        f"tests/test_{package.removeprefix('jackfield_')}.py": _tests(manifest).encode(),
        LOCK: as_json(lock),
        REPORT: as_json(converted.report.to_json()),
    }
    return {**made, SUGGESTED: as_json(converted.overlay)} if converted.overlay["actions"] else made


_SIMPLE = frozenset({"apiKey", "basic", "bearer", "awsSigV4"})
"""Kinds of credentials that are plain values of the connection: a loopback server can stand in for
the provider.
"""
_APPROVED = frozenset({"oauth2AuthorizationCode", "openIdConnect"})
"""Kinds of credentials that need a person's approval at the provider."""


_FEW = 10
"""Maximum number of actions of a manifest without an index: reading by an index takes a third of
the memory.
"""
_LARGE = 64 * 1024
"""Size in bytes above which a manifest of few actions has an index, too."""


def written(manifest: Json) -> tuple[bytes, bytes | None]:
    """Return the manifest as a file, and its index, or None if it has few actions and is small.
    With an index, each action is on a line of its own.
    """
    if len(manifest["actions"]) <= _FEW and len(whole := as_json(manifest)) <= _LARGE:
        return whole, None
    pieces, size = [b"{"], 1
    places: dict[str, dict[str, tuple[int, int]]] = {"actions": {}, "$defs": {}}

    def put(piece: bytes) -> int:
        nonlocal size
        pieces.append(piece)
        size += len(piece)
        return size - len(piece)

    for number, (member, value) in enumerate(manifest.items()):
        put(b",\n" if number else b"\n")
        put(f"{json.dumps(member)}: ".encode())
        if member not in places:
            put(_line(value))
            continue
        put(b"[" if member == "actions" else b"{")
        named = [(item["key"], item) for item in value] if member == "actions" else value.items()
        for place, (name, item) in enumerate(named):
            put(b",\n" if place else b"\n")
            if member == "$defs":
                put(f"{json.dumps(name, ensure_ascii=False)}: ".encode())
            line = _line(item)
            places[member][name] = (put(line), len(line))
        put(b"\n]" if member == "actions" else b"\n}")
    put(b"\n}\n")
    content = b"".join(pieces)
    return content, _line(index_of(manifest, content, places)) + b"\n"


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


_KEPT = ("README.md", "pyproject.toml", "tests/")
"""Files, by the beginning of their path, that are written only once: the author owns them
afterwards.
"""


def changed_files(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return the names of the files to write: those that differ from the folder's, except files of
    the author.
    """
    return [
        name
        for name, content in files.items()
        if _file_bytes(folder / name) != content
        and not (name.startswith(_KEPT) and _is_there(folder, name))
    ]


def _is_there(folder: Path, name: str) -> bool:
    """Return whether the author's file exists; any test file replaces the template's."""
    return (folder / name).is_file() or (
        name.startswith("tests/") and any((folder / "tests").glob("test_*.py"))
    )


def write(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write the files that differ, each atomically; return their names.

    :raises InvalidInput: if a file cannot be written.
    """
    changed = changed_files(folder, files)
    for name in changed:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f"{path.name}.new")
            made.write_bytes(files[name])
            made.replace(path)
        except OSError as error:
            raise InvalidInput(
                f"'{path}' cannot be written: {error.strerror}",
                hint="Choose another folder with '--out'.",
            ) from None
    return changed


def changes(folder: Path, manifest: Json) -> dict[str, list[str]]:
    """Return the keys of the actions that are added, removed and changed compared with the manifest
    in the folder.
    """
    old = _file_bytes(folder / package_of(manifest["key"]) / "connector.json")
    try:
        before = (
            {action["key"]: action for action in json.loads(old)["actions"]}
            if old is not None
            else {}
        )
    except (ValueError, KeyError, TypeError):  # damaged: all is written anew
        before = {}
    after = {action["key"]: action for action in manifest["actions"]}
    return {
        "added": [key for key in after if key not in before],
        "removed": [key for key in before if key not in after],
        "changed": [key for key in after if key in before and after[key] != before[key]],
    }


def _file_bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def as_json(value: object) -> bytes:
    """Return a value as the bytes of a JSON file."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def pyproject_head(
    manifest: Mapping[str, Any], package: str, binding: str, license: str | None = None
) -> str:
    """Return the first part of the project file of a connector without code, which runs by the
    package ``jackfield-BINDING``.
    """
    key, title = (
        manifest["key"],
        json.dumps(f"{manifest['title']} for jackfield.", ensure_ascii=False),
    )
    licence = f'license = "{license}"\n' if license else ""
    return f"""[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "jackfield-{key}"
version = "{manifest["version"]}"
description = {title}
readme = "README.md"
{licence}requires-python = ">=3.11"
dependencies = ["jackfield>=0.1,<1", "jackfield-{binding}>=0.1,<1"]

[project.entry-points."jackfield.connectors"]
{key} = "{package}:{binding}"

# An editable install finds packages by their code, and this one has none.
[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""


def _check(manifest: Json) -> str:
    """Return the settings of ``jackfield check`` that run the actions over the most used connection
    type with plain credentials.
    """
    rows = manifest["connectionTypes"]
    simple = next(
        (
            row
            for row in rows
            if all(part["kind"] in _SIMPLE for part in row["http"]["credentials"])
        ),
        None,
    )
    if not rows:
        return ""
    text = f"""
# The loopback provider of `jackfield check` stands in for the server.
[tool.jackfield.check]
connection = "{(simple or rows[0])["key"]}"
values = {{ server = "${{url}}" }}
{_safe_posts(manifest)}"""
    if simple is not None:
        return text
    why = _why_not(part["kind"] for row in rows for part in row["http"]["credentials"])
    left = "".join(f'{action["key"]} = "{why}"\n' for action in manifest["actions"])
    return f"{text}\n[tool.jackfield.check.left-out]\n{left}"


def _why_not(kinds: Iterable[str]) -> str:
    """Return the reason why a loopback server cannot stand in for a provider with these kinds of
    credentials.
    """
    found = set(kinds) - _SIMPLE
    if "mutualTls" in found:
        return "its connection needs a client certificate"
    return (
        "a person approves its connection"
        if found & _APPROVED
        else "its connection needs an exchange of credentials"
    )


def _safe_posts(manifest: Json) -> str:
    """Return the setting that names POSTs which the overlay declares repeatable; empty without such
    POSTs.

    ``jackfield check`` would count their repeats as faults.
    """
    rows = [
        action
        for action in manifest["actions"]
        if action["http"]["method"] == "POST" and action["effect"] != "write"
    ]
    posts = [action["key"] for action in rows if "idempotentBy" not in action]
    posts += [row["key"] for row in manifest["connectionTypes"] if _posts(row["http"].get("probe"))]
    return (
        f"# The overlay says that they may be repeated.\nsafe-posts = {json.dumps(posts)}\n"
        if posts
        else ""
    )


def _posts(probe: Any) -> bool:
    """Return whether a connection test is a POST, which its operation declares as a read."""
    return isinstance(probe, dict) and probe.get("method") == "POST"


def _tests(manifest: Json) -> str:
    name = "".join(part.capitalize() for part in manifest["key"].split("-"))
    package = package_of(manifest["key"])
    return f'''"""The connector keeps what every connector owes its callers, and its actions keep their keys."""

import json
from pathlib import Path

from jackfield.testing import Conformance

ROOT = Path(__file__).parent.parent


class Test{name}(Conformance):
    """The connector passes the rules of its grade. Raise the grade when the overlay has added what the document leaves out."""

    grade = "bronze"
    sample = 8


def test_keys_are_locked() -> None:
    """Each action has a key that the lock keeps for its operation."""
    actions = json.loads((ROOT / "{package}" / "connector.json").read_bytes())["actions"]
    locked = json.loads((ROOT / "{LOCK}").read_bytes())["actions"]
    assert {{action["key"] for action in actions}} <= set(locked.values())
'''


_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def _readme(manifest: Json) -> str:
    # a document's text, on one line: no heading, link or HTML of its author
    title = _MARKUP.sub(r"\\\1", manifest["title"])
    return f"""# {title}

A connector for jackfield, generated from the OpenAPI document of the API; it contains no code.

- `{package_of(manifest["key"])}/connector.json`: the manifest that jackfield runs.
- `{LOCK}`: the key of each operation, so that keys stay when the document changes. Commit it.
- `{REPORT}`: everything that the connector lacks or that had to be assumed, by JSON Pointer.
- `overlay.yaml` (yours): an OpenAPI Overlay that curates titles, effects and paging; it is applied at every generation.

    jackfield generate openapi DOCUMENT --out .
"""
