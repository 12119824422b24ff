"""Workspaces that this process cannot serve at present, so that loops over the rows of many
workspaces skip them.

A workspace is blocked while its key service is called for its keys, and for a back-off after a
failure of its own: a key service that refuses or gives no answer, or a damaged data key or settings
row. A loop gets the ``served`` workspaces before it claims rows, excludes ``left_out``, and does
each workspace's work ``apart``. Each key service is called in a thread of its own, for which a loop
waits only a moment.

Each process decides by its own failures: while it cannot reach a key service, others can still
serve the workspace. The table ``blocked_workspaces`` has the reason for people.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Internal, JackfieldError, Unavailable
from jackfield.kernel.failures import Raised, attempt, value_of
from jackfield.kernel.fork import ProcessLocal
from jackfield_store.database.faults import (
    ConstraintViolation,
    DataKeyDamaged,
    KeyServiceRefused,
    KeyServiceUnavailable,
    RowDamaged,
    WrongMasterKey,
)

if TYPE_CHECKING:
    from jackfield_store.database.engine import Database
    from jackfield_store.database.ports import VaultKeys
    from jackfield_store.database.transaction import Transaction

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.database")
OWN_FAULTS = (KeyServiceUnavailable, KeyServiceRefused, DataKeyDamaged, WrongMasterKey, RowDamaged)
"""Errors of one workspace; any other error, such as an unavailable database, concerns all
workspaces.
"""
LOOP_FAULTS = (
    JackfieldError,
    ConstraintViolation,
    RuntimeError,
    MemoryError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
)
"""Errors that must not end a loop or its thread: expected ones, and Python's exceptions for a
damaged row.
"""
_KEYLESS = (KeyServiceRefused, DataKeyDamaged, WrongMasterKey)
_PATIENCE = 0.25
"""Seconds for which ``served`` waits for key services that it has just called."""
_SHORTEST, _LONGEST = 1.0, 60.0
"""Bounds in seconds of the back-off, which each further failure doubles."""
_THREADS = 32
"""Maximum number of key services called at once."""
_MOST = 1000
"""Maximum number of workspaces that one statement names."""
_SERVICES_READ = 5.0
"""Seconds for which a process remembers whether the database has keys that a key service wraps."""
_SAVE = """
INSERT INTO blocked_workspaces (workspace, code, reason, since, until) VALUES (:workspace, :code, :reason, :since, :until)
ON CONFLICT (workspace) DO UPDATE SET code = excluded.code, reason = excluded.reason, until = excluded.until,
    since = CASE WHEN blocked_workspaces.until < :before THEN excluded.since ELSE blocked_workspaces.since END
"""
_REMOVE = "DELETE FROM blocked_workspaces WHERE workspace = :workspace"
_LIST = (
    "SELECT workspace, code, reason, since, until FROM blocked_workspaces WHERE until >= "
    ":now ORDER BY workspace LIMIT :limit"
)
_ONE = (
    "SELECT workspace, code, reason, since, until FROM blocked_workspaces WHERE until >= "
    ":now AND workspace = :workspace"
)


@dataclass(frozen=True, slots=True)
class BlockedWorkspace:
    """Blocked workspace for people: the code and the message of the error, since when, and the time
    of the next try.
    """

    workspace: str
    code: str
    reason: str
    since: float
    until: float

    def to_json(self) -> dict[str, Any]:
        """Return the blocked workspace as a JSON object."""
        return {
            "code": self.code,
            "reason": self.reason,
            "since": iso(self.since),
            "nextTryAt": iso(self.until),
        }


@dataclass(slots=True)
class _State:
    """Failures of a workspace in a row. ``until`` is the end of the back-off by the monotonic
    clock. ``keyless`` is True if nothing of the workspace can be sealed or opened, False if its key
    service only gives no answer.
    """

    until: float
    failures: int
    reason: str
    keyless: bool


class _States(ProcessLocal):
    """Blocked workspaces of a database in one process, with the reasons. The database holds this
    object, so it refers to nothing that uses the database.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.changed = threading.Condition()
        self.found: dict[str, _State] = {}
        self.unsaved: dict[str, BlockedWorkspace | None] = {}
        """Reports about workspaces that still have to be stored; None: it is served again."""
        self.asking: set[str] = set()
        self.lanes: dict[str, deque[str]] = {}
        """Workspaces whose keys are asked for, by the key service whose thread does so."""
        self.services = (0.0, False)
        self.resting: dict[tuple[str, str], tuple[float, int]] = {}
        """Until when a step of a workspace rests that has failed, by the monotonic clock, and how
        often it has.
        """
        self.logged: dict[tuple[str, str], float] = {}
        """Time from which a workspace's failure may be logged again, by the monotonic clock."""

    def close(self) -> None:
        """Do nothing: the threads that call key services end by themselves."""


