"""Workers that are killed every second under a queue, with the database locked once and its disk
full once: issue 9, acceptance 2.

The suite runs it small (``tests/jackfield_store/journal/test_journal_campaign.py``). In full, by
hand and as root (two minutes for each database)::

    export PYTHONPATH=.:tests/support
    python tests/campaigns/queue_campaign.py sqlite
    python tests/campaigns/queue_campaign.py postgresql
    python tests/campaigns/queue_campaign.py fair-sqlite        # acceptance 3; and fair-postgresql

A server and two workers, one of them in UTS and PID namespaces of its own, share a database. The
endpoint counts what it accepted; that ledger is the truth which the journal is held against.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from http_stand import Client, clean, ends_told, mint
from jackfield_market.testing.loopback_provider import Answer, Provider, Request
from plugboard import hide_others, make_connector

_LEDGER = '''
"""Sends to the ledger."""
import http.client
import os
from jackfield.connector import Connector, Field, Inputs, Output

class Item(Inputs):
    """What to send."""
    subject: str = Field(title="Subject")

class Done(Output):
    """Sent."""
    subject: str

connector = Connector("ledger", title="Ledger", version="1.0.0")

def _sent(item, effect):
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["LEDGER_PORT"]), timeout=60)
    connection.request("POST", "/" + effect, item.subject, {"X-Worker": os.environ.get("LEDGER_WORKER", "")})
    assert connection.getresponse().read() == b"accepted"
    return Done(subject=item.subject)

@connector.action("write", effect="write")
def write(item: Item) -> Done:
    """Send once."""
    return _sent(item, "write")

@connector.action("read", effect="read")
def read(item: Item) -> Done:
    """Read."""
    return _sent(item, "read")

@connector.action("put", effect="idempotent")
def put(item: Item) -> Done:
    """Send again and again."""
    return _sent(item, "put")
'''


@dataclass(frozen=True)
class Campaign:
    """How much is done for how long. Times in seconds; 0 leaves a fault out."""

    invocations: int = 2000
    seconds: float = 120.0
    kill_every: float = 1.0
    locked: float = 10.0
    full: float = 5.0
    latency: float = 0.3
    patience: float = 15.0


@dataclass
class Figures:
    """What came of it. ``open`` lists what had not ended in time, ``wrong`` what the journal says
    against the ledger.

    ``in_flight`` counts the writes that the endpoint had not answered when their worker was killed:
    each must be in doubt. Doubts beyond them were begun and had not arrived, or were answered and
    not recorded.
    """

    accepted: int = 0
    refused: int = 0
    kills: int = 0
    ended_after: float = 0.0
    arrivals: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    redelivered: int = 0
    doubts_accepted: int = 0
    in_flight: int = 0
    corrected: int = 0
    """Events of doubts that were corrected by the outcome, which came late."""
    resolved: int = 0
    open: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)


class _Ledger(Provider):
    """The endpoint: takes its time, and counts what it accepts before it answers."""

    def __init__(self, latency: float) -> None:
        super().__init__(self._accept_late)
        self.latency = latency
        self.accepted: Counter[tuple[str, str]] = Counter()
        self.lock = threading.Lock()
        self.unanswered: dict[int, tuple[str, tuple[str, str]]] = {}
        """Worker and name of each request that has come and is not answered, by its number."""
        self.cut: set[tuple[str, str]] = set()
        self.random = random.Random(9)

    def note_kill(self, worker: str) -> None:
        """Note what a worker that was killed will never get an answer to."""
        with self.lock:
            self.cut |= {name for caller, name in self.unanswered.values() if caller == worker}

    def _accept_late(self, number: int, request: Request) -> Answer:
        """Accept in the middle of the time that it takes."""
        name = (request.path[1:], request.body.decode())
        with self.lock:
            self.unanswered[number] = (request.headers["X-Worker"], name)
        threading.Event().wait(self.random.uniform(0, self.latency))
        with self.lock:
            self.accepted[name] += 1
        threading.Event().wait(self.random.uniform(0, self.latency))
        with self.lock:
            del self.unanswered[number]
        return Answer(content=b"accepted")


def may_unshare() -> bool:
    """Whether namespaces and mounts may be made here."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "true"],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )


