"""Looks of a program's own functions. Their findings settle a doubt as evidence does, on the
author's word.

A function's doubt is due like any other, but only a process that declares the function with a look
can claim it. Looks run wherever jackfield renews its lease: in a program, a worker or a server, in
a thread of their own, since a look is code of the program.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.boundary.looks import ANY, declared
from jackfield.call.waiter import run_in_thread
from jackfield.connector.evidence import LOOKS
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield.kernel.hints import NextStep
from jackfield.manifest.reading import HOST
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.database.part import Part
from jackfield_store.journal.doubt_reports import DoubtReports
from jackfield_store.journal.doubts import Doubts, DueOfFunctions, stopped
from jackfield_store.journal.journal import Journal
from jackfield_store.recording.findings import Finding
from jackfield_store.recording.look_log import LookLog
from jackfield_store.recording.looks import judged
from jackfield_store.recording.replays import replay_of
from jackfield_store.recording.settling import awaitable, settling

if TYPE_CHECKING:
    from jackfield.boundary.looks import Declaration
    from jackfield.call.work import Looked
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Entry
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database
    from jackfield_store.database.blocked import BlockedWorkspaces
    from jackfield_store.journal.doubts import Doubt
    from jackfield_store.keys.vault import Vault
    from jackfield_store.resources.storage import Storage

    Functions = Mapping[tuple[str, str], Declaration]

_MOST = 4
"""Maximum number of a process's threads for functions' looks: a look that hangs delays no other."""
_PAUSE = 1.0
"""Seconds between two reads of an entry that its caller waits for."""
_PARTING = 1.0
"""Seconds for which the end of a process waits for looks. An unfinished look is made again when its
claim has expired.
"""
_AGAIN = 60.0
"""Seconds between two looks while the function still runs."""
_HELD = "Until then the function does not run under this key."
"""Hint for a doubt that waits for a person."""


def begin(storage: Storage, clock: Clock) -> None:
    """Start the due looks of functions."""
    database = storage.database
    database.attached(FunctionLooks, lambda: FunctionLooks(database)).begin(storage, clock)


class FunctionLooks(Part):
    """Looks of this process at the doubts of one database, for the functions that the process
    declares.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._threads: tuple[threading.Thread, ...] = ()

    def begin(self, storage: Storage, clock: Clock) -> None:
        """Start a thread for the due looks. The thread of the lease calls this after each
        renewal.
        """
        functions, database = declared(storage.url), self._database
        if not functions or storage.shared.rests():
            return
        due = DueOfFunctions(database, clock, storage.blocked, functions)
        self._threads = tuple(one for one in self._threads if one.is_alive())
        if len(self._threads) < _MOST and due.wait() == 0.0:
            make = partial(_make, database, storage.vault, clock, functions)
            thread = threading.Thread(
                target=_make_due,
                args=(due, storage.blocked, make),
                name="jackfield-functions",
                daemon=True,
            )
            thread.start()
            self._threads = (*self._threads, thread)

    def close(self) -> None:
        """Wait for looks that are about to end."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_PARTING)


def _make_due(
    due: DueOfFunctions, blocked: BlockedWorkspaces, make: Callable[[Doubt], object]
) -> None:
    """Make looks until none is due."""
    with suppress(Unavailable):
        while claimed := due.claim(1):
            for doubt in claimed:
                blocked.apart(
                    doubt.workspace, f"the look for the doubt '{doubt.id}'", partial(make, doubt)
                )


def _make(
    database: Database, vault: Vault, clock: Clock, functions: Functions, doubt: Doubt
) -> None:
    with suppress(OvertakenError):
        look(Journal(database, vault, doubt.workspace, clock), clock, doubt, functions)


def look(
    journal: Journal, clock: Clock, doubt: Doubt, functions: Functions, *, by_person: bool = False
) -> str | None:
    """Look once for a doubt of a function; return the verdict that has settled it, or None.

    :raises InvalidInvocation: if this process does not declare the function with a look.
    :raises OvertakenError: if another process has recorded a look meanwhile.
    """
    name = doubt.function or ""
    function = functions.get((doubt.workspace, name)) or functions.get((ANY, name))
    if function is None:
        more = (
            "If it has a look, its next call makes that, as does a worker that imports its "
            "module ('worker --import MODULE')."
        )
        hint = NextStep("resolve", id=doubt.id, more=more)
        raise InvalidInvocation(
            f"this process declares no look for the function '{doubt.function}'", hint=hint
        )
    entry, found = journal.find(doubt.id, alone=True), None
    if by_person and entry.status != "in_doubt":
        raise InvalidInvocation(
            f"the invocation '{doubt.id}' is not in doubt", hint="There is nothing to look for."
        )
    if entry.status == "in_doubt":
        key = (entry.idempotency_key or "").removeprefix(f"{HOST}/{entry.action}/")
        waiter = function.function_calls.waiter(loops=False)
        found = run_in_thread(
            function.looked_for(key, waiter, lambda value: journal.fingerprint({"value": value}))
        )
    return noted(journal, clock, doubt, entry, found, by_person=by_person)


def noted(
    journal: Journal,
    clock: Clock,
    doubt: Doubt,
    entry: Entry,
    found: Looked | None,
    *,
    by_person: bool,
) -> str | None:
    """Record a look's finding, and settle the doubt by it; return the verdict, None if the doubt
    stays open.

    :raises OvertakenError: if another process has recorded a look meanwhile.
    """
    doubts = Doubts(journal.database, journal.vault, journal.workspace, clock)
    known = doubts.present(doubt)
    if known is None or (not by_person and known.claim != doubt.claim):
        raise OvertakenError
    if found is None:
        doubts.looked(known, LookLog(known, doubts.time.now()).to_json(), None, looks=0)
        return None
    runs = known.is_open and journal.may_run(entry)
    if known.is_open and not runs:
        known = doubts.stopped(known)
    late = found.absent_after / 0.8 + 1.0  # as the time of a look is spread
    row = {
        "key": "look",
        "action": entry.action,
        "looks": sorted({*LOOKS, late}),
        "counts": int(not by_person and not runs),
    }
    known = replace(known, facts={"looks": [row], "partial": False, "markers": []})
    log = LookLog(known, doubts.time.now())
    if runs:
        log.goes_on(_AGAIN)
    report = judged(
        doubts,
        _Looking(journal, known, entry, found, runs=runs),
        log,
        by_person=by_person,
        settles=True,
        absent=True,
    )
    DoubtReports.of(journal.database).tell(report)
    return report.verdict or None


def looked(journal: Journal, clock: Clock, identifier: str, found: Looked) -> Result:
    """Record a finding of a repeated call about work in doubt; return the Result of the repeated
    call.
    """
    doubts, entry = (
        Doubts(journal.database, journal.vault, journal.workspace, clock),
        journal.find(identifier, alone=True),
    )
    # of a process that did not keep any of functions
    if (doubt := doubts.find(identifier)) is None and entry.status == "in_doubt":
        about = (journal.workspace, identifier, entry.action, journal.time.stamp())
        journal.database.record(lambda transaction: stopped(transaction, *about))
        doubt = doubts.find(identifier)
    if doubt is not None:
        with suppress(OvertakenError):  # another process looks at this moment
            noted(journal, clock, doubt, entry, found, by_person=True)
    return replay_of(journal.find(identifier, alone=True))


def told(journal: Journal, clock: Clock, result: Result) -> Result:
    """Return the Result of a function's doubt for its caller, with the time of its next look and a
    wait for that. Without one, a person resolves it.
    """
    doubts = Doubts(journal.database, journal.vault, journal.workspace, clock)
    doubt = doubts.find(result.meta.invocation_id)
    about = None if doubt is None else settling(doubt, doubts.time.now())
    if about is not None:
        return awaitable(result, about, partial(_awaited, journal, clock), "function_looks")
    if result.error is not None:
        result.error.hint = NextStep("resolve", id=result.meta.invocation_id, more=_HELD)
    return result


def _awaited(
    journal: Journal, clock: Clock, identifier: str, timeout: float | None = None
) -> Result:
    """Wait until a doubt is settled, as long as looks are made."""
    until = clock.monotonic() + (math.inf if timeout is None else timeout)
    while True:
        found = told(journal, clock, replay_of(journal.find(identifier, alone=True)))
        left = until - clock.monotonic()
        if found.status != "in_doubt" or found.meta.settling is None or left <= 0:
            return found
        clock.sleep(min(_PAUSE, left))


class _Looking:
    """Completed look of a function at a doubt."""

    judges = False
    account: str | None = None
    other_version: str | None = None
    is_over = False

    def __init__(
        self, journal: Journal, doubt: Doubt, entry: Entry, found: Looked, *, runs: bool
    ) -> None:
        self.journal = journal
        self.doubt = doubt
        self.entry = entry
        self._found = found
        self._runs = runs

    def source(self, row: Mapping[str, Any]) -> str:
        """Return the function's name."""
        return f"{HOST}/{row['action']}"

    def made(self, row: Mapping[str, Any], due: float | None) -> Finding:
        """Judge the function's finding. A missing effect proves nothing while the function may
        still send, and until the time that the author declares has passed since.
        """
        del row, due
        found, at = self._found, self.doubt.since + self._found.absent_after
        if found.output is not None:
            return Finding("matched")
        if not found.is_absent:
            return Finding("failed", found.told)
        if self._runs:
            return Finding("nothing", "absent, which counts once the function has ended")
        now = self.journal.time.sure()
        if now is None or now < at:
            return Finding("nothing", f"absent, which counts from {iso(at)} on")
        return Finding("nothing", "absent", missing=True, verdict="absent")

    def output(
        self, row: Mapping[str, Any], item: Any
    ) -> tuple[Mapping[str, Any] | None, Sequence[str]]:
        """Return the function's value as the output."""
        del row, item
        return self._found.output, ()
