"""Our modules, parsed once in a process: those of ``tests/house`` run in one (``forked``)."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Name: (),
    ast.Constant: (),
    ast.alias: (),
    ast.Attribute: ("value",),
}
"""Fields with nodes, of the most frequent nodes."""


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module but the marks of how names are used; ``ast.walk`` takes three times as
    long.
    """
    found: list[ast.AST] = [tree(path)]
    for node in found:
        for name in _FIELDS.get(type(node), node._fields):
            value = getattr(node, name, None)
            if type(value) is list:
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return tuple(found)
