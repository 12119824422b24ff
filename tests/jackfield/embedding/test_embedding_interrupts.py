"""What the host raises into a call comes out as it was raised: no further attempt, and the journal
has what is known.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.jackfield.embedding.interrupting import (
    GEVENT,
    KINDS,
    NAMED,
    SIGNALS,
    TASKS,
    THREADS,
    UNNAMED,
    Case,
    Interrupted,
    Soft,
    by_signal,
    by_task,
    during,
    throw,
    thrown_in,
)

from doc_pages import ROOT
from host_provider import Provider, request
from jackfield.wire.client import Wire
from jackfield_store.runtime import Jackfield


@pytest.fixture
def jackfield(provider: Provider, tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime that has made its first call, so that the next one only waits for its answer."""
    with Jackfield(
        connections=[provider.connection()],
        database_url=f"sqlite:///{tmp_path / 'j.db'}",
        lets_out=NAMED,
    ) as found:
        found.invoke(request()).unwrap()
        provider.paths.clear()
        yield found


def _entry(jackfield: Jackfield) -> tuple[str, str | None]:
    assert jackfield.journal is not None
    entry = jackfield.journal.entries(limit=1)[0][0]
    return entry.status, entry.error_code


def _cells(ways: Iterable[str], often: Callable[[str, str, bool], bool]) -> list[Any]:
    """All of them in a campaign; those that ``often`` names always."""
    found = itertools.product(ways, KINDS, (False, True))
    return [
        pytest.param(
            *cell,
            id=f"{cell[0]}-{cell[1]}-{'async' if cell[2] else 'sync'}",
            marks=[] if often(*cell) else [pytest.mark.campaign],
        )
        for cell in found
    ]


def _check(found: Interrupted, error: type[BaseException], provider: Provider) -> None:
    assert type(found.raised) is error, found
    assert found.status == found.ends
    assert provider.paths == ["/slow"]


_QUEUED = ("a time limit", "a stop", "thrown in, hard")


@pytest.mark.parametrize(
    ("way", "kind", "is_async"),
    _cells(
        SIGNALS,
        lambda way, kind, is_async: (
            (kind == "write" if is_async else kind != "queued") or way in _QUEUED
        ),
    ),
)
def test_the_hosts_exception_comes_out(
    way: str, kind: str, is_async: bool, jackfield: Jackfield, provider: Provider
) -> None:
    """Out of ``invoke``, ``run`` or a loop that waits for ``ainvoke`` or ``arun`` comes what was
    raised into the main thread, after one request; a write is in doubt, queued ones for all
    workers, and a read has failed.
    """
    _check(
        by_signal(way, Case(jackfield, provider, kind), is_async=is_async),
        SIGNALS[way][0],
        provider,
    )
    assert jackfield.journal_of().entries(limit=1)[0][0].error_code == (
        "cancelled" if kind == "read" else "in_doubt"
    )


@pytest.mark.parametrize(
    ("way", "kind", "is_async"),
    _cells(THREADS, lambda way, kind, is_async: kind == "write" and way[-3:] != "hard"),
)
def test_the_hosts_exception_comes_out_of_a_thread(
    way: str, kind: str, is_async: bool, jackfield: Jackfield, provider: Provider
) -> None:
    """The same in a thread of a pool; who only stops waiting for its future leaves the call to its
    end.
    """
    error, interrupt = THREADS[way]
    _check(interrupt(Case(jackfield, provider, kind), is_async=is_async), error, provider)


_TASKS = [
    cell
    for cell in _cells(TASKS, lambda _way, kind, _is_async: kind in ("write", "queued"))
    if cell.values[2]
]


