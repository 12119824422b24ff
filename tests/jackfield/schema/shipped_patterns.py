"""Regular expressions in the shipped code and manifests, each with how it is used, and texts that make a backtracking engine work hard."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import jackfield
import jackfield_aws
import jackfield_aws_ses
import jackfield_celery
import jackfield_console
import jackfield_dapr
import jackfield_formats
import jackfield_http
import jackfield_isolation
import jackfield_market
import jackfield_mcp_server
import jackfield_openapi
import jackfield_platform
import jackfield_server
import jackfield_store
import jackfield_vault

_PACKAGES = (
    jackfield, jackfield_aws, jackfield_aws_ses, jackfield_celery, jackfield_console, jackfield_dapr, jackfield_formats, jackfield_http,
    jackfield_isolation, jackfield_market, jackfield_mcp_server, jackfield_openapi, jackfield_platform, jackfield_server, jackfield_store,
    jackfield_vault,
)  # fmt: skip
_SCANNING = frozenset({"search", "finditer", "findall", "sub", "subn", "split"})
_USES = re.compile(rf"\bre\.|\.(?:{'|'.join(sorted(_SCANNING - {'split'}))})\b|\b[A-Z_]+\.split\b")
_MOST_ATOMS = 6


@dataclass(frozen=True, slots=True)
class Shipped:
    """A compiled expression, its place, and True where it is searched for (tried at every position) instead of matched at one."""

    where: str
    pattern: re.Pattern[Any]
    scanning: bool


def shipped_patterns() -> list[Shipped]:
    """List every expression that a module compiles, writes inline, or that a connector's manifest holds."""
    found: dict[tuple[object, int, bool], Shipped] = {}
    for module in _modules():
        text = Path(str(module.__file__)).read_text("utf-8")
        source = ast.parse(text if _USES.search(text) else "")  # most modules use none, and parsing all of them takes seconds
        for shipped in (*_compiled(module, _scanned(source)), *_inline(module, source)):
            found.setdefault((shipped.pattern.pattern, shipped.pattern.flags, shipped.scanning), shipped)
    for package in _PACKAGES:
        for manifest in Path(str(package.__file__)).parent.rglob("connector.json"):
            for text in set(_in_schema(json.loads(manifest.read_text("utf-8")))):
                found.setdefault((text, 0, True), Shipped(f"{manifest.parent.name}/connector.json", re.compile(text), scanning=True))
    return list(found.values())


def hard_texts(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    """Make texts of about ``size`` characters: one or two characters that the expression knows, repeated, then one that nothing expects."""
    atoms = list(dict.fromkeys(_atoms(re._parser.parse(pattern.pattern, pattern.flags))))[:_MOST_ATOMS]  # type: ignore[attr-defined]
    for first, second in product(atoms, repeat=2):
        pump = chr(first) if first == second else chr(first) + chr(second)
        text = chr(first) + pump * (size // len(pump)) + "\x00"
        yield text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text


def _modules() -> Iterator[ModuleType]:
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def _compiled(module: ModuleType, scanned: set[str]) -> Iterator[Shipped]:
    for name, value in vars(module).items():
        for pattern in _patterns_in(value):
            yield Shipped(f"{module.__name__}.{name}", pattern, name in scanned)


def _patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | frozenset):
        for item in value:
            yield from _patterns_in(item)
    elif isinstance(value, dict):
        yield from _patterns_in(list(value.values()))


def _scanned(source: ast.Module) -> set[str]:
    """Return the names whose expression is searched for."""
    calls = (node for node in ast.walk(source) if isinstance(node, ast.Attribute) and node.attr in _SCANNING)
    return {node.value.id for node in calls if isinstance(node.value, ast.Name)}


def _inline(module: ModuleType, source: ast.Module) -> Iterator[Shipped]:
    for node in ast.walk(source):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
            continue
        text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if node.func.value.id == "re" and isinstance(text, str | bytes) and node.func.attr != "compile":
            yield Shipped(f"{module.__name__}:{node.lineno}", re.compile(text, re.DOTALL), node.func.attr in _SCANNING)


def _in_schema(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "pattern" and isinstance(part, str):
                yield part
            yield from _in_schema(part)
    elif isinstance(value, list):
        for part in value:
            yield from _in_schema(part)


def _atoms(parsed: Any) -> Iterator[int]:
    """Yield a character for each literal and for each class of the expression."""
    for item in parsed:
        operation, argument = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        name = str(operation)
        if name in {"LITERAL", "NOT_LITERAL"}:
            yield argument if name == "LITERAL" else (argument + 1)
        elif name == "RANGE":
            yield argument[0]
        elif name == "ANY":
            yield ord("a")
        elif name == "CATEGORY":
            yield ord(" ") if "SPACE" in str(argument) else ord("0") if "DIGIT" in str(argument) else ord("w")
        elif name == "NEGATE":
            yield from (ord("a"), ord(" "))
        elif isinstance(argument, tuple | list) or hasattr(argument, "data"):
            yield from _atoms([part for part in argument if not isinstance(part, int)])
