"""Comparison of a wheel's manifest with its source text, before any of it runs.

It finds manifests that understate what decorated actions declare. What it cannot see, such as actions built by a function, is compared
when the connector is loaded: ``jackfield.catalog`` refuses code that differs from its manifest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from jackfield.market.refusals import NotInstalled
from jackfield.market.wheels import Wheel

_DIFFERS = "Do not install it. Report it to its publisher: 'jackfield pack' refuses such a manifest."


@dataclass(slots=True)
class _Declared:
    """Declarations of the source text: effects by action, None if not literal; and all strings in it."""

    effects: dict[str, str | None] = field(default_factory=dict)
    is_complete: bool = True
    strings: set[str] = field(default_factory=set)


def check_source(wheel: Wheel) -> None:
    """Check that the entry point's module is in the wheel, and that decorated actions agree with the manifest.

    :raises NotInstalled: with the first difference.
    """
    module = next(iter(wheel.entry_points["jackfield.connectors"].values())).partition(":")[0].strip().replace(".", "/")
    if not {f"{module}.py", f"{module}/__init__.py"} & wheel.files.keys():
        raise NotInstalled("code", f"'{wheel.file}' has no module for its entry point '{module.replace('/', '.')}'", _DIFFERS)
    declared = _Declared()
    for path, content in wheel.files.items():
        if path.endswith(".py"):
            _collect(_parsed(wheel, path, content), declared)
    for action in wheel.manifest.actions.values():
        effect = declared.effects.get(action.key)
        if effect is not None and effect != action.effect:
            message = f"the manifest of '{wheel.file}' gives '{action.key}' the effect {action.effect}, its code {effect}"
            raise NotInstalled("code", message, _DIFFERS)
        if declared.effects and declared.is_complete and action.key not in declared.strings:
            raise NotInstalled(
                "code", f"the manifest of '{wheel.file}' describes '{action.key}', which its code does not declare", _DIFFERS
            )


def _parsed(wheel: Wheel, path: str, content: bytes) -> ast.Module:
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotInstalled("code", f"'{path}' of '{wheel.file}' is not Python of this version: {error}", _DIFFERS) from None


def _collect(tree: ast.Module, declared: _Declared) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            declared.strings.add(node.value)
        for call in _action_calls(node):
            key = call.args[0] if call.args else None
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                declared.effects[key.value] = _effect(call)
            else:
                declared.is_complete = False


def _action_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the decorators of a function that look like ``@connector.action("key", …)``."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and decorator.func.attr == "action":
                yield decorator


def _effect(call: ast.Call) -> str | None:
    value = next((keyword.value for keyword in call.keywords if keyword.arg in {"effect", None}), ast.Constant("write"))
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
