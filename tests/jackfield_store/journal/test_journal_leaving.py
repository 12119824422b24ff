"""Callers who leave at any instant: what the endpoint counted and what the journal says agree each
time (issue 3, acceptance).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.jackfield_store.journal.truth import check_truth, entries_by_key

from fake_aws import FakeAws
from jackfield.connector.hooks import hookimpl
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from nursery import connection, mail, nursery

LEAVERS = 50
PATIENCE = 60.0


def _agree(aws: FakeAws, database_url: str, keys: list[str]) -> set[str]:
    """Check each key's entry against the endpoint's count; the outcomes."""
    with Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield:
        assert jackfield.journal is not None
        jackfield.journal.recover()
        entries = entries_by_key(jackfield.journal)
    for key in keys:
        check_truth(entries.get(key), sum(1 for message in aws.messages if message.subject == key))
    return {entry.status for entry in entries.values()}


@pytest.mark.above_sql
@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize("leavers", [8, pytest.param(LEAVERS, marks=pytest.mark.campaign)])
def test_ctrl_c_at_any_instant(database_url: str, home: Path, leavers: int) -> None:
    """Processes interrupted at random instants of a send."""
    open_database(database_url, migrate=True).close()
    keys = [f"ctrl-c-{number}" for number in range(leavers)]
    with FakeAws(latency=0.02) as aws:
        with nursery(aws.url, database_url, {"JACKFIELD_HOME": str(home)}) as ready:
            ready.end_at_random(keys, signal.SIGINT, 4711)
        aws.wait_until(lambda fake: fake.open_connections == 0)
        _agree(aws, database_url, keys)


@pytest.mark.above_sql
@pytest.mark.parametrize("leavers", [20, pytest.param(LEAVERS, marks=pytest.mark.campaign)])
def test_a_task_that_is_cancelled_at_any_instant(database_url: str, leavers: int) -> None:
    """Tasks of an event loop cancelled at random instants: what was sent runs to its end, what was
    not is never sent.
    """
    open_database(database_url, migrate=True).close()
    instants = random.Random(4712)
    keys = [f"task-{number}" for number in range(leavers)]

    async def leave(jackfield: Jackfield) -> None:
        for key in keys:
            task = asyncio.ensure_future(jackfield.ainvoke(mail(key)))
            await asyncio.wait([task], timeout=instants.uniform(0.0, 0.05))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await jackfield.drained(PATIENCE)

    with FakeAws(latency=0.02) as aws:
        with Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield:
            jackfield.invoke(mail("warm-up"))
            asyncio.run(leave(jackfield))
        outcomes = _agree(aws, database_url, keys)
    assert outcomes <= {"succeeded", "failed"}


@pytest.mark.usefixtures("warm_python")
def test_a_reader_who_closes_the_pipe_at_any_line(home: Path, tmp_path: Path) -> None:
    """A batch of 50 lines whose reader leaves after some: the lines that were sent are in the
    journal as sent, the rest are not sent.
    """
    database_url = f"sqlite:///{tmp_path / 'jackfield.db'}"
    open_database(database_url, migrate=True).close()
    keys = [f"pipe-{number}" for number in range(LEAVERS)]
    lines = "".join(json.dumps(mail(key)) + "\n" for key in keys).encode()
    with FakeAws(latency=0.02) as aws:
        path = tmp_path / "connections.json"
        path.write_text(json.dumps({"connections": connection(aws.url)}), encoding="utf-8")
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(home),
            "JACKFIELD_DATABASE_URL": database_url,
            "JACKFIELD_CONNECTIONS": str(path),
        }
        command = [sys.executable, "-m", "jackfield", "invoke", "--concurrency", "4", "--lines"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(lines)
            process.stdin.close()
            for _ in range(7):
                assert b"succeeded" in process.stdout.readline()
            process.stdout.close()
            process.wait(PATIENCE)
        _agree(aws, database_url, keys)


class Interrupting:
    """A plugin in whose hook Ctrl-C is pressed: right when the action has come back."""

    @hookimpl
    def stage(self, name: str) -> None:
        """Ctrl-C as the outcome is about to be settled."""
        if name == "settle":
            raise KeyboardInterrupt


def test_ctrl_c_after_the_answer_is_not_told_as_not_done(database_url: str) -> None:
    """A mail that was sent is in doubt at worst, even where Ctrl-C comes between the provider's
    answer and the journal.
    """
    open_database(database_url, migrate=True).close()
    with FakeAws() as aws:
        with Jackfield(
            connections=[connection(aws.url)], database_url=database_url, plugins=[Interrupting()]
        ) as jackfield:
            with pytest.raises(KeyboardInterrupt):
                jackfield.invoke(mail("order-1"))
            assert jackfield.journal is not None
            (entry,) = entries_by_key(jackfield.journal).values()
        assert len(aws.messages) == 1
    assert entry.status == "in_doubt"
