"""Ports of a runtime to storage beyond its process: database, files, rules, journal, management.
They are only types: no call imports them.

``jackfield.composition`` has the other ports, and chooses the implementation: the null objects of
``call.unstored``, or the classes of a package with a database.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from jackfield.callers import Authorizer, Caller
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Entry
    from jackfield.invocation.stored_file import StoredFile

T = TypeVar("T")


class Database(Protocol):
    """Database of a process, as waits for its commits need it. It passes its transaction to units
    of work.
    """

    @property
    def dialect(self) -> Dialect:
        """Return the kind of the database."""

    def record(self, unit: Callable[[Any], Any]) -> Any:
        """Run ``unit`` in a transaction and return its value once it is on the disk.

        :raises Unavailable: if nothing was done; ``CommitUnknown`` if the commit may have been
            done.
        """

    def submit(
        self, unit: Callable[[Any], Any], done: Callable[[Any, Exception | None], None]
    ) -> Callable[[], bool]:
        """Queue ``unit`` for the next commit, after which ``done`` is called with its value or the
        error. Return a function that cancels the unit; it returns True if no part of the unit was
        or will be done.
        """


class Dialect(Protocol):
    """Kind of a database."""

    @property
    def bounds_each(self) -> bool:
        """True if each statement and commit has its own time limit, so that a commit of several
        units need not have one.
        """


class Journal(Protocol):
    """Journal of one workspace, for its runtime and its users."""

    @property
    def owes(self) -> bool:
        """True if outcomes of ended calls are not written yet."""

    def record_owed(self) -> None:
        """Write the outcomes that could not be written."""

    def opened_inputs(self, identifier: str, sealed: bytes) -> Any:
        """Decrypt the inputs of a queued invocation."""

    def fingerprint(self, request: Mapping[str, Any]) -> str:
        """Return the keyed digest by which requests are compared."""

    def end_queued(self, identifier: str, result: Result) -> bool:
        """Finish a queued invocation, claimed or not, as failed; return False if a worker has
        started it.
        """

    def find(self, identifier: str) -> Entry:
        """Return the entry of an invocation.

        :raises InvalidInvocation: if there is no entry.
        """

    def entries(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> tuple[list[Entry], str | None]:
        """Return entries that match all filters, newest first, and the cursor of the next page;
        None after the last page.
        """

    def resolve(
        self,
        identifier: str,
        outcome: Literal["succeeded", "failed"],
        by: str,
        note: str = "",
        because: int | None = None,
    ) -> Entry:
        """Resolve an in-doubt entry with a person's answer; ``because`` is the number of the look
        that proves the answer.

        :raises InvalidInvocation: if there is no such entry, or it is not in doubt.
        """


class WorkspaceLimits(Protocol):
    """Limits of the workspaces of a process."""

    def begins(self, workspace: str, most: float) -> bool:
        """Count a call as running; return False, and do not count it, if ``most`` calls run
        already.
        """

    def of(self, workspace: str) -> Mapping[str, float]:
        """Return the limits of a workspace by name."""

    def ends(self, workspace: str) -> None:
        """Count a call as ended."""


class Time(Protocol):
    """Clock that all processes of a database share."""

    def now(self) -> float:
        """Return the time, in seconds since 1970."""


class Settings(Protocol):
    """Settings of one workspace, as calls need them. They mean the same as in the workspace's JSON
    (docs/reference/http.md).
    """

    @property
    def keep_inputs(self) -> bool:
        """True if the journal stores redacted inputs."""

    @property
    def keep_doubts(self) -> bool:
        """True if the journal stores inputs and request of a call in doubt."""

    @property
    def limits(self) -> Mapping[str, float]:
        """Limits by name; a missing name means no limit."""

    @property
    def quotas(self) -> Sequence[Mapping[str, Any]]:
        """Quotas on effects."""

    @property
    def guards(self) -> Mapping[str, Mapping[str, Any]]:
        """Guards of senders, by connection."""

    @property
    def twins(self) -> str | None:
        """Rule for a write without a key that equals an open one: ``join`` or ``allow``; None for
        the process's rule.
        """

    @property
    def settle_absent(self) -> bool:
        """True if a call in doubt is settled as failed when its provider has no trace of it."""

    def guard_of(self, connection: str | None) -> Mapping[str, Any] | None:
        """Return the guard of a connection, or of inline values; None if it has no guard."""

    def figures(self, paused: Mapping[str, Any]) -> str:
        """Return a sentence with the figures for which a guard paused a connection."""


class Kept(Protocol):
    """Store of one runtime, as the runtime's end needs it."""

    @property
    def current(self) -> Journal | None:
        """Journal, once it is open; None before."""


class Readings(Protocol):
    """Database of a process, for calls that read its state."""

    @property
    def enabled(self) -> bool:
        """True if there is a database."""

    @property
    def answers_locally(self) -> bool:
        """True if checking for changes takes no query."""

    async def fix_state(self) -> None:
        """Read the state for this task's block, without blocking the event loop."""


