"""The port to the engines of queued invocations: the journal itself (``local``), or Celery on a
message broker (``jackfield_celery``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from jackfield.catalog.loading import chosen
from jackfield.kernel.database_urls import database_url, is_none, secret_url
from jackfield.kernel.errors import InvalidInvocation, missing_extra
from jackfield.kernel.exports import late_hints
from jackfield.kernel.signals import HANGUPS
from jackfield_store.queue.local import LocalEngine
from jackfield_store.resources.renewal import renew

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.kernel.notices import Notices
    from jackfield_store.runtime.runtime_pool import RuntimePool

VARIABLE = "JACKFIELD_QUEUE_URL"
_FILE_VARIABLE = "JACKFIELD_QUEUE_URL_FILE"
_ENGINES = "jackfield.engines"


class Engine(Protocol):
    """Engine of one process. Except for ``submit``, which any thread may call, all methods belong
    to one event loop.
    """

    def start(self) -> None:
        """Start to run queued invocations, and to pass this process's own invocations on to
        others.
        """

    def submit(self) -> None:
        """Notify the engine that invocations were queued. Call it after the journal's commit; it
        must not fail.
        """

    def cancel(self, workspace: str, identifier: str) -> bool:
        """Cancel a queued or running invocation, wherever it is; return False if it is too late."""

    def depth(self) -> Mapping[str, int]:
        """Return the number of queued invocations by workspace."""

    async def stop(self, within: float) -> None:
        """Begin nothing new, and wait up to ``within`` seconds for running invocations; the journal
        recovers unfinished ones by effect.
        """


class BrokerEngines(Protocol):
    """Factory of engines on a message broker. A package declares one as ``celery`` in the entry
    points ``jackfield.engines``.
    """

    def check(self, url: str) -> None:
        """Check a broker's URL.

        :raises InvalidInvocation: if it is wrong.
        """

    def warning(self, url: str) -> str | None:
        """Try the queue's steps with a broker for a second; return the fault if the broker does not
        answer, or accepts no messages, None if it works.
        """

    def __call__(
        self,
        runtimes: RuntimePool,
        url: str,
        slots: int,
        ended: Callable[[Result], None],
        stopping: Callable[[], bool],
    ) -> Engine:
        """Create the engine of one process."""


async def run(engine: Engine, stop: asyncio.Event, within: float) -> None:
    """Run an engine until ``stop`` is set."""
    engine.start()
    await stop.wait()
    await engine.stop(within)


async def look_each_second(runtimes: RuntimePool, notices: Notices) -> None:
    """Renew the process on each SIGHUP, and notify systemd that it is alive, until it stops."""
    try:
        while True:
            notices.alive()
            await asyncio.sleep(1.0)
            if HANGUPS.take():
                notices.reloading()
                await asyncio.to_thread(renew, runtimes.storage)
    finally:
        notices.stopping()


def queue_url(environment: Mapping[str, str]) -> str | None:
    """Return the broker's URL; None if the journal itself is the queue.

    :raises InvalidInvocation: if the file that should contain the URL cannot be read or is empty.
    """
    return (secret_url(environment, VARIABLE, _FILE_VARIABLE) or "").strip() or None


def check_queue(environment: Mapping[str, str]) -> None:
    """Check the broker's URL and the package that it needs, if there is a broker.

    :raises InvalidInvocation: if the URL is wrong, the package is missing, or there is no database.
    """
    url = queue_url(environment)
    if url is not None:
        _broker_engines(environment).check(url)


def broker_warning(environment: Mapping[str, str]) -> str | None:
    """Return the probes' warning about a broker that does not answer within a second, or accepts
    no messages; None if it works, or none is used.
    """
    url = queue_url(environment)
    return None if url is None else _broker_engines(environment).warning(url)


def _broker_engines(environment: Mapping[str, str]) -> BrokerEngines:
    if is_none(database_url(environment)):
        raise InvalidInvocation(
            f"{VARIABLE} needs a database, and JACKFIELD_DATABASE_URL is 'none'",
            hint="Give the database that all servers and workers use.",
        )
    found: BrokerEngines | None = chosen(_ENGINES, "celery")
    if found is None:
        raise missing_extra(f"{VARIABLE} needs", "celery", "jackfield-celery")
    return found


def open_engine(
    runtimes: RuntimePool,
    slots: int,
    ended: Callable[[Result], None] = lambda _result: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Engine:
    """Create the engine that the environment chooses, with ``slots`` concurrent invocations. With 0
    slots, the engine only passes work on.

    :raises InvalidInvocation: as ``check_queue`` does.
    """
    url = queue_url(runtimes.environment)
    if url is None:
        return LocalEngine(runtimes, slots, ended, stopping)
    return _broker_engines(runtimes.environment)(runtimes, url, slots, ended, stopping)


late_hints(__name__)
