"""Workers that are killed behind a broker that goes away, by ``make campaign``; of an invocation
that kills them, in the suite, too.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import rabbitmq as rabbitmq_server
import redis_server
from broker_campaign import full, restarts, run
from http_stand import clean
from jackfield import Jackfield
from jackfield_store.database import open_database
from plugboard import hide_others, make_connector, plugged
from queue_campaign import Campaign, _Worker
from rabbitmq import Node

CAMPAIGN = Campaign(invocations=300, seconds=15.0, kill_every=5.0, latency=0.1, patience=60.0)
FULL = Campaign(invocations=2000, seconds=120.0, kill_every=3.0, patience=120.0)
_POISON = '''
"""Ends its process."""
import os
import signal
from jackfield.connector import Connector, Inputs, Output

class Nothing(Inputs):
    """No input."""

class Done(Output):
    """No output."""

connector = Connector("poison", title="Poison", version="1.0.0")

@connector.action("kill", effect="read")
def kill(nothing: Nothing) -> Done:
    """Kill the worker."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Done()

@connector.action("live", effect="read")
def live(nothing: Nothing) -> Done:
    """Do nothing."""
    return Done()
'''


@pytest.mark.campaign
def test_all_invocations_end_truthfully(postgres_url: str, rabbitmq: Node, tmp_path: Path) -> None:
    """Three kills of workers on two hosts and a broker that is away for two seconds: all is
    accepted, and all ends. No write is sent twice, and in doubt is only what a killed worker was
    running.
    """
    open_database(postgres_url, migrate=True).close()
    figures = run(CAMPAIGN, postgres_url, rabbitmq.url, tmp_path, [restarts(rabbitmq, 2.0)])
    assert (figures.open, figures.wrong, figures.died) == ([], [], [])
    assert (figures.accepted, figures.refused) == (CAMPAIGN.invocations, 0)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["rabbitmq", "redis", "database"])
def test_r1_whatever_the_broker_forgets_all_end_truthfully(kind: str, tmp_path: Path) -> None:
    """Forty kills, a worker that is stopped, a broker that restarts (Redis also forgets, evicts and
    refuses) and a database that does: what was accepted ends, no write is sent twice, and in doubt
    is only what a lost worker was running.
    """
    reason = {"rabbitmq": rabbitmq_server.missing, "redis": redis_server.missing}.get(
        kind, lambda: None
    )()
    if reason is not None:
        pytest.skip(reason)
    figures = full(FULL, kind, tmp_path)
    assert (figures.open, figures.wrong, figures.died) == ([], [], [])
    assert figures.accepted > FULL.invocations / 2


def test_a_poison_invocation_is_given_up(rabbitmq: Node, tmp_path: Path) -> None:
    """An invocation that kills each process of a worker that runs it is a dead letter after five
    deliveries; all others succeed.
    """
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    open_database(url, migrate=True).close()
    make_connector(tmp_path / "plugs", "poison", _POISON)
    hide_others(tmp_path / "plugs")
    more = {"JACKFIELD_DATABASE_URL": url, "JACKFIELD_QUEUE_URL": rabbitmq.url}
    more["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(tmp_path / "plugs"), os.environ.get("PYTHONPATH")])
    )
    environment = clean(tmp_path / "home", **more)
    with ExitStack() as stack:
        stack.enter_context(plugged(tmp_path / "plugs"))
        jackfield = stack.enter_context(Jackfield(database_url=url, environment=environment))
        ids = [
            jackfield.enqueue(
                {"connector": "poison", "action": "kill" if number == 5 else "live", "inputs": {}}
            )
            for number in range(20)
        ]
        worker = _Worker(environment, tmp_path / "worker.log", None, "--processes", "2")
        stack.callback(worker.stop)
        journal = jackfield.journal
        assert journal is not None
        until = time.monotonic() + 300.0
        while any(journal.find(str(identifier)).is_open for identifier in ids):
            assert time.monotonic() < until, (tmp_path / "worker.log").read_text(encoding="utf-8")
            threading.Event().wait(0.1)
        entries = [journal.find(str(identifier)) for identifier in ids]
    assert [entry.status for entry in entries] == [
        "failed" if number == 5 else "succeeded" for number in range(20)
    ]
    assert [item["outcome"] for item in entries[5].deliveries] == ["lost"] * 5
