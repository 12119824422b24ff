"""Connection of an invocation: found by name, chosen, or inline. Only manifests are read, so a
refused call imports no connector code.

Calls over inline values have one plan each; they share the parts of it that depend on no value of a
connection.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.call.call_rules import permitted, seen_connection
from jackfield.connections.connection_lookup import Connections
from jackfield.connections.host_access import generated_fields
from jackfield.connections.named_connection import NamedConnection, Origin
from jackfield.connections.secret_references import reference_paths
from jackfield.invocation import Invocation
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation, did_you_mean
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.hidden import trimmed
from jackfield.kernel.hints import NextStep
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.manifest import (
    OAUTH_CLIENT,
    ActionManifest,
    ConnectionTypeManifest,
    Manifest,
)
from jackfield.redaction.marks import hidden_values
from jackfield.redaction.redactor import Redactor
from jackfield.schema.cache import Schemas

if TYPE_CHECKING:
    from jackfield.callers import Authorizer
    from jackfield.connections.oauth_clients import OAuthClient
    from jackfield.connector.actions import Action
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.invocation.provider_ids import Places
    from jackfield.kernel.walk import SecretPlaces
    from jackfield.schema import CompiledSchema

_BRANCHES = ("allOf", "anyOf", "oneOf")
_VERBATIM = ("password", "passphrase")
"""Endings of the names of secrets that a person has made up, which may begin or end with white
space.
"""


@dataclass(frozen=True, slots=True, repr=False)
class CallTarget(SecretHolder):
    """Connection of an invocation.

    ``name`` is None for inline values. ``values`` are validated, with references unresolved. ``id``
    is set for connections stored in the database. ``origin`` is the source of the values.
    ``inputs`` are default inputs by connector and action, which files of other systems may contain.
    """

    name: str | None
    kind: ConnectionTypeManifest
    values: Mapping[str, Any]
    folder: str = "."
    version: int = 1
    id: str | None = None
    origin: Origin = "operator"
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    client: OAuthClient | None = None
    """OAuth client that the connection refers to; ``values`` already contain its values."""
    refers: bool = True
    """True if a value is or contains a secret reference. If False, no invocation searches the
    values for references.
    """
    chosen: tuple[str, ...] = ()
    """Fields with an External ID, chosen by a remote caller for an inline connection."""
    quotas: Sequence[Mapping[str, Any]] = ()
    """Quotas on effects over the connection."""


def find_target(
    invocation: Invocation,
    manifest: Manifest,
    connections: Connections,
    targets: Targets,
    origin: Origin,
    authorizer: Authorizer,
    note: Callable[[str], object] | None,
) -> CallTarget | None:
    """Find the connection of an invocation, and validate its values. ``origin`` applies to an
    inline connection.

    ``authorizer`` limits the connections that may be chosen or suggested; ``note`` is called with
    the rule that forbids all of them. Return None if the action needs no connection, or if a dry
    run names no connection and no stored one fits.

    :raises UnknownConnection: no such connection.
    :raises InvalidInvocation: an unknown inline type, or a missing connection that cannot be
        guessed.
    :raises InvalidConnection: values that break their schema, or a type that cannot serve the
        connector.
    """
    given = invocation.connection
    if given is None:
        return _only_target(invocation, manifest, connections, targets, authorizer, note)
    if not manifest.connection_types:
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[Detail("/connection", f"'{manifest.key}' needs no connection")],
            hint="Leave 'connection' out.",
        )
    if isinstance(given, str):
        return targets.find(seen_connection(connections, given, manifest, authorizer), manifest)
    return inline_target(given, manifest, connections, targets, origin)


def inline_target(
    given: Mapping[str, Any],
    manifest: Manifest,
    connections: Connections,
    targets: Targets,
    origin: Origin,
) -> CallTarget:
    """Return the target of a connection whose values the call contains, validated.

    :raises InvalidInvocation: an unknown type.
    :raises InvalidConnection: values that break their schema.
    """
    kind = manifest.connection_type(given["type"]) or manifest.connection_type(
        connections.full_name_of(given["type"])
    )
    if kind is None:
        tail = did_you_mean(given["type"], manifest.connection_types)
        fault = Detail(
            "/connection/type",
            f"'{manifest.key}' has no connection type '{given['type'][:80]}'{tail}",
            "enum",
        )
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[fault],
            hint=_accepted_types(manifest),
        )
    own, client = targets.joined(kind, given.get("values") or {}, None)
    values = check_values(kind, own, manifest, targets.schemas)
    chosen = _chosen_external_ids(kind, values) if origin == "remote" else ()
    return CallTarget(
        None,
        kind,
        values,
        origin=_origin(origin, client),
        client=client,
        refers=_refers(values),
        chosen=chosen,
    )


def check_serves(manifest: Manifest, kind: ConnectionTypeManifest, action: str) -> None:
    """Check that connections of a type can serve an action.

    :raises InvalidConnection: if the type cannot serve the action.
    """
    if kind.serves is not None and not kind.can_serve(action):
        fitting = [
            manifest.full_name(other)
            for other in manifest.connection_types.values()
            if other.can_serve(action)
        ]
        raise InvalidConnection(
            f"connections of the type '{manifest.full_name(kind)}' cannot serve '{action}': "
            f"{kind.serves.reason}",
            hint=f"Use a connection of the type {', '.join(fitting)}." if fitting else None,
        )


def _chosen_external_ids(
    kind: ConnectionTypeManifest, values: Mapping[str, Any]
) -> tuple[str, ...]:
    return tuple(field for field in generated_fields(kind.schema) if values.get(field))


def _only_target(
    invocation: Invocation,
    manifest: Manifest,
    connections: Connections,
    targets: Targets,
    authorizer: Authorizer,
    note: Callable[[str], object] | None,
) -> CallTarget | None:
    action = invocation.action
    if not manifest.connection_types or not manifest.actions[action].needs_connection:
        return None
    fits = permitted(connections, manifest, action, authorizer, note)
    kinds = {name: manifest.connection_type(full_name) for name, full_name in fits}
    known = {
        name: kind
        for name, kind in kinds.items()
        if kind is not None and manifest.takes_unnamed(manifest.full_name(kind))
    }
    # If no connection can serve the action, those that cannot still count: a single one is chosen,
    # and its refusal says why.
    fitting = [name for name, kind in known.items() if kind.can_serve(action)] or list(known)
    if len(fitting) == 1:
        return targets.find(connections.find(fitting[0]), manifest)
    if fitting:
        reason = f"'connection' is missing, and {len(fitting)} connections fit '{manifest.key}'"
        hint = f"Set 'connection' to one of {', '.join(fitting[:10])}."
    elif kinds:
        reason = (
            f"'connection' is missing, and '{manifest.key}' gets connections that it shares "
            "with other connectors only by name"
        )
        hint = f"Set 'connection' to one of {', '.join([*kinds][:10])}."
    elif invocation.dry_run:
        return None
    else:
        reason = (
            f"'connection' is missing, and no connection of the workspace fits '{manifest.key}'"
        )
        more = _accepted_types(manifest)
        unusable = (
            []
            if authorizer.is_bound
            else [*connections.problems, *_of_no_type(connections, manifest)]
        )
        if unusable:
            more += (
                f" Some connections in connection files cannot be used: {'; '.join(unusable[:3])}."
            )
        first = next(
            (manifest.full_name(kind) for kind in manifest.connection_types.values()), "TYPE"
        )
        hint = NextStep("add_connection", type=first, more=more)
    raise InvalidInvocation(
        "1 member of the invocation is not valid",
        details=[Detail("/connection", reason, "required")],
        hint=hint,
    )


def _of_no_type(connections: Connections, manifest: Manifest) -> Iterator[str]:
    """Yield a sentence for each connection of a file whose type has the connector's or its family's
    name, and does not exist.
    """
    families = {
        manifest.key,
        *(
            manifest.full_name(kind).partition("/")[0]
            for kind in manifest.connection_types.values()
        ),
    }
    for item in connections.files():
        if item.type.partition("/")[0] in families and manifest.connection_type(item.type) is None:
            yield (
                f"'{item.name}' has the type '{item.type[:80]}', which '{manifest.key}' does "
                "not have"
            )


class Targets(ProcessLocal):
    """Cache of the targets of stored connections. An entry is valid for the same connection object,
    and for the same OAuth client, which ``find_client`` finds.
    """

    def __init__(
        self, schemas: Schemas, find_client: Callable[[object], OAuthClient], limit: int = 2000
    ) -> None:
        self.schemas = schemas
        self._find_client = find_client
        self._limit = limit
        self._cache: OrderedDict[tuple[str, str, str], tuple[NamedConnection, CallTarget]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()

    def find(self, stored: NamedConnection, manifest: Manifest) -> CallTarget:
        """Return the target for a stored connection and a connector.

        :raises InvalidConnection: if the connector does not have the connection's type, or the
            values break the type's schema.
        """
        key = (stored.name, manifest.key, manifest.version)
        cached = self._cache.get(key)
        if cached is not None and cached[0] is stored and self._is_current(stored, cached[1]):
            return cached[1]
        target = self._judged(stored, manifest)
        with self._lock:
            self._cache[key] = (stored, target)
            if len(self._cache) > self._limit:
                self._cache.popitem(last=False)
        return target

    def joined(
        self, kind: ConnectionTypeManifest, own: Mapping[str, Any], name: str | None
    ) -> tuple[Mapping[str, Any], OAuthClient | None]:
        """Return the values of a connection with those of the OAuth client that it names, and the
        client.

        :raises InvalidConnection: if there is no such client, or the connection sets a value that
            only the client may set.
        """
        if own.get(OAUTH_CLIENT) is None:
            return own, None
        client = self._find_client(own[OAUTH_CLIENT])
        return client.join(kind, own, name), client

    def _is_current(self, stored: NamedConnection, target: CallTarget) -> bool:
        return target.client is None or target.client is self._find_client(
            stored.values[OAUTH_CLIENT]
        )

    def _judged(self, stored: NamedConnection, manifest: Manifest) -> CallTarget:
        kind = type_of(stored, manifest)
        try:
            own, client = self.joined(kind, stored.values, stored.name)
            values = check_values(kind, own, manifest, self.schemas, name=stored.name)
        except InvalidConnection as error:
            raise stored.explain(error) from None
        inputs = stored.foreign.inputs if stored.foreign is not None else {}
        origin = _origin(stored.origin, client)
        return CallTarget(
            stored.name,
            kind,
            values,
            stored.folder,
            stored.version,
            stored.id,
            origin,
            inputs,
            client,
            _refers(values),
            quotas=stored.quotas,
        )


def _origin(origin: Origin, client: OAuthClient | None) -> Origin:
    """Return the origin of values that may come in part from a tenant's client."""
    return origin if client is None or client.origin == "operator" else "remote"


