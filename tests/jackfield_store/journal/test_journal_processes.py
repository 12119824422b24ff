"""Processes that share a database share its leases and its keys (issue 3, acceptance)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.kernel.clock import SystemClock
from jackfield_store.database import open_database
from jackfield_store.journal import Journal
from jackfield_store.journal.instance import Instance
from jackfield_store.keys import MasterKey, Vault
from nursery import connection, mail
from sender import ROLE, started

PROCESSES = 2


@pytest.mark.above_sql
@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize("threads", [8, pytest.param(50, marks=pytest.mark.campaign)])
def test_two_processes_of_many_threads_assume_the_role_once(
    database_url: str, home: Path, threads: int
) -> None:
    """First sends of many threads in two cold processes: one AssumeRole."""
    open_database(database_url, migrate=True).close()
    environment = {**os.environ, "JACKFIELD_HOME": str(home)}
    with FakeAws(latency=0.02, roles={ROLE: {"externalId": "acme-4711"}}) as aws:
        processes = [started(aws.url, database_url, threads, environment) for _ in range(PROCESSES)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "warm\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        statuses = [json.loads(process.communicate()[0]) for process in processes]
        assert Counter(status for found in statuses for status in found) == {
            "succeeded": PROCESSES * threads
        }
        assert (aws.counts["sts:AssumeRole"], aws.accepted) == (1, PROCESSES * threads)


@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize(
    ("commands", "callers"), [(2, 18), pytest.param(5, 45, marks=pytest.mark.campaign)]
)
def test_callers_over_library_and_command_line_share_one_send(
    database_url: str, home: Path, commands: int, callers: int
) -> None:
    """Threads and commands with one key, all waiting: one send, equal Results."""
    open_database(database_url, migrate=True).close()
    with FakeAws(latency=1.0) as aws:
        paths = {"connections": {"connections": connection(aws.url)}, "mail": mail("order-1")}
        home.mkdir(exist_ok=True)
        for name, content in paths.items():
            (home / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(home),
            "JACKFIELD_DATABASE_URL": database_url,
            "JACKFIELD_CONNECTIONS": str(home / "connections.json"),
        }
        command = [
            sys.executable,
            "-m",
            "jackfield",
            "invoke",
            "--file",
            str(home / "mail.json"),
            "--wait",
        ]
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
            for _ in range(commands)
        ]
        with (
            Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield,
            ThreadPoolExecutor(callers) as pool,
        ):
            results = [
                result.to_json()
                for result in pool.map(
                    lambda _: jackfield.invoke(mail("order-1"), wait=True), range(callers)
                )
            ]
        results += [json.loads(process.communicate()[0]) for process in processes]
        assert len(aws.messages) == 1
    assert [process.returncode for process in processes] == [0] * commands
    assert len({_stable(result) for result in results}) == 1
    assert sum(result["meta"]["replayed"] for result in results) == len(results) - 1


def _stable(result: dict[str, Any]) -> str:
    meta = {name: value for name, value in result["meta"].items() if name != "replayed"}
    return json.dumps({**result, "meta": meta}, sort_keys=True)


def test_another_journal_watches_when_the_first_is_dropped(tmp_path: Path) -> None:
    """One journal looks for lost processes, for all of its database; once nobody refers to it, the
    next does.
    """
    with open_database(f"sqlite:///{tmp_path / 'j.db'}") as database:
        vault = Vault(database, MasterKey.generate())
        first, second = (Journal(database, vault, "default", SystemClock()) for _ in range(2))
        first.watch()
        second.watch()
        instance = Instance.of(database)
        assert instance.watching is first
        del first
        assert instance.watching is second
