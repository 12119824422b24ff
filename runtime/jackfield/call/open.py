"""Third stage, open: resolve secrets, open the connection and lease its credentials."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from jackfield.call.admit import CallTarget, check_values
from jackfield.connections.connection_cache import ConnectionCache, ConnectionCaches, OpeningSlots
from jackfield.connections.host_access import (
    HostAccess,
    ReferenceRules,
    credential_files,
    refuse_ambient,
    refused,
)
from jackfield.connections.secret_references import (
    Secrets,
    reference_paths,
    references,
    refuse_references,
)
from jackfield.connector.connection_values import connection_values
from jackfield.connector.context import OpenContext
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Detail, InvalidConnection, JackfieldError, Sent, Unavailable
from jackfield.kernel.failures import contained
from jackfield.kernel.pointers import child
from jackfield.kernel.secrecy import Hidden, SecretHolder
from jackfield.kernel.walk import Nodes, Schema, extension, members, nodes
from jackfield.redaction.marks import hidden_values
from jackfield.schema.cache import Schemas
from jackfield.wire.guard import ANYWHERE, Guard, OnlyHosts

if TYPE_CHECKING:
    from jackfield.connections.ports import SharedLeases
    from jackfield.connector.context import Call
    from jackfield.connector.grants import Grants
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.connector.models import ConnectionType
    from jackfield.kernel.clock import Clock, Deadline
    from jackfield.manifest.manifest import ActionManifest, Manifest

_LOG = logging.getLogger("jackfield.call")
_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_FORMATS = frozenset(
    {"uri", "uri-reference", "iri", "iri-reference", "hostname", "idn-hostname", "ipv4", "ipv6"}
)
_SCHEMES = ("http:", "https:", "ws:", "wss:", "ftp:", "ftps:")
"""Schemes whose URLs clients accept without slashes."""


def judge_hosts(
    guard: Guard, schema: Schema, values: Mapping[str, Any], only: OnlyHosts | None = None
) -> None:
    """Check every host in the values against ``guard``, and against the runtime's own list of
    hosts.

    :raises InvalidConnection: with a detail for each value whose host is not allowed, or that
        clients could parse in different ways.
    """
    if guard.internal and only is None:
        return
    refused: list[InvalidConnection] = []
    for path, text in named_hosts(schema, values):
        try:
            for host in hosts_of(text, path):
                if only is not None:
                    only.require(host, path)
                guard.check(host, path)
        except InvalidConnection as error:
            refused.append(error)
    if refused:
        refused[0].details = tuple(detail for error in refused for detail in error.details)
        raise refused[0]


def named_hosts(schema: Schema, values: object) -> Iterator[tuple[str, str]]:
    """Iterate over the values that name a host, by their format or the mark ``destination``, as
    (JSON Pointer, value).
    """
    return _destinations_in(schema, nodes(schema, schema), values, "", marked=False)


def _destinations_in(
    root: Schema, applying: Nodes, value: object, path: str, *, marked: bool
) -> Iterator[tuple[str, str]]:
    marked = marked or any(extension(node).get("destination") for node in applying)
    if isinstance(value, str) and (
        marked or any(node.get("format") in _FORMATS for node in applying)
    ):
        yield path, value
    for name, known, member in members(root, applying, value):
        # the items of a marked array are destinations too
        yield from _destinations_in(
            root,
            known or (),
            member,
            child(path, name),
            marked=marked and isinstance(value, list | tuple),
        )


def hosts_of(text: str, path: str) -> set[str]:
    """Return every host that a client may parse from a URL, ``host`` or ``host:port``, with or
    without slashes and escapes.
    """
    given = text.strip()
    if "\\" in given or not given.isprintable() or " " in given:
        raise _unclear_host(path)
    low = given.lower()
    readings = [given] if "://" in given else [f"//{given.lstrip('/')}"]
    if low.startswith(_SCHEMES):
        readings.append(f"//{given.partition(':')[2].lstrip('/')}")
    try:
        found = [urlsplit(reading).hostname for reading in readings]
    except ValueError:
        raise _unclear_host(path) from None
    return {name for host in found if host for name in (host, unquote(host))}


def _unclear_host(path: str) -> InvalidConnection:
    return InvalidConnection(
        "the connection's host is not valid",
        details=[Detail(path, "is not a plain host name or URL", "format")],
        hint="Give a host name or a URL without spaces, backslashes or control characters.",
    )


class HostsJudge:
    """Check of the hosts that a connection's values name; it is slow, since it resolves names.

    If the connection checks each address again right before it connects
    (``ConnectionType.checks_addresses``), a positive verdict is valid for a second. It ends earlier
    if settings that decide calls change, such as the allowed hosts (``forget``).
    """

    __slots__ = ("_check", "_clock", "_remembers", "_state", "_until")

    def __init__(self, check: Callable[[], None], clock: Clock, *, remembers: bool) -> None:
        self._check, self._clock, self._remembers = check, clock, remembers
        self._until, self._state = -math.inf, object()

    def __call__(self) -> None:
        """Judge the hosts, unless a recent verdict is still valid.

        :raises InvalidConnection: if a host is not allowed.
        """
        if not self.is_remembered:
            now, state = self._clock.monotonic(), self._state
            self._check()
            # else it may be the verdict of what was allowed before
            if self._remembers and state is self._state:
                self._until = now + _REMEMBERED

    def forget(self) -> None:
        """Make the next call judge the hosts again, even while a check runs."""
        self._state, self._until = object(), -math.inf

    @property
    def is_remembered(self) -> bool:
        """True if a recent verdict is still valid, so that no name is resolved."""
        return self._clock.monotonic() < self._until


_REMEMBERED = 1.0
"""Seconds for which a positive verdict on hosts is valid."""
_FAST = 0.002
"""Approximate seconds for a switch to a thread and back in a busy process."""
_NO_INPUTS = Hidden({})


@dataclass(frozen=True, slots=True, repr=False)
class OpenConnection(SecretHolder):
    """Connection with resolved secrets that opens a client for each attempt of a connector's
    actions.
    """

    kind: ConnectionType
    cache: ConnectionCache
    workspace: str
    connection: str | None
    connector: str
    permissions: Mapping[str, tuple[str, ...]]
    clock: Clock
    environment: Mapping[str, str]
    guard: Guard
    only_hosts: OnlyHosts | None
    grants: Grants | None
    judge: HostsJudge | None
    """Check of the hosts; None for an operator's connection without ``only_hosts``."""
    forget_secrets: Callable[[], None]
    """Function that drops the cached secrets of the connection, after the provider has refused the
    credentials.
    """
    slots: OpeningSlots
    """Slots for threads that open connections with the same source of credentials at once."""
    lasts: bool
    """True if later calls reuse it unchanged, as long as the connection's version is the same."""
    narrowed: bool = False
    """True if a session must be narrowed to ``permissions``."""

    def context_for(self, call: Call, inputs: Mapping[str, Any] = _NO_INPUTS.value) -> OpenContext:
        """Return the context in which the connection type opens for one attempt."""
        call.only_hosts = self.only_hosts
        return OpenContext(
            self.workspace,
            self.connection,
            self.connector,
            inputs,
            self.permissions,
            call,
            self.clock,
            self.environment,
            self.cache,
            self.guard,
            self.grants,
            narrowed=self.narrowed,
        )

    def client(self, call: Call, inputs: Hidden = _NO_INPUTS) -> Any:
        """Open a client for one attempt of an action with these inputs."""
        # one that fails says nothing about the next
        started, self.cache.opened_in = time.perf_counter(), math.inf
        if self.judge is not None:
            self.judge()
        context = self.context_for(call, inputs.value)
        if self.only_hosts is None:
            client = self.kind.open(context)
        else:
            with self.only_hosts.entered():
                client = self.kind.open(context)
        self.cache.opened_in = time.perf_counter() - started
        return client

    def overdue(self, invocation_id: str, deadline: Deadline) -> JackfieldError:
        """Log that the connection is still being opened in its thread, and return the error that
        ends the call. The source of credentials is slow, and nothing of the action was sent.
        """
        place = (
            f"the connection '{self.connection}'"
            if self.connection is not None
            else "the connection of this call"
        )
        text = (
            "invocation %s: %s was still being opened at the deadline of %g s; that goes on "
            "in its thread"
        )
        _LOG.warning(text, invocation_id, place, deadline.seconds)
        hint = (
            "Find out why the source of its credentials does not answer: its token endpoint, "
            "STS or secret store."
        )
        return deadline.passed(
            Sent.NOTHING, Unavailable(f"{place} was still being opened", hint=hint)
        )

    @property
    def is_inline_ok(self) -> bool:
        """True if opening will most likely be a cache look-up: it was fast the last time, no lease
        is due and no other process is called.
        """
        if self.kind.asks_elsewhere or (self.judge is not None and not self.judge.is_remembered):
            return False
        return self.cache.opened_in < _FAST and self.cache.is_fresh


