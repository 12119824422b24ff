"""The caller of an invocation, and access to its workspace: the workspace's rules bind every call, a token's rules its own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from jackfield.dataclass import dataclass, field, replace
from jackfield.exports import late_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jackfield.access import Authorizer, Rules, Scope, Settings, Workspaces
    from jackfield.catalog.offering import Audience
    from jackfield.clock import Clock
    from jackfield.database import Database, Vault


@dataclass(frozen=True, slots=True)
class Caller:
    """Caller of an invocation: a name for the journal, and the scope and rules of a token; the operator's own calls have neither.

    ``remote`` callers come over HTTP or MCP, so their inline connections have less access to the server (``HostAccess``). ``token`` is the
    id of a stored token, by which a worker checks it again; ``ended`` says why it is no longer valid.
    """

    name: str | None = None
    scope: Scope | None = None
    rules: Rules | None = field(default=None, repr=False)
    remote: bool = False
    token: str | None = None
    ended: str | None = None
    audience: Audience = "tenant"
    """Who is asking: what the operator offers differs for the operator's own surfaces, tenants and MCP clients."""

    @property
    def origin(self) -> Literal["operator", "remote"]:
        """Origin of the values of an inline connection."""
        return "remote" if self.remote else "operator"

    @property
    def owner(self) -> str | None:
        """Name of the caller whose files and outputs alone this one may use; None for callers without rules, who may use all of the
        workspace."""
        return self.name if self.rules else None

    def to_json(self) -> dict[str, Any]:
        """Return the members by which a worker restores the caller of a queued invocation. A token's rules are not included but read
        again."""
        return {"caller": self.name, "token": self.token, "scope": self.scope, "remote": self.remote, "audience": self.audience}


SUSPENDED = "the workspace is suspended"
_GONE = "the workspace does not exist"
LIBRARY = Caller(audience="operator")
"""The process's own code."""


class Storage(Protocol):
    """Database and vault of a process; both may be used only if ``enabled``."""

    @property
    def enabled(self) -> bool:
        """True if there is a database."""

    @property
    def database(self) -> Database:
        """Database that stores the workspaces."""

    @property
    def vault(self) -> Vault:
        """Vault that uses the database."""

    @property
    def is_near(self) -> bool:
        """True if a reading of the epoch, and what is read after it, takes no server."""

    def epoch(self) -> int:
        """Return a reading of the database's epoch; always the same one if there is no database."""

    async def fix_state(self) -> None:
        """Take the reading of this task's block, beside the event loop."""


class WorkspaceAccess:
    """Settings and access decisions of one workspace. ``names`` returns the names and types of its connections."""

    def __init__(self, storage: Storage, workspace: str, clock: Clock, names: Callable[[], Iterable[tuple[str, str]]] = tuple) -> None:
        self._names = names
        self.storage = storage
        self._workspace = workspace
        self._clock = clock
        self._workspaces: Workspaces | None = None
        self._known: tuple[int, Settings] | None = None
        self.is_gone = False
        """True if ``settings`` were asked for and there was no such workspace: nothing is recorded in it any more."""
        self.epoch = storage.epoch
        """Returns a reading that moves with connections, tokens, rules and settings (``Database.epoch``)."""

    @property
    def settings(self) -> Settings:
        """Present settings of the workspace; the defaults if there is no database. One that was purged is as a suspended one."""
        from jackfield.access.settings import Settings

        if not self.storage.enabled:
            return Settings()
        from jackfield.access.workspaces import DEFAULT, UnknownWorkspace

        epoch, known = self.epoch(), self._known
        if known is not None and known[0] == epoch:
            return known[1]
        try:
            found = self.workspaces.settings(self._workspace)
        except UnknownWorkspace:
            found = Settings(suspended=self._workspace != DEFAULT)
            self.is_gone = found.suspended
        else:
            self.is_gone = False
        self._known = epoch, found
        return found

    @property
    def workspaces(self) -> Workspaces:
        """Source of the settings.

        :raises InvalidInvocation: if there is no database.
        """
        if self._workspaces is None:
            from jackfield.access.workspaces import Workspaces

            self._workspaces = Workspaces(self.storage.database, self.storage.vault, self._clock)
        return self._workspaces

    def queued_by(self, stored: Mapping[str, Any]) -> Caller:
        """Return the caller of a queued invocation with their current rights; ``stored`` is the output of ``Caller.to_json``.

        A JWT, or a console session opened by a link, is valid only at the time of the request; for those, only the scope and the
        workspace's rules are checked again.
        """
        from jackfield.access import Tokens, UnknownToken

        audience = stored.get("audience", "tenant")
        caller = Caller(stored["caller"], stored.get("scope"), remote=stored.get("remote", False), audience=audience)
        identifier = stored.get("token")
        if identifier is None:
            return caller
        try:
            token, ended = Tokens(self.storage.database, self.storage.vault, self._workspace, self._clock).standing(identifier)
        except UnknownToken:
            return replace(caller, ended="no longer exists")
        return replace(caller, scope=token.scope, rules=token.rules, token=token.id, ended=ended)

    def authorizer(self, caller: Caller) -> Authorizer:
        """Build the authorizer of a caller under the present settings."""
        from jackfield.access.authorizer import Authorizer

        settings = self.settings
        ended = f"the token {caller.ended}" if caller.ended is not None else None
        if settings.suspended:
            ended = _GONE if self.is_gone else SUSPENDED
        return Authorizer(settings.rules, caller.rules, caller.scope, self._names, ended=ended, remote=caller.remote)


late_hints(__name__)
