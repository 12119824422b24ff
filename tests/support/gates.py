"""Gates at which the echo waits: a port of 127.0.0.1 that says when somebody has come, and lets
them go on.
"""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Self


class Gatekeeper:
    """A context manager; ``port`` is where to wait. Everybody goes on when it is left."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(120)
        self._held: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.open()

    def wait(self) -> None:
        """Until the next one has come."""
        connection, _ = self._listener.accept()
        connection.settimeout(120)
        connection.recv(5)
        self._held.append(connection)

    def open(self) -> None:
        """Let everybody go on who is here."""
        while self._held:
            with contextlib.suppress(OSError):
                self._held.pop().close()
