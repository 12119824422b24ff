"""The cut of the house into distributions (design §2): imports that go against it: there are
none.
"""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from tests.house.parsed import nodes, tree

from jackfield.cli import commands

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime"
PROJECTS = sorted(
    path for place in ("runtime", "connectors") for path in ROOT.glob(f"{place}/*/pyproject.toml")
)
PARTS = (
    ("search", r"callers\.searching$"),
    (
        "search",
        r"catalog\.(words|found_triggers|postings|index|index_file|query_words|places|found|synonyms|index_program)$",
    ),
    ("framework", r""),
)
"""Part of each module of ``jackfield`` by its name; the first that matches counts. A command
belongs to the part that it shows.
"""
_STORE = ("framework", "jackfield_store")
_SERVICE = (*_STORE, "jackfield_service", "search")
_INSIDE = re.compile(
    r"jackfield\.(call|connections|catalog|connector\.hooks|schema|redaction|invocation)(\.|\Z)"
)
_LISTS = ("pyproject.toml", "constraints.txt", ".ci/run", ".ci/types", ".ci/wheels")
ALLOWED = {
    "framework": ("framework",),
    "search": ("framework", "search"),
    "jackfield_store": ("framework",),
    "jackfield_formats": ("framework",),
    "jackfield_market": ("framework",),
    "jackfield_vault": ("framework",),
    "jackfield_isolation": ("framework",),
    "jackfield_celery": _STORE,
    "jackfield_dapr": (*_SERVICE, "jackfield_formats"),
    "jackfield_service": _SERVICE,
}
"""Parts and distributions that each of them may import, besides itself."""


@cache
def modules() -> dict[str, Path]:
    """The modules of ``jackfield`` by their names below it."""
    root = RUNTIME / "jackfield"
    return {
        ".".join(path.relative_to(root).with_suffix("").parts)
        .removesuffix("__init__")
        .rstrip("."): path
        for path in root.rglob("*.py")
    }


@cache
def part_of(module: str) -> str:
    """The part that a module of ``jackfield`` belongs to."""
    return next(part for part, pattern in PARTS if re.match(pattern, module))


def imported(node: ast.AST) -> set[str]:
    """The modules of ``jackfield``, and the other distributions, that are imported at run time,
    also within functions.
    """
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if (
            isinstance(child, ast.ImportFrom)
            and not child.level
            and f"{child.module}.".startswith("jackfield.")
        ):
            base = (child.module or "").removeprefix("jackfield").lstrip(".")
            names = {f"{base}.{alias.name}".lstrip(".") for alias in child.names}
            found |= {name if name in modules() else base for name in names}
        if (
            isinstance(child, ast.ImportFrom)
            and not child.level
            and (child.module or "").startswith("jackfield_")
        ):
            found.add((child.module or "").partition(".")[0])
        if isinstance(child, ast.Import):
            found |= {
                alias.name.partition(".")[0]
                for alias in child.names
                if alias.name.startswith("jackfield_")
            }
        found |= imported(child)
    return found


def part_imported(name: str) -> str:
    """The part of a module of ``jackfield``, or the distribution."""
    return name if name.startswith("jackfield_") else part_of(name)


def counted() -> Counter[tuple[str, str]]:
    """The imports against the arrows, by the importing part and the imported one."""
    sources = [(part_of(module), path) for module, path in modules().items()]
    packages = [folder for folder in RUNTIME.glob("jackfield_*/jackfield_*") if folder.is_dir()]
    sources += [(folder.name, path) for folder in packages for path in folder.rglob("*.py")]
    known = (
        modules().keys()
        | {folder.name for folder in packages}
        | {folder.name for folder in ROOT.glob("connectors/*/jackfield_*")}
    )
    edges = (
        (part, part_imported(name))
        for part, path in sources
        for name in imported(tree(path))
        if name in known
    )
    return Counter((part, other) for part, other in edges if other not in {part, *ALLOWED[part]})


def test_the_page_says_which_distribution_has_which_command() -> None:
    """Each built-in command is in one row of the page, the row of the part that its module belongs
    to.
    """
    text = (
        (ROOT / "docs" / "architecture.md")
        .read_text(encoding="utf-8")
        .partition("\n## Which distribution has which command\n")[2]
    )
    rows = re.findall(r"^\| (\w+) \| (`.*`) \|$", text.partition("\n## ")[0], re.MULTILINE)
    listed = {name: part for part, names in rows for name in re.findall(r"`([^`]+)`", names)}
    owners = {name: part_of(f"cli.{commands.module_of(name)}") for name in commands.BUILT_IN}
    assert listed == owners


def test_nothing_imports_what_stands_above_it() -> None:
    """No part and no distribution imports another against the arrows, at its head or in a function;
    annotations alone may.
    """
    assert counted() == {}


@cache
def _about(project: Path) -> dict[str, Any]:
    return tomllib.loads(project.read_text(encoding="utf-8"))


def _packages(project: Path) -> set[str]:
    """The packages of a project's wheel."""
    return {
        path.rpartition("/")[2]
        for path in _about(project)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    }


