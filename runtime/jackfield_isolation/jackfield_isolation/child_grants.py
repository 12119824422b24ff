"""Grant of a connection in the child: the parent stores it, and shares it with other processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jackfield.connector.grants import Grant
from jackfield_isolation.child_call import Talk, current_talk
from jackfield_isolation.questions import GRANT


class ChildGrants:
    """Grant of one connection. A cached client asks the parent in the conversation of the call that
    uses the client.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def find(self) -> Grant:
        """Return the grant as currently stored.

        :raises InvalidConnection: if no person has approved yet, or the approval has ended.
        """
        found: Grant = GRANT.read(self._ask("find"))
        return found

    def begin(self, used: Grant) -> None:
        """Record that a request to refresh the tokens of ``used`` is about to be sent."""
        self._ask("begin", used=used)

    def replace(self, used: Grant, rotated: Grant) -> None:
        """Store the tokens that replace the tokens of ``used``."""
        self._ask("replace", used=used, rotated=rotated)

    def end(self, used: Grant, reason: str) -> None:
        """Record that the provider no longer accepts ``used``."""
        self._ask("end", used=used, reason=reason)

    def want(self, scopes: Sequence[str]) -> None:
        """Do nothing: the next approval of an isolated connector requests the scopes that its type
        names.
        """

    def wanted(self) -> tuple[str, ...]:
        """Return the scopes of the approval."""
        return self.find().scopes

    def _ask(self, step: str, **more: Any) -> Any:
        return (current_talk() or self._talk).ask({"grant": step, **more})
