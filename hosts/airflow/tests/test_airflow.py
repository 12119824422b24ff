"""The provider in a real Airflow (``.venv/airflow``): scheduler, workers and triggerer run dags
against a real server of jackfield.

Not asked for by ``make test``: Airflow starts six processes, and needs an environment of its own.
``make airflow`` runs it, and so does CI.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from ports import free_port

ROOT = Path(__file__).parents[3]
AIRFLOW = ROOT / ".venv" / "airflow" / "bin"
PATIENCE = 1800.0
"""Seconds until all tasks must have ended. Unloaded it takes about 60, beside a load of 36 it took
560.
"""
pytestmark = pytest.mark.timeout(2 * PATIENCE)
PARTS = ("scheduler", "dag-processor", "triggerer")
SECRET = "jf_a-token-that-no-log-shows"
ENDED = {"success", "failed", "upstream_failed", "skipped", "removed"}


@contextmanager
def program(
    *command: str, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    """A program in a group of its own, with what it prints in a file; its whole group ends with the
    block.
    """
    with log.open("w") as file:
        running = subprocess.Popen(
            command,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield running
        finally:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(running.pid, sign)
                    running.wait(20)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue


@contextmanager
def jackfield_server(folder: Path, aws: FakeAws) -> Iterator[tuple[str, str]]:
    """A server with one connection to a fake AWS; its URL and a token."""
    keys = {
        "accessKeyId": "AKIDAIRFLOW",
        "secretAccessKey": "s",
        "region": "eu-west-1",
        "endpoint": aws.url,
    }
    connections = folder / "connections.yaml"
    connections.write_text(
        json.dumps({"connections": {"acme": {"type": "aws/apiKeySecret", "values": keys}}})
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JACKFIELD_", "AIRFLOW"))
    }
    environment |= {
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": f"sqlite:///{folder / 'jackfield.db'}",
        "JACKFIELD_CONNECTIONS": str(connections),
    }
    command = [sys.executable, "-m", "jackfield"]
    made = subprocess.run(
        [*command, "tokens", "create", "--scope", "invoke", "--json"],
        env=environment,
        capture_output=True,
        check=True,
    )
    port = free_port()
    log = folder / "jackfield.log"
    with program(
        *command,
        "serve",
        "--port",
        str(port),
        "--allow-host",
        "127.0.0.1",
        environment=environment,
        log=log,
    ) as running:
        until(lambda: listens(port) or running.poll() is not None, "jackfield serve", log)
        yield f"http://127.0.0.1:{port}", json.loads(made.stdout)["token"]


def listens(port: int) -> bool:
    """Whether a program listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def until(done: Any, what: str, log: Path, patience: float = 120.0) -> None:
    """Wait for a condition, and show the log of who did not fulfil it."""
    end = time.monotonic() + patience
    while not done():
        assert time.monotonic() < end, f"{what}:\n" + log.read_text()[-6000:]
        time.sleep(0.25)


class Runs:
    """What Airflow's database and the fake AWS know after all dags have run."""

    def __init__(self, database: Path, aws: FakeAws) -> None:
        self._database = database
        self.aws = aws

    def tasks(self, dag: str = "%") -> dict[str, tuple[str, int]]:
        """State and last try of each task; a mapped one has its number."""
        query = (
            "select task_id || iif(map_index < 0, '', map_index), state, try_number from "
            "task_instance where dag_id like ?"
        )
        try:
            with sqlite3.connect(
                f"file:{self._database}?mode=ro", uri=True, timeout=30
            ) as database:
                return {
                    name: (state, tried) for name, state, tried in database.execute(query, (dag,))
                }
        except sqlite3.OperationalError:  # it is being made
            return {}

    def have_ended(self) -> bool:
        """Whether each task of the three dags has come to an end."""
        found = self.tasks()
        return len(found) >= 16 and all(state in ENDED for state, _ in found.values())

    def ends(self, task: str) -> list[str]:
        """Errors of the tries in which a task of the dag ``refused`` made its call, in order.

        A try that Airflow itself loses before the task begins (its API server is late) counts for
        Airflow, and has made no call.
        """
        logs = sorted(
            self._database.parent.glob(f"logs/dag_id=refused/*/task_id={task}/attempt=*.log")
        )
        lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
        return [
            line["error_detail"][0]["exc_type"]
            for line in lines
            if line["event"] == "Task failed with exception"
        ]

    def logs(self) -> list[Path]:
        """What tasks, triggers and Airflow's own processes have logged."""
        folder = self._database.parent
        return [*folder.glob("logs/**/*.log"), *folder.glob("*.log")]

    def subjects(self, begin: str) -> list[str]:
        """Subjects of the mails that AWS has got."""
        return sorted(
            one.content.subject
            for one in self.aws.messages
            if one.content.subject.startswith(begin)
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All dags of ``mails.py``, run by Airflow as it is installed."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    shutil.copy(Path(__file__).with_name("mails.py"), folder / "dags")
    with FakeAws() as aws, jackfield_server(folder, aws) as (url, token):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JACKFIELD_", "AIRFLOW", "PYTHON"))
        }
        environment |= airflow_settings(folder, url, token)
        subprocess.run(
            [AIRFLOW / "airflow", "db", "migrate"], env=environment, check=True, capture_output=True
        )
        found = Runs(folder / "airflow.db", aws)
        with ExitStack() as parts:

            def start(part: str) -> Path:
                log = folder / f"{part}.log"
                parts.enter_context(
                    program(str(AIRFLOW / "airflow"), part, environment=environment, log=log)
                )
                return log

            log = start("api-server")
            # without it a try is lost
            until(lambda: listens(int(environment["AIRFLOW__API__PORT"])), "the API server", log)
            for part in PARTS:
                start(part)
            until(found.have_ended, "the dags", folder / "scheduler.log", PATIENCE)
            yield found