def type_of(stored: NamedConnection, manifest: Manifest) -> ConnectionTypeManifest:
    """Return the connector's type of a stored connection.

    :raises InvalidConnection: if the connector does not have this type.
    """
    kind = manifest.connection_type(stored.type)
    if kind is None:
        raise InvalidConnection(
            f"the connection '{stored.name}' is of type '{stored.type[:80]}', which cannot serve "
            f"'{manifest.key}'",
            hint=_accepted_types(manifest),
        )
    return kind


def _refers(values: Mapping[str, Any]) -> bool:
    return next(reference_paths(values), None) is not None


def check_values(
    kind: ConnectionTypeManifest,
    values: Mapping[str, Any],
    manifest: Manifest,
    schemas: Schemas,
    *,
    name: str | None = None,
    is_read: bool = False,
) -> Mapping[str, Any]:
    """Clean connection values, validate them against their type's schema and fill in defaults.

    References to secrets are not validated until they are read; with ``is_read`` the values contain
    the secrets themselves. ``name`` is the connection's: None for an inline connection, empty for
    one without a name yet.

    :raises InvalidConnection: with all faults at once.
    """
    schema = schemas.find(
        (manifest.key, manifest.version, "connection", kind.key), kind.schema, noun="value"
    )
    values = cleaned(kind.schema, values, cuts=not is_read)
    checked = schema.check(values)
    if not checked.details:
        return checked.value
    references = tuple(f"{path}/" for path in reference_paths(values))
    faults = (
        [fault for fault in checked.details if not _is_unread(fault, references)]
        if references
        else checked.details
    )
    if not faults:
        return values
    secrets = hidden_values(kind.schema, values)
    faults = _cleaned(faults, secrets)
    number = checked.count - (len(checked.details) - len(faults))
    count = "1 value" if number == 1 else f"{number} values"
    which = (
        "the inline connection"
        if name is None
        else f"the connection '{name}'"
        if name
        else "the connection"
    )
    raise InvalidConnection(
        f"{count} of {which} ({kind.key}) {'is' if number == 1 else 'are'} not valid",
        details=faults,
        hint=NextStep("connection_schema", connector=manifest.key, type=kind.key),
    )


