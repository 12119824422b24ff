"""Cost of a document from outside, known before it is parsed: values of JSON, XML and CBOR, counted
at the speed of ``bytes.count``.

A parsed value takes 50 to 150 bytes of memory however short its text is: 30 MB of ``[]`` become 1.5
GB. Each value takes at least one byte, so a document with fewer bytes than the limit of values is
not searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Protocol

MAX_ANSWER_VALUES = 1_000_000
"""Maximum number of values in one response of a provider."""
LARGE_NUMBER = re.compile(rb"[eE]\+?[0-9]{3}|(?<![0-9])[0-9]{200}")
"""Regular expression of a part of a number that a float may not hold: it would be parsed as
infinite, which JSON cannot express.
"""
_STRINGS = re.compile(rb'"[^"]*"?')
_TEXTS = re.compile(rb">[^<]*")
_TWO_BYTES, _FOUR_BYTES = re.compile(rb"[\xc4-\xef]"), re.compile(rb"[\xf0-\xff]")
"""Regular expressions of first bytes of characters beyond Latin-1, and beyond U+FFFF."""
_BLOCK = 1 << 16
_STRUCTURE = b",[{"
_DOCTYPE = re.compile(rb"<\x00?!\x00?(?:D|E\x00?N)")
_EVENTS = "application/vnd.amazon.eventstream"
_CBOR_SIZES = (1, 2, 4, 8)
_CBOR_TEXTS = (2, 3)
_CBOR_INLINE, _CBOR_LONGEST = 24, 27


class TooCostly(ValueError):
    """Error for a document that would cost too much to parse. The message says why, as the end of a
    sentence about the document.
    """


class Meter(Protocol):
    """Counter of a document's cost, fed as it arrives."""

    def feed(self, piece: bytes) -> None:
        """Count a further piece.

        :raises TooCostly: once the document has more values than the limit.
        """


class JsonMeter:
    """Count of the values of JSON: their first characters outside of strings, and the strings
    themselves.
    """

    __slots__ = ("_count", "_cut", "_is_open", "_most", "_strings")

    def __init__(self, most: int = MAX_ANSWER_VALUES) -> None:
        self._most = most
        self._count = self._strings = 0
        self._cut = b""
        """A backslash at the end of the last piece whose escaped character is still to come."""
        self._is_open = False

    def feed(self, piece: bytes) -> None:
        """Count a further piece.

        :raises TooCostly: once there are more values than the limit.
        """
        for at in range(0, len(piece), _BLOCK):
            self._block(piece[at : at + _BLOCK])
            # a member has a name, too
            if self._count > self._most or self._strings > 2 * self._most:
                raise _too_many(self._most)

    def _block(self, block: bytes) -> None:
        block = self._cut + block
        begin = len(block.rstrip(b"\\"))
        self._cut = b"\\" * ((len(block) - begin) % 2)
        # no quote is escaped any more
        block = block[:begin].replace(rb"\\", b"").replace(rb"\"", b"")
        continued = self._is_open
        if continued:
            block = b'"' + block
        quotes = block.count(b'"')
        self._is_open = quotes % 2 == 1
        self._strings += (quotes + 1) // 2 - continued
        self._count += structure(_STRINGS.sub(b"", block) if quotes else block)


class XmlMeter:
    """Count of the elements and attributes of XML."""

    __slots__ = ("_count", "_in_text", "_is_wide", "_most")

    def __init__(self, most: int = MAX_ANSWER_VALUES) -> None:
        self._most = most
        self._count = 0
        self._in_text = False
        self._is_wide: bool | None = None
        """True for UTF-16, whose letters may look like marks: all of them are counted."""

    def feed(self, piece: bytes) -> None:
        """Count a further piece.

        :raises TooCostly: once there are more elements than the limit.
        """
        if self._is_wide is None:
            self._is_wide = b"\0" in piece[:4] or piece[:2] in (b"\xff\xfe", b"\xfe\xff")
        for at in range(0, len(piece), _BLOCK):
            self._block(piece[at : at + _BLOCK])
            if self._count > 2 * self._most:
                raise _too_many(self._most)

    def _block(self, block: bytes) -> None:
        tags, equals = block.count(b"<"), block.count(b"=")
        if equals > tags and not self._is_wide:  # some may be in texts
            equals = _TEXTS.sub(b">", b">" + block if self._in_text else block).count(b"=")
        self._count += tags + 2 * equals  # an element has two tags
        end = max(block.rfind(b"<"), block.rfind(b">"))
        self._in_text = self._in_text if end < 0 else block[end : end + 1] == b">"


