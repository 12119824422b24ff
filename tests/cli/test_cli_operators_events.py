"""``jackfield events``, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from jackfield.database.outbox import record
from operating import storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]


def _happened(*types: str) -> None:
    with storage() as opened, opened.database.write() as transaction:
        for number, kind in enumerate(types):
            record(transaction, "default", kind, f"s{number}", 1.5, {"number": number})


def test_events_are_listed_and_shown(operator: Shell) -> None:
    """Oldest first, by cursor and type; one by its id."""
    _happened("quota.low", "schedule.missed", "quota.low")
    rows = operator.run("events", "list").json
    assert [(row["sequence"], row["type"], row["subject"], row["data"]) for row in rows] == [
        (1, "quota.low", "s0", {"number": 0}), (2, "schedule.missed", "s1", {"number": 1}), (3, "quota.low", "s2", {"number": 2}),
    ]  # fmt: skip
    assert [row["sequence"] for row in operator.run("events", "list", "--after", "1", "--types", "quota.*,callback.paused").json] == [3]
    assert [row["sequence"] for row in operator.run("events", "list", "--limit", "1").json] == [1]
    assert operator.run("events", "show", rows[1]["id"]).json == rows[1]


def test_wrong_questions_are_refused(operator: Shell) -> None:
    """An unknown id, type and cursor exit with 2 and say what to do."""
    for words in (("show", "nope"), ("list", "--types", "quota.lwo"), ("list", "--after", "x"), ("list", "--after", "7")):
        refused = operator.run("events", *words)
        assert refused.code == 2
        assert refused.json["error"]["code"] == "invalid_invocation"
        assert refused.json["error"]["hint"]


def test_without_a_database_there_are_none(shell: Shell) -> None:
    """The refusal says why."""
    shell.set(JACKFIELD_DATABASE_URL="none")
    refused = shell.run("events", "list")
    assert refused.code == 2
    assert "events need a database" in refused.json["error"]["message"]


def test_followers_get_each_event_as_a_line(operator: Shell) -> None:
    """Those that are there, then those that come; Ctrl-C ends it with 0."""
    _happened("quota.low")
    command = [sys.executable, "-m", "jackfield", "events", "follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)) as follower:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["sequence"] == 1
        _happened("schedule.missed")
        assert json.loads(follower.stdout.readline())["sequence"] == 2
        follower.send_signal(signal.SIGINT)
        assert follower.wait(60) == 0
