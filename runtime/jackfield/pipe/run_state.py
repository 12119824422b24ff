"""State of one invocation on its way through the stages, which the outermost error boundary reads wherever the run fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Invocation, Meta, Result, new_invocation_id
from jackfield.pipe.settle import covering

if TYPE_CHECKING:
    from jackfield.access.workspace_access import Caller
    from jackfield.journal import Claimed
    from jackfield.pipe.admit import Target
    from jackfield.pipe.filling import Source
    from jackfield.pipe.open import OpenConnection
    from jackfield.pipe.recorder import Record
    from jackfield.pipe.run import Run
    from jackfield.pipe.waiter import Waiter
    from jackfield.redaction.redactor import Redactor


class RunState:
    """State of a run, for the outermost error boundary: the run may fail at any stage."""

    __slots__ = (
        "caller",
        "cancelled",
        "claimed",
        "files",
        "inline",
        "inputs",
        "kept",
        "meta",
        "opening",
        "record",
        "run",
        "started",
        "target",
        "unfound",
        "wait",
        "waiter",
    )

    def __init__(
        self, waiter: Waiter, cancelled: threading.Event | None, caller: Caller, *, wait: bool | float, claimed: Claimed | None = None
    ) -> None:
        self.meta = Meta(claimed.id if claimed is not None else new_invocation_id())
        self.claimed = claimed
        self.cancelled = cancelled or threading.Event()
        self.caller = caller
        self.wait = wait
        self.waiter = waiter
        self.started = time.perf_counter()
        self.record: Record | None = None
        self.kept: Result | None = None
        """The Result as it is recorded, where that differs from what the caller is shown; None before there is a success."""
        self.run: Run | None = None
        self.opening: OpenConnection | None = None
        self.inputs: Mapping[str, Any] = {}
        self.files: Mapping[str, Source] = {}
        """Stored files that the action reads as streams, by id."""
        self.inline: object = None
        """Values of an inline connection as received."""
        self.target: Target | None = None
        self.unfound: Callable[[], tuple[Invocation, Redactor | None]] | None = None
        """Returns the invocation and the redactor of its connection's secrets; set until connector and action are found."""

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the connection's secrets: of the open connection, else of the values known so far; None if there are none.

        It is needed even for a refusal, which may quote another value or an input that contains the secret.
        """
        if self.opening is not None:
            return self.opening.cache.redactor
        if self.unfound is not None:
            invocation, known = self.unfound()
            redactor = self._redactor_so_far() or known
            return None if redactor is None else covering(redactor, invocation)
        return self._redactor_so_far()

    def _redactor_so_far(self) -> Redactor | None:
        if self.target is None and self.inline is None:
            return None
        from jackfield.redaction.marks import confidential_values, leaves, secret_values
        from jackfield.redaction.redactor import Redactor

        if self.target is None:
            return Redactor(leaves(self.inline))
        schema, values = self.target.kind.schema, self.target.values
        return Redactor(secret_values(schema, values) | confidential_values(schema, values))

    def ended(self) -> Meta:
        """Complete and return the meta of a run that ends now."""
        if self.run is not None:
            self.meta.attempts = self.run.attempts
        self.meta.duration_ms = round((time.perf_counter() - self.started) * 1000, 3)
        return self.meta
