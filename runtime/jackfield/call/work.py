"""Work that is no call of a connector and has a row in the journal all the same, and the port to that row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.call.how import How
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result


@dataclass(frozen=True, slots=True)
class Work:
    """Work that a row stands for. A row that holds the ``key`` answers a repeat with an equal ``request``, and refuses any other request.
    Work with the effect ``write`` is in doubt if its process is lost; other work may be done again."""

    connector: str
    action: str
    key: str | None = None
    request: Any = None
    effect: str = "write"
    seconds: float = 60.0
    """Deadline, until which a repeat waits for the row that has its key, if it ``How.wait``s."""
    context: Mapping[str, Any] | None = None
    kept_for: float | None = None
    """Seconds for which the row holds the key once it has ended; None: as long as calls hold theirs."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Finding of a look at work in doubt: its ``output``; or that it had no effect, which is conclusive ``absent_after`` seconds after the
    doubt; or neither, with the reason."""

    absent_after: float
    output: Mapping[str, Any] | None = None
    is_absent: bool = False
    told: str = ""


class WorkRow(Protocol):
    """Row of one piece of work."""

    @property
    def call(self) -> Reached:
        """The work as a call, for counting running calls."""

    async def begin(self) -> Result | None:
        """Begin, and return None; if a row already has the key, return its Result, and leave no new row.

        :raises JackfieldError: if nothing has begun: the row with the key has another request, or still runs; or the journal cannot be
            written.
        """

    async def end(self, result: Result) -> None:
        """Record the outcome."""

    def interrupt(self, result: Result | None) -> None:
        """Record the outcome at once, as its caller is being interrupted."""


class WorkStore(Protocol):
    """Store of rows."""

    def row(self, how: How, work: Work) -> WorkRow:
        """Return a row, not yet begun, for work that is no call of a connector.

        :raises InvalidInvocation: if there is no database.
        :raises Unavailable: if it cannot be opened.
        """

    @property
    def place(self) -> tuple[str, str]:
        """URL of the database, and the workspace."""

    def looked(self, identifier: str, found: Looked) -> Result:
        """Record the finding of a look at work in doubt, which may settle the doubt. Return the Result of a repeat."""

    def told(self, result: Result) -> Result:
        """Return the Result of work in doubt with the time of its next look; unchanged if no look is due."""

    def digest(self, value: Any) -> str:
        """Return a keyed digest of a value."""
