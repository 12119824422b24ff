"""A provider for tests of hosts that embed jackfield: it answers all methods, and can be asked to
wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jackfield_market.testing import loopback_provider
from jackfield_market.testing.loopback_provider import Answer, Request

SECRET = "tok-4711-very-secret-value"


@dataclass
class Provider:
    """``paths`` are those that were asked for; a request of ``/slow`` is answered once ``go`` is
    set, ``came`` is set when one arrives.
    """

    url: str = ""
    paths: list[str] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def connection(self, url: str | None = None) -> dict[str, Any]:
        """A connection to it."""
        return {
            "connections": {
                "m": {"type": "http/bearer", "values": {"server": url or self.url, "token": SECRET}}
            }
        }


def request(path: str = "/", method: str = "POST", **members: Any) -> dict[str, Any]:
    """An invocation of it."""
    return {
        "connector": "http",
        "action": "request",
        "connection": "m",
        "inputs": {"url": path, "method": method},
        **members,
    }


@contextmanager
def providing() -> Iterator[Provider]:
    """A provider on loopback."""
    found = Provider()

    def answer(_number: int, request: Request) -> Answer:
        found.paths.append(request.path)
        if "slow" in request.path:
            found.came.set()
            found.go.wait(30)
        return Answer()

    with loopback_provider.Provider(answer, keeps=True) as far:
        found.url = far.url
        try:
            yield found
        finally:
            found.go.set()
