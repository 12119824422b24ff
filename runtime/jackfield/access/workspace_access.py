"""Who asks, and whether they may: the rules of the workspace bind every call, those of a token its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jackfield.access import Authorizer, Rules, Scope, Settings, Workspaces
    from jackfield.clock import Clock
    from jackfield.database import Database, Vault

__all__ = ["LIBRARY", "Caller", "WorkspaceAccess"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who invokes: a name for the journal, and the scope and rules of a token; the operator's own calls have neither. ``remote``: over HTTP
    or MCP, so that an inline connection may use less of the host (contract §2). ``token`` is the id of a token that the database has, by
    which a worker asks again; ``ended`` says why it is not good any more."""

    name: str | None = None
    scope: Scope | None = None
    rules: Rules | None = field(default=None, repr=False)
    remote: bool = False
    token: str | None = None
    ended: str | None = None

    @property
    def origin(self) -> Literal["operator", "remote"]:
        """Who gave the values of an inline connection."""
        return "remote" if self.remote else "operator"

    def to_json(self) -> dict[str, Any]:
        """What a worker needs to ask again for who queued an invocation. The rules of a token are read anew."""
        return {"caller": self.name, "token": self.token, "scope": self.scope, "remote": self.remote}


LIBRARY = Caller()
"""The process's own code."""


class Storage(Protocol):
    """The database of a process, and the vault on it; neither may be asked for unless ``enabled``."""

    @property
    def enabled(self) -> bool:
        """Whether there is a database."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def vault(self) -> Vault:
        """The vault on it."""


class WorkspaceAccess:
    """The settings of one workspace, and what decides there. ``names`` gives the names and types of its connections."""

    def __init__(self, storage: Storage, workspace: str, clock: Clock, names: Callable[[], Iterable[tuple[str, str]]] = tuple) -> None:
        self._names = names
        self._storage = storage
        self._workspace = workspace
        self._clock = clock
        self._workspaces: Workspaces | None = None

    @property
    def settings(self) -> Settings:
        """What the workspace has set, read every few seconds; the defaults where there is no database or no such workspace."""
        from jackfield.access.settings import Settings
        from jackfield.access.workspaces import UnknownWorkspace

        if not self._storage.enabled:
            return Settings()
        try:
            return self.workspaces.settings(self._workspace)
        except UnknownWorkspace:
            return Settings()

    @property
    def workspaces(self) -> Workspaces:
        """Where the settings are kept: what is changed here is in force here at once.

        :raises InvalidInvocation: where there is no database.
        """
        if self._workspaces is None:
            from jackfield.access.workspaces import Workspaces

            self._workspaces = Workspaces(self._storage.database, self._storage.vault, self._clock)
        return self._workspaces

    def queued_by(self, kept: Mapping[str, Any]) -> Caller:
        """Return who queued an invocation, with the rights that they have now; ``kept`` is what ``Caller.to_json`` gave.

        A JWT or a console session by link speaks for the moment of the request: only its scope and the workspace's rules are asked again.
        """
        from jackfield.access import Tokens, UnknownToken

        caller = Caller(kept["caller"], kept.get("scope"), remote=kept.get("remote", False))
        identifier = kept.get("token")
        if identifier is None:
            return caller
        try:
            token, ended = Tokens(self._storage.database, self._workspace, self._clock).standing(identifier)
        except UnknownToken:
            return replace(caller, ended="is not there any more")
        return replace(caller, scope=token.scope, rules=token.rules, token=token.id, ended=ended)

    def authorizer(self, caller: Caller) -> Authorizer:
        """Make what decides for a caller; asks the database where the settings are older than a few seconds."""
        from jackfield.access.authorizer import Authorizer

        return Authorizer(self.settings.rules, caller.rules, caller.scope, self._names, ended=caller.ended, remote=caller.remote)

    def asked_for(self, caller: Caller) -> Authorizer | None:
        """Make what decides for a caller; None where nothing is ruled, so that a plain call pays for nothing."""
        free = caller.scope is None and not caller.rules and caller.ended is None
        if free and (not self._storage.enabled or not self.settings.rules):
            return None
        return self.authorizer(caller)