class BlockedWorkspaces:
    """Blocked workspaces of one process and one database. Without a ``vault`` no keys are
    requested.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        vault: Callable[[], VaultKeys] | None = None,
        states: _States | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._states = _States() if states is None else states

    @classmethod
    def of(
        cls, database: Database, clock: Clock, vault: Callable[[], VaultKeys]
    ) -> BlockedWorkspaces:
        """Return this process's instance for a database: all its users share what it has
        learned.
        """
        return cls(database, clock, vault, database.attached(_States, _States))

    def served(self, workspaces: Iterable[str]) -> list[str]:
        """Return the workspaces that can be served now. Call it outside transactions.

        Request the keys of the other workspaces; keys that arrive within a moment count.
        """
        self._tell()
        names = [name for name in workspaces if not self._is_out(name)]
        asked = self._ask(self._remote(names))
        if asked:
            with self._states.changed:
                self._states.changed.wait_for(lambda: not asked & self._states.asking, _PATIENCE)
        return [name for name in names if not self._is_out(name)]

    def left_out(self) -> list[str]:
        """Return the workspaces whose rows a selection leaves out. Call it outside transactions."""
        self._tell()
        with self._states.changed:
            now = self._clock.monotonic()
            found = [
                *self._states.asking,
                *(name for name, state in self._states.found.items() if state.until > now),
            ]
        return sorted(set(found))[:_MOST]

    def is_keyless(self, workspace: str) -> bool:
        """Return whether a blocked workspace has no usable key, so that only data without need of a
        key can be stored for it.
        """
        state = self._states.found.get(workspace)
        return state is not None and state.keyless and self._is_out(workspace)

    def note(self, workspace: str, error: JackfieldError) -> bool:
        """Block a workspace for a back-off if the error is the workspace's own; return whether that
        is so. May be called within a transaction.
        """
        if isinstance(error, OWN_FAULTS):
            self._block(workspace, error)
        return isinstance(error, OWN_FAULTS)

    def settings_of(self, workspaces: Iterable[str], read: Callable[[str], T]) -> dict[str, T]:
        """Return the values of ``read`` for the settings of workspaces. A loop over many workspaces
        reads settings only through this function: a workspace with unreadable settings is blocked
        and skipped, and the others go on. It may be called within a transaction.

        :raises JackfieldError: if the error concerns all workspaces, such as an unavailable
            database.
        """
        found: dict[str, T] = {}
        for workspace in workspaces:
            try:
                found[workspace] = read(workspace)
            except JackfieldError as error:
                if not self.note(workspace, error):
                    raise
        return found

    def apart(self, workspace: str, noun: str, step: Callable[[], T]) -> T | None:
        """Do a step for one workspace, so that its failure holds up no other workspace. A failure
        is logged with ``noun``, the name of the step; the workspace's own failure blocks the
        workspace. Return the outcome; None if the step failed.

        :raises Unavailable: if the database cannot be used, which concerns all workspaces.
        """
        done = attempt(step)
        if not isinstance(done, Raised):
            return done
        if isinstance(done.error, Unavailable) and not isinstance(done.error, OWN_FAULTS):
            raise done.error
        self.failed(workspace, noun, done.error)
        return None

    def apart_in_turn(self, workspace: str, noun: str, step: Callable[[], T]) -> T | None:
        """Do a step that a loop repeats at once, as ``apart`` does: after a failure the step pauses
        for a back-off, and the workspace's other work goes on.
        """
        place, now = (workspace, noun), self._clock.monotonic()
        until, failures = self._states.resting.get(place, (now, 0))
        if until > now:
            return None
        done = attempt(step)
        if not isinstance(done, Raised):
            self._states.resting.pop(place, None)
            return done
        self._states.resting[place] = (
            now + min(_LONGEST, _SHORTEST * 2.0 ** min(failures, 10)),
            failures + 1,
        )
        return self.apart(workspace, noun, partial(value_of, done))

    def failed(self, workspace: str, noun: str, error: Exception) -> None:
        """Record that ``noun`` failed for one workspace. The workspace is blocked if the error is
        its own. Any other error is logged, once a minute if it repeats.
        """
        if not (isinstance(error, JackfieldError) and self.note(workspace, error)):
            told = (
                error.message
                if isinstance(error, JackfieldError)
                else f"an unexpected {type(error).__name__}"
            )
            self._log(workspace, f"{noun} of the workspace '{workspace}' failed: {told}")

    def together(
        self, workspaces: Iterable[str], noun: str, step: Callable[[Collection[str]], list[T]]
    ) -> list[T]:
        """Do a step for several workspaces at once, such as a claim in one transaction. If a row of
        one workspace makes the step fail, do it for one workspace after the other: the failing
        workspace is blocked, and the others go on. ``noun`` names the step.

        :raises Exception: if the failure concerns all workspaces, such as an unavailable database.
        """
        names = sorted(set(workspaces))
        done = attempt(step, names)
        if not isinstance(done, Raised):
            return done
        if _concerns_all(done.error):
            raise done.error
        found: list[T] = []
        for name in names:
            one = attempt(step, [name])
            if not isinstance(one, Raised):
                found += one
            elif _concerns_all(one.error):
                raise one.error
            else:
                self._block(
                    name,
                    one.error
                    if isinstance(one.error, OWN_FAULTS)
                    else _damaged(noun, name, one.error),
                )
        return found

    def _log(self, workspace: str, text: str) -> None:
        """Log a failure, once a minute if it repeats: a loop meets a damaged row each time."""
        now = self._clock.monotonic()
        with self._states.changed:
            logged = self._states.logged
            is_new = logged.get((workspace, text), now) <= now
            if is_new:
                self._states.logged = {known: at for known, at in logged.items() if at > now} | {
                    (workspace, text): now + _LONGEST
                }
        if is_new:
            _LOG.error("%s", text)

    def _is_out(self, workspace: str) -> bool:
        state = self._states.found.get(workspace)
        return workspace in self._states.asking or (
            state is not None and state.until > self._clock.monotonic()
        )

    def _block(self, workspace: str, error: JackfieldError) -> None:
        now, wall = self._clock.monotonic(), self._clock.time()
        with self._states.changed:
            before = self._states.found.get(workspace)
            if before is not None and before.until > now and before.reason == error.message:
                return  # another loop has met it at the same time
            failures = 1 if before is None else before.failures + 1
            pause = min(_LONGEST, _SHORTEST * 2.0 ** min(failures - 1, 10))
            self._states.found[workspace] = _State(
                now + pause, failures, error.message, isinstance(error, _KEYLESS)
            )
            # shown until the try after the next one: a reader must not take the moment of a try for
            # the end
            self._states.unsaved[workspace] = BlockedWorkspace(
                workspace, error.code, error.message, wall, wall + pause
            )
        if before is None or before.reason != error.message:
            _LOG.warning("what is due of the workspace '%s' waits: %s", workspace, error.message)

    def _tell(self) -> None:
        """Forget workspaces that have not failed again since their back-off ended, and store the
        reports for people.
        """
        now = self._clock.monotonic()
        with self._states.changed:
            well = [
                name
                for name, state in self._states.found.items()
                if now > state.until + _LONGEST and name not in self._states.asking
            ]
            for name in well:
                del self._states.found[name]
                self._states.unsaved[name] = None
            unsaved, self._states.unsaved = self._states.unsaved, {}
        if unsaved:
            with suppress(JackfieldError):  # the next failure tells again
                self._database.record(
                    partial(_saving, unsaved=unsaved, before=self._clock.time() - 3 * _LONGEST)
                )

    def _remote(self, names: Sequence[str]) -> dict[str, str]:
        """Return the key services that hold missing keys of workspaces, by workspace."""
        if self._vault is None:
            return {}
        vault = self._vault()
        missing = [name for name in names if not vault.has_keys(name)]
        if not missing or not self._uses_services(vault):
            return {}
        return vault.services_of(missing[:_MOST])

    def _uses_services(self, vault: VaultKeys) -> bool:
        """Return whether any key is wrapped by a key service; the answer is cached for
        ``_SERVICES_READ`` seconds.
        """
        until, found = self._states.services
        now = self._clock.monotonic()
        if now >= until:
            found = vault.uses_services()
            self._states.services = now + _SERVICES_READ, found
        return found

    def _ask(self, services: dict[str, str]) -> set[str]:
        """Let the threads of key services get the keys of workspaces; return the workspaces."""
        for workspace, service in services.items():
            with self._states.changed:
                if workspace in self._states.asking:
                    continue
                self._states.asking.add(workspace)
                lane = (
                    service
                    if service in self._states.lanes or len(self._states.lanes) < _THREADS
                    else min(self._states.lanes)
                )
                begins = lane not in self._states.lanes
                self._states.lanes.setdefault(lane, deque()).append(workspace)
            if begins:
                self._start(lane)
        return set(services)

    def _start(self, lane: str) -> None:
        thread = threading.Thread(
            target=self._prepare_all, args=(lane,), name="jackfield-keys", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # out of threads: a later look tries again
            with self._states.changed:
                self._states.asking.difference_update(self._states.lanes.pop(lane))

    def _prepare_all(self, lane: str) -> None:
        """Get the keys of one key service's workspaces in turn."""
        lanes = self._states.lanes
        while True:
            with self._states.changed:
                if not lanes[lane]:
                    del lanes[lane]
                    return
                workspace = lanes[lane].popleft()
            failed = attempt(self._prepare, workspace)
            if isinstance(failed, Raised):
                error = failed.error
                self._block(
                    workspace,
                    error
                    if isinstance(error, JackfieldError)
                    else Internal(f"its keys: {type(error).__name__}"),
                )
            with self._states.changed:
                self._states.asking.discard(workspace)
                self._states.changed.notify_all()

    def _prepare(self, workspace: str) -> None:
        if self._vault is None:
            return
        vault = self._vault()
        vault.prepare(workspace)
        vault.prepare_all(workspace, workspace)


