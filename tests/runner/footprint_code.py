"""Run tests and write the map of ``make test-changed``: ``footprint_code.py [PATH...]``; without
paths, all tests.

Python 3.11 has no cheap way to tell which functions a test executes: a tracer in each of the
processes that tests start would triple their time. Compiled modules have one. They are made here
with one more statement at the start of each function, which sets a byte of a file that the process
shares with its children, and Python takes them as it takes its own. That adds a few percent.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _pytest.assertion.rewrite import PYC_TAIL

from footprint_start import FOLDER, ROOT, RUN, SIZE, VARIABLE, new_place

_COMPILED = f"{FOLDER}/pycache"
_START = str(Path(__file__).with_name("footprint_start.py"))
_FIRST = f"""
if "__hits__" not in __import__("builtins").__dict__:
    with open({_START!r}, encoding="utf-8") as __start__:
        exec(
            compile(__start__.read(), {_START!r}, "exec"),
            {{"__name__": "footprint_start", "__file__": {_START!r}}},
        )
"""
"""First statement of each module."""


class _Marking(ast.NodeTransformer):
    """Insert a statement at the start of each function. A function within a function counts as the
    outer one.
    """

    def __init__(self, path: str, names: list[str]) -> None:
        self._path, self._names = path, names
        self._scope: list[str] = []
        self._outer: ast.stmt | None = None

    def module(self, tree: ast.Module) -> ast.Module:
        """Mark a module, whose own statements have a name that ends with ``::``."""
        mark = self._mark("")
        self.generic_visit(tree)
        _insert(tree.body, [*ast.parse(_FIRST).body, mark])
        return tree

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._function(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self._function(node)
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer = self._outer
        self._outer = outer or self._mark(".".join([*self._scope, node.name]))
        self.generic_visit(node)
        if node.name != "__del__":  # it may run after all names are gone
            _insert(node.body, [self._outer])
        self._outer = outer

    def _mark(self, name: str) -> ast.stmt:
        self._names.append(f"{self._path}::{name}")
        return ast.parse(f"__hits__[{len(self._names) - 1}] = 1").body[0]


def _insert(body: list[ast.stmt], added: list[ast.stmt]) -> None:
    """Insert statements after a docstring and imports from ``__future__``, on the line of what
    follows.
    """
    place = 0
    while place < len(body) and _is_head(body[place], place):
        place += 1
    line = body[min(place, len(body) - 1)].lineno if body else 1
    for node in (node for statement in added for node in ast.walk(statement)):
        if isinstance(node, (ast.stmt, ast.expr)):
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    body[place:place] = added


def _is_head(statement: ast.stmt, place: int) -> bool:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return place == 0 and isinstance(statement.value.value, str)
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _compile_all() -> list[str]:
    """Compile all modules of ours but those that pytest compiles; return the names of their
    functions.
    """
    sys.pycache_prefix = _COMPILED
    names: list[str] = []
    for path in _modules():
        source = Path(ROOT, path).read_bytes()
        try:
            tree = ast.parse(source)
        except SyntaxError:  # a template, or an example of a fault
            continue
        code = compile(_Marking(path, names).module(tree), f"{ROOT}{path}", "exec")
        _write(Path(ROOT, path), source, marshal.dumps(code))
    if len(names) > SIZE:
        raise ValueError(f"{len(names)} functions: raise SIZE in footprint_start.py")
    return names


def _modules() -> Iterator[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in sorted(set(listed.split("\0")) - {""}):
        name = path.rpartition("/")[2]
        if not name.startswith("test_") and name != "conftest.py" and Path(ROOT, path).exists():
            yield path


def _write(path: Path, source: bytes, code: bytes) -> None:
    """Write a compiled module as Python does, which compares times; and as pytest does for modules
    whose assertions it rewrites, which compares hashes.
    """
    about = path.stat()
    stamp = (int(about.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")
    size = (about.st_size & 0xFFFFFFFF).to_bytes(4, "little")
    target = Path(importlib.util.cache_from_source(str(path)))
    target.parent.mkdir(parents=True, exist_ok=True)
    for name, facts in (
        (target.name, bytes(4) + stamp + size),
        (path.stem + PYC_TAIL, b"\3\0\0\0" + importlib.util.source_hash(source)),
    ):
        part = target.with_suffix(".part")
        part.write_bytes(importlib.util.MAGIC_NUMBER + facts + code)
        part.replace(target.with_name(name))


def _main(words: list[str]) -> int:
    # a child may write in memory where a test takes the file system from it
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="jackfield-footprints-", dir=memory) as folder:
        os.chmod(folder, 0o755)
        os.makedirs(FOLDER, exist_ok=True)
        Path(RUN).unlink(missing_ok=True)
        Path(RUN).symlink_to(folder)
        names = _compile_all()
        Path(RUN, "names.json").write_text(json.dumps(names), encoding="utf-8")
        # what plugins import and call before there is a test
        place = new_place("main")
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": _COMPILED, VARIABLE: place}
        command = [sys.executable, "-m", "pytest", "-p", "footprints", "-q", *words]
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        Path(RUN).unlink()
        return status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
