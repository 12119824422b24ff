"""A receiver of webhooks on loopback: it answers as it is told, and keeps what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jackfield_market.testing.loopback_provider import Answer, Provider, Request, Step


@dataclass(frozen=True)
class Got:
    """One request: its headers in lower case, and its body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """``answer`` says what happens to a request."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Request], Step] = lambda _request: Answer(status=204)
    came: threading.Condition = field(default_factory=threading.Condition)

    def says(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer with this from now on. Underscores in header names are dashes."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda _request: Answer(status=status, headers=fields, content=body)

    def wait(self, count: int, seconds: float = 60.0) -> list[Got]:
        """What it got, once there is so much."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, seconds), len(self.got)
            return list(self.got)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    receiver = Receiver()

    def play(_number: int, request: Request) -> Step:
        with receiver.came:
            receiver.got.append(
                Got({name.lower(): value for name, value in request.headers.items()}, request.body)
            )
            receiver.came.notify_all()
        return receiver.answer(request)

    with Provider(play, keeps=True) as far:
        receiver.url = f"{far.url}/hook"
        yield receiver
