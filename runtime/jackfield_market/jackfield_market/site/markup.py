"""Parts of the pages of a catalogue. Strangers wrote their texts, so invisible characters are
removed before ``kernel.markup`` renders them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from jackfield.kernel import markup
from jackfield.kernel.hidden import without_hidden
from jackfield.kernel.markup import Markup, Node, Tags

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; base-uri "
    "'none'; form-action 'none'"
)
"""Content security policy of every page: its own style and scripts, and images within the page."""
_FOOTER = "Signed catalogue of connectors for jackfield. This page quotes the packages; "
_KEPT = "\n\t\u200c\u200d"
"""Invisible characters that remain: line ends and tabs, and the joiners that some scripts need."""
_LONGEST = 100_000


def clean(text: object) -> str:
    """Return a text without invisible characters, such as control characters and characters that
    change the direction of text.
    """
    return without_hidden(str(text)[:_LONGEST], _KEPT)


h = Tags(shown=clean)


def document(value: object, level: int) -> Markup:
    """Render a Markdown document, with headings from ``level``."""
    return markup.document(clean(value), level)


def line(value: object) -> Markup:
    """Render a line of Markdown."""
    return markup.line(clean(value))


def codes(values: Iterable[object]) -> list[Node]:
    """Render names as code, separated by commas."""
    return [[", " if place else None, h.code(str(value))] for place, value in enumerate(values)]


def link(url: object, label: str) -> Markup | None:
    """Render a link to another site; None if the address does not use ``https``."""
    try:
        safe = urlsplit(clean(url)).scheme == "https"
    except ValueError:
        safe = False
    return h.a(label, rel="noreferrer noopener nofollow", href=str(url)) if safe else None


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[Node]], *, empty: Node
) -> Markup:
    """Render a table, or ``empty`` if it has no rows. The first cell heads its row."""
    return markup.table(
        clean(caption),
        columns,
        ([h.join([cell]) for cell in row] for row in rows),
        empty=h.join([empty]),
    )


def terms(pairs: Iterable[tuple[str, Node]]) -> Markup:
    """Render names and values as a list; omit empty values."""
    return markup.terms((name, shown) for name, value in pairs if (shown := h.join([value])))


def page(title: str, root: str, *content: Node) -> str:
    """Render a page below its title; ``root`` is the relative path from the page to the site."""
    head = h.head(
        h.meta(charset="utf-8"),
        h.meta(http_equiv="Content-Security-Policy", content=_POLICY),
        h.meta(name="referrer", content="no-referrer"),
        h.meta(name="viewport", content="width=device-width,initial-scale=1"),
        h.title(title),
        h.link(rel="icon", href="data:,"),
        h.link(rel="stylesheet", href=f"{root}assets/catalogue.css"),
    )
    links = h.header(
        h.a("Connectors", href=f"{root}index.html"),
        h.a("Publishers", href=f"{root}publishers/index.html"),
        class_="site",
    )
    body = h.body(
        h.a("Skip to the content", class_="skip", href="#main"),
        links,
        h.main(*content, id="main"),
        h.footer(_FOOTER, h.code("jackfield install"), " verifies them."),
        h.script(src=f"{root}assets/catalogue.js", defer=True),
    )
    return f"<!DOCTYPE html>\n{h.html(head, body, lang='en', data_root=root)}\n"
