"""Restarts of one server under a constant rate of requests: a new process takes the listening
socket over, then the old one stops.

``make campaign`` runs it on SQLite and PostgreSQL
(``tests/jackfield_service/shell/http/test_http_restarts.py``). By hand::

    export PYTHONPATH=.:tests/support:tests/campaigns
    python tests/campaigns/restart_campaign.py seconds=60 restarts=6
    python tests/campaigns/restart_campaign.py url=postgresql://… rate=200
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from http_stand import Client, clean, mint, say
from plugboard import make_echo, plugged
from waiting import until

_PATIENCE = 120.0
_GETS = ("/v1/connections", "/v1/invocations?limit=5", "/v1/connectors")


@dataclass(frozen=True)
class Campaign:
    """``rate`` requests a second for ``seconds``, by ``callers``, half of them over connections
    that they keep; ``restarts`` meanwhile.
    """

    rate: int = 200
    seconds: float = 60.0
    restarts: int = 6
    callers: int = 40
    workers: int = 1


@dataclass
class Figures:
    """Outcomes of requests: statuses and faults, seconds from the moment at which each was due, and
    requests that were sent again since the server had closed the kept connection. ``lost`` are
    writes that the journal does not have once each.
    """

    told: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    again: int = 0
    writes: set[str] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    processes: int = 0

    def __str__(self) -> str:
        waits = sorted(self.waits)
        at = {
            name: waits[min(len(waits) - 1, int(len(waits) * part))] * 1000
            for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        }
        shown = ", ".join(f"{name} {value:.0f} ms" for name, value in at.items())
        return (
            f"{len(waits)} requests to {self.processes} processes: {dict(self.told)}; {shown}; "
            f"{self.again} sent again, "
            f"{len(self.writes)} writes, {len(self.lost)} of them not once in the journal"
        )


@dataclass
class _Caller:
    """One caller, who takes the next request that is due."""

    campaign: Campaign
    port: int
    token: str
    kept: http.client.HTTPConnection | None = None

    def run(
        self,
        numbers: Iterator[int],
        started: float,
        figures: Figures,
        lock: threading.Lock,
        *,
        keeps: bool,
    ) -> None:
        """Send requests, each when it is due, until the time is over."""
        while True:
            with lock:
                number = next(numbers)
            due = started + number / self.campaign.rate
            if due >= started + self.campaign.seconds:
                if self.kept is not None:
                    self.kept.close()
                return
            threading.Event().wait(max(0.0, due - time.monotonic()))
            said, again = self._sent(number, keeps=keeps)
            with lock:
                figures.told[said] += 1
                figures.again += again
                figures.waits.append(time.monotonic() - due)
                if number % 2 == 0 and said == "200":
                    figures.writes.add(f"restart-{number}")

    def _sent(self, number: int, *, keeps: bool) -> tuple[str, bool]:
        """Send a request; return what came, and whether it was sent again over a new connection, as
        clients and proxies do when a kept one was closed before the first byte of an answer.
        """
        for again in (False, True):
            if self.kept is None or not keeps:
                self.kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
            connection, is_old = self.kept, self.kept.sock is not None
            try:
                answer = self._asked(connection, number)
                if not keeps or answer.will_close:
                    connection.close()
                    self.kept = None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.kept = None
                if (
                    is_old
                    and isinstance(
                        error,
                        http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError,
                    )
                    and not again
                ):
                    continue
                return repr(error), again
            return str(answer.status), again
        raise AssertionError("a new connection is not old")

    def _asked(
        self, connection: http.client.HTTPConnection, number: int
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self.token}"}
        if number % 2 == 0:
            body = json.dumps({**say("post", text="hello"), "idempotencyKey": f"restart-{number}"})
            connection.request(
                "POST", "/v1/invocations", body, {**headers, "Content-Type": "application/json"}
            )
        else:
            connection.request("GET", _GETS[number // 2 % len(_GETS)], headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer


def run(campaign: Campaign, folder: Path, url: str | None = None) -> Figures:
    """Run the campaign on a database, by default SQLite in the folder."""
    figures, lock = Figures(), threading.Lock()
    more: dict[str, Any] = {} if url is None else {"JACKFIELD_DATABASE_URL": url}
    plugs = make_echo(folder / "plugs")
    with plugged(*plugs):
        token = mint(folder / "home", **more)
    environment = clean(folder / "home", PYTHONPATH=os.pathsep.join(plugs), **more)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
        contextlib.ExitStack() as stack,
    ):
        port = listener.getsockname()[1]
        old = _begun(campaign, folder, environment, listener, stack, 0)
        numbers, started = count(), time.monotonic()
        callers = [
            threading.Thread(
                target=_Caller(campaign, port, token).run,
                args=(numbers, started, figures, lock),
                kwargs={"keeps": place % 2 == 0},
            )
            for place in range(campaign.callers)
        ]
        for one in callers:
            one.start()
        for number in range(1, campaign.restarts + 1):
            at = started + campaign.seconds * number / (campaign.restarts + 1)
            threading.Event().wait(max(0.0, at - time.monotonic()))
            new = _begun(campaign, folder, environment, listener, stack, number)
            old.send_signal(signal.SIGTERM)
            assert old.wait(_PATIENCE) == 0, (folder / f"server-{number - 1}.log").read_text(
                encoding="utf-8"
            )[-2000:]
            old = new
        for one in callers:
            one.join()
        figures.processes = campaign.restarts + 1
        figures.lost = _not_once(Client(port, token), figures.writes)
        old.send_signal(signal.SIGTERM)
        assert old.wait(_PATIENCE) == 0
    return figures


def _begun(
    campaign: Campaign,
    folder: Path,
    environment: dict[str, str],
    listener: socket.socket,
    stack: contextlib.ExitStack,
    number: int,
) -> subprocess.Popen[bytes]:
    """Begin a server on the socket, and return it when it answers."""
    log = folder / f"server-{number}.log"
    words = ("serve", "--fd", str(listener.fileno()), "--workers", str(campaign.workers))
    with log.open("ab") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "jackfield", *words],
            env=environment,
            stderr=file,
            stdout=file,
            pass_fds=[listener.fileno()],
        )
    stack.callback(running.wait)
    stack.callback(running.kill)

    def is_ready() -> bool:
        assert running.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        return "listens on" in log.read_text(encoding="utf-8")

    until(is_ready, _PATIENCE)
    return running


def _not_once(client: Client, keys: set[str]) -> list[str]:
    """Return the writes that were answered with success and that the journal does not have once
    each, as succeeded.
    """
    found: Counter[str] = Counter()
    after = ""
    while True:
        page: Any = client.get(
            f"/v1/invocations?connector=echo&status=succeeded&limit=200{after}"
        ).json
        found.update(row["idempotencyKey"] for row in page["items"] if "idempotencyKey" in row)
        if page["nextCursor"] is None:
            return sorted(key for key in keys if found[key] != 1)
        after = f"&cursor={page['nextCursor']}"


def _main(words: list[str]) -> None:
    given = dict(word.split("=", 1) for word in words)
    url = given.pop("url", None)
    seconds = float(given.pop("seconds", "60"))
    campaign = Campaign(seconds=seconds, **{name: int(value) for name, value in given.items()})
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{run(campaign, Path(folder), url)}\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
