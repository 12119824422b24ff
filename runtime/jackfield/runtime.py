"""The runtime of one workspace, the entry point of the library: it takes an invocation and returns a Result."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield import access, callers
from jackfield.access import WorkspaceAccess
from jackfield.callers.caller import LIBRARY, Caller
from jackfield.callers.visible_catalog import seen_catalog
from jackfield.catalog import Catalog, entry_points
from jackfield.catalog.isolated import Isolated
from jackfield.catalog.of_workspace import of_workspace
from jackfield.clock import Clock, SystemClock
from jackfield.connections.connection_lookup import sources_from
from jackfield.connections.secret_references import Secrets
from jackfield.errors import JackfieldError
from jackfield.files.store import FileLimits, Files
from jackfield.fork import ProcessLocal
from jackfield.hooks import Plugins
from jackfield.invocation import DEFAULT_TIMEOUT, Result
from jackfield.kernel.ends import is_ending
from jackfield.management.options import choices
from jackfield.pacing.pace import Paces
from jackfield.pipe.admit import Targets
from jackfield.pipe.closing import Closing
from jackfield.pipe.evidence import Means
from jackfield.pipe.invoke import Given, Pipeline
from jackfield.pipe.masking import masked_error
from jackfield.pipe.on_time import OnTime
from jackfield.pipe.open import Opener
from jackfield.pipe.plan import Plans
from jackfield.pipe.recording import Unrecorded
from jackfield.pipe.run import Run
from jackfield.pipe.waiter import InThread, LoopThread, run_in_thread
from jackfield.pipe.wrapping import observing
from jackfield.recording.begun import Begun
from jackfield.recording.enqueue import Enqueued, enqueue, enqueue_many, prepared
from jackfield.recording.record import required
from jackfield.recording.recorder import Recorder
from jackfield.resources.opening import Opening
from jackfield.resources.storage import Storage
from jackfield.schema.cache import Schemas
from jackfield.secrecy import SecretHolder
from jackfield.variables import tidied
from jackfield.wire.guard import Guard
from jackfield.wire.guard import only_hosts as limit_of

if TYPE_CHECKING:
    import asyncio

    from jackfield.access import Actor, Audit
    from jackfield.callers import Authorizer
    from jackfield.catalog import EntryPoint
    from jackfield.catalog.index import ActionIndex
    from jackfield.catalog.offering import Audience
    from jackfield.connections.files import Source
    from jackfield.connector.lending import Lent
    from jackfield.events import Events
    from jackfield.journal import Claimed, Draft, Journal
    from jackfield.management.connections import ManagedConnections
    from jackfield.management.visible_journal import SeenJournal
    from jackfield.pipe.on_loop import OnLoop
    from jackfield.pipe.run import Follow
    from jackfield.recording.enqueue import Beside
    from jackfield.resources.turns import Turns

T = TypeVar("T")


class Jackfield(ProcessLocal, SecretHolder, Begun, Closing):
    """Runtime of one workspace. Thread-safe; one instance serves a whole process.

    With a database, the workspace must exist; ``default`` always exists.

    ``connections`` are files, folders or mappings (``{"name": {"type": …, "values": {…}}}``), or a single one of these. If omitted, they
    are the files listed in ``JACKFIELD_CONNECTIONS``, for the workspace ``default``. ``environment`` holds the variables for ``$env``
    references and endpoints (default: the process's). ``guard`` checks the hosts named by connections that were made over HTTP or MCP
    (default: this machine and public hosts are allowed). ``points`` are the plugins' entry points, for use with ``catalog``.
    With ``only_hosts``, its calls reach these hosts only: names (``*.example.com`` too), addresses, networks (default: those of
    ``JACKFIELD_ONLY_HOSTS``; without it, any).
    With ``turns``, calls of ``ainvoke``, ``begin`` and ``on_time`` that compute for long do so one at a time.
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
        files: Files | None = None,
        turns: Turns | None = None,
        only_hosts: Iterable[str] | None = None,
    ) -> None:
        groups = entry_points() if catalog is None else {}
        environment = tidied(os.environ if environment is None else environment)
        if workspace != "default":
            from jackfield.access.workspaces import check_name

            check_name(workspace)
        self.workspace = workspace
        self._children = Isolated(environment)  # unused with a catalog from elsewhere
        whole = Catalog.installed(groups, environment, self._children.load) if catalog is None else catalog
        self.catalog = of_workspace(whole, workspace)
        self.storage = Storage(database_url, environment, clock or SystemClock()) if storage is None else storage
        self._owns_storage = storage is None
        sources = connections if connections is not None else sources_from(environment) if workspace == "default" else []
        self._known = self.storage.connections(sources, workspace, self.catalog)
        self._managed: dict[Audience, ManagedConnections] = {}
        self._index: ActionIndex | None = None
        self.schemas = Schemas()
        self.clock = SystemClock() if clock is None else clock
        self.files = Files(self.storage, FileLimits(), self.clock) if files is None else files
        """Stored files that inputs refer to and outputs contain."""
        self.plugins = Plugins(groups.get("jackfield.plugins", ()) if points is None else points, plugins)
        """Plugins that are installed, and those that were passed."""
        limit = limit_of(only_hosts, environment)
        secrets = Secrets(environment, self.plugins, self.clock)
        stored = self._stored = Opening(self.storage, workspace, self.clock, lambda: self.journal)
        self.open_connections = Opener(
            workspace, self.clock, environment, secrets, self.schemas, stored.leases, self._known.access,
            guard or Guard(loopback=True), stored.refuse_foreign, self.storage.barred_paths, stored.grants, limit,
        )  # fmt: skip
        self._targets = Targets(self.schemas)
        self.access = WorkspaceAccess(self.storage, workspace, self.clock, self._known.named)
        paces = Paces(workspace, lambda: self.storage.database if self.storage.enabled else None, self.clock, limit)
        means = Means(workspace, self.clock, self.files, paces, observing(self.plugins), limit)
        epoch = self.storage.epoch if self.storage.enabled else None
        plans = Plans(self.access, self.catalog, self._known, self._targets, self.open_connections, epoch)
        recording = Recorder(self._opened, self.storage, means) if self.storage.enabled else Unrecorded()
        self.pipeline = Pipeline(
            self.catalog, self._known, plans, self.plugins, self.access, lambda: self.journal, recording, means, self.wait
        )
        self._loop, self._on_time, self._turn = LoopThread(), OnTime(), None if turns is None else partial(turns.turn, workspace)
        self._in_thread, self._in_time = InThread(self.clock, self._loop), InThread(self.clock, self._loop, self._on_time, self._turn)
        self._begin_anew()
        # without a journal nothing is cancelled by its id, so all invocations share one event
        self._never_cancelled = None if self.storage.enabled else threading.Event()

    def _begin_anew(self) -> None:
        """Reset threads, tasks and the journal: after a fork those belong to the parent."""
        self._on_loop: OnLoop | None = None
        self._tasks: set[asyncio.Task[Result]] = set()
        self._journal: Journal | None = None
        self.pipeline.live.clear()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Jackfield workspace={self.workspace!r}>"

    @property
    def connections(self) -> ManagedConnections:
        """Connections of the workspace, to read and to change."""
        return self._managed_for("operator", callers.UNBOUND)

    def _managed_for(self, audience: Audience, authorizer: Authorizer) -> ManagedConnections:
        found = None if authorizer.is_bound else self._managed.get(audience)
        if found is not None:
            return found
        from jackfield.management.connections import ManagedConnections

        catalog, audit = self.catalog.for_audience(audience), self._audit if self.storage.enabled else None
        found = ManagedConnections(
            self._known, catalog, self.open_connections, self._targets, self.clock, audit, authorizer,
            lambda name, to: self.access.workspaces.rename_guard(self.workspace, name, to),
        )  # fmt: skip
        if not authorizer.is_bound:
            self._managed[audience] = found
        return found

    def _audit(self, actor: Actor) -> Audit:
        return access.Audit(self.storage.database, lambda: self.storage.vault, self.workspace, self.clock, actor)

    def connections_of(self, caller: Caller) -> ManagedConnections:
        """Return the workspace's connections, limited to what a caller may see and change; reads the rules from the database."""
        return self._managed_for(caller.audience, self.access.authorizer(caller))

    def catalog_of(self, caller: Caller) -> Catalog:
        """Return the connectors and actions that a caller may see; reads the rules from the database."""
        return seen_catalog(self.catalog.for_audience(caller.audience), self.access.authorizer(caller))

    def journal_of(self, caller: Caller = LIBRARY) -> SeenJournal:
        """Return the journal, limited to what a caller may see: list entries, find one, resolve a doubt.

        :raises InvalidInvocation: if this runtime has no journal.
        """
        from jackfield.management.visible_journal import SeenJournal

        return SeenJournal(required(self.journal), self.workspace, self.catalog, self.access.authorizer(caller), caller.owner)

    def events(self, *, after: str | int | None = None, types: Sequence[str] = (), wait: float = 0.0, caller: Caller = LIBRARY) -> Events:
        """Return the workspace's events after a cursor (``event.cursor``, or ``event.sequence``; default: all), oldest first, for ``for``
        or ``async for``, until none of the ``types`` (``invocation.finished``, ``connection.*``; default: all) came for ``wait`` seconds.

        :raises InvalidInvocation: if there is no database, or cursor or types are not valid; ``CursorExpired`` if events are gone.
        """
        from jackfield.management.visible_events import events_of

        return events_of(self.storage, self.workspace, self.catalog, self.access.authorizer(caller), after, types, wait)

    @property
    def overdue(self) -> int:
        """Number of calls of actions that still run after their deadline, since they block; their invocations have ended."""
        return self._on_time.overdue

    @property
    def is_open(self) -> bool:
        """True if the first call has nothing left to open."""
        return self._journal is not None or not self.storage.enabled

    def open(self) -> None:
        """Open the journal now, if there is a database, instead of with the first call.

        :raises Unavailable: if it cannot be opened.
        """
        _ = self.journal

    @property
    def journal(self) -> Journal | None:
        """Journal of the workspace, opened on first use; None if ``database_url`` is ``none``.

        :raises Unavailable: if the database cannot be opened.
        :raises UnknownWorkspace: if the database has no such workspace.
        """
        return self._opened() if self._journal is None and self.storage.enabled else self._journal

    def _opened(self) -> Journal:
        found = self._journal
        if found is None:
            with self._lock:
                found = self._journal
                if found is None:
                    self.pipeline.calls.check()
                    found = self._journal = self._stored.journal(lambda: self.access.settings.retention)
        return found

    def invoke(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
        named: Callable[[str], None] | None = None,
        on_time: bool = False,
        follow: Follow | None = None,
        tries: int | None = None,
    ) -> Result:
        """Run one invocation, JSON text or the object that it describes, in this thread. Bad input is a failed Result, never an exception.

        An action that blocks beyond the deadline has the Result that the deadline demands (``timeout`` or ``in_doubt``), when it returns;
        with ``on_time`` at the deadline: it runs in another thread, which goes on.

        ``wait``: if an invocation with the same idempotency key still runs, wait for it instead of refusing, up to the deadline (True) or
        for that many seconds. Another thread may set ``cancelled``: then nothing more is sent. ``caller`` is recorded in the journal and
        checked against the rules. ``named`` is called with the invocation's ID before the run begins.

        A job that has not ended by the deadline is a Result of status ``running``: ``Result.wait`` waits for its end. ``follow`` is told
        its progress meanwhile: ``fraction``, from 0 to 1, and ``text``. ``tries`` limits the attempts, throttled ones included.
        """
        waiter = self._in_time if on_time else self._in_thread
        run = Run(waiter, cancelled or self._never_cancelled, caller, wait=wait, follow=follow, settles=True)
        run.tries = tries
        if named is not None:
            named(run.meta.invocation_id)
        if self.storage.is_near:
            return run_in_thread(self.pipeline.run(invocation, run))
        with self.storage.one_state():
            return run_in_thread(self.pipeline.run(invocation, run))

    async def ainvoke(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
        follow: Follow | None = None,
    ) -> Result:
        """Run one invocation in asyncio, as ``invoke`` does. ``async def`` actions run in this loop, others in worker threads.

        If the caller is cancelled, a request not yet sent is cancelled too; one already sent runs to completion.
        """
        if is_ending() or self.pipeline.calls.is_closed:  # no thread and no task can be started
            return self.invoke(invocation, wait=wait, cancelled=cancelled, caller=caller, follow=follow)
        run = Run(self._looping(), cancelled, caller, wait=wait, follow=follow, settles=True)
        return await self._shielded(self._started(partial(self.pipeline.run, invocation, run)), run)

    def begin(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
        named: Callable[[str], None] = lambda _identifier: None,
        reading: int | None = None,
        follow: Follow | None = None,
        arrived: float | None = None,
    ) -> asyncio.Task[Result]:
        """Run one invocation as a separate task, which goes on if a waiting caller is cancelled. ``named`` is called first, with its id.
        ``reading`` is one of the database's epoch that was taken for this call. ``follow`` is told the progress of a job. The deadline
        begins when the request ``arrived``, by the runtime's monotonic clock; default: now."""
        run = Run(self._looping(), cancelled, caller, wait=wait, follow=follow, arrived=arrived)
        named(run.meta.invocation_id)
        return self._started(partial(self.pipeline.run, invocation, run), reading)

    def enqueue(self, invocation: Given, *, caller: Caller = LIBRARY, beside: Beside | None = None) -> Result | str:
        """Queue an invocation for the workers, and run the statements ``beside`` in the same transaction. Return its id once it is on disk,
        or the Result that its idempotency key replays.

        :raises JackfieldError: if it is refused at once (unknown action, invalid inputs, key in use).
        """
        return self._queued(lambda run: enqueue(self.pipeline, invocation, run, beside), caller)

    def prepare(self, invocation: Given, *, caller: Caller = LIBRARY) -> Draft:
        """Admit and check an invocation as ``enqueue_many`` does, queue nothing, and return the entry that it would have.

        :raises JackfieldError: if it is refused.
        """
        return self._queued(lambda run: prepared(self.pipeline, invocation, run), caller)

    def _queued(self, step: Callable[[Run], Coroutine[Any, Any, T]], caller: Caller) -> T:
        run = Run(self._in_thread, None, caller, wait=False)
        try:
            with self.storage.one_state():
                return run_in_thread(step(run))
        except JackfieldError as error:
            raise masked_error(error, run.redactor) from None

    def enqueue_many(self, invocations: Iterable[Mapping[str, Any] | str | bytes], *, caller: Caller = LIBRARY) -> list[Enqueued | Result]:
        """Queue invocations in order, in one commit: several thousand a second. Pass a thousand at a time to bound memory.

        A refused one is a failed Result and does not affect the others. One whose idempotency key is held is not queued again: the outcome
        is the earlier invocation with that key, or its Result once it has ended.

        :raises InvalidInvocation: if one invocation is passed instead of several.
        """
        with self.storage.one_state():
            return enqueue_many(self.pipeline, invocations, caller, self._in_thread)

    def run(self, claimed: Claimed) -> Result:
        """Run an invocation that was taken from the queue, in this thread."""
        stored = required(self.journal).opened_inputs(claimed.id, claimed.sealed)
        run = Run(self._in_time, None, self.access.queued_by(stored), wait=False, claimed=claimed.of(stored), settles=True)
        with self.storage.one_state():
            return run_in_thread(self.pipeline.run(stored["invocation"], run))

    async def arun(self, claimed: Claimed) -> Result:
        """Run an invocation that was taken from the queue, in asyncio."""
        stored = required(self.journal).opened_inputs(claimed.id, claimed.sealed)
        import asyncio

        caller = await asyncio.to_thread(lambda: self.access.queued_by(stored))  # with the caller's current rights
        run = Run(self._looping(), None, caller, wait=False, claimed=claimed.of(stored))
        return await self._shielded(self._started(partial(self.pipeline.run, stored["invocation"], run)), run)

    def _started(self, call: Callable[[], Coroutine[Any, Any, Result]], reading: int | None = None) -> asyncio.Task[Result]:
        import asyncio

        task = asyncio.get_running_loop().create_task(self.storage.in_one_state(call, reading))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @staticmethod
    async def _shielded(task: asyncio.Task[Result], run: Run) -> Result:
        import asyncio

        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            run.cancelled.set()
            raise

    def lend(self, name: str, connector: str | None = None) -> Lent:
        """Open a connection for this program's own use: a family's library makes its provider's SDK of it. Recorded in the audit log.

        :raises JackfieldError: if it cannot be opened, or the rules allow less than everything over it.
        """
        from jackfield.management.lending import lend

        return lend(self.pipeline, name, connector, self._audit if self.storage.enabled else None)

    def show(self, name: str) -> dict[str, Any]:
        """Return a connection as docs/reference/http.md describes it, secrets masked.

        :raises UnknownConnection: if there is none with that name.
        """
        return self.connections.show(name)

    def test(self, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Test a connection without changing anything; return it as ``show`` does, with the outcome.

        :raises UnknownConnection: if there is none with that name.
        :raises InvalidConnection: if its values break its type's schema.
        """
        return self.connections.test(name, timeout_seconds=timeout_seconds)

    def diagnose(
        self, name: str, inputs: Mapping[str, Any] | None = None, *, caller: Caller = LIBRARY, actor: Actor | None = None
    ) -> dict[str, Any]:
        """Test a connection, then run the action ``doctor`` of each connector that it serves, with ``inputs``. ``actor`` is recorded in the
        audit log.

        Return ``connection``, ``type``, ``healthy`` and ``findings``, each with ``code``, ``severity`` (``error``, ``warning``),
        ``message``, ``evidence`` and ``cure``.

        :raises UnknownConnection: if there is none with that name.
        :raises JackfieldError: if its values, the inputs or the rules do not allow the examination.
        """
        from jackfield.management.diagnosis import diagnosed

        connections = self.connections_of(caller)
        tested = (connections if actor is None else connections.acting_as(actor)).test(name)
        return diagnosed(self.catalog_of(caller), tested, inputs or {}, partial(self.invoke, caller=caller))

    def options(
        self,
        connector: str,
        source: str,
        *,
        connection: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = LIBRARY,
    ) -> list[dict[str, str]]:
        """List the choices from an option source. A live source queries the provider over ``connection``, if the rules allow ``caller`` to.

        ``inputs`` are those that a form has so far: the choices of some sources depend on them (a repository's labels).

        :raises UnknownName: no such connector or option source.
        :raises JackfieldError: if an input is missing, or a live source fails.
        """
        return choices(self.pipeline, connector, source, connection, caller, inputs or {})

    def search(
        self, words: str, *, connector: str | None = None, effect: str | None = None, tag: str | None = None
    ) -> list[dict[str, Any]]:
        """Search for actions by ``words``; best match first. ``tag`` is the ``group`` of an action in its manifest.

        The best few that exist and this workspace is not offered are among them, with ``"offered": False`` and a command in ``offer``.
        """
        return [row.to_json() for row in self._indexed().found_for_operator(self.catalog, words, connector, effect, tag)]

    def search_triggers(self, words: str, *, connector: str | None = None) -> list[dict[str, Any]]:
        """Search for triggers, what connectors can watch, by ``words``; best match first."""
        return [row.to_json() for row in self._indexed().triggers(words) if connector in (None, row.connector)]

    def _indexed(self) -> ActionIndex:
        from jackfield.catalog.index import ActionIndex

        if self._index is None:
            self._index = ActionIndex(self.catalog, for_operator=self.catalog.offering is not None)
        return self._index

    def _looping(self) -> OnLoop:
        with self._lock:
            if self._on_loop is None:
                from jackfield.pipe.on_loop import OnLoop

                self._on_loop = OnLoop(self.clock, self._on_time, self._turn)
            return self._on_loop
