"""Processes that call against one quota, and are killed: at any instant, also between their count and their begin.

The provider writes a byte to a file for each effect. It refuses most calls, so that their places go back and forth; of others the answer is
lost. All of it is run by ``forking.alone``.
"""

from __future__ import annotations

import os
import random
import select
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forking import fork
from http_stand import clean
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged

_PIT = '''
"""Takes what falls into it."""
import os
import random
from jackfield.connector import Connector, Inputs, Output
from jackfield.kernel.errors import Rejected, Sent, Unavailable

class Stone(Inputs):
    """Where it falls, and what of a thousand takes effect, or gets lost."""
    path: str
    succeeds: int
    lost: int

class Fallen(Output):
    """That it has."""
    fallen: bool

connector = Connector("pit", title="Pit", version="1.0.0")

@connector.action("drop", effect="write")
def drop(stone: Stone) -> Fallen:
    """Let it fall."""
    chance = random.randrange(1000)
    if chance >= stone.succeeds + stone.lost:
        raise Rejected("no", sent=Sent.REFUSED)
    with open(stone.path, "ab", buffering=0) as pit:
        pit.write(b"x")
    if chance >= stone.succeeds:
        raise Unavailable("lost", sent=Sent.UNKNOWN)
    return Fallen(fallen=True)
'''
MOST = 50
_QUOTA = {"count": MOST, "per": "month", "of": {"effect": "write", "action": "pit/*"}}
_PATIENCE = 60.0


def storm(url: str, folder: str, processes: int, calls: int, kills: int) -> dict[str, Any]:
    """Let so many processes make so many calls, and kill so many of them; return what was there in the end."""
    base, chance = Path(folder), random.Random(4711)
    make_connector(base / "plugs", "pit", _PIT)
    environment, pit = clean(base / "home", JACKFIELD_DATABASE_URL=url), base / "pit"
    pit.touch()
    with plugged(base / "plugs"):
        open_database(url, migrate=True).close()
        fork(lambda: _set(environment)).answer()
        each, left, killed, ends = calls // processes, kills, 0, Counter[str]()
        running = [fork(lambda: _calls(environment, pit, each)) for _ in range(processes)]
        while running:
            ready, _, _ = select.select([child.reading for child in running], [], [], chance.uniform(0.02, 0.2))
            for child in [one for one in running if one.reading in ready]:
                running.remove(child)
                ends.update(child.answer())
            if left and running:
                left, killed = left - 1, killed + 1
                running.pop(chance.randrange(len(running))).kill()
                running.append(fork(lambda: _calls(environment, pit, each // 2)))
        told: dict[str, Any] = fork(lambda: _told(environment, pit)).answer()
    return {**told, "calls": sum(ends.values()), "ends": dict(ends), "kills": killed}


def _set(environment: Mapping[str, str]) -> None:
    with Jackfield(environment=environment) as jackfield:
        jackfield.access.workspaces.set("default", {"quotas": [_QUOTA]})


def _drop(pit: Path, succeeds: int, lost: int) -> dict[str, Any]:
    return {"connector": "pit", "action": "drop", "inputs": {"path": str(pit), "succeeds": succeeds, "lost": lost}}


def _calls(environment: Mapping[str, str], pit: Path, count: int) -> dict[str, int]:
    found = Counter[str]()
    random.seed(os.getpid())
    with Jackfield(environment=environment) as jackfield:
        for number in range(count):
            key = {"idempotencyKey": f"{os.getpid()}-{number}"} if number % 2 else {}
            result = jackfield.invoke({**_drop(pit, 4, 1), **key})
            found[result.status if result.error is None else result.error.code] += 1
    return found


def _told(environment: Mapping[str, str], pit: Path) -> dict[str, Any]:
    """Wait until all that was killed is recovered, count, and spend what is left."""
    with Jackfield(environment=environment) as jackfield:
        database, until, journal = jackfield.storage.database, time.monotonic() + _PATIENCE, jackfield.journal
        assert journal is not None

        def number(statement: str) -> int:
            with database.read() as transaction:
                return int(transaction.execute(statement)[0].n or 0)

        open_rows = "SELECT COUNT(*) AS n FROM invocations WHERE status = 'running'"
        owned = "SELECT COUNT(*) AS n FROM quota_places WHERE owner IS NOT NULL"
        while number(open_rows) + number(owned) and time.monotonic() < until:
            journal.look()
            time.sleep(0.1)
        found = {
            "effects": pit.stat().st_size, "open": number(open_rows) + number(owned),
            "spent": number("SELECT SUM(spent) AS n FROM quota_counts") / 1_000_000,
            "places": number("SELECT COUNT(*) AS n FROM quota_places"),
            "begun": number("SELECT COUNT(*) AS n FROM invocations WHERE status IN ('succeeded', 'in_doubt')"),
        }  # fmt: skip
        rest = 0
        while jackfield.invoke(_drop(pit, 1000, 0)).status == "succeeded":
            rest += 1
        return {**found, "rest": rest, "effects after": pit.stat().st_size}
