"""Search for the answer to one message in a server's body, including malformed bodies.

The message's ID, which nobody can guess, identifies the answer: a formality does not put an
answered write in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html import unescape
from itertools import chain, groupby, islice
from typing import Any

from jackfield.connector import TooCostly, current_call
from jackfield_http.charsets import codec_of
from jackfield_http.event_streams import Event, EventReader
from jackfield_http.parsing import error_body, parsed, text_of
from jackfield_mcp.messages import Message, messages_in, shows_work
from jackfield_mcp.texts import one_line

_BEGINS = (b"{", b"[")
_LOOSE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*(?:"|\\?\Z)|-?(?:NaN|Infinity)\b', re.DOTALL)
"""Regular expression of JSON's strings, also a truncated one, and of the literals NaN and Infinity,
which JSON does not allow.
"""
_CONTROLS = re.compile(rb"[\x00-\x1f]")
_EVENTS = re.compile(rb"(?:\xef\xbb\xbf)?(?:event|data|id|retry): ?[^\r\n]*[\r\n]")
_MOST_EVENTS = 100
_METHOD = b'"method"'
_MARK = b"\xef\xbb\xbf"
_LARGEST_PAGE = 16 * 1024
_LONGEST_WORDS = 160
_MARKUP = re.compile(
    r"<(?:!--.*?(?:-->|\Z)|(script|style|noscript|template|svg)\b.*?(?:</\1\s*>|\Z)|[^<>]*>?)",
    re.DOTALL | re.IGNORECASE,
)
"""Regular expression of an invisible element, a comment or any other tag, each possibly
truncated.
"""
_PADDING = b"\x00 \t\r\n"
_NULLED = "the server's answer is no JSON: its numbers without a value (NaN, Infinity) are null"
_REPLACED = "the server's answer is not UTF-8: its other characters are U+FFFD"


def answer_in(content: bytes, message: Message, charset: str | None) -> Any:
    """Return the answer to a message in a body that is not one JSON value, with the messages before
    it; None without an answer.

    The body may be a stream of events, a message per line, or JSON with NaN, Infinity or control
    characters.

    :raises TooCostly: if the body has too many values.
    """
    content = _in_utf8(content, charset)
    for pieces in ([content], _events_in(content), content.splitlines()):
        others = list[Any]()
        for piece in pieces:
            found = _answer(piece, message)
            if found is not None:
                return [*others, *messages_in(found)] if others else found
            others += (
                messages_in(_loosely(piece)) if _METHOD in piece and piece is not content else ()
            )
    return None


def read_event(data: bytes, message: Message) -> Any:
    """Return the JSON of an event; None if it is not JSON. Lenient JSON is accepted only as the
    answer to ``message``.

    :raises TooCostly: if the event has too many values.
    """
    try:
        return unwrapped(parsed(data), message)
    except TooCostly:
        raise
    except ValueError:
        return _answer(data, message)


def unwrapped(found: Any, message: Message) -> Any:
    """Return the answer inside a JSON string, since some servers encode JSON twice; any other value
    unchanged.

    :raises TooCostly: if the string has too many values.
    """
    return (
        _answer(found.encode("utf-8", "replace"), message) or found
        if isinstance(found, str)
        else found
    )


def events_of(chunks: Iterable[bytes], reader: EventReader) -> Iterator[Event]:
    """Yield the events of a stream, including a last event without its empty line. A body that
    begins as JSON is one event.
    """
    pieces = iter(chunks)
    first = next(pieces, b"")
    if first.lstrip()[:1] in _BEGINS:
        yield Event(b"".join([first, *pieces]), None)
        return
    for chunk in chain([first], pieces):
        yield from reader.feed(chunk)
    last = reader.last_id
    yield from reader.rest()
    reader.last_id = last  # the last line may be the beginning of an ID


def refusal_body(content: bytes, content_type: str) -> Any:
    """Return the body of a refusal as JSON or text: the error among several messages, or the
    visible text of an HTML page.

    :raises ValueError: if a stream has too many values.
    """
    if is_stream(content, content_type):
        rows = _json_of_events(content)
        error = _error_among(rows)
        return next(iter(rows), None) if error is None else error
    found = error_body(content, content_type)
    if isinstance(found, list):
        return _error_among(found) or found
    if (
        not isinstance(found, Mapping)
        and (error := _error_among(_json_of_lines(content))) is not None
    ):
        return error
    is_page = found is None and (
        "html" in content_type.lower() or content.lstrip(_PADDING).startswith(b"<")
    )
    return _text_of_page(content, content_type) if is_page else found


def is_stream(content: bytes, content_type: str) -> bool:
    """Return whether the body of a refusal is a stream of events."""
    return "event-stream" in content_type.lower() or _EVENTS.match(content) is not None


def shows_work_in(content: bytes, content_type: str) -> bool:
    """Return whether the body of a refusal has messages that prove that the server had begun the
    request.

    The body may be a stream of events, a batch, a message, or a message per line.

    :raises ValueError: if a stream has too many values.
    """
    found = (
        _json_of_events(content)
        if is_stream(content, content_type)
        else error_body(content, content_type)
    )
    if isinstance(found, list):
        # an error without an ID is the refusal itself
        return any("method" in row and shows_work(row) for row in messages_in(found))
    rows = messages_in([found] if isinstance(found, Mapping) else _json_of_lines(content))
    # other errors name an HTTP method
    return any(row.get("jsonrpc") == "2.0" and "method" in row and shows_work(row) for row in rows)


def _json_of_lines(content: bytes) -> list[Any]:
    """Return the JSON of the first lines that may have messages."""
    found = list[Any]()
    lines = content.removeprefix(_MARK).splitlines() if b"jsonrpc" in content else ()
    for line in islice((one for one in lines if one.lstrip()[:1] in _BEGINS), _MOST_EVENTS):
        with suppress(ValueError):
            one = parsed(line)
            found += one if isinstance(one, list) else [one]
    return found


def _json_of_events(content: bytes) -> list[Any]:
    """Return the JSON or text of the first events of a stream, batches as their items."""
    found = list[Any]()
    for event in islice(filter(None, _events_in(content)), _MOST_EVENTS):
        try:
            one = parsed(event)
        except ValueError:
            one = event.decode("utf-8", "replace")
        found += one if isinstance(one, list) else [one]
    return found


def _events_in(content: bytes) -> Iterator[bytes]:
    reader = EventReader()
    return (event.data for event in chain(reader.feed(content), reader.rest()))


def _error_among(rows: list[Any]) -> Any:
    return next(
        (row for row in rows if isinstance(row, Mapping) and row.get("error") is not None), None
    )


def _text_of_page(content: bytes, content_type: str) -> str | None:
    """Return the visible text of a page, which may come from a proxy; None if the page has no
    text.
    """
    pieces = _MARKUP.sub("\n", text_of(content[:_LARGEST_PAGE], content_type)).split("\n")
    words = [" ".join(unescape(piece).split()) for piece in pieces if piece.strip()]
    text = one_line(" ".join(piece for piece, _ in groupby(words)), _LONGEST_WORDS)
    return f'a page that says "{text}"' if text else None


def _in_utf8(content: bytes, charset: str | None) -> bytes:
    """Return a body in UTF-8. The declared charset counts only if the body is not UTF-8: many
    servers declare a wrong one.
    """
    codec = codec_of(charset)
    try:
        content.decode()
    except UnicodeDecodeError:
        return content if codec is None else content.decode(codec, "replace").encode()
    return content


def _answer(piece: bytes, message: Message) -> Any:
    if message.id is None or b"%d" % message.id not in piece:
        return None
    found = _loosely(piece.strip(_PADDING))
    return found if any(map(message.is_answered_by, messages_in(found))) else None


def _loosely(content: bytes) -> Any:
    """Parse JSON in which NaN, Infinity, control characters and bytes other than UTF-8 are valid;
    None if the content is not even lenient JSON. Warn about what is replaced.

    :raises TooCostly: if the content has too many values.
    """
    nulled, readable = False, content.decode("utf-8", "replace").encode()

    def strict(token: re.Match[bytes]) -> bytes:
        nonlocal nulled
        if token[0][:1] == b'"':
            return _CONTROLS.sub(lambda one: b"\\u%04x" % ord(one[0]), token[0])
        nulled = True
        return b"null"

    try:
        return parsed(content)
    except TooCostly:
        raise
    except ValueError:
        made = _LOOSE.sub(strict, readable)
    call = current_call()
    try:
        found = parsed(made)
    except TooCostly:
        raise
    except ValueError:
        return None
    for is_replaced, words in ((nulled, _NULLED), (readable != content, _REPLACED)):
        if is_replaced and call is not None:
            call.warn(words)
    return found
