"""Hosts that run tasks in processes of their own, on the real thing: what a task was told stays so
when its process ends.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.jackfield.embedding import hosts

from doc_pages import ROOT, blocks
from host_provider import Provider
from jackfield import Jackfield
from postgres import Server
from redis_server import Redis, redis, redis_process

__all__ = ["redis", "redis_process"]

_TASKS = 50 if os.environ.get("CAMPAIGN") else 2
_OFTEN = {"Celery, prefork", "RQ", "gunicorn, preload"}
"""Hosts of each commit: a child that ends after a task, one that ends by ``os._exit``, workers that
are stopped. A campaign has all.
"""
_HOSTS = [
    pytest.param(name, marks=[] if name in _OFTEN else [pytest.mark.campaign])
    for name in hosts.HOSTS
]


def _skips() -> None:
    for part in ("gunicorn", "rq", "dramatiq", "gevent"):
        if importlib.util.find_spec(part) is None:
            pytest.skip(f"{part} is not installed")


def _hosted(name: str, place: hosts.Place) -> None:
    _skips()
    hosts.HOSTS[name](place, _TASKS)
    told = place.told
    assert (len(told), len(set(told))) == (2 * _TASKS, 2 * _TASKS)
    with Jackfield(database_url=place.database) as jackfield:
        assert jackfield.journal is not None
        entries = jackfield.journal.entries(limit=1000)[0]
    assert Counter(entry.status for entry in entries) == {"succeeded": 2 * _TASKS}
    assert {entry.id for entry in entries} == set(told)


@pytest.mark.parametrize("name", _HOSTS)
def test_a_task_leaves_no_doubt(
    name: str, provider: Provider, redis: Redis, tmp_path: Path
) -> None:
    """No write that a task was told as succeeded is in doubt, and no read is without its entry,
    when the host's worker ends its process.
    """
    _hosted(name, hosts.Place(provider.url, f"sqlite:///{tmp_path / 'j.db'}", redis.url, tmp_path))


@pytest.mark.campaign
@pytest.mark.parametrize("name", list(hosts.HOSTS))
def test_a_task_leaves_no_doubt_on_a_server(
    name: str, provider: Provider, redis: Redis, postgres_server: Server, tmp_path: Path
) -> None:
    """The same holds on PostgreSQL."""
    url = postgres_server.create(postgres_server.template())
    _hosted(name, hosts.Place(provider.url, url, redis.url, tmp_path))


@pytest.mark.campaign
@pytest.mark.parametrize("name", list(hosts.LIMITS))
def test_a_time_limit_of_the_host_comes_out(
    name: str, provider: Provider, redis: Redis, tmp_path: Path
) -> None:
    """What a host raises after its time limit comes out of the call; nothing is sent again, and the
    write is in doubt.
    """
    _skips()
    place = hosts.Place(provider.url, f"sqlite:///{tmp_path / 'j.db'}", redis.url, tmp_path)
    run, raised = hosts.LIMITS[name]
    run(place)
    assert place.told == [raised]
    assert provider.paths == ["/slow"]
    with Jackfield(database_url=place.database) as jackfield:
        assert jackfield.journal is not None
        assert [entry.status for entry in jackfield.journal.entries()[0]] == ["in_doubt"]


def test_the_page_s_task_charges_once(provider: Provider, tmp_path: Path) -> None:
    """The file of the page "Embed jackfield in workers", as it stands: a task that is delivered
    twice at once sends one request.
    """
    _skips()
    (code,) = (
        block.body
        for block in blocks(ROOT / "docs" / "tutorial" / "embed-workers.md")
        if block.title == "shop_tasks.py"
    )
    (tmp_path / "shop_tasks.py").write_text(code)
    given = {
        "SHOP_URL": provider.url,
        "SHOP_TOKEN": "t",
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "PYTHONWARNINGS": "ignore",
    }
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")
    } | given
    program = """
from concurrent.futures import ThreadPoolExecutor
import shop_tasks

shop_tasks.charge.app.finalize()  # as a worker does at its start: two threads must not bind the task at once
with ThreadPoolExecutor(2) as threads:
    print([*threads.map(lambda _delivery: shop_tasks.charge.apply(args=(7, 19)).get(), range(2))])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, provider.paths) == (0, "[{}, {}]\n", ["/charges"]), (
        done.stderr
    )
