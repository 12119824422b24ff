"""Comparison of a wheel's manifest with its source text, before any of its code runs.

It finds manifests that understate the declarations of decorated actions. Other actions, such as
those built by a function, are compared when the connector is loaded: ``jackfield.catalog`` refuses
code that differs from its manifest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.catalog.loading import bound
from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.reading import MANIFEST
from jackfield_market.refusals import NotInstalled
from jackfield_market.wheels import Wheel

_DIFFERS = (
    "Do not install it. Report it to its publisher: 'jackfield pack' refuses such a manifest."
)


@dataclass(slots=True)
class _Declared:
    """Declarations in the source text: effects and permissions by action (None if not literal), and
    the strings that are keys of actions.
    """

    effects: dict[str, str | None] = field(default_factory=dict)
    permissions: dict[str, Any] = field(default_factory=dict)
    is_complete: bool = True
    strings: set[str] = field(default_factory=set)


def _is_data(wheel: Wheel, package: str) -> bool:
    return f"{package}/{MANIFEST}" in wheel.files and not any(
        path.endswith((".py", ".so", ".pyd")) for path in wheel.files
    )


def check_source(wheel: Wheel) -> None:
    """Check that the entry point's module is in the wheel, and that decorated actions agree with
    the manifest.

    A connector without code has its manifest in place of a module.

    :raises NotInstalled: if they differ; the error names the first difference.
    """
    module = (
        next(iter(wheel.entry_points["jackfield.connectors"].values()))
        .partition(":")[0]
        .strip()
        .replace(".", "/")
    )
    if not {f"{module}.py", f"{module}/__init__.py"} & wheel.files.keys() and not _is_data(
        wheel, module
    ):
        raise NotInstalled(
            "code",
            f"'{wheel.file}' has no module for its entry point '{module.replace('/', '.')}'",
            _DIFFERS,
        )
    if _is_data(wheel, module):
        _check_binding(wheel)
    declared, keys = _Declared(), wheel.manifest.actions.keys()
    for path, content in wheel.files.items():
        if path.endswith(".py"):
            _collect(_parsed(wheel, path, content), declared)
            declared.strings &= keys  # all others are text without an end
    for action in wheel.manifest.actions.values():
        if declared.permissions.get(action.key) not in (None, _sorted(action.permissions)):
            message = (
                f"the manifest of '{wheel.file}' gives '{action.key}' other permissions than "
                "its code"
            )
            raise NotInstalled("code", message, _DIFFERS)
        effect = declared.effects.get(action.key)
        if effect is not None and effect != action.effect:
            message = (
                f"the manifest of '{wheel.file}' gives '{action.key}' the effect "
                f"{action.effect}, its code {effect}"
            )
            raise NotInstalled("code", message, _DIFFERS)
        if declared.effects and declared.is_complete and action.key not in declared.strings:
            raise NotInstalled(
                "code",
                f"the manifest of '{wheel.file}' describes '{action.key}', which its code does "
                "not declare",
                _DIFFERS,
            )


def _check_binding(wheel: Wheel) -> None:
    """Check the manifest of a connector without code by binding its actions, if the package that
    binds them is installed.
    """
    attribute = (
        next(iter(wheel.entry_points["jackfield.connectors"].values())).partition(":")[2].strip()
    )
    found = attempt(bound, attribute, wheel.manifest.raw)
    if isinstance(found, Raised) and not isinstance(found.error, ImportError):
        raise NotInstalled(
            "code", f"the manifest of '{wheel.file}' cannot be used: {found.error}", _DIFFERS
        )


def _parsed(wheel: Wheel, path: str, content: bytes) -> ast.Module:
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotInstalled(
            "code", f"'{path}' of '{wheel.file}' is not Python of this version: {error}", _DIFFERS
        ) from None


def _collect(tree: ast.Module, declared: _Declared) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            declared.strings.add(node.value)
        for call in _action_calls(node):
            key = call.args[0] if call.args else None
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                effect, permissions = (
                    _literal(call, "effect", "write"),
                    _literal(call, "permissions", {}),
                )
                declared.effects[key.value] = effect if isinstance(effect, str) else None
                declared.permissions[key.value] = (
                    _sorted(permissions) if isinstance(permissions, dict) else None
                )
            else:
                declared.is_complete = False


def _action_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the decorators of a function that look like ``@connector.action("key", …)``."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Attribute)
                and decorator.func.attr == "action"
            ):
                yield decorator


def _literal(call: ast.Call, name: str, default: object) -> object:
    """Return the value of a keyword argument, or ``default`` if it is missing; None if it is not
    literal, or may be among ``**arguments``.
    """
    for keyword in call.keywords:
        if keyword.arg in {name, None}:
            try:
                return ast.literal_eval(keyword.value) if keyword.arg else None
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                return None
    return default


def _sorted(permissions: Mapping[Any, Any]) -> dict[str, list[str]]:
    lists = {
        str(system): names
        for system, names in permissions.items()
        if isinstance(names, list | tuple | set)
    }
    return {system: sorted(map(str, names)) for system, names in lists.items() if names}
