"""``jackfield/kernel/packages.py``: what the packages above the framework declare, from their
``pyproject.toml``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

_DOCSTRING = """Packages above the framework, which names them nowhere else. ``make generate`` writes
this module from their ``pyproject.toml``.
"""
_TOPICS = ("call", "connect", "serve", "operate", "make", "market", "ses", "aws")
"""Topics of commands, in their order."""
_LEFT_OUT = frozenset({"jackfield.connectors", "jackfield.plugins"})
"""Groups of which nobody looks for one by its name."""


def module(root: Path) -> str:
    """The module."""
    extras = _extras(root)
    projects = {table["project"]["name"]: table for table in _projects(root)}
    declared: dict[str, dict[str, tuple[str, str]]] = {}
    for package, table in projects.items():
        own = _own(table).get("extras", {})
        for group, points in table["project"].get("entry-points", {}).items():
            if group.startswith("jackfield.") and group not in _LEFT_OUT:
                declared.setdefault(group, {}).update(
                    {name: (package, own.get(name, extras.get(package, ""))) for name in points}
                )
    topics = _topics(projects.values())
    if {name for commands in topics.values() for name in commands} != {
        *declared["jackfield.commands"]
    }:
        raise SystemExit(
            "each entry point of jackfield.commands needs its summary in a topic of "
            "tool.jackfield.commands"
        )
    ours = [table for package, table in projects.items() if _is_ours(package, table, extras)]
    imported = sorted(
        name
        for table in ours
        for name in table["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    )
    needs = {extra: name for table in ours for extra, name in _own(table).get("needs", {}).items()}
    audiences = sorted(
        {
            own["audience"]
            for own in (_own(table) for table in projects.values())
            if "audience" in own
        }
    )
    parts = [
        f'"""{_DOCSTRING}"""',
        "",
        "from __future__ import annotations",
        "",
        "IMPORTED = (",
        *(f"    {_text(name)}," for name in imported),
        ")",
        '"""Import packages whose code belongs to the runtime or to a library of connectors."""',
        f"AUDIENCES = ({', '.join(map(_text, audiences))},)",
        '"""Audiences, besides tenants and the operator, with their own offers of actions."""',
        "DECLARED = {",
        *(line for group, points in sorted(declared.items()) for line in _group(group, points)),
        "}",
        '"""Package and extra of each entry point, by group and name."""',
        (
            "NEEDS = "
            f"{{{', '.join(f'{_text(extra)}: {_text(needs[extra])}' for extra in sorted(needs))}}}"
        ),
        '"""Module of another project by which an installed extra is detected, for extras that only add',
        "requirements to a package.",
        '"""',
        "TOPICS = {",
        *(line for topic, commands in topics.items() for line in _topic(topic, commands)),
        "}",
        '"""Summary of each command, by its topic in ``--help``, since an entry point can contain neither."""',
    ]
    return "\n".join(parts) + "\n"


def _group(group: str, points: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield f"    {_text(group)}: {{"
    for name, (package, extra) in sorted(points.items()):
        yield f"        {_text(name)}: ({_text(package)}, {_text(extra)}),"
    yield "    },"


def _topics(tables: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {topic: {} for topic in _TOPICS}
    for table in tables:
        for topic, commands in _own(table).get("commands", {}).items():
            found[topic].update(commands)
    return found


def _topic(topic: str, commands: Mapping[str, str]) -> Iterator[str]:
    yield f"    {_text(topic)}: {{"
    yield from (f"        {_text(name)}: {_text(summary)}," for name, summary in commands.items())
    yield "    },"


def _projects(root: Path) -> Iterator[dict[str, Any]]:
    for path in [
        *sorted(root.glob("runtime/*/pyproject.toml")),
        *sorted(root.glob("connectors/*/pyproject.toml")),
    ]:
        yield tomllib.loads(path.read_text(encoding="utf-8"))


def _own(table: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = table.get("tool", {}).get("jackfield", {})
    return found


def _extras(root: Path) -> dict[str, str]:
    """The extra of the framework that installs a package, by the package: the one with the
    package's own name, if there are several.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, str] = {}
    for extra, requirements in project["optional-dependencies"].items():
        for requirement in requirements:
            package = re.split(r"[\[<>=;, ]", requirement)[0]
            if package.startswith("jackfield-") and (
                package not in found or package.removeprefix("jackfield-").startswith(extra)
            ):
                found[package] = extra
    return found


def _is_ours(package: str, table: Mapping[str, Any], extras: Mapping[str, str]) -> bool:
    return package in extras or bool(_own(table).get("library"))


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
