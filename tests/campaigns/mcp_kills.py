"""Writes over MCP by processes that are killed: none is executed twice, and none is told otherwise
than it went.

``make campaign mcp-kills`` runs it: ``SIZE`` writes (10,000), each under a key of its own, on
SQLite and on PostgreSQL, with at least ``KILLS`` (300) kills. Who takes over asks again under the
key that a killed process left; at the end every key is asked for its outcome.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from jackfield.callers.actor import Actor
from jackfield.catalog import Catalog
from jackfield_store.management.mcp_servers import ServerWish, mcp_servers
from jackfield_store.runtime import Jackfield
from mcp_rig import Talk, ToolServer, said, serving
from postgres import own_database

SIZE, KILLS, THREADS = int(os.environ.get("SIZE", "10000")), int(os.environ.get("KILLS", "300")), 4
_OPEN = "idempotency_conflict"
KEY = "mcp.notes"


def opened(url: str, home: str) -> Jackfield:
    """A runtime over the campaign's database."""
    environment = {"JACKFIELD_HOME": home}
    return Jackfield(
        database_url=url,
        environment=environment,
        catalog=Catalog.installed(environment=environment),
        connections=[],
    )


def asked(jackfield: Jackfield, number: int, *, wait: bool = False) -> str:
    """Ask for a write under its key; what it came to."""
    call = {
        "connector": KEY,
        "action": "addNote",
        "connection": "main",
        "inputs": {"text": str(number)},
        "idempotencyKey": f"write-{number}",
    }
    result = jackfield.invoke(call, wait=wait)
    return (
        result.error.code
        if result.status == "failed" and result.error is not None
        else result.status
    )


def works(url: str, home: str, log: Path, last: int | None) -> None:
    """Write what is not told yet, in some threads, until killed; with ``last``, up to that
    number.
    """
    told = {int(line.split()[0]) for line in log.read_text().splitlines()}
    numbers, lock = (number for number in count() if number not in told), threading.Lock()
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    with opened(url, home) as jackfield:

        def work() -> None:
            while True:
                with lock:
                    number = next(numbers)
                if last is not None and number >= last:
                    return
                os.write(file, f"{number} {asked(jackfield, number)}\n".encode())

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def nursery(url: str, home: str, log: Path) -> None:
    """Fork workers from this process, which has imported everything and has no thread, and kill
    each; print how often.
    """
    with opened(url, home) as warm:
        asked(warm, 0)
    rng, kills, is_last = random.Random(4711), 0, False
    while not is_last:
        lines = _lines(log)
        is_last = kills >= KILLS and lines >= SIZE - 200
        child = os.fork()
        if child == 0:
            works(url, home, log, SIZE if is_last else None)
            os._exit(0)
        if is_last:
            os.waitpid(child, 0)
        else:
            until, enough = time.monotonic() + 20, lines + rng.randrange(2 * SIZE // KILLS)
            while _lines(log) < enough and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
            if kills % 50 == 0:
                sys.stderr.write(f"{kills} kills, {lines:,} writes told\n")
    sys.stdout.write(json.dumps({"kills": kills}))


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n")


def campaign(engine: str) -> int:
    """Run the campaign on one engine; return how many writes were executed twice or misreported."""
    executed, lock, server = Counter[str](), threading.Lock(), ToolServer()

    def answer(talk: Talk) -> None:
        with lock:
            executed[talk.message["params"]["arguments"]["text"]] += 1
        talk.result(said("done"))

    server.on_call = answer
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(own_database(engine, folder))
        stack.enter_context(serving(server))
        home, log = str(folder / "home"), folder / "told"
        log.touch()
        jackfield = stack.enter_context(opened(url, home))
        jackfield.storage.migrates = True
        mcp_servers(jackfield, Actor("cli", "campaign"), "operator").add(
            ServerWish("notes", server.url)
        )
        jackfield.connections.add("main", f"{KEY}/anonymous", {})
        words = [sys.executable, __file__, "nursery", url, home, str(log)]
        found: dict[str, Any] = json.loads(
            subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
        )
        return judged(engine, jackfield, log, executed, found["kills"])


def judged(engine: str, jackfield: Jackfield, log: Path, executed: Counter[str], kills: int) -> int:
    """Compare what was told with what each key says now, and both with what the server did."""
    told = dict(line.split() for line in log.read_text().splitlines())
    before = Counter(executed)
    final = {text: asked(jackfield, int(text), wait=True) for text in told}
    twice = [text for text, times in executed.items() if times > 1]
    changed = [
        text
        for text, status in told.items()
        if status != _OPEN and status != final[text] and status in ("succeeded", "in_doubt")
    ]
    known = {"succeeded": {1}, "in_doubt": {0, 1}}
    wrong = [text for text, status in final.items() if executed[text] not in known.get(status, {0})]
    sys.stdout.write(
        f"{engine}: {len(told):,} writes, {kills} kills, {sum(before.values()):,} executed, "
        f"{sum(executed.values()):,} at the end: "
        f"told {dict(Counter(told.values()))}, finally {dict(Counter(final.values()))}: "
        f"{len(twice)} twice, {len(changed)} told otherwise, {len(wrong)} misreported\n"
    )
    return len(twice) + len(changed) + len(wrong)


if __name__ == "__main__":
    if sys.argv[1:2] == ["nursery"]:
        nursery(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
        raise SystemExit(0)
    raise SystemExit(
        1 if sum(campaign(engine) for engine in sys.argv[1:] or ("sqlite", "postgresql")) else 0
    )
