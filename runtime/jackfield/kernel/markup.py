"""HTML for pages: elements, tables, lists of facts, and Markdown from third parties.

Everything that is not ``Markup`` is escaped, so no page can forget to. In Markdown, raw HTML and
images are disabled, and links may be http, https or mailto. The few HTML elements that descriptions
of APIs use are read as the equivalent Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from jackfield.kernel.hidden import escape_of, hidden_parts, visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Attribute = str | int | float | bool | None
_ADDRESSES = frozenset({"action", "data-options", "formaction", "href", "hx-get", "hx-post", "src"})
"""HTML attributes that hold a URL; a leading slash means this server."""
_SAID = frozenset(
    {"alt", "aria-label", "data-label", "data-message", "label", "placeholder", "title"}
)
"""HTML attributes that people read or hear."""
_UNMARKED = frozenset({"option", "title"})
_VERBATIM = frozenset({"script", "style", "textarea"})
"""Elements whose text is not changed."""
_EMPTY = frozenset({"br", "hr", "img", "input", "link", "meta"})
_LOWEST = 6
_COUNT = "count"
"""CSS class of the cells in a column of numbers."""
_PLAIN = re.compile(r"[^\\`*_\[\]<>&!\n]*")
"""Regular expression of a text without characters that have a meaning in Markdown."""
_CODE = re.compile("(```.*?```|`[^`\\n]*`)", re.DOTALL)
_TAG = re.compile(
    r"<(/?)(a|b|blockquote|br|code|div|em|h[1-6]|i|li|ol|p|pre|span|strong|ul)((?:\s[^<>]*)?)/?>",
    re.IGNORECASE,
)
_HREF = re.compile(r"""\shref\s*=\s*["']?([^"'\s]*)""", re.IGNORECASE)
_MARKS = {
    "b": "**",
    "strong": "**",
    "em": "*",
    "i": "*",
    "code": "`",
    "span": "",
    "br": "\n",
    "/li": "",
    "li": "\n- ",
}
"""Markdown for the start or end of an element; all other elements separate paragraphs."""


class Markup(str):
    """Text that is already HTML. Only this module and constants in the code create it."""

    __slots__ = ()


Node = str | int | float | Iterable["Node"] | None
"""Content of an element: text, numbers, elements, or lists of these; None and empty lists render
nothing.
"""


class Tag(Protocol):
    """Factory for one kind of element."""

    def __call__(self, *children: Node, **attributes: Attribute) -> Markup:
        """Build the element."""


class Tags:
    """Shorthand for elements: ``h.p("text", class_="note")`` is ``h.element("p", "text",
    class_="note")``.

    ``placed`` converts each URL in an attribute, for servers below a path of another host;
    ``shown`` converts every text.
    """

    def __init__(
        self, placed: Callable[[str], str] = str, shown: Callable[[str], str] = str
    ) -> None:
        self._placed = placed
        self._shown = shown

    def __getattr__(self, name: str) -> Tag:
        def tag(*children: Node, **attributes: Attribute) -> Markup:
            return self.element(name, *children, **attributes)

        return tag

    def element(self, name: str, /, *children: Node, **attributes: Attribute) -> Markup:
        """Build an element. In attribute names, a trailing underscore is dropped and others become
        hyphens (``class_``, ``aria_label``). True renders an attribute without a value; False and
        None render no attribute.
        """
        opened = (
            f"<{name}{''.join(self._attribute(key, value) for key, value in attributes.items())}>"
        )
        if name in _EMPTY:
            return Markup(opened)
        written = (
            self._escaped
            if name in _VERBATIM
            else self._visible_text
            if name in _UNMARKED
            else self._marked
        )
        return Markup(f"{opened}{self._joined(children, written)}</{name}>")

    def join(self, nodes: Iterable[Node]) -> Markup:
        """Concatenate nodes."""
        return self._joined(nodes, self._marked)

    def _joined(self, nodes: Iterable[Node], written: Callable[[str | float], str]) -> Markup:
        return Markup("".join(self._text(node, written) for node in nodes))

    def _text(self, node: Node, written: Callable[[str | float], str]) -> str:
        if node is None:
            return ""
        if isinstance(node, Markup):
            return node
        if isinstance(node, str | int | float):
            return written(node)
        return self._joined(node, written)

    def _marked(self, value: str | float) -> str:
        """Escape a text, and mark its hidden characters. Each becomes an element with its escape,
        which plain text cannot imitate.
        """
        pieces = hidden_parts(self._shown(str(value)))
        if len(pieces) == 1:
            return escape(pieces[0])
        return "".join(
            f'<span class="unseen-character" title="U+{ord(piece):04X}">{escape_of(piece)}</span>'
            if place % 2
            else escape(piece)
            for place, piece in enumerate(pieces)
        )

    def _visible_text(self, value: str | float) -> str:
        return self._escaped(visible(str(value)))

    def _attribute(self, key: str, value: Attribute) -> str:
        if value is None or value is False:
            return ""
        name = key.removesuffix("_").replace("_", "-")
        if name in _ADDRESSES and isinstance(value, str):
            value = self._placed(value)
        return (
            f" {name}"
            if value is True
            else f' {name}="{self._visible_text(value) if name in _SAID else self._escaped(value)}"'
        )

    def _escaped(self, value: str | float) -> str:
        """Escape a text. A lone surrogate, which JSON can contain and UTF-8 cannot, becomes a
        question mark.
        """
        return escape(self._shown(str(value)).encode("utf-8", "replace").decode())


h = Tags()


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Node]],
    *,
    empty: Node = "Nothing yet.",
    kind: str = "rows",
    hidden: Container[str] = (),
    sorts: Mapping[str, tuple[Node, str | None]] | None = None,
    numbers: Container[str] = (),
) -> Markup:
    """Render a table, or ``empty`` without rows. The first cell heads its row. Columns in
    ``hidden`` are present, but not displayed.

    Each cell carries its column's name, since narrow screens display a row as a card; ARIA roles
    tell screen readers that it is still a table. ``sorts`` has the columns by which a reader may
    sort: the link, and ``ascending`` or ``descending`` for the current sort column. Columns in
    ``numbers`` are aligned right.
    """
    body = [h.tr(_cells(columns, row, hidden, numbers), role="row") for row in rows]
    if not body:
        return h.div(empty, class_="empty")
    links = sorts or {}
    heads = [
        _head(
            *links.get(column, (column, None)),
            hidden=column in hidden,
            class_=_COUNT if column in numbers else None,
        )
        for column in columns
    ]
    head = h.tr(heads, role="row")
    return h.table(
        h.thead(head, role="rowgroup"),
        h.tbody(body, role="rowgroup"),
        class_=kind,
        role="table",
        aria_label=caption,
    )


