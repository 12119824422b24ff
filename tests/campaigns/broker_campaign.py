"""Workers on two hosts that are killed, behind a broker that goes away and forgets, and a database
that restarts.

``make campaign`` runs it on RabbitMQ, Redis and the database alone
(``tests/jackfield_store/queue/test_queue_campaign.py``). By hand, and as root::

    export PYTHONPATH=.:tests/support
    python tests/campaigns/broker_campaign.py rabbitmq invocations=5000 seconds=150
    python tests/campaigns/broker_campaign.py redis
    python tests/campaigns/broker_campaign.py database
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from http_stand import Client
from postgres import Server
from queue_campaign import Campaign, Figures, _campaign, _Worker, played, staged
from rabbitmq import Node
from redis_server import Redis

HOSTS = ("host-a", "host-b", "host-b")


Fault = Callable[[Sequence[_Worker]], None]
"""What is done to the broker, the database or a worker."""
_AWAY = 10.0
"""Seconds for which a fault lasts: longer than a lease."""


def run(
    campaign: Campaign, url: str, queue_url: str | None, folder: Path, faults: Sequence[Fault]
) -> Figures:
    """Run the campaign on a database and a broker (None: the database alone), with ``faults``
    spread evenly over the time.
    """
    figures = Figures()
    more = {
        "JACKFIELD_DATABASE_URL": url,
        **({} if queue_url is None else {"JACKFIELD_QUEUE_URL": queue_url}),
    }
    with ExitStack() as stack:
        cast = staged(campaign, folder, stack, HOSTS, "0", **more)
        disturbing = threading.Thread(target=_disturbs, args=(campaign, cast.workers, faults))
        _judge_doubts(cast.client, played(campaign, cast, [disturbing], figures), figures)
    return figures


def _disturbs(campaign: Campaign, workers: Sequence[_Worker], faults: Sequence[Fault]) -> None:
    started = time.monotonic()
    for number, fault in enumerate(faults, start=1):
        at = started + campaign.seconds * number / (len(faults) + 1)
        threading.Event().wait(max(0.0, at - time.monotonic()))
        fault(workers)


def restarts(server: Node | Redis, away: float = _AWAY) -> Fault:
    """Return the fault that stops a broker for ``away`` seconds. RabbitMQ keeps its messages, Redis
    forgets them.
    """

    def restart(_workers: Sequence[_Worker]) -> None:
        server.stop()
        threading.Event().wait(away)
        server.start()

    return restart


def restarts_database(server: Server) -> Fault:
    """Return the fault that restarts PostgreSQL."""

    def restart(_workers: Sequence[_Worker]) -> None:
        server.stop("fast")
        server.start()

    return restart


def flushes(redis: Redis) -> Fault:
    """Return the fault that deletes all messages."""
    return lambda _workers: redis.flush()


def evicts(redis: Redis) -> Fault:
    """Return the fault that has Redis evict all and refuse what is new, for lack of memory."""

    def evict(_workers: Sequence[_Worker]) -> None:
        redis.client.config_set("maxmemory-policy", "allkeys-random")
        redis.client.config_set("maxmemory", 1)
        threading.Event().wait(_AWAY)
        redis.client.config_set("maxmemory", 0)

    return evict


def freezes(workers: Sequence[_Worker]) -> None:
    """Stop a worker for longer than its lease lasts, with the messages that it holds, and let it go
    on.
    """
    workers[0].freeze(_AWAY)


def faults_of(broker: Node | Redis | None, database: Server) -> list[Fault]:
    """Return what a broker (None: the database alone) has to survive."""
    if broker is None:
        return [freezes, restarts_database(database), freezes]
    if isinstance(broker, Node):
        return [restarts(broker), freezes, restarts_database(database), restarts(broker)]
    return [
        flushes(broker),
        restarts(broker),
        freezes,
        flushes(broker),
        evicts(broker),
        restarts_database(database),
        flushes(broker),
    ]


def _judge_doubts(client: Client, accepted: dict[str, tuple[str, str]], figures: Figures) -> None:
    """Hold each doubt against its reason: only a killed worker may have left one."""
    for identifier in accepted:
        entry = client.get(f"/v1/invocations/{identifier}").json
        if (
            entry["status"] == "in_doubt"
            and "the process running it" not in entry["error"]["message"]
        ):
            figures.wrong.append(
                f"{identifier} is in doubt though its worker was not killed: {json.dumps(entry)}"
            )


def full(campaign: Campaign, kind: str, folder: Path) -> Figures:
    """Run the campaign on servers of its own: PostgreSQL, and the broker of this kind."""
    from jackfield_store.database import open_database
    from postgres import running_server

    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        url = server.create()
        open_database(url, migrate=True).close()
        broker = Node() if kind == "rabbitmq" else Redis() if kind == "redis" else None
        if broker is not None:
            stack.callback(broker.close)
        return run(
            campaign,
            url,
            broker.url if broker is not None else None,
            folder,
            faults_of(broker, server),
        )


def _main(kind: str, arguments: list[str]) -> None:
    named = dict(item.split("=") for item in arguments)
    given = {"invocations": "5000", "seconds": "150", "patience": "120", **named}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        figures = full(
            _campaign([f"{name}={value}" for name, value in given.items()]), kind, folder
        )
        sys.stdout.write(json.dumps(vars(figures), indent=2) + "\n")
        if not figures.in_flight:
            sys.stdout.write(
                "No kill hit running work: the workers were killed before they had started. "
                "Raise kill_every.\n"
            )
        for log in sorted(folder.glob("*.log")):
            sys.stdout.write(
                "-- "
                f"{log.name}\n{''.join(log.read_text(encoding='utf-8', errors='replace').splitlines(keepends=True)[-8:])}"
            )


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