def is_blank(value: object) -> bool:
    """Return whether a value is a string of only white space and invisible characters."""
    return isinstance(value, str) and not trimmed(value)


def cleaned(
    schema: Mapping[str, Any], values: Mapping[str, Any], *, cuts: bool = True
) -> Mapping[str, Any]:
    """Return the values of a connection without white space and invisible characters at the ends of
    strings.

    A string of only such characters is left out if the schema requires it, so that it counts as
    missing. Passwords and multi-line strings are not trimmed; nor are secrets read from a
    reference, for which ``cuts`` is False.
    """
    fields, required = schema.get("properties", {}), set(_required(schema))
    found: dict[str, Any] = {}
    for name, value in values.items():
        field = fields.get(name)
        if isinstance(value, str):
            text = trimmed(value)
            if not text and name in required:
                continue
            found[name] = text if cuts and text and not _keeps_ends(name, field) else value
        else:
            found[name] = (
                cleaned(field, value, cuts=cuts)
                if isinstance(value, Mapping) and isinstance(field, Mapping)
                else value
            )
    return found if found != values else values


def _keeps_ends(name: object, field: object) -> bool:
    is_of_lines = (
        isinstance(field, Mapping) and field.get("x-jackfield", {}).get("multiline") is True
    )
    return is_of_lines or str(name).lower().endswith(_VERBATIM)


