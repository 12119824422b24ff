"""Responses as actions see them: bounded, decoded, and parsed on demand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from jackfield.connector import MAX_ANSWER, MAX_ANSWER_VALUES, Output, Sent, TooCostly, Unavailable, check_price, current_call
from jackfield_http.charsets import decoded_text
from jackfield_http.decoding import decoded
from jackfield_http.headers import Headers
from jackfield_http.pointers import find

if TYPE_CHECKING:
    from jackfield_http.urls import Url
    from jackfield_http.wire import Limit, Reply

T = TypeVar("T", bound=Output)

MAX_FIELDS = 200
"""Maximum number of header fields of a response; their size is limited to 64 KiB."""
MAX_DEPTH = 200
"""Maximum number of levels of JSON in a response."""
NOT_THE_API = "Check the server's URL: a proxy, or something other than the provider's API, may have responded."
"""Hint for a response that the provider's API cannot have sent."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CONTAINERS = frozenset({dict, list})
_HALF = re.compile("[\ud800-\udfff]")
_LARGE = re.compile(rb"[eE]\+?[0-9]{3}")
"""Exponent of a number that a float may not hold."""
_HALF_IN_JSON = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_PAIR = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
"""Both halves of a character, escaped: an even number of backslashes before them are characters of their own."""
_CHARSET = re.compile(r"charset=\"?([\w.:-]{1,40})")
_NAMING = re.compile(r"(id|name|number|status|state|url|href)$", re.IGNORECASE)
_PREFIX = 65_536


class Answer:
    """Response with its whole body: ``status``, ``headers``, ``content`` as bytes, and ``url``, from which it came; ``step`` names the
    request in errors."""

    def __init__(self, status: int, headers: Headers, content: bytes, url: Url, step: str = "") -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self.url = url
        self._step = step
        self._parsed: list[Any] = []

    def __repr__(self) -> str:  # bodies stay out of logs
        return f"Answer(status={self.status}, {len(self.content)} bytes)"

    def json(self, pointer: str = "") -> Any:
        """Return the body as JSON, or the member at a JSON Pointer (None if there is none).

        :raises Unavailable: if it is not JSON: the provider did answer, so a ``write`` is in doubt.
        """
        try:
            if not self._parsed:
                self._parsed.append(parsed(self.content))
            return find(self._parsed[0], pointer)
        except TooCostly as reason:
            raise _oversized(f"the provider's response {reason}") from None
        except ValueError:
            to = f" to '{self._step}'" if self._step else ""
            text = f"the response{to} is not JSON (status {self.status}, {self.media_type or 'no media type'})"
            raise Unavailable(text, hint=NOT_THE_API, sent=Sent.UNKNOWN) from None

    def into(self, model: type[T], pointer: str = "") -> T:
        """Return the body, or its member at a JSON Pointer, as an output; members that the model does not declare are ignored.

        :raises InvalidOutput: if a declared member is missing or has a wrong type.
        :raises Unavailable: if the body is not JSON.
        """
        return model.from_provider(self.json(pointer))

    @property
    def text(self) -> str:
        """The body as text, in the charset of its media type if that is one of the web's; UTF-8 otherwise."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        return _whole(decoded_text(self.content, found[1] if found else None))

    @property
    def media_type(self) -> str:
        """Media type without its parameters, in lower case."""
        return media_type(self.headers)


class StreamedAnswer:
    """Response whose body is read in chunks, for files of any size: ``status``, ``headers``, ``url``."""

    def __init__(self, reply: Reply, headers: Headers, url: Url, limit: Limit, size: int | None) -> None:
        self.status = reply.status
        self.headers = headers
        self.url = url
        self._chunks: Iterator[bytes] = body_of(reply, headers, limit, size)
        self._is_closed = False

    def begin(self, most: int) -> bytes:
        """Return the decoded body if it has at most ``most`` bytes, else nothing; ``chunks`` yields it from its beginning all the same."""
        pieces, size = list[bytes](), 0
        for piece in self._chunks:
            pieces.append(piece)
            size += len(piece)
            if size > most:
                break
        self._chunks = chain(pieces, self._chunks)
        return b"".join(pieces) if size <= most else b""

    def chunks(self) -> Iterator[bytes]:
        """Yield the decoded body, once, inside of the ``with`` block of ``stream``.

        :raises ValueError: if the block has ended: what is left of the body cannot be read any more, and would pass for its end.
        """
        while True:
            if self._is_closed:
                raise ValueError("the response is closed: read its chunks inside of 'with api.stream(…)', in a generator for an OutputFile")
            piece = next(self._chunks, None)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """End the response: what is left of its body cannot be read any more."""
        self._is_closed = True


def media_type(headers: Headers) -> str:
    """Return the media type without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def parsed(content: bytes) -> Any:
    """Parse JSON strictly. Half a surrogate pair, which is no character, is replaced.

    :raises ValueError: if it is not JSON, nested too deeply, or of too many values (``TooCostly``).
    """
    check_price(content)
    try:
        found = json.loads(content, parse_constant=_refuse, parse_float=_finite if _LARGE.search(content) else None)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _is_deep(content, found):
        raise ValueError("nested too deeply")
    return _mended(found) if _HALF_IN_JSON.search(content) and _HALF_IN_JSON.search(_PAIR.sub(b"", content)) else found


