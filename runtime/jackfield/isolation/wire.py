"""Frames between jackfield and the child process of a connector: JSON behind its length, over a pair of sockets.

Both ends use this module. It imports the standard library only, since the child reads its first frame before it can import anything else.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

Frame = Mapping[str, Any]
LARGEST_FRAME = 160 * 1024 * 1024
"""Bytes of a frame: an invocation of 64 MiB, of which JSON may escape characters."""
LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of a frame that a child may send."""
_MANY = 1024 * 1024
_MOST_NODES = 500_000
"""Objects and arrays in a frame of more than ``_MANY`` bytes: each takes many times the memory that its text does."""
_CHUNK = 256 * 1024
_HEAD = struct.Struct("!I")
_DESCRIPTORS = socket.CMSG_SPACE(4 * 4)


class Garbage(ValueError):
    """Bytes that are not a frame, or are more than one may have."""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class Wire:
    """One end of the connection. Any thread may send; one thread reads.

    ``largest`` limits the frames that arrive. ``takes_descriptors``: a frame with ``"socket": true`` brings a file descriptor.
    """

    def __init__(self, end: socket.socket, largest: int = LARGEST_FRAME, *, takes_descriptors: bool = False) -> None:
        self._end = end
        self._largest = largest
        self._takes_descriptors = takes_descriptors
        self._descriptors: deque[int] = deque()
        self._sending = threading.Lock()
        self.size = 0
        """Bytes of the frame that was yielded last."""

    def send(self, frame: Frame, descriptor: int | None = None) -> None:
        """Send a frame, and a copy of a file descriptor with it.

        :raises ValueError: if the frame is not JSON, or too large.
        :raises OSError: if the other end is gone or does not read.
        """
        body = _ENCODER.encode(frame).encode("utf-8", "surrogatepass")
        if len(body) > LARGEST_FRAME:
            raise ValueError(f"a frame of {len(body):,} bytes is too large")
        whole = memoryview(_HEAD.pack(len(body)) + body)
        with self._sending:
            if descriptor is not None:
                whole = whole[socket.send_fds(self._end, [whole], [descriptor]) :]
            if whole:
                self._end.sendall(whole)

    def frames(self) -> Iterator[tuple[dict[str, Any], int | None]]:
        """Yield the frames that arrive, each with the descriptor that it brings, until the other end closes.

        :raises Garbage: for anything that is not a frame.
        :raises OSError: if the connection breaks.
        """
        buffer = bytearray()
        while True:
            size = _HEAD.unpack_from(buffer)[0] if len(buffer) >= _HEAD.size else None
            if size is not None and size > self._largest:
                raise Garbage(f"a frame of {size:,} bytes, where {self._largest:,} are allowed")
            if size is None or len(buffer) < _HEAD.size + size:
                more = self._receive()
                if not more:
                    return
                buffer += more
                continue
            body = bytes(memoryview(buffer)[_HEAD.size : _HEAD.size + size])
            del buffer[: _HEAD.size + size]
            self.size = len(body)
            frame = _decoded(body)
            yield frame, self._descriptors.popleft() if frame.get("socket") is True and self._descriptors else None

    def _receive(self) -> bytes:
        if not self._takes_descriptors:
            return self._end.recv(_CHUNK)
        data, brought, _, _ = self._end.recvmsg(_CHUNK, _DESCRIPTORS)
        for level, kind, packed in brought:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._descriptors.extend(struct.unpack(f"{len(packed) // 4}i", packed[: len(packed) // 4 * 4]))
        return data

    def close(self) -> None:
        """Close this end, and wake the thread that reads from it."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def leave(self) -> None:
        """Close this process's copy of the end; the process that it was forked from keeps using it."""
        self._end.close()


def _decoded(body: bytes) -> dict[str, Any]:
    if len(body) > _MANY and body.count(b"[") + body.count(b"{") > _MOST_NODES:
        raise Garbage(f"a frame of more than {_MOST_NODES:,} objects and arrays")
    try:
        frame = _DECODER.decode(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise Garbage(f"a frame that is not JSON ({type(error).__name__})") from None
    if not isinstance(frame, dict):
        raise Garbage("a frame that is not a JSON object")
    return frame