def _asked(needs: Iterable[str]) -> Iterator[str]:
    """The distributions of ours that requirements name; an extra of the framework's names
    others.
    """
    extras = _about(ROOT / "pyproject.toml")["project"]["optional-dependencies"]
    for need in map(Requirement, needs):
        yield need.name
        yield from _asked(
            other for extra in need.extras if need.name == "jackfield" for other in extras[extra]
        )


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_a_project_asks_for_what_it_imports(project: Path) -> None:
    """The packages of ours that a project's modules import are its own, or of projects that it asks
    for: so a connector imports neither another connector by chance nor what simulates its provider.
    """
    owned = {_about(path)["project"]["name"]: _packages(path) for path in PROJECTS}
    asked = set().union(
        *(owned.get(name, ()) for name in _asked(_about(project)["project"]["dependencies"]))
    )
    paths = [
        path for package in _packages(project) for path in (project.parent / package).rglob("*.py")
    ]
    used = {
        name for path in paths for name in imported(tree(path)) if name.startswith("jackfield_")
    }
    assert used <= asked | _packages(project)


def _named(path: Path) -> Iterator[str]:
    """All that a module imports, for annotations, too."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_connectors_use_the_authors_api_only() -> None:
    """A connector imports nothing of the framework that authors elsewhere could not rely on, in
    whatever folder it is.
    """
    paths = [
        path
        for path in ROOT.glob("connectors/*/jackfield_*/**/*.py")
        if any(map(_INSIDE.match, _named(path)))
    ]
    assert paths == []


def test_a_connector_is_named_in_no_list() -> None:
    """What checks, builds and runs the connectors finds them by their folders, and what one of them
    alone needs stands in its own pyproject.toml: a new connector edits no file outside its folder.
    """
    names = {path.parent.name for path in PROJECTS if path.parents[1].name == "connectors"}
    named = re.compile(
        rf"connectors/({'|'.join(names)})\b|jackfield_({'|'.join(name.replace('-', '_') for name in names)})\b"
    )
    assert names
    assert {
        name: found
        for name in _LISTS
        if (found := named.findall((ROOT / name).read_text(encoding="utf-8")))
    } == {}


_ACME = {
    "pyproject.toml": '[project]\nname = "jackfield-acme"\n',
    "jackfield_acme/__init__.py": '"""Acme."""\n\nPORT = 4711\n',
    "tests/acme_server.py": '"""The server for these tests."""\n\nPORT = 4711\n',
    "tests/test_acme.py": '''"""Acme."""

import pytest

from acme_server import PORT
from jackfield_acme import PORT as KNOWN


@pytest.mark.parametrize("port", [PORT])
def test_the_port_is_known(port: int) -> None:
    """The server's port is the connector's."""
    assert port == KNOWN
''',
}
"""The files of a connector, the tests' shared module and ours and others' in two groups of
imports.
"""


@pytest.fixture
def with_one_more(tmp_path: Path) -> Path:
    """A checkout with one connector, which nothing outside its folder knows."""
    for name in (*_LISTS, ".ci/tiers.py", ".ci/tiers.toml", "tests/runner/connector_paths.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in _ACME.items():
        (tmp_path / "connectors" / "acme" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "connectors" / "acme" / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_new_connector_is_checked_and_run(with_one_more: Path) -> None:
    """Its code is linted as ours and typed, its tests run with the modules that they share, and its
    faults are of the third tier.
    """

    def said(*words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, *words], cwd=with_one_more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    patterns = _about(with_one_more / "pyproject.toml")["tool"]["mypy"]["files"]
    typed = {
        path.relative_to(with_one_more).as_posix()
        for pattern in patterns
        for path in with_one_more.glob(pattern)
    }
    assert {"connectors/acme/jackfield_acme", "connectors/acme/tests"} <= typed
    paths = [
        Path(path).relative_to(with_one_more).as_posix()
        for path in said("tests/runner/connector_paths.py")[0].split(":")
    ]
    assert paths == ["connectors/acme/tests", "connectors/acme"]
    tests = ["connectors/acme/tests/test_acme.py"]
    assert said(".ci/tiers.py", "acme") == said(".ci/tiers.py", "3") == tests
    said("-m", "ruff", "check", "--no-cache", "connectors")


def test_pages_of_a_new_connector_are_in_the_navigation() -> None:
    """The site leads to the pages that are made for a connector, which the file of the navigation
    does not name.
    """
    titles = (("acme", "Acme"), ("acme-actions-rows", "Acme: rows"), ("known", "Known"))
    services: list[Any] = [{"Known": "reference/connectors/known.md"}]
    nav = [{"Connectors": [{"Services and databases": services}]}]
    on_config = runpy.run_path(str(ROOT / ".ci" / "site.py"))["on_config"]
    made = {
        f"reference/connectors/{name}.md": f"<!-- Made -->\n\n# {title}\n" for name, title in titles
    }
    on_config.__globals__["_connector_pages"] = lambda: made
    on_config({"nav": nav})
    pages = [
        {"Acme": "reference/connectors/acme.md"},
        {"Acme: rows": "reference/connectors/acme-actions-rows.md"},
    ]
    assert services[1:] == [{"Acme": pages}]
