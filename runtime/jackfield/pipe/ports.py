"""Ports of a runtime to what lasts beyond its process: database, files, rules, journal, management. Types alone: no call imports this.

``jackfield.composition`` has the others, and chooses what stands behind them: the null objects of ``pipe.unstored``, or what a package
brings that keeps things in a database.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

if TYPE_CHECKING:
    from jackfield.access import Settings, Workspaces
    from jackfield.access.workspace_access import Storage as RulesStorage
    from jackfield.callers import Authorizer, Caller
    from jackfield.database import Database, Vault
    from jackfield.database.blocked import BlockedWorkspaces
    from jackfield.database.shared_clock import SharedClock
    from jackfield.invocation.stored_file import StoredFile
    from jackfield.journal import Journal
    from jackfield.resources.tenant_limits import TenantLimits

T = TypeVar("T")


class Kept(Protocol):
    """Store of one runtime, as its end needs it."""

    @property
    def current(self) -> Journal | None:
        """The journal, once it is open."""


class Storage(Protocol):
    """Database and vault of a process. They may be used only if ``enabled``; otherwise they raise ``InvalidInvocation``."""

    migrates: bool
    """False if opening the database does not upgrade it."""

    @property
    def url(self) -> str:
        """URL of the database; ``none`` without one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that it was made with."""

    @property
    def enabled(self) -> bool:
        """True if there is a database."""

    @property
    def is_open(self) -> bool:
        """True if the database is open in this process."""

    @property
    def answers_locally(self) -> bool:
        """True if asking whether anything has changed takes no query."""

    @property
    def database(self) -> Database:
        """Database, opened on first use.

        :raises Unavailable: if it cannot be opened.
        """

    @property
    def vault(self) -> Vault:
        """Vault on the database."""

    @property
    def limits(self) -> TenantLimits:
        """Limits of the workspaces."""

    @property
    def blocked(self) -> BlockedWorkspaces:
        """Workspaces that this process cannot serve at present."""

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

    async def fix_state(self) -> None:
        """Take the reading of this task's block, beside the event loop."""

    def bar(self, *paths: str) -> None:
        """Add files of this process that no tenant's ``$file`` reference may read."""

    def barred_paths(self) -> tuple[str, ...]:
        """List the paths that no tenant's ``$file`` reference may read."""

    def allowed_hosts(self) -> tuple[str, ...]:
        """Return the internal hosts that connections made over HTTP or MCP may reach."""

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
        """Database that has their rows."""

    @property
    def together(self) -> int:
        """Most bytes of the files that an invocation passes by value together."""

    @property
    def is_shared(self) -> bool:
        """True if every process that uses the database is known to reach the files."""

    @property
    def time(self) -> SharedClock:
        """Time by which they expire."""

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
        """Store content; what a call has ``returned`` beyond the workspace's own limit, too. ``invocation`` is the ID of a queued call, and
        ``kept`` the seconds for which it is kept, if less than usual."""

    def discard_lost(self, workspace: str, invocation: str) -> None:
        """Remove what the process that ran a queued invocation before has left of files that it was storing."""

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
    epoch: Callable[[], int]
    """Returns a reading that moves with connections, tokens, rules and settings."""
    twins: str
    """Whether an equal write without a key joins the one that is open: ``join`` or ``allow``."""

    @property
    def storage(self) -> RulesStorage:
        """Database of the rules and settings."""

    @property
    def settings(self) -> Settings:
        """Present settings of the workspace."""

    @property
    def workspaces(self) -> Workspaces:
        """Source of the settings."""

    def authorizer(self, caller: Caller) -> Authorizer:
        """Build the authorizer of a caller under the present settings."""

    def queued_by(self, stored: Mapping[str, Any]) -> Caller:
        """Return the caller of a queued invocation with their current rights; ``stored`` is the output of ``Caller.to_json``."""
