"""Processes that call against one quota, and are killed: at any instant, also between their count
and their begin.

The provider writes a line to a file for each effect. It refuses most calls, so that their places go
back and forth; of others the answer is lost. What of the killed processes' doubts has not taken
effect is settled as failed meanwhile, and gives its place back. All of it is run by
``forking.alone``.

``make campaign quotas`` runs it with 64 processes on SQLite, on PostgreSQL, and with a failover to
a synchronous standby.
"""

from __future__ import annotations

import os
import random
import select
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from forking import Child, fork
from http_stand import clean
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged
from postgres import Server
from waiting import until

_PIT = '''
"""Takes what falls into it."""
import os
import random
from jackfield.connector import Connector, Inputs, Output
from jackfield.kernel.errors import Rejected, Sent, Unavailable

class Stone(Inputs):
    """Its name, where it falls, and what of a thousand takes effect, or gets lost."""
    name: str
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
        pit.write(f"{stone.name}\\n".encode())
    if chance >= stone.succeeds:
        raise Unavailable("lost", sent=Sent.UNKNOWN)
    return Fallen(fallen=True)
'''
MOST = 50
_QUOTA = {"count": MOST, "per": "month", "of": {"effect": "write", "action": "pit/*"}}
_PATIENCE = 300.0
_SETTLE_EACH = 8
"""Kills after which the doubts of killed processes are settled."""


def storm(
    url: str,
    folder: str,
    processes: int,
    calls: int,
    kills: int,
    pair: Sequence[tuple[str, int]] = (),
) -> dict[str, Any]:
    """Let so many processes make so many calls, and kill so many more; return what was there in the
    end. Of the calls, about as many take effect as the quota allows.

    ``pair``: folders and ports of a primary and its standby; after half of the kills, the primary
    is killed, too, and the standby promoted.
    """
    base, chance = Path(folder), random.Random(4711)
    make_connector(base / "plugs", "pit", _PIT)
    environment, pit, share = (
        clean(base / "home", JACKFIELD_DATABASE_URL=url),
        base / "pit",
        1000 * MOST // calls,
    )
    pit.touch()

    def start() -> Child:
        return fork(lambda: _calls(environment, pit, each, share))

    with plugged(base / "plugs"):
        open_database(url, migrate=True).close()
        fork(lambda: _set(environment)).answer()
        each, dead, ends, settled = (
            -(-calls // processes),
            list[int](),
            Counter[str](),
            Counter[str](),
        )
        running = [start() for _ in range(processes)]
        # before, there is nothing to interrupt
        until(lambda: len([*base.glob("began-*")]) == processes)
        while running:
            ready, _, _ = select.select(
                [child.reading for child in running], [], [], chance.uniform(0.02, 0.1)
            )
            for child in [one for one in running if one.reading in ready]:
                running.remove(child)
                ends.update(child.answer())
            if len(dead) < kills and running:
                if pair and len(dead) == kills // 2:
                    _fail_over(*(Server(Path(place), port) for place, port in pair))
                child = running.pop(chance.randrange(len(running)))
                child.kill()
                dead.append(child.pid)
                if len(dead) % _SETTLE_EACH == 0:
                    settled.update(fork(lambda: _settled(environment, pit, dead)).answer())
                running.append(start())
        told: dict[str, Any] = fork(lambda: _told(environment, pit, dead)).answer()
    return {
        **told,
        "calls": sum(ends.values()),
        "ends": dict(ends),
        "kills": len(dead),
        "settled meanwhile": dict(settled),
    }


def _fail_over(primary: Server, standby: Server) -> None:
    primary.kill()
    standby.promote()


def _set(environment: Mapping[str, str]) -> None:
    with Jackfield(environment=environment) as jackfield:
        jackfield.access.workspaces.set("default", {"quotas": [_QUOTA]})


def _drop(name: str, pit: Path, succeeds: int, lost: int) -> dict[str, Any]:
    inputs = {"name": name, "path": str(pit), "succeeds": succeeds, "lost": lost}
    return {
        "connector": "pit",
        "action": "drop",
        "inputs": inputs,
        "context": {"correlationId": name},
    }


def _calls(environment: Mapping[str, str], pit: Path, count: int, share: int) -> dict[str, int]:
    found = Counter[str]()
    random.seed(os.getpid())
    with Jackfield(environment=environment) as jackfield:
        for number in range(count):
            name = f"{os.getpid()}-{number}"
            result = jackfield.invoke(
                {
                    **_drop(name, pit, share - share // 5, share // 5),
                    **({"idempotencyKey": name} if number % 2 else {}),
                }
            )
            found[result.status if result.error is None else result.error.code] += 1
            pit.with_name(f"began-{os.getpid()}").touch()
    return found


def _settled(environment: Mapping[str, str], pit: Path, dead: Sequence[int]) -> dict[str, int]:
    """Settle the doubts of processes that are certainly dead by what is in the pit."""
    found = Counter[str]()
    # it is settled later
    with Jackfield(environment=environment) as jackfield, suppress(Unavailable):
        found.update(_settling(jackfield, pit, dead))
    return found


def _settling(jackfield: Jackfield, pit: Path, dead: Sequence[int]) -> Iterator[str]:
    assert jackfield.journal is not None
    jackfield.journal.look()
    journal = jackfield.journal_of()
    for entry in journal.entries(status="in_doubt", limit=200)[0]:
        name = str(journal.find(entry.id).context["correlationId"])
        if int(name.partition("-")[0]) in dead:
            outcome: Literal["succeeded", "failed"] = (
                "succeeded" if name in pit.read_text().splitlines() else "failed"
            )
            journal.resolve(entry.id, outcome, "ada")
            yield outcome


def _told(environment: Mapping[str, str], pit: Path, dead: Sequence[int]) -> dict[str, Any]:
    """Wait until all that was killed is recovered, settle it, count, and spend what is left."""
    with Jackfield(environment=environment) as jackfield:
        database, end, journal = (
            jackfield.storage.database,
            time.monotonic() + _PATIENCE,
            jackfield.journal,
        )
        assert journal is not None

        def number(statement: str) -> int:
            with database.read() as transaction:
                return int(transaction.execute(statement)[0].n or 0)

        open_rows = "SELECT COUNT(*) AS n FROM invocations WHERE status = 'running'"
        owned = "SELECT COUNT(*) AS n FROM quota_places WHERE owner IS NOT NULL"
        while number(open_rows) + number(owned) and time.monotonic() < end:
            journal.look()
            time.sleep(0.1)
        last = Counter(_settling(jackfield, pit, dead))
        found = {
            "effects": _effects(pit),
            "open": number(open_rows) + number(owned),
            "spent": number("SELECT SUM(spent) AS n FROM quota_counts") / 1_000_000,
            "places": number("SELECT COUNT(*) AS n FROM quota_places"),
            "begun": number(
                "SELECT COUNT(*) AS n FROM invocations WHERE status IN ('succeeded', 'in_doubt')"
            ),
            "recorded": number("SELECT COUNT(*) AS n FROM invocations"),
            "settled at the end": dict(last),
        }
        rest = 0
        while jackfield.invoke(_drop(f"rest-{rest}", pit, 1000, 0)).status == "succeeded":
            rest += 1
        return {**found, "rest": rest, "effects after": _effects(pit)}


def _effects(pit: Path) -> int:
    return len(pit.read_text().splitlines())