class _Worker:
    """A worker that is killed and started again; in namespaces of its own where a host name is
    given.
    """

    def __init__(
        self, environment: dict[str, str], log: Path, host: str | None, *options: str
    ) -> None:
        self._environment = environment
        self._options = options
        self._log = log.open("ab")
        self._host = host
        self.name = ""
        """Name of the present process, of which each has its own."""
        self.stalls = False
        """Whether it is stopped now and then, and never killed."""
        self.process = self._started()

    def kill(self, ledger: _Ledger | None = None) -> None:
        """Kill -9, note in the ledger what was in flight, and start anew."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if ledger is not None:
            ledger.note_kill(self.name)
        self.process = self._started()

    def freeze(self, seconds: float) -> None:
        """Stop the process, and let it go on after ``seconds``."""
        group = self.process.pid
        for signalled, pause in ((signal.SIGSTOP, seconds), (signal.SIGCONT, 0.0)):
            with suppress(ProcessLookupError):
                os.killpg(group, signalled)
            threading.Event().wait(pause)

    def stop(self) -> None:
        """End for good."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "jackfield", "worker", *self._options]
        if self._host is not None:
            shell = f'hostname {self._host}; exec "$@"'
            command = [
                "unshare",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                shell,
                "sh",
                *command,
            ]
        self.name = os.urandom(8).hex()
        environment = {**self._environment, "LEDGER_WORKER": self.name}
        return subprocess.Popen(
            command, env=environment, stderr=self._log, stdout=self._log, start_new_session=True
        )


@dataclass(frozen=True)
class Cast:
    """Who takes part: the endpoint that counts, a server, a client of it, and workers."""

    ledger: _Ledger
    server: subprocess.Popen[str]
    client: Client
    workers: list[_Worker]


def staged(
    campaign: Campaign,
    folder: Path,
    stack: ExitStack,
    hosts: Sequence[str | None],
    places: str = "8",
    **more: str,
) -> Cast:
    """Start all, a worker on each of the ``hosts``, until the stack is left."""
    ledger = stack.enter_context(_Ledger(campaign.latency))
    make_connector(folder / "plugs", "ledger", _LEDGER)
    hide_others(folder / "plugs")
    more["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(folder / "plugs"), os.environ.get("PYTHONPATH")])
    )
    more["LEDGER_PORT"] = str(ledger.port)
    token = mint(folder / "home", "manage", "default", **more)
    environment = clean(folder / "home", **more)
    server, port = _served(environment, folder, stack, places)
    workers = []
    for number, host in enumerate(hosts):
        workers.append(
            _Worker(environment, folder / f"worker-{number}.log", host if may_unshare() else None)
        )
        stack.callback(workers[-1].stop)
    return Cast(ledger, server, Client(port, token, timeout=60.0), workers)


def played(
    campaign: Campaign, cast: Cast, faults: Sequence[threading.Thread], figures: Figures
) -> dict[str, tuple[str, str]]:
    """Queue invocations and kill workers, beside ``faults``, and judge what came of it; return what
    was accepted.
    """
    accepted: dict[str, tuple[str, str]] = {}
    until, workers = time.monotonic() + campaign.seconds, cast.workers
    threads = [
        threading.Thread(target=_feeds, args=(campaign, cast.client, accepted, figures, part))
        for part in range(4)
    ]
    threads += faults
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        threading.Event().wait(campaign.kill_every)
        worker = workers[figures.kills % len(workers)]
        if not worker.stalls:
            worker.kill(cast.ledger)
        figures.kills += 1
    for thread in threads:
        thread.join()
    _wait(campaign, cast.client, accepted, figures)
    if cast.server.poll() is not None:
        figures.died.append("the server")
    figures.died += [
        f"worker {place}"
        for place, worker in enumerate(workers)
        if worker.process.poll() is not None
    ]
    _judge(cast.client, accepted, cast.ledger, figures)
    return accepted


def run(campaign: Campaign, url: str, folder: Path, full_folder: Path | None = None) -> Figures:
    """Run the campaign on a database; ``full_folder`` is the small file system that it lies on, and
    is filled once.
    """
    figures = Figures()
    with ExitStack() as stack:
        cast = staged(campaign, folder, stack, (None, "host-b"), JACKFIELD_DATABASE_URL=url)
        faults = [
            threading.Thread(target=locks, args=(campaign, url)),
            threading.Thread(target=_fills, args=(campaign, full_folder)),
        ]
        played(campaign, cast, faults, figures)
    return figures


