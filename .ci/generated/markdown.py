"""Markdown for reference pages: tables, code blocks, and headings that fit under other headings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

NOTICE = "<!-- Made by `make generate`; edit what it is made from. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars inside cells are made safe."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def block(value: object, language: str = "json") -> str:
    """A fenced code block; what is not text is written as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"```{language}\n{text}\n```"


def demoted(text: str, levels: int) -> str:
    """Markdown whose headings are ``levels`` deeper; code blocks stay as they are."""
    fenced = False
    lines = []
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        lines.append("#" * levels + line if line.startswith("#") and not fenced else line)
    return "\n".join(lines)
