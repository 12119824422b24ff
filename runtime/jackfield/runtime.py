"""The runtime: one straight pipe from an invocation to a Result."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from jackfield.access.workspace_access import LIBRARY, Caller, WorkspaceAccess
from jackfield.catalog import Catalog, entry_points
from jackfield.clock import Clock, SystemClock
from jackfield.clock import within as within_seconds
from jackfield.connections import Secrets, sources_from
from jackfield.connector.guard import Guard
from jackfield.errors import Cancelled, JackfieldError
from jackfield.fork import at_fork
from jackfield.hooks import Plugins
from jackfield.invocation import DEFAULT_TIMEOUT, Meta, Result
from jackfield.management.options import choices
from jackfield.pipe.admit import Targets
from jackfield.pipe.driver import LoopThread, Steps, adrive, drive
from jackfield.pipe.open import Opener
from jackfield.pipe.pipeline import Pipeline, RunState, required
from jackfield.pipe.settle import failed, masked_error
from jackfield.resources.storage import Storage
from jackfield.schema.cache import Schemas

if TYPE_CHECKING:
    import asyncio

    from jackfield.access import Actor, Audit
    from jackfield.catalog import EntryPoint
    from jackfield.connections import SharedLeases, Source
    from jackfield.journal import Claimed, Journal
    from jackfield.management.connections import ManagedConnections
    from jackfield.management.visible_journal import SeenJournal
    from jackfield.resources.threads import Threads

__all__ = ["Jackfield"]

_WORKERS = 64
_OWED_WITHIN = 2.0  # seconds for which a locked database is waited for at the end, to record what could not be recorded before


class Jackfield:
    """A panel of connectors for one workspace. Thread-safe; one serves a whole process. With a database the workspace must have been
    created; ``default`` is always there.

    ``connections`` are files, folders or mappings (``{"name": {"type": …, "values": {…}}}``); a path or a mapping alone is one of them.
    Left out, they are the files that ``JACKFIELD_CONNECTIONS`` names, in the workspace ``default``. ``environment`` is what ``$env``
    references and endpoint variables are read from (default: the process's). ``guard`` judges the hosts that connections which were made
    over HTTP or MCP name (default: this machine and public ones); ``points`` are the entry points of plugins where a catalog is given.
    """

    def __init__(
        self,
        workspace: str = "default",
        connections: Iterable[Source] | Source | None = None,
        database_url: str | None = None,
        *,
        catalog: Catalog | None = None,
        plugins: Iterable[object] = (),
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        storage: Storage | None = None,
        guard: Guard | None = None,
        points: Iterable[EntryPoint] | None = None,
    ) -> None:
        groups = entry_points() if catalog is None else {}
        environment = os.environ if environment is None else environment
        self.workspace = _checked(workspace)
        self.catalog = Catalog.installed(groups) if catalog is None else catalog
        self.storage = Storage(database_url, environment, clock or SystemClock()) if storage is None else storage
        self._owns_storage = storage is None
        sources = _files(workspace, environment) if connections is None else connections
        self._known = self.storage.connections(sources, workspace, self.catalog)
        self._managed: ManagedConnections | None = None
        self.schemas = Schemas()
        self.clock = SystemClock() if clock is None else clock
        found = groups.get("jackfield.plugins", ()) if points is None else points
        self._plugins = Plugins([(point.name, point.module, point.attribute) for point in found], tuple(plugins))
        secrets = Secrets(environment, self._plugins, self.clock)
        self.open_connections = Opener(
            workspace, self.clock, environment, secrets, self.schemas, self._shared, self._known.access,
            guard or Guard(loopback=True), self._refuse_foreign,
        )  # fmt: skip
        self._targets = Targets(self.schemas)
        self.access = WorkspaceAccess(self.storage, workspace, self.clock, self._known.named)
        self._pipeline = Pipeline(
            workspace, self.catalog, self._known, self.schemas, self.open_connections, self._plugins, self.access, self.clock,
            lambda: self.journal, self._targets,
        )  # fmt: skip
        self._loop = LoopThread()
        self._begin_anew()
        at_fork(self, child=Jackfield._begin_anew)
        self._never = None if self.storage.enabled else threading.Event()  # nobody can cancel by an id that no journal has

    def _begin_anew(self) -> None:
        """Run nothing yet, as a forked child: threads, tasks and the journal's lease are its parent's."""
        self._workers: Threads | None = None
        self._tasks: set[asyncio.Task[Result]] = set()
        self._journal: Journal | None = None
        self._pipeline.live.clear()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Jackfield workspace={self.workspace!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Jackfield is not pickled: it holds open connections")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let what runs end, and give threads back. The object is not used afterwards."""
        self._loop.close()
        if self._workers is not None:
            self._workers.shutdown(wait=True)
        if self._journal is not None:
            with within_seconds(_OWED_WITHIN):
                self._journal.settle_owed()
        if self._owns_storage:
            self.storage.close()

    @property
    def connections(self) -> ManagedConnections:
        """The workspace's connections, to look at and to change."""
        if self._managed is None:
            from jackfield.management.connections import ManagedConnections

            self._managed = ManagedConnections(
                self._known, self.catalog, self.open_connections, self._targets, self.clock, self._audit if self.storage.enabled else None
            )
        return self._managed

    def _audit(self, actor: Actor) -> Audit:
        from jackfield.access import Audit

        return Audit(self.storage.database, self.workspace, self.clock, actor)

    def connections_of(self, caller: Caller) -> ManagedConnections:
        """The workspace's connections as a caller may see and change them; asks the database for the rules."""
        authorizer = self.access.asked_for(caller)
        if authorizer is None or not authorizer.is_bound:
            return self.connections
        from jackfield.management.visible_connections import GuardedConnections

        audit = self._audit if self.storage.enabled else None
        return GuardedConnections(self._known, self.catalog, self.open_connections, self._targets, self.clock, audit, authorizer)

    def catalog_of(self, caller: Caller) -> Catalog:
        """The connectors and actions that a caller sees; asks the database for the rules."""
        authorizer = self.access.asked_for(caller)
        if authorizer is None or not authorizer.is_bound:
            return self.catalog
        from jackfield.access.visible_catalog import SeenCatalog

        return SeenCatalog(self.catalog, authorizer)

    def journal_of(self, caller: Caller) -> SeenJournal:
        """The journal as a caller may see it.

        :raises InvalidInvocation: where there is none.
        """
        from jackfield.management.visible_journal import SeenJournal

        return SeenJournal(required(self.journal), self.workspace, self.catalog, self.access.authorizer(caller))

    @property
    def is_open(self) -> bool:
        """Whether nothing is left to be opened by the first call."""
        return self._journal is not None or not self.storage.enabled

    def open(self) -> None:
        """Open what the first call would: the journal, where there is a database.

        :raises Unavailable: where it cannot be opened.
        """
        _ = self.journal

    @property
    def journal(self) -> Journal | None:
        """The workspace's journal, opened on first use; None where ``database_url`` is ``none``.

        :raises Unavailable: where the database cannot be opened.
        :raises UnknownWorkspace: where it has no such workspace.
        """
        if self._journal is None and self.storage.enabled:
            with self._lock:
                if self._journal is None:
                    from jackfield.journal import Journal

                    self.storage.require(self.workspace)
                    journal = Journal(
                        self.storage.database, self.storage.vault, self.workspace, self.clock, kept=lambda: self.access.settings.retention
                    )
                    journal.recover()
                    journal.watch()
                    self._journal = journal
        return self._journal

    def invoke(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
        named: Callable[[str], None] = lambda _identifier: None,
    ) -> Result:
        """Run one invocation in this thread; JSON text or the object it describes. Bad input is a failed Result, never an exception.

        ``wait`` waits for an invocation with the same idempotency key that still runs, instead of refusing: up to the deadline, or so many
        seconds. ``cancelled`` may be set by another thread: what has not been sent yet is then not sent. ``caller`` is who asks, for the
        journal and the rules; ``named`` gets the invocation's id before it is run.
        """
        trace = RunState(cancelled or self._never, caller, wait=wait)
        named(trace.meta.invocation_id)
        return drive(self._pipeline.run(invocation, trace), self.clock, self._loop)

    async def ainvoke(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
    ) -> Result:
        """The same for asyncio. ``async def`` actions run in this loop, others in worker threads.

        A cancelled caller cancels what has not been sent; what has been sent runs to its end.
        """
        trace = RunState(cancelled, caller, wait=wait)
        return await self._shielded(self._started(self._pipeline.run(invocation, trace)), trace)

    def begin(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
        named: Callable[[str], None] = lambda _identifier: None,
    ) -> asyncio.Task[Result]:
        """The same as a task of its own: whoever waits for it may leave without ending it. ``named`` gets the invocation's id at once."""
        trace = RunState(cancelled, caller, wait=wait)
        named(trace.meta.invocation_id)
        return self._started(self._pipeline.run(invocation, trace))

    def enqueue(self, invocation: Mapping[str, Any] | str | bytes, *, caller: Caller = LIBRARY) -> Result | str:
        """Leave an invocation to the workers: its id, once it is on the disk; or the Result that its key replays.

        :raises JackfieldError: where it is refused at once (no such action, inputs that are not valid, a key that is taken).
        """
        trace = RunState(None, caller, wait=False)
        try:
            return drive(self._pipeline.enqueue(invocation, trace), self.clock, self._loop)
        except JackfieldError as error:
            raise masked_error(error, trace.redactor) from None

    async def arun(self, claimed: Claimed) -> Result:
        """Run an invocation that was taken from the queue."""
        journal = required(self.journal)
        kept = journal.opened_inputs(claimed.id, claimed.sealed)
        import asyncio

        caller = await asyncio.to_thread(lambda: self.access.queued_by(kept))  # who may have lost the right since
        trace = RunState(None, caller, wait=False, claimed=claimed)
        return await self._shielded(self._started(self._pipeline.run(kept["invocation"], trace)), trace)

    def cancel(self, identifier: str) -> bool:
        """Cancel an invocation that has not been sent: one that waits in the queue, or one that runs. One that runs in another process is
        asked to stop: servers look each second, a command or a library's process does not. False where it is too late.

        :raises InvalidInvocation: where the workspace has no such invocation.
        """
        journal = required(self.journal)
        entry = journal.find(identifier)
        if self.cancel_here(identifier):
            journal.note_cancel(identifier)
            return True
        if entry.status == "queued":
            meta = Meta(entry.id, connector=entry.connector, connector_version=entry.connector_version, action=entry.action)
            if journal.end_queued(identifier, failed(meta, Cancelled("the invocation was cancelled before it was begun"))):
                return True
        return journal.ask_to_cancel(identifier)

    def cancel_here(self, identifier: str) -> bool:
        """Cancel an invocation that runs here and has not been sent; False where it does not run here."""
        event = self._pipeline.live.get(identifier)
        if event is not None:
            event.set()
        return event is not None

    async def drained(self, within: float) -> int:
        """Let what ``ainvoke`` and ``arun`` began end, at most ``within`` seconds; of the rest the journal then tells what is known. How
        many those are: their threads may still run."""
        left: set[asyncio.Task[Result]] = set()
        if self._tasks:
            import asyncio

            _, left = await asyncio.wait(self._tasks, timeout=within)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if self._journal is not None and self._journal.owes:
            import asyncio

            with within_seconds(_OWED_WITHIN):
                await asyncio.to_thread(self._journal.settle_owed)
        return len(left)

    def _started(self, steps: Steps[Result]) -> asyncio.Task[Result]:
        import asyncio

        task = asyncio.get_running_loop().create_task(adrive(steps, self.clock, self._threads()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @staticmethod
    async def _shielded(task: asyncio.Task[Result], trace: RunState) -> Result:
        import asyncio

        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            trace.cancelled.set()
            raise

    def show(self, name: str) -> dict[str, Any]:
        """A connection as contract §7 describes it, secrets masked.

        :raises UnknownConnection: where there is none of that name.
        """
        return self.connections.show(name)

    def test(self, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """The same, with the outcome of a test that changes nothing.

        :raises UnknownConnection: where there is none of that name.
        :raises InvalidConnection: where its values break its type's schema.
        """
        return self.connections.test(name, timeout_seconds=timeout_seconds)

    def options(self, connector: str, source: str, *, connection: str | None = None, caller: Caller = LIBRARY) -> list[dict[str, str]]:
        """The choices of an option source; one that asks the provider does so over ``connection``, if rules let ``caller``.

        :raises UnknownConnector: no such connector.
        :raises UnknownAction: no such option source.
        :raises JackfieldError: what a live source came to.
        """
        return choices(self._pipeline, connector, source, connection, caller)

    def search(self, words: str, *, connector: str | None = None, effect: str | None = None) -> list[dict[str, Any]]:
        """The actions that fit ``words``, best first."""
        from jackfield.catalog import search

        manifests = [manifest for manifest in self.catalog.manifests() if connector in (None, manifest.key)]
        return [row.to_json() for row in search(manifests, words, effect=effect)]

    def _shared(self, name: str, kind: str, values: Mapping[str, Any]) -> SharedLeases | None:
        """The leases that other processes share, for one version of a connection's values; None where there is no database."""
        journal = self.journal
        if journal is None:
            return None
        from jackfield.connections import SharedLeases

        version = journal.fingerprint({"name": name, "type": kind, "values": values})
        return SharedLeases(self.storage.database, self.storage.vault, self.workspace, version, self.clock)

    def _refuse_foreign(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Refuse values with an External ID of another workspace's."""
        if self.storage.enabled:
            from jackfield.connections.foreign_ids import refuse_foreign_ids

            refuse_foreign_ids(self.storage.database, self.workspace, schema, values)

    def _threads(self) -> Threads:
        with self._lock:
            if self._workers is None:
                from jackfield.resources.threads import Threads

                self._workers = Threads(_WORKERS, "jackfield")
            return self._workers


def _checked(workspace: str) -> str:
    """The name of a workspace.

    :raises InvalidInvocation: where none may have it.
    """
    if workspace != "default":
        from jackfield.access.workspaces import check_name

        check_name(workspace)
    return workspace


def _files(workspace: str, environment: Mapping[str, str]) -> list[str]:
    """The connection files that the environment names: they belong to the workspace ``default`` (contract §1)."""
    return sources_from(environment) if workspace == "default" else []