class Storage(Readings, Protocol):
    """Database and vault of a process. They may be used only if ``enabled``; otherwise they raise
    ``InvalidInvocation``.
    """

    migrates: bool
    """False if opening the database must not upgrade it."""

    @property
    def url(self) -> str:
        """URL of the database; ``none`` without a database."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that the storage was made with."""

    @property
    def is_open(self) -> bool:
        """True if the database is open in this process."""

    @property
    def limits(self) -> WorkspaceLimits:
        """Limits of the workspaces."""

    def require(self, workspace: str) -> None:
        """Check that the database has this workspace.

        :raises UnknownWorkspace: if it does not have it.
        """

    def epoch(self) -> int:
        """Return a reading of the database's epoch; always the same number without a database."""

    def one_state(self) -> AbstractContextManager[object]:
        """Return a block in which the first reading of the epoch stays valid."""

    def held(self, reading: int) -> AbstractContextManager[object]:
        """Return a block in which every reading of the epoch is ``reading``."""

    def in_one_state(
        self, work: Callable[[], Coroutine[Any, Any, T]], reading: int | None = None
    ) -> Coroutine[Any, Any, T]:
        """Return ``work()``, to be run in its own task, with one reading of the epoch
        throughout.
        """

    def bar(self, *paths: str) -> None:
        """Add files of this process to the paths that no tenant's ``$file`` reference may read."""

    def barred_paths(self) -> tuple[str, ...]:
        """Return the paths that no tenant's ``$file`` reference may read."""

    def allowed_hosts(self) -> tuple[str, ...]:
        """Return the internal hosts that connections of remote callers may reach."""

    def shared_setting(self, name: str) -> str:
        """Return a setting that all processes on the database share; without a database, return
        this process's own. Return an empty string if the setting is not set.
        """

    def close(self) -> None:
        """Close all connections to the database. The next use opens them again."""


class Files(Protocol):
    """Stored files of all workspaces of a process."""

    @property
    def enabled(self) -> bool:
        """True if files can be stored."""

    @property
    def storage(self) -> Storage:
        """Database with the rows of the files."""

    @property
    def together(self) -> int:
        """Maximum total bytes of the files that an invocation passes by value."""

    @property
    def is_shared(self) -> bool:
        """True if every process that uses the database is known to have access to the files."""

    @property
    def time(self) -> Time:
        """Clock by which the files expire."""

    def find(self, workspace: str, identifier: str, owner: str | None = None) -> StoredFile | None:
        """Return a file; None if the workspace, or ``owner`` in it, has no such file."""

    def content(self, file: StoredFile) -> dict[str, str] | None:
        """Return a file in the form of an input; None if its content was damaged."""

    def open(self, file: StoredFile) -> BinaryIO:
        """Return a new reader of a file's content."""

    def open_by_id(self, workspace: str, identifier: str) -> BinaryIO:
        """Return a new reader of a file's content by its ID.

        :raises NotFound: if the workspace has no such file, or it has expired.
        """

    def store(
        self,
        workspace: str,
        pieces: Iterable[bytes],
        content_type: str,
        *,
        name: str | None = None,
        caller: str | None = None,
        returned: bool = False,
        invocation: str | None = None,
        kept: float | None = None,
    ) -> StoredFile:
        """Store content; an output that a call has ``returned`` may exceed the workspace's own
        limit. ``invocation`` is the ID of a queued call; ``kept`` is the lifetime in seconds, if
        shorter than usual.
        """

    def discard_lost(self, workspace: str, invocation: str) -> None:
        """Remove unfinished files of a queued invocation whose earlier process was lost."""

    def delete(self, workspace: str, identifier: str) -> bool:
        """Delete a file; return False if there is no such file."""

    def renew(self, workspace: str, identifiers: Iterable[str]) -> None:
        """Extend the lifetime of files beyond the idempotency key of an invocation that uses them
        now.
        """

    def digests(
        self, workspace: str, owner: str | None, identifiers: Iterable[str]
    ) -> dict[str, Any]:
        """Return a digest of each file that ``find`` finds, for comparing requests."""

    def is_full(self, workspace: str) -> bool:
        """Return whether a workspace has a limit ``storageBytes`` and has reached it."""


class Access(Protocol):
    """Settings and access decisions of one workspace."""

    is_gone: bool
    """True if the last read of ``settings`` found no such workspace."""
    lacks_policy: bool
    """True if, by the last settings read, a policy judges the calls of the database, and this
    process has no policy.
    """
    epoch: Callable[[], int]
    """Function that returns a reading that changes with connections, tokens, rules and settings."""

    @property
    def twins(self) -> str:
        """Default rule for a write without a key that equals an open one: ``join`` or ``allow``."""

    @property
    def settle(self) -> str:
        """Use of evidence about a doubt: the stricter of the operator's and the workspace's
        setting, ``off``, ``show`` or ``on``.
        """

    @property
    def storage(self) -> Readings:
        """Database of the rules and settings."""

    @property
    def settings(self) -> Settings:
        """Current settings of the workspace."""

    def authorizer(self, caller: Caller) -> Authorizer:
        """Return the authorizer of a caller under the current settings."""

    def queued_by(self, stored: Mapping[str, Any]) -> Caller:
        """Return the caller of a queued invocation with their current rights; ``stored`` is the
        output of ``Caller.to_json``.
        """
