"""Bounds of what our distributions ask for: an application that has other wishes must be able to
meet them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.tree_only
ROOT = Path(__file__).parents[2]
PROJECTS = [
    ROOT / "pyproject.toml",
    *sorted(ROOT.glob("runtime/*/pyproject.toml")),
    *sorted(ROOT.glob("connectors/*/pyproject.toml")),
]
_LINE = re.compile(r'(?m)^(?:    |[a-z0-9]+ = \[)"(?P<need>[^"]+)".*$')


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that reads advisories, as a module."""
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    sys.modules.pop("audit", None)
    import audit

    return audit


def _needs(project: Path) -> list[Requirement]:
    """The requirements of others, with those of all extras but ``dev``."""
    about = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    extras = {
        name: needs
        for name, needs in about.get("optional-dependencies", {}).items()
        if name != "dev"
    }
    found = [
        Requirement(need) for needs in (about["dependencies"], *extras.values()) for need in needs
    ]
    return [need for need in found if not need.name.startswith("jackfield")]


def _floor(need: Requirement) -> str:
    (floor,) = (one.version for one in need.specifier if one.operator == ">=")
    return floor


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_no_floor_has_an_advisory(audit: ModuleType, project: Path) -> None:
    """Each requirement has a floor, and no advisory in the repository fits it."""
    floors = {str(canonicalize_name(need.name)): _floor(need) for need in _needs(project)}
    assert audit.affected(audit.advisories([audit.ADVISORIES]), floors) == []


def test_no_shipped_package_has_an_advisory(audit: ModuleType) -> None:
    """No advisory in the repository fits what is shipped and tested."""
    pins = dict(audit.hashes())
    assert audit.affected(audit.advisories([audit.ADVISORIES]), pins) == []


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_a_ceiling_has_its_reason(project: Path) -> None:
    """A requirement with a ceiling stands on a line of its own, whose comment says why; each other
    one has none.
    """
    text = project.read_text(encoding="utf-8").partition("\ndev = [")[0]
    lines = {found["need"]: found[0] for found in _LINE.finditer(text)}
    capped = [
        need
        for need in _needs(project)
        if any(one.operator in {"<", "<=", "=="} for one in need.specifier)
    ]
    assert {str(need) for need in capped} <= {
        str(Requirement(need)) for need, line in lines.items() if "] # " in line or ", # " in line
    }


def test_the_tables_of_the_command_line_are_an_extra() -> None:
    """The core asks for nothing that only the command line draws with."""
    names = {need.name for need in _needs(ROOT / "pyproject.toml")}
    core = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    assert "rich" in names
    assert not any(need.startswith("rich") for need in core)
