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
    """Subject of a row. Whoever has its ``key`` answers a repeat with an equal ``request``, and refuses any other. Work with the effect
    ``write`` is in doubt if its process is lost; any other may simply be done again."""

    connector: str
    action: str
    key: str | None = None
    request: Any = None
    effect: str = "write"
    seconds: float = 60.0
    """Deadline, until which a repeat waits for the row that has its key, if it ``How.wait``s."""
    context: Mapping[str, Any] | None = None
    kept_for: float | None = None
    """Seconds for which the row holds the key once it has ended; None: as long as those of calls do."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Finding of a look at work in doubt: its ``output``, that it did not take effect, which counts ``absent_after`` seconds after the
    doubt, or neither, and why."""

    absent_after: float
    output: Mapping[str, Any] | None = None
    is_absent: bool = False
    told: str = ""


class WorkRow(Protocol):
    """Row of one piece of work."""

    @property
    def call(self) -> Reached:
        """The work as a call, for whoever counts those that run."""

    async def begin(self) -> Result | None:
        """Begin, and return None; else return the Result of the row that has the key, and leave no row.

        :raises JackfieldError: if nothing has begun: that row is of another request, or still runs; or the journal cannot be written.
        """

    async def end(self, result: Result) -> None:
        """Record what became of it."""

    def interrupt(self, result: Result | None) -> None:
        """Record what became of it at once, as its caller is being interrupted."""


class WorkStore(Protocol):
    """Store of rows."""

    def row(self, how: How, work: Work) -> WorkRow:
        """Return the row of work that is no call of a connector, which has not begun.

        :raises InvalidInvocation: if there is no database.
        :raises Unavailable: if it cannot be opened.
        """

    @property
    def place(self) -> tuple[str, str]:
        """URL of the database, and the workspace."""

    def looked(self, identifier: str, found: Looked) -> Result:
        """Record what a look has found about work in doubt, which may settle that. Return the Result of a repeat."""

    def told(self, result: Result) -> Result:
        """Return the Result of work in doubt that is looked up, with when that is."""

    def digest(self, value: Any) -> str:
        """Return a keyed digest of a value."""