@pytest.mark.parametrize(("way", "kind", "is_async"), _TASKS)
def test_the_end_of_a_task_comes_out(
    way: str, kind: str, is_async: bool, jackfield: Jackfield, provider: Provider
) -> None:
    """A task that is cancelled or timed out leaves the request that was sent to its end; one whose
    loop ends leaves what is known.
    """
    assert is_async
    _check(by_task(way, Case(jackfield, provider, kind)), TASKS[way][0], provider)


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        pytest.param(
            kind,
            method,
            marks=[] if (kind, method) == ("write", "sync") else [pytest.mark.campaign],
        )
        for kind in KINDS
        for method in ("sync", "async")
    ],
)
def test_what_is_thrown_into_a_greenlet_comes_out(kind: str, method: str, tmp_path: Path) -> None:
    """Time limits of gevent, with a class of the host's that is an OSError, too, and the end of a
    greenlet; not a socket's own time-out.
    """
    pytest.importorskip("gevent")
    program = Path(__file__).with_name("interrupting_gevent.py")
    command = [
        sys.executable,
        "-m",
        "gevent.monkey",
        str(program),
        str(tmp_path),
        kind,
        method,
        *GEVENT,
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")]),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr
    status = "failed" if kind == "read" else "in_doubt"
    expected = [
        {"way": way, "raised": name, "sent": ["/slow"], "status": status}
        for way, name in GEVENT.items()
    ]
    *interrupts, own = map(json.loads, done.stdout.splitlines())
    assert interrupts == expected
    assert own == {
        "way": "a socket's own time-out",
        "raised": "",
        "sent": ["/slow"],
        "status": "in_doubt",
    }


@pytest.mark.parametrize("kind", ["read", "write", "keyed"])
def test_an_exit_in_a_callback_comes_out_before_the_call(
    kind: str, jackfield: Jackfield, provider: Provider
) -> None:
    """What a host's callback raises ends the call before anything is sent, or recorded."""
    with pytest.raises(SystemExit):
        jackfield.invoke(
            Case(jackfield, provider, kind).invocation, named=lambda _identifier: sys.exit(3)
        )
    assert provider.paths == []
    assert len(jackfield.journal_of().entries()[0]) == 1


def test_an_interrupt_that_the_host_handles_is_not_raised_again(
    jackfield: Jackfield, provider: Provider
) -> None:
    """A call from where the host handles an earlier interrupt fails by its own cause."""

    def limited() -> None:
        with during(provider, SIGNALS["a time limit"][1]()):
            jackfield.invoke(request("/slow"))

    try:
        limited()
    except Soft:
        with Jackfield(
            connections=[provider.connection("http://127.0.0.1:9")], database_url="none"
        ) as other:
            result = other.invoke(request(timeoutSeconds=1.5))
    assert result.error is not None
    assert result.error.code == "unavailable"


@pytest.mark.parametrize("kind", ["read", "write", "keyed"])
@pytest.mark.parametrize("error", UNNAMED)
def test_what_nobody_has_named_is_a_failure_that_is_not_repeated(
    error: type[BaseException], kind: str, jackfield: Jackfield, provider: Provider
) -> None:
    """What another thread sets once the provider has the request is taken for the connector's: one
    request, and a write is in doubt.
    """
    case = Case(jackfield, provider, kind)
    thrown_in(error, case)
    assert provider.paths == ["/slow"]
    assert case.status == case.left


def _throwing(monkeypatch: pytest.MonkeyPatch, name: str, error: type[BaseException]) -> list[str]:
    """Let another thread's exception come up right after a function of sockets has done its work;
    return the calls of that.
    """
    done, function = list[str](), getattr(socket.socket, name)

    def work(self: socket.socket, *given: Any) -> Any:
        found = function(self, *given)
        if threading.current_thread() is threading.main_thread():
            done.append(name)
            throw(threading.get_ident(), error)
        return found

    monkeypatch.setattr(socket.socket, name, work)
    return done


@pytest.mark.parametrize(
    ("name", "error", "status"),
    [
        *(("connect", error, "failed") for error in UNNAMED[:-1]),
        *(("send", error, "in_doubt") for error in UNNAMED),
    ],
)
def test_an_unnamed_exception_is_a_doubt_from_the_first_byte_on(
    name: str,
    error: type[BaseException],
    status: str,
    provider: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before that the write has failed, and nothing is tried again, also if a socket could have
    raised it; an exit is always a doubt.
    """
    database = f"sqlite:///{tmp_path / 'j.db'}"
    with (
        Jackfield(connections=[provider.connection()], database_url=database) as jackfield,
        monkeypatch.context() as patched,
    ):
        done = _throwing(patched, name, error)
        result = jackfield.invoke(request("/once"))
    assert (result.status, done) == (status, [name])
    assert provider.paths in ([], ["/once"] * (name == "send"))


@pytest.mark.parametrize(
    "name", ["celery.exceptions:SoftTimeLimitExceeded", "rq.timeouts:JobTimeoutException"]
)
def test_classes_that_entry_points_name_come_out(
    name: str, jackfield: Jackfield, provider: Provider
) -> None:
    """Hosts whose classes are declared need no configuration, also where another thread raises
    them.
    """
    module, _, attribute = name.partition(":")
    pytest.importorskip(module.partition(".")[0])
    with pytest.raises(getattr(import_module(module), attribute)):
        thrown_in(getattr(import_module(module), attribute), Case(jackfield, provider, "write"))
    assert (provider.paths, _entry(jackfield)) == (["/slow"], ("in_doubt", "in_doubt"))


def test_a_declared_cancellation_comes_out(
    monkeypatch: pytest.MonkeyPatch, jackfield: Jackfield, provider: Provider
) -> None:
    """Prefect's time limit for a task in a thread is a cancellation of asyncio's kind, which only
    its class tells from a connector's.
    """
    kind = type("CancelledError", (asyncio.CancelledError,), {})
    name = "prefect._internal.concurrency.cancellation"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules[name], "CancelledError", kind, raising=False)
    with pytest.raises(kind):
        thrown_in(kind, Case(jackfield, provider, "write"))
    assert (provider.paths, _entry(jackfield)) == (["/slow"], ("in_doubt", "in_doubt"))


@pytest.mark.parametrize("named", [Exception, BaseException, 5])
def test_a_host_names_classes_of_its_own(named: Any) -> None:
    """What is no class of exceptions, or one of every failure, is refused."""
    with pytest.raises(TypeError, match="lets_out"):
        Jackfield(database_url="none", lets_out=(named,))


class Passed(Exception):
    """An exception of a library, as urllib3's ProtocolError: it has the traceback of the one that
    it was made of.
    """


def _passes_on(function: Callable[[], object]) -> object:
    try:
        return function()
    except Exception as error:  # noqa: BLE001 (a library that does)
        raise Passed("aborted").with_traceback(error.__traceback__)  # noqa: B904 (as urllib3 does)


@pytest.mark.parametrize("way", ["a time limit", "a time limit that is an OSError", "thrown in"])
def test_the_hosts_exception_comes_out_of_one_that_has_its_traceback(
    way: str, jackfield: Jackfield, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a library makes an error of the host's and passes the traceback on, the host's comes out,
    as it was raised.
    """
    sent = Wire.send
    monkeypatch.setattr(
        Wire, "send", lambda *given, **more: _passes_on(partial(sent, *given, **more))
    )
    error, arm = SIGNALS[way]
    with pytest.raises(error) as raised, during(provider, arm()):
        jackfield.invoke(request("/slow"))
    assert (type(raised.value), raised.value.__context__) == (error, None)
    assert (provider.paths, _entry(jackfield)) == (["/slow"], ("in_doubt", "in_doubt"))
