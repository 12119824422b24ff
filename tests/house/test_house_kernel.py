"""Counts of what makes a call hard to follow: they may fall, and rise for no reason. The call
kernel is to bring most of them to zero.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.house.parsed import nodes, tree
from tests.house.test_house_floors import ROOTS, RUNTIME, floors

from jackfield.call.call_records import Checked, Found
from jackfield.call.how import How
from jackfield.call.reached import Asked, Ended, Given, Reached
from jackfield.kernel.packages import DECLARED, IMPORTED

CALL = RUNTIME / "jackfield" / "call"
PAGE = CALL / "invoke.py"
FEATURES = "approv|doubt|evidence|expect|guard|job|limit|polic|queue|suppression|twin"
"""Beginnings of words that name a feature: a stage of a call that has one knows the feature."""
MOST = {"if": 25, "features": 170}
"""Of the page: the word ``if``. Of the pipe: names that begin with a feature."""
FLOORS = {"jackfield": 29, "jackfield_store": 22}
TOWER = 12
"""Floors of the modules of the pipe."""
GENERATED = RUNTIME / "jackfield" / "kernel" / "packages.py"
"""The one module of the framework that names what stands above it."""
ABOVE = 4
"""Names in the framework's texts of what stands above it: an uninstaller's command, a variable, two
docstrings of the pipe.
"""


def modules(root: Path, name: str) -> dict[str, Path]:
    """The modules of a package, by their whole names."""
    paths = {
        ".".join((name, *path.relative_to(root).with_suffix("").parts)): path
        for path in root.rglob("*.py")
    }
    return {module.removesuffix(".__init__"): path for module, path in paths.items()}


def known(path: Path, of: Mapping[str, Path]) -> Iterator[str]:
    """The modules of ``of`` that a module imports: at the top, in functions, and for types
    alone.
    """
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in of else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def graph(root: Path, name: str) -> dict[str, set[str]]:
    """Each module of a package, with those of the package that it imports."""
    found = modules(root, name)
    return {
        module: ({*known(path, found)} & found.keys()) - {module} for module, path in found.items()
    }


def named(path: Path) -> Iterator[str]:
    """All names of a module: what it defines, takes, reads and writes."""
    for node in nodes(path):
        for member in ("id", "attr", "arg", "name"):
            if isinstance(value := getattr(node, member, None), str):
                yield value


def above() -> re.Pattern[str]:
    """A package, an extra or a command of what stands above the framework, a request, or a
    surface's name.
    """
    packages = "|".join(name.replace("_", "[-_]") for name in IMPORTED)
    extras = "|".join(
        {extra for points in DECLARED.values() for _, extra in points.values() if extra}
    )
    commands = "|".join(name.replace(".", " ") for name in DECLARED["jackfield.commands"])
    requests = r"\b(?:GET|POST|PUT|PATCH|DELETE) /|/v1/(?!data\b)|/openapi\.json"
    surfaces = r"(?i:(?<![a-z])mcp(?![a-z]))|HTTP API|\bthe (?:web )?console\b"
    named = (
        rf"(?<![\w-])(?:{packages})(?![\w-])|jackfield\[(?:{extras})\]|\bjackfield "
        rf"(?:{commands})(?![\w-])"
    )
    return re.compile(f"{named}|{requests}|{surfaces}")


def test_the_framework_names_nothing_that_stands_above_it() -> None:
    """Words belong to the distribution that shows them: outside of one generated module, no text of
    the framework names a package, command, request or surface of those above, and none is imported,
    also within functions.
    """
    pattern, found, imports = above(), list[str](), list[str]()
    for path in sorted((RUNTIME / "jackfield").rglob("*.py")):
        for node in nodes(path) if path != GENERATED else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [f"{path.name}: {name}" for name in pattern.findall(node.value)]
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
                imports += [
                    f"{path.name}: {name}" for name in names if name.partition(".")[0] in IMPORTED
                ]
    assert imports == []
    assert len(found) <= ABOVE, found


@pytest.mark.parametrize("name", FLOORS)
def test_a_distribution_has_no_more_floors_of_modules(name: str) -> None:
    """Whoever reads a module at the top has at most so many below it, imports for types and within
    functions included.
    """
    found, _ = floors(graph(ROOTS[name], name))
    assert len(found) <= FLOORS[name]


def test_the_pipe_is_no_higher_tower() -> None:
    """The modules of the pipe stand on at most so many floors."""
    found, _ = floors(graph(CALL, "jackfield.call"))
    assert len(found) <= TOWER


def test_the_page_of_a_call_decides_no_more() -> None:
    """The page has at most so many times ``if``."""
    assert len(re.findall(r"\bif\b", PAGE.read_text(encoding="utf-8"))) <= MOST["if"]


def test_no_more_places_make_the_record_of_a_call() -> None:
    """How far a call has come is noted by the kernel, where a call enters; beside it, work that is
    no call has a row.
    """
    paths = [path for root in ROOTS.values() for path in root.rglob("*.py")]
    made = [
        path
        for path in paths
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and _is_reached(node.func)
    ]
    assert sorted(made) == [
        PAGE,
        CALL / "pipe.py",
        ROOTS["jackfield_store"] / "recording" / "rows.py",
    ]


def _is_reached(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "Reached"


RECORDS = {How: 15, Given: 6, Asked: 6, Found: 6, Checked: 6, Reached: 6, Ended: 6}
"""Members of each record of a call, at most."""


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_of_a_call_has_few_members(record: type) -> None:
    """A stage that needs one more thing of another stage makes a record of its own, and no bag
    grows. The records are plain classes.
    """
    assert len(record.__slots__) <= RECORDS[record]  # type: ignore[attr-defined]  # each has some


def test_the_pipe_names_no_more_features() -> None:
    """The stages of a call have at most so many names of features."""
    feature = re.compile(rf"(?:^|_)(?:{FEATURES})", re.IGNORECASE)
    found = [name for path in CALL.rglob("*.py") for name in named(path) if feature.search(name)]
    assert len(found) <= MOST["features"]