class AnyMeter:
    """Count of the values of content that may be JSON or XML."""

    __slots__ = ("_meters",)

    def __init__(self, most: int = MAX_ANSWER_VALUES) -> None:
        self._meters = (JsonMeter(most), XmlMeter(most))

    def feed(self, piece: bytes) -> None:
        """Count a further piece.

        :raises TooCostly: once it has more values than the limit, as JSON or as XML.
        """
        for meter in self._meters:
            meter.feed(piece)


class RawMeter:
    """Count of apparent JSON values in framed or unknown content."""

    __slots__ = ("_count", "_most")

    def __init__(self, most: int = MAX_ANSWER_VALUES) -> None:
        self._most = most
        self._count = 0

    def feed(self, piece: bytes) -> None:
        """Count a further piece.

        :raises TooCostly: once there are more values than the limit.
        """
        self._count += structure(piece)
        if self._count > self._most:
            raise _too_many(self._most)


def meter_for(media_type: str) -> Meter | None:
    """Return a new meter for content of a media type; None for content that is not parsed, or only
    later. ``*/*`` may be JSON or XML.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if "json" in kind:
        return JsonMeter()
    if "xml" in kind:
        return XmlMeter()
    if kind == "*/*":
        return AnyMeter()
    return RawMeter() if kind == _EVENTS else None


def structure(octets: bytes) -> int:
    """Return the number of characters that begin a further value of JSON, including characters in
    strings.
    """
    return sum(octets.count(mark) for mark in _STRUCTURE)


def text_size(content: bytes) -> int:
    """Return the maximum bytes of UTF-8 content as a Python string: the widest character decides
    the width of all.
    """
    if content.isascii():
        return len(content)
    return len(content) * (
        4 if _FOUR_BYTES.search(content) else 2 if _TWO_BYTES.search(content) else 1
    )


def check_json(content: bytes, most: int = MAX_ANSWER_VALUES) -> None:
    """Refuse JSON with more than ``most`` values before it is parsed.

    :raises TooCostly: if it has more values.
    """
    if len(content) <= most or structure(content) <= most:
        return
    if b"\0" in content[:4]:  # UTF-16 and UTF-32, in which letters may look like quotes
        raise _too_many(most)
    JsonMeter(most).feed(content)


def check_xml(content: bytes, most: int = MAX_ANSWER_VALUES) -> None:
    """Refuse XML with more than ``most`` elements and attributes, or with a document type, whose
    entities can expand exponentially.

    :raises TooCostly: for such XML.
    """
    if _DOCTYPE.search(content):
        raise TooCostly("has a document type or entities")
    if len(content) > most:
        XmlMeter(most).feed(content)


def check_cbor(content: bytes, most: int = MAX_ANSWER_VALUES) -> None:
    """Refuse CBOR (RFC 8949) with more than ``most`` data items.

    :raises TooCostly: if it has more items.
    """
    if len(content) <= most:
        return
    for count, _ in enumerate(_cbor_items(content)):
        if count >= most:
            raise _too_many(most)


def check_events(content: bytes, most: int = MAX_ANSWER_VALUES) -> None:
    """Refuse an event stream with more than ``most`` lines and marks of JSON, including marks in
    texts.

    :raises TooCostly: if it has more.
    """
    if (
        len(content) > most
        and structure(content) + content.count(b"\n") + content.count(b"\r") > most
    ):
        raise _too_many(most)


CHECKS: Final[dict[str, Callable[[bytes], None]]] = {
    "json": check_json,
    "lines": check_json,
    "events": check_events,
    "xml": check_xml,
    "cbor": check_cbor,
}
"""Checks by the name of a format."""


def _cbor_items(content: bytes) -> Iterator[int]:
    """Yield the offset of each data item. The items of an array stand one after the other, so that
    nesting does not matter.
    """
    at, end = 0, len(content)
    while at < end:
        yield at
        major, size = content[at] >> 5, content[at] & 31
        at += 1
        if _CBOR_INLINE <= size <= _CBOR_LONGEST:
            width = _CBOR_SIZES[size - _CBOR_INLINE]
            size = int.from_bytes(content[at : at + width])
            at += width
        elif size > _CBOR_LONGEST:
            size = 0
        if major in _CBOR_TEXTS:
            at += size


def _too_many(most: int) -> TooCostly:
    return TooCostly(f"has more than {most:,} values")
