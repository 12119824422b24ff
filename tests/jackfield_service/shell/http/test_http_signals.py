"""Signals at any moment, as process 1 and not: SIGTERM ends each command in time, SIGHUP renews
what is in files and breaks no call.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from gates import Gatekeeper
from http_stand import Process, clean, process, say
from jackfield.kernel.clock import SystemClock
from jackfield_store.resources.storage import Storage
from postgres import Server
from waiting import until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="namespaces of processes are Linux's"
)

WITHIN = 1.0
SLACK = 45.0
"""Seconds that a busy machine may take beside what is promised: a process that hangs takes a
minute.
"""
FIRST = (
    ("unshare", "-p", "-f", "--kill-child"),
    ("unshare", "-U", "-r", "-p", "-f", "--kill-child"),
)
"""Ways to be process 1, as root and as anybody."""
KEPT = ("env", "--block-signal=TERM")
"""As the image begins: what comes before Python runs is kept."""
FRESH = ("env", "--default-signal=TERM,QUIT,INT,HUP")
"""As a service manager begins a command. A suite that runs behind a shell may have inherited
signals that are ignored, and a command hears of those only once it has begun: what is sent before
would be lost.
"""
RUNS = 40
CALLS = 50


@cache
def _as_first() -> tuple[str, ...]:
    """The way to be process 1 here."""
    for way in FIRST:
        if (
            shutil.which(way[0])
            and subprocess.run([*way, "true"], check=False, capture_output=True).returncode == 0
        ):
            return way
    pytest.skip("nobody here may begin a namespace of processes")


@contextlib.contextmanager
def _running(
    folder: Path,
    words: Sequence[str],
    *,
    first: bool = False,
    before: Sequence[str] = FRESH,
    **more: str,
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command, and its process id as this process sees it."""
    command = [sys.executable, "-m", "jackfield", *words]
    way = (*_as_first(), *KEPT) if first else before
    with (folder / "log").open("ab") as log:
        running = subprocess.Popen(
            [*way, *command], env=clean(folder / "home", **more), stderr=log, stdout=log
        )
    try:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        yield (
            running,
            int(until(lambda: children.read_text(encoding="ascii").split())[0])
            if first
            else running.pid,
        )
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()


def _ends(
    running: subprocess.Popen[bytes], pid: int, number: int = signal.SIGTERM, within: float = 30.0
) -> float:
    """Send a signal, and return the seconds after which the command has ended."""
    began = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    running.wait(within + 5 + SLACK)
    return time.monotonic() - began


@contextlib.contextmanager
def _silent() -> Iterator[str]:
    """URL of a database that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"postgresql://a:b@127.0.0.1:{listener.getsockname()[1]}/x"


SERVING = (
    ("serve", "--port", "0"),
    ("serve", "--port", "0", "--workers", "2"),
    ("worker", "--processes", "2"),
    ("worker",),
)
COMMANDS = (
    ("serve", "--port", "0"),
    ("worker",),
    ("serve", "--port", "0", "--migrate"),
    ("db", "upgrade"),
    ("keys", "rotate"),
    ("mcp",),
)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_s3_sigterm_ends_each_command_while_its_database_says_nothing(
    tmp_path: Path, words: tuple[str, ...], *, first: bool
) -> None:
    """SIGTERM ends a command that waits for its database, also where it is process 1, from the
    moment at which it begins.
    """
    more = ("--stop-within", "1") if words[0] in {"serve", "worker"} else ()
    with (
        _silent() as url,
        _running(tmp_path, [*words, *more], first=first, JACKFIELD_DATABASE_URL=url) as (
            running,
            pid,
        ),
    ):
        threading.Event().wait(random.uniform(0, 1.5))
        assert _ends(running, pid, within=WITHIN) < WITHIN + 5 + SLACK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--port", "0"),
        ("worker", "--processes", "2"),
        ("serve", "--port", "0", "--workers", "2"),
    ],
    ids=" ".join,
)
def test_s4_a_server_whose_database_hangs_ends_in_time(
    tmp_path: Path, words: tuple[str, ...], number: int
) -> None:
    """A server and a worker that wait for a silent database again and again end within
    ``--stop-within`` and five seconds, with 0.
    """
    words = (*words, "--stop-within", "1")
    with (
        _silent() as url,
        _running(tmp_path, words, first=False, JACKFIELD_DATABASE_URL=url) as (running, pid),
    ):
        until(
            lambda: re.search(
                "is not ready|listens on|worker", (tmp_path / "log").read_text(encoding="utf-8")
            )
        )
        threading.Event().wait(4)
        assert _ends(running, pid, number, WITHIN) < WITHIN + 5 + SLACK
        assert running.returncode in {0, -number}, (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["TERM", "QUIT", "INT"])
def test_s4_a_signal_that_the_caller_ignored_is_not_lost(tmp_path: Path, name: str) -> None:
    """A master of processes whose caller ignored a signal hears it all the same, beside the threads
    that serve its probes.
    """
    words, before = (
        ["worker", "--processes", "2", "--health-port", "0"],
        ("env", f"--ignore-signal={name}"),
    )
    with _running(tmp_path, words, before=before) as (running, pid):
        until(partial(_says, tmp_path / "log", "runs up to"))
        assert _ends(running, pid, getattr(signal, f"SIG{name}")) < 30 + 5 + SLACK
        assert running.returncode == 0


_NO_THREADS = """
import _thread, os, signal, sys, threading
from jackfield.kernel import signals
def start(*given):
    raise RuntimeError("can't start new thread")
