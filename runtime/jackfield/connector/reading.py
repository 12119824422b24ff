"""Ports of an attempt: events that an action emits while it runs, stored files, and a response that
could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO, Protocol

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError


class AttemptEvents:
    """Events of one attempt. This class only counts them; a subclass passes them to a caller who
    requested events.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
        """Number of events that the action has handed on."""

    def hand_on(self, event: Mapping[str, Any]) -> None:
        """Count an event."""
        del event
        self.count += 1

    def closes(self, close: Callable[[], None]) -> None:
        """Register a function that ends the wait for the provider's next event. It is called, in
        another thread, if the caller of a ``read`` leaves.
        """

    def finished(
        self, error: JackfieldError | None, warn: Callable[[str], None]
    ) -> JackfieldError | None:
        """End the events of the attempt; return its error, or None after a success. ``warn`` adds a
        warning to a successful call.
        """
        del warn
        return error


class FileSource(Protocol):
    """Stored file that a ``StreamedFile`` reads."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def content_type(self) -> str:
        """Media type."""

    @property
    def name(self) -> str | None:
        """File name, if known."""

    def open(self) -> BinaryIO:
        """Return a new reader of the content."""


class FileStore(Protocol):
    """Storage of the files of one workspace."""

    def store(
        self, chunks: Iterable[bytes], content_type: str, name: str | None
    ) -> Mapping[str, object]:
        """Store content and return the file as it appears in the output."""

    def find(self, identifier: str) -> FileSource | None:
        """Return a stored file by its ID; None if no such file exists, or it has expired."""


@dataclass(frozen=True, slots=True, repr=False)
class Unread:
    """Response that proves a success although its body could not be read. ``output`` is a
    placeholder: if the action returns it unchanged, the action has nothing more to send, and the
    call has succeeded without output. ``error`` says why the body could not be read, and ends the
    call in any other case. ``content`` is the body as received.
    """

    output: Any
    error: JackfieldError
    content: bytes | None = None
    content_type: str = ""
