"""Stream of a legacy server for questions and answers outside of a call's response, read while the
call continues.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from jackfield_http.answers import StreamedAnswer

_OPENS_WITHIN = 2.0
"""Maximum wait for the server to open the stream, in seconds: many servers have none."""
_ENDS_WITHIN, _ENDS_SOON = 1.0, 0.1
"""Maximum wait for the thread's end, and for that of a thread that the call did not need: its
server may never open the stream.
"""

Json = Mapping[str, Any]
Tell = Callable[[Json], object]
"""Reports a server's progress to the caller who follows the request."""


class Awaited(Protocol):
    """Message that a server answers on any stream of the session."""

    def is_answered_by(self, found: Json) -> bool:
        """Return whether ``found`` is the answer to this message."""

    def is_worked_on(self, found: Json) -> bool:
        """Return whether ``found``, from a stream of all requests, proves that the server has begun
        this one.
        """


class Mailbox:
    """Messages on the streams of one session, for the exchanges that wait for them. Any open stream
    may bring any answer.

    ``is_used`` means that the server sends answers there, so that a stream must be open before a
    message is sent.
    """

    def __init__(self) -> None:
        self.is_used = False
        self._changed = threading.Condition()
        self._awaited: dict[Awaited, Json | None] = {}
        self._begun = set[Awaited]()
        self._tells: dict[Awaited, Tell] = {}
        self._streams = 0

    @property
    def is_read(self) -> bool:
        """True while a stream is open."""
        return self._streams > 0

    @contextmanager
    def awaiting(self, message: Awaited, tell: Tell | None) -> Iterator[None]:
        """Accept the answer to a message within the block, and its progress if somebody follows
        it.
        """
        with self._changed:
            self._awaited[message] = None
            if tell is not None:
                self._tells[message] = tell
        try:
            yield
        finally:
            with self._changed:
                del self._awaited[message]
                self._tells.pop(message, None)
                self._begun.discard(message)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a stream as open within the block."""
        with self._changed:
            self._streams += 1
        try:
            yield
        finally:
            with self._changed:
                self._streams -= 1
                self._changed.notify_all()

    def deliver(self, found: Json) -> None:
        """Store a server's message for the exchange that it answers, or note the requests that it
        proves begun.
        """
        with self._changed:
            for message in self._awaited:
                if message.is_answered_by(found):
                    self._awaited[message] = found
                    self._changed.notify_all()
                    return
            begun = [message for message in self._awaited if message.is_worked_on(found)]
            self._begun.update(begun)
            tells = [self._tells[message] for message in begun if message in self._tells]
            self._changed.notify_all()
        for tell in tells:
            tell(found)

    def note_work(self, message: Awaited) -> None:
        """Note that the server has begun an awaited request."""
        with self._changed:
            if message in self._awaited:
                self._begun.add(message)

    def has_begun(self, message: Awaited, within: float = 0.0) -> bool:
        """Return whether the server is known to have begun an awaited request: by its messages, or
        since it has sent a result.

        Wait up to ``within`` seconds for them while a stream is open.
        """

        def is_known() -> bool:
            return message in self._begun or "result" in (self._awaited[message] or {})

        with self._changed:
            self._changed.wait_for(lambda: is_known() or not self._streams, within)
            return is_known()

    def wait(self, message: Awaited, seconds: float) -> Json | None:
        """Return the answer to an awaited message; None if all streams end without it, or after
        ``seconds``.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._awaited[message] is not None or not self._streams,
                min(max(0.0, seconds), threading.TIMEOUT_MAX),
            )
            return self._awaited[message]


class Listener:
    """Thread that reads the stream. ``open_stream`` opens the stream, passes the response to its
    argument, and reads to the end. It is called ``after`` some seconds, unless the block ends
    before; without them, the block begins once the stream is open.
    """

    def __init__(
        self, open_stream: Callable[[Callable[[StreamedAnswer], None]], None], after: float = 0.0
    ) -> None:
        self._open_stream = open_stream
        self._after = after
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._answer: StreamedAnswer | None = None
        self._is_over = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within the block."""
        thread = threading.Thread(target=self._run, name="jackfield mcp listener", daemon=True)
        thread.start()
        try:
            if not self._after:
                self._ready.wait(_OPENS_WITHIN)
            yield
        finally:
            self._ended.set()
            with self._lock:
                self._is_over, answer = True, self._answer
            if answer is not None:
                answer.abort()
            thread.join(_ENDS_SOON if self._after else _ENDS_WITHIN)

    def _run(self) -> None:
        try:
            if not self._after or not self._ended.wait(self._after):
                self._open_stream(self._opened)
        finally:
            self._ready.set()

    def _opened(self, answer: StreamedAnswer) -> None:
        with self._lock:
            self._answer = answer
            is_over = self._is_over
        self._ready.set()
        if is_over:
            answer.abort()
