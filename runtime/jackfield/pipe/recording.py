"""Port to what records calls: a journal, or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from jackfield.errors import Detail, InvalidInvocation

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.invocation import Invocation, Result
    from jackfield.journal import Journal
    from jackfield.pipe.attempts import Attempts
    from jackfield.pipe.evidence import Means
    from jackfield.pipe.plan import Plan, Plans
    from jackfield.pipe.record import Record
    from jackfield.pipe.run import Run


class Pipe(Protocol):
    """Part of a workspace's pipe that polls need."""

    @property
    def workspace(self) -> str:
        """Workspace whose calls it runs."""

    @property
    def catalog(self) -> Catalog:
        """Source of connectors."""

    @property
    def plans(self) -> Plans:
        """Plans of calls."""

    @property
    def journal(self) -> Callable[[], Journal | None]:
        """Returns the journal."""

    @property
    def means(self) -> Means:
        """Clock, files and paces."""

    @property
    def opener(self) -> Callable[[str], BinaryIO]:
        """Opens a stored file, for ``Result.files``."""

    @property
    def waits(self) -> Callable[[str, float | None], Result]:
        """Waits for the end of an invocation, for ``Result.wait``."""


class Recording(Protocol):
    """Records the calls of a workspace."""

    def drafted(self, invocation: Invocation, run: Run) -> Awaitable[Record | None]:
        """Draft the record of a call; None if nothing records it.

        :raises InvalidInvocation: for an idempotency key, or a wish for an event, that nothing records.
        """

    async def refuse_suppressed(self, plan: Plan, inputs: Mapping[str, Any], run: Run) -> None:
        """Refuse a call over a guarded connection that would send to suppressed recipients.

        :raises NotAllowed: with the place of each of these recipients.
        """

    async def followed(self, pipeline: Pipe, attempts: Attempts, handle: Mapping[str, Any]) -> Result:
        """Store the handle of a job that has started, and wait for its end until the call's deadline."""


class Unrecorded:
    """Recording of a runtime without a journal: it keeps nothing, and refuses what only a journal can do."""

    async def drafted(self, invocation: Invocation, run: Run) -> None:
        """Refuse what needs a journal."""
        del run
        if invocation.idempotency_key is not None and not invocation.dry_run:
            raise _refused("/idempotencyKey", "idempotency keys need a journal", "idempotencyKey")
        if invocation.context.get("notify"):
            raise _refused("/context/notify", "events need a database", "notify")

    async def refuse_suppressed(self, plan: Plan, inputs: Mapping[str, Any], run: Run) -> None:
        """Refuse nothing: without a database, no connection has a guard."""

    async def followed(self, pipeline: Pipe, attempts: Attempts, handle: Mapping[str, Any]) -> Result:
        """Poll the job within its call."""
        from jackfield.pipe.job_steps import followed_here

        del pipeline
        return await followed_here(attempts, handle)


def required(journal: Journal | None) -> Journal:
    """Return the journal.

    :raises InvalidInvocation: if there is none.
    """
    if journal is None:
        raise InvalidInvocation("this runtime has no journal", hint="Set JACKFIELD_DATABASE_URL.")
    return journal


def _refused(path: str, need: str, member: str) -> InvalidInvocation:
    fault = Detail(path, f"{need}, and this runtime has none")
    return InvalidInvocation("1 member of the invocation is not valid", details=[fault], hint=f"Leave '{member}' out.")
