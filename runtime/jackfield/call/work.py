"""Work that is not a call of a connector but has a row in the journal, and the port to the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.call.how import How
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result
    from jackfield.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Work:
    """Work with a row in the journal. A row that holds the ``key`` answers a repeat with an equal
    ``request``, and refuses any other request. Work with the effect ``write`` is in doubt if its
    process is lost; other work may be done again.
    """

    connector: str
    action: str
    key: str | None = None
    request: Any = None
    effect: str = "write"
    seconds: float = 60.0
    """Seconds until the deadline. A repeat with ``How.wait`` waits until then for the row that has
    its key.
    """
    context: Mapping[str, Any] | None = None
    kept_for: float | None = None
    """Seconds for which the ended row holds the key; None: as long as calls hold their keys."""
    formerly: Callable[[], Any] | None = None
    """Function that returns the request as an earlier version has recorded it; None if that was the
    same.
    """


@dataclass(frozen=True, slots=True)
class Looked:
    """Finding of a look at work in doubt. It is one of three: the ``output`` of the work; no
    effect, which is conclusive ``absent_after`` seconds after the doubt; or the reason why neither
    is known.
    """

    absent_after: float
    output: Mapping[str, Any] | None = None
    is_absent: bool = False
    told: str = ""


class WorkRow(Protocol):
    """Journal row of one ``Work``."""

    @property
    def call(self) -> Reached:
        """Work as a call, for counting running calls."""

    async def begin(self) -> Result | None:
        """Begin, and return None. If a row already has the key, return its Result, and leave no new
        row.

        :raises JackfieldError: if the work did not begin: the row with the key has another request,
            or still runs; or the journal cannot be written.
        """

    async def end(self, result: Result) -> None:
        """Record the outcome."""

    def interrupt(self, result: Result | None) -> None:
        """Record the outcome at once, because the caller is being interrupted."""


class WorkStore(Protocol):
    """Store of rows of work."""

    def row(self, how: How, work: Work) -> WorkRow:
        """Return a row, not yet begun, for work that is not a call of a connector.

        :raises InvalidInvocation: if there is no database.
        :raises Unavailable: if the database cannot be opened.
        """

    @property
    def clock(self) -> Clock:
        """Clock of the calls."""

    @property
    def place(self) -> tuple[str, str]:
        """URL of the database, and name of the workspace."""

    def looked(self, identifier: str, found: Looked) -> Result:
        """Record the finding of a look at work in doubt, which may settle the doubt. Return the
        Result for a repeat.
        """

    def told(self, result: Result) -> Result:
        """Return the Result of work for its caller: of work in doubt with the time of its next
        look, or with who else settles it.
        """

    def digest(self, value: Any) -> str:
        """Return a keyed digest of a value."""
