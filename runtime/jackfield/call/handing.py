"""Events that an action emits while it runs: passed from its thread, masked, through a bounded
channel to the reader.

A ``read`` waits for its reader: a full channel blocks it until the deadline, and it ends when the
reader leaves. Any other action runs to its end: a full channel drops further events, and the output
contains everything.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector.reading import AttemptEvents
from jackfield.kernel.errors import Cancelled, JackfieldError, Sent, TimedOut
from jackfield.redaction.outputs import Joints
from jackfield.schema.json_values import to_json

if TYPE_CHECKING:
    import asyncio

    from jackfield.call.open import OpenConnection
    from jackfield.kernel.clock import Deadline
    from jackfield.redaction.outputs import OutputMask

Event = Mapping[str, Any]

ROOM = 1024 * 1024
"""Maximum bytes of JSON that wait for a reader; a single event may be larger."""


class Channel:
    """Events on their way from the thread of an action to one reader, a thread or a task."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Event, int]] = deque()
        self._size = 0
        self._asking: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._has_ended = self._is_full = False
        self.has_left = False
        """True once the reader has left."""
        self.given = 0
        """Number of events that the reader got, or that wait for him."""
        self.skipped = 0
        """Number of events that were not handed on: the reader was too slow for an action that does
        not wait.
        """
        self._close: Callable[[], None] | None = None

    def reader(
        self, opening: OpenConnection | None, deadline: Deadline, *, reads: bool, in_loop: bool
    ) -> Handing:
        """Return the receiver of an attempt's events, which masks them. ``reads``: the action only
        reads; ``in_loop``: the receiver must not block.
        """
        mask = None if opening is None else opening.cache.output_mask
        return Handing(self, mask, deadline, reads=reads, in_loop=in_loop)

    def put(self, event: Event, size: int, wait: Callable[[], float]) -> bool:
        """Add an event, and wait for space. If there is no space within the seconds that ``wait``
        returns, drop the event and return False.
        """
        with self._changed:
            while not self.has_left and self._size and self._size + size > ROOM:
                left = wait()
                if left <= 0:
                    self._is_full = True
                    break
                self._changed.wait(left)
            if self.has_left:
                return True
            if self._is_full:
                self.skipped += 1
                return False
            self._waiting.append((event, size))
            self._size += size
            self.given += 1
            self._tell()
        return True

    def end(self) -> None:
        """Tell the reader that no more events come."""
        with self._changed:
            self._has_ended = True
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        if self._asking is not None:
            loop, asked = self._asking
            self._asking = None
            loop.call_soon_threadsafe(_resolve, asked)

    def take(self) -> Event | None:
        """Wait for the next event; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended)
            return self._taken()

    def drop(self) -> None:
        """Discard all events that come, and wait for the end."""
        with self._changed:
            while not self._has_ended:
                self._waiting.clear()
                self._size = 0
                self._changed.notify_all()
                self._changed.wait()

    async def atake(self) -> Event | None:
        """Wait for the next event in an event loop; None at the end."""
        while True:
            with self._changed:
                if self._waiting or self._has_ended:
                    return self._taken()
                loop = sys.modules["asyncio"].get_running_loop()  # it runs this
                asked: asyncio.Future[None] = loop.create_future()
                self._asking = loop, asked
            await asked

    def _taken(self) -> Event | None:
        if not self._waiting:
            return None
        event, size = self._waiting.popleft()
        self._size -= size
        self._changed.notify_all()
        return event

    def closes(self, close: Callable[[], None]) -> None:
        """Call ``close`` when the reader leaves, to end the wait for the provider's next event."""
        with self._changed:
            self._close = close
            has_left = self.has_left
        if has_left:
            close()

    def leave(self) -> None:
        """Note that the reader has left."""
        with self._changed:
            self.has_left, close = True, self._close
            self._waiting.clear()
            self._size = 0
            self._changed.notify_all()
        if close is not None:
            close()


def _resolve(asked: asyncio.Future[None]) -> None:
    if not asked.done():
        asked.set_result(None)


class Handing(AttemptEvents):
    """Events of one attempt for a reader. A ``read`` ends when the reader leaves, and waits for a
    reader with its own thread.
    """

    def __init__(
        self,
        channel: Channel,
        mask: OutputMask | None,
        deadline: Deadline,
        *,
        reads: bool,
        in_loop: bool,
    ) -> None:
        super().__init__()
        self._channel, self._deadline = channel, deadline
        self._reads, self._waits = reads, reads and not in_loop
        self._joints = None if mask is None else Joints(mask)

    def hand_on(self, event: Event) -> None:
        """Pass an event to the reader.

        :raises Cancelled: if the reader of a ``read`` has left.
        :raises TimedOut: if the reader has not read enough events by the deadline.
        """
        super().hand_on(event)
        self._check()
        whole: Any = to_json(event)[0]
        for one in (whole,) if self._joints is None else self._joints.push(whole):
            self._put(one)
        self._check()

    def finished(
        self, error: JackfieldError | None, warn: Callable[[str], None]
    ) -> JackfieldError | None:
        """Pass on the withheld events of an ended attempt. Return its error, else the error that
        the reader of a ``read`` has left, else None.

        An attempt that has emitted events is not repeated: its reader would get them twice.
        """
        for one in () if self._joints is None else self._joints.rest():
            self._put(one)
        if self._channel.skipped:
            warn(
                f"{self._channel.skipped:,} events were not handed on, for {ROOM:,} bytes of "
                "others waited: the output has them"
            )
        if error is not None and self._reads and self._channel.has_left:
            return self._left()
        if error is not None and self._channel.given:
            error.repeatable, error.sent = False, Sent.UNKNOWN
        return error

    def closes(self, close: Callable[[], None]) -> None:
        """Call ``close`` when the reader of a ``read`` leaves, to end the wait for the provider."""
        if self._reads:
            self._channel.closes(close)

    def _put(self, event: Event) -> None:
        size = len(json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if (
            not self._channel.put(event, size, self._deadline.remaining if self._waits else _never)
            and self._waits
        ):
            text = (
                f"the deadline of {self._deadline.seconds:g} s passed while {ROOM:,} bytes "
                "of events waited for their reader"
            )
            raise TimedOut(
                text,
                hint="Read faster, or raise 'timeoutSeconds'.",
                sent=Sent.UNKNOWN,
                repeatable=False,
            )

    def _check(self) -> None:
        if self._reads and self._channel.has_left:
            raise self._left()

    def _left(self) -> Cancelled:
        count = self._channel.given
        return Cancelled(
            f"the caller left after {count} event{'' if count == 1 else 's'}",
            sent=Sent.UNKNOWN,
            repeatable=False,
        )


def _never() -> float:
    return 0.0
