"""The pages that lead through the code name modules and functions that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("runtime", "connectors") for path in (ROOT / folder).rglob("*.py") if ".venv" not in path.parts]
CODE = "\n".join(path.read_text("utf-8") for path in SOURCES)


def _is_module(name: str) -> bool:
    """Whether ``pipe/attempts`` is a module or package, or ``catalog/loading.connector_at`` a function of one."""
    place, _, function = name.partition(".")
    found = [path for path in SOURCES if re.search(rf"/{re.escape(place)}(\.py|/__init__\.py)$", path.as_posix())]
    return any(not function or re.search(rf"^(def|async def|class) {function}\b", path.read_text("utf-8"), re.MULTILINE) for path in found)


def _is_member(name: str) -> bool:
    """Whether ``Attempts.page`` is a method or property of a class of that name, or an object's method as authors write it."""
    owner, _, member = name.rpartition(".")
    bodies = re.findall(rf"^class {owner}\b.*?(?=^\S|\Z)", CODE, re.MULTILINE | re.DOTALL)
    return any(re.search(rf"\b(def {member}\b|{member}[,:])", body) for body in bodies)


@pytest.mark.parametrize("page", ["architecture.md", "paths.md"])
def test_pages_that_lead_through_the_code_name_what_exists(page: str) -> None:
    """A reader who follows a path finds each module and each method that it names."""
    words = set(re.findall(r"`([A-Za-z_./]+)`", (ROOT / "docs" / page).read_text("utf-8")))
    modules = {word for word in words if re.fullmatch(r"[a-z_]+(/[a-z_]+)+(\.[a-z_]+)?", word)}
    members = {word for word in words if re.fullmatch(r"[A-Z][A-Za-z]+\.[a-z_]+", word)}
    assert modules
    assert members
    assert [name for name in sorted(modules) if not _is_module(name)] == []
    assert [name for name in sorted(members) if not _is_member(name)] == []
