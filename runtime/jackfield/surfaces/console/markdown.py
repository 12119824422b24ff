"""Connectors' Markdown as markup of the console."""

from __future__ import annotations

from jackfield import markdown
from jackfield.surfaces.console.markup import Markup

_BELOW_TITLE = 2


def guide(text: str) -> Markup:
    """Render a document, with its headings below that of the page."""
    return Markup(markdown.document(text, _BELOW_TITLE, new_window=True))


def line(text: str) -> Markup:
    """Render inline text without paragraphs, such as the description of a field."""
    return Markup(markdown.line(text, new_window=True))