class Opener:
    """Factory of a workspace's open connections, which caches clients and leases."""

    def __init__(
        self,
        workspace: str,
        clock: Clock,
        environment: Mapping[str, str],
        secrets: Secrets,
        schemas: Schemas,
        shared: Callable[[str, str, Mapping[str, Any]], SharedLeases | None] = lambda *_: None,
        access: Callable[[], HostAccess] = HostAccess,
        guard: Guard = Guard(loopback=True),  # noqa: B008 (frozen)
        refuse_foreign: Callable[[Mapping[str, Any], Mapping[str, Any]], None] = lambda *_: None,
        barred: Callable[[], tuple[str, ...]] = tuple,
        grants: Callable[[str, str], Grants | None] = lambda *_: None,
        only_hosts: OnlyHosts | None = None,
    ) -> None:
        self.workspace = workspace
        self._clock = clock
        self._environment = environment
        self._secrets = secrets
        self._schemas = schemas
        self._shared = shared
        self._access = access
        self._guard = replace(guard, tenant=workspace)
        self._anywhere = replace(ANYWHERE, tenant=workspace)
        self._refuse_foreign = refuse_foreign
        self._barred = barred
        self._grants = grants
        self._only_hosts = only_hosts
        self._stored = ConnectionCaches(clock)
        self._inline = ConnectionCaches(clock, limit=256)
        self._salt = os.urandom(32)

    @property
    def mints(self) -> dict[str, int]:
        """Number of credentials requested from providers so far, by outcome: ``leased``,
        ``failed``.
        """
        return {
            outcome: count + self._inline.mints[outcome]
            for outcome, count in self._stored.mints.items()
        }

    def release(self) -> None:
        """Let the connections to providers end; no calls follow."""
        self._stored.release()
        self._inline.release()

    def find(
        self, target: CallTarget, manifest: Manifest, connector: LoadedConnector
    ) -> OpenConnection:
        """Resolve the target's secrets and find its cache.

        :raises InvalidConnection: if a reference cannot be read or is not allowed, or its value
            breaks the schema. Also if the External ID belongs to another workspace, or the
            connection would use the server's own identity without permission.
        """
        values = self._resolved(target, target.values)
        if values is not target.values:
            values = check_values(
                target.kind, values, manifest, self._schemas, name=target.name, is_read=True
            )
        schema = target.kind.schema

        def hidden() -> frozenset[str]:
            return hidden_values(schema, values)

        full_name, name = manifest.full_name(target.kind), target.name
        # of the cache's key: versions side by side have models and clients of their own
        model = connector.connections[target.kind.key]
        if name is None:  # inline values stay in this process
            cache = self._inline.find((full_name, model, self._digest(values)), values, hidden)
        else:
            # others must not sign in with what it has leased
            place = f"{full_name} of {manifest.key}" if manifest.isolated else full_name
            cache = self._stored.find(
                (name, full_name, model), values, hidden, lambda: self._shared(name, place, values)
            )
        guard = self._guard if target.origin == "remote" else self._anywhere

        def prepare() -> tuple[ConnectionType, Mapping[str, tuple[str, ...]], bool]:
            if name is not None:
                self._refuse_foreign(schema, values)
            kind = cache.cached(
                ("values", target.kind.key), lambda: connection_values(model, values, target.name)
            )
            names_hosts = (only is not None or not guard.internal) and any(
                True for _ in named_hosts(schema, values)
            )
            return kind, connector.permissions(), names_hosts

        only = self._only_hosts if target.client is None else target.client.limit(self._only_hosts)
        kind, permissions, names_hosts = cache.cached(
            ("prepared", target.kind.key, connector.key, target.origin, only), prepare
        )
        if target.origin == "remote" and kind.reads_host and not self._access().ambient:
            refuse_ambient(kind.reads_host_at)
        if target.chosen and kind.reads_host and not self._access().own_external_id:
            # with the caller's own keys the platform's identity is not used, so a customer's trust
            # in it cannot be abused
            raise refused(target.chosen)
        grants = (
            self._grants(target.id, name)
            if target.id is not None and name is not None and target.kind.authorizes
            else None
        )

        check = partial(judge_hosts, guard, schema, values, only)
        judge = (
            HostsJudge(check, self._clock, remembers=kind.checks_addresses) if names_hosts else None
        )
        asks_host = target.origin == "remote" and bool(kind.reads_host)
        return OpenConnection(
            kind,
            cache,
            self.workspace,
            name,
            connector.key,
            permissions,
            self._clock,
            self._environment,
            guard,
            only,
            grants,
            judge,
            lambda: self.forget_secrets(target),
            cache.slots if kind.opens_with is None else self._stored.slots(kind.opens_with),
            lasts=name is not None and not target.refers and not asks_host,
        )

    def answers_locally(self, target: CallTarget) -> bool:
        """Return whether the target's secrets can be found without asking another machine."""
        return self._secrets.answers_locally(target.values)

    def slots_of_secrets(self, target: CallTarget) -> OpeningSlots:
        """Return the slots for threads that read secrets at once in the stores that the target
        refers to.
        """
        return self._stored.slots(
            ("secrets", *sorted({kind for _, kind, _ in references(target.values)}))
        )

    def forget_secrets(self, target: CallTarget) -> None:
        """Drop the target's cached secrets, so that the next opening reads them again."""
        self._secrets.forget(target.values)

    def check_references(self, values: Mapping[str, Any], folder: str = ".") -> None:
        """Refuse references in a connection of a remote caller that its workspace does not allow or
        that are always forbidden.

        :raises InvalidConnection: with a detail for each refused reference.
        """
        if any(reference_paths(values)):
            refuse_references(values, folder, self._rules())

    def defaults(
        self, target: CallTarget, action: ActionManifest, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the connection values that fill missing inputs, and resolve the references in
        these values only.
        """
        found: dict[str, Any] = {}
        for name, source in action.defaults:
            if source in target.values and _is_blank(given.get(name)):
                found[source] = target.values[source]
        return self._resolved(target, found)

    def host_defaults(self, target: CallTarget, model: type[ConnectionType]) -> Mapping[str, Any]:
        """Return the machine's defaults for values that the target lacks."""
        ask = model.host_defaults
        return {} if ask is None else contained(ask, target.values, self._environment)

    def _resolved(self, target: CallTarget, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not target.refers:
            return values
        if target.origin == "remote":
            self.check_references(values, target.folder)
        return self._secrets.resolve(
            values, target.folder, self._rules() if target.origin == "remote" else None
        )

    def _rules(self) -> ReferenceRules:
        return ReferenceRules(
            self._access().references, self._barred(), credential_files(self._environment)
        )

    def _digest(self, values: Mapping[str, Any]) -> Hashable:
        text = _SORTED.encode(values)
        # a keyed hash, ten times as fast as HMAC
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._salt).digest()


def _is_blank(value: object) -> bool:
    return not (value.strip() if isinstance(value, str) else value)
