"""Workers on two hosts that are killed every second, behind a broker that goes away and a database that restarts.

The suite runs it small (``tests/queue/test_queue_campaign.py``). In full, by hand and as root::

    PYTHONPATH=tests/support python tests/support/broker_campaign.py invocations=5000 seconds=150 away=30
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from http_stand import Client, clean, mint
from plugboard import make_connector
from queue_campaign import _LEDGER, Campaign, Figures, _campaign, _feeds, _judge, _Ledger, _served, _wait, _Worker, may_unshare
from rabbitmq import Node

HOSTS = ("host-a", "host-b", "host-b")


def run(campaign: Campaign, away: float, url: str, node: Node, folder: Path, restart: Callable[[], None] = lambda: None) -> Figures:
    """Run the campaign: the broker is away for ``away`` seconds after a quarter of the time, ``restart`` is called after two thirds."""
    figures = Figures()
    with ExitStack() as stack:
        ledger = _Ledger(campaign.latency)
        threading.Thread(target=ledger.serve_forever, daemon=True).start()
        stack.callback(ledger.server_close)
        stack.callback(ledger.shutdown)
        make_connector(folder / "plugs", "ledger", _LEDGER)
        more = {
            "JACKFIELD_DATABASE_URL": url,
            "JACKFIELD_QUEUE_URL": node.url,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(folder / "plugs"), os.environ.get("PYTHONPATH")])),
            "LEDGER_PORT": str(ledger.server_address[1]),
        }
        token = mint(folder / "home", "manage", "default", **more)
        environment = clean(folder / "home", **more)
        server, port = _served(environment, folder, stack, "0")
        workers = []
        for number, host in enumerate(HOSTS):
            workers.append(_Worker(environment, folder / f"worker-{number}.log", host if may_unshare() else None))
            stack.callback(workers[-1].stop)
        client = Client(port, token, timeout=60.0)
        accepted: dict[str, tuple[str, str]] = {}
        threads = [threading.Thread(target=_feeds, args=(campaign, client, accepted, figures, part)) for part in range(4)]
        threads.append(threading.Thread(target=_disturbs, args=(campaign, away, node, restart)))
        until = time.monotonic() + campaign.seconds
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            threading.Event().wait(campaign.kill_every)
            workers[figures.kills % len(workers)].kill(ledger)
            figures.kills += 1
        for thread in threads:
            thread.join()
        _wait(campaign, client, accepted, figures)
        if server.poll() is not None:
            figures.died.append("the server")
        figures.died += [f"worker {place}" for place, worker in enumerate(workers) if worker.process.poll() is not None]
        _judge(client, accepted, ledger, figures)
        _judge_doubts(client, accepted, figures)
    return figures


def _disturbs(campaign: Campaign, away: float, node: Node, restart: Callable[[], None]) -> None:
    """Stop the broker for a while, then restart the database."""
    started = time.monotonic()
    threading.Event().wait(campaign.seconds / 4)
    node.stop()
    threading.Event().wait(away)
    node.start()
    threading.Event().wait(max(0.0, started + campaign.seconds * 2 / 3 - time.monotonic()))
    restart()


def _judge_doubts(client: Client, accepted: dict[str, tuple[str, str]], figures: Figures) -> None:
    """Hold each doubt against its reason: only a killed worker may have left one."""
    for identifier in accepted:
        entry = client.get(f"/v1/invocations/{identifier}").json
        if entry["status"] == "in_doubt" and "the process running it" not in entry["error"]["message"]:
            figures.wrong.append(f"{identifier} is in doubt though its worker was not killed: {json.dumps(entry)}")


def _main(arguments: list[str]) -> None:
    from jackfield.database import open_database
    from postgres import running_server

    named = dict(item.split("=") for item in arguments)
    away = float(named.pop("away", "30"))
    given = {"invocations": "5000", "seconds": "150", "patience": "120", **named}
    campaign = _campaign([f"{name}={value}" for name, value in given.items()])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        server = stack.enter_context(running_server())
        url = server.create()
        open_database(url, migrate=True).close()
        node = Node()
        stack.callback(node.close)

        def restart() -> None:
            server.stop("fast")
            server.start()

        figures = run(campaign, away, url, node, folder, restart)
        sys.stdout.write(json.dumps(vars(figures), indent=2) + "\n")
        if not figures.in_flight:
            sys.stdout.write("No kill hit running work: the workers were killed before they had started. Raise kill_every.\n")
        for log in sorted(folder.glob("*.log")):
            sys.stdout.write(f"-- {log.name}\n{''.join(log.read_text(encoding='utf-8', errors='replace').splitlines(keepends=True)[-8:])}")


if __name__ == "__main__":
    _main(sys.argv[1:])