def _served(
    environment: dict[str, str], folder: Path, stack: ExitStack, places: str = "8"
) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "jackfield", "serve", "--port", "0", "--queue-workers", places]
    server = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert server.stderr is not None
    stack.callback(server.stderr.close)
    log = stack.enter_context((folder / "server.log").open("w", encoding="utf-8"))
    copies = threading.Thread(target=shutil.copyfileobj, args=(server.stderr, log), daemon=True)

    def stop() -> None:
        server.kill()
        server.wait()
        copies.join()

    stack.callback(stop)
    for line in server.stderr:
        if "http://" in line:
            copies.start()
            return server, int(
                line.partition("http://")[2].partition("/")[0].rpartition(":")[2].split()[0]
            )
    raise AssertionError("the server ended")


def _feeds(
    campaign: Campaign,
    client: Client,
    accepted: dict[str, tuple[str, str]],
    figures: Figures,
    part: int,
) -> None:
    """Queue a quarter of the invocations, spread over nine tenths of the time."""
    count = campaign.invocations // 4
    started = time.monotonic()
    for number in range(count):
        at = started + campaign.seconds * 0.9 * number / count
        threading.Event().wait(max(0.0, at - time.monotonic()))
        subject = f"s-{part}-{number}"
        action = ("write", "write", "read", "put")[number % 4]
        body: dict[str, Any] = {
            "connector": "ledger",
            "action": action,
            "inputs": {"subject": subject},
        }
        if number % 8 >= 4:
            body["idempotencyKey"] = subject
        try:
            reply = client.post("/v1/invocations", body, Prefer="respond-async")
        except OSError:
            figures.refused += 1
            continue
        if reply.status == 202:
            accepted[reply.json["invocationId"]] = (action, subject)
        else:
            figures.refused += 1


def locks(campaign: Campaign, url: str) -> None:
    """Lock the whole database once, at a third of the time."""
    if not campaign.locked:
        return
    threading.Event().wait(campaign.seconds / 3)
    if url.startswith("sqlite"):
        connection = sqlite3.connect(
            url.removeprefix("sqlite:///"), isolation_level=None, timeout=30
        )
        connection.execute("BEGIN IMMEDIATE")
        threading.Event().wait(campaign.locked)
        connection.execute("ROLLBACK")
        connection.close()
        return
    import psycopg

    with psycopg.connect(url) as held:
        held.execute("LOCK TABLE invocations, instances IN ACCESS EXCLUSIVE MODE")
        threading.Event().wait(campaign.locked)


def _fills(campaign: Campaign, folder: Path | None) -> None:
    """Fill the disk of the database once, at two thirds of the time."""
    if not campaign.full or folder is None:
        return
    threading.Event().wait(campaign.seconds * 2 / 3)
    until = time.monotonic() + campaign.full
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < until:
            with suppress(OSError):
                file.write(b"x" * 65536)
                continue
            with suppress(OSError):
                file.write(b"x" * 512)
                continue
            threading.Event().wait(0.02)
    filler.unlink()


def _wait(
    campaign: Campaign, client: Client, accepted: dict[str, tuple[str, str]], figures: Figures
) -> None:
    """Wait until nothing is open any more, at most as long as the campaign has patience."""
    started, found = time.monotonic(), ["all"]
    while (now := time.monotonic()) - started < campaign.patience:
        found = [
            item["invocationId"]
            # one may go back to the queue between two looks, if its worker was lost
            for status in ("queued", "running", "queued")
            for item in client.get(f"/v1/invocations?status={status}&limit=200").json["items"]
            if item["invocationId"] in accepted
        ]
        figures.ended_after = round(now - started, 1)
        if not found:
            return
        threading.Event().wait(0.2)
    figures.open += found


