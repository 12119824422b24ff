"""Docstrings of shipped code are read by engineers who search for one fact: their sentences are
short.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.parsed import nodes, tree

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [
    path
    for folder in ("runtime", "connectors")
    for path in sorted(ROOT.glob(f"{folder}/**/*.py"))
    if "tests" not in path.parts
]
MOST_WORDS = 30
LONG = 30
"""Sentences above that: a number that falls."""
_LITERAL = re.compile(
    r"::\n\n(?:(?:[ \t]+\S.*)?\n)*(?:[ \t]+\S.*)?|^=+ =+\n.*?^=+ =+(?:\n.*?^=+ =+)?$",
    re.MULTILINE | re.DOTALL,
)
"""What is no sentence: blocks after a double colon, and tables."""


def _docstrings() -> Iterator[tuple[str, str]]:
    """Yield each docstring with its place: of modules, classes, functions, and those below a
    name.
    """
    for path in SHIPPED:
        for node in (tree(path), *nodes(path)):
            for part in (
                getattr(node, "body", ())
                if isinstance(
                    node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
                )
                else ()
            ):
                if (
                    isinstance(part, ast.Expr)
                    and isinstance(part.value, ast.Constant)
                    and isinstance(part.value.value, str)
                ):
                    yield f"{path.relative_to(ROOT)}:{part.lineno}", part.value.value


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n|\n\s*(?=- )", _LITERAL.sub("\n\n", text)):
        yield from re.split(r"(?<=[.!?])\s+", paragraph.strip())


def test_sentences_are_short() -> None:
    """Few sentences of all docstrings have more than thirty words."""
    found = {
        (place, " ".join(words))
        for place, text in _docstrings()
        for words in map(str.split, _sentences(text))
        if len(words) > MOST_WORDS
    }
    assert len(found) <= LONG, "\n".join(
        f"{place} {len(text.split())} {text}" for place, text in sorted(found)
    )
