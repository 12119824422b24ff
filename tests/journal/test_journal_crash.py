"""Whatever instant a process dies at, no mail is sent twice under one key and the journal tells the truth."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.database import open_database
from jackfield.journal import Entry, Journal
from nursery import Nursery, connection, mail, nursery

KILLS = 100


def _killed_at_random(aws: FakeAws, database_url: str, home: Path) -> list[str]:
    instants = random.Random(20261120)
    keys = [f"crash-{number}" for number in range(KILLS)]
    with nursery(aws.url, database_url, {"JACKFIELD_HOME": str(home)}) as ready:
        longest = _seconds_of_a_life(ready)
        for key in keys:
            child = ready.child(key)
            threading.Event().wait(instants.uniform(0.0, longest))
            _kill(child)
    return keys


def _seconds_of_a_life(ready: Nursery) -> float:
    """How long a child lives here and now, from its fork to its end, if nobody kills it: the longest of three lives."""
    lives = []
    for number in range(3):
        started = time.monotonic()
        child = ready.child(f"whole-{number}")
        while Path(f"/proc/{child}").exists():
            threading.Event().wait(0.001)
        lives.append(time.monotonic() - started)
    return max(lives)


def _kill(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        return  # it was faster


def _accepted(aws: FakeAws, key: str) -> int:
    return sum(1 for message in aws.messages if message.subject == key)


def test_a_killed_process_sends_nothing_twice_and_loses_nothing(database_url: str, home: Path) -> None:
    """100 processes killed at random instants: each mail at most once, an entry for each mail, and every entry ends truthfully."""
    open_database(database_url, migrate=True).close()
    with FakeAws(latency=0.01) as aws:
        keys = _killed_at_random(aws, database_url, home)
        aws.wait_until(lambda fake: fake.open_connections == 0)
        with Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield:
            journal = jackfield.journal
            assert journal is not None
            journal.recover()
            entries = {entry.idempotency_key: entry for entry in _all(journal)}
            sent = {key: _accepted(aws, key) for key in keys}
            assert max(sent.values()) == 1
            for key in keys:
                _check_truth(entries.get(key), sent[key])
            outcomes = {entry.status for entry in entries.values()}
            for key in keys:
                jackfield.invoke(mail(key))
            assert [key for key in keys if _accepted(aws, key) > 1] == []
    assert "in_doubt" in outcomes or "succeeded" in outcomes


def _all(journal: Journal) -> list[Entry]:
    found: list[Entry] = []
    cursor = None
    while True:
        page, cursor = journal.entries(cursor=cursor, limit=50)
        found.extend(page)
        if cursor is None:
            return found


def _check_truth(entry: Entry | None, sent: int) -> None:
    if entry is None:
        assert sent == 0
        return
    assert entry.status in ("succeeded", "failed", "in_doubt")
    if entry.status == "succeeded":
        assert sent == 1
    if entry.status == "failed":
        assert sent == 0
