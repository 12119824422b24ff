"""Parsing of responses' bodies: JSON, items of a stream, and messages of errors. Providers' answers
are parsed only here.

``parsed`` is the one entry for successes, ``error_body`` for refusals. Both are bounded: by the
size of the body, which the client limits, by depth, and by the number of items.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from math import isfinite
from typing import Any, Literal, NoReturn
from xml.parsers import expat

from jackfield.connector import MAX_ANSWER_VALUES, check_price
from jackfield.kernel.exact import read_float
from jackfield_http.charsets import codec_of, decoded_text
from jackfield_http.event_streams import EventReader

Reading = Literal["json", "lines", "events"]
"""Form of a body: one JSON value, JSON Lines, or the events of a stream (WHATWG HTML §9.2)."""

MAX_DEPTH = 200
"""Maximum number of levels of JSON in a response."""
MAX_ITEMS = 100_000
"""Maximum number of items in a stream that is read into memory."""
LONGEST_TEXT = 300
"""Maximum length of an error's message, in characters."""
_LINES = re.compile(
    r"(?:application|text)/(?:x-)?(?:nd-?json|jsonl|json-?lines|json-seq|stream\+json|ldjson|json-stream)(?:\+json)?"
)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CONTAINERS = frozenset({dict, list})
_HALF = re.compile("[\ud800-\udfff]")
_HALF_IN_JSON = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_PAIR = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
"""Regular expression of an escaped surrogate pair: an even number of backslashes before it are
characters of their own.
"""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:+-]{1,40})", re.IGNORECASE)
_JSON_LINE = re.compile("[\x1e \t\r\n]*+([^\n]*)")
"""Regular expression of a line with more than white space. Lines are matched one by one: a list of
all would exceed the body's memory.
"""
_DONE = b"[DONE]"
"""Last event of streams in OpenAI's form, which has no data."""
_MOST_ELEMENTS = 1000
_MOST_LEVELS = 50


WORDS = (
    "message",
    "detail",
    "errordescription",
    "errormessage",
    "errormsg",
    "errmsg",
    "msg",
    "messages",
    "errormessages",
    "title",
    "description",
    "error",
    "reason",
    "faultstring",
    "text",
)
"""Plain names of members that hold the message of an error."""


def plain_name(name: str) -> str:
    """Return the name of a member in lower case and without separators, in which providers
    differ.
    """
    return name.replace("_", "").replace("-", "").lower()


def charset_of(content_type: str) -> str | None:
    """Return the charset that a media type declares; None if it declares none."""
    found = _CHARSET.search(content_type)
    return found[1] if found else None


def is_json(media: str) -> bool:
    """Return whether a media type is JSON."""
    return media.endswith(("/json", "+json")) and stream_reading(media) is None


def stream_reading(media: str) -> Reading | None:
    """Return the form of a stream by its media type; None if the media type is no stream of
    items.
    """
    if media == "text/event-stream":
        return "events"
    return "lines" if _LINES.fullmatch(media) else None


def parsed(content: bytes, reading: Reading = "json", charset: str | None = None) -> Any:
    """Parse a body in its declared charset. Lone surrogates, which are no characters, are replaced
    by U+FFFD.

    A stream becomes a list: the values of JSON Lines, or an object for each event with its
    ``data``, decoded if it is JSON.

    :raises ValueError: if the body is malformed, nested too deeply, or has too many items or values
        (``TooCostly``).
    """
    octets = _utf8(content, charset)
    check_price(octets, reading)
    if reading == "json":
        return _json(octets)
    return list(_lines(octets.decode("utf-8-sig")) if reading == "lines" else _events(octets))


def _utf8(content: bytes, charset: str | None) -> bytes:
    """Return a body in UTF-8, or unchanged if the JSON parser recognises its charset.

    :raises ValueError: if the body is not in its declared charset.
    """
    codec = codec_of(charset)
    if codec is None or codec.startswith("utf-"):
        return content
    # declared too narrowly, as RFC 8259 §8.1 wants UTF-8
    if (charset or "").lower() in {"us-ascii", "ascii"} and _is_utf8(content):
        return content
    return content.decode(codec).encode()


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _json(content: bytes) -> Any:
    return _value(content.decode(json.detect_encoding(content), "surrogatepass"), content)


def _value(text: str, content: bytes) -> Any:
    """Parse JSON, of which ``content`` has the octets."""
    try:
        found = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _is_deep(content, found):
        raise ValueError("nested too deeply")
    # a hundred times as fast as the pattern
    may_have_halves = b"\\u" in content or not content.isascii()
    return (
        _mended(found)
        if may_have_halves
        and _HALF_IN_JSON.search(content)
        and _HALF_IN_JSON.search(_PAIR.sub(b"", content))
        else found
    )


def _mended(found: Any) -> Any:
    """Return parsed JSON with U+FFFD in place of each lone surrogate."""
    if isinstance(found, dict):
        return {whole(name): _mended(value) for name, value in found.items()}
    if isinstance(found, list):
        return [_mended(item) for item in found]
    return whole(found) if isinstance(found, str) else found


