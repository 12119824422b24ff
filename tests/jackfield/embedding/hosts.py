"""Hosts that run tasks in processes of their own, each started, given tasks, and ended as it is in
production.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis as redis_client
from tests.jackfield.embedding import host_rq

from ports import free_port
from waiting import until

_ROOT = Path(__file__).parents[3]
_PROGRAMS = "tests.jackfield.embedding"
_WITHIN = 180.0
_TASK = 20.0
"""Seconds for a task that begins with imports, on a busy machine."""
_QUIET = (
    *(
        "--app",
        f"{_PROGRAMS}.host_celery",
        "worker",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ),
    *("--loglevel", "WARNING", "--hostname", f"host-{os.getpid()}@%h"),
)


@dataclass(frozen=True)
class Place:
    """What a host's program needs: a provider, a database, a broker (of Redis), and a folder for
    what it says.
    """

    url: str
    database: str
    broker: str
    folder: Path

    @property
    def told(self) -> list[str]:
        """The calls that a task was told as succeeded."""
        file = self.folder / "told"
        return file.read_text(encoding="ascii").split() if file.exists() else []

    @property
    def failed(self) -> bool:
        """True if a task has failed."""
        return "Traceback" in self.said

    @property
    def said(self) -> str:
        """What the host's processes have printed."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes."""
        ours = {
            "HOST_URL": self.url,
            "HOST_DATABASE": self.database,
            "HOST_BROKER": self.broker,
            "HOST_TOLD": str(self.folder / "told"),
        }
        return {**os.environ, **ours, "PYTHONPATH": str(_ROOT), "PYTHONWARNINGS": "ignore"}


@contextmanager
def started(place: Place, module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A host's processes; those that are left are killed."""
    with (place.folder / "output").open("ab") as output:
        command = [sys.executable, "-m", module, *words]
        process = subprocess.Popen(
            command,
            env=place.environment,
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_WITHIN)


def _ends(
    process: subprocess.Popen[bytes],
    place: Place,
    notes: int,
    is_idle: Callable[[], bool] = lambda: True,
) -> None:
    """Ask a worker to end as soon as everything was told, and see that it does so in order."""
    until(
        lambda: len(place.told) == notes or place.failed or process.poll() is not None,
        _WITHIN + _TASK * notes,
    )
    until(lambda: is_idle() or process.poll() is not None, _WITHIN)
    process.terminate()
    assert process.wait(_WITHIN) == 0, place.said


def celery(place: Place, tasks: int, *pool: str) -> None:
    """A worker of Celery with a pool, which ends after its last task."""
    with started(place, "celery", *_QUIET, *pool) as process:
        _sent(
            place,
            "from tests.jackfield.embedding.host_celery import work\nfor _ in range({tasks}): "
            "work.delay()",
            tasks,
        )
        _ends(process, place, 2 * tasks, lambda: _is_done(place))


def _is_done(place: Place) -> bool:
    """Return whether the worker has acknowledged all tasks, which it does late. Celery 5.7 may hang
    if it is stopped as one ends.
    """
    with redis_client.Redis.from_url(place.broker) as connection:
        return not connection.exists("celery", "unacked")


def rq(place: Place, tasks: int) -> None:
    """A worker of RQ that ends when its queue is empty; each job is a process of its own."""
    from rq import Queue

    with redis_client.Redis.from_url(place.broker) as connection:
        queue = Queue(connection=connection)
        for _ in range(tasks):
            queue.enqueue(host_rq.work)
        with started(
            place, "rq.cli", "worker", "--burst", "--quiet", "--url", place.broker
        ) as process:
            assert process.wait(_WITHIN + _TASK * tasks) == 0, place.said


def dramatiq(place: Place, tasks: int) -> None:
    """Two processes of Dramatiq with two threads each, which end after their last message."""
    with started(
        place,
        "dramatiq",
        f"{_PROGRAMS}.host_dramatiq",
        "--processes",
        "2",
        "--threads",
        "2",
        "--skip-logging",
    ) as process:
        _sent(
            place,
            "from tests.jackfield.embedding.host_dramatiq import work\nfor _ in range({tasks}): "
            "work.send()",
            tasks,
        )
        _ends(process, place, 2 * tasks)


def gunicorn(place: Place, tasks: int, *words: str) -> None:
    """Four workers of gunicorn, which end as soon as the last request was answered."""
    port = free_port()
    bound = ("--workers", "4", "--bind", f"127.0.0.1:{port}", "--log-level", "warning")
    with started(
        place, "gunicorn", f"{_PROGRAMS}.host_wsgi:application", *bound, *words
    ) as process:
        until(lambda: process.poll() is not None or _asked(port) is not None, _WITHIN)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: _asked(port), range(tasks - 1)))
        assert answers == [204] * (tasks - 1), place.said
        _ends(process, place, 2 * tasks)


