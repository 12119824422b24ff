"""Who asks, and whether they may: the rules of the workspace bind every call, those of a token its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.access import Decision, Request, Rules, Scope, Settings, Workspaces
    from jackfield.clock import Clock
    from jackfield.connections import Origin
    from jackfield.pipe.admit import Admitted
    from jackfield.pipe.record import Record
    from jackfield.pipe.storage import Storage

__all__ = ["LIBRARY", "Caller", "Permits"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who invokes: a name for the journal, and the scope and rules of a token; the operator's own calls have neither. ``remote``: over HTTP
    or MCP, so that an inline connection may use less of the host (contract §2)."""

    name: str | None = None
    scope: Scope | None = None
    rules: Rules | None = field(default=None, repr=False)
    remote: bool = False

    @property
    def origin(self) -> Origin:
        """Who gave the values of an inline connection."""
        return "remote" if self.remote else "operator"


LIBRARY = Caller()
"""The process's own code."""


class Permits:
    """The settings of one workspace, and what they permit."""

    def __init__(self, storage: Storage, workspace: str, clock: Clock) -> None:
        self._storage = storage
        self._workspace = workspace
        self._clock = clock
        self._workspaces: Workspaces | None = None

    @property
    def settings(self) -> Settings:
        """What the workspace has set, read every few seconds; the defaults where there is no database or no such workspace."""
        from jackfield.access.settings import Settings  # noqa: PLC0415 (a call without a database, and without rules, needs none)
        from jackfield.access.workspaces import UnknownWorkspace  # noqa: PLC0415 (as above)

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
            from jackfield.access.workspaces import Workspaces  # noqa: PLC0415 (as above)

            self._workspaces = Workspaces(self._storage.database, self._storage.vault, self._clock)
        return self._workspaces

    def check(self, admitted: Admitted, caller: Caller, record: Record | None) -> None:
        """Do nothing where the call is allowed; note the deciding rule where it is not.

        :raises NotAllowed: where the workspace's or the token's rules forbid it.
        """
        free = caller.scope is None and not caller.rules
        if free and not self._storage.enabled:
            return
        rules = self.settings.rules
        if free and not rules:
            return
        from jackfield.access.patterns import INLINE, Request  # noqa: PLC0415 (only where something is ruled)

        target = admitted.target
        connection = None if target is None else target.name or INLINE
        decision = self._decided(Request(admitted.manifest.key, admitted.action.key, admitted.action.effect, connection), caller)
        if not decision.allowed:
            if record is not None:
                record.rule(decision.rule)
            raise decision.refusal()

    def check_source(self, connector: str, source: str, connection: str, caller: Caller) -> None:
        """Do nothing where the choices of an option source may be asked of the provider over a connection: as for an action that reads.

        :raises NotAllowed: where the workspace's or the token's rules forbid it.
        """
        from jackfield.access.patterns import Request  # noqa: PLC0415 (as above)

        decision = self._decided(Request(connector, source, "read", connection), caller)
        if not decision.allowed:
            raise decision.refusal()

    def _decided(self, request: Request, caller: Caller) -> Decision:
        from jackfield.access.rules import decide  # noqa: PLC0415 (as above)

        return decide(self.settings.rules, caller.rules, caller.scope, request)
