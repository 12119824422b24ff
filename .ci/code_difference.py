"""Comparison of two versions of a module, and the modules that import a module."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_QUIET = frozenset(
    {
        "abstractmethod",
        "asynccontextmanager",
        "cache",
        "cached_property",
        "classmethod",
        "contextmanager",
        "fixture",
        "lru_cache",
        "overload",
        "override",
        "property",
        "setter",
        "staticmethod",
        "wraps",
    }
)
"""Decorators that register a function nowhere."""


@dataclass
class Definitions:
    """Code of a module: functions by their names, and what stands outside of them."""

    functions: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    """Names, classes, decorated functions and imports, by a word for the kind and a name."""
    statements: Counter[str] = field(default_factory=Counter)
    """Statements that define no name."""

    @classmethod
    def of(cls, text: str) -> Definitions:
        """Read a module. Its docstring and comments are no code."""
        found = cls()
        found._add(ast.parse(text).body)
        return found

    def _add(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._add_function(node, "")
            elif isinstance(node, ast.ClassDef):
                self._add_class(node, "")
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                source = ast.dump(ast.ImportFrom(getattr(node, "module", None), [], 0))
                for alias in node.names:
                    self.others[f"import {alias.asname or alias.name}"] = source + alias.name
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                parts = [*_parts(node)]
                self._add(part for part in parts if isinstance(part, ast.stmt))
                self.statements.update(_text(one) for one in parts if isinstance(one, ast.expr))
            elif names := [*_assigned(node)]:
                for name in names:
                    self.others[f"name {name}"] = self.others.get(f"name {name}", "") + _text(node)
            elif not _is_text(node):
                self.statements[_text(node)] += 1

    def _add_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: str) -> None:
        name = f"{scope}{node.name}"
        # a property has several functions of one name
        self.functions[name] = self.functions.get(name, "") + _text(node)
        if node.decorator_list:
            shown = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
            if not {_decorator(one) for one in node.decorator_list} <= _QUIET:
                self.others[f"decorated {name}"] = "".join(map(_text, shown))

    def _add_class(self, node: ast.ClassDef, scope: str) -> None:
        name = f"{scope}{node.name}"
        level: list[ast.AST] = [*node.decorator_list, *node.bases, *node.keywords]
        for part in node.body:
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._add_function(part, f"{name}.")
            elif isinstance(part, ast.ClassDef):
                self._add_class(part, f"{name}.")
            elif node.bases or not _is_text(part):  # a model shows its docstrings
                level.append(part)
        self.others[f"class {name}"] = "".join(map(_text, level))


def _text(node: ast.AST) -> str:
    return ast.dump(node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a compound statement, also those below ``except``."""
    for part in ast.iter_child_nodes(node):
        yield from _parts(part) if isinstance(part, ast.ExceptHandler) else (part,)


def _assigned(node: ast.stmt) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _decorator(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@dataclass(frozen=True)
class Difference:
    """Changed functions of a module, and whether anything outside of functions changed that other
    code may have used before.
    """

    functions: frozenset[str]
    is_wide: bool

    @classmethod
    def between(cls, before: str, after: str) -> Difference:
        """Compare two texts of a module."""
        old, new = Definitions.of(before), Definitions.of(after)
        changed = {name for name, text in old.functions.items() if new.functions.get(name) != text}
        for name in new.functions.keys() - old.functions.keys():
            # it may take the place of one that the class inherits
            scope, dot, _ = name.rpartition(".")
            changed |= {one for one in old.functions if dot and one.startswith(f"{scope}.")}
        return cls(frozenset(changed), old.statements != new.statements or _differ(old, new))


def _differ(old: Definitions, new: Definitions) -> bool:
    """Tell whether a name means something else now, or a function was registered. Code that used
    an import which is gone has changed itself.
    """
    for name in old.others.keys() | new.others.keys():
        before, after = old.others.get(name), new.others.get(name)
        if before is None:
            if name.startswith("decorated "):
                return True
        elif after is None:
            if not name.startswith("import "):
                return True
        elif before != after and name != "name __all__":
            return True
    return False


def importers(path: str) -> set[str]:
    """Return the modules that import a module, also through a package that imports it."""
    found = {other for other in _mentioning(_stem(path)) if _imports(other, path)}
    for package in [one for one in found if one.endswith("/__init__.py")]:
        found |= {other for other in _mentioning(_stem(package)) if _imports(other, package)}
    return found - {path}


def _stem(path: str) -> str:
    return _parts_of(path)[-1]


def _parts_of(path: str) -> tuple[str, ...]:
    return tuple(path.removesuffix(".py").removesuffix("/__init__").split("/"))


@cache
def _sources() -> dict[str, str]:
    return {
        path: (ROOT / path).read_text(encoding="utf-8", errors="replace")
        for path in listed("*.py")
        if (ROOT / path).is_file()
    }


@cache
def _mentioning(word: str) -> list[str]:
    return [path for path, text in _sources().items() if word in text]


def _imports(other: str, path: str) -> bool:
    parts = _parts_of(path)
    depth = next(
        number
        for number in range(1, len(parts) + 1)
        if not (ROOT / "/".join(parts[:-number]) / "__init__.py").exists()
    )
    return any(len(name) >= depth and parts[-len(name) :] == name for name in _imported_by(other))


@cache
def _imported_by(path: str) -> set[tuple[str, ...]]:
    """Return the names that a module imports, in parts: modules, and what may be modules."""
    found: set[tuple[str, ...]] = set()
    try:
        tree = ast.parse(_sources()[path])
    except SyntaxError:
        return found
    folder = tuple(path.split("/")[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = folder[: len(folder) - node.level + 1] if node.level else ()
            module = (*start, *(node.module.split(".") if node.module else ()))
            found |= {module, *((*module, alias.name) for alias in node.names)}
    return found


def listed(*patterns: str) -> list[str]:
    """Return the files of the working tree that a commit could have."""
    return git("ls-files", "-z", "-c", "-o", "--exclude-standard", *patterns).split("\0")[:-1]


def git(*words: str) -> str:
    """Return what git prints."""
    command = ["git", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
