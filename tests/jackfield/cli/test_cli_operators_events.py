"""``jackfield events``, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from jackfield_store.database.outbox import record
from operating import storage
from receiver import receiving
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating", "warm"]
pytestmark = [pytest.mark.usefixtures("warm_python"), pytest.mark.above_sql]


def _happened(*types: str) -> None:
    with storage() as opened, opened.database.write() as transaction:
        for number, kind in enumerate(types):
            record(transaction, "default", kind, f"s{number}", 1.5, {"number": number})


def test_events_are_listed_and_shown(operator: Shell) -> None:
    """Oldest first, by cursor and type; one by its id."""
    _happened("quota.low", "schedule.missed", "quota.low")
    rows = operator.run("events", "list").json
    assert [(row["sequence"], row["type"], row["subject"], row["data"]) for row in rows] == [
        (1, "quota.low", "s0", {"number": 0}),
        (2, "schedule.missed", "s1", {"number": 1}),
        (3, "quota.low", "s2", {"number": 2}),
    ]
    assert [
        row["sequence"]
        for row in operator.run(
            "events", "list", "--after", "1", "--types", "quota.*,callback.paused"
        ).json
    ] == [3]
    assert [row["sequence"] for row in operator.run("events", "list", "--limit", "1").json] == [1]
    assert operator.run("events", "show", rows[1]["id"]).json == rows[1]


def test_followers_get_each_event_as_a_line(operator: Shell) -> None:
    """Those that are there, then those that come; Ctrl-C ends it with 0."""
    _happened("quota.low")
    command = [sys.executable, "-m", "jackfield", "events", "follow"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
    ) as follower:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["sequence"] == 1
        _happened("schedule.missed")
        assert json.loads(follower.stdout.readline())["sequence"] == 2
        follower.send_signal(signal.SIGINT)
        assert follower.wait(60) == 0


def test_callbacks_are_managed(operator: Shell) -> None:
    """The secret is printed once; a test says what the receiver answered; the operator's URL may be
    any host.
    """
    with receiving() as receiver:
        made = operator.run(
            "callbacks", "add", receiver.url, "--types", "quota.low,connection.*"
        ).json
        assert sorted(made) == ["id", "secret"]
        assert made["secret"].startswith("whsec_")
        (row,) = operator.run("callbacks", "list").json
        assert (row["id"], row["url"], row["types"], row["status"]) == (
            made["id"],
            receiver.url,
            ["quota.low", "connection.*"],
            "active",
        )
        tested = operator.run("callbacks", "test", made["id"])
        assert (tested.code, tested.json["delivered"], tested.json["status"]) == (0, True, 204)
        receiver.says(500)
        assert operator.run("callbacks", "test", made["id"]).code == 1
        rotated = operator.run("callbacks", "rotate", made["id"], "--overlap", "1h").json
        assert rotated["secret"] != made["secret"]
        assert operator.run("callbacks", "pause", made["id"]).json["status"] == "paused"
        assert operator.run("callbacks", "resume", made["id"]).json["status"] == "active"
        assert operator.run("callbacks", "show", made["id"]).json["types"] == [
            "quota.low",
            "connection.*",
        ]
        assert operator.run("callbacks", "recover", made["id"], "--since", "1d").json == {
            "recovered": 0
        }
        assert operator.run("callbacks", "remove", made["id"]).json == {"removed": made["id"]}
        assert operator.run("callbacks", "list").json == []


def test_callbacks_of_platforms(operator: Shell) -> None:
    """They are named by the pattern, and are not among those of a workspace."""
    with receiving() as receiver:
        made = operator.run(
            "callbacks", "add", receiver.url, "--workspaces", "acme-*", "--types", "quota.low"
        ).json
        assert operator.run("callbacks", "list").json == []
        (row,) = operator.run("callbacks", "list", "--workspaces", "acme-*").json
        assert (row["id"], row["workspaces"]) == (made["id"], "acme-*")
        assert (
            operator.run("callbacks", "test", made["id"], "--workspaces", "acme-*").json[
                "delivered"
            ]
            is True
        )
        assert operator.run("deliveries", "list", "--workspaces", "acme-*").json == []
        for words in (
            ("show", made["id"]),
            ("show", made["id"], "--workspaces", "acme"),
            ("list", "--workspaces", "acme*x"),
        ):
            refused = operator.run("callbacks", *words)
            assert (refused.code, refused.json["error"]["code"]) == (2, "invalid_invocation")
        both = operator.run("callbacks", "list", "--workspaces", "acme-*", "--workspace", "default")
        assert (both.code, both.json["error"]["code"]) == (2, "invalid_invocation")
        assert operator.run("callbacks", "remove", made["id"], "--workspaces", "acme-*").json == {
            "removed": made["id"]
        }


def test_deliveries_are_listed_and_sent_again(operator: Shell) -> None:
    """A worker delivers; what is listed can be sent again."""
    with receiving() as receiver:
        made = operator.run("callbacks", "add", receiver.url, "--types", "quota.low").json
        _happened("quota.low")
        command = [sys.executable, "-m", "jackfield", "worker"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ)) as worker:
            (got,) = receiver.wait(1)
            while not (rows := operator.run("deliveries", "list", "--status", "delivered").json):
                pass
            assert (rows[0]["eventId"], rows[0]["callback"], rows[0]["lastStatus"]) == (
                got.id,
                made["id"],
                204,
            )
            assert operator.run("deliveries", "show", rows[0]["id"]).json["attempts"] == 1
            assert operator.run("deliveries", "resend", rows[0]["id"]).json == {
                "resent": [rows[0]["id"]]
            }
            assert operator.run("deliveries", "resend", rows[0]["id"], "nope").code == 2
            assert operator.run("deliveries", "resend", "--dead").json == {"resent": []}
            receiver.wait(2)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        assert operator.run("deliveries", "resend").code == 2
