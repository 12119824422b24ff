"""FakeAws: the fake inside the test process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from jackfield_aws_ses_simulator.aws.ledger import Session
from jackfield_aws_ses_simulator.aws.messages import SentMessage

from .faults import Fault
from .options import parse
from .server import FaultyServer
from .state import Request, State


class FakeAws:
    """A fake AWS endpoint in threads of this process; a context manager, or start() and stop().

    `clock` gives the seconds since the epoch by which sessions expire; `advance()` moves it on. The
    other arguments are described in the package's docstring. ValueError for an option that does not
    exist.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, **options: Any) -> None:
        self._state = State(parse(options), clock)
        self._port = 0
        self._server: FaultyServer | None = None

    def start(self) -> Self:
        """Open the port and serve; after stop() the same port again."""
        if self._server is None:
            self._server = FaultyServer(self._state, self._port)
            self._server.start()
        return self

    def stop(self) -> None:
        """Close the port, which then refuses connections, and every connection. What was recorded
        stays readable.
        """
        if self._server is not None:
            self._port = self._server.port
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; RuntimeError before start()."""
        if self._server is None:
            raise RuntimeError("the fake is not running")
        return self._server.url

    @property
    def requests(self) -> list[Request]:
        """Every request that was read whole, in order."""
        return self._state.requests

    @property
    def messages(self) -> list[SentMessage]:
        """Every send that was accepted, in order."""
        return list(self._state.messages)

    @property
    def sessions(self) -> list[Session]:
        """Every role that was assumed, in order."""
        return list(self._state.sessions.values())

    @property
    def counts(self) -> Counter[str]:
        """Requests by `service:Operation`; 0 for one that never came."""
        return Counter(self._state.counts)

    @property
    def connections(self) -> int:
        """Connections that were opened."""
        return self._state.connections

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        return self._state.open_connections

    @property
    def received(self) -> int:
        """Sends whose request was read whole."""
        return self._state.received

    @property
    def accepted(self) -> int:
        """Sends that were accepted."""
        return self._state.accepted

    def calls(self) -> list[str]:
        """`["sts:AssumeRole", "sesv2:SendEmail"]`: the names of the requests, in order."""
        return [request.name for request in self._state.requests]

    def script(self, faults: Iterable[Fault | Mapping[str, Any]]) -> None:
        """Append faults."""
        self._state.script.extend(parse({"script": faults}).script)

    def configure(self, **options: Any) -> None:
        """Change options while the fake runs; a new script counts from the next reset()."""
        self._state.configure(parse(options, self._state.settings))

    def renew(self, endpoint: Mapping[str, Any]) -> None:
        """Become as new, with a vector's endpoint for options."""
        self._state.configure(parse(endpoint))
        self._state.reset(sessions=True)

    def expire_sessions(self) -> None:
        """Every session made so far is over from now on."""
        self._state.expire_sessions()

    def advance(self, seconds: float) -> None:
        """Move the fake's clock on."""
        self._state.advance(seconds)

    def reset(self, *, sessions: bool = False) -> None:
        """Log, messages, counters and script as at the start; with `sessions`, forget these and the
        resources that calls made, too.
        """
        self._state.reset(sessions)

    def release(self) -> None:
        """End every hang: the held answers are sent."""
        if self._server is not None:
            self._server.release()

    def state(self) -> dict[str, Any]:
        """Return everything that happened, as JSON."""
        return self._state.as_json()

    def wait_until(self, condition: Callable[[FakeAws], bool], timeout: float = 60.0) -> bool:
        """Wait for the next requests until the condition holds; False where the time (seconds) runs
        out first.
        """
        with self._state.changed:
            return self._state.changed.wait_for(lambda: condition(self), timeout)
