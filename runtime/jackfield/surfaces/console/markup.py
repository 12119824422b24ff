"""HTML made of values. What is not markup already is escaped, so that no page can forget to."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Protocol

from jackfield.surfaces.shared.prefix import below_prefix

__all__ = ["Attribute", "Markup", "Node", "Tags", "element", "h", "join"]

Attribute = str | int | float | bool | None
_ADDRESSES = frozenset({"action", "data-options", "formaction", "href", "hx-get", "hx-post", "src"})
"""Attributes that hold an address: of this server, where it begins with a slash."""
_EMPTY = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already. Only this module, the Markdown renderer and our own constants make it."""

    __slots__ = ()


Node = str | int | float | Iterable["Node"] | None
"""What an element may hold: text, numbers, elements, lists of these; None and empty lists are nothing."""


class Tag(Protocol):
    """Makes one kind of element."""

    def __call__(self, *children: Node, **attributes: Attribute) -> Markup:
        """The element."""


def element(name: str, /, *children: Node, **attributes: Attribute) -> Markup:
    """An element. Attributes: a trailing underscore is dropped, others become hyphens (``class_``, ``aria_label``); True is an attribute
    without value, False and None are none."""
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(opened if name in _EMPTY else f"{opened}{join(children)}</{name}>")


def join(nodes: Iterable[Node]) -> Markup:
    """Nodes behind each other."""
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
    """``h.p("text", class_="note")`` is ``element("p", "text", class_="note")``."""

    def __getattr__(self, name: str) -> Tag:
        def tag(*children: Node, **attributes: Attribute) -> Markup:
            return element(name, *children, **attributes)

        return tag


h = Tags()
