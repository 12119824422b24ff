"""Size limit for provider responses: a hostile or broken endpoint must not exhaust memory or keep a parser busy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jackfield.errors import Sent, Unavailable

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of a response that are read before it is refused. Files that an action streams have their own limits."""


def bounded_answer(chunks: Iterable[bytes], *, limit: int = MAX_ANSWER) -> Iterator[bytes]:
    """Yield the chunks of a response, up to ``limit`` bytes. Wrap the stream before anything parses it.

    :raises Unavailable: once more than ``limit`` bytes have arrived. The provider did respond, so a ``write`` is in doubt.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Unavailable(
                f"the provider's answer is larger than {limit:,} bytes",
                hint="Check the endpoint: something other than the provider may have answered. For lists, ask for smaller pages.",
                sent=Sent.UNKNOWN,
                repeatable=False,
            )
        yield chunk
