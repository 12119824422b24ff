"""Request bodies, each within a limit and together within a memory quota, so that many large
uploads cannot exhaust the memory.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from starlette.requests import Request

from jackfield.invocation import decode
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.fork import ProcessLocal
from jackfield_service.shell.requests.problem import Problem

T = TypeVar("T")

LARGE = 256 * 1024
"""Size in bytes from which a body is processed in a thread, so as not to block other requests."""
_CROWD = 500
"""Number of values from which a body is validated in a thread, whatever its size: an invalid value
takes 8 µs, a string of 200 kB takes 2 ms.
"""
_SPOOLED = 1024 * 1024
ALWAYS_FITS = 64 * 1024
"""Size in bytes up to which a body does not count in the quota."""


class TooLarge(Problem):
    """A body over the limit of ``limit`` bytes; its rest is not read."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit:,} bytes", {"Connection": "close"})


async def bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives.

    :raises TooLarge: once more than ``limit`` bytes have arrived.
    """
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLarge(limit)
        yield piece


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body of at most ``limit`` bytes.

    :raises TooLarge: as soon as the size is known.
    :raises Problem: 503 if the bodies of all running requests exceed their quota.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(limit)
    if not announced and limit > _SPOOLED:
        return await _spooled(request, limit)
    pieces, size = [], 0
    async for piece in bounded(request, limit):
        size += len(piece)
        take_room(request, len(piece), size)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_form(request: Request, limit: int, most: int) -> dict[str, str]:
    """Read a form of at most ``limit`` bytes and ``most`` fields.

    :raises TooLarge: if it has more bytes.
    :raises ValueError: if it has more fields, or is not UTF-8.
    """
    body = await read_body(request, limit)
    return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most))


async def _spooled(request: Request, limit: int) -> bytes:
    """Read a body of unknown length through a temporary file, so that a body over the limit uses no
    memory.

    The file is encrypted with a key that exists only in this call: bodies may contain secrets.
    """
    cipher = Cipher(algorithms.AES256(secrets.token_bytes(32)), modes.CTR(bytes(16)))
    sealing, opening = cipher.encryptor(), cipher.decryptor()
    with tempfile.SpooledTemporaryFile(_SPOOLED) as file:
        async for piece in bounded(request, limit):
            file.write(sealing.update(piece))
        size = file.tell()
        take_room(request, size, size)
        file.seek(0)
        body = BytesIO()  # its value is not copied
        while sealed := file.read(LARGE):
            body.write(opening.update(sealed))
        return body.getvalue()


def take_room(request: Request, more: int, size: int) -> None:
    """Reserve ``more`` bytes for a body that has ``size`` bytes so far. Small bodies always pass,
    so that typical calls go on under load.

    :raises Problem: 503 if the bodies of all running requests would exceed their quota.
    """
    share: BodyShare | None = request.scope.get("jackfield.room")
    if size <= ALWAYS_FITS or share is None or share.takes(more):
        return
    detail = f"the bodies of the requests in progress already total {share.of:,} bytes"
    raise Problem(503, detail, {"Retry-After": "1", "Connection": "close"})


async def decoded_call(text: bytes, request: Request) -> Any:
    """Decode an invocation.

    :raises InvalidInvocation: if it is not JSON.
    """
    return decode(text) if len(text) < LARGE else await computed(request, partial(decode, text))


async def decoded(text: bytes, request: Request) -> Any:
    """Decode a JSON body that is no invocation.

    :raises InvalidInvocation: if it is not JSON; the message speaks of the body.
    """
    try:
        return await decoded_call(text, request)
    except InvalidInvocation as error:
        message = error.message.replace("the invocation", "the body", 1)
        hint = "Send a JSON object." if message.endswith("it is empty") else error.hint
        raise InvalidInvocation(message, details=error.details, hint=hint) from None


async def computed(request: Request, step: Callable[[], T]) -> T:
    """Run a CPU-bound step in a thread: one at a time in this process, as the pipe does
    (``jackfield_store.resources.turns``).
    """
    run: Callable[[str, Callable[[], T]], Awaitable[T]] = request.scope["jackfield.computed"]
    return await run(request.scope["jackfield.workspace"], step)


def crowded(value: object, size: int = LARGE) -> bool:
    """Return whether a decoded body of ``size`` bytes has enough values for validation to block
    other requests. Stop counting at the limit.
    """
    if size <= 2 * _CROWD:  # a value takes a character, and a comma or bracket
        return False
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


class BodyQuota(ProcessLocal):
    """Byte quota of one process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._used = 0
        self._lock = threading.Lock()

    def takes(self, size: int) -> bool:
        """Reserve ``size`` bytes; return False if they do not fit. A negative size releases
        them.
        """
        with self._lock:
            taken = size <= 0 or self._used + size <= self.size
            self._used += size if taken else 0
        return taken


class BodyShare:
    """One request's share of the quota: its body stays in memory until the response is sent."""

    __slots__ = ("_held", "_room")

    def __init__(self, room: BodyQuota) -> None:
        self._room = room
        self._held = 0

    @property
    def of(self) -> int:
        """Size of the whole quota."""
        return self._room.size

    def takes(self, size: int) -> bool:
        """Reserve ``size`` bytes; return False if they do not fit."""
        taken = self._room.takes(size)
        self._held += size if taken else 0
        return taken

    def release(self) -> None:
        """Release all reserved bytes."""
        self._room.takes(-self._held)
        self._held = 0
