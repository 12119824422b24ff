"""``jackfield worker``: run queued invocations, without serving HTTP."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from jackfield.call.policy_service import policy_of
from jackfield.cli.logs import announce
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import MOST_AT_ONCE, count
from jackfield.cli.session import declare_import
from jackfield.connector.room import ANSWERS, ANSWERS_ROOM
from jackfield.kernel.database_urls import database_url, is_none
from jackfield.kernel.errors import InvalidInvocation, Unavailable, missing_extra
from jackfield.kernel.notices import Notices
from jackfield.kernel.signals import ENDS, HANGUPS, ForcedEnd
from jackfield.kernel.threads import Threads
from jackfield.tracing import configured, remarked
from jackfield.wire.guard import allowed_hosts
from jackfield_service.shell.process.listeners import forget, listen, place
from jackfield_service.shell.process.master import Master, bind_to_master, command
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
from jackfield_store.database.setting_rows import ALLOW_HOSTS, PUBLIC_URL
from jackfield_store.resources.memory import memory_limit, require_memory, room_within, save_memory
from jackfield_store.resources.renewal import renew

if TYPE_CHECKING:
    from jackfield_service.shell.process.metrics import Metrics
    from jackfield_store.runtime.runtime_pool import RuntimePool

_MOST_PROCESSES = 256
_LOOKS = 32
"""Number of threads that poll the queue."""


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "--concurrency",
        type=count(1, MOST_AT_ONCE),
        default=16,
        metavar="N",
        help="maximum number of concurrent invocations (default 16)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="allow connections to use this internal host; repeatable",
    )
    parser.add_argument(
        "--processes",
        type=count(1, _MOST_PROCESSES),
        default=1,
        metavar="P",
        help="processes, each with its own --concurrency (default 1)",
    )
    parser.add_argument(
        "--health-port",
        type=count(0, 65_535),
        metavar="PORT",
        help="serve /healthz, /readyz and /metrics there",
    )
    parser.add_argument(
        "--health-host",
        default="127.0.0.1",
        metavar="HOST",
        help="the address of --health-port (default 127.0.0.1)",
    )
    declare_import(parser)
    declare_stop_within(parser)
    declare_migrate(parser)
    # one of several processes
    parser.add_argument("--of-master", action="store_true", help=argparse.SUPPRESS)


def _work(arguments: Namespace, _output: Output) -> int:
    from jackfield_store.queue import leave
    from jackfield_store.runtime.runtime_pool import RuntimePool

    HANGUPS.listen()
    prepare_process(arguments.modules)
    save_memory()
    ANSWERS.size = room_within(memory_limit(arguments.processes), ANSWERS_ROOM)
    if not arguments.of_master:
        _check(arguments)
    runtimes = RuntimePool(os.environ, plugins=remarked(os.environ))
    runtimes.storage.shared.take(
        ALLOW_HOSTS, " ".join(allowed_hosts(arguments.allow_host, os.environ))
    )
    if arguments.of_master:
        _run(runtimes, arguments, bind_to_master(arguments.stop_within))
        return leave(0)
    location = _location(runtimes, migrate=arguments.migrate)
    check_connection_files(os.environ, runtimes.catalog)
    announcement = (
        f"jackfield worker runs up to {arguments.concurrency} queued invocations at once "
        f"from {location}"
    )
    if arguments.processes > 1 or arguments.health_port is not None:
        return _lead(runtimes, arguments, announcement)
    _run(
        runtimes,
        arguments,
        partial(announce, announcement, concurrency=arguments.concurrency, database=location),
    )
    return leave(0)


def _check(arguments: Namespace) -> None:
    """Refuse to start a worker that cannot run invocations."""
    from jackfield_store.queue import check_queue

    require_memory()
    require_connection_files(os.environ)
    check_surroundings(os.environ)
    policy_of(os.environ)
    if is_none(database_url(os.environ)):
        raise InvalidInvocation(
            "there is no queue: JACKFIELD_DATABASE_URL is 'none'",
            hint="Give the database that 'jackfield serve' uses.",
        )
    check_queue(os.environ)
    if sys.platform == "win32" and (arguments.processes > 1 or arguments.health_port is not None):
        raise InvalidInvocation(
            "--processes and --health-port do not work on Windows",
            hint="Start several workers instead.",
        )


def _run(runtimes: RuntimePool, arguments: Namespace, ready: Callable[[], None]) -> None:
    """Run one process until a signal stops it, and end it within ``--stop-within`` seconds of the
    signal.
    """
    deadline = ForcedEnd(arguments.stop_within)
    try:
        asyncio.run(_run_until_signal(runtimes, arguments, ready, deadline))
    finally:
        deadline.cancel()


def _lead(runtimes: RuntimePool, arguments: Namespace, announcement: str) -> int:
    """Start the processes and serve their probes."""
    number, words, probed = (
        arguments.processes,
        _words(arguments),
        arguments.health_port is not None,
    )
    text = f"in {number} {'process' if number == 1 else 'processes'}"
    master = Master(
        command("worker", words),
        number,
        arguments.stop_within,
        partial(renew, runtimes.storage) if probed else bool,
    )
    with contextlib.ExitStack() as stack:
        if probed:
            stack.enter_context(shared())
            try:
                from jackfield_service.shell.commands import worker_probes
            except ImportError as error:
                raise missing_extra("--health-port needs", "server", error.name) from None
            found = listen(arguments.health_host, arguments.health_port, "--health-port")
            listeners = [stack.enter_context(listener) for listener in found]
            stack.callback(forget, arguments.health_host)
            worker_probes.serve(listeners, master, runtimes)
            text = f"health on {place(arguments.health_host, listeners[0])}, {text}"
            announcement += ";"
        else:
            announcement += ","
            runtimes.storage.close()
        return master.run(
            partial(
                announce,
                f"{announcement} {text}",
                concurrency=arguments.concurrency,
                processes=number,
            )
        )


def _words(arguments: Namespace) -> list[str]:
    """Return the words of the command that runs one process of several."""
    words = [
        f"--concurrency={arguments.concurrency}",
        f"--processes={arguments.processes}",
        f"--stop-within={arguments.stop_within:f}",
    ]
    if arguments.health_port is not None:  # it counts what the master's probes show
        words += [
            f"--health-port={arguments.health_port}",
            f"--health-host={arguments.health_host}",
        ]
    words += [f"--import={module}" for module in arguments.modules]
    return [*words, *(f"--allow-host={host}" for host in arguments.allow_host), "--of-master"]


def _metrics(runtimes: RuntimePool) -> Metrics:
    from jackfield_service.shell.process.metrics import Metrics

    return Metrics(runtimes.catalog)


def _ignore(_ended: object) -> None:
    """Do nothing: no metrics are served."""


def _location(runtimes: RuntimePool, *, migrate: bool) -> str:
    """Prepare the database. If it is unreachable, start anyway: the worker waits for it, as after a
    later outage.
    """
    try:
        return prepare_database(runtimes.storage, migrate=migrate)
    except Unavailable as error:
        if migrate or not error.retryable:
            raise
        announce(f"jackfield worker is waiting for the database: {error.message}")
        return "the database, once it is reachable"


async def _run_until_signal(
    runtimes: RuntimePool, arguments: Namespace, ready: Callable[[], None], deadline: ForcedEnd
) -> None:
    """Run the queue's engine until SIGTERM, SIGQUIT or Ctrl-C. A second signal at once ends a
    process without a master.
    """
    from jackfield_service.shell.process.loops import Loop, Process, loops
    from jackfield_store.queue import look_each_second, open_engine, run
    from jackfield_store.runtime.evidence_loop import EvidenceLoop
    from jackfield_store.runtime.poller import Poller

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.set_default_executor(Threads(_LOOKS, "jackfield-looks"))

    def on_signal(number: int) -> None:
        if stop.is_set() and not arguments.of_master:
            os._exit(128 + number)  # the journal recovers what runs, by effect
        deadline.begin()
        stop.set()

    for number in (signal.SIGINT, *ENDS):
        loop.add_signal_handler(number, on_signal, number)
    tracing = configured(runtimes.environment)
    runtimes.add(tracing)
    metrics = _metrics(runtimes) if arguments.health_port is not None else None
    ended, settled = (_ignore, None) if metrics is None else (metrics.note, metrics.note_doubts)
    engine = open_engine(runtimes, arguments.concurrency, ended)
    poller = Poller(runtimes, ended, stop.is_set)
    evidence = EvidenceLoop(runtimes, settled, stopping=stop.is_set)
    process = Process(
        runtimes, engine.submit, lambda: runtimes.storage.shared.known(PUBLIC_URL), stop.is_set
    )
    running: tuple[Loop, ...] = (poller, evidence, *loops(process))
    for each in running:
        each.start()
    ready()
    upkeep = asyncio.ensure_future(look_each_second(runtimes, Notices()))
    await run(engine, stop, arguments.stop_within)
    upkeep.cancel()
    for each in running:
        await each.stop()
    await runtimes.drained(0.0)
    await asyncio.to_thread(runtimes.storage.close)
    for one in tracing:
        await asyncio.to_thread(one.close)


VERBS = {"": Verb("Run queued invocations.", _declare, _work)}
