"""A host's program that calls, is told ``succeeded``, and ends in one of the ways in which programs
end.

``python ending.py WAY URL DATABASE COUNT`` makes COUNT writes and COUNT reads, and prints nothing.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import functools
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

_WAY, _URL, _DATABASE, _COUNT = (
    sys.argv[1:5] if __name__ == "__main__" else os.environ["ENDING"].split("|")
)
_KEPT: list[Jackfield] = []


def _runtime() -> Jackfield:
    found: type[Jackfield] = importlib.import_module("jackfield").Jackfield
    connection = {
        "connections": {"m": {"type": "http/bearer", "values": {"server": _URL, "token": "t"}}}
    }
    return found(connections=[connection], database_url=_DATABASE)


def _invocations() -> list[dict[str, Any]]:
    call = {"connector": "http", "action": "request", "connection": "m", "timeoutSeconds": 600}
    return [
        {**call, "inputs": {"url": "/x", "method": method}}
        for method in ("POST", "GET") * int(_COUNT)
    ]


def _calls(*_ignored: object) -> str:
    """Make the calls; nothing closes the runtime, which lives as long as its module."""
    _KEPT.append(_runtime())
    for invocation in _invocations():
        _KEPT[-1].invoke(invocation).unwrap()
    return "done"


async def _awaits() -> None:
    _KEPT.append(_runtime())
    for invocation in _invocations():
        (await _KEPT[-1].ainvoke(invocation)).unwrap()


def _of_multiprocessing(way: str, function: Callable[[], object] = _calls) -> None:
    context: Any = multiprocessing.get_context(way)
    process = context.Process(target=function)
    process.start()
    process.join()
    assert process.exitcode == int(function is _fails)


def _forks(
    end: Callable[[], object], *, imports: bool = True, calls: Callable[[], object] | None = None
) -> None:
    if imports:
        importlib.import_module("jackfield")
    child = os.fork()
    if not child:
        (calls or _calls)()
        end()
    assert os.waitpid(child, 0)[1] == 0


def _forked(function: Callable[[], object]) -> None:
    """A child that calls, and ends in the way of a whole program."""
    importlib.import_module("jackfield")
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == int(function is _fails)
    else:
        function()


def _leaves(code: int = 0) -> None:
    os._exit(code)


def _of_a_pool() -> None:
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        assert pool.map(_calls, [1, 2], 1) == ["done", "done"]
        pool.close()
        pool.join()


def _of_an_executor() -> None:
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(_calls).result() == "done"


def _of_billiard() -> None:
    process = importlib.import_module("billiard").get_context("fork").Process(target=_calls)
    process.start()
    process.join()
    assert process.exitcode == 0


def _as_airflow() -> None:
    """A supervisor that has called itself forks a task, which gets output and signals of its own
    and ends without ``atexit``.
    """
    _calls()
    child = os.fork()
    if not child:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        _calls()
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def _as_prefect() -> None:
    """A flow's loop runs in a daemon thread, which nobody stops; the main thread waits for what it
    asks of the loop, and ends.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(_awaits(), loop).result()
    sys.exit(0)


def _stopped() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _calls()
    os.kill(os.getpid(), signal.SIGTERM)


def _fails() -> None:
    sys.excepthook = lambda *_: None
    _calls()
    raise RuntimeError("the host's own fault")


def _of_a_thread() -> None:
    threading.Thread(target=_calls).start()


def _many_at_once() -> None:
    """Threads that call at once, each until it has its Result; the last line of the program follows
    at once.
    """
    runtime = _runtime()
    runtime.open()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for result in pool.map(runtime.invoke, _invocations()):
            result.unwrap()


def _leaves_after(calls: Callable[[], object]) -> None:
    """A forked child whose calls run at once; when all have their Results, it ends without what
    runs at an ordinary exit.
    """
    _forks(_leaves, calls=calls)


def _many_tasks() -> None:
    runtime = _runtime()
    _KEPT.append(runtime)

    async def work() -> None:
        for result in await asyncio.gather(
            *(runtime.ainvoke(invocation) for invocation in _invocations())
        ):
            result.unwrap()

    asyncio.run(work())


def _exits() -> None:
    _calls()
    sys.exit(0)


def _of_asyncio() -> None:
    asyncio.run(_awaits())


def _at_exit() -> None:
    atexit.register(_calls)


_ENDS: dict[str, Callable[[], object]] = {
    "sys.exit": _exits,
    "fault": _fails,
    "signal": _stopped,
    "thread": _of_a_thread,
    "threads": _many_at_once,
    "asyncio": _of_asyncio,
}
WAYS: dict[str, Callable[[], object]] = {
    "last line": _calls,
    "atexit": _at_exit,
    **_ENDS,
    **{
        f"fork: {name}": functools.partial(_forked, end)
        for name, end in {**_ENDS, "atexit": _at_exit}.items()
    },
    **{
        f"Process, {way}: {name}": functools.partial(_of_multiprocessing, way, end)
        for way in ("fork", "spawn")
        for name, end in _ENDS.items()
    },
    "fork, exit": lambda: _forks(sys.exit),
    "fork, os._exit": lambda: _forks(_leaves),
    "fork, os._exit: threads": lambda: _leaves_after(_many_at_once),
    "fork, os._exit: tasks": lambda: _leaves_after(_many_tasks),
    "import after fork, os._exit": lambda: _forks(_leaves, imports=False),
    "Process, fork": lambda: _of_multiprocessing("fork"),
    "Process, spawn": lambda: _of_multiprocessing("spawn"),
    "Process, forkserver": lambda: _of_multiprocessing("forkserver"),
    "Process, many at once": lambda: _of_multiprocessing("fork", _many_at_once),
    "Pool": _of_a_pool,
    "ProcessPoolExecutor": _of_an_executor,
    "billiard": _of_billiard,
    "Airflow": _as_airflow,
    "Prefect": _as_prefect,
}
if __name__ == "__main__":
    os.environ["ENDING"] = "|".join(sys.argv[1:5])  # for children that import this module
    WAYS[_WAY]()
