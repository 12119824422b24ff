"""The end of a runtime, for threads and for tasks: what runs is awaited, what begins afterwards is
refused, and no loop is blocked.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from host_provider import Provider, request
from jackfield import Jackfield
from jackfield.kernel.errors import JackfieldError
from plugboard import make_echo


def _runtime(provider: Provider, folder: Path) -> Jackfield:
    found = Jackfield(
        connections=[provider.connection()], database_url=f"sqlite:///{folder / 'j.db'}"
    )
    found.invoke(request(method="GET")).unwrap()
    return found


def _last(folder: Path) -> str:
    with Jackfield(database_url=f"sqlite:///{folder / 'j.db'}") as jackfield:
        assert jackfield.journal is not None
        return jackfield.journal.entries(limit=1)[0][0].status


async def _came(provider: Provider) -> None:
    await asyncio.to_thread(provider.came.wait, 30)


def test_close_in_a_loop_lets_its_tasks_end(provider: Provider, tmp_path: Path) -> None:
    """``close`` in a running loop returns at once, also as the end of a ``with``; the write that
    runs is told as what it is.
    """

    async def program() -> str:
        with _runtime(provider, tmp_path) as jackfield:
            task = asyncio.create_task(jackfield.ainvoke(request("/slow")))
            await _came(provider)
        assert not task.done()
        assert (await jackfield.ainvoke(request())).error.code == "unavailable"  # type: ignore[union-attr]  # it is refused
        provider.go.set()
        return (await task).status

    assert asyncio.run(program()) == "succeeded"
    assert _last(tmp_path) == "succeeded"


def test_async_with_waits_for_tasks(provider: Provider, tmp_path: Path) -> None:
    """The end of ``async with`` waits for tasks, and the loop goes on meanwhile."""

    async def program() -> str:
        async with _runtime(provider, tmp_path) as jackfield:
            task = asyncio.create_task(jackfield.ainvoke(request("/slow")))
            await _came(provider)
            # which a blocked loop would not do
            asyncio.get_running_loop().call_later(0.05, provider.go.set)
        assert task.done()
        return task.result().status

    assert asyncio.run(program()) == "succeeded"
    assert _last(tmp_path) == "succeeded"


def test_close_waits_for_calls_of_threads(provider: Provider, tmp_path: Path) -> None:
    """``close`` waits for ``invoke`` in another thread, and for a task of another thread's loop."""
    jackfield, results = _runtime(provider, tmp_path), list[str]()
    calls: list[Callable[[], object]] = [
        lambda: results.append(jackfield.invoke(request("/slow")).status),
        lambda: results.append(asyncio.run(jackfield.ainvoke(request("/slow"))).status),
    ]
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        provider.came.clear()
        thread.start()
        assert provider.came.wait(30)
    closing = threading.Thread(target=jackfield.close)
    closing.start()
    closing.join(0.3)
    assert closing.is_alive()
    provider.go.set()
    closing.join(30)
    for thread in threads:
        thread.join(30)
    assert results == ["succeeded"] * 2
    assert _last(tmp_path) == "succeeded"


@pytest.mark.parametrize("how", ["close", "aclose"])
def test_close_waits_no_longer_than_it_may(provider: Provider, tmp_path: Path, how: str) -> None:
    """``within`` bounds the wait for a call of another thread that hangs; if it is answered
    afterwards, it is told and recorded as that.
    """
    jackfield, results = _runtime(provider, tmp_path), list[str]()
    thread = threading.Thread(
        target=lambda: results.append(jackfield.invoke(request("/slow")).status)
    )
    thread.start()
    assert provider.came.wait(30)
    if how == "close":
        jackfield.close(within=0.01)
    else:
        asyncio.run(jackfield.aclose(within=0.01))
    assert (thread.is_alive(), results) == (True, [])
    provider.go.set()
    thread.join(30)
    assert results == ["succeeded"]
    assert _last(tmp_path) == "succeeded"


