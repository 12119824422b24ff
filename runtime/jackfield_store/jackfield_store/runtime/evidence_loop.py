"""The loop of one process that makes looks for calls in doubt; processes share the doubts of a
database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from jackfield.boundary.looks import declared
from jackfield.call.unstored import required
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.exports import late_hints
from jackfield.kernel.hints import NextStep
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.doubt_reports import DoubtReports
from jackfield_store.journal.doubts import Doubts, DueDoubts
from jackfield_store.recording.host_looks import look as look_for
from jackfield_store.recording.looks import look
from jackfield_store.runtime.due_loop import DueLoop

if TYPE_CHECKING:
    from jackfield_store.journal.doubt_reports import Listener
    from jackfield_store.journal.doubts import Doubt
    from jackfield_store.runtime import Jackfield
    from jackfield_store.runtime.runtime_pool import RuntimePool


class EvidenceLoop(DueLoop[DueDoubts]):
    """Loop of one process. A look may wait for a provider, so several are made at once.

    ``note`` gets the reports of all looks and resolutions of this process, including those by
    callers and people.
    """

    what, row, pool = "doubts", "doubt", "looks"
    at_once = threads = 8
    # after an outage there are thousands of doubts, and calls go on beside them
    share, quick = 0.04, 0.05

    def __init__(
        self,
        runtimes: RuntimePool,
        note: Listener | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(runtimes, stopping=stopping)
        self._note = note

    def _opened(self) -> DueDoubts:
        runtimes = self._runtimes
        if self._note is not None:
            DoubtReports.of(runtimes.storage.database).add(self._note)
        return DueDoubts(runtimes.storage.database, runtimes.clock, runtimes.blocked)

    def _work_on(self, due: DueDoubts, claimed: Doubt) -> LookWork:
        del due
        return LookWork(self._runtimes.find(claimed.workspace), claimed)


class LookWork:
    """Work of one look for one doubt."""

    queued = False

    def __init__(self, runtime: Jackfield, doubt: Doubt) -> None:
        self._runtime, self._doubt = runtime, doubt

    def work(self) -> None:
        """Look, and record the findings.

        :raises OvertakenError: if another process has recorded a look.
        """
        look_once(self._runtime, self._doubt, by_person=False)


_NOT_MARKED = (
    "A look finds a call by its marker, which it has if its action declares evidence, its "
    "connection is stored, and its inputs leave the "
    "marker's place free."
)


def look_now(runtime: Jackfield, identifier: str) -> None:
    """Look for an invocation at a person's request; the findings are in its entry afterwards.

    :raises InvalidInvocation: if no look is possible.
    """
    journal = required(runtime.journal)
    doubt = Doubts(journal.database, journal.vault, journal.workspace, runtime.clock).find(
        identifier
    )
    if doubt is None:
        if (status := journal.find(identifier, alone=True).status) != "in_doubt":
            text = f"the invocation '{identifier[:80]}' is not in doubt: its status is '{status}'"
            raise InvalidInvocation(text, hint="There is nothing to look for.")
        step = NextStep("resolve", id=identifier, more=_NOT_MARKED)
        raise InvalidInvocation(
            f"nothing can be looked up for the invocation '{identifier[:80]}'", hint=step
        )
    if runtime.access.settle == "off" and doubt.function is None:
        hint = "Set 'settle' to 'show' or 'on', for the installation and for the workspace."
        raise InvalidInvocation("looks for evidence are switched off here", hint=hint)
    with suppress(OvertakenError):  # another process looks at this moment
        look_once(runtime, doubt, by_person=True)


def look_once(runtime: Jackfield, doubt: Doubt, *, by_person: bool) -> str | None:
    """Look for a doubt under the present settings of its workspace; return the verdict that has
    settled it, or None.
    """
    journal = runtime.journal
    if journal is None:
        return None
    if doubt.function is not None:
        return look_for(
            journal, runtime.clock, doubt, declared(runtime.storage.url), by_person=by_person
        )
    with runtime.storage.one_state():
        access = runtime.access
        absent = access.settings.settle_absent
        return look(
            runtime.pipeline,
            journal,
            doubt,
            settle=access.settle,
            absent=absent,
            by_person=by_person,
        )


late_hints(__name__)
