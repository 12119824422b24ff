"""State of one server process: runtimes of all workspaces, authentication, files, metrics and
workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping
from contextvars import copy_context
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar, cast

from starlette.requests import Request

from jackfield.catalog.index import ActionIndex
from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import LimitReached, brief
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.rate_limiter import RateLimiter, Taken
from jackfield.kernel.threads import Threads
from jackfield.tracing import Tracing
from jackfield.wire.guard import Guard
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.identity.guesses import Guesses
from jackfield_service.shell.identity.identity import Identities, Identity
from jackfield_service.shell.identity.people import People
from jackfield_service.shell.process.lanes import Lanes
from jackfield_service.shell.process.loops import Loop, Process, loops
from jackfield_service.shell.process.metrics import Metrics
from jackfield_service.shell.process.readiness import Readiness
from jackfield_service.shell.process.request_shares import RequestShares
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.shell.process.stopping import Stopping
from jackfield_service.shell.requests.body import BodyQuota
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.requests.web_pages import page_fault
from jackfield_store.database.setting_rows import ALLOW_HOSTS, PUBLIC_URL
from jackfield_store.files import FileLimits
from jackfield_store.management.revoking import revoke_due
from jackfield_store.queue import Engine, broker_warning, open_engine, queue_url
from jackfield_store.resources.turns import Turns
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from jackfield_store.runtime.poller import Poller
from jackfield_store.runtime.runtime_pool import RuntimePool

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.http")
_BRIEF, _SLOW = 32, 64
_ASKING, _OF_ONE = 256, 16
"""Number of threads of steps that may call providers, and the part of them for one workspace or
binding.
"""
"""Thread counts for database look-ups and for provider calls, kept apart so that a slow provider
does not block authentication.
"""
PACED = "jackfield.pace"
"""Key, in a request's scope, of the header fields about its caller's rate budget."""
_PACES = (b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset")
_SWEEP_EVERY = 600.0
_QUEUE_WORKERS = 16
_INDEX_WAIT = 30.0
"""Seconds that a request waits for the search index."""
_FIRST_CALL = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "jackfield.connector.manifests",
    "jackfield_store.management.connections",
    "jackfield.call.attempts",
    "jackfield.schema.compiling",
    "pydantic.main",
    "pydantic.type_adapter",
)
"""Modules that a first call would spend 80 ms to import."""
_SHORTAGES = 1 / 60
"""Maximum number of log entries per second about exhausted memory or threads."""


class ServerContext:
    """State shared by all requests of a process. ``imported`` is called after large permanent
    imports.
    """

    def __init__(
        self,
        settings: ServerSettings,
        environment: Mapping[str, str],
        clock: Clock | None = None,
        plugins: Iterable[object] = (),
        stopping: Stopping | None = None,
        imported: Callable[[], object] = lambda: None,
    ) -> None:
        self.settings = settings
        self.imported = imported
        plugins = tuple(plugins)
        self._tracing = [plugin for plugin in plugins if isinstance(plugin, Tracing)]
        limits = FileLimits(
            settings.max_file,
            settings.files_kept,
            settings.files_cap,
            settings.files_count,
            settings.max_body,
        )
        self.runtimes = RuntimePool(
            environment,
            clock,
            guard=Guard(loopback=settings.local),
            plugins=plugins,
            file_limits=limits,
        )
        self.storage = self.runtimes.storage
        self.storage.shared.take(ALLOW_HOSTS, " ".join(settings.allowed_hosts))
        self.storage.shared.take(PUBLIC_URL, settings.public_url)
        # the certificate's file may hold the key
        self.storage.bar(*filter(None, (settings.certificate, settings.key)))
        self.catalog = self.runtimes.catalog
        self.clock = self.runtimes.clock
        self.metrics = Metrics(self.catalog)
        self.search = ActionIndex(self.catalog)
        self.operator_search = ActionIndex(self.catalog, for_operator=True)
        """Index that is made when a session of the operator first searches: it has all that a
        source describes.
        """
        self.catalog.learn = self.search.build
        self.identities = Identities(self.storage, self.clock, settings.jwt)
        self.mcp_identities = self._over_mcp(settings)
        """Identities of callers over MCP: a JWT for MCP is valid for nothing else (RFC 8707), where
        the server has a public URL.
        """
        self.people = self._people(settings)
        """People who sign in at the operator's identity provider; None without one, or without a
        database.
        """
        self.readiness = Readiness(
            self.storage, self.clock, lambda: broker_warning(self.runtimes.environment)
        )
        self.room = BodyQuota(settings.max_bodies)
        self.files = self.runtimes.files
        self.unknown = RateLimiter(settings.guesses, self.clock)
        self.guesses = Guesses(self.unknown)
        """Turns of addresses that send unknown tokens and paths."""
        self._own: dict[type, Any] = {}
        self.shortages = RateLimiter(_SHORTAGES, self.clock)
        self._rates = RateLimiter(settings.rate, self.clock)
        self._workspace_rates = RateLimiter(0, self.clock)
        self._stopping = stopping or Stopping(settings.stop_within, self.clock)
        self.requests = RequestShares(settings.concurrency, settings.max_connections, self.clock)
        """Requests in progress, connections and readers that wait for events, and the shares of
        workspaces in them.
        """
        self.installer = settings.installer() if settings.installer is not None else None
        self.document: bytes | None = None
        """The OpenAPI document, cached by the endpoint that builds it."""
        self.sweeps = self._own_sweeps()
        """Steps that are repeated every ten minutes, by the message for a failure; subjects add
        their own.
        """
        self._engine: Engine | None = None
        self._loops = self._all_loops()
        self._sweeper: asyncio.Task[None] | None = None
        self._index: asyncio.Future[None] | None = None
        self._brief, self._slow = (
            Threads(_BRIEF, "jackfield-http"),
            Threads(_SLOW, "jackfield-slow"),
        )
        self._lanes = Lanes(Threads(_ASKING, "jackfield-asking"), _OF_ONE)

    def _over_mcp(self, settings: ServerSettings) -> Identities:
        if settings.jwt is None:
            return self.identities
        return Identities(self.storage, self.clock, settings.jwt, lambda: self.mcp_url, "invoke")

    def _people(self, settings: ServerSettings) -> People | None:
        storage, oidc = self.storage, settings.oidc
        return (
            People(oidc, storage, self.clock, self.runtimes.guard)
            if oidc is not None and storage.enabled
            else None
        )

    def _all_loops(self) -> tuple[Loop, ...]:
        """Create the loops that poll jobs and look for evidence of calls in doubt, and the loops of
        the subjects.
        """
        poller = Poller(self.runtimes, self.metrics.note, lambda: self.stopping)
        evidence = EvidenceLoop(
            self.runtimes, self.metrics.note_doubts, stopping=lambda: self.stopping
        )
        return (
            poller,
            evidence,
            *loops(
                Process(self.runtimes, self.wake, lambda: self.public_url, lambda: self.stopping)
            ),
        )

    def _own_sweeps(self) -> dict[str, Callable[[], object]]:
        found: dict[str, Callable[[], object]] = {}
        if self.storage.enabled:
            found |= {
                "expired files cannot be deleted": self.files.sweep,
                "approvals of removed connections cannot be revoked": self.revoke_approvals,
            }
            for module in surfaces("sweeps"):
                found |= module.sweeps(self)
        if self.installer is not None:
            found["revocations of installed connectors cannot be looked for"] = (
                self.installer.revoked
            )
        return found

    @property
    def running(self) -> int:
        """Number of requests in progress."""
        return self.requests.total

    @property
    def stopping(self) -> bool:
        """True once this process has received a stop signal."""
        return self._stopping.begun

    def runtime(self, workspace: str) -> Jackfield:
        """Return the runtime of one workspace."""
        return self.runtimes.find(workspace)

    def revoke_approvals(self, within: float = 10.0) -> dict[str, bool]:
        """Notify providers that approvals of removed connections are revoked, as ``revoke_due``
        does.
        """
        storage = self.storage
        return revoke_due(
            storage.database,
            self.clock,
            lambda name: self.runtime(name).connections.revoking(),
            storage.blocked,
            within,
        )

    def require_database(self, kept: str) -> None:
        """Require the database.

        :raises Problem: 503 without a database; the message names ``kept``, the objects that this
            server therefore lacks.
        """
        if not self.storage.enabled:
            raise Problem(503, f"this server has no {kept}, because no database is configured")

    @property
    def public_url(self) -> str:
        """Address of the server as browsers see it: this process's, else the shared one; empty if
        none is set.
        """
        return self.storage.shared.known(PUBLIC_URL)

    @property
    def mcp_url(self) -> str:
        """Address of the MCP endpoint, the resource for which clients request a token; empty
        without a public URL.
        """
        return f"{self.public_url}/mcp" if self.public_url else ""

    def identities_for(self, *, over_mcp: bool) -> Identities:
        """Return the authenticator of callers over MCP, or of all others."""
        return self.mcp_identities if over_mcp else self.identities

    def base(self, request: Request) -> str:
        """Return the server's own address: the operator's public URL, else the local address of a
        server that only this machine can reach. An empty string if none is set: a request's
        ``Host`` decides no link.
        """
        named = (
            self.settings.local
            and page_fault((), "", request.headers.get("host", ""), allowed=(), local=True) is None
        )
        return self.public_url or (str(request.base_url).rstrip("/") if named else "")

    def link(self, request: Request, path: str) -> str:
        """Return the absolute URL of ``path``, for other people or as a redirect URI.

        :raises Problem: 503 if the server's address is not set.
        """
        base = self.base(request)
        if not base:
            raise Problem(
                503,
                "this server does not know its own address: name it with --public-url or "
                "'jackfield settings set publicUrl'",
            )
        return f"{base}{path}"

    def seen(self, request: Request) -> str:
        """Return the server's address for examples that only the caller reads: its own, else the
        request's.
        """
        return self.base(request) or str(request.base_url).rstrip("/")

    def pace(self, identity: Identity, scope: MutableMapping[str, Any]) -> None:
        """Count one request against the caller's rate budget. All requests of a token share it,
        including those of sessions started with it.

        The scope of the request gets the header fields about the more exhausted budget, the token's
        or the workspace's: ``RateLimit-Limit``, ``-Remaining``, ``-Reset``
        (draft-ietf-httpapi-ratelimit-headers-03).

        :raises Problem: 429 if the token's budget is used up.
        :raises LimitReached: if the workspace's budget is used up.
        """
        rate, most, taken = (
            self.settings.rate,
            identity.limits.get("requestsPerSecond"),
            list[Taken](),
        )
        if rate:
            taken.append(self._rates.taken(f"{identity.workspace}/{identity.id}".encode(), rate))
            if not taken[0].is_granted:
                scope[PACED] = _budget_headers(taken)
                raise Problem(
                    429,
                    f"rate limit exceeded: {rate:g} requests per second per token",
                    {"Retry-After": "1"},
                )
        if most is not None:
            taken.append(self._workspace_rates.taken(identity.workspace.encode(), most))
        if taken:
            scope[PACED] = _budget_headers(taken)
        if most is not None and not taken[-1].is_granted:
            raise LimitReached("requestsPerSecond", most)

    async def opened(self, workspace: str) -> Jackfield:
        """Return the workspace's runtime with its journal open; a slow first opening runs in a
        thread.
        """
        known = self.runtimes.known(workspace)
        return (
            known
            if known is not None and known.is_open
            else await self.briefly(lambda: _opened(self.runtimes.find(workspace)))
        )

    async def briefly(self, step: Callable[[], T]) -> T:
        """Run a step that waits only for the database in a thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._brief, copy_context().run, step
        )

    async def slowly(self, step: Callable[[], T]) -> T:
        """Run a step that may take long in a thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._slow, copy_context().run, step
        )

    async def asking(self, lane: Hashable, step: Callable[[], T]) -> T:
        """Run a step that may call a provider in one of the few threads of its lane: a workspace,
        or a binding of Dapr.
        """
        return await self._lanes.run(lane, step)

    def own(self, kind: type[T], make: Callable[[], T]) -> T:
        """Return the server's single object of a subject, made at its first use."""
        found = self._own.get(kind)
        if found is None:
            found = self._own.setdefault(kind, make())
        return cast("T", found)

    async def computed(self, workspace: str, step: Callable[[], T]) -> T:
        """Run a long computation in a thread, once it is the workspace's turn."""
        return await self.slowly(partial(_in_turn, self.runtimes.turns, workspace, step))

    def start(self) -> None:
        """Start the engine of the queue; call it in the event loop."""
        asyncio.get_running_loop().set_default_executor(self._brief)
        self.readiness.warm_up = asyncio.ensure_future(self._warm_up())
        self._engine = open_engine(
            self.runtimes, self._slots, self.metrics.note, lambda: self.stopping
        )
        self._engine.start()
        for loop in self._loops:
            loop.start()
        self._sweeper = asyncio.ensure_future(self._sweep())

    @property
    def _slots(self) -> int:
        """Number of queued invocations that this process runs at once. With a broker, a server
        leaves them to the workers unless configured otherwise.
        """
        given = self.settings.queue_workers
        return (
            given
            if given is not None
            else 0
            if queue_url(self.runtimes.environment)
            else _QUEUE_WORKERS
        )

    async def _warm_up(self) -> None:
        """Read the installed connectors and import the modules for the first call. Do not wait for
        an index that another process builds: calls do not need it.
        """
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def begin() -> None:
            loop.call_soon_threadsafe(begun.set)

        self.search.on_wait = begin
        self._index = asyncio.ensure_future(self.slowly(lambda: _warm(self.search.build)))
        waits = asyncio.ensure_future(begun.wait())
        try:
            await self.slowly(lambda: _warm(_import_first))
            await asyncio.wait({self._index, waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.search.on_wait = lambda: None
            waits.cancel()
            self.imported()

    @property
    def is_indexed(self) -> bool:
        """True unless requests have to wait for the search index."""
        return self._index is None or self._index.done()

    async def indexed(self) -> None:
        """Wait, without occupying a thread, for the search index, which a server may still build
        after its start.

        :raises Problem: 503 if it takes long.
        """
        if self._index is not None and not self.is_indexed:
            done, _ = await asyncio.wait({self._index}, timeout=_INDEX_WAIT)
            if not done:
                raise Problem(503, "the search index is being made", {"Retry-After": "1"})

    def wake(self) -> None:
        """Notify the engine of a queued invocation."""
        if self._engine is not None:
            self._engine.submit()

    async def stop(self) -> None:
        """Let running invocations finish in the remaining time, record unfinished ones in the
        journal, and close the database.
        """
        self._stopping.begin()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        for loop in self._loops:
            await loop.stop()
        if self._engine is not None:
            await self._engine.stop(self._stopping.left)
        await self.runtimes.drained(self._stopping.left)
        await self.slowly(self.storage.close)
        for tracing in self._tracing:
            await self.slowly(tracing.close)
        self._slow.shutdown(wait=False, cancel_futures=True)
        self._lanes.close()

    async def _sweep(self) -> None:
        while True:
            for what, step in self.sweeps.items():
                swept = await self.slowly(partial(attempt, step))
                # whatever it is, the other steps go on, and this one is repeated
                if isinstance(swept, Raised):
                    error = swept.error
                    _LOG.warning("%s: %s", what, brief(error))
            await asyncio.sleep(_SWEEP_EVERY)


def _in_turn(turns: Turns, workspace: str, step: Callable[[], T]) -> T:
    with turns.turn(workspace):
        return step()


def _budget_headers(taken: Iterable[Taken]) -> list[tuple[bytes, bytes]]:
    """Return the header fields about the most exhausted budget."""
    _, *counts = min(taken, key=attrgetter("left"))
    return [*zip(_PACES, (b"%d" % count for count in counts), strict=True)]


def _opened(runtime: Jackfield) -> Jackfield:
    runtime.open()
    return runtime


def _warm(step: Callable[[], None]) -> None:
    """Run a step of the warm-up; log exhausted memory instead of raising it."""
    try:
        step()
    except MemoryError as error:  # the calls that need it will say so
        _LOG.warning("the warm-up for the first call failed in part: %s", error)


def _import_first() -> None:
    for name in _FIRST_CALL:
        importlib.import_module(name)