def _mended(found: Any) -> Any:
    """Return parsed JSON with U+FFFD in place of each half of a surrogate pair."""
    if isinstance(found, dict):
        return {_whole(name): _mended(value) for name, value in found.items()}
    if isinstance(found, list):
        return [_mended(item) for item in found]
    return _whole(found) if isinstance(found, str) else found


def _is_deep(content: bytes, found: Any) -> bool:
    """Return whether JSON is nested more deeply than an output may be. Removing its innermost brackets again and again, as bytes, is ten
    times faster than a walk through its values, which only a text with a bracket makes necessary."""
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


def _whole(text: str) -> str:
    """Replace what is no character by U+FFFD: nothing else could be stored or sent on."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def _finite(text: str) -> float:
    found = float(text)
    return found if isfinite(found) else _refuse(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def header_of(reply: Reply) -> Headers:
    """Return the header of a response.

    :raises Unavailable: if it has too many fields.
    """
    if len(reply.fields) > MAX_FIELDS:
        reply.close()
        raise _oversized(f"the provider's response has more than {MAX_FIELDS} header fields")
    return Headers(reply.fields)


def body_of(reply: Reply, headers: Headers, limit: Limit, size: int | None = MAX_ANSWER) -> Iterator[bytes]:
    """Yield the decoded body up to ``size`` bytes and to the deadline, and close the response.

    :raises Unavailable: once it is larger; compressed and decoded sizes both count.
    :raises TimedOut: if a chunk arrives after the deadline.
    """
    try:
        coding, sent = headers.get("content-encoding", ""), _bounded(reply.raw(), limit, size)
        yield from _bounded(decoded(sent, coding), limit, size) if coding else sent
    finally:
        reply.close()


def _bounded(chunks: Iterator[bytes], limit: Limit, size: int | None) -> Iterator[bytes]:
    read = 0
    for chunk in chunks:
        if limit() <= 0:
            call = current_call()
            raise call.deadline.passed(Sent.UNKNOWN) if call is not None else Unavailable("the deadline passed", sent=Sent.UNKNOWN)
        read += len(chunk)
        if size is not None and read > size:
            raise _oversized(f"the provider's response is larger than {size:,} bytes")
        yield chunk


def _oversized(text: str) -> Unavailable:
    hint = (
        "Request smaller pages of a list, and a file as a stream ('response': 'file' of http.request). Otherwise check the server's URL: "
        "something other than the provider may have responded."
    )
    error = Unavailable(text, hint=hint, sent=Sent.UNKNOWN, repeatable=False)
    error.retryable = False  # the next response would be as large
    return error


def noted(answer: Answer) -> dict[str, Any]:
    """Return what names the created thing, for the error of a later step: IDs, numbers, states and the location, never the whole body."""
    found: dict[str, Any] = {"status": answer.status}
    location = answer.headers.get("location")
    if location is not None:
        found["location"] = location[:500]
    if len(answer.content) <= _PREFIX and "json" in answer.media_type:
        try:
            body = parsed(answer.content)
        except ValueError:
            return found
        if isinstance(body, dict):
            found |= {name: value for name, value in body.items() if isinstance(value, str | int) and _NAMING.search(name)}
    return found
