"""Regular expressions of the shipped code: where each is compiled, and how it is used."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.house.parsed import tree
from tests.house.test_house_ways import MODULES

_ANYWHERE = frozenset({"search", "findall", "finditer", "split", "sub", "subn"})
_USES = _ANYWHERE | {"match", "fullmatch"}
_USE = re.compile(rf"\b(\w+)\.({'|'.join(sorted(_USES))})\b")
_IMPORT = re.compile(r"^ *import re\b", re.MULTILINE)
_FLAGS_AT = {"compile": 1, "sub": 4, "subn": 4, "split": 3}


@dataclass(frozen=True)
class Found:
    """A regular expression: its place, and the methods of ``Steps`` by which the code uses it."""

    place: str
    pattern: re.Pattern[Any] = field(repr=False)
    methods: tuple[str, ...] = field(repr=False)


@cache
def found_patterns() -> tuple[list[Found], list[str]]:
    """Return the patterns that depend on no value of a function, and the places of the others.

    A place is a module and the name that the pattern gets, or the function that compiles it.
    """
    texts = {module: path.read_text("utf-8") for module, path in MODULES.items()}
    uses = {module: _uses(text) for module, text in texts.items()}
    patterns, dynamic = list[Found](), list[str]()
    for module in (module for module, text in texts.items() if _IMPORT.search(text)):
        found = tree(MODULES[module])
        for call, name in _compiled(found):
            held = _patterns(module, found, name, call)
            if not held:
                dynamic.append(f"{module}:{name}")
            method = _attribute(call)
            seen = {method}
            if method == "compile":
                own = [module] if name[:1] == "_" else texts
                seen = set().union(*(uses[one].get(name, ()) for one in own))
            patterns += [Found(f"{module}:{name}", one, _methods(seen)) for one in held]
    return patterns, dynamic


def _uses(text: str) -> dict[str, set[str]]:
    """Return the methods that are read of each name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, method in _USE.findall(text):
        found[name].add(method)
    return found


def _methods(uses: set[str]) -> tuple[str, ...]:
    """Return the methods of ``Steps``; all of them, if nothing says how a pattern is used."""
    uses = uses or {*_USES}
    everywhere = ("search_all",) if uses & _ANYWHERE else ()
    return (*everywhere, *sorted(uses & {"match", "fullmatch"}))


def _compiled(module: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Yield each call of a function of ``re`` that compiles, with the name of what it is for."""
    waiting: list[tuple[ast.AST, str]] = [(module, "")]
    while waiting:
        node, name = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not name:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            name = getattr(names[0], "id", "")
        if isinstance(node, ast.Call) and _attribute(node) in {*_USES, "compile"}:
            of = node.func.value if isinstance(node.func, ast.Attribute) else None
            if isinstance(of, ast.Name) and of.id == "re":
                yield node, name
        waiting += [(child, name) for child in ast.iter_child_nodes(node)]


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


class _Names(dict[str, Any]):
    """Names that a module assigns, evaluated when they are read; it is not imported for that, since
    there are 1,300 modules.
    """

    def __init__(self, module: ast.Module) -> None:
        super().__init__(re=re)
        self._nodes = {
            target.id: node.value
            for node in module.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def __missing__(self, name: str) -> Any:
        if name not in self._nodes:
            raise KeyError(name)
        self[name] = _value(self._nodes[name], self)
        return self[name]


def _patterns(module: str, parsed: ast.Module, name: str, call: ast.Call) -> list[re.Pattern[Any]]:
    """Return the pattern that a call compiles, or those that a name of the module holds; none if
    only a function knows it.
    """
    place = _FLAGS_AT.get(_attribute(call), 2)
    flags = [one.value for one in call.keywords if one.arg == "flags"] + call.args[place:]
    known: dict[str, Any] = _Names(parsed)
    for is_imported in (False, True):
        if is_imported:
            name_of_module = module.removesuffix(".py").removesuffix("/__init__")
            known = {**vars(importlib.import_module(name_of_module.replace("/", "."))), "re": re}
        try:
            text, *numbers = (_value(one, known) for one in (call.args[0], *flags))
        except NameError:
            continue
        if isinstance(text, re.Pattern):
            return [text]
        return [re.compile(text, *numbers)] if isinstance(text, str | bytes) else []
    return list(_held(known.get(name)))


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """Evaluate an expression of our source."""
    return eval(compile(ast.Expression(node), "source", "eval"), {}, known)


def _held(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict | tuple | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _held(one)
