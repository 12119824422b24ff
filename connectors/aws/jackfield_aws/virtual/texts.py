"""Conversion of the HTML in AWS's service models to Markdown, and its first sentence."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

_PLAIN = re.compile(r"\s*<p>([^<]*)</p>\s*")
"""Pattern of one paragraph without markup, as in most members' documentation."""
_SPACE = re.compile(r"\s+")
_LINES = re.compile(r"\n[ \t]*\n[\s]*")
_SUMMARY = 160
"""Maximum characters of a summary: one line in a list of actions."""
_TAG = re.compile(r"<[^<>]*>")
_ASIDES = re.compile(r"<(note|important)>(?:[^<]|<(?!/\1>))*</\1>")
"""Pattern of notes that precede some operations' descriptions."""
_ENDS = re.compile(r"(?<=[^.\s][a-z0-9)`\"'])[.!?](?=\s|$)")
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "note",
        "important",
        "dl",
        "dd",
        "ul",
        "ol",
        "pre",
        "h1",
        "h2",
        "h3",
        "h4",
        "table",
        "tr",
    }
)
_MARKS = {"code": "`", "b": "**", "strong": "**", "i": "*", "em": "*"}


class _Markdown(HTMLParser):
    """Collector of Markdown pieces. Unknown tags are ignored; their text stays."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.pieces.append("\n\n")
        elif tag in ("li", "dt"):
            self.pieces.append("\n- ")
        elif tag in _MARKS:
            self.pieces.append(_MARKS[tag])
        elif tag == "br":
            self.pieces.append("\n")
        elif tag == "a":
            target = dict(attrs).get("href") or ""
            self._links.append(target if target.startswith("https://") else "")
            self.pieces.append("[" if self._links[-1] else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _MARKS:
            self.pieces.append(_MARKS[tag])
        elif tag in _BLOCKS:
            self.pieces.append("\n\n")
        elif tag == "a" and self._links:
            target = self._links.pop()
            self.pieces.append(f"]({target})" if target else "")

    def handle_data(self, data: str) -> None:
        self.pieces.append(_SPACE.sub(" ", data))


def markdown(html: str) -> str:
    """Return the Markdown of a documentation text."""
    plain = _PLAIN.fullmatch(html)
    if plain is not None:
        return unescape(_SPACE.sub(" ", plain[1]).strip())
    if "<" not in html:
        return unescape(_SPACE.sub(" ", html).strip())
    parser = _Markdown()
    parser.feed(html)
    parser.close()
    lines = (line.strip() for line in "".join(parser.pieces).split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines).replace("- \n\n", "- ")).strip()


def summary(html: str) -> str:
    """Return the first sentence of a documentation text as plain text, at most 160 characters."""
    said = _ASIDES.sub(" ", html[:8000])
    text = _SPACE.sub(
        " ", unescape(_TAG.sub(" ", said if _TAG.sub("", said).strip() else html[:8000]))
    ).strip()
    text = text.replace(" .", ".").replace(" ,", ",")
    end = _ENDS.search(text)
    first = text[: end.end()] if end is not None else text
    return first if len(first) <= _SUMMARY else f"{first[: _SUMMARY - 1].rsplit(' ', 1)[0]}…"
