"""``jackfield worker``: run queued invocations, without serving HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jackfield.cli.logs import announce, configure
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import MOST_AT_ONCE, count
from jackfield.cli.starting import check_connection_files, declare_migrate, declare_stop_within, prepare_database, require_connection_files
from jackfield.errors import InvalidInvocation, Unavailable

if TYPE_CHECKING:
    from jackfield.queue import RuntimePool

_LOOKS = 32
"""Threads for polling the queue."""


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "--concurrency", type=count(1, MOST_AT_ONCE), default=16, metavar="N", help="maximum number of concurrent invocations (default 16)"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="allow connections to use this internal host; repeatable"
    )
    declare_stop_within(parser)
    declare_migrate(parser)


def _work(arguments: Namespace, _output: Output) -> int:
    import asyncio

    from jackfield.queue import RuntimePool, leave
    from jackfield.resources.memory import save_memory

    configure()
    save_memory()
    require_connection_files(os.environ)
    from jackfield.connector.guard import Guard

    runtimes = RuntimePool(os.environ, guard=Guard(allowed=tuple(arguments.allow_host)))
    if not runtimes.storage.enabled:
        raise InvalidInvocation(
            "there is no queue: JACKFIELD_DATABASE_URL is 'none'", hint="Give the database that 'jackfield serve' uses."
        )
    location = _location(runtimes, migrate=arguments.migrate)
    check_connection_files(os.environ, runtimes.catalog)
    asyncio.run(_run_until_signal(runtimes, arguments.concurrency, arguments.stop_within, location))
    return leave(0)


def _location(runtimes: RuntimePool, *, migrate: bool) -> str:
    """Prepare the database. If it is unreachable, start anyway: the worker waits for it, as after a later outage."""
    try:
        return prepare_database(runtimes.storage, migrate=migrate)
    except Unavailable as error:
        if migrate or not error.retryable:
            raise
        announce(f"jackfield worker is waiting for the database: {error.message}")
        return "the database, once it is reachable"


async def _run_until_signal(runtimes: RuntimePool, concurrency: int, within: float, location: str) -> None:
    import asyncio
    import signal

    from jackfield.queue import QueueWorkers
    from jackfield.resources.threads import Threads

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.set_default_executor(Threads(_LOOKS, "jackfield-looks"))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    workers = QueueWorkers(runtimes, concurrency)
    workers.start()
    announce(
        f"jackfield worker runs up to {concurrency} queued invocations at once from {location}", concurrency=concurrency, database=location
    )
    await stop.wait()
    await workers.stop(within)
    await runtimes.drained(0.0)
    await asyncio.to_thread(runtimes.storage.close)


VERBS = {"": Verb("Run queued invocations.", _declare, _work)}
