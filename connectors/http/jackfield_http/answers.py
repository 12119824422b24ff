"""Responses as actions see them: bounded, decoded, and parsed on demand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector import (
    MAX_ANSWER,
    Output,
    Sent,
    TooCostly,
    Unavailable,
    Unread,
    bounded_answer,
    current_call,
)
from jackfield_http.decoding import decoded
from jackfield_http.headers import Headers
from jackfield_http.parsing import charset_of, is_json, parsed, stream_reading, text_of
from jackfield_http.pointers import find
from jackfield_http.unread import MAX_KEPT, Unreadable

if TYPE_CHECKING:
    from jackfield_http.urls import Url
    from jackfield_http.wire import Limit, Reply

T = TypeVar("T", bound=Output)

MAX_FIELDS = 200
"""Maximum number of header fields of a response; their size is limited to 64 KiB."""
NO_CONTENT = frozenset({204, 205})
"""Statuses of responses that have no body (RFC 9110 §15.3.5, §15.3.6)."""
NOT_THE_API = (
    "Check the server's URL: a proxy, or something other than the provider's API, may have "
    "responded."
)
"""Hint for a response that the provider's API cannot have sent."""
_NAMING = re.compile(r"(id|name|number|status|state|url|href)$", re.IGNORECASE)
_PREFIX = 65_536


