"""Prefect itself: tasks in threads and processes, its retries, and its time limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from http_stand import clean
from jackfield_market.testing.loopback_provider import CLOSE, Answer, Provider, Request, Step

pytestmark = pytest.mark.interop
_PYTHON = Path(sys.prefix) / "prefect" / "bin" / "python"
_RUNTIME = """
import functools, os
from jackfield import Jackfield

@functools.cache
def runtime():
    shop = {"type": "http/bearer", "values": {"server": os.environ["SHOP"], "token": "token-of-the-shop"}}
    return Jackfield(connections=[{"connections": {"shop": shop}}])

def asked(path, key):
    inputs = {"method": "POST", "url": path, "json": {}}
    return {"connector": "http", "action": "request", "connection": "shop", "inputs": inputs, "idempotencyKey": str(key)}
"""
_FLOWS = """
import json, os
from prefect import flow, task
from prefect.runtime import task_run
from prefect.task_runners import ProcessPoolTaskRunner
from jackfield import InvocationFailed
from shop import asked, runtime

@task
def charge(path): return runtime().invoke(asked(path, task_run.id), wait=True)
@task(retries=2)
def demanded(path): return runtime().invoke(asked(path, task_run.id), wait=True).unwrap()
@task(timeout_seconds=2)
def limited(path): return runtime().invoke(asked(path, task_run.id), wait=True).unwrap()
@task(timeout_seconds=2)
async def alimited(path): return (await runtime().ainvoke(asked(path, task_run.id))).unwrap()

def ended(future):
    future.wait()
    return future.state.name

@flow
def threads():
    mapped = [future.result().status for future in charge.map(["/ok/1", "/ok/2", "/ok/3"])]
    return [mapped, ended(demanded.submit("/lost/1")), ended(limited.submit("/slow/1")), ended(alimited.submit("/slow/2"))]

@flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
def processes():
    mapped = [future.result().status for future in charge.map(["/ok/4", "/ok/5"])]
    try:
        demanded.submit("/lost/2").result()
    except InvocationFailed as error:
        return [mapped, error.result.status]

if __name__ == "__main__":
    open(os.environ["FOUND"], "w").write(json.dumps([threads(), processes()]))
"""


def test_tasks_of_prefect_send_once(tmp_path: Path) -> None:
    """Each task sends once, however often Prefect tries it: a lost answer stays a doubt under the
    key of the task. Results and failures come out of processes, and a task that takes too long has
    timed out, in a thread as in a loop.
    """
    if not _PYTHON.exists():
        pytest.skip("Prefect is not installed in .venv/prefect: make interop installs it")
    asked: list[str] = []
    over = threading.Event()

    def answer(_number: int, request: Request) -> Step:
        asked.append(request.path)
        if "slow" in request.path:
            over.wait(5)
        return Answer() if "ok" in request.path else CLOSE

    (tmp_path / "shop.py").write_text(_RUNTIME, encoding="utf-8")
    (tmp_path / "flows.py").write_text(_FLOWS, encoding="utf-8")
    own = {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
        "DO_NOT_TRACK": "1",
    }
    with Provider(answer, keeps=True) as far:
        given = clean(
            tmp_path / "home",
            SHOP=far.url,
            FOUND=str(tmp_path / "found"),
            PATH=os.environ["PATH"],
            **own,
        )
        done = subprocess.run(
            [str(_PYTHON), "flows.py"],
            cwd=tmp_path,
            env=given,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        over.set()
    assert done.returncode == 0, done.stderr[-4000:]
    in_threads, in_processes = json.loads((tmp_path / "found").read_text())
    assert in_threads == [["succeeded"] * 3, "Failed", "TimedOut", "TimedOut"]
    assert in_processes == [["succeeded"] * 2, "in_doubt"]
    assert sorted(asked) == [
        *(f"/lost/{number}" for number in (1, 2)),
        *(f"/ok/{number}" for number in range(1, 6)),
        "/slow/1",
        "/slow/2",
    ]
