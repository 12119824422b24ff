"""Stream of one call: its events as they come, then its Result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from jackfield.call.handing import Channel
from jackfield.kernel.ends import is_ending, no_thread
from jackfield.kernel.errors import Internal

if TYPE_CHECKING:
    from types import TracebackType

    from jackfield.call.how import How
    from jackfield.invocation import Result

Event = Mapping[str, Any]


class Stream:
    """Events of a call that runs in its own thread, for ``for`` or ``async for``; ``result`` is its
    Result.

    A reader who leaves, by ``close`` or by dropping the stream, ends a ``read``; any other action
    runs to its end.
    """

    def __init__(self, how: How, work: Callable[[], Result]) -> None:
        self.invocation_id = how.meta.invocation_id
        """ID of the invocation."""
        self._channel = how.channel = Channel()
        self._cancelled = how.cancelled
        self._outcome: list[Result] = []
        thread = threading.Thread(
            target=_work,
            args=(work, self._channel, self._outcome),
            name="jackfield-stream",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:
            if is_ending():
                raise no_thread() from None
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self._channel.take()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._channel.atake()
        if event is None:
            raise StopAsyncIteration
        return event

    @property
    def result(self) -> Result:
        """Result of the call. Before the end this waits, and drops the events that have not been
        read.

        :raises Internal: if there is none, since its thread was ended (``sys.exit``).
        """
        self._channel.drop()
        if not self._outcome:
            raise Internal("the call ended its thread without a Result")
        return self._outcome[0]

    def close(self) -> None:
        """Stop reading. A ``read`` ends; any other action sends nothing that it has not begun to
        send.
        """
        self._cancelled.set()
        self._channel.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_channel"):
            self.close()


def _work(work: Callable[[], Result], channel: Channel, outcome: list[Result]) -> None:
    try:
        outcome.append(work())
    finally:
        channel.end()
