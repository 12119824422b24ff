"""Whatever instant a process dies at, no mail is sent twice under one key and the journal tells the
truth.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.jackfield_store.journal.truth import check_truth, entries_by_key

from fake_aws import FakeAws
from jackfield_store.database import open_database
from jackfield_store.journal import process
from jackfield_store.runtime import Jackfield
from nursery import connection, mail, nursery


def _accepted(aws: FakeAws, key: str) -> int:
    return sum(1 for message in aws.messages if message.subject == key)


@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize("kills", [12, pytest.param(100, marks=pytest.mark.campaign)])
def test_a_killed_process_sends_nothing_twice_and_loses_nothing(
    database_url: str, home: Path, kills: int
) -> None:
    """Processes killed at random instants: each mail at most once, an entry for each mail, and
    every entry ends truthfully.
    """
    open_database(database_url, migrate=True).close()
    keys = [f"crash-{number}" for number in range(kills)]
    with FakeAws(latency=0.01) as aws:
        with nursery(aws.url, database_url, {"JACKFIELD_HOME": str(home)}) as ready:
            ready.end_at_random(keys, signal.SIGKILL, 20261120)
        aws.wait_until(lambda fake: fake.open_connections == 0)
        with Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield:
            journal = jackfield.journal
            assert journal is not None
            journal.recover()
            entries = entries_by_key(journal)
            sent = {key: _accepted(aws, key) for key in keys}
            assert [key for key in keys if sent[key] > 1] == []
            assert _accepted(aws, "whole-0") == 1  # of a process that nobody killed
            # of a hundred, some have sent before they were killed
            assert any(sent.values()) or kills < 100
            for key in keys:
                check_truth(entries.get(key), sent[key])
            outcomes = {entry.status for entry in entries.values()}
            for key in keys:
                jackfield.invoke(mail(key))
            assert [key for key in keys if _accepted(aws, key) > 1] == []
    assert "in_doubt" in outcomes or "succeeded" in outcomes


def test_v6_a_process_id_is_looked_up_in_its_own_place_only() -> None:
    """A live process has not ended, one that is gone has; and where /proc shows another namespace
    nothing is looked up.
    """
    assert process.place() is not None
    assert not process.has_ended(os.getpid(), process.born(os.getpid()))
    assert process.has_ended(os.getpid(), 1)
    born = process.born(os.getpid())
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.has_ended(child.pid, born)  # a zombie
    assert process.has_ended(child.pid, born)
