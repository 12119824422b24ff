"""Safe rendering of Markdown that strangers wrote: raw HTML and images are disabled, links may be http, https or mailto."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LOWEST = 6


@cache
def reader() -> MarkdownIt:
    """Return the parser and renderer."""
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    found.validateLink = _is_safe_link  # type: ignore[method-assign]
    return found


def _is_safe_link(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("https", "http", "mailto")
    except ValueError:  # such as an address with an open bracket
        return False


def document(text: str, level: int, *, new_window: bool = False) -> str:
    """Render a document as HTML. Its headings begin at ``level``, and none skips a level."""
    found = reader()
    tokens = found.parse(text)
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            stated = int(token.tag[1])
            while above and above[-1] >= stated:
                above.pop()
            above.append(stated)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(_LOWEST, level + len(above) - 1)}"
        mark_links(token.children or (), new_window=new_window)
        if token.type in ("fence", "code_block"):
            token.attrSet("tabindex", "0")
    return str(found.renderer.render(tokens, found.options, {}))


def line(text: str, *, new_window: bool = False) -> str:
    """Render inline text without paragraphs, such as the description of a field, as HTML."""
    found = reader()
    tokens = found.parseInline(text)
    for token in tokens:
        mark_links(token.children or (), new_window=new_window)
    return str(found.renderer.render(tokens, found.options, {}))


def mark_links(tokens: Sequence[Token], *, new_window: bool) -> None:
    """Keep links from telling their target where the reader comes from."""
    for token in tokens:
        if token.type == "link_open":
            token.attrSet("rel", "noreferrer noopener")
            if new_window:
                token.attrSet("target", "_blank")