def _required(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from schema.get("required", ())
    for keyword in _BRANCHES:
        for branch in schema.get(keyword, ()):
            if isinstance(branch, Mapping):
                yield from _required(branch)


def _is_unread(fault: Detail, references: tuple[str, ...]) -> bool:
    """Return whether a fault is about a secret that has not been read yet. An unknown member's name
    is a fault in any case.
    """
    is_name = fault.keyword == "additionalProperties" and f"{fault.path}/" in references
    return f"{fault.path}/".startswith(references) and not is_name


def _cleaned(faults: Sequence[Detail], secrets: frozenset[str]) -> list[Detail]:
    """Redact the connection's secrets in the faults: a fault may quote a field that repeats a
    secret or contain it as a member's name.
    """
    redactor = Redactor(secrets)
    return [
        Detail(redactor.clean(fault.path), redactor.clean(fault.message), fault.keyword)
        for fault in faults
    ]


def _accepted_types(manifest: Manifest) -> str:
    names = ", ".join(manifest.full_name(kind) for kind in manifest.connection_types.values())
    return f"'{manifest.key}' supports connections of the types {names}."


class Coded(Protocol):
    """Protocol of a plan with its code: the connector's, the action's, and the code of the
    connection's connector.
    """

    connector: LoadedConnector
    code: Action
    lending: LoadedConnector
    reports: bool
    references: Places


class ActionParts:
    """Code and validators of an action with a connection type, each set by the first call that
    needs it.

    - ``inputs`` and ``judge``: validators of the inputs and of the output.
    - ``secrets``: True if the output has secrets, and their places.
    """

    __slots__ = ("_code", "inputs", "judge", "secrets")

    def __init__(self) -> None:
        self.inputs: CompiledSchema | None = None
        self.judge: CompiledSchema | None = None
        self.secrets: tuple[bool, SecretPlaces | None] | None = None
        self._code: tuple[LoadedConnector, Action, LoadedConnector, bool, Places] | None = None

    def keep(self, plan: Coded) -> None:
        """Store the code that a plan has loaded."""
        self._code = plan.connector, plan.code, plan.lending, plan.reports, plan.references

    def give(self, plan: Coded) -> bool:
        """Copy the stored code to a plan; return False if no code is stored."""
        if self._code is None:
            return False
        plan.connector, plan.code, plan.lending, plan.reports, plan.references = self._code
        return True


class PartsByType:
    """Parts of plans over inline values, by action and connection type. The number is limited; the
    oldest are dropped first.
    """

    def __init__(self, limit: int) -> None:
        self._known: BoundedCache[
            tuple[str, str, str, str], tuple[Manifest, ConnectionTypeManifest, ActionParts]
        ] = BoundedCache(limit)

    def find(
        self, manifest: Manifest, action: ActionManifest, kind: ConnectionTypeManifest
    ) -> ActionParts:
        """Return the parts of an action; new parts if its manifest has been read again."""
        key = (manifest.key, manifest.version, action.key, kind.key)
        found = self._known.get(key)
        if found is None or found[0] is not manifest or found[1] is not kind:
            found = manifest, kind, ActionParts()
            self._known.put(key, found)
        return found[2]


def bringable(manifest: Manifest, action: ActionManifest) -> tuple[str, ...]:
    """Return the inputs that a connection may supply as defaults or make optional."""
    return (
        *(name for name, _ in action.defaults),
        *(name for kind in manifest.connection_types.values() for name in kind.waives),
    )
