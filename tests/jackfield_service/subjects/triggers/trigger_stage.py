"""Servers that watch the echo over one database, with a clock that stands still until it is
moved.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from clocks import StillClock
from jackfield.callers import LIBRARY, Caller
from jackfield.callers.actor import Actor
from jackfield_service.subjects.events import Event
from jackfield_service.subjects.triggers.loop import TriggerLoop
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.database.shared_clock import SharedClock
from plugboard import make_echo, plugged
from processes import Processes, variables

BASE = "https://jackfield.example"


class TriggerStage(Processes):
    """Servers on one database."""

    def __init__(self, environment: dict[str, str], clock: StillClock, servers: int) -> None:
        super().__init__(environment, clock, servers)
        self.loops = [TriggerLoop(pool, lambda: BASE) for pool in self.pools]
        self.add_connection()

    def add_connection(self) -> None:
        """Add the connection that the subscriptions use."""
        self.runtime.connections.add("hall", "echo/token", {"token": "secret-4711"})

    def all(self, caller: Caller = LIBRARY, workspace: str = "default") -> WorkspaceSubscriptions:
        """The subscriptions as a caller sees them."""
        return WorkspaceSubscriptions(self.pools[0].find(workspace), caller, Actor("library"), BASE)

    def add(self, trigger: str = "posted", name: str = "one", **members: Any) -> dict[str, Any]:
        """Switch a trigger of the echo on."""
        return self.all().add(
            {"name": name, "trigger": f"echo/{trigger}", "connection": "hall", **members}
        )

    def now(self) -> float:
        """The database's time, in seconds since 1970."""
        return SharedClock.of(self.database, self.clock).now()

    def look(self, server: int = 0) -> None:
        """Let a server work until nothing is due."""
        while self.loops[server].look() == 0:
            pass

    def events(self, *types: str) -> list[Event]:
        """All events of these types, the oldest first."""
        return list(self.runtime.events(types=types or ("echo.*",)))


@contextmanager
def trigger_stage(folder: Path, database_url: str, servers: int = 2) -> Iterator[TriggerStage]:
    """Open servers on a database until left."""
    with variables(folder, database_url) as environment, plugged(*make_echo(folder / "plugs")):
        watching = import_module("jackfield_echo.watching")
        watching.NOTES.clear()
        watching.REGISTERED.clear()
        watching.BOARD.clear()
        with TriggerStage(environment, StillClock(), servers) as stage:
            yield stage


def signed(secret: str, at: float, body: Any) -> tuple[bytes, dict[str, str]]:
    """A request as the other side sends it: body and headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = str(int(at))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return raw, {"Echo_Time": stamp, "Echo_Signature": signature}
