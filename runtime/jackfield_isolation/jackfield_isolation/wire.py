"""Frames between jackfield and the child process of a connector: JSON after a head, over a pair of
sockets.

The head has the length, the kind and the question of the frame, so that a frame can be refused
before its JSON is parsed. Both ends use this module. Apart from the standard library it imports
only jackfield's kernel for numbers: the child reads its first frame before it can import anything
else.
"""

from __future__ import annotations

import dataclasses
import json
import math
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from jackfield.kernel.exact import read_float, result_json

Frame = Mapping[str, Any]
LARGEST_FRAME = 160 * 1024 * 1024
"""Maximum size of a frame, in bytes: an invocation of 64 MiB, of which JSON may escape
characters.
"""
LARGEST_ANSWER = 32 * 1024 * 1024
"""Maximum size of a frame from a child, in bytes."""
_MANY = 1024 * 1024
_MOST_VALUES = 500_000
"""Maximum number of values in a frame of more than ``_MANY`` bytes: each takes many times the
memory of its text.
"""
_CHUNK = 256 * 1024
HEAD = struct.Struct("!IBQ")
"""Format of a frame's head: length of the JSON, kind, number of the question."""
OTHER, ANSWER, LINE = range(3)
"""Kinds of frames: the last frame about a question is its answer, a line is for the log."""
_ANSWERS = frozenset({"end", "failed", "fault", "description", "broken"})
_DESCRIPTORS = socket.CMSG_SPACE(4 * 4)


class Garbage(ValueError):
    """Error for bytes that are not a frame, or exceed the limits of a frame."""


class Head(NamedTuple):
    """Head of a frame."""

    size: int
    kind: int
    number: int


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    found = read_float(text)
    if math.isinf(found):
        raise ValueError("a number that no float holds")
    return found