@pytest.mark.parametrize("named", [True, False])
def test_close_ends_the_connections_to_providers(named: bool, tmp_path: Path) -> None:
    """Also while the host still refers to the runtime: a provider, a database above all, counts the
    connections that are open.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended = threading.Event()

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                    b"2\r\n\r\n{}"
                )
                if connection.recv(1) == b"":
                    ended.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        given = Provider().connection(url)
        jackfield = Jackfield(connections=[given], database_url=f"sqlite:///{tmp_path / 'j.db'}")
        asked = request(method="GET")
        if not named:
            asked["connection"] = given["connections"]["m"]
        jackfield.invoke(asked).unwrap()
        assert not ended.is_set()
        jackfield.close()
        assert ended.wait(30)
        thread.join(30)


@pytest.mark.parametrize("url", ["none", None])
def test_what_begins_after_the_end_is_unavailable(
    provider: Provider, tmp_path: Path, url: str | None
) -> None:
    """After ``close``, each way to call says that the runtime is closed; to close it again does
    nothing.
    """
    jackfield = Jackfield(
        connections=[provider.connection()], database_url=url or f"sqlite:///{tmp_path / 'j.db'}"
    )
    jackfield.close()
    jackfield.close()
    asyncio.run(jackfield.aclose())
    before = threading.active_count()
    results = [
        jackfield.invoke(request()),
        asyncio.run(jackfield.ainvoke(request())),
        jackfield.invoke(request(method="GET"), on_time=True),
    ]
    assert [result.error.code for result in results if result.error] == ["unavailable"] * 3
    assert provider.paths == []
    with pytest.raises(JackfieldError):
        jackfield.enqueue(request())
    assert threading.active_count() == before


def test_a_handler_may_close_in_the_middle_of_a_call(provider: Provider, tmp_path: Path) -> None:
    """A handler of SIGTERM that closes the runtime and exits does not wait for the call that it has
    interrupted.
    """
    jackfield = _runtime(provider, tmp_path)

    def stop(*_given: object) -> None:
        jackfield.close()
        sys.exit(0)

    before = signal.signal(signal.SIGUSR1, stop)
    main = threading.main_thread().ident or 0

    def send() -> None:
        if provider.came.wait(30):
            signal.pthread_kill(main, signal.SIGUSR1)

    threading.Thread(target=send).start()
    try:
        with pytest.raises(SystemExit):
            jackfield.invoke(request("/slow"))
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_tasks_of_a_loop_that_has_stopped_are_not_awaited(
    provider: Provider, tmp_path: Path
) -> None:
    """A loop that was left with a task in it holds nothing up."""
    jackfield, loop = _runtime(provider, tmp_path), asyncio.new_event_loop()
    task = loop.create_task(jackfield.ainvoke(request("/slow")))
    loop.run_until_complete(_came(provider))
    provider.go.set()
    jackfield.close()
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, *asyncio.all_tasks(loop), return_exceptions=True))
    loop.close()


_AT_EXIT = """
import asyncio, atexit, threading, time, sys
from jackfield import Jackfield
jackfield = Jackfield(connections=[{connection!r}], database_url={url!r})
def told(result):
    print(result.error.code if result.error else result.status, flush=True)
def in_thread():
    threading.main_thread().join()
    told(jackfield.invoke({call!r}))
def invoke(): told(jackfield.invoke({call!r}))
def ainvoke(): told(asyncio.run(jackfield.ainvoke({call!r})))
def on_time(): told(jackfield.invoke({call!r}, on_time=True))
async def task(): told(await jackfield.begin({call!r}))
def begin(): asyncio.run(task())
async def closing():
    async with jackfield: told(await jackfield.ainvoke({call!r}))
def aclose(): asyncio.run(closing())
def while_a_pool_ends(function):
    from concurrent.futures import ThreadPoolExecutor
    def late():
        while not threading._SHUTTING_DOWN: threading.Event().wait(0.01)
        function()
    ThreadPoolExecutor(1).submit(late)
if {early}: invoke()
{how}
"""


_DELETED = """
import builtins, gc, sys
from jackfield import Jackfield
jackfield = Jackfield(connections=[{connection!r}], database_url={url!r})
class Late:
    def __del__(self, jackfield=jackfield, print=print):
        result = jackfield.invoke({call!r}, on_time={on_time})
        print(result.error.code if result.error else result.status, flush=True)
if {early}: jackfield.invoke({call!r}).unwrap()
late = Late()
{how}
"""


@pytest.mark.parametrize(
    ("how", "early", "on_time"),
    [
        ("pass", True, False),
        ("pass", False, True),
        ("sys.modules['late'] = late; del late", False, False),
        ("gc.disable(); late.me = late; del late", True, True),
        ("builtins.late = late; jackfield.close()", False, False),
    ],
)
def test_a_call_after_the_end_of_the_interpreter_is_refused(
    how: str, early: bool, on_time: bool, provider: Provider, tmp_path: Path
) -> None:
    """What is called by ``__del__`` after Python has dropped its modules is ``unavailable``, and
    nothing was sent.
    """
    values = {
        "connection": provider.connection(),
        "url": f"sqlite:///{tmp_path / 'j.db'}",
        "call": request("/x"),
    }
    code = _DELETED.format(**values, how=how, early=early, on_time=on_time)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout.split(), "Traceback" in done.stderr) == (
        0,
        ["unavailable"],
        False,
    ), done.stderr
    assert provider.paths == ["/x"] * early


_AFTER_THE_END = """
import os, sys
from jackfield import Jackfield
jackfield = Jackfield(connections=[{connection!r}], database_url={url!r})
class Late:
    def __del__(self, jackfield=jackfield, made=Jackfield, write=os.write):
        for name, call in {{
            "stream": lambda: jackfield.stream({call!r}), "enqueue": lambda: jackfield.enqueue({call!r}), "made": lambda: made(),
            "many": lambda: jackfield.enqueue_many([{call!r}]), "list": lambda: jackfield.connections.list(),
            "entries": lambda: jackfield.journal_of().entries(),
        }}.items():
            try: told = str(call())
            except Exception as error: told = f"{{type(error).__name__}}: {{str(error).splitlines()[0]}}"
            write(1, f"{{name}} {{told}}\\n".encode())
