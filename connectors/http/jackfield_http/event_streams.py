"""Events of a stream (WHATWG HTML §9.2), parsed incrementally in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jackfield.kernel.dataclass import dataclass

_END = re.compile(rb"\r\n|\r|\n")
_MARK = b"\xef\xbb\xbf"
_LONGEST_ID = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """Server-sent event: its data, ``name`` and ``id``, if set. ``last_id`` is the ID of the latest
    event with an ID: the stream can be resumed after it.
    """

    data: bytes
    last_id: str | None
    name: str | None = None
    id: str | None = None


class EventReader:
    """Reader of one stream. ``last_id`` is the ID of the last whole event, ``retry`` the server's
    reconnection time in seconds. Both are None if the server sends neither. An ID of more than
    1,024 characters counts as empty: the stream cannot be resumed after it.
    """

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.retry: float | None = None
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._name: str | None = None
        self._id: str | None = None
        self._next_id: str | None = None
        self._ended_by_return = False
        self._is_first = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Parse the next bytes; yield the events that they complete."""
        if self._is_first and chunk:
            chunk, self._is_first = chunk.removeprefix(_MARK), False
        if not chunk:
            return
        if self._ended_by_return and chunk[:1] == b"\n":
            chunk = chunk[1:]
        start = 0
        for end in _END.finditer(chunk):
            self._line.append(chunk[start : end.start()])
            line, start = b"".join(self._line), end.end()
            self._line.clear()
            found = self._take(line)
            if found is not None:
                yield found
        if start < len(chunk):
            self._line.append(chunk[start:])
        self._ended_by_return = chunk.endswith(b"\r")

    def rest(self) -> Iterator[Event]:
        """Yield the event at the end of the stream if its sender omitted the empty line after
        it.
        """
        for line in (b"".join(self._line), b""):
            self._line.clear()
            found = self._take(line)
            if found is not None:
                yield found

    def _take(self, line: bytes) -> Event | None:
        if not line:
            self.last_id = self._next_id
            found = (
                Event(b"\n".join(self._data), self.last_id, self._name, self._id)
                if self._data
                else None
            )
            self._data, self._name, self._id = [], None, None
            return found
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value[:_LONGEST_ID].decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            identifier = value.decode("utf-8", "replace")
            self._id = self._next_id = identifier if len(identifier) <= _LONGEST_ID else ""
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self.retry = int(value) / 1000
        return None
