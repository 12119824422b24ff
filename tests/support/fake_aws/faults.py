"""Scripted misbehaviour: what a fault says, and the queue that hands faults out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

KINDS = frozenset(
    {
        "pass",
        "reset",
        "close",
        "hang",
        "status",
        "body",
        "cut",
        "drip",
        "latency",
        "close_idle",
        "expire",
        "reset_before_read",
    }
)
_NOT_ACCEPTED = frozenset({"status", "body"})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of a script; the package's docstring says what each `do` means.

    `seconds` and `bytes` are None where the kind's own default shall hold. `accept` None means the
    kind's default.
    """

    do: str
    operation: str = "*"
    times: int = 1
    always: bool = False
    accept: bool | None = None
    seconds: float | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str | None = None
    bytes: int | None = None
    head: bool = False

    def __post_init__(self) -> None:
        if self.do not in KINDS:
            raise ValueError(f"unknown fault {self.do!r}; one of {', '.join(sorted(KINDS))}")

    @property
    def accepts(self) -> bool:
        """Whether AWS takes the request before it misbehaves."""
        return self.accept if self.accept is not None else self.do not in _NOT_ACCEPTED

    def fits(self, service: str, operation: str) -> bool:
        """Whether this fault is meant for the operation."""
        return self.operation in ("*", operation, f"{service}:{operation}")


def raw_body(fault: Fault) -> bytes | None:
    """Return the body that a fault gives, as bytes; None where it gives none."""
    if fault.body is None or isinstance(fault.body, bytes):
        return fault.body
    return (fault.body if isinstance(fault.body, str) else json.dumps(fault.body)).encode()


class Script:
    """The queue of faults and the standing ones. Thread-safe."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []
        self._standing: list[Fault] = []
        self.extend(faults)

    def extend(self, faults: Iterable[Fault]) -> None:
        """Append faults in their order."""
        with self._lock:
            for fault in faults:
                (self._standing if fault.always else self._queue).append(fault)

    def take(self, service: str, operation: str) -> Fault | None:
        """Return the fault for this request, taken from the queue; None for an honest answer."""
        if not self._queue and not self._standing:
            return None
        with self._lock:
            return self._next(
                lambda fault: fault.do != "reset_before_read" and fault.fits(service, operation)
            )

    def take_connection(self) -> Fault | None:
        """Return the fault for a connection that was just accepted."""
        if not self._queue and not self._standing:
            return None
        with self._lock:
            return self._next(lambda fault: fault.do == "reset_before_read")

    def _next(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        for position, fault in enumerate(self._queue):
            if wanted(fault):
                if fault.times > 1:
                    self._queue[position] = replace(fault, times=fault.times - 1)
                else:
                    del self._queue[position]
                return fault
        return next((fault for fault in self._standing if wanted(fault)), None)
