"""Steps over a connection that are not calls, but that policies judge: events of triggers, and
looks for evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.manifest.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ReadStep:
    """Read that is not a call: of events (``trigger``), or by an ``action`` for evidence."""

    caller: Caller
    manifest: Manifest
    connection: str | None
    action: str | None = None
    trigger: str | None = None

    def question(self, hook: str, workspace: str) -> dict[str, Any]:
        """Return the question about the read, without inputs and output."""
        more = {} if self.trigger is None else {"trigger": self.trigger}
        return {
            "hook": hook,
            "workspace": workspace,
            "caller": asker(self.caller),
            "connector": self.manifest.key,
            "connectorVersion": self.manifest.version,
            "action": self.action,
            **more,
            "effect": "read",
            "connection": self.connection,
        }


def asker(caller: Caller) -> dict[str, Any]:
    """Return a caller in the form for policies."""
    return {
        "name": caller.name,
        "token": caller.token,
        "scope": caller.scope,
        "remote": caller.remote,
        "audience": caller.audience,
    }
