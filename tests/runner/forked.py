"""Several processes for one test run: tests are collected once, then the process forks, and each
child takes one module after the other.

pytest-xdist collects in each of its workers, and each imports everything again, which takes 30 s of
CPU time here. A fork has all of that. ``--workers 3`` runs three at once. Whatever a child reports,
the parent counts and shows as if it had run the test itself.

A process that drove a browser keeps an event loop for good, so the modules ``test_console_*`` run
in a child of their own, beside the others.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import selectors
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

import pytest
from hypothesis import strategies

from kept_durations import keep
from kept_failures import failures_of

_APART = "/test_console_"
_AWS = "connectors/aws/tests/test_aws_"
_TOGETHER = (
    (
        "tests/jackfield_celery/",
        "tests/jackfield_store/queue/",
        "tests/jackfield_service/surfaces/test_surfaces_equal",
    ),
    ("tests/house/",),
    ("tests/jackfield_isolation/",),
    (
        f"{_AWS}virtual_",
        f"{_AWS}planned_",
        f"{_AWS}offers",
        f"{_AWS}handed_",
        f"{_AWS}host_secrets",
        f"{_AWS}key_wrapper",
        "tests/jackfield_dapr/test_compat_dapr_stores",
        "tests/jackfield/catalog/test_catalog_offers",
    ),
)
"""Modules that one child runs, since they share what is dear to make: a RabbitMQ, our parsed
modules, the process that forks children of installed connectors, the index of all of AWS and moto's
services. The first names them all.
"""
_GARBAGE = (10_000, 20, 50)
"""Objects, and collections of younger ones, before a search for garbage. With Python's own 700, 10
and 10, tests that read large documents spend half of their time in it.
"""
_SLOW_FIRST = (
    "tests/jackfield_service/surfaces/",
    "tests/jackfield_celery/",
    "tests/jackfield_store/queue/",
    "tests/jackfield_isolation/",
    f"{_AWS}virtual_",
    "tests/jackfield/faults/",
    "tests/jackfield_market/",
    "tests/jackfield/cli/",
    "tests/jackfield_service/",
    "connectors/http/tests/test_http_new",
    "connectors/http/tests/test_http_oauth2",
    "connectors/http/tests/test_http_request",
    "connectors/http/tests/test_http_tls",
    "connectors/aws/tests/test_aws_deadlines",
    "connectors/aws-ses/tests/test_aws_ses_doctor",
    "connectors/aws-ses/tests/test_aws_ses_smtp_faults",
    "tests/jackfield_dapr/test_compat_thand_workflows",
    "tests/jackfield_market/mutants/",
)
"""Modules that wait for processes or deadlines: they begin first, so that no worker waits for
another one at the end.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--workers``."""
    parser.addoption(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="run the tests in N processes, forked after collection",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Fork where several workers are asked for and tests are run at all."""
    os.environ.setdefault("PYTEST_RUN", uuid.uuid4().hex)
    if config.option.workers and not config.option.collectonly and hasattr(os, "fork"):
        gc.disable()  # until all is collected: nothing of that is garbage
        is_fresh = config.pluginmanager.has_plugin("footprints")
        config.pluginmanager.register(Forked(config.option.workers, is_fresh), "forked-run")


@dataclass(frozen=True)
class _Lane:
    """Modules that the same children run, and the open file with the number of the next."""

    units: Sequence[Sequence[pytest.Item]]
    turns: BinaryIO

    def take(self) -> Iterator[Sequence[pytest.Item]]:
        """Yield modules that no child has taken yet."""
        while True:
            os.lockf(self.turns.fileno(), os.F_LOCK, 0)
            try:
                number = int.from_bytes(os.pread(self.turns.fileno(), 8, 0), "big")
                os.pwrite(self.turns.fileno(), (number + 1).to_bytes(8, "big"), 0)
            finally:
                os.lockf(self.turns.fileno(), os.F_ULOCK, 0)
            if number >= len(self.units):
                return
            yield self.units[number]

    def is_left(self) -> bool:
        """Tell whether there are modules that no child has taken yet."""
        number = int.from_bytes(os.pread(self.turns.fileno(), 8, 0), "big")
        return number < len(self.units)


