"""Each adapter in its framework, in processes of their own: an effect whose answer is lost, and one whose process is killed, happen once.

Not asked for by ``make test``, which runs the adapters without their frameworks: ``make adapters`` makes the environment and runs it.
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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from temporal_server import MOST, Frontend

ADAPTERS = Path(__file__).parents[1]
PATIENCE = 900.0
INLINE = ["langgraph", "pydantic_ai", "openai_agents", "prefect", "fastapi", "fastmcp"]
RETRYING = ["langgraph", "prefect"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def listens(port: int) -> bool:
    """Whether a program listens on a port of loopback."""
    with socket.socket() as made:
        return made.connect_ex(("127.0.0.1", port)) == 0


def until(done: Callable[[], Any], log: Path | None = None) -> None:
    """Wait for a condition, and show the log of who did not fulfil it."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, log.read_text()[-4000:] if log else "it takes too long"
        time.sleep(0.1)


class Stage:
    """A folder with a database, the provider's charges, and what programs print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("JACKFIELD_", "PREFECT_", "AIRFLOW"))}
        self.environment |= {
            "PAYMENTS": str(folder / "payments.txt"),
            "JACKFIELD_HOME": str(folder / "home"),
            "JACKFIELD_DATABASE_URL": f"sqlite:///{folder}/jackfield.db",
            "PYTHONPATH": str(ADAPTERS),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def charges(self, order: str) -> int:
        """How often an order was charged."""
        file = self.folder / "payments.txt"
        return sum(line.split()[0] == order for line in file.read_text().splitlines()) if file.exists() else 0

    @contextmanager
    def program(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program in a group of its own, which ends with the block."""
        with (self.folder / f"{Path(command[0]).name}.log").open("ab") as log:
            running = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
            try:
                yield running
            finally:
                for sign in (signal.SIGTERM, signal.SIGKILL):
                    try:
                        os.killpg(running.pid, sign)
                        running.wait(20)
                    except (ProcessLookupError, subprocess.TimeoutExpired):
                        continue

    def driven(self, framework: str, order: str) -> tuple[int, dict[str, str]]:
        """Run an adapter in a process; its exit code, and what came out."""
        command = [sys.executable, str(Path(__file__).with_name("drive.py")), framework, order]
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
        lines = done.stdout.splitlines()
        assert lines or done.returncode == -signal.SIGKILL, done.stderr[-4000:]
        return done.returncode, json.loads(lines[-1]) if lines else {}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A folder for all adapters."""
    return Stage(tmp_path_factory.mktemp("adapters"))


@pytest.fixture(scope="module")
def prefect_server(stage: Stage) -> Iterator[None]:
    """A server of Prefect's, which a later process finds a flow run in."""
    port = free_port()
    stage.environment |= {
        "PREFECT_HOME": str(stage.folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    with stage.program("prefect", "server", "start", "--port", str(port)):
        until(lambda: listens(port), stage.folder / "prefect.log")
        yield


@pytest.fixture
def framework(request: pytest.FixtureRequest) -> str:
    """Name of a framework, whose server runs, if it has one."""
    name = str(request.param)
    if name == "prefect":
        request.getfixturevalue("prefect_server")
    return name


@pytest.mark.parametrize("framework", INLINE, indirect=True)
class TestInline:
    """Frameworks that run the adapter in the caller's process."""

    def test_a_lost_answer_is_a_doubt_that_no_retry_repeats(self, stage: Stage, framework: str) -> None:
        """The doubt comes out at the first try, though the framework retries; a later run takes what the look has found."""
        order = f"lost-{framework}"
        code, told = stage.driven(framework, order)
        assert code == 0
        assert "in_doubt" in told["error"]
        assert stage.driven(framework, order) == (0, {"value": f"charge of {order}"})
        assert stage.charges(order) == 1

    def test_a_killed_process_has_charged_once(self, stage: Stage, framework: str) -> None:
        """What resumes or repeats it takes what the look has found."""
        order = f"killed-{framework}"
        assert stage.driven(framework, order)[0] == -signal.SIGKILL
        assert stage.driven(framework, order) == (0, {"value": f"charge of {order}"})
        assert stage.charges(order) == 1

    def test_a_refusal_is_an_ordinary_error(self, stage: Stage, framework: str) -> None:
        """It is told as what it is, and nothing is in doubt."""
        order = f"declined-{framework}"
        said = json.dumps(stage.driven(framework, order)[1])
        assert "eclined" in said or "retries" in said
        assert "in_doubt" not in said
        assert stage.charges(order) == 0

    def test_a_repeat_charges_once(self, stage: Stage, framework: str) -> None:
        """Two runs about one order; a thread of LangGraph's that has ended is begun anew, with another key."""
        order = f"plain-{framework}"
        for _ in range(1 if framework == "langgraph" else 2):
            assert stage.driven(framework, order) == (0, {"value": f"charge of {order}"})
        assert stage.charges(order) == 1


@pytest.mark.parametrize("framework", RETRYING, indirect=True)
def test_a_refusal_is_retried_by_the_framework(stage: Stage, framework: str) -> None:
    """The refusal has freed the key, and the next try charges."""
    order = f"busy-{framework}"
    assert stage.driven(framework, order) == (0, {"value": f"charge of {order}"})
    assert stage.charges(order) == 1


def test_temporal(stage: Stage) -> None:
    """A worker's doubt is not retried, its refusal is; a killed worker's try is, and takes what the look has found."""
    server = Frontend()
    drive = (sys.executable, str(Path(__file__).with_name("drive.py")), "temporal", server.address)
    try:
        with stage.program(*drive) as running:
            for order, tries in (("plain-temporal", 1), ("busy-temporal", 2)):
                assert server.begin(order).result(PATIENCE) == f"charge of {order}"
                assert (server.taken[order], stage.charges(order)) == (tries, 1)
            for order, tries, said in (("lost-temporal", 1, "in_doubt"), ("declined-temporal", MOST, "Declined")):
                with pytest.raises(RuntimeError, match=said):
                    server.begin(order).result(PATIENCE)
                assert (server.taken[order], stage.charges(order)) == (tries, int(tries == 1))
            end = server.begin("killed-temporal")
            assert running.wait(PATIENCE) == -signal.SIGKILL
        with stage.program(*drive):
            server.lost("killed-temporal")
            assert end.result(PATIENCE) == "charge of killed-temporal"
        assert (server.taken["killed-temporal"], stage.charges("killed-temporal")) == (2, 1)
    finally:
        server.stop()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")
def test_celery(stage: Stage) -> None:
    """A worker's doubt is not retried, its refusal is; the message of a killed child is delivered again."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    stage.environment |= {"BROKER_URL": f"{url}/0", "RESULT_BACKEND": f"{url}/1"}
    with stage.program("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""):
        until(lambda: listens(port))
        with stage.program("celery", "-A", "celery_task", "worker", "--pool", "prefork", "--concurrency", "1"):
            for order in ("plain-celery", "busy-celery", "killed-celery"):
                assert stage.driven("celery", order) == (0, {"value": f"charge of {order}"})
            for order, said in (("lost-celery", "InvocationFailed: in_doubt"), ("declined-celery", "Declined: declined-celery")):
                assert stage.driven("celery", order)[1]["error"].startswith(said)
    assert [stage.charges(f"{name}-celery") for name in ("plain", "busy", "killed", "lost", "declined")] == [1, 1, 1, 1, 0]


def test_airflow(stage: Stage) -> None:
    """A task's doubt is not retried, its refusal is; a killed task's next try takes what the look has found."""
    home, port = stage.folder / "airflow", free_port()
    (home / "dags").mkdir(parents=True)
    shutil.copy(ADAPTERS / "airflow_task.py", home / "dags")
    stage.environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-test-alone-0123456789",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
    }

    def airflow(*words: str) -> None:
        done = subprocess.run(["airflow", *words], env=stage.environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr[-4000:]

    airflow("db", "migrate")
    airflow("dags", "reserialize")
    runs = {f"{name}-airflow": end for name, end in [("plain", "success"), ("busy", "success"), ("killed", "success"), ("lost", "failed")]}
    with stage.program("airflow", "api-server"):
        until(lambda: listens(port), stage.folder / "airflow.log")
        with stage.program("airflow", "dag-processor"), stage.program("airflow", "scheduler"):
            for order in runs:
                airflow("dags", "trigger", "checkout", "--run-id", order, "--conf", json.dumps({"order": order, "amount": 5}))

            def states() -> dict[str, str]:
                with closing(sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=30)) as database:
                    return dict(database.execute("select run_id, state from dag_run"))

            until(lambda: all(state in ("success", "failed") for state in states().values()), stage.folder / "airflow.log")
            assert states() == runs
    assert {order: stage.charges(order) for order in runs} == dict.fromkeys(runs, 1)
