"""Events that an action hands on while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jackfield.errors import JackfieldError


class Events:
    """Events of one attempt. Nobody takes them, unless the caller asked for them."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
        """Number of events that the action has handed on."""

    def hand_on(self, event: Mapping[str, Any]) -> None:
        """Take an event."""
        del event
        self.count += 1

    def closes(self, close: Callable[[], None]) -> None:
        """Name what ends the wait for the provider's next event: it is called, in another thread, if the caller of a ``read`` leaves."""

    def finished(self, error: JackfieldError | None, warn: Callable[[str], None]) -> JackfieldError | None:
        """Take the end of the attempt; return its error. ``warn`` tells the caller of a success something."""
        del warn
        return error
