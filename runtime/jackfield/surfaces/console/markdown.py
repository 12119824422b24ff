"""Safe rendering of connectors' Markdown: raw HTML and images are disabled, links may be http, https or mailto."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jackfield.surfaces.console.markup import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    reader.validateLink = _is_safe_link  # type: ignore[method-assign]
    return reader


def _is_safe_link(url: str) -> bool:
    return urlsplit(url).scheme in ("https", "http", "mailto")


def guide(text: str) -> Markup:
    """Render a document, with its headings one level lower, below those of the page."""
    reader = _reader()
    tokens = reader.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        _mark_links(token.children or ())
        if token.type in ("fence", "code_block"):
            token.attrSet("tabindex", "0")
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def line(text: str) -> Markup:
    """Render inline text without paragraphs, such as the description of a field."""
    reader = _reader()
    tokens = reader.parseInline(text)
    for token in tokens:
        _mark_links(token.children or ())
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def _mark_links(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type == "link_open":
            token.attrSet("rel", "noreferrer noopener")
            token.attrSet("target", "_blank")