@dataclass
class _Child:
    """A forked process, what it runs, the pipe of its reports, and the test that it is at."""

    pid: int
    lane: _Lane
    pipe: BinaryIO
    rest: bytes = b""
    at: str = ""
    has_ended: bool = False


@dataclass
class Forked:
    """Run of a session's items in forked children."""

    workers: int
    is_fresh: bool = False
    """Whether each module has a child of its own, also one of a folder that shares something."""
    children: dict[int, _Child] = field(default_factory=dict)
    started: int = 0
    took: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all items; pytest's own loop is left out."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        modules = _modules(session.items, () if self.is_fresh else _TOGETHER)
        together = [items for path, items in modules if _APART not in path]
        apart = [items for path, items in modules if _APART in path]
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # made and removed by this process
        strategies.text().validate()  # reads a table of all characters, for all children at once
        gc.collect()
        gc.freeze()  # what has been collected is not searched for garbage again in each child
        gc.set_threshold(*_GARBAGE)
        gc.enable()
        with (
            tempfile.TemporaryFile() as turns,
            tempfile.TemporaryFile() as others,
            selectors.DefaultSelector() as ready,
        ):
            main, console = _Lane(together, turns), _Lane(apart, others)
            try:
                if apart:
                    self._fork(session, console, ready)
                for _ in range(min(max(1, self.workers - bool(apart)), len(together))):
                    self._fork(session, main, ready)
                self._follow(session, ready, main)
            finally:
                for child in self.children.values():
                    os.kill(child.pid, signal.SIGKILL)
                keep(session.config.rootpath, self.took)
        return True

    def _follow(self, session: pytest.Session, ready: selectors.BaseSelector, main: _Lane) -> None:
        """Hear what children say until all have ended; one that died is replaced, and so is the one
        for browsers when it has ended.
        """
        while self.children:
            for key, _ in ready.select():
                child = self.children[key.fd]
                if self._read(session, child):
                    continue
                ready.unregister(key.fd)
                self._end(session, child)
                lane = self._lane_after(child, main)
                if lane is not None and not session.shouldfail:
                    self._fork(session, lane, ready)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)

    def _lane_after(self, child: _Child, main: _Lane) -> _Lane | None:
        """Return what the child does that follows this one; None if there is nothing to do."""
        if not child.has_ended or (self.is_fresh and child.lane.is_left()):
            return child.lane
        return None if child.lane is main else main

    def _fork(self, session: pytest.Session, lane: _Lane, ready: selectors.BaseSelector) -> None:
        reading, writing = os.pipe()
        self.started += 1
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _live(_Worker(session, self.started, writing, is_fresh=self.is_fresh), lane)
        os.close(writing)
        self.children[reading] = _Child(pid, lane, os.fdopen(reading, "rb", buffering=0))
        ready.register(reading, selectors.EVENT_READ)

    def _read(self, session: pytest.Session, child: _Child) -> bool:
        """Handle what a child has said; False at its end."""
        data = child.pipe.read(1 << 20)
        child.rest += data
        while len(child.rest) >= 4 and len(child.rest) >= (
            end := 4 + int.from_bytes(child.rest[:4], "big")
        ):
            message, child.rest = pickle.loads(child.rest[4:end]), child.rest[end:]
            if "took" in message:
                self.took[child.at] = message["took"]
            _hear(session, child, message)
        return bool(data)

    def _end(self, session: pytest.Session, child: _Child) -> None:
        del self.children[child.pipe.fileno()]
        child.pipe.close()
        _, status = os.waitpid(child.pid, 0)
        if not child.has_ended:
            said = (
                f"the process of this test ended ({os.waitstatus_to_exitcode(status)}); what "
                "follows it in its module was not run"
            )
            report = pytest.TestReport(
                child.at or "?", (child.at, None, child.at), {}, "failed", said, "call"
            )
            session.config.hook.pytest_runtest_logreport(report=report)
            failures_of(session.config).others.append(f"{child.at or '?'}: {said}")


