"""One HTTP request and its answer, independent of the transport."""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"


@dataclass(slots=True)
class HttpRequest:
    """One request; header names in lower case, path and query as received (still
    percent-encoded).
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes | bytearray

    @property
    def closes(self) -> bool:
        """True if the caller requested to close the connection after the response."""
        return self.headers.get("connection", "").lower() == "close"


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP response of the simulator."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