def _asked(port: int, path: str = "/") -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WITHIN)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionError:  # nobody listens yet, or the worker was ended
        return None
    finally:
        connection.close()


def _sent(place: Place, program: str, tasks: int) -> None:
    """Send tasks from a process of the application, which may not patch this one."""
    words = [sys.executable, "-c", program.format(tasks=tasks)]
    subprocess.run(
        words,
        env=place.environment,
        cwd=place.folder,
        check=True,
        timeout=_WITHIN,
        capture_output=True,
    )


def limited_celery(place: Place) -> None:
    """A soft time limit of Celery: a signal's handler raises in a child's only thread."""
    with started(place, "celery", *_QUIET, "--pool", "prefork", "--concurrency", "1") as process:
        _sent(place, "from tests.jackfield.embedding.host_celery import wait\nwait.delay()", 1)
        _ends(process, place, 1, lambda: _is_done(place))


def limited_rq(place: Place) -> None:
    """A time-out of a job of RQ: an alarm's handler raises."""
    from rq import Queue

    with redis_client.Redis.from_url(place.broker) as connection:
        Queue(connection=connection).enqueue(host_rq.wait, job_timeout=10)
        with started(
            place, "rq.cli", "worker", "--burst", "--quiet", "--url", place.broker
        ) as process:
            assert process.wait(_WITHIN) == 0, place.said


def limited_dramatiq(place: Place) -> None:
    """A time limit of Dramatiq: another thread sets an exception in the one that calls."""
    with started(
        place,
        "dramatiq",
        f"{_PROGRAMS}.host_dramatiq",
        "--processes",
        "1",
        "--threads",
        "1",
        "--skip-logging",
    ) as process:
        _sent(place, "from tests.jackfield.embedding.host_dramatiq import wait\nwait.send()", 1)
        _ends(process, place, 1)


def limited_gunicorn(place: Place) -> None:
    """The time-out of a synchronous worker of gunicorn: the arbiter's signal ends it."""
    port = free_port()
    bound = (
        "--workers",
        "1",
        "--timeout",
        "10",
        "--bind",
        f"127.0.0.1:{port}",
        "--log-level",
        "critical",
    )
    with started(place, "gunicorn", f"{_PROGRAMS}.host_wsgi:application", *bound) as process:
        until(
            lambda: process.poll() is not None or _asked(port, "/wait") is not None or place.told,
            _WITHIN,
        )
        _ends(process, place, 1)


HOSTS: Mapping[str, Callable[[Place, int], None]] = {
    "Celery, prefork": lambda place, tasks: celery(
        place, tasks, "--pool", "prefork", "--concurrency", "2", "--max-tasks-per-child", "1"
    ),
    "Celery, threads": lambda place, tasks: celery(
        place, tasks, "--pool", "threads", "--concurrency", "2"
    ),
    "Celery, gevent": lambda place, tasks: celery(
        place, tasks, "--pool", "gevent", "--concurrency", "2"
    ),
    "RQ": rq,
    "Dramatiq": dramatiq,
    "gunicorn, sync": gunicorn,
    "gunicorn, preload": lambda place, tasks: gunicorn(place, tasks, "--preload"),
    "gunicorn, gthread": lambda place, tasks: gunicorn(
        place, tasks, "--worker-class", "gthread", "--threads", "2"
    ),
    "gunicorn, gevent": lambda place, tasks: gunicorn(place, tasks, "--worker-class", "gevent"),
}
"""Hosts, by the way in which their processes run tasks and end."""
LIMITS: Mapping[str, tuple[Callable[[Place], None], str]] = {
    "Celery": (limited_celery, "SoftTimeLimitExceeded"),
    "RQ": (limited_rq, "JobTimeoutException"),
    "Dramatiq": (limited_dramatiq, "TimeLimitExceeded"),
    "gunicorn": (limited_gunicorn, "SystemExit"),
}
"""Time limits of hosts, and what each raises into a call."""
