"""The runtime of one workspace, the entry point of the library: it runs an invocation and returns a
Result.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from jackfield.call.admit import Targets
from jackfield.call.calls import Calls
from jackfield.call.closing import Closing
from jackfield.call.endings import log_queued
from jackfield.call.how import How, HowAgain
from jackfield.call.invoke import Pipeline
from jackfield.call.on_time import OnTime
from jackfield.call.open import Opener
from jackfield.call.plan import Plans
from jackfield.call.queued import Queued
from jackfield.call.tally import Dependencies
from jackfield.call.waiter import AtEnd, InThread, LoopThread, run_in_thread
from jackfield.callers.authorizer import UNBOUND
from jackfield.callers.caller import LIBRARY, Caller, seen_catalog
from jackfield.catalog import Catalog, entry_points, of_workspace
from jackfield.catalog.loading import Isolated
from jackfield.composition import answers_of, composed, plugins_of, searching
from jackfield.connections.connection_lookup import Connections, sources_from
from jackfield.connections.secret_references import Secrets
from jackfield.gates.policies import Policies, deciding
from jackfield.invocation import DEFAULT_TIMEOUT, Result
from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.dataclass import replace
from jackfield.kernel.ends import is_ending
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.frames import bordered, cleared
from jackfield.kernel.interrupts import GROUP, let_out_of_calls
from jackfield.kernel.secrecy import Hidden, SecretHolder
from jackfield.kernel.variables import tidied
from jackfield.manifest.reading import HOST
from jackfield.pacing.pace import Paces
from jackfield.pacing.turn import PostponedError
from jackfield.schema.cache import Schemas
from jackfield.wire.guard import Guard
from jackfield.wire.guard import only_hosts as limit_of

if TYPE_CHECKING:
    import asyncio

    from jackfield.boundary.bound import Bound
    from jackfield.boundary.once import once
    from jackfield.call.events import Events
    from jackfield.call.how import Follow
    from jackfield.call.on_loop import OnLoop
    from jackfield.call.ports import Access, Files, Journal, Storage
    from jackfield.call.streams import Stream
    from jackfield.call.waiter import Waiter
    from jackfield.callers.actor import Actor
    from jackfield.catalog import EntryPoint
    from jackfield.catalog.index import ActionIndex
    from jackfield.composition import Management, Store
    from jackfield.connections.named_connection import Source
    from jackfield.connector.context import AskCaller
    from jackfield.connector.lending import Lent
    from jackfield.invocation.claimed import Claimed
    from jackfield.ports import Approvals, ManagedConnections, SeenJournal, Turns

_LOG = logging.getLogger("jackfield.call")
_ELSEWHERE = 5.0
"""Seconds until a queued call of a function that this process does not declare is tried again."""
T = TypeVar("T")


class Managed:
    """Management by a runtime: connections, and the parts of installed connectors, journal and
    events that a caller may see. It delegates to the management.
    """

    catalog: Catalog
    access: Access
    pipeline: Pipeline
    _store: Store
    _made: Management | None = None
    invoke: Callable[..., Result]
    wait: Callable[..., Result]

    @property
    def _management(self) -> Management:
        found = self._made
        if found is None:
            found = self._made = self._store.management(self.pipeline)
        return found

    @property
    def connections(self) -> ManagedConnections:
        """Connections of the workspace, to read and to change."""
        return self._management.connections("operator", UNBOUND)

    def connections_of(self, caller: Caller) -> ManagedConnections:
        """Return the connections that a caller may see, and change. This reads the rules from the
        database.
        """
        return self._management.connections(caller.audience, self.access.authorizer(caller))

    def catalog_of(self, caller: Caller) -> Catalog:
        """Return the connectors and actions that a caller may see. This reads the rules from the
        database.
        """
        caller = self.pipeline.policies.seen_by(caller)
        return seen_catalog(
            self.catalog.for_audience(caller.audience), self.access.authorizer(caller)
        )

    def journal_of(self, caller: Caller = LIBRARY) -> SeenJournal:
        """Return the part of the journal that a caller may see: list entries, find one, resolve a
        doubt.

        :raises InvalidInvocation: if this runtime has no journal.
        """
        return self._management.journal(self.access.authorizer(caller), caller.owner)

    def resolve(
        self,
        identifier: str,
        outcome: Literal["succeeded", "failed"],
        *,
        by: str,
        note: str = "",
        output: Mapping[str, Any] | None = None,
    ) -> Result:
        """Resolve an invocation in doubt, as the person ``by``, and return its Result; ``output``
        is the output of a success.

        :raises InvalidInvocation: if the invocation is not known or not in doubt, or accepts no
            output.
        :raises InvalidInput: if the output breaks the action's schema.
        """
        self.journal_of().resolve(identifier, outcome, by, note, output=output)
        return self.wait(identifier, 0)

    @property
    def approvals(self) -> Approvals:
        """Calls that wait for a person's approval: list, show, approve, decline."""
        return self.approvals_of(LIBRARY)

    def approvals_of(self, caller: Caller, actor: Actor | None = None) -> Approvals:
        """Return the calls that wait for an approval and that a caller may see. ``actor`` is
        recorded in the audit log.
        """
        return self._store.approvals(self.pipeline, caller, actor)

    def events(
        self,
        *,
        after: str | int | None = None,
        types: Sequence[str] = (),
        wait: float = 0.0,
        caller: Caller = LIBRARY,
    ) -> Events:
        """Return the workspace's events after a cursor (``event.cursor``; default: all), oldest
        first, for ``for`` or ``async for``. They end when no event of the ``types``
        (``invocation.finished``, ``connection.*``; default: all) comes for ``wait`` seconds.

        :raises InvalidInvocation: if there is no database, or cursor or types are not valid;
            ``CursorExpired`` if events are gone.
        """
        return self._management.events(self.access.authorizer(caller), after, types, wait)

    def lend(self, name: str, connector: str | None = None) -> Lent:
        """Open a connection for this program's own use: a family's library makes its provider's SDK
        of it. Recorded in the audit log.

        :raises JackfieldError: if the connection cannot be opened, or the rules do not allow every
            action over it.
        """
        return self._management.lend(name, connector)

    def show(self, name: str) -> dict[str, Any]:
        """Return a connection as docs/reference/http.md describes it, secrets masked.

        :raises UnknownConnection: if there is no connection of that name.
        """
        return self.connections.show(name)

    def test(self, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Test a connection without changing anything; return it as ``show`` does, with the
        outcome.

        :raises UnknownConnection: if there is no connection of that name.
        :raises InvalidConnection: if its values break its type's schema.
        """
        return self.connections.test(name, timeout_seconds=timeout_seconds)

    def diagnose(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        caller: Caller = LIBRARY,
        actor: Actor | None = None,
    ) -> dict[str, Any]:
        """Test a connection, then run the action ``doctor`` of each connector that it serves, with
        ``inputs``. ``actor`` is recorded in the audit log.

        Return ``connection``, ``type``, ``healthy`` and ``findings``, each with ``code``,
        ``severity`` (``error``, ``warning``), ``message``, ``evidence`` and ``cure``.

        :raises UnknownConnection: if there is no connection of that name.
        :raises JackfieldError: if its values, the inputs or the rules do not allow the examination.
        """
        connections = self.connections_of(caller)
        tested = (connections if actor is None else connections.acting_as(actor)).test(name)
        return self._management.diagnose(
            self.catalog_of(caller),
            tested,
            inputs or {},
            partial(self.invoke, caller=replace(caller, waits=False)),
        )

    def options(
        self,
        connector: str,
        source: str,
        *,
        connection: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        caller: Caller = LIBRARY,
    ) -> list[dict[str, str]]:
        """Return the choices of an option source. A live source queries the provider over
        ``connection``, if the rules allow ``caller`` to.

        ``inputs`` are the form's current values: the choices of some sources depend on them (a
        repository's labels).

        :raises UnknownName: no such connector or option source.
        :raises JackfieldError: if an input is missing, or a live source fails.
        """
        given = Hidden(inputs or {})
        del inputs
        return self._management.options(connector, source, connection, caller, given)


@bordered
class Jackfield(ProcessLocal, SecretHolder, Queued, Managed, Closing):
    """Runtime of one workspace. Thread-safe; one instance serves a whole process.

    With a database, the workspace must exist; ``default`` always exists.

    ``connections`` are files, folders or mappings (``{"name": {"type": …, "values": {…}}}``, or
    such a mapping as ``{"connections": …}``), or a single one of these. If omitted, they are the
    files listed in ``JACKFIELD_CONNECTIONS``, for the workspace ``default``. ``environment`` holds
    the variables for ``$env`` references and endpoints (default: the process's). ``guard`` checks
    the hosts named by connections of remote callers. By default it allows this machine, public
    hosts, and the hosts of ``JACKFIELD_ALLOW_HOSTS`` or the stored setting ``allowHosts``.
    ``groups`` are the entry points by group, of plugins and of functions that answer questions, for
    use with ``catalog``. With ``only_hosts``, its calls reach these hosts only: names
    (``*.example.com`` too), addresses, networks (default: ``JACKFIELD_ONLY_HOSTS``; without it,
    any). ``lets_out`` are classes of exceptions that the program raises into calls from other
    threads or greenlets. These exceptions leave all calls of the process. Entry points
    (``jackfield.lets_out``) name the classes of Celery, RQ and others. With ``turns``, CPU-bound
    calls of ``ainvoke``, ``begin`` and ``on_time`` run one at a time.
    """

    pipeline: Pipeline
    storage: Storage
    """Database and vault of the process; without a database, an object that refuses their use."""

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
        groups: Mapping[str, tuple[EntryPoint, ...]] | None = None,
        files: Files | None = None,
        turns: Turns | None = None,
        only_hosts: Iterable[str] | None = None,
        lets_out: Iterable[type[BaseException]] = (),
    ) -> None:
        if groups is None:
            groups = entry_points() if catalog is None else {}
        let_out_of_calls(lets_out, (point.value for point in groups.get(GROUP, ())))
        environment = tidied(os.environ if environment is None else environment)
        if workspace != "default":
            from jackfield.callers.workspace_names import check_workspace_name

            check_workspace_name(workspace)
        self.workspace = workspace
        self._children = Isolated(environment)  # unused with a catalog from elsewhere
        whole = (
            Catalog.installed(groups, environment, self._children.load)
            if catalog is None
            else catalog
        )
        self.clock = SystemClock() if clock is None else clock
        calls = Calls()
        store = self._store = self._kept = composed(
            workspace, database_url, environment, self.clock, calls.check, storage, groups or None
        )
        self.storage = store.storage
        self.catalog = of_workspace(whole, workspace, store.manifests)
        self._owns_storage = storage is None
        sources = (
            connections
            if connections is not None
            else sources_from(environment)
            if workspace == "default"
            else []
        )
        self._known = Connections(
            sources, store.connection_table, catalog=self.catalog, environment=environment
        )
        self._index: ActionIndex | None = None
        self.schemas = Schemas()
        self.files = store.files() if files is None else files
        """Stored files that inputs refer to and outputs contain."""
        self.plugins = plugins_of(environment, groups.get("jackfield.plugins", ()), plugins)
        """Installed plugins, and plugins passed by the program."""
        limit = limit_of(only_hosts, environment)
        secrets = Secrets(environment, self.clock)
        self.open_connections = Opener(
            workspace,
            self.clock,
            environment,
            secrets,
            self.schemas,
            store.leases,
            self._known.access,
            guard or Guard(loopback=True, shared=self.storage.allowed_hosts),
            store.refuse_foreign,
            self.storage.barred_paths,
            store.grants,
            limit,
        )
        self.access = store.access(self._known.named)
        paces = Paces(self.clock, limit)
        observe = self.plugins.request if self.plugins.has("request") else None
        dependencies = Dependencies(
            workspace, self.clock, self.files, paces, observe, answers_of(groups), limit
        )
        epoch = self.storage.epoch if self.storage.enabled else None
        plans = Plans(
            self.access,
            self.catalog,
            self._known,
            Targets(self.schemas, self._known.oauth_client),
            self.open_connections,
            epoch,
        )
        self._loop, self._on_time, self._turn = (
            LoopThread(),
            OnTime(),
            None if turns is None else partial(turns.turn, workspace),
        )
        self._in_thread, self._in_time = (
            InThread(self.clock, self._loop),
            InThread(self.clock, self._loop, self._on_time, self._turn),
        )
        recording = store.recording(dependencies, paces, deciding(self.plugins))
        policies = Policies(self.plugins, self.access, dependencies)
        self.pipeline = Pipeline(
            self.catalog,
            self._known,
            plans,
            self.plugins,
            self.access,
            store.journal,
            recording,
            dependencies,
            store.gates(policies),
            policies,
            self._in_time,
            calls=calls,
        )  # no part of a runtime refers to it: it is freed as soon as nobody else does
        self._begin_anew()
        # without a journal nothing is cancelled by its id, so all invocations share one event
        self._never_cancelled = None if self.storage.enabled else threading.Event()

    def _begin_anew(self) -> None:
        """Reset threads and tasks, which belong to the parent after a fork."""
        self._on_loop: OnLoop | None = None
        self._tasks: set[asyncio.Task[Result]] = set()
        self.pipeline.live.clear()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Jackfield workspace={self.workspace!r}>"

    @property
    def overdue(self) -> int:
        """Number of calls of actions that still run after their deadline, since they block; their
        invocations have ended.
        """
        return self._on_time.overdue

    @property
    def is_open(self) -> bool:
        """True if the first call has nothing left to open."""
        return self._store.current is not None or not self.storage.enabled

    def open(self) -> None:
        """Open the journal now, if there is a database, instead of with the first call.

        :raises Unavailable: if the journal cannot be opened.
        """
        _ = self.journal

    @property
    def journal(self) -> Journal | None:
        """Journal of the workspace, opened on first use; None if ``database_url`` is ``none``.

        :raises Unavailable: if the database cannot be opened.
        :raises UnknownWorkspace: if the database has no such workspace.
        """
        return self._store.journal()

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
        ask_caller: AskCaller | None = None,
    ) -> Result:
        """Run one invocation, JSON text or the object that it describes, in this thread. Bad input
        is a failed Result, never an exception.

        An action that blocks beyond the deadline returns late, with the Result that the deadline
        demands (``timeout`` or ``in_doubt``). With ``on_time`` the caller gets the Result at the
        deadline: the action runs in another thread, which goes on.

        ``wait``: if an invocation with the same idempotency key still runs, wait for it instead of
        refusing, up to the deadline (True) or for the given seconds. Another thread may set
        ``cancelled``: then nothing more is sent. ``caller`` is recorded in the journal and checked
        against the rules. ``named`` is called with the invocation's ID before the run begins.

        A job that has not ended by the deadline is a Result of status ``running``: ``Result.wait``
        waits for its end. ``follow`` gets its progress meanwhile: ``fraction``, from 0 to 1, and
        ``text``; of a list ``step``, the pages read; of a wait ``text``. ``tries`` limits the
        attempts, throttled ones included. ``ask_caller`` gets the questions that a provider asks a
        person and no package answers. It gets the provider's name for the question, and the
        question in the form for packages, and returns the answer.
        """
        waiter = self._in_time if on_time else self._in_thread
        how = How(
            waiter,
            caller,
            cancelled or self._never_cancelled,
            wait=wait,
            follow=follow,
            settles=True,
        )
        how.tries, how.ask_caller = tries, ask_caller
        if named is not None:
            named(how.meta.invocation_id)
        given = Hidden(invocation)
        del invocation
        if self.storage.answers_locally:
            return run_in_thread(self.pipeline.call(given, how))
        with self.storage.one_state():
            return run_in_thread(self.pipeline.call(given, how))

    async def ainvoke(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        cancelled: threading.Event | None = None,
        caller: Caller = LIBRARY,
        named: Callable[[str], None] | None = None,
        follow: Follow | None = None,
        ask_caller: AskCaller | None = None,
    ) -> Result:
        """Run one invocation in asyncio, as ``invoke`` does. ``async def`` actions run in this
        loop, others in worker threads.

        If the caller is cancelled, a request not yet sent is cancelled too; a request already sent
        runs to completion.
        """
        how = How(self._looping(), caller, cancelled, wait=wait, follow=follow, settles=True)
        how.ask_caller = ask_caller
        if named is not None:
            named(how.meta.invocation_id)
        return await self._shielded(
            self._started(partial(self.pipeline.call, Hidden(invocation), how)), how
        )

    def ask(self, identifier: str, *, caller: Caller = LIBRARY) -> Result:
        """Send the request of a call in doubt again, under its key and as its invocation, while the
        provider knows the key. A success settles the doubt; otherwise it stays.

        :raises JackfieldError: if nothing was sent. The details name the member at fault.
        """
        how = HowAgain(self._in_time, caller)
        with self.storage.one_state():
            given = Hidden(self.pipeline.recording.again(self.pipeline, identifier, how))
            result = run_in_thread(self.pipeline.call(given, how))
        if how.again is not None and how.again.refusal is not None:
            raise how.again.refusal
        return result

    def stream(
        self,
        invocation: Mapping[str, Any] | str | bytes,
        *,
        wait: bool | float = False,
        caller: Caller = LIBRARY,
        named: Callable[[str], None] | None = None,
    ) -> Stream:
        """Run one invocation in its own thread, and return the events that its action emits, for
        ``for`` or ``async for``, as they come, with secrets masked. ``Stream.result`` is the Result
        that ``invoke`` would have returned.

        A caller who leaves (``break``, ``Stream.close``) ends a ``read``, as ``cancelled``; other
        actions run to their end.
        """
        from jackfield.call.streams import Stream

        how = How(self._in_time, caller, wait=wait, settles=True)
        if named is not None:
            named(how.meta.invocation_id)
        return Stream(how, partial(self._streamed, Hidden(invocation), how))

    def _streamed(self, given: Hidden, how: How) -> Result:
        with self.storage.one_state():
            return run_in_thread(self.pipeline.call(given, how))

    @property
    def function_calls(self) -> Bound:
        """Return the runtime that records calls of functions which run once."""
        from jackfield.boundary.bound import Bound  # most programs call connectors alone

        return Bound(self, self._store, self.pipeline.calls, self._in_time, self._looping)

    def once(self, name: str, **options: Any) -> once:
        """Make a call of a function once for a key, as ``jackfield.once`` does, in this
        workspace.
        """
        from jackfield.boundary.once import once

        return once(name, runtime=self, **options)

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
        ask_caller: AskCaller | None = None,
    ) -> asyncio.Task[Result]:
        """Run one invocation as a separate task, which goes on if a waiting caller is cancelled.
        ``named`` is called first, with its ID. ``reading`` is a reading of the database's epoch for
        this call. ``follow`` gets the progress. The deadline begins when the request ``arrived``,
        by the runtime's monotonic clock; default: now. ``ask_caller`` is as in ``invoke``.
        """
        how = How(self._looping(), caller, cancelled, wait=wait, follow=follow, arrived=arrived)
        how.ask_caller = ask_caller
        named(how.meta.invocation_id)
        return self._started(partial(self.pipeline.call, Hidden(invocation), how), reading)

    def run(self, claimed: Claimed) -> Result:
        """Run an invocation from the queue, in this thread."""
        stored = self._taken(claimed)
        how = How(
            self._in_time, self.access.queued_by(stored), claimed=claimed.of(stored), settles=True
        )
        given = Hidden(self.pipeline.known.followed(stored))
        del stored
        with self.storage.one_state():
            result = log_queued(run_in_thread(self.pipeline.call(given, how)), self.workspace)
            if isinstance(result.error, InvalidInvocation):
                self._end_unread(result)
            return result

    async def arun(self, claimed: Claimed) -> Result:
        """Run an invocation from the queue, in asyncio."""
        import asyncio

        stored = self._taken(claimed)

        caller, given = await asyncio.to_thread(
            lambda: (self.access.queued_by(stored), Hidden(self.pipeline.known.followed(stored)))
        )
        # with the caller's current rights
        how = How(self._looping(), caller, claimed=claimed.of(stored))
        call = partial(self.pipeline.call, given, how)
        result = log_queued(await self._shielded(self._started(call), how), self.workspace)
        if isinstance(result.error, InvalidInvocation):
            await asyncio.to_thread(self._end_unread, result)
        return result

    def _taken(self, claimed: Claimed) -> Any:
        """Return the stored invocation of a call from the queue.

        :raises PostponedError: if it calls a function that this process does not declare: it waits
            for a process that does.
        """
        stored = self._store.opened().opened_inputs(claimed.id, claimed.sealed)
        called = stored["invocation"]
        if called["connector"] == HOST and not any(
            called["action"] in own.manifest.actions for own in Catalog.own
        ):
            text = (
                "invocation %s waits for a process that declares the function '%s': --import "
                "names its module"
            )
            _LOG.warning(text, claimed.id, called["action"])
            raise PostponedError(self.files.time.now() + _ELSEWHERE)
        return stored

    def _end_unread(self, result: Result) -> None:
        """End the row of a queued call that is no longer a valid invocation, so that no worker
        claims it again. An older version has queued it, under other rules. A row that has begun, or
        has ended, stays unchanged.
        """
        journal = self.journal
        if journal is not None:
            journal.end_queued(result.meta.invocation_id, result)

    def _started(
        self, call: Callable[[], Coroutine[Any, Any, Result]], reading: int | None = None
    ) -> asyncio.Task[Result]:
        import asyncio

        task = asyncio.get_running_loop().create_task(
            cleared(self.storage.in_one_state(call, reading))
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @staticmethod
    async def _shielded(task: asyncio.Task[Result], how: How) -> Result:
        import asyncio

        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            how.cancelled.set()
            raise

    def search(
        self,
        words: str,
        *,
        connector: str | None = None,
        effect: str | None = None,
        tag: str | None = None,
    ) -> list[dict[str, Any]]:
        """Search for actions by ``words``; return the best matches first. ``tag`` is the ``group``
        of an action in its manifest.

        Up to a few matching actions that exist but are not offered to this workspace are among
        them, with ``"offered": False`` and a command in ``offer``.
        """
        return [
            row.to_json()
            for row in self._indexed().found_for_operator(
                self.catalog, words, connector, effect, tag
            )
        ]

    def search_triggers(self, words: str, *, connector: str | None = None) -> list[dict[str, Any]]:
        """Search for triggers by ``words``; return the best matches first."""
        return [
            row.to_json()
            for row in self._indexed().triggers(words)
            if connector in (None, row.connector)
        ]

    def _indexed(self) -> ActionIndex:
        if self._index is None:
            self._index = searching()(self.catalog, for_operator=self.catalog.offering is not None)
        return self._index

    def _looping(self) -> Waiter:
        if is_ending() or self.pipeline.calls.is_closed:  # its threads cannot be started
            return AtEnd(self.clock, self._loop)
        with self._lock:
            if self._on_loop is None:
                from jackfield.call.on_loop import OnLoop

                self._on_loop = OnLoop(self.clock, self._on_time, self._turn)
            return self._on_loop
