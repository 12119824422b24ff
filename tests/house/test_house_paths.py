"""The pages that lead through the code name modules and functions that exist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("runtime", "connectors")
    for path in (ROOT / folder).rglob("*.py")
    if ".venv" not in path.parts
]


@cache
def _classes() -> dict[str, list[str]]:
    """The bodies of all classes at the left margin, by name."""
    found: dict[str, list[str]] = {}
    for path in SOURCES:
        for part in re.split(r"^class (?=\w)", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            body, *_ = re.split(r"\n(?=\S)", part, maxsplit=1)
            found.setdefault(re.split(r"\W", body, maxsplit=1)[0], []).append(body)
    return found


def is_module(name: str, sources: Sequence[Path]) -> bool:
    """Whether ``call/attempts`` is a module or package, or ``catalog/loading.connector_at`` a
    function of one.
    """
    place, _, function = name.partition(".")
    found = [
        path for path in sources if str(path).endswith((f"/{place}.py", f"/{place}/__init__.py"))
    ]
    return any(
        not function
        or re.search(
            rf"^((def|async def|class) {function}\b|{function} = )",
            path.read_text("utf-8"),
            re.MULTILINE,
        )
        for path in found
    )


def is_member(name: str) -> bool:
    """Whether ``Attempts.page`` is a method or property of a class of that name, or an object's
    method as authors write it.
    """
    owner, _, member = name.rpartition(".")
    return any(
        re.search(rf"\b(def {member}\b|{member}[,:])", body) for body in _classes().get(owner, ())
    )


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/paths-secrets.md", "docs/paths.md"]
)
def test_pages_that_lead_through_the_code_name_what_exists(page: str) -> None:
    """A reader who follows a path finds each module, each file and each method that it names."""
    words = set(re.findall(r"`([A-Za-z_./]+)`", (ROOT / page).read_text("utf-8")))
    modules = {
        word.removesuffix(".py")
        for word in words
        if re.fullmatch(r"[a-z_]+(/[a-z_]+)+(\.[a-z_]+)?", word) and not (ROOT / word).exists()
    }
    members = {word for word in words if re.fullmatch(r"[A-Z][A-Za-z]+[a-z]\.[a-z_]+", word)}
    assert modules
    assert members
    assert [name for name in sorted(modules) if not is_module(name, SOURCES)] == []
    assert [name for name in sorted(members) if not is_member(name)] == []