def _plain(value: Any) -> dict[str, Any]:
    """Return a dataclass or a mapping as an object of a frame, with members in camelCase."""
    kind: Any = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        return {said: getattr(value, name) for said, name in _members(kind)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{kind.__name__} is not JSON")


@cache
def _members(kind: Any) -> list[tuple[str, str]]:
    """Return the members of a dataclass, each by its name in a frame and its name in Python."""
    names = [field.name for field in dataclasses.fields(kind)]
    return [
        (head + "".join(map(str.capitalize, further)), name)
        for name in names
        for head, *further in [name.split("_")]
    ]


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


class Wire:
    """One end of the connection. Any thread may send; one thread reads.

    ``largest`` limits the frames that arrive, in bytes. ``in_child``: a frame with ``"socket":
    true`` brings a file descriptor; the child sends valid Unicode only, but may get invalid paths.
    """

    def __init__(
        self, end: socket.socket, largest: int = LARGEST_FRAME, *, in_child: bool = False
    ) -> None:
        self._end = end
        self._largest = largest
        self._in_child = in_child
        self._descriptors: deque[int] = deque()
        self._sending = threading.Lock()

    def send(self, frame: Frame, descriptor: int | None = None) -> None:
        """Send a frame, with a copy of a file descriptor if given.

        :raises ValueError: if the frame is not JSON, or too large.
        :raises OSError: if the other end is gone or does not read.
        """
        text = result_json(frame, _ENCODER)
        body = text.encode(
            "utf-8",
            "surrogatepass" if not self._in_child else "strict" if "end" in frame else "replace",
        )
        largest = LARGEST_ANSWER if self._in_child else LARGEST_FRAME
        if len(body) > largest:
            raise ValueError(f"a frame of {len(body):,} bytes is too large")
        whole = memoryview(HEAD.pack(len(body), _kind(frame), frame.get("id", 0)) + body)
        with self._sending:
            if descriptor is not None:
                whole = whole[socket.send_fds(self._end, [whole], [descriptor]) :]
            if whole:
                self._end.sendall(whole)

    def frames(self) -> Iterator[tuple[dict[str, Any], int | None]]:
        """Yield the parent's frames, each with the descriptor that it brings or None, until the
        parent is gone.

        :raises Garbage: for bytes that are not a frame.
        :raises OSError: if the connection breaks.
        """
        for head, body in self.bodies(lambda _head: True):
            frame = {**decoded(body, "surrogatepass"), "id": head.number}
            yield (
                frame,
                self._descriptors.popleft()
                if frame.get("socket") is True and self._descriptors
                else None,
            )

    def bodies(self, admits: Callable[[Head], bool]) -> Iterator[tuple[Head, bytes]]:
        """Yield head and undecoded JSON of each frame that ``admits`` accepts, until the other end
        closes; drop other frames.

        :raises Garbage: for a frame that is too large.
        :raises OSError: if the connection breaks.
        """
        buffer = bytearray()
        while self._has(HEAD.size, buffer):
            head = Head(*HEAD.unpack_from(buffer))
            del buffer[: HEAD.size]
            if head.size > self._largest:
                raise Garbage(
                    f"a frame of {head.size:,} bytes, where {self._largest:,} are allowed"
                )
            if not admits(head):
                self._skip(head.size, buffer)
                continue
            if not self._has(head.size, buffer):
                return
            # no name here keeps the body while the next frame is awaited
            yield head, _take_bytes(buffer, head.size)

    def _has(self, size: int, buffer: bytearray) -> bool:
        """Receive until the buffer has ``size`` bytes; return False if the other end closes
        before.
        """
        while len(buffer) < size:
            more = self._receive()
            if not more:
                return False
            buffer += more
        return True

    def _skip(self, size: int, buffer: bytearray) -> None:
        while size > len(buffer):
            size -= len(buffer)
            buffer.clear()
            if not self._has(1, buffer):
                return
        del buffer[:size]

    def _receive(self) -> bytes:
        if not self._in_child:
            return self._end.recv(_CHUNK)
        data, brought, _, _ = self._end.recvmsg(_CHUNK, _DESCRIPTORS)
        for level, kind, packed in brought:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._descriptors.extend(
                    struct.unpack(f"{len(packed) // 4}i", packed[: len(packed) // 4 * 4])
                )
        return data

    def close(self) -> None:
        """Close this end, and wake the thread that reads from it."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def leave(self) -> None:
        """Close this process's copy of the end; the process that was forked continues to use its
        own.
        """
        self._end.close()


def _has_many_values(body: bytes) -> bool:
    """Return whether a JSON text has too many values, without parsing it: count its texts, and the
    signs outside of them that begin or separate values.
    """
    if sum(map(body.count, (b'"', b",", b"[", b"{"))) <= _MOST_VALUES:
        return False
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 2 * _MOST_VALUES:
        return True
    outside = b"".join(plain.split(b'"')[::2])
    return sum(map(outside.count, (b",", b"[", b"{"))) > _MOST_VALUES


def _take_bytes(buffer: bytearray, size: int) -> bytes:
    body = bytes(memoryview(buffer)[:size])
    del buffer[:size]
    return body


def _kind(frame: Frame) -> int:
    if "log" in frame:
        return LINE
    return OTHER if _ANSWERS.isdisjoint(frame) else ANSWER


def decoded(body: bytes, errors: str = "strict") -> dict[str, Any]:
    """Return the JSON object of a frame. It must be valid Unicode, unless ``errors`` permits
    otherwise.

    :raises Garbage: if the body is no such object, or has too many values.
    """
    if len(body) > _MANY and _has_many_values(body):
        raise Garbage(f"a frame of more than {_MOST_VALUES:,} values")
    try:
        frame = _DECODER.decode(body.decode("utf-8", errors))
        # an escape may be half of a character
        if errors == "strict" and (b"\\ud" in body or b"\\uD" in body):
            _ENCODER.encode(frame).encode()
    except (ValueError, RecursionError) as error:
        raise Garbage(f"a frame that is not JSON ({type(error).__name__})") from None
    if not isinstance(frame, dict):
        raise Garbage("a frame that is not a JSON object")
    return frame
