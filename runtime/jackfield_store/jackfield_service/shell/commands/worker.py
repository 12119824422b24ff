"""``jackfield worker``: run queued invocations, without serving HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from jackfield.call.policy_service import policy_of
from jackfield.cli.logs import announce
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import MOST_AT_ONCE, count
from jackfield.connector.room import ANSWERS, ANSWERS_ROOM
from jackfield.kernel.errors import InvalidInvocation, Unavailable, missing_extra
from jackfield.kernel.notices import Notices
from jackfield.kernel.signals import ENDS, HANGUPS, ForcedEnd
from jackfield.kernel.threads import Threads
from jackfield.tracing import configured, remarked
from jackfield.wire.guard import allowed_hosts
from jackfield_service.shell.process.listeners import forget, listen, place
from jackfield_service.shell.process.metrics_folder import shared
from jackfield_store.commands.starting import (
    check_connection_files,
    check_surroundings,
    declare_migrate,
    declare_stop_within,
    prepare_database,
    prepare_process,
    require_connection_files,
)
from jackfield_store.database.shared_settings import ALLOW_HOSTS, PUBLIC_URL
from jackfield_store.resources.memory import memory_limit, require_memory, room_within, save_memory
from jackfield_store.resources.renewal import renew

if TYPE_CHECKING:
    from jackfield_service.shell.process.metrics import Metrics
    from jackfield_store.runtime.runtime_pool import RuntimePool

_MOST_PROCESSES = 256
_FIRST_CALL = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "jackfield.connector.manifests",
    "jackfield_store.journal.queue",
    "jackfield.call.attempts",
    "jackfield_store.queue.local",
    "jackfield.schema.compiling",
    "pydantic.main",
    "pydantic.type_adapter",
)
"""Modules that a first call imports."""
_LOOKS = 32
"""Threads for polling the queue."""


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "--concurrency", type=count(1, MOST_AT_ONCE), default=16, metavar="N", help="maximum number of concurrent invocations (default 16)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="allow connections to use this internal host; repeatable",
    )
    parser.add_argument(
        "--processes", type=count(1, _MOST_PROCESSES), default=1, metavar="P", help="processes, each with its own --concurrency (default 1)"
    )
    parser.add_argument("--health-port", type=count(0, 65_535), metavar="PORT", help="serve /healthz, /readyz and /metrics there")
    parser.add_argument("--health-host", default="127.0.0.1", metavar="HOST", help="the address of --health-port (default 127.0.0.1)")
    declare_stop_within(parser)
    declare_migrate(parser)


def _work(arguments: Namespace, _output: Output) -> int:

    from jackfield_store.queue import check_queue, leave
    from jackfield_store.runtime.runtime_pool import RuntimePool

    HANGUPS.listen()
    prepare_process()
    require_memory()
    save_memory()
    ANSWERS.size = room_within(memory_limit(arguments.processes), ANSWERS_ROOM)
    require_connection_files(os.environ)
    check_surroundings(os.environ)
    policy_of(os.environ)
    runtimes = RuntimePool(os.environ, plugins=remarked(os.environ))
    runtimes.storage.shared.take(ALLOW_HOSTS, " ".join(allowed_hosts(arguments.allow_host, os.environ)))
    if not runtimes.storage.enabled:
        raise InvalidInvocation(
            "there is no queue: JACKFIELD_DATABASE_URL is 'none'", hint="Give the database that 'jackfield serve' uses."
        )
    check_queue(os.environ)
    location = _location(runtimes, migrate=arguments.migrate)
    check_connection_files(os.environ, runtimes.catalog)
    announcement = f"jackfield worker runs up to {arguments.concurrency} queued invocations at once from {location}"
    if arguments.processes > 1 or arguments.health_port is not None:
        return _preforked(runtimes, arguments, announcement)

    def ready() -> None:
        announce(announcement, concurrency=arguments.concurrency, database=location)

    _run(runtimes, arguments.concurrency, arguments.stop_within, ready)
    return leave(0)


def _run(
    runtimes: RuntimePool,
    concurrency: int,
    within: float,
    ready: Callable[[], None],
    metrics: Metrics | None = None,
    *,
    forked: bool = False,
) -> None:
    """Run one process until it is told to stop, and no longer than promised after that."""
    deadline = ForcedEnd(within)
    try:
        asyncio.run(_run_until_signal(runtimes, concurrency, within, ready, metrics, deadline, forked=forked))
    finally:
        deadline.cancel()


def _preforked(runtimes: RuntimePool, arguments: Namespace, announcement: str) -> int:
    """Import everything, then fork the processes: they share its memory, and start without importing."""
    if not hasattr(os, "fork"):
        raise InvalidInvocation("--processes and --health-port need a system that can fork", hint="Start several workers instead.")
    from jackfield_store.queue.prefork import Board, Master

    board, probe = Board(arguments.processes), None
    with contextlib.ExitStack() as stack:
        if arguments.health_port is not None:
            stack.enter_context(shared())
            try:
                from jackfield_service.shell.commands import worker_probes
            except ImportError as error:
                raise missing_extra("--health-port needs", "server", error.name) from None
            found = listen(arguments.health_host, arguments.health_port, "--health-port")
            listeners = [stack.enter_context(listener) for listener in found]
            stack.callback(forget, arguments.health_host)
            probe = partial(worker_probes.serve, listeners, board, runtimes)
            announcement += f"; health on {place(arguments.health_host, listeners[0])}"
        _warm_up(runtimes)
        processes = "process" if arguments.processes == 1 else "processes"
        text = f"{announcement}, in {arguments.processes} {processes}"
        began = partial(announce, text, concurrency=arguments.concurrency, processes=arguments.processes)
        child = partial(_child, runtimes, arguments.concurrency, arguments.stop_within, measured=probe is not None)
        return Master([child] * arguments.processes, arguments.stop_within, board, probe, partial(renew, runtimes.storage)).run(began)


def _warm_up(runtimes: RuntimePool) -> None:
    for name in _FIRST_CALL:
        importlib.import_module(name)
    runtimes.catalog.warm_up()
    gc.collect()
    gc.freeze()  # a collection in a child would copy the pages of all objects that it visits


def _child(runtimes: RuntimePool, concurrency: int, within: float, ready: Callable[[], None], *, measured: bool) -> int:
    """Run one process of several until SIGTERM."""
    metrics = None
    if measured:
        from jackfield_service.shell.process.metrics import Metrics

        metrics = Metrics(runtimes.catalog)
    _run(runtimes, concurrency, within, ready, metrics, forked=True)
    return 0


def _ignore(_ended: object) -> None:
    """Do nothing: no metrics are served."""


def _location(runtimes: RuntimePool, *, migrate: bool) -> str:
    """Prepare the database. If it is unreachable, start anyway: the worker waits for it, as after a later outage."""
    try:
        return prepare_database(runtimes.storage, migrate=migrate)
    except Unavailable as error:
        if migrate or not error.retryable:
            raise
        announce(f"jackfield worker is waiting for the database: {error.message}")
        return "the database, once it is reachable"


async def _run_until_signal(
    runtimes: RuntimePool,
    concurrency: int,
    within: float,
    ready: Callable[[], None],
    metrics: Metrics | None,
    deadline: ForcedEnd,
    *,
    forked: bool,
) -> None:
    """Run the queue's engine until SIGTERM, SIGQUIT or Ctrl-C. A second signal ends a process at once that was not forked by a master."""
    from jackfield_service.shell.process.loops import Loop, Process, loops
    from jackfield_store.queue import look_each_second, open_engine, run
    from jackfield_store.runtime.evidence_loop import EvidenceLoop
    from jackfield_store.runtime.poller import Poller

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.set_default_executor(Threads(_LOOKS, "jackfield-looks"))

    def on_signal(number: int) -> None:
        if stop.is_set() and not forked:
            os._exit(128 + number)  # the journal recovers what runs, by effect
        deadline.begin()
        stop.set()

    for number in (signal.SIGTERM,) if forked else (signal.SIGINT, *ENDS):
        loop.add_signal_handler(number, on_signal, number)
    tracing = configured(runtimes.environment)
    runtimes.add(tracing)
    ended, settled = (_ignore, None) if metrics is None else (metrics.note, metrics.note_doubts)
    engine = open_engine(runtimes, concurrency, ended)
    poller = Poller(runtimes, ended, stop.is_set)
    evidence = EvidenceLoop(runtimes, settled, stopping=stop.is_set)
    process = Process(runtimes, engine.submit, lambda: runtimes.storage.shared.known(PUBLIC_URL), stop.is_set)
    running: tuple[Loop, ...] = (poller, evidence, *loops(process))
    for each in running:
        each.start()
    ready()
    upkeep = asyncio.ensure_future(look_each_second(runtimes, Notices({} if forked else os.environ)))
    await run(engine, stop, within)
    upkeep.cancel()
    for each in running:
        await each.stop()
    await runtimes.drained(0.0)
    await asyncio.to_thread(runtimes.storage.close)
    for one in tracing:
        await asyncio.to_thread(one.close)


VERBS = {"": Verb("Run queued invocations.", _declare, _work)}