def _judge(
    client: Client, accepted: dict[str, tuple[str, str]], ledger: _Ledger, figures: Figures
) -> None:
    figures.accepted = len(accepted)
    figures.arrivals = sum(ledger.accepted.values())
    outcomes: Counter[str] = Counter()
    for identifier, (action, subject) in accepted.items():
        entry = client.get(f"/v1/invocations/{identifier}").json
        status, sent = entry["status"], ledger.accepted[action, subject]
        figures.redelivered += bool(entry.get("deliveries"))
        code = entry.get("error", {}).get("code")
        outcomes[f"{action} {status}{f' ({code})' if status == 'failed' else ''}"] += 1
        if status in ("queued", "running"):
            figures.open.append(json.dumps(entry))
        if "resolvedBy" in entry:  # a person has decided, maybe wrongly
            continue
        if (status == "succeeded" and not sent) or (
            status == "failed" and sent and action == "write"
        ):
            figures.wrong.append(
                f"{identifier} {action} {status} ({code}), accepted {sent} times: "
                f"{json.dumps(entry)}"
            )
        figures.doubts_accepted += status == "in_doubt" and sent > 0
        if action == "write" and (action, subject) in ledger.cut:
            figures.in_flight += 1
            if status != "in_doubt":
                figures.wrong.append(
                    f"{identifier} was in flight when its worker was killed, and is not in "
                    f"doubt: {json.dumps(entry)}"
                )
        if status == "in_doubt" and action != "write":
            figures.wrong.append(f"{identifier} {action} is in doubt")
    figures.wrong += [
        f"{subject} was sent {count} times"
        for (action, subject), count in ledger.accepted.items()
        if action == "write" and count > 1
    ]
    ends = ends_told(client)
    figures.wrong += [
        f"{identifier} has {ends[identifier]} events of its end"
        for identifier in accepted
        if ends[identifier] != 1
    ]
    figures.outcomes = dict(sorted(outcomes.items()))


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a small file system of its own in memory; needs root."""
    folder = Path(tempfile.mkdtemp(prefix="jackfield-disk-"))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
        folder.rmdir()


def _main(kind: str, campaign: Campaign) -> None:
    fairly, kind = kind.startswith("fair-"), kind.removeprefix("fair-")
    from jackfield_store.database import open_database
    from postgres import running_server

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        disk = None
        if kind == "sqlite":
            disk = folder if fairly else stack.enter_context(small_disk(24))
            url = f"sqlite:///{disk}/queue.db"
        else:
            url = stack.enter_context(running_server()).create()
        open_database(url, migrate=True).close()
        if fairly:
            sys.stdout.write(json.dumps(fair(20_000, url, folder)) + "\n")
            return
        figures = run(campaign, url, folder, disk)
        sys.stdout.write(json.dumps(vars(figures), indent=2) + "\n")
        for log in folder.glob("*.log"):
            shutil.copy(log, f"{tempfile.gettempdir()}/campaign-{kind}-{log.name}")


def fair(crowd: int, url: str, folder: Path) -> dict[str, float]:
    """Queue ``crowd`` invocations of one workspace, then one of another: how long until that one
    starts, three times, in milliseconds.
    """
    from jackfield import Jackfield
    from plugboard import plugged

    found: dict[str, float] = {}
    with ExitStack() as stack:
        ledger = stack.enter_context(_Ledger(0.2))
        make_connector(folder / "plugs", "ledger", _LEDGER)
        more = {"JACKFIELD_DATABASE_URL": url, "LEDGER_PORT": str(ledger.port)}
        more["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(folder / "plugs"), os.environ.get("PYTHONPATH")])
        )
        environment = clean(folder / "home", **more)
        token = mint(folder / "home", "manage", "small", **more)
        stack.enter_context(plugged(folder / "plugs"))
        call = {"connector": "ledger", "action": "write"}
        with Jackfield(database_url=url, environment=environment) as jackfield:
            for number in range(crowd):
                jackfield.enqueue({**call, "inputs": {"subject": f"crowd-{number}"}})
        worker = _Worker(environment, folder / "worker.log", None)
        stack.callback(worker.stop)
        server, port = _served(environment, folder, stack, "0")
        client = Client(port, token, timeout=60.0)
        for name in ("first", "second", "third"):
            while len(ledger.accepted) < 50 * (len(found) + 1):
                threading.Event().wait(0.05)
            assert client.get("/v1/invocations?limit=1").status == 200
            assert (
                client.post(
                    "/v1/invocations", {**call, "inputs": {"subject": name}}, Prefer="respond-async"
                ).status
                == 202
            )
            started = time.monotonic()
            while True:
                entries = client.get("/v1/invocations?limit=1").json["items"]
                if entries[0]["status"] != "queued":
                    break
                threading.Event().wait(0.005)
            found[name] = round((time.monotonic() - started) * 1000)
        assert server.poll() is None
        found["crowd left"] = crowd - sum(
            1 for _, subject in ledger.accepted if subject.startswith("crowd")
        )
    return found


def _campaign(arguments: list[str]) -> Campaign:
    """Read ``name=value`` arguments."""
    given: dict[str, Any] = dict(item.split("=") for item in arguments)
    numbers: dict[str, Any] = {
        name: int(value) if name == "invocations" else float(value) for name, value in given.items()
    }
    return Campaign(**numbers)


if __name__ == "__main__":
    _main(sys.argv[1], _campaign(sys.argv[2:]))
