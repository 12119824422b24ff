"""Pages of documentation as programs: code blocks run in order, in one folder and one namespace for
a page.

- ``python`` blocks are executed; what they print must be what the comments behind their
  ``print(…)`` lines say.
- Blocks with a ``title`` are files and are written, ``connections.yaml`` say; ``title="stdout"`` is
  what the shell block before it answers.
- ``shell`` blocks are read line by line: ``jackfield`` runs in this process, other commands only as
  far as this module knows them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil

from jackfield.cli.main import main
from plugboard import declare

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(
    r'^```(?P<language>[a-z]+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
_PRINTS = re.compile(r"^\s*print\(.*\)  # (?P<said>.+)$", re.MULTILINE)
_FORBIDDEN = "make", "uv"
_EXIT = re.compile(r"\s+# exit (\d)$")


def pages() -> list[Path]:
    """Every page that people read: READMEs and docs."""
    return sorted(
        [
            ROOT / "README.md",
            ROOT / "CONTRIBUTING.md",
            *ROOT.glob("connectors/*/README.md"),
            *ROOT.glob("docs/**/*.md"),
        ]
    )


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    title: str | None
    body: str
    line: int


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page."""
    return [example.parsed for example in _document(path, _unrun)]


def _unrun(_example: Example) -> None:
    return None


def _document(path: Path, evaluate: Any) -> Document:
    def parse(document: Document) -> Iterator[Region]:
        for found in _FENCE.finditer(document.text):
            line = document.text.count("\n", 0, found.start()) + 1
            yield Region(
                found.start(),
                found.end(),
                Block(found["language"], found["title"], found["body"], line),
                evaluate,
            )

    return Sybil(parsers=[parse], path=str(ROOT)).parse(path)


def commands(body: str) -> Iterator[tuple[str, str, int]]:
    """The command lines of a shell block: the line, what a here-document gives it, and the exit
    code that is expected.
    """
    lines = iter(body.splitlines())
    for line in lines:
        given = ""
        marker = re.search(r"<<'?(\w+)'?", line)
        if marker:
            given = "".join(f"{text}\n" for text in iter(lambda: next(lines), marker[1]))
        code = _EXIT.search(line)
        if line.strip() and not line.startswith("#"):
            yield re.sub(r"\s+# .*$", "", line), given, int(code[1]) if code else 0


def matches(shown: Any, real: Any) -> bool:
    """Compare an answer with that of a page: ``…`` stands for any text, a fraction for any other, a
    schema version for a later one.
    """
    if isinstance(shown, dict):
        if "database" in shown and isinstance(real, dict) and isinstance(real.get("version"), int):
            real = (
                {**real, "version": shown.get("version")}
                if real["version"] >= shown.get("version", 0)
                else real
            )
        return (
            isinstance(real, dict)
            and shown.keys() == real.keys()
            and all(matches(shown[key], real[key]) for key in shown)
        )
    if isinstance(shown, list):
        return isinstance(real, list) and len(shown) == len(real) and all(map(matches, shown, real))
    if isinstance(shown, str):
        return (
            isinstance(real, str)
            and re.fullmatch(".*".join(map(re.escape, shown.split("…"))), real, re.DOTALL)
            is not None
        )
    if isinstance(shown, float):
        return isinstance(real, float)
    return bool(shown == real)


class Page:
    """Runs one page in the current folder. ``patch`` undoes what a page exports."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._patch = patch
        self._answer = ""
        self._namespace: dict[str, Any] = {"__name__": "page"}

    def run(self) -> int:
        """Run every block; the number of blocks that did something."""
        examples = list(_document(self._path, self._evaluate))
        for example in examples:
            example.evaluate()
        return len(examples)

    def _evaluate(self, example: Example) -> None:
        block: Block = example.parsed
        where = f"{self._path.relative_to(ROOT)}:{block.line}"
        if block.title == "stdout":
            assert matches(json.loads(block.body), json.loads(self._answer)), (
                f"{where}: the answer is {self._answer}"
            )
        elif block.title:
            self._write(block)
        elif block.language == "python":
            self._execute(block, where)
        elif block.language == "shell":
            for line, given, code in commands(block.body):
                self._command(line, given, code, where)

    def _write(self, block: Block) -> None:
        path = Path(str(block.title))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body, encoding="utf-8")
        if path.name == "pyproject.toml":
            project = tomllib.loads(block.body)["project"]
            for group, points in project["entry-points"].items():
                declare(Path(), project["name"], group, points)

    def _execute(self, block: Block, where: str) -> None:
        code = compile("\n" * block.line + block.body, where, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self._namespace)
        said = [found["said"] for found in _PRINTS.finditer(block.body)]
        if said:
            assert printed.getvalue().splitlines() == said, where

    def _command(self, line: str, given: str, code: int, where: str) -> None:
        name, _, rest = line.partition(" ")
        if name == "export":
            key, _, value = rest.partition("=")
            self._patch.setenv(key, "".join(shlex.split(value)).replace("$PWD", str(Path.cwd())))
        elif name == "cat" and given:
            Path(rest.partition(">")[2].split()[0]).write_text(given, encoding="utf-8")
        elif name == "python":
            done = subprocess.run(
                [sys.executable, "-B", *shlex.split(rest)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, f"{where}: {line}\n{done.stdout}{done.stderr}"
        elif name not in _FORBIDDEN:
            self._jackfield(line, code, where)

    def _jackfield(self, line: str, code: int, where: str) -> None:
        before, pipe, command = line.rpartition(" | ")
        given = Path(before.removeprefix("cat ")).read_bytes() if pipe else b""
        words = shlex.split(command)
        assert words[0] == "jackfield", f"{where}: an unknown command: {line}"
        out, err = io.StringIO(), io.StringIO()
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            found = main(words[1:])
        self._answer = out.getvalue()
        assert found == code, f"{where}: {line} → {found}\n{self._answer}{err.getvalue()}"
