"""The work on all subscriptions of a database, as one process shares it with others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError
from jackfield.queue.due_loop import POLL, DueLoop
from jackfield.queue.subscription_work import SubscriptionWork
from jackfield.resources.threads import Threads
from jackfield.triggers.due import DueSubscriptions, OvertakenError

if TYPE_CHECKING:
    from jackfield.queue.runtime_pool import RuntimePool
    from jackfield.triggers.subscription import Subscription

_AT_ONCE = 8
"""Subscriptions on which one process works at once: each may wait for a provider."""


class TriggerLoop(DueLoop):
    """Loop of one process. ``base`` is the address of the server that receives webhooks; ``stopping`` says when nothing new is begun."""

    what = "triggers"

    def __init__(self, runtimes: RuntimePool, base: Callable[[], str], stopping: Callable[[], bool] = lambda: False) -> None:
        super().__init__(runtimes, stopping)
        self._base = base
        self._due: DueSubscriptions | None = None

    def look(self) -> float:
        """Do what is due, and return the seconds until the next look.

        :raises JackfieldError: if the database is unavailable.
        """
        if self._due is None:
            self._due = DueSubscriptions(self._runtimes.storage.database, self._runtimes.clock)
        wait = self._due.wait()
        if wait is None or wait > 0:
            return POLL if wait is None else min(POLL, wait)
        claimed, work = self._due.claim(_AT_ONCE), partial(self._work, self._due)
        if len(claimed) > 1:
            with Threads(_AT_ONCE, "jackfield-triggers") as threads:
                list(threads.map(work, claimed))
        else:
            list(map(work, claimed))
        return 0.0

    def _work(self, due: DueSubscriptions, found: Subscription) -> None:
        try:
            SubscriptionWork(self._runtimes.find(found.workspace), found, due, self._base()).work()
        except OvertakenError:  # what the other process does, this one need not
            self._log.info("the subscription '%s' was taken or changed by another process", found.name)
        except JackfieldError as error:
            self._log.error("the subscription '%s' of the workspace '%s' has to wait: %s", found.name, found.workspace, error.message)