def airflow_settings(folder: Path, url: str, token: str) -> dict[str, str]:
    """Settings of an Airflow that reads one folder of dags, runs all of them at once, and has
    several connections to jackfield.
    """
    port = str(free_port())

    def connection(host: str, password: str) -> str:
        return json.dumps({"conn_type": "jackfield", "host": host, "password": password})

    return {
        "PATH": f"{AIRFLOW}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-test-alone-0123456789",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "240",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW_CONN_JACKFIELD_DEFAULT": connection(url, token),
        "AIRFLOW_CONN_JACKFIELD_STRANGER": connection(url, "jf_no-such-token"),
        "AIRFLOW_CONN_JACKFIELD_PADDED": connection(url, f" {token}\n"),
        "AIRFLOW_CONN_JACKFIELD_BROKEN": connection(url, f"{SECRET}\n{SECRET}"),
        "AIRFLOW_CONN_JACKFIELD_FOREIGN": connection(url, f"{SECRET}é"),
        "AIRFLOW_CONN_JACKFIELD_AWAY": connection(f"http://127.0.0.1:{free_port()}", token),
    }


@pytest.mark.parametrize("task", ["waiting", "deferred", "hooked0", "hooked1"])
def test_a_task_killed_after_the_send_and_retried_three_times_sends_one_mail(
    runs: Runs, task: str
) -> None:
    """Killed in its worker, in a call by the hook, or once it is resumed: the fourth try succeeds,
    with the outcome of the first send.
    """
    subject = (
        f"killed {task}" if not task.startswith("hooked") else f"killed hooked {int(task[-1]) + 1}"
    )
    assert runs.tasks("killed")[task] == ("success", 4)
    assert runs.subjects(subject) == [subject]


def test_templates_and_outputs(runs: Runs) -> None:
    """Inputs are rendered, and the output is the task's: the second mail names the first one's
    ID.
    """
    assert {runs.tasks("plain")[task][0] for task in ("first", "second")} == {"success"}
    (first,) = (one for one in runs.aws.messages if one.content.subject == "plain plain")
    assert runs.subjects("after") == [f"after {first.message_id}"]


def test_a_sensor_waits_for_an_invocation(runs: Runs) -> None:
    """Deferred or in a worker, it succeeds with the invocation that another task has begun."""
    assert {runs.tasks("plain")[task][0] for task in ("submitted", "watched", "poked")} == {
        "success"
    }
    assert runs.subjects("watched") == ["watched"]


def test_what_no_retry_cures_is_not_retried(runs: Runs) -> None:
    """Invalid inputs, an unknown action and a refused token fail the first try that makes its call;
    one who is away is tried four times.
    """
    found = runs.tasks("refused")
    for task in ("invalid", "unknown", "stranger"):
        assert (found[task][0], runs.ends(task)) == ("failed", ["AirflowFailException"])
    assert found["away"] == ("failed", 4)
    assert {*runs.ends("away")} == {"AirflowException"}
    assert {
        subject
        for start in ("invalid", "unknown", "stranger", "away")
        for subject in runs.subjects(start)
    } == set()


def test_a_token_that_cannot_be_sent_is_never_quoted(runs: Runs) -> None:
    """A line end around it, as files have, is no part of it. A line end within it, or a letter
    outside of ASCII, fails the first try, and no log shows the token.
    """
    assert runs.tasks("plain")["padded"][0] == "success"
    assert runs.subjects("padded") == ["padded"]
    found = runs.tasks("refused")
    for task in ("broken", "foreign"):
        assert (found[task][0], runs.ends(task)) == ("failed", ["AirflowFailException"])
        assert runs.subjects(task) == []
    assert [log for log in runs.logs() if SECRET in log.read_text(errors="replace")] == []
