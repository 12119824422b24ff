"""Floors of each distribution: its packages and modules by the longest way down, and whether any
know each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house.parsed import nodes

RUNTIME = Path(__file__).parents[2] / "runtime"
ROOTS = {
    "jackfield": RUNTIME / "jackfield",
    **{path.name: path for path in sorted(RUNTIME.glob("jackfield_*/jackfield_*"))},
}
MOST = 10
ENTRIES = {"__main__", "__init__"}
"""Modules that run or export the others, and belong to no floor."""


def rooms(root: Path) -> dict[str, set[str]]:
    """The packages and modules directly in a distribution, with those that each imports, also for
    types or in a function.
    """
    places = {
        path.stem
        for path in root.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - ENTRIES
    found: dict[str, set[str]] = {place: set() for place in places}
    for path in root.rglob("*.py"):
        place = path.relative_to(root).parts[0].removesuffix(".py")
        if place in found:
            found[place] |= (set(imported(path, root.name)) & places) - {place}
    return found


def imported(path: Path, package: str) -> Iterator[str]:
    """The packages and modules directly in ``package`` that a module imports."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            yield (node.module or "").split(".")[1]


def floors(graph: dict[str, set[str]]) -> tuple[list[set[str]], set[str]]:
    """The floors from below, and what is on none, since it leads to itself."""
    left, found = dict(graph), list[set[str]]()
    while floor := {place for place, known in left.items() if not known & left.keys()}:
        found.append(floor)
        left = {place: known for place, known in left.items() if place not in floor}
    return found, set(left)


@pytest.mark.parametrize("name", ROOTS)
def test_a_distribution_has_few_floors_and_no_circle(name: str) -> None:
    """At most ten floors, imports for types and within functions included, and no two packages that
    know each other.
    """
    found, circles = floors(rooms(ROOTS[name]))
    assert circles == set()
    assert len(found) <= MOST, found


def test_a_circle_and_a_tower_would_be_seen() -> None:
    """Packages that lead to themselves are on no floor; each step of a way down is a floor."""
    assert floors({"a": {"b"}, "b": {"c"}, "c": set()}) == ([{"c"}, {"b"}, {"a"}], set())
    assert floors({"a": {"b"}, "b": {"a"}, "c": set()}) == ([{"c"}], {"a", "b"})