if {early}: jackfield.invoke({call!r}).unwrap()
late = Late()
"""


@pytest.mark.parametrize("early", [True, False])
def test_whatever_is_asked_after_the_end_of_the_interpreter_says_so(
    early: bool, provider: Provider, tmp_path: Path
) -> None:
    """What has no Result raises a clear error, whatever it is that Python can no longer do; nothing
    is sent, nothing is queued.
    """
    values = {
        "connection": provider.connection(),
        "url": f"sqlite:///{tmp_path / 'j.db'}",
        "call": request("/x"),
    }
    code = _AFTER_THE_END.format(**values, early=early)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line[:1].isalpha())
    assert (done.returncode, {*told}) == (
        0,
        {"stream", "enqueue", "made", "many", "list", "entries"},
    ), done.stderr
    assert {what.partition(".")[0] for what in told.values()} == {"Unavailable: Python ends"}
    assert "Traceback" not in done.stderr
    assert provider.paths == ["/x"] * early


_OF_A_LOOP = """
import asyncio, atexit, sys
sys.path[:0] = {path!r}
from jackfield import Jackfield
hall = {{"connections": {{"hall": {{"type": "echo/token", "values": {{"token": "s3cret-token"}}}}}}}}
jackfield = Jackfield(connections=[hall], database_url={url!r})
call = {{"connector": "echo", "action": "sayLater", "connection": "hall", "inputs": {{"text": "late"}}}}
async def within(): print(jackfield.invoke(call).error.code)
atexit.register(lambda: print(jackfield.invoke(call).status))
atexit.register(lambda: print(asyncio.run(jackfield.ainvoke(call)).status))
atexit.register(lambda: asyncio.run(within()))
"""


def test_a_coroutine_of_a_connector_runs_at_the_end_of_the_interpreter(tmp_path: Path) -> None:
    """It needs no thread then. A synchronous call in a running loop, which cannot wait for it, says
    so.
    """
    code = _OF_A_LOOP.format(
        path=make_echo(tmp_path / "site"), url=f"sqlite:///{tmp_path / 'j.db'}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (
        0,
        "",
        ["unavailable", "succeeded", "succeeded"],
    )


def test_a_stream_at_the_end_of_the_interpreter_ends_clearly(
    provider: Provider, tmp_path: Path
) -> None:
    """A stream needs a thread of its own: where Python starts none any more, an error says so, and
    nothing is sent.
    """
    how = """
def streamed():
    try:
        with jackfield.stream({call!r}) as stream: print(*stream, stream.result.status)
    except Exception as error: print(error.code, str(error).partition(",")[0])
atexit.register(streamed)""".format(call=request("/x"))
    code = _AT_EXIT.format(
        connection=provider.connection(),
        url=f"sqlite:///{tmp_path / 'j.db'}",
        call=request("/x"),
        how=how,
        early=False,
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert (done.stdout.strip(), provider.paths) in [
        ("succeeded", ["/x"]),
        ("unavailable Python ends", []),
    ]


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        "atexit.register(invoke)",
        "atexit.register(ainvoke)",
        "threading.Thread(target=in_thread).start()",
        "atexit.register(jackfield.close)",
        "atexit.register(lambda: jackfield.close()); atexit.register(ainvoke)",
        "atexit.register(on_time)",
        "atexit.register(begin)",
        "atexit.register(aclose)",
        "threading._register_atexit(ainvoke)",
        "threading._register_atexit(begin)",
        "threading._register_atexit(on_time)",
        "while_a_pool_ends(invoke)",
        "while_a_pool_ends(begin)",
    ],
)
def test_calls_at_the_end_of_the_interpreter_have_results(
    how: str, early: bool, provider: Provider, tmp_path: Path
) -> None:
    """What is called while Python ends has its Result, and is recorded, although Python starts no
    thread any more.
    """
    code = _AT_EXIT.format(
        connection=provider.connection(),
        url=f"sqlite:///{tmp_path / 'j.db'}",
        call=request("/x"),
        how=how,
        early=early,
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    expected = ["succeeded"] * (early + (how != "atexit.register(jackfield.close)"))
    assert (done.returncode, done.stdout.split(), "Traceback" in done.stderr) == (
        0,
        expected,
        False,
    ), done.stderr
    if expected:
        assert _last(tmp_path) == "succeeded"
