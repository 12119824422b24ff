"""What the outermost boundary must know of an invocation that may fail anywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Meta, new_invocation_id

if TYPE_CHECKING:
    from jackfield.journal import Claimed
    from jackfield.pipe.admit import Target
    from jackfield.pipe.open import Opening
    from jackfield.pipe.permit import Caller
    from jackfield.pipe.record import Record
    from jackfield.pipe.run import Run
    from jackfield.redaction import Redactor

__all__ = ["Trace"]


class Trace:
    """What the outermost boundary must know of a run that may have failed anywhere."""

    __slots__ = ("caller", "cancelled", "claimed", "inline", "inputs", "meta", "opening", "record", "run", "started", "target", "wait")

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
        self.inline: object = None
        """The values of an inline connection as they came in."""
        self.target: Target | None = None

    @property
    def redactor(self) -> Redactor | None:
        """Masks the secrets of the connection: those of one that is open, else what is known of it by now; None where that is nothing.

        The secret may stand in another value or in the inputs, too, which a refusal quotes.
        """
        if self.opening is not None:
            return self.opening.cache.redactor
        if self.target is None and self.inline is None:
            return None
        from jackfield.redaction import Redactor, confidential_values, leaves, secret_values  # noqa: PLC0415 (only a refusal pays for it)

        if self.target is None:
            return Redactor(leaves(self.inline))
        schema, values = self.target.kind.schema, self.target.values
        return Redactor(secret_values(schema, values) | confidential_values(schema, values))

    def ended(self) -> Meta:
        """The meta of a run that has ended now."""
        if self.run is not None:
            self.meta.attempts = self.run.attempts
        self.meta.duration_ms = round((time.perf_counter() - self.started) * 1000, 3)
        return self.meta