_thread.start_new_thread, signals._EXTRA = start, 0.0
hangs = sys.argv[1:] == ["hangs"]
seconds = 0.5 if hangs else 3.0
deadline = signals.ForcedEnd(seconds)
signals.begin_with_signals(deadline, lambda number, frame: print("asked", number, flush=True))
os.kill(os.getpid(), signal.{0})
pause = threading.Event()
if hangs:
    pause.wait(600)
deadline.cancel()
pause.wait(seconds + 0.5)
print("ended by itself", flush=True)
"""


@pytest.mark.parametrize("hangs", [True, False])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT", "SIGINT"])
def test_s4_a_process_that_can_start_no_thread_ends_in_time(name: str, *, hangs: bool) -> None:
    """A signal is obeyed without a thread for the countdown, too, as where memory or ``pids.max``
    is used up: what hangs ends by force, and what has stopped by itself goes on.
    """
    command = [sys.executable, "-c", _NO_THREADS.format(name), *(["hangs"] if hangs else [])]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    asked = f"asked {int(signal.SIGINT if name == 'SIGINT' else signal.SIGTERM)}\n"
    assert (ended.returncode, ended.stdout) == (
        0,
        asked if hangs else f"{asked}ended by itself\n",
    ), ended.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_s5_sighup_breaks_no_call(tmp_path: Path, workers: int) -> None:
    """SIGHUP, SIGUSR1 and SIGUSR2 while a write is under way: it is answered, and the same
    processes go on.
    """
    with (
        process(tmp_path, settings={"stop_within": 5.0, "workers": workers}) as server,
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as pool,
    ):
        before = server.children()
        asked = pool.submit(
            server.client.post, "/v1/invocations", say("post", text="x", gate={"port": gate.port})
        )
        gate.wait()
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            server.process.send_signal(number)
            assert server.client.get("/readyz").status == 200
        threading.Event().wait(2.0)
        gate.open()
        assert asked.result(60).json["status"] == "succeeded"
        assert (server.process.poll(), server.children()) == (None, before)


def _says(log: Path, words: str) -> bool:
    return words in log.read_text(encoding="utf-8")


def test_s5_a_worker_outlasts_sighup(tmp_path: Path) -> None:
    """A worker, alone and with processes of its own, goes on after each signal that asks for
    something else, also while these start.
    """
    for more in ((), ("--processes", "2")):
        with _running(tmp_path, ["worker", *more], first=False) as (running, _pid):
            log = tmp_path / "log"
            until(partial(_says, log, "runs up to"))
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                running.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(2)
            assert _ends(running, running.pid) < 30 + 5 + SLACK
            assert (running.returncode, _says(log, "started again")) == (0, False), log.read_text(
                encoding="utf-8"
            )
            log.unlink()


def _subject(port: int) -> bytes:
    """The certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def _first_certificate(path: Path) -> bytes:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = path.read_text("ascii").partition(begin)[2].partition(end)[0]
    return ssl.PEM_cert_to_DER_cert(f"{begin}{text}{end}\n")


