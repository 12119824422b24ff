"""Bodies of requests, read within a limit."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jackfield.invocation import decode
from jackfield.surfaces.shared.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

    from jackfield.surfaces.shared.body_quota import BodyShare

__all__ = ["LARGE", "TooLarge", "bounded", "crowded", "decoded", "members_of", "read_body", "read_form", "take_room"]

LARGE = 256 * 1024
"""Bytes from which a body is worked on in a thread, so that others do not wait for it."""
_CROWD = 500
"""Values in a body from which it is judged in a thread, however few bytes it has: a bad one takes 8 µs, a string of 200 kB takes 2 ms."""
_MEMBERS = 1024 * 1024
_SMALL = 64 * 1024


class TooLarge(Exception):
    """The body is over the limit; ``limit`` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit:,} bytes")
        self.limit = limit


async def bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes.

    :raises TooLarge: once more than ``limit`` bytes of it have come.
    """
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLarge(limit)
        yield piece


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes of it.

    :raises TooLarge: as soon as that is known.
    :raises Problem: 503 where the bodies of all requests under way have too many bytes together.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(limit)
    if not announced and limit > _MEMBERS:
        return await _spooled(request, limit)
    pieces, size = [], 0
    async for piece in bounded(request, limit):
        size += len(piece)
        take_room(request, len(piece), size)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_form(request: Request, limit: int, most: int) -> dict[str, str]:
    """The fields of a form of at most ``limit`` bytes and ``most`` fields.

    :raises TooLarge: where it has more bytes.
    :raises ValueError: where it has more fields, or is no UTF-8.
    """
    body = await read_body(request, limit)
    return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most))


async def _spooled(request: Request, limit: int) -> bytes:
    """A body whose length nobody tells: on the disk until it is whole, so that one that is too large takes no memory."""
    with tempfile.SpooledTemporaryFile(_MEMBERS) as file:
        async for piece in bounded(request, limit):
            file.write(piece)
        size = file.tell()
        take_room(request, size, size)
        file.seek(0)
        return file.read()


def take_room(request: Request, more: int, size: int) -> None:
    """Count ``more`` bytes of a body that has ``size`` by now. Small ones are always taken, so that calls as most are go on meanwhile.

    :raises Problem: 503 where the bodies of all requests under way would have too many bytes together.
    """
    share: BodyShare | None = request.scope.get("jackfield.room")
    if size <= _SMALL or share is None or share.takes(more):
        return
    detail = f"the bodies of the requests under way have {share.of:,} bytes together already"
    raise Problem(503, detail, {"Retry-After": "1", "Connection": "close"})


async def decoded(text: bytes) -> Any:
    """What a body says.

    :raises InvalidInvocation: where it is not JSON.
    """
    return decode(text) if len(text) < LARGE else await asyncio.to_thread(decode, text)


def crowded(value: object) -> bool:
    """Return whether a decoded body has so many values that judging them would keep others waiting. Counts no further than needed."""
    waiting, count = [value], 1
    while waiting and count <= _CROWD:
        item = waiting.pop()
        if isinstance(item, dict):
            count += len(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            count += len(item)
            waiting.extend(item[:_CROWD])
    return count > _CROWD


async def members_of(request: Request, needed: set[str], optional: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """A body that is an object of just these members.

    :raises TooLarge: over a megabyte.
    :raises InvalidInvocation: where it is not JSON.
    :raises Problem: 400 where it is no such object.
    """
    body = await decoded(await read_body(request, _MEMBERS))
    if not isinstance(body, dict) or not needed <= set(body) or not set(body) <= needed | optional:
        also = f", and may have {', '.join(sorted(optional))}" if optional else ""
        raise Problem(400, f"the body must be an object with {', '.join(sorted(needed))}{also}")
    return body
