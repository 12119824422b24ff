"""Provider policies that a connection needs, derived from the permissions that actions and triggers
declare.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connections.host_access import generated_fields
from jackfield.connector.context import Call, entered
from jackfield.invocation import DEFAULT_TIMEOUT
from jackfield.kernel.clock import Deadline
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation, JackfieldError
from jackfield.manifest.triggers import TriggerManifest
from jackfield_store.management.call_permissions import Needed, check_calls, needed
from jackfield_store.management.connection_test import serving
from jackfield_store.management.served_actions import (
    Allows,
    chosen,
    manifests_for,
    meant,
    parts_served,
)

if TYPE_CHECKING:
    from jackfield.call.admit import Targets
    from jackfield.call.open import Opener
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector import ConnectionType
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.kernel.clock import Clock
    from jackfield_store.management.connection_test import TargetSource
    from jackfield_store.management.served_actions import Part
    from jackfield_store.management.visible_connections import VisibleConnections


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """Connectors or actions of a policy, and the principal that it applies to.

    ``actions`` are names of actions and triggers (``sendEmail`` or ``aws-ses/mailEvents``), or
    patterns as in rules (``aws.s3/get*``, ``aws-ses/* & effect:read``); ``connector`` is the key of
    one connector. ``calls`` are ``{"action", "inputs"}`` of planned calls: they are allowed for the
    resources in their inputs. Without any of these, the policy covers everything that the
    connection serves. ``sender`` restricts the addresses that may be sent from, by default to the
    connection's own. If ``lenient``, names of other connectors are left out. If not ``whole``, the
    connectors add no documents to the type's. With ``evidence``, the policy also covers the logs
    that are read about calls in doubt.
    """

    actions: Sequence[str] | None = None
    connector: str | None = None
    principal_arn: str | None = None
    sender: str | None = None
    calls: Sequence[Mapping[str, Any]] | None = None
    lenient: bool = False
    whole: bool = True
    evidence: bool = False

    @property
    def names(self) -> Sequence[str] | None:
        """Names and patterns of the actions that the policy is for; None for all."""
        if self.calls is None:
            return self.actions
        return [*(self.actions or ()), *(call["action"] for call in self.calls)]


def visible_policies(
    visible: VisibleConnections,
    opening: Opener,
    clock: Clock,
    stored: NamedConnection,
    targets: TargetSource,
    wanted: PolicyRequest,
) -> dict[str, Any]:
    """Return the policies of a connection, for the calls that its caller may make over it.

    :raises JackfieldError: as ``policies`` does.
    """
    with entered(Call(Deadline.after(DEFAULT_TIMEOUT, clock), workspace=opening.workspace)):
        return policies(
            stored, visible.catalog_for(stored.name), opening, targets, wanted, visible.allows
        )


def policies(
    stored: NamedConnection,
    catalog: Catalog,
    opening: Opener,
    targets: TargetSource,
    wanted: PolicyRequest,
    allows: Allows,
) -> dict[str, Any]:
    """Return ``{"connection", "actions", "permissions"}`` and the policy documents that the
    connection's type derives from them.

    ``permissions`` are the permissions of the actions; the documents also allow the connection's
    test. ``catalog`` has the actions that the caller may run; ``allows`` decides on triggers, which
    the catalog does not filter.

    :raises UnknownAction: if the connection does not serve one of the actions.
    :raises UnknownConnector: if there is no such connector, or the connection does not serve it.
    :raises TooWide: if the request is for more than 10 connectors or 1,000 actions.
    :raises InvalidInvocation: if the actions declare no permissions, or a sender is given and the
        type has none.
    :raises InvalidConnection: if the type has no policies, or the values cannot be read.
    """
    if wanted.calls is not None:
        check_calls(wanted.calls)
    manifests = manifests_for(
        stored, catalog, wanted.names, wanted.connector, lenient=wanted.lenient
    )
    served, manifest = parts_served(stored, manifests, allows), manifests[0]
    connector: LoadedConnector = catalog.load(manifest.key)
    kind = opening.find(targets.find(stored, manifest), manifest, connector).kind
    make, system = getattr(kind, "policies", None), type(kind).permission_system
    if make is None or system is None:
        text = f"connections of the type '{stored.type}' need no policies"
        raise InvalidConnection(
            text,
            details=[Detail("/type", text)],
            hint="See the setup guide of the connection type.",
        )
    parts = sorted(chosen(stored, served, wanted.names, lenient=wanted.lenient).items())
    connectors = list(_loaded(catalog, connector, parts))
    unbound = (
        parts if wanted.calls is None else list(meant(stored, served, wanted.actions or ()).items())
    )
    # a policy for all that is served has no room for resources
    knowing = connectors if wanted.names is not None else []
    declared, narrowed = needed(knowing, parts, system, wanted.calls, unbound)
    if wanted.evidence:
        declared |= _of_evidence(connectors, parts, system)
    permissions = sorted(kind.needed_permissions(declared))
    if not permissions and not narrowed:
        text = "the actions declare no permissions"
        raise InvalidInvocation(
            text,
            details=[Detail("/actions", text)],
            hint="Choose other actions, or ask the connector's author.",
        )
    testing = sorted(
        kind.needed_permissions(
            {name for one in connectors for name in one.test_permissions.get(system, ())}
        )
    )
    documents = dict(
        make(permissions, wanted.principal_arn, **_more(kind, wanted.sender, testing, narrowed))
    )
    for one in connectors if wanted.whole else ():
        for add in one.documents:
            documents |= add(documents, kind)
    named = sorted({*permissions, *(permission for permission, _ in narrowed)})
    about = {"connection": stored.name, "actions": [key for key, _ in parts], "permissions": named}
    return {**about, **documents}


def _loaded(
    catalog: Catalog, first: LoadedConnector, parts: Sequence[tuple[str, Part]]
) -> Iterator[LoadedConnector]:
    """Load the connectors of the chosen actions. A broken connector is skipped, since its actions
    cannot run.
    """
    for key in dict.fromkeys(name.partition("/")[0] for name, _ in parts):
        with contextlib.suppress(JackfieldError):
            yield first if key == first.key else catalog.load(key)


def _of_evidence(
    connectors: Sequence[LoadedConnector], parts: Sequence[tuple[str, Part]], system: str
) -> set[str]:
    """Return the permissions for reading the logs that are evidence of the actions."""
    loaded = {one.key: one for one in connectors}
    found: set[str] = set()
    for key, part in parts:
        connector = loaded.get(key.partition("/")[0])
        if connector is None or isinstance(part, TriggerManifest) or part.effect == "read":
            continue
        for one in connector.actions[part.key].evidence:
            found |= {*one.permissions.get(system, ())}
    return found


def _more(
    kind: ConnectionType, sender: str | None, testing: Sequence[str], statements: Sequence[Needed]
) -> dict[str, Any]:
    """Return the optional arguments of a type's ``policies``. Empty ones are left out, since few
    types accept them.
    """
    if sender is not None and "sender" not in type(kind).model_fields:
        text = f"connections of the type '{type(kind).key}' have no sender to restrict"
        raise InvalidInvocation(text, details=[Detail("/from", text)], hint="Omit the sender.")
    named = {"sender": sender, "testing": testing, "statements": statements}
    return {name: value for name, value in named.items() if value}


def external_id(
    stored: NamedConnection, catalog: Catalog, opening: Opener, targets: Targets
) -> str | None:
    """Return the External ID of a connection with its reference resolved; None if the type or the
    connection has none.

    :raises InvalidConnection: if the reference cannot be read.
    """
    manifest = serving(catalog, stored)[0]
    target = targets.find(stored, manifest)
    fields = generated_fields(target.kind.schema)
    if not any(stored.values.get(field) is not None for field in fields):
        return None
    values = opening.find(target, manifest, catalog.load(manifest.key)).cache.values
    return next((str(values[field]) for field in fields if values.get(field) is not None), None)