class Answer:
    """Response with its whole body.

    ``content`` is in bytes, ``url`` is the address that responded, ``step`` names the request in
    errors. ``fault`` says why the content could not be decoded. ``is_clear`` is True if the status
    alone proves that a change was made.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        content: bytes,
        url: Url,
        step: str = "",
        *,
        fault: Unreadable | None = None,
        is_clear: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.url = url
        self._content = content
        self._step = step
        self._fault = fault
        self._is_clear = is_clear
        self._parsed: list[Any] = []

    def __repr__(self) -> str:  # bodies stay out of logs
        return f"Answer(status={self.status}, {len(self._content)} bytes)"

    @property
    def content(self) -> bytes:
        """Decoded body.

        :raises Unavailable: if its content coding cannot be decoded.
        """
        if self._fault is not None:
            raise self._fault
        return self._content

    @property
    def step(self) -> str:
        """Name of the request in errors."""
        return self._step

    @property
    def is_decoded(self) -> bool:
        """True if ``content`` could be decoded."""
        return self._fault is None

    def json(self, pointer: str = "") -> Any:
        """Return the body as JSON, or the member at a JSON Pointer. None if the member is missing
        or the status is 204 or 205.

        JSON Lines and event streams become a list of their items.

        :raises Unavailable: if the body is not JSON: the provider did answer, so a ``write`` is in
            doubt.
        """
        if not self._parsed:
            self._parsed.append(self._parse_body())
        return find(self._parsed[0], pointer)

    def _parse_body(self) -> Any:
        content, media = self.content, self.media_type
        if not content and self.status in NO_CONTENT:
            return None
        to = f" to '{self._step}'" if self._step else ""
        about = f"(status {self.status}, {media or 'no media type'})"
        charset = charset_of(self.headers.get("content-type", ""))
        try:
            return parsed(content, stream_reading(media) or "json", charset)
        except UnicodeError:
            text = f"the response{to} is not in its charset, {charset or 'utf-8'} {about}"
            raise Unreadable(text, hint=NOT_THE_API, by_coding=True, content=content) from None
        except TooCostly as reason:
            raise _oversized(f"the provider's response {reason}") from None
        except ValueError:
            text = f"the response{to} is not JSON {about}"
            if not content.strip():
                raise Unavailable(text, hint=NOT_THE_API, sent=Sent.UNKNOWN) from None
            raise Unreadable(text, hint=NOT_THE_API, content=content) from None

    def into(self, model: type[T], pointer: str = "") -> T:
        """Return the body, or its member at a JSON Pointer, as an output. Undeclared members are
        ignored.

        For a write with a successful status, JSON in an unreadable charset or coding gives an
        output without members. The action must return that output and send nothing more: the
        Result is a success without ``output``, with a warning. Sending more puts the call in doubt.

        :raises InvalidOutput: if a declared member is missing or has a wrong type.
        :raises Unavailable: if the body is not JSON.
        """
        try:
            found = self.json(pointer)
        except Unreadable as error:
            return self.left(model, error)
        return model.from_provider({} if found is None and self.status in NO_CONTENT else found)

    def left(
        self, model: type[T], error: Unreadable, is_declared: Callable[[str], bool] | None = None
    ) -> T:
        """Return a placeholder output for a body of a successful write whose charset or coding
        cannot be read. ``is_declared`` judges the media type (default: JSON).

        :raises Unreadable: ``error``, if the response proves no success. It proves none for a
            read, a manifest with a rule for errors in bodies, an undeclared media type, or a body
            in no such form.
        """
        call, media = current_call(), self.media_type
        declared = (
            is_json(media) or stream_reading(media) is not None
            if is_declared is None
            else is_declared(media)
        )
        proves_success = self._is_clear and declared and error.by_coding
        if not proves_success or call is None or not call.takes_unread:
            raise error
        output = model.model_construct()
        call.unread = Unread(
            output, error, error.content, self.headers.get("content-type", "")[:200]
        )
        return output

    @property
    def text(self) -> str:
        """Body as text: in the charset of its media type if the WHATWG Encoding Standard knows it,
        otherwise in UTF-8.
        """
        return text_of(self.content, self.headers.get("content-type", ""))

    @property
    def media_type(self) -> str:
        """Media type without its parameters, in lower case."""
        return media_type(self.headers)


class StreamedAnswer:
    """Response whose body is read in chunks, for files of any size: ``status``, ``headers``,
    ``url``.
    """

    def __init__(
        self,
        reply: Reply,
        headers: Headers,
        url: Url,
        limit: Limit,
        size: int | None,
        *,
        is_clear: bool = False,
        refuse: Callable[[Answer], None] | None = None,
    ) -> None:
        self._refuse = refuse
        self.status = reply.status
        self.headers = headers
        self.url = url
        self._is_clear = is_clear
        self._reply = reply
        self._chunks: Iterator[bytes] = body_of(reply, headers, limit, size)
        self._is_closed = False

    def begin(self, most: int) -> bytes | None:
        """Return the decoded body; None if it exceeds ``most`` bytes or has too many values to
        parse. ``chunks`` still yields all of it.

        :raises Unavailable: if the connection breaks, or this process lacks the memory.
        """
        held, rest, is_whole = BytesIO(), self._chunks, True

        def kept() -> Iterator[bytes]:
            for piece in rest:
                held.write(piece)
                yield piece

        try:
            for _ in bounded_answer(kept(), limit=most, media_type=media_type(self.headers)):
                pass
        except Unavailable as error:
            if error.retryable:  # what is too large stays so
                raise
            is_whole = False
        content = held.getvalue()
        self._chunks = chain([content] if content else [], rest)
        return content if is_whole else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the decoded body once, inside the ``with`` block of ``stream``.

        :raises ValueError: after the block: the rest is unreadable, and an early stop would look
            like the end of the body.
        """
        while True:
            if self._is_closed:
                raise ValueError(
                    "the response is closed: read its chunks inside of 'with api.stream(…)', in "
                    "a generator for an OutputFile"
                )
            piece = next(self._chunks, None)
            if piece is None:
                return
            yield piece

    def beginning(self, size: int) -> bytes:
        """Return the first decoded chunk; if it may begin a page, at least ``size`` bytes, or the
        whole body. ``chunks`` still yields all of it.

        :raises Unavailable: if the connection breaks.
        """
        held, rest = list[bytes](), self._chunks
        try:
            for piece in rest:
                held.append(piece)
                text = b"".join(held).lstrip()
                if text and (text[:1] not in b"<\xef" or len(text) >= size):
                    break
        except Unreadable as error:  # of no concern to an action that does not read the body
            rest = _failing(error)
        self._chunks = chain(held, rest)
        return b"".join(held)

    def whole(self, content: bytes, step: str, fault: Unreadable | None = None) -> Answer:
        """Return the response as an ``Answer`` with the whole body, or with ``fault`` if the body
        could not be decoded.

        :raises Unavailable: if a change was answered by something else than an API.
        """
        answer = Answer(
            self.status, self.headers, content, self.url, step, fault=fault, is_clear=self._is_clear
        )
        if self._refuse is not None:
            self._refuse(answer)
        return answer

    def close(self) -> None:
        """End the response; the rest of its body can no longer be read."""
        self._is_closed = True

    def abort(self) -> None:
        """End the response while another thread reads its chunks. That thread sees a broken
        connection.
        """
        self._reply.abort()


