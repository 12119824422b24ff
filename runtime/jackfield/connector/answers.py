"""Responses of providers for clients that read them themselves: limited by bytes and values, while
they are read and before parsing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

from jackfield.connector.context import current_call
from jackfield.connector.room import OBJECT, RESERVED, VALUE, Share
from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.price import (
    CHECKS,
    MAX_ANSWER_VALUES,
    Meter,
    TooCostly,
    meter_for,
    structure,
    text_size,
)

MAX_ANSWER = 32 * 1024 * 1024
"""Maximum size of a response that a connector reads, in bytes. Files that an action streams have
their own limits.
"""


def bounded_answer(
    chunks: Iterable[bytes], *, limit: int = MAX_ANSWER, media_type: str = ""
) -> Iterator[bytes]:
    """Yield the chunks of a response, up to ``limit`` bytes and up to the deadline. Wrap the stream
    before anything parses it.

    A socket's timeout limits each read, so a provider that sends single bytes could hold an attempt
    for ever. JSON and XML, by ``media_type``, are also limited by their number of values: parsed,
    they may need fifty times the memory.

    :raises Unavailable: once there are more than ``limit`` bytes or 1,000,000 values, or the
        process lacks memory for more. The provider did respond, so a ``write`` is in doubt.
    :raises TimedOut: if a chunk arrives after the deadline of the current call.
    """
    size, call, early = 0, current_call(), list[bytes]()
    meter: Meter | None = None
    is_metered = True
    share = Share("") if call is None else call.room()
    for chunk in chunks:
        if call is not None and call.deadline.clock.monotonic() >= call.deadline.at:
            raise call.deadline.passed(Sent.UNKNOWN)
        size += len(chunk)
        if size > limit:
            raise oversized(f"is larger than {limit:,} bytes")
        if size > RESERVED:
            share.add(len(chunk))
        if is_metered:
            early.append(chunk)
        if is_metered and size > MAX_ANSWER_VALUES:  # fewer bytes cannot have more values
            meter = meter or meter_for(media_type)
            is_metered = meter is not None
            try:
                if meter is not None:
                    meter.feed(b"".join(early))
            except TooCostly as reason:
                raise oversized(str(reason)) from None
            early.clear()
        yield chunk


def whole_answer(
    chunks: Iterable[bytes], *, limit: int = MAX_ANSWER, media_type: str = ""
) -> bytes:
    """Read a whole response, within the limits of ``bounded_answer``, without a second copy of it
    in memory.

    :raises Unavailable: if it is too large, or the process lacks memory for it.
    :raises TimedOut: if a chunk arrives after the deadline of the current call.
    """
    first, body = b"", None
    for chunk in bounded_answer(chunks, limit=limit, media_type=media_type):
        if body is not None:
            body.write(chunk)
        elif first:
            body = BytesIO()
            body.write(first)
            body.write(chunk)
        else:
            first = chunk
    return first if body is None else body.getvalue()


def check_price(content: bytes, form: str = "json") -> None:
    """Check the cost of a whole response right before it is decoded or parsed: its number of
    values, and the memory that they and its text will need. ``form`` is ``json``, ``lines`` (JSON
    Lines), ``events`` (of a stream), ``xml``, ``cbor`` or ``text``; a response of up to 64 KiB
    always passes.

    :raises TooCostly: if it has more than 1,000,000 values; a ``ValueError``, as for content that
        is not of this form.
    :raises Unavailable: if this process lacks memory for them.
    :raises TimedOut: if the deadline has passed: the caller has left.
    """
    if len(content) <= RESERVED:
        return
    if form != "text":
        CHECKS[form](content)
    call = current_call()
    if call is not None:
        if call.deadline.remaining() <= 0:
            raise call.deadline.passed(Sent.UNKNOWN)
        call.room().add(text_size(content) + _values_size(content, form))


def _values_size(content: bytes, form: str) -> int:
    """Return the estimated bytes of the parsed values, counted by the characters that begin
    them.
    """
    if form == "text":
        return 0
    values = content.count(b"<") if form == "xml" else structure(content)
    return VALUE * min(values, MAX_ANSWER_VALUES) + OBJECT * min(
        content.count(b"{"), MAX_ANSWER_VALUES
    )


def oversized(reason: str) -> Unavailable:
    """Return the error for a response that is refused for its cost; ``reason`` completes "the
    provider's response".
    """
    error = Unavailable(
        f"the provider's response {reason}",
        hint=(
            "Check the endpoint: something other than the provider may have responded. For "
            "lists, request smaller pages."
        ),
        sent=Sent.UNKNOWN,
        repeatable=False,
    )
    error.retryable = False  # the next response would be as large
    return error
