"""The work on all subscriptions of a database, as one process shares it with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.database.due_rows import OvertakenError
from jackfield.errors import JackfieldError
from jackfield.queue.due_loop import DueLoop
from jackfield.queue.subscription_work import SubscriptionWork
from jackfield.triggers.due import DueSubscriptions

if TYPE_CHECKING:
    from jackfield.queue.runtime_pool import RuntimePool
    from jackfield.triggers.subscription import Subscription


class TriggerLoop(DueLoop[DueSubscriptions]):
    """Loop of one process. ``base`` is the address of the server that receives webhooks; ``stopping`` says when nothing new is begun.
    ``submit`` notifies the queue's engine of what events have started."""

    what = "triggers"
    at_once = threads = 8
    """Each may wait for a provider."""
    looks = 4

    def __init__(
        self,
        runtimes: RuntimePool,
        base: Callable[[], str],
        stopping: Callable[[], bool] = lambda: False,
        submit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(runtimes, stopping)
        self._base = base
        self._submit = submit

    def _opened(self) -> DueSubscriptions:
        return DueSubscriptions(self._runtimes.storage.database, self._runtimes.clock)

    def _work(self, due: DueSubscriptions, found: Subscription) -> None:
        work = SubscriptionWork(self._runtimes.find(found.workspace), found, due, self._base())
        try:
            with due.working(found):
                work.work()
        except OvertakenError:  # what the other process does, this one need not
            self._log.info("the subscription '%s' was taken or changed by another process", found.name)
        except JackfieldError as error:
            self._log.error("the subscription '%s' of the workspace '%s' has to wait: %s", found.name, found.workspace, error.message)
        if work.queued:
            self._submit()