def _failing(error: Unreadable) -> Iterator[bytes]:
    yield from ()
    raise error


def media_type(headers: Headers) -> str:
    """Return the media type without its parameters, in lower case. An invalid type (``json``,
    ``*/*``) counts as none.
    """
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    return found if "/" in found and "*" not in found else ""


def header_of(reply: Reply) -> Headers:
    """Return the header fields of a response.

    :raises Unavailable: if there are too many.
    """
    if len(reply.fields) > MAX_FIELDS:
        reply.close()
        raise _oversized(f"the provider's response has more than {MAX_FIELDS} header fields")
    return Headers(reply.fields)


def body_of(
    reply: Reply, headers: Headers, limit: Limit, size: int | None = MAX_ANSWER
) -> Iterator[bytes]:
    """Yield the decoded body up to ``size`` bytes and until the deadline, then close the response.

    :raises Unreadable: if the body is complete and cannot be decoded.
    :raises Unavailable: if the body is larger than ``size``, compressed or decoded.
    :raises TimedOut: if a chunk arrives after the deadline.
    """
    try:
        coding, sent = headers.get("content-encoding", ""), _bounded(reply.raw(), limit, size)
        yield from _decoded(sent, coding, limit, size) if coding else sent
    finally:
        reply.close()


def _decoded(sent: Iterator[bytes], coding: str, limit: Limit, size: int | None) -> Iterator[bytes]:
    kept, room = list[bytes](), MAX_KEPT

    def noted_chunks() -> Iterator[bytes]:
        nonlocal room
        for chunk in sent:
            room -= len(chunk)
            if room >= 0:
                kept.append(chunk)
            yield chunk

    chunks = noted_chunks()
    try:
        yield from _bounded(decoded(chunks, coding), limit, size)
    except Unreadable as error:
        for _ in chunks:  # to its end: one that is cut off is not complete
            pass
        error.content = b"".join(kept) if room >= 0 else None
        raise


def _bounded(chunks: Iterator[bytes], limit: Limit, size: int | None) -> Iterator[bytes]:
    read = 0
    for chunk in chunks:
        if limit() <= 0:
            call = current_call()
            raise (
                call.deadline.passed(Sent.UNKNOWN)
                if call is not None
                else Unavailable("the deadline passed", sent=Sent.UNKNOWN)
            )
        read += len(chunk)
        if size is not None and read > size:
            raise _oversized(f"the provider's response is larger than {size:,} bytes")
        yield chunk


def _oversized(text: str) -> Unavailable:
    hint = (
        "Request smaller pages of a list, and a file as a stream ('response': 'file' of "
        "http.request). Otherwise check the server's URL: "
        "something other than the provider may have responded."
    )
    error = Unavailable(text, hint=hint, sent=Sent.UNKNOWN, repeatable=False)
    error.retryable = False  # the next response would be as large
    return error


def noted(answer: Answer) -> dict[str, Any]:
    """Return the identifying members of a created object for the error of a later step: IDs,
    numbers, states and the location, never the whole body.
    """
    found: dict[str, Any] = {"status": answer.status}
    location = answer.headers.get("location")
    if location is not None:
        found["location"] = location[:500]
    if answer.is_decoded and len(answer.content) <= _PREFIX and "json" in answer.media_type:
        try:
            body = answer.json()
        except Unavailable:
            return found
        if isinstance(body, dict):
            found |= {
                name: value
                for name, value in body.items()
                if isinstance(value, str | int) and _NAMING.search(name)
            }
    return found
