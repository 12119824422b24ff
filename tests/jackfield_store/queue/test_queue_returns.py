"""Queued invocations that run while their database goes back to an earlier state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gates import Gatekeeper
from jackfield_store.journal import Queue
from plugboard import make_echo, plugged
from returned import returning


def test_what_runs_here_is_not_begun_again(database_url: str, tmp_path: Path) -> None:
    """A claim that was lost is taken again by the same process, with the same number of its
    delivery: the second run sends nothing, and ends nothing. It was recorded as failed, although
    the first had sent it.
    """
    with (
        plugged(*make_echo(tmp_path)),
        returning(database_url) as place,
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as threads,
    ):
        inputs = {"text": "once", "gate": {"port": gate.port, "before": False}}
        place.jackfield.connections.add("hall", "echo/token", {"token": "secret-4711"}, test=False)
        queued = place.jackfield.enqueue(
            {"connector": "echo", "action": "post", "connection": "hall", "inputs": inputs}
        )
        queue = Queue(place.database)
        back = place.copied()
        (claimed,) = queue.claim(1)
        first = threads.submit(place.jackfield.run, claimed)
        gate.wait()
        back()
        (again,) = queue.claim(1)
        assert (again.id, again.delivery) == (queued, claimed.delivery)
        second = place.jackfield.run(again)
        assert (second.status, second.error is not None and second.error.code) == (
            "failed",
            "cancelled",
        )
        journal = place.jackfield.journal_of()
        assert journal.find(claimed.id).is_open
        gate.open()
        assert first.result(60).status == "succeeded"
        assert journal.find(claimed.id).status == "succeeded"
