"""Ports of a runtime to what lasts beyond its process: database, files, rules, journal, management. Types alone: no call imports this.

``jackfield.composition`` has the other ports, and chooses the implementation: the null objects of ``call.unstored``, or those of a package
with a database.
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
    """Database of a process, as waits for its commits need it. Units are given its transaction."""

    @property
    def dialect(self) -> Dialect:
        """Return the kind of the database."""

    def record(self, unit: Callable[[Any], Any]) -> Any:
        """Run ``unit`` in a transaction and return its value once it is on the disk.

        :raises Unavailable: if nothing was done; ``CommitUnknown`` if the commit may have been done.
        """

    def submit(self, unit: Callable[[Any], Any], done: Callable[[Any, Exception | None], None]) -> Callable[[], bool]:
        """Queue ``unit`` for the next commit, after which ``done`` is called with its value or the error. Return a function that cancels
        it: True if no part of it was or will be done."""


class Dialect(Protocol):
    """Kind of a database."""

    @property
    def bounds_each(self) -> bool:
        """True if each statement and commit has a limit of its own, so that a commit of several need not have one as a whole."""


class Journal(Protocol):
    """Journal of one workspace, as its runtime and its users need it."""

    @property
    def owes(self) -> bool:
        """True if outcomes are not written yet."""

    def record_owed(self) -> None:
        """Write the outcomes that could not be written."""

    def opened_inputs(self, identifier: str, sealed: bytes) -> Any:
        """Decrypt the inputs of a queued invocation."""

    def fingerprint(self, request: Mapping[str, Any]) -> str:
        """Return the keyed digest by which requests are compared."""

    def end_queued(self, identifier: str, result: Result) -> bool:
        """Finish a queued invocation, claimed or not, as failed; return False if a worker has begun it."""

    def find(self, identifier: str) -> Entry:
        """Return the entry of an invocation.

        :raises InvalidInvocation: if there is none.
        """

    def entries(self, *, cursor: str | None = None, limit: int = 50, **filters: Any) -> tuple[list[Entry], str | None]:
        """List entries that match all filters, newest first, and the cursor of the next page."""

    def resolve(
        self, identifier: str, outcome: Literal["succeeded", "failed"], by: str, note: str = "", because: int | None = None
    ) -> Entry:
        """Resolve an in-doubt entry with a person's answer, and the number of the look that shows it.

        :raises InvalidInvocation: if there is no such entry, or it is not in doubt.
        """


class WorkspaceLimits(Protocol):
    """Limits of the workspaces of a process."""

    def begins(self, workspace: str, most: float) -> bool:
        """Count a call as running; False if ``most`` run already."""

    def most(self, workspace: str, limit: str) -> float | None:
        """Return one limit of a workspace; None if it has none."""

    def ends(self, workspace: str) -> None:
        """Count a call as ended."""


class Time(Protocol):
    """Time that all processes of a database judge by."""

    def now(self) -> float:
        """Return the time, in seconds since 1970."""


class Settings(Protocol):
    """Settings of one workspace, as calls need them. They have the meaning of the workspace's JSON (docs/reference/http.md)."""

    @property
    def keep_inputs(self) -> bool:
        """True if the journal keeps redacted inputs."""

    @property
    def limits(self) -> Mapping[str, float]:
        """Return the limits by name; a missing name is no limit."""

    @property
    def quotas(self) -> Sequence[Mapping[str, Any]]:
        """Quotas on effects."""

    @property
    def guards(self) -> Mapping[str, Mapping[str, Any]]:
        """Guards of senders, by connection."""

    @property
    def twins(self) -> str | None:
        """Rule for an equal write without a key while one is open, ``join`` or ``allow``; None: as the process is set."""

    @property
    def settle_absent(self) -> bool:
        """True if a provider that has no trace of a call in doubt settles it, too."""

    def guard_of(self, connection: str | None) -> Mapping[str, Any] | None:
        """Return the guard of a connection, or of inline values; None if it has none."""

    def figures(self, paused: Mapping[str, Any]) -> str:
        """Return a text with the figures for which a guard paused a connection."""


class Kept(Protocol):
    """Store of one runtime, as its end needs it."""

    @property
    def current(self) -> Journal | None:
        """The journal, once it is open."""