class _Manager:
    """systemd's end of the notices."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(self.path)
        self._listener.settimeout(60)

    def next(self, wanted: str) -> str:
        """The next notice with these words."""
        while wanted not in (found := self._listener.recv(4096).decode()):
            pass
        return found

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_s6_a_renewed_certificate_is_served(tmp_path: Path, workers: int) -> None:
    """A link to a certificate is exchanged, as cert-manager does it: new connections get the new
    one. A broken file leaves the old one in use, and one line of the log says so; SIGHUP reads the
    files at once.
    """
    authority, link = Authority(tmp_path), tmp_path / "server.pem"
    versions = [tmp_path / f"{number}.pem" for number in range(3)]
    for path in (versions[0], versions[1]):
        path.write_bytes(authority.pem("127.0.0.1"))
    versions[2].write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")

    def point(path: Path) -> None:
        (tmp_path / "next").symlink_to(path)
        (tmp_path / "next").rename(link)

    point(versions[0])
    words = [
        "serve",
        "--port",
        "0",
        "--certificate",
        str(link),
        "--key",
        str(link),
        "--workers",
        str(workers),
    ]
    log = tmp_path / "log"
    with (
        contextlib.closing(_Manager(tmp_path)) as manager,
        _running(tmp_path, words, first=False, NOTIFY_SOCKET=manager.path) as (running, _pid),
    ):
        manager.next("READY=1")  # each process has read the first
        port = int(
            until(
                lambda: re.findall(
                    r"listens on https://127.0.0.1:(\d+)", log.read_text(encoding="utf-8")
                )
            )[0]
        )
        first = _subject(port)
        point(versions[2])
        running.send_signal(signal.SIGHUP)
        until(lambda: log.read_text(encoding="utf-8").count("stays in use") >= workers)
        assert _subject(port) == first
        point(versions[1])
        second = _first_certificate(versions[1])
        until(lambda: {_subject(port) for _ in range(8)} == {second})
        assert log.read_text(encoding="utf-8").count("stays in use") == workers
        assert running.poll() is None


@pytest.mark.parametrize("words", SERVING, ids=" ".join)
def test_systemd_is_told_of_each_state(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A unit of ``Type=notify`` with a watchdog learns that the service is ready, lives, reloads
    and stops.
    """
    with contextlib.closing(_Manager(tmp_path)) as manager:
        more = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "30000000"}
        with _running(tmp_path, words, first=False, **more) as (running, pid):
            manager.next("READY=1")
            manager.next("WATCHDOG=1")
            running.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in manager.next("RELOADING=1")
            manager.next("READY=1")
            os.kill(pid, signal.SIGTERM)
            manager.next("STOPPING=1")
            assert running.wait(60) == 0


def _spread(server: Process, number: int, seconds: float, pool: ThreadPoolExecutor) -> list[Any]:
    """Make calls over some seconds, each its own; return their answers, None for those whose
    connection broke.
    """
    client = replace(server.client, timeout=110.0)

    def call(place: int) -> Any:
        threading.Event().wait(seconds * place / number)
        try:
            return client.post("/v1/invocations", say("post", text=f"{place}"))
        except OSError:
            return None

    return [pool.submit(call, place) for place in range(number)]


def _journal(server: Process) -> dict[str, str]:
    """The status of each call, as an operator sees it."""
    with (
        Storage(None, clean(server.folder / "home"), SystemClock()) as storage,
        storage.database.read() as transaction,
    ):
        return {
            str(row.id): str(row.status)
            for row in transaction.execute("SELECT id, status FROM invocations")
        }


def _number(server: Process, *, first: bool) -> int:
    """The process id of a server, which is its parent's only child where it is process 1."""
    pid = server.process.pid
    return (
        int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")) if first else pid
    )


