"""Parts of the pages of a catalogue. Everything that strangers wrote is escaped, or rendered by the safe Markdown renderer."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import urlsplit

from jackfield import markdown

_POLICY = "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'"
"""Content security policy of every page: its own style and scripts, images in the page itself, and nothing from elsewhere."""
_FOOTER = "Signed catalogue of connectors for jackfield. This page quotes the packages; <code>jackfield install</code> verifies them."
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs"})
_KEPT = frozenset("\n\t\u200c\u200d")
"""Characters that may stay: line ends, and the joiners that some scripts need."""
_LONGEST = 100_000


def clean(text: object) -> str:
    """Return a text without invisible characters: control characters, and those that turn the direction of the text."""
    found = str(text)[:_LONGEST]
    if found.isascii() and found.isprintable():
        return found
    return "".join(mark for mark in found if mark in _KEPT or unicodedata.category(mark) not in _INVISIBLE)


def text(value: object) -> str:
    """Return a text as HTML."""
    return escape(clean(value))


def code(value: object) -> str:
    """Return a text as code."""
    return f"<code>{text(value)}</code>"


def document(value: object, level: int) -> str:
    """Return a Markdown document as HTML, with headings from ``level``."""
    return markdown.document(clean(value), level)


def line(value: object) -> str:
    """Return a line of Markdown as HTML."""
    return markdown.line(clean(value))


def link(url: object, label: str) -> str:
    """Return a link to another site; nothing if the address is not an https one."""
    try:
        safe = urlsplit(clean(url)).scheme == "https"
    except ValueError:
        safe = False
    return f'<a rel="noreferrer noopener nofollow" href="{text(url)}">{text(label)}</a>' if safe else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], label: str) -> str:
    """Return a table of HTML cells; the first of a row is its heading. Roles keep it a table where a phone shows it as blocks."""
    head = "".join(f'<th role="columnheader" scope="col">{text(name)}</th>' for name in heads)
    body = "".join(_row(cells) for cells in rows)
    return (
        f'<table role="table" aria-label="{text(label)}"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    others = "".join(f'<td role="cell">{cell}</td>' for cell in rest)
    return f'<tr role="row"><th role="rowheader" scope="row">{first}</th>{others}</tr>'


def page(title: str, body: str, root: str) -> str:
    """Return a page; ``root`` is the relative path from it to the site."""
    lines = (
        "<!DOCTYPE html>",
        f'<html lang="en" data-root="{root}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="referrer" content="no-referrer">',
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{text(title)}</title>',
        f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{root}assets/catalogue.css"></head><body>',
        '<a class="skip" href="#main">Skip to the content</a>',
        f'<header class="site"><a href="{root}index.html">Connectors</a><a href="{root}publishers/index.html">Publishers</a></header>',
        f'<main id="main">{body}</main>',
        f"<footer>{_FOOTER}</footer>",
        f'<script src="{root}assets/catalogue.js" defer></script></body></html>',
        "",
    )
    return "\n".join(lines)