def _modules(
    items: Sequence[pytest.Item], groups: Sequence[tuple[str, ...]]
) -> list[tuple[str, list[pytest.Item]]]:
    """Group items by module, or by a folder whose modules share what is dear to start; those of
    slow folders first.
    """
    found: dict[str, list[pytest.Item]] = {}
    for item in items:
        path = item.nodeid.partition("::")[0]
        group = next((starts[0] for starts in groups if path.startswith(starts)), path)
        found.setdefault(group, []).append(item)
    return sorted(
        found.items(),
        key=lambda module: next(
            (place for place, folder in enumerate(_SLOW_FIRST) if module[0].startswith(folder)), 99
        ),
    )


def _live(worker: _Worker, lane: _Lane) -> NoReturn:
    """Be a child: work, do what is registered for the exit since the fork, and end without
    returning to the parent's code.
    """
    status = 1
    try:
        atexit._clear()
        worker.work(lane)
        atexit._run_exitfuncs()
        worker.end()
        status = 0
    except BaseException:  # noqa: BLE001 (the child ends here, whatever it is)
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def _hear(session: pytest.Session, child: _Child, said: dict[str, Any]) -> None:
    hook = session.config.hook
    if "at" in said:
        child.at = said["at"]
        hook.pytest_runtest_logstart(nodeid=child.at, location=said["location"])
    elif "report" in said:
        report = hook.pytest_report_from_serializable(config=session.config, data=said["report"])
        hook.pytest_runtest_logreport(report=report)
    elif "done" in said:
        hook.pytest_runtest_logfinish(nodeid=child.at, location=said["done"])
    else:
        child.has_ended = True


class _Worker:
    """The child's side: it takes modules by turns, runs their items and says what came of them."""

    def __init__(self, session: pytest.Session, number: int, pipe: int, *, is_fresh: bool) -> None:
        self._session, self._pipe, self._config = session, pipe, session.config
        self._is_fresh = is_fresh
        options = session.config.option
        self._is_all_shown = (
            options.durations is not None or options.verbose > 1 or bool(options.xmlpath)
        )
        self._folder(number)
        manager = self._config.pluginmanager
        for name in ("forked-run", "terminalreporter", "junitxml", "logfinish"):
            if (plugin := manager.get_plugin(name)) is not None:
                manager.unregister(plugin)
        manager.register(self, "forked-worker")

    def _folder(self, number: int) -> None:
        """Give this process files of its own: temporary folders below those of the run, and those
        that catch output.
        """
        factory = self._config._tmp_path_factory  # type: ignore[attr-defined]  # what the fixture 'tmp_path_factory' returns
        self._config.option.basetemp = str(factory.getbasetemp() / f"worker{number}")
        self._config._tmp_path_factory = pytest.TempPathFactory.from_config(  # type: ignore[attr-defined]
            self._config, _ispytest=True
        )
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        # stays open: modules may hold its sys.stderr
        self._inherited, capture._global_capturing = capture._global_capturing, None
        capture.start_global_capturing()

    def work(self, lane: _Lane) -> None:
        """Run modules until none is left, or a fresh process is asked for. What belongs to the
        session is torn down at the end only.
        """
        for items in lane.take():
            for item, nextitem in zip(items, [*items[1:], self._session], strict=True):
                self._say({"at": item.nodeid, "location": item.location})
                began = time.perf_counter()
                self._config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
                self._say({"done": item.location, "took": time.perf_counter() - began})
            if self._is_fresh:
                break
        self._session._setupstate.teardown_exact(None)  # as pytest ends a session

    def end(self) -> None:
        """Say that nothing is missing."""
        self._say({"end": True})

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a report to the parent, which shows nothing of most setups and teardowns: they
        passed and printed nothing.
        """
        if report.when == "call" or not report.passed or report.sections or self._is_all_shown:
            self._say(
                {
                    "report": self._config.hook.pytest_report_to_serializable(
                        config=self._config, report=report
                    )
                }
            )

    def _say(self, message: dict[str, Any]) -> None:
        said = pickle.dumps(message)
        data = len(said).to_bytes(4, "big") + said
        while data:
            data = data[os.write(self._pipe, data) :]