class Readings(Protocol):
    """Database of a process, as calls need it that ask for its state."""

    @property
    def enabled(self) -> bool:
        """True if there is a database."""

    @property
    def answers_locally(self) -> bool:
        """True if asking whether anything has changed takes no query."""

    async def fix_state(self) -> None:
        """Take the reading of this task's block, without blocking the event loop."""


class Storage(Readings, Protocol):
    """Database and vault of a process. They may be used only if ``enabled``; otherwise they raise ``InvalidInvocation``."""

    migrates: bool
    """False if opening the database does not upgrade it."""

    @property
    def url(self) -> str:
        """URL of the database; ``none`` without one."""

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

        :raises UnknownWorkspace: if it does not.
        """

    def epoch(self) -> int:
        """Return a reading of the database's epoch; always the same one without a database."""

    def one_state(self) -> AbstractContextManager[object]:
        """Let all readings in the block be the first."""

    def held(self, reading: int) -> AbstractContextManager[object]:
        """Let all readings in the block be ``reading``."""

    def in_one_state(self, work: Callable[[], Coroutine[Any, Any, T]], reading: int | None = None) -> Coroutine[Any, Any, T]:
        """Return ``work()``, to be run in a task of its own, with one reading for all of it."""

    def bar(self, *paths: str) -> None:
        """Add files of this process that no tenant's ``$file`` reference may read."""

    def barred_paths(self) -> tuple[str, ...]:
        """List the paths that no tenant's ``$file`` reference may read."""

    def allowed_hosts(self) -> tuple[str, ...]:
        """Return the internal hosts that connections of remote callers may reach."""

    def shared_setting(self, name: str) -> str:
        """Return a setting that all processes on the database share, or this process's own; empty if it is not set."""

    def close(self) -> None:
        """Close all connections to the database. The next use opens them again."""


class Files(Protocol):
    """Stored files of all workspaces of a process."""

    @property
    def enabled(self) -> bool:
        """True if files can be stored."""

    @property
    def storage(self) -> Storage:
        """Database that has the rows of the files."""

    @property
    def together(self) -> int:
        """Most bytes of the files that an invocation passes by value together."""

    @property
    def is_shared(self) -> bool:
        """True if every process that uses the database is known to reach the files."""

    @property
    def time(self) -> Time:
        """Time by which the files expire."""

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
        """Store content; an output that a call has ``returned`` may exceed the workspace's own limit. ``invocation`` is the ID of a queued
        call, and ``kept`` the seconds for which it is kept, if less than usual."""

    def discard_lost(self, workspace: str, invocation: str) -> None:
        """Remove unfinished files of a queued invocation whose earlier process was lost."""

    def delete(self, workspace: str, identifier: str) -> bool:
        """Delete a file; False if there is none."""

    def renew(self, workspace: str, identifiers: Iterable[str]) -> None:
        """Let files outlive the idempotency key of an invocation that uses them now."""

    def digests(self, workspace: str, owner: str | None, identifiers: Iterable[str]) -> dict[str, Any]:
        """Return a digest of each file that ``find`` finds, by which requests are compared."""

    def is_full(self, workspace: str) -> bool:
        """Return whether a workspace has a limit ``storageBytes`` and has reached it."""


class Access(Protocol):
    """Settings and access decisions of one workspace."""

    is_gone: bool
    """True if ``settings`` were asked for and there was no such workspace."""
    lacks_policy: bool
    """True if, as they were read last, a policy judges the calls of the database, and this process has none."""
    epoch: Callable[[], int]
    """Returns a reading that moves with connections, tokens, rules and settings."""

    @property
    def twins(self) -> str:
        """Rule for an equal write without a key while one is open, where the settings have none: ``join`` or ``allow``."""

    @property
    def settle(self) -> str:
        """Use of evidence about a doubt, the stricter of the operator's and the workspace's setting: ``off``, ``show``, ``on``."""

    @property
    def storage(self) -> Readings:
        """Database of the rules and settings."""

    @property
    def settings(self) -> Settings:
        """Present settings of the workspace."""

    def authorizer(self, caller: Caller) -> Authorizer:
        """Build the authorizer of a caller under the present settings."""

    def queued_by(self, stored: Mapping[str, Any]) -> Caller:
        """Return the caller of a queued invocation with their current rights; ``stored`` is the output of ``Caller.to_json``."""