def _lines(text: str) -> Iterator[Any]:
    """Yield the value of each line. The lines are counted before the first is parsed."""
    beyond = next(islice(_JSON_LINE.finditer(text), MAX_ITEMS, None), None)
    if beyond is not None and beyond[1]:
        raise _too_many_items()
    for line in _JSON_LINE.finditer(text):
        if line[1]:  # it is empty at the end of the text
            value = line[1].rstrip("\x1e \t\r")
            yield _value(value, value.encode())


def _events(content: bytes) -> Iterator[Any]:
    """Yield the events of a stream: ``data``, and ``event`` and ``id`` if present. Comments and the
    end event are skipped.
    """
    reader = EventReader()
    found = (event for event in chain(reader.feed(content), reader.rest()) if event.data != _DONE)
    events = [*islice(found, MAX_ITEMS + 1)]
    if len(events) > MAX_ITEMS:
        raise _too_many_items()
    for event in events:
        given = {"event": event.name, "id": event.id}
        yield {
            **{name: text for name, text in given.items() if text is not None},
            "data": _data(event.data),
        }


def _too_many_items() -> ValueError:
    return ValueError(f"more than {MAX_ITEMS:,} items")


def _data(content: bytes) -> Any:
    text = content.decode()
    try:
        return _json(content)
    except ValueError:
        return text


def whole(text: str) -> str:
    """Return a string with U+FFFD in place of lone surrogates, which can be neither stored nor
    sent.
    """
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def text_of(content: bytes, content_type: str) -> str:
    """Return a body as a string, in the charset of its media type, by default UTF-8.

    :raises Unavailable: if the process has too little memory for the string.
    """
    check_price(content, "text")
    return whole(decoded_text(content, charset_of(content_type)))


def error_body(content: bytes, content_type: str) -> Any:
    """Return the body of an error: JSON, the XML element with its message, or the first part of a
    text; None for an HTML page.

    JSON is detected whatever the media type says.
    """
    media = content_type.partition(";")[0].strip().lower()
    try:
        return parsed(content, "json", charset_of(content_type))
    except ValueError:
        text = text_of(content, content_type).strip()
    if text.startswith("<"):
        return (
            None
            if "html" in media or text[:14].lower().startswith(("<!doctype html", "<html"))
            else _xml_words(content)
        )
    # a text of Google Cloud Storage
    if media in {"", "text/plain"} or (media == "text/html" and "<" not in text):
        return (
            "".join(one if one.isprintable() else " " for one in text[: 4 * LONGEST_TEXT]).strip()[
                :LONGEST_TEXT
            ]
            or None
        )
    return None


class _Elements:
    """Target of the XML parser that collects elements with only text, by their parent element."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = [{}]
        self._open: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []
        self._count = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > _MOST_ELEMENTS or len(self._open) > _MOST_LEVELS:
            raise ValueError("too many elements")
        own: dict[str, str] = {
            _local(key): value for key, value in attributes.items() if not key.startswith("xml")
        }
        self._open.append((_local(name), own))
        self.found.append(own)
        self._text = []

    def end(self, _name: str) -> None:
        name, _ = self._open.pop()
        text = "".join(self._text).strip()
        if text and self._open:
            self._open[-1][1].setdefault(name, text)
        elif text:
            self.found[0].setdefault(name, text)
        self._text = []

    def add(self, text: str) -> None:
        self._text.append(text)

    @staticmethod
    def refuse(*_: Any) -> NoReturn:
        raise ValueError("an error has no document type")


def _xml_words(content: bytes) -> Mapping[str, str] | None:
    """Return the first XML element with a message in a child, as an object of its children's texts;
    None without one.
    """
    seen = _Elements()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = (
        seen.start,
        seen.end,
        seen.add,
    )
    parser.StartDoctypeDeclHandler = seen.refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        return None
    return next((one for one in seen.found if any(plain_name(name) in WORDS for name in one)), None)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _is_deep(content: bytes, found: Any) -> bool:
    """Return whether JSON is nested more deeply than an output may be.

    Removing innermost brackets from the bytes is ten times faster than a walk through the values,
    which is needed only for brackets in strings.
    """
    if len(content) <= 2 * MAX_DEPTH:  # each level has two brackets
        return False
    left = content.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        size = len(left)
        left = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) in {0, size} or size > 2 * MAX_ANSWER_VALUES:  # so many are in texts
            break
    if not left:
        return False
    level = [found] if type(found) in _CONTAINERS else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        parts = (value.values() if isinstance(value, dict) else value for value in level)
        level = [part for several in parts for part in several if type(part) in _CONTAINERS]
    return bool(level)


def _number(text: str) -> float:
    """Parse a number with a fraction or an exponent, without losing digits."""
    found = read_float(text)
    return found if isfinite(found) else _refuse(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_number)
