"""A server whose calls of the echo are noted at the provider, for faults of its database."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.connector import current_call
from replies import Reply

_PAUSE = threading.Event()


@dataclass
class Ledger:
    """What reached the provider: by name, and those that came after the deadline of their call."""

    effects: Counter[str] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Names, and the ids of their invocations."""

    def note(self, name: str) -> None:
        """Note one effect."""
        call = current_call()
        self.effects[name] += 1
        self.sent.append((name, "" if call is None else call.invocation_id))
        if call is not None and call.deadline.remaining() <= 0:
            self.late.append(name)


@dataclass
class Noted:
    """A server, and what its calls did."""

    stand: Stand
    ledger: Ledger
    client: Client
    replies: dict[str, Reply] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def post(self, name: str, *, keyed: bool, seconds: float = 2.0) -> Reply:
        """Send one write under a name, which is its key, too."""
        inline = {"type": "token", "values": {"token": "secret-4711"}}
        inputs = {"text": name, "fault": {"kind": "rejected", "name": name, "tries": 0}}
        body = {
            "connector": "echo",
            "action": "post",
            "connection": inline,
            "inputs": inputs,
            "timeoutSeconds": seconds,
        }
        began = time.monotonic()
        reply = self.client.post(
            "/v1/invocations", {**body, "idempotencyKey": name} if keyed else body
        )
        self.took[name], self.replies[name] = time.monotonic() - began, reply
        return reply

    def until_it_works(self, within: float = 60.0) -> None:
        """Wait until a call succeeds."""
        until = time.monotonic() + within
        while self.post("back", keyed=False).status != 200:
            assert time.monotonic() < until, self.replies["back"].json
            _PAUSE.wait(0.1)

    def running(self) -> int:
        """How many entries are open."""
        return len(self.client.get("/v1/invocations?status=running&limit=200").json["items"])


@contextmanager
def noting(folder: Path, url: str, **more: Any) -> Iterator[Noted]:
    """Serve on a database; ``more`` goes into the server's environment."""
    ledger = Ledger()
    with standing(
        folder, replace(SETTINGS, concurrency=200), JACKFIELD_DATABASE_URL=url, **more
    ) as stand:
        from jackfield_echo.client import EchoClient

        sent = EchoClient.send

        def send(client: Any, fault: Any, gate: Any) -> None:
            sent(client, fault, gate)
            ledger.note("" if fault is None else fault.name)

        with mock.patch.object(EchoClient, "send", send):
            yield Noted(stand, ledger, stand.client())
