"""Circumstances of a call: the caller, the kind of wait, the deadline, and the progress reports."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.invocation import Meta, new_invocation_id
from jackfield.kernel.clock import arrived as _arrived
from jackfield.kernel.clock import monotonic
from jackfield.kernel.failures import attempt

if TYPE_CHECKING:
    from jackfield.call.waiter import Waiter
    from jackfield.callers import Caller
    from jackfield.connector.context import AskCaller
    from jackfield.connector.reading import AttemptEvents
    from jackfield.invocation.claimed import Claimed
    from jackfield.invocation.entry import Entry
    from jackfield.kernel.clock import Deadline
    from jackfield.kernel.errors import JackfieldError
    from jackfield.redaction.redactor import Redactor

Follow = Callable[[Mapping[str, Any]], object]
"""Function that receives a call's progress. A job reports ``fraction``, from 0 to 1, and ``text``;
a list ``step``, the pages read, and ``text``; a wait ``text``. An unknown fraction is 0.
"""
_BETWEEN = 0.1
"""Minimum seconds between two reports of an action's own progress."""
_TOLD = 1.0
"""Minimum seconds of a wait that is reported to a caller who follows the call."""


class Listener(Protocol):
    """Receiver of the events of a call."""

    def reader(
        self, opening: Any, deadline: Deadline, *, reads: bool, in_loop: bool
    ) -> AttemptEvents:
        """Return the receiver of one attempt's events."""


class Again:
    """Doubt whose request is sent again at a person's request. ``refusal`` is the error because of
    which nothing was sent.
    """

    __slots__ = ("entry", "refusal")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.refusal: JackfieldError | None = None


class How:
    """Circumstances of a call, given by its surface. ``meta`` is filled in as the call goes on.

    - ``wait``: if a call with the same idempotency key runs, wait for it up to the deadline (True)
      or for the given seconds.
    - ``cancelled``: set once the caller has left: then nothing more is sent.
    - ``claimed``: the delivery of a queued call.
    - ``handled``: the exception that the caller was handling, as context of all exceptions raised
      since.
    - ``tries``: the caller's limit of attempts per page.
    - ``follow``: gets the progress of the call while the caller waits.
    - ``settles``: commit the outcome before the caller gets it, unless other calls run. If False,
      it may wait until a process ends.
    - ``arrived``: time at which the request arrived, by the runtime's monotonic clock; None: the
      time at which it is run. The ``deadline`` counts from there, and is None until the request is
      parsed.
    - ``channel``: receives the events that the action emits, if the caller requested them.
    - ``ask_caller``: asks the caller a question that the provider asks a person; None if the caller
      cannot be asked.
    """

    __slots__ = (
        "arrived",
        "ask_caller",
        "caller",
        "cancelled",
        "channel",
        "claimed",
        "deadline",
        "follow",
        "handled",
        "meta",
        "settles",
        "started",
        "tries",
        "wait",
        "waiter",
    )
    again: Again | None = None
    """Doubt whose request the call sends again at a person's request; None for most calls."""
    deadline: Deadline

    def __init__(
        self,
        waiter: Waiter,
        caller: Caller,
        cancelled: threading.Event | None = None,
        *,
        wait: bool | float = False,
        claimed: Claimed | None = None,
        follow: Follow | None = None,
        arrived: float | None = None,
        settles: bool = False,
    ) -> None:
        self.arrived = _arrived() if arrived is None and claimed is None else arrived
        self.waiter, self.caller, self.wait, self.claimed, self.follow = (
            waiter,
            caller,
            wait,
            claimed,
            follow,
        )
        self.settles = settles
        self.tries: int | None = None
        self.ask_caller: AskCaller | None = None
        self.channel: Listener | None = None
        self.meta = Meta(claimed.id if claimed is not None else new_invocation_id())
        self.handled = sys.exception()
        self.cancelled = cancelled or threading.Event()
        self.started = time.perf_counter()

    def ended(self, attempts: int = 0) -> Meta:
        """Complete and return the meta of a call that ends now, after this number of
        ``attempts``.
        """
        self.meta.attempts = attempts
        self.meta.duration_ms = round((time.perf_counter() - self.started) * 1000, 3)
        return self.meta

    def tell(self, text: str, **more: int) -> None:
        """Report the progress of the call to a caller who follows it."""
        if self.follow is not None:
            self.follow({"fraction": 0.0, "text": text, **more})

    async def pause(self, seconds: float, code: str) -> None:
        """Wait before the call tries again after an error with this code."""
        if seconds >= _TOLD:
            self.tell(f"It waits {seconds:.0f} s before it tries again ({code}).")
        await self.waiter.pause(seconds, self.cancelled)


class HowAgain(How):
    """Circumstances of a call that sends the request of a doubt again at a person's request."""

    __slots__ = ("again",)

    def __init__(self, waiter: Waiter, caller: Caller) -> None:
        super().__init__(waiter, caller, settles=True)
        self.again: Again | None = None


class ProgressWords:
    """Progress of an action, passed to the call's followers: masked, never falling, at most ten
    times a second. An exception of a follower is ignored. ``redactor`` returns the redactor of the
    call's secrets.
    """

    __slots__ = ("_follow", "_fraction", "_last", "_redactor")

    def __init__(self, follow: Follow, redactor: Callable[[], Redactor | None]) -> None:
        self._follow, self._redactor = follow, redactor
        self._fraction, self._last = 0.0, -_BETWEEN

    def __call__(self, fraction: float | None, text: str) -> None:
        """Report the progress to the caller, unless the last report is too recent."""
        now = monotonic()
        if now - self._last < _BETWEEN and (fraction or 0.0) < 1:
            return
        redactor, self._last = self._redactor(), now
        self._fraction = max(self._fraction, min(1.0, fraction or 0.0))
        shown = text if redactor is None else redactor.clean(text)
        attempt(self._follow, {"fraction": self._fraction, "text": shown})
