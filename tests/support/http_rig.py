"""HTTP clients under test: opened as the runtime opens them, for one attempt, and a server of
HTTP/2 over TLS.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import h2.config
import h2.connection
import h2.events

from jackfield.connector import ANYWHERE, Call, ConnectionType, Guard, Minted, OpenContext
from jackfield.connector.context import entered
from jackfield.kernel.clock import Clock, Deadline, SystemClock
from jackfield_http import BearerToken, HttpClient

TOKEN = "tok-4711-secret"


class Acme(BearerToken):
    """An account at Acme."""

    key: ClassVar[str] = "acmeToken"
    title: ClassVar[str] = "Acme Token"


class Cache:
    """Leases and objects of one connection, without sharing or expiry."""

    def __init__(self) -> None:
        self.minted: dict[str, Minted] = {}
        self.objects: dict[object, Any] = {}
        self.mints = 0

    def lease(
        self, key: str, mint: Callable[[], Minted], deadline: Deadline, *, outlasts: bool = False
    ) -> Minted:
        """The credential under ``key``, minted at the first call."""
        if key not in self.minted:
            self.mints += 1
            self.minted[key] = mint()
        return self.minted[key]

    def drop(self, key: str, used: Minted) -> None:
        """Forget a credential."""
        if self.minted.get(key) is used:
            del self.minted[key]

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """The object under ``key``."""
        if key not in self.objects:
            self.objects[key] = make()
        return self.objects[key]


@contextlib.contextmanager
def attempt(
    url: str,
    kind: type[ConnectionType] = Acme,
    *,
    seconds: float = 60.0,
    guard: Guard = ANYWHERE,
    cache: Cache | None = None,
    clock: Clock | None = None,
    values: Mapping[str, Any] | None = None,
) -> Iterator[tuple[HttpClient, Call]]:
    """The client of one attempt, and its call."""
    ticking = clock or SystemClock()
    call = Call(Deadline.after(seconds, ticking), invocation_id="i-1")
    context = OpenContext(
        "default", "acme", "acme", {}, {}, call, ticking, {}, cache or Cache(), guard
    )
    given = (
        values if values is not None else {"token": TOKEN} if "token" in kind.model_fields else {}
    )
    with entered(call):
        call.entered = True
        yield kind.model_validate({"server": url, **given}).open(context), call


def talk_http2(
    connection: ssl.SSLSocket, answer: Callable[[dict[str, str]], tuple[int, bytes]]
) -> None:
    """Speak HTTP/2 on a connection until its end; ``answer`` takes the request's header fields."""
    spoken = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
    )
    spoken.initiate_connection()
    connection.sendall(spoken.data_to_send())
    with contextlib.suppress(OSError):
        while data := connection.recv(65536):
            for event in spoken.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    status, body = answer(
                        {str(name): str(value) for name, value in event.headers or ()}
                    )
                    spoken.send_headers(
                        event.stream_id,
                        [(":status", str(status)), ("content-type", "application/json")],
                    )
                    spoken.send_data(event.stream_id, body, end_stream=True)
            connection.sendall(spoken.data_to_send())
