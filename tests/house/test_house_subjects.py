"""A subject of the service is a folder with fixed names, which says in its README where its main
case goes.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.house.parsed import nodes
from tests.house.test_house_paths import ROOT, SOURCES, is_member, is_module

FOLDER = ROOT / "runtime" / "jackfield_store" / "jackfield_service" / "subjects"
SUBJECTS = sorted(path.parent for path in FOLDER.glob("*/__init__.py"))
LINES, WIDTH = 30, 140
SURFACES = {
    "command",
    "gauges",
    "http",
    "kinds",
    "loop",
    "operations",
    "page",
    "pages",
    "shapes",
    "subject",
    "sweeps",
    "warnings",
}
"""Names of what serves: the shell finds some, the others are beside these and are found by who
knows one subject.
"""
PROTOCOLS = {"mcp": "the protocol is the subject: its modules are the transport"}
"""Subjects of which each module serves, with the reason."""


def serves(path: Path) -> bool:
    """Whether a module imports the shell or the server's framework, so that it is there with the
    extra `server` only.
    """
    imported = (node.module or "" for node in nodes(path) if isinstance(node, ast.ImportFrom))
    return any(
        f"{name}.".startswith(("jackfield_service.shell.", "starlette.")) for name in imported
    )


def is_named(name: str, subject: Path) -> bool:
    """Whether a README's `http.approved`, `table.py` or `Tokens.create` exists in the subject or,
    named with its path, elsewhere.
    """
    if name.startswith("tests/"):
        return (ROOT / name).exists()
    if name.endswith(".py"):
        return (subject / name).is_file()
    if re.match("_?[A-Z]", name):
        return is_member(name)
    return is_module(name, [path for path in SOURCES if subject in path.parents]) or (
        "/" in name and is_module(name, SOURCES)
    )


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda path: path.name)
def test_a_subjects_readme_leads_through_its_main_case(subject: Path) -> None:
    """Each subject has a README of at most 30 lines: what it is, a case from its entry to the rows,
    where it keeps, and its tests.
    """
    text = (subject / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= LINES
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert re.findall(r"^## (A case|Where it keeps|Tests)", text, re.MULTILINE)[-3:] == [
        "A case",
        "Where it keeps",
        "Tests",
    ]
    named = {word for word in re.findall(r"`([\w./]+)`", text) if re.search(r"[./]", word)}
    assert [name for name in sorted(named) if not is_named(name, subject)] == []


def test_what_serves_requests_has_a_fixed_name() -> None:
    """Who opens one subject knows the others: HTTP, pages, commands and loops have the same names;
    nothing else needs a server.
    """
    modules = [
        path
        for subject in SUBJECTS
        if subject.name not in PROTOCOLS
        for path in subject.rglob("*.py")
        if serves(path)
    ]
    assert [
        str(path.relative_to(FOLDER))
        for path in modules
        if path.relative_to(FOLDER).with_suffix("").parts[1] not in SURFACES
    ] == []