def _concerns_all(error: Exception) -> bool:
    """Return whether an error concerns all workspaces: an unavailable database, or a process
    without threads or memory.
    """
    return not isinstance(error, OWN_FAULTS) and isinstance(
        error, Unavailable | RuntimeError | MemoryError
    )


def _damaged(noun: str, workspace: str, error: Exception) -> RowDamaged:
    told = error.code if isinstance(error, JackfieldError) else type(error).__name__
    return RowDamaged(
        f"{noun} of the workspace '{workspace}' failed: a row of it was changed in the database "
        f"({told})",
        hint="Restore a backup; 'jackfield db check' shows what is damaged.",
    )


def blocked_workspaces(
    database: Database, now: float, limit: int = _MOST
) -> list[BlockedWorkspace]:
    """Return the workspaces that a process has found blocked, by name."""
    with database.read(flush=False) as transaction:
        rows = transaction.execute(_LIST, {"now": now - _LONGEST, "limit": limit})
    return [BlockedWorkspace(**row.as_dict()) for row in rows]


def blocked_workspace(database: Database, workspace: str, now: float) -> BlockedWorkspace | None:
    """Return the block of a workspace; None if no process has blocked it."""
    row = database.look_up(_ONE, {"now": now - _LONGEST, "workspace": workspace})
    return None if row is None else BlockedWorkspace(**row.as_dict())


def _saving(
    transaction: Transaction, unsaved: dict[str, BlockedWorkspace | None], before: float
) -> None:
    for workspace, found in unsaved.items():
        if found is None:
            transaction.change(_REMOVE, {"workspace": workspace})
        else:
            transaction.change(
                _SAVE,
                {
                    "workspace": workspace,
                    "code": found.code,
                    "reason": found.reason,
                    "since": found.since,
                    "until": found.until,
                    "before": before,
                },
            )
