"""HTML builder. Everything that is not ``Markup`` is escaped, so no page can forget to."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Protocol

from jackfield.surfaces.shared.prefix import below_prefix

Attribute = str | int | float | bool | None
_ADDRESSES = frozenset({"action", "data-options", "formaction", "href", "hx-get", "hx-post", "src"})
"""Attributes that hold a URL; a leading slash means this server."""
_EMPTY = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is already HTML. Only this module, the Markdown renderer and constants in the code create it."""

    __slots__ = ()


Node = str | int | float | Iterable["Node"] | None
"""Content of an element: text, numbers, elements, or lists of these; None and empty lists render nothing."""


class Tag(Protocol):
    """Factory for one kind of element."""

    def __call__(self, *children: Node, **attributes: Attribute) -> Markup:
        """Build the element."""


def element(name: str, /, *children: Node, **attributes: Attribute) -> Markup:
    """Build an element. In attribute names, a trailing underscore is dropped and others become hyphens (``class_``, ``aria_label``).
    True renders an attribute without a value; False and None render none."""
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(opened if name in _EMPTY else f"{opened}{join(children)}</{name}>")


def join(nodes: Iterable[Node]) -> Markup:
    """Concatenate nodes."""
    return Markup("".join(_text(node) for node in nodes))


def _text(node: Node) -> str:
    if node is None:
        return ""
    if isinstance(node, Markup):
        return node
    if isinstance(node, str | int | float):
        return escape(str(node))
    return join(node)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-")
    if name in _ADDRESSES and isinstance(value, str):
        value = below_prefix(value)
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


class Tags:
    """Shorthand for elements: ``h.p("text", class_="note")`` is ``element("p", "text", class_="note")``."""

    def __getattr__(self, name: str) -> Tag:
        def tag(*children: Node, **attributes: Attribute) -> Markup:
            return element(name, *children, **attributes)

        return tag


h = Tags()
