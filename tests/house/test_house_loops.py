"""Loops over many workspaces read settings by one guarded function, so that a damaged row stops no
other workspace.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house.test_house_ways import MODULES

GUARD = "settings_of"
_READERS = re.compile(
    r"(.*\.)?_?(settings|read_settings|limits|limits_of|free_by_limits)|.*limits\.(of|most|free)"
)
"""Functions that read a workspace's settings, as they are called."""
_LOOP = re.compile(r"BlockedWorkspaces|\.blocked\b|DueRows|DueLoop|\bFairOrder\b")
"""What a module names that works on rows of many workspaces."""
_ELSEWHERE = {
    "jackfield_store/resources/storage.py",
    "jackfield_store/runtime/runtime_pool.py",
}
"""Modules that hand the guard, or a reader, to loops, and loop over nothing themselves."""


def _unguarded(tree: ast.AST) -> Iterator[str]:
    """Yield the calls of readers that are not within an argument of the guard."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.endswith(f".{GUARD}"):
                continue
            if _READERS.fullmatch(name):
                yield f"{name} in line {node.lineno}"
        yield from _unguarded(node)


def _is_reader(node: ast.AST) -> bool:
    """Return whether a function only names a reader, for the guard to call."""
    return isinstance(node, ast.FunctionDef) and _READERS.fullmatch(node.name) is not None


def _found(text: str) -> list[str]:
    tree = ast.parse(text)
    for parent in ast.walk(tree):
        if isinstance(parent, ast.ClassDef):
            parent.body = [node for node in parent.body if not _is_reader(node)] or [ast.Pass()]
    return list(_unguarded(tree))


def test_settings_in_loops_are_read_by_the_guard() -> None:
    """No loop calls what reads settings but by ``settings_of``, which leaves out a workspace whose
    settings are damaged.
    """
    loops = {
        name: path
        for name, path in MODULES.items()
        if name not in _ELSEWHERE and _LOOP.search(_code(path))
    }
    assert {
        "jackfield_store/journal/queue.py",
        "jackfield_store/journal/fair_order.py",
        "jackfield_celery/outbox.py",
    } <= loops.keys()
    assert {
        name: found
        for name, path in loops.items()
        if (found := _found(path.read_text(encoding="utf-8")))
    } == {}


def _code(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("rooms = {name: self._free_by_limits(name, 0, most) for name in workspaces}", 1),
        ("for name in names:\n    limits = self._limits(name)", 1),
        ("x = Workspaces(database, vault, clock).settings(name).retention", 1),
        (
            (
                "rooms = self._blocked.settings_of(names, lambda name: "
                "self._free_by_limits(name, 0, most))"
            ),
            0,
        ),
        (
            (
                "class A:\n    def _limits_of(self, name):\n        return "
                "self._budgets.limits(name)\nx = a.settings_of(names, limits_of)"
            ),
            0,
        ),
    ],
)
def test_the_rule_finds_them(text: str, count: int) -> None:
    """It knows a read in a loop, as it was once, from one by the guard."""
    assert len(_found(text)) == count
