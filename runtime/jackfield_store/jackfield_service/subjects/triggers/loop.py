"""The work of one process on all subscriptions of a database, which it shares with other
processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield_service.shell.process.loops import Process
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_service.subjects.triggers.subscription_work import SubscriptionWork
from jackfield_store.runtime.due_loop import DueLoop

if TYPE_CHECKING:
    from jackfield_service.subjects.triggers.subscription import Subscription
    from jackfield_store.runtime.runtime_pool import RuntimePool


class TriggerLoop(DueLoop[DueSubscriptions]):
    """Loop of one process. ``base`` is the address of the server that receives webhooks."""

    what, row, pool = "triggers", "subscription", "triggers"
    at_once = threads = 8
    """Maximum number of subscriptions at once, and of threads, since each may wait for a
    provider.
    """

    def __init__(
        self,
        runtimes: RuntimePool,
        base: Callable[[], str],
        submit: Callable[[], None] = lambda: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(runtimes, submit, stopping)
        self._base = base

    def _opened(self) -> DueSubscriptions:
        return DueSubscriptions(
            self._runtimes.storage.database, self._runtimes.clock, self._runtimes.blocked
        )

    def _work_on(self, due: DueSubscriptions, claimed: Subscription) -> SubscriptionWork:
        return SubscriptionWork(self._runtimes.find(claimed.workspace), claimed, due, self._base())

    def _work(self, due: DueSubscriptions, claimed: Subscription) -> None:
        with due.working(claimed):
            super()._work(due, claimed)


def loop(process: Process) -> TriggerLoop:
    """Return the loop over subscriptions of a process."""
    return TriggerLoop(process.runtimes, process.base, process.submit, process.stopping)
