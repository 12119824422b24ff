"""Imports stand where a reader looks for them, and the layers that they may cross fit on a page."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from tests.house.parsed import nodes, tree

ROOT = Path(__file__).parents[2]
SHIPPED = [
    ROOT / "runtime" / "jackfield",
    *ROOT.glob("runtime/jackfield_*/jackfield_*"),
    *ROOT.glob("connectors/*/jackfield_*"),
]
INSIDE = 438
ROWS = 14


def outside(node: ast.AST) -> int:
    """How many imports of a module stand in no function."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
        return 0
    return isinstance(node, ast.Import | ast.ImportFrom) + sum(
        map(outside, ast.iter_child_nodes(node))
    )


def test_few_imports_are_inside_functions() -> None:
    """An import stands at the head of its module, unless the cold path, a cycle or an optional
    extra needs it in a function.
    """
    paths = [path for package in SHIPPED for path in package.rglob("*.py")]
    everywhere = sum(
        isinstance(node, ast.Import | ast.ImportFrom) for path in paths for node in nodes(path)
    )
    assert 0 < everywhere - sum(outside(tree(path)) for path in paths) <= INSIDE


def test_the_house_has_few_rows() -> None:
    """The layers of the runtime fit on one page, the ground floor included."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    rows = next(
        contract["layers"] for contract in contracts if contract["containers"] == ["jackfield"]
    )
    assert len(rows) <= ROWS


def test_m13_a_misspelt_import_is_a_mistake_to_type_checkers() -> None:
    """Packages that find their names on first use hide that from type checkers: a ``__getattr__``
    would make every name right.
    """
    lazy = [
        path
        for package in SHIPPED
        for path in package.rglob("__init__.py")
        if " = exports(" in path.read_text(encoding="utf-8")
    ]
    assert lazy
    for path in lazy:
        text = path.read_text(encoding="utf-8")
        assert re.search(
            r"^if not TYPE_CHECKING:.*\n    __getattr__, __dir__ = exports\(", text, re.MULTILINE
        ), path
