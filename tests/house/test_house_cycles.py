"""No module imports itself over others: not when it is imported, not in a function, not through the
names of a package.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.house.parsed import tree

RUNTIME = Path(__file__).parents[2] / "runtime"


@cache
def modules() -> dict[str, ast.Module]:
    """Each module of the distributions in ``runtime``, by its dotted name."""
    found = {}
    for base, package in (
        (RUNTIME, "jackfield"),
        *((path.parent, path.name) for path in sorted(RUNTIME.glob("jackfield_*/jackfield_*"))),
    ):
        for path in sorted((base / package).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = tree(path)
    return found


@cache
def imports(tree: ast.AST) -> tuple[tuple[ast.ImportFrom, bool], ...]:
    """Each ``from … import`` of a module, wherever it stands, and whether it is for type checkers
    only.
    """
    return tuple(_imports(tree))


def _imports(tree: ast.AST, *, typing: bool = False) -> Iterator[tuple[ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom):
            yield node, typing
        elif (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            yield from _imports(ast.Module(node.body, []), typing=True)
        elif not isinstance(node, ast.expr):  # no import is in an expression
            yield from _imports(node, typing=typing)


class Graph:
    """Which module imports which. A name that a package exports counts as the module that defines
    it.
    """

    def __init__(self, trees: dict[str, ast.Module], packages: set[str]) -> None:
        self._trees = trees
        self._exports = {
            package: {
                alias.asname or alias.name: (node.module or "", alias.name)
                for node, _ in imports(trees[package])
                for alias in node.names
            }
            for package in packages
        }
        self.edges = {name: set(self._imported(name)) for name in trees if name not in packages}

    def _imported(self, name: str) -> Iterator[str]:
        for node, typing in imports(self._trees[name]):
            for alias in node.names:
                target = self._defining(node.module or "", alias.name)
                same_package = name.rpartition(".")[0] == target.rpartition(".")[0]
                if target in self._trees and not (typing and same_package):
                    yield target

    def _defining(self, module: str, name: str) -> str:
        if f"{module}.{name}" in self._trees:
            return f"{module}.{name}"
        origin = self._exports.get(module, {}).get(name)
        return module if origin is None else self._defining(*origin)

    def cycles(self) -> list[list[str]]:
        """A cycle for each module that reaches itself, as the modules on the way."""
        found = []
        for start in self.edges:
            ways, seen = [[start]], set[str]()
            while ways:
                way = ways.pop()
                for target in self.edges.get(way[-1], ()):
                    if target == start:
                        found.append([*way, start])
                        ways = []
                        break
                    if target not in seen:
                        seen.add(target)
                        ways.append([*way, target])
        return found


@cache
def ours() -> Graph:
    """The graph of our modules."""
    trees = modules()
    return Graph(trees, {name.rpartition(".")[0] for name in trees} & trees.keys())


def test_no_module_imports_itself_over_others() -> None:
    """Neither at import time, nor lazily, nor by a name of a package; type-only imports inside one
    package may.
    """
    graph = ours()
    assert len(graph.edges) > 250
    assert graph.cycles() == []


def test_a_cycle_would_be_seen() -> None:
    """A lazy import, and one through the name that a package exports, close a cycle."""
    trees = {
        "a": ast.parse("from a.one import One"),
        "a.one": ast.parse("from b import Two"),
        "b": ast.parse("if TYPE_CHECKING:\n from b.two import Two"),
        "b.two": ast.parse("def f():\n from a import One"),
    }
    assert sorted(Graph(trees, {"a", "b"}).cycles()) == [
        ["a.one", "b.two", "a.one"],
        ["b.two", "a.one", "b.two"],
    ]


def test_most_modules_serve_several_others() -> None:
    """At most a third of the modules have a single reader: what serves one module stands in it,
    unless it is a subject of its own.
    """
    edges = ours().edges
    readers = Counter(target for targets in edges.values() for target in targets)
    single = [name for name in edges if readers[name] == 1]
    assert len(single) <= len(edges) / 3