def _head(content: Node, order: str | None, **about: Attribute) -> Markup:
    return h.th(content, scope="col", role="columnheader", aria_sort=order, **about)


def _cells(
    columns: Sequence[str], row: Sequence[Node], hidden: Container[str], numbers: Container[str]
) -> Iterator[Markup]:
    for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
        yield _cell(
            column,
            cell,
            heads=place == 0,
            hidden=column in hidden,
            class_=_COUNT if column in numbers else None,
        )


def _cell(column: str, cell: Node, *, heads: bool, **about: Attribute) -> Markup:
    if heads:
        return h.th(h.div(cell), scope="row", role="rowheader", data_label=column, **about)
    return h.td(h.div(cell), role="cell", data_label=column, **about)


def terms(pairs: Iterable[tuple[str, Node]]) -> Markup:
    """Render details: names and values as a list; omit None."""
    return h.dl(
        [h.div(h.dt(name), h.dd(value)) for name, value in pairs if value is not None],
        class_="terms",
    )


def codes(names: Iterable[object]) -> list[Node]:
    """Render names as code, one after the other."""
    return [[h.code(str(name)), " "] for name in names]


def document(text: str, level: int, *, new_window: bool = False) -> Markup:
    """Render a Markdown document. Its headings begin at ``level``, and none skips a level."""
    tokens = reader().parse(markdown(text))
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            stated = int(token.tag[1])
            while above and above[-1] >= stated:
                above.pop()
            above.append(stated)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(_LOWEST, level + len(above) - 1)}"
        if token.type in ("fence", "code_block"):
            token.attrSet("tabindex", "0")
    return _rendered(tokens, new_window=new_window)


def line(text: str, *, new_window: bool = False) -> Markup:
    """Render inline Markdown without paragraphs, such as the description of a field."""
    if _PLAIN.fullmatch(text):  # as most are, of which a page shows hundreds
        return Markup(visible(escape(text.strip(), quote=False)))
    return _rendered(reader().parseInline(markdown(text).strip()), new_window=new_window)


def markdown(text: str) -> str:
    """Translate the HTML elements of a description, outside of code, to Markdown. A text without
    such elements stays unchanged.
    """
    if "<" not in text:
        return text
    return "".join(
        part if place % 2 else _translated(part) for place, part in enumerate(_CODE.split(text))
    )


def _translated(text: str) -> str:
    links: list[str] = []

    def mark(tag: re.Match[str]) -> str:
        end, name = tag[1], tag[2].lower()
        if name != "a":
            return _MARKS.get(end + name, _MARKS.get(name, "\n\n"))
        if not end:
            links.append(found[1] if (found := _HREF.search(tag[3])) else "")
            return "["
        return f"](<{links.pop()}>)" if links else ""

    return _TAG.sub(mark, text)


def _rendered(tokens: Sequence[Token], *, new_window: bool) -> Markup:
    """Render Markdown. Its links do not reveal the page to their target."""
    found = reader()
    for parent in tokens:
        if parent.children:
            parent.children = list(_with_safe_links(parent.children))
    for token in (child for parent in tokens for child in parent.children or ()):
        if token.type == "link_open":
            token.attrSet("rel", "noreferrer noopener")
            if new_window:
                token.attrSet("target", "_blank")
    return Markup(visible(found.renderer.render(tokens, found.options, {})))


def _with_safe_links(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens without unsafe links, such as links to another part of the text's original
    page. Their text stays.
    """
    is_kept = True
    for token in tokens:
        if token.type == "link_open":
            is_kept = _is_safe_link(str(token.attrGet("href")))
        if is_kept or token.type not in ("link_open", "link_close"):
            yield token


@cache
def reader() -> MarkdownIt:
    """Return the parser and renderer of Markdown."""
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    found.validateLink = _is_any_link  # type: ignore[method-assign]
    return found


def _is_any_link(url: str) -> bool:
    """Accept every link, since unsafe links are reduced to their text later."""
    return isinstance(url, str)


def _is_safe_link(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("https", "http", "mailto")
    except ValueError:  # such as an address with an open bracket
        return False
