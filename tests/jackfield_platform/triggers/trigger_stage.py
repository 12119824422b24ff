"""Servers that watch the echo over one database, with a clock that stands still until it is moved."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from clocks import StillClock, time_passes
from jackfield.callers import LIBRARY, Caller
from jackfield.callers.actor import Actor
from jackfield_platform.events import Event
from jackfield_platform.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_platform.triggers.trigger_loop import TriggerLoop
from jackfield_store.database import open_database
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import make_echo, plugged

BASE = "https://jackfield.example"


class TriggerStage:
    """One database, and servers on it. ``clock`` is the time of all."""

    def __init__(self, environment: dict[str, str], clock: StillClock, servers: int) -> None:
        self.clock = clock
        self.pools = [RuntimePool(environment, clock) for _ in range(servers)]
        self.loops = [TriggerLoop(pool, lambda: BASE) for pool in self.pools]
        self.move(0.0)  # before anything is written with the server's own time
        self.runtime = self.pools[0].find("default")
        self.add_connection()

    def add_connection(self) -> None:
        """Add the connection that the subscriptions use."""
        self.runtime.connections.add("hall", "echo/token", {"token": "secret-4711"})

    def all(self, caller: Caller = LIBRARY, workspace: str = "default") -> WorkspaceSubscriptions:
        """The subscriptions as a caller sees them."""
        return WorkspaceSubscriptions(self.pools[0].find(workspace), caller, Actor("library"), BASE)

    def add(self, trigger: str = "posted", name: str = "one", **members: Any) -> dict[str, Any]:
        """Switch a trigger of the echo on."""
        return self.all().add({"name": name, "trigger": f"echo/{trigger}", "connection": "hall", **members})

    def move(self, seconds: float) -> None:
        """Let time pass for all processes and the database."""
        self.clock.advance(seconds)
        for pool in self.pools:
            time_passes(0.0, self.clock, pool.storage.database)

    def now(self) -> float:
        """The database's time, in seconds since 1970."""
        return SharedClock.of(self.pools[0].storage.database, self.clock).now()

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
    open_database(database_url, migrate=True).close()
    environment = {**os.environ, "JACKFIELD_HOME": str(folder / "home"), "JACKFIELD_DATABASE_URL": database_url}
    with mock.patch.dict(os.environ, environment, clear=True), plugged(*make_echo(folder / "plugs")):
        watching = import_module("jackfield_echo.watching")
        watching.NOTES.clear()
        watching.REGISTERED.clear()
        watching.BOARD.clear()
        stage = TriggerStage(environment, StillClock(), servers)
        try:
            yield stage
        finally:
            for pool in stage.pools:
                pool.close()


def signed(secret: str, at: float, body: Any) -> tuple[bytes, dict[str, str]]:
    """A request as the other side sends it: body and headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = str(int(at))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return raw, {"Echo_Time": stamp, "Echo_Signature": signature}