@pytest.mark.parametrize("first", [False, True], ids=["ordinary", "process-1"])
@pytest.mark.parametrize("runs", [2, pytest.param(RUNS, marks=pytest.mark.campaign)])
def test_sighup_at_random_moments_loses_no_call(tmp_path: Path, runs: int, *, first: bool) -> None:
    """SIGHUP at random moments of 50 calls: nothing ends, and each call is answered with
    success.
    """
    before = (*_as_first(), *KEPT) if first else ()
    with process(tmp_path, before=before) as server, ThreadPoolExecutor(CALLS) as pool:
        for _ in range(runs):
            asked = _spread(server, CALLS, 1.0, pool)
            threading.Event().wait(random.uniform(0, 1.0))
            os.kill(_number(server, first=first), signal.SIGHUP)
            told = Counter(
                None if (answer := one.result(120)) is None else answer.json["status"]
                for one in asked
            )
            assert told == {"succeeded": CALLS}
        assert server.process.poll() is None


@pytest.mark.parametrize("first", [False, True], ids=["ordinary", "process-1"])
@pytest.mark.parametrize(
    "run", [0, *(pytest.param(run, marks=pytest.mark.campaign) for run in range(1, RUNS))]
)
def test_sigterm_at_random_moments_leaves_no_doubt_about_what_was_answered(
    tmp_path: Path, run: int, *, first: bool
) -> None:
    """SIGTERM at a random moment of 50 calls: the server ends in time with 0, and the journal has
    each call that was answered as it was answered. With another process each second time.
    """
    before = (*_as_first(), *KEPT) if first else ()
    with (
        process(
            tmp_path, "--workers", str(1 + run % 2), "--stop-within", "10", before=before
        ) as server,
        ThreadPoolExecutor(CALLS) as pool,
    ):
        asked = _spread(server, CALLS, 1.0, pool)
        threading.Event().wait(random.uniform(0, 1.2))
        began = time.monotonic()
        os.kill(_number(server, first=first), signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert time.monotonic() - began < 10 + 5 + SLACK
        answered = [
            answer.json
            for one in asked
            if (answer := one.result(120)) is not None and answer.status == 200
        ]
    told = _journal(server)
    assert all(
        answer["status"] == told[answer["meta"]["invocationId"]] == "succeeded"
        for answer in answered
    )


_STARTING = """
import os, signal
from jackfield.kernel.signals import ending_programs, started_whole
with ending_programs():
    with started_whole():
        os.kill(os.getpid(), signal.SIGTERM)
        print("started", flush=True)
    print("not reached")
"""


def test_a_program_is_started_whole_or_not_at_all() -> None:
    """SIGTERM in the middle of a start waits for its end: a program that nobody knows yet would go
    on alone.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _STARTING], check=False, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGTERM, "started\n", "")


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("backup",), signal.SIGTERM),
        (("restore",), signal.SIGTERM),
        (("backup",), signal.SIGHUP),
        (("backup",), signal.SIGKILL),
        (("restore",), signal.SIGKILL),
    ],
    ids=str,
)
def test_a_program_that_a_command_runs_ends_with_it(
    tmp_path: Path, postgres_server: Server, words: tuple[str, ...], number: int
) -> None:
    """A signal that ends the command while pg_dump or pg_restore works ends that, too, so that
    nothing is restored later, and no part of a backup stays but after SIGKILL.
    """
    programs, told, backup = tmp_path / "programs", tmp_path / "told", tmp_path / "backup"
    programs.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (programs / name).write_text(
            f"#!/bin/sh\necho $$ > {told}\nexec sleep 600\n", encoding="ascii"
        )
        (programs / name).chmod(0o755)
    if words == ("restore",):
        backup.write_bytes(b"PGDMP")
    more = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "JACKFIELD_DATABASE_URL": postgres_server.create(),
    }
    with _running(tmp_path, ["db", *words, str(backup)], first=False, **more) as (running, pid):
        program = int(until(lambda: told.exists() and told.read_text(encoding="ascii").strip()))
        _ends(running, pid, number)
        assert running.returncode == (128 + number if number != signal.SIGKILL else -number)
        until(lambda: not Path(f"/proc/{program}").exists())
    if number == signal.SIGKILL:
        return
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == (
        ["backup"] if words == ("restore",) else []
    )
