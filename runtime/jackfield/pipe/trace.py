"""What the outermost boundary must know of an invocation that may fail anywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Meta, new_invocation_id

if TYPE_CHECKING:
    from jackfield.journal import Claimed
    from jackfield.pipe.open import Opening
    from jackfield.pipe.permit import Caller
    from jackfield.pipe.record import Record
    from jackfield.pipe.run import Run
    from jackfield.redaction import Redactor

__all__ = ["Trace"]


class Trace:
    """What the outermost boundary must know of a run that may have failed anywhere."""

    __slots__ = ("caller", "cancelled", "claimed", "inputs", "meta", "opening", "record", "run", "started", "wait")

    def __init__(self, cancelled: threading.Event | None, caller: Caller, *, wait: bool | float, claimed: Claimed | None = None) -> None:
        self.meta = Meta(claimed.id if claimed is not None else new_invocation_id())
        self.claimed = claimed
        self.cancelled = cancelled or threading.Event()
        self.caller = caller
        self.wait = wait
        self.started = time.perf_counter()
        self.record: Record | None = None
        self.run: Run | None = None
        self.opening: Opening | None = None
        self.inputs: Mapping[str, Any] = {}

    @property
    def redactor(self) -> Redactor | None:
        """Masks the secrets of the connection; None before one is open."""
        return self.opening.cache.redactor if self.opening is not None else None

    def ended(self) -> Meta:
        """The meta of a run that has ended now."""
        if self.run is not None:
            self.meta.attempts = self.run.attempts
        self.meta.duration_ms = round((time.perf_counter() - self.started) * 1000, 3)
        return self.meta
