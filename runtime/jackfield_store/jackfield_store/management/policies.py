"""Provider policies that a connection needs, derived from the permissions that actions and triggers declare."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connections.host_access import generated_fields
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInvocation,
    JackfieldError,
    UnknownAction,
    UnknownConnector,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep
from jackfield_store.management.call_permissions import Needed, check_calls, needed
from jackfield_store.management.connection_test import serving

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector import ConnectionType
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.manifest.triggers import TriggerManifest
    from jackfield.pipe.admit import Targets
    from jackfield.pipe.open import Opener
    from jackfield_store.management.connection_test import TargetSource

    _Part = ActionManifest | TriggerManifest

_MOST_CONNECTORS = 10
"""Connectors of one policy: fewer than the service models that jackfield-aws caches (16)."""
_MOST_ACTIONS = 1_000
"""Actions of one policy: those of the largest service of AWS, and more than any IAM policy has room for (6,144 characters)."""
_NAMED = 50
"""Actions that a hint names."""


class TooWide(InvalidInvocation):
    """The connection serves more than one policy may hold; the caller has to narrow the request."""


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """Connectors or actions that a policy is for, and to whom it applies.

    ``actions`` are names of actions and triggers (``sendEmail`` or ``aws-ses/mailEvents``), ``connector`` is the key of one connector; with
    neither, the policy is for all that the connection serves. ``sender`` restricts the addresses that may be
    sent from, by default to the connection's own. ``calls`` are ``{"action", "inputs"}`` of calls that are to be made: the policy is for
    them alone, and for the resources that their inputs name.
    """

    actions: Sequence[str] | None = None
    connector: str | None = None
    principal_arn: str | None = None
    sender: str | None = None
    calls: Sequence[Mapping[str, Any]] | None = None

    @property
    def names(self) -> Sequence[str] | None:
        """Names of the actions that it is for; None for all."""
        return self.actions if self.calls is None else [call["action"] for call in self.calls]


def policies(stored: NamedConnection, catalog: Catalog, opening: Opener, targets: TargetSource, wanted: PolicyRequest) -> dict[str, Any]:
    """Return ``{"connection", "actions", "permissions"}`` and the policy documents that the connection's type derives from them.

    ``permissions`` are those of the actions; the documents also allow what the connection's test needs.

    :raises UnknownAction: if the connection does not serve one of the actions.
    :raises UnknownConnector: if there is no such connector, or the connection does not serve it.
    :raises TooWide: if the request is for more than 10 connectors or 1,000 actions.
    :raises InvalidInvocation: if the actions declare no permissions, or a sender is given and the type has none.
    :raises InvalidConnection: if the type has no policies, or the values cannot be read.
    """
    if wanted.calls is not None:
        check_calls(wanted.calls)
    manifests = _manifests(stored, catalog, wanted)
    manifest = manifests[0]
    connector: LoadedConnector = catalog.load(manifest.key)
    kind = opening.find(targets.find(stored, manifest), manifest, connector).kind
    make, system = getattr(kind, "policies", None), type(kind).permission_system
    if make is None or system is None:
        text = f"connections of the type '{stored.type}' need no policies"
        raise InvalidConnection(text, details=[Detail("/type", text)], hint="See the setup guide of the connection type.")
    if wanted.names is None:
        _check_width(stored, manifests)
    chosen = sorted(_chosen(stored, manifests, wanted.names))
    connectors = list(_loaded(catalog, connector, chosen))
    declared, narrowed = needed(connectors, chosen, system, wanted.calls)
    permissions = sorted(kind.needed_permissions(declared))
    if not permissions and not narrowed:
        text = "the actions declare no permissions"
        raise InvalidInvocation(text, details=[Detail("/actions", text)], hint="Choose other actions, or ask the connector's author.")
    testing = sorted(kind.needed_permissions({name for one in connectors for name in one.test_permissions.get(system, ())}))
    documents = dict(make(permissions, wanted.principal_arn, **_more(kind, wanted.sender, testing, narrowed)))
    for one in connectors:
        for add in one.documents:
            documents |= add(documents, kind)
    named = sorted({*permissions, *(permission for permission, _ in narrowed)})
    about = {"connection": stored.name, "actions": [key for key, _ in chosen], "permissions": named}
    return {**about, **documents}


def _manifests(stored: NamedConnection, catalog: Catalog, wanted: PolicyRequest) -> Sequence[Manifest]:
    """Return the manifests of what is asked for: a catalogue of any size costs no more than that."""
    if wanted.connector is not None:
        found = [_serving(stored, catalog, wanted.connector)]
    else:
        named = [name.partition("/")[0] for name in wanted.names or () if "/" in name]
        found = [_serving(stored, catalog, key) for key in dict.fromkeys(named)]
        if not found or len(named) < len(wanted.names or ()):
            known = {manifest.key for manifest in found}
            found += [manifest for manifest in serving(catalog, stored) if manifest.key not in known]
    return found


def _serving(stored: NamedConnection, catalog: Catalog, key: str) -> Manifest:
    """Return the manifest of a connector that the connection serves.

    :raises UnknownConnector: if there is none.
    """
    manifest = catalog.find(key)
    if manifest.connection_type(stored.type) is None:
        raise UnknownConnector(f"the connection '{stored.name}' does not serve the connector '{key[:80]}'", hint=NextStep("connectors"))
    return manifest


def _check_width(stored: NamedConnection, manifests: Sequence[Manifest]) -> None:
    """Refuse a request for more connectors or actions than a policy may hold."""
    count = sum(len(manifest.actions) for manifest in manifests[: _MOST_CONNECTORS + 1])
    if len(manifests) <= _MOST_CONNECTORS and count <= _MOST_ACTIONS:
        return
    held = f"{len(manifests)} connectors" if len(manifests) > _MOST_CONNECTORS else f"{count:,} actions"
    most = f"{_MOST_CONNECTORS} connectors and {_MOST_ACTIONS:,} actions"
    text = f"the connection '{stored.name}' serves {held}; one policy holds at most {most}"
    raise TooWide(text, details=[Detail("/connector", "is required for this connection", "required")], hint=NextStep("narrow_policy"))


def _loaded(catalog: Catalog, first: LoadedConnector, chosen: Sequence[tuple[str, _Part]]) -> Iterator[LoadedConnector]:
    """Load the connectors of the chosen actions. A broken one adds nothing; its actions cannot run anyway."""
    for key in dict.fromkeys(name.partition("/")[0] for name, _ in chosen):
        with contextlib.suppress(JackfieldError):
            yield first if key == first.key else catalog.load(key)


def _more(kind: ConnectionType, sender: str | None, testing: Sequence[str], statements: Sequence[Needed]) -> dict[str, Any]:
    """Return the optional arguments of a type's ``policies``: only those with a value, since few types take them."""
    if sender is not None and "sender" not in type(kind).model_fields:
        text = f"connections of the type '{type(kind).key}' have no sender to restrict"
        raise InvalidInvocation(text, details=[Detail("/from", text)], hint="Omit the sender.")
    named = {"sender": sender, "testing": testing, "statements": statements}
    return {name: value for name, value in named.items() if value}


def external_id(stored: NamedConnection, catalog: Catalog, opening: Opener, targets: Targets) -> str | None:
    """Return the External ID of a connection with its reference resolved; None if the type or the connection has none.

    :raises InvalidConnection: if the reference cannot be read.
    """
    manifest = serving(catalog, stored)[0]
    target = targets.find(stored, manifest)
    fields = generated_fields(target.kind.schema)
    if not any(stored.values.get(field) is not None for field in fields):
        return None
    values = opening.find(target, manifest, catalog.load(manifest.key)).cache.values
    return next((str(values[field]) for field in fields if values.get(field) is not None), None)


def _chosen(stored: NamedConnection, manifests: Sequence[Manifest], actions: Sequence[str] | None) -> Iterator[tuple[str, _Part]]:
    served = {f"{manifest.key}/{action.key}": action for manifest, action in _served(stored, manifests)}
    if actions is None:
        yield from served.items()
        return
    for name in dict.fromkeys(actions):
        meant = [key for key in served if name in (key, key.partition("/")[2])]
        if not meant:
            tail = did_you_mean(name, [*served, *(key.partition("/")[2] for key in served)])
            more = f" and {len(served) - _NAMED} more" if len(served) > _NAMED else ""
            hint = f"It serves {', '.join(sorted(served)[:_NAMED])}{more}."
            raise UnknownAction(f"the connection '{stored.name}' supports no action or trigger '{name[:80]}'{tail}", hint=hint)
        yield from ((key, served[key]) for key in meant)


def _served(stored: NamedConnection, manifests: Sequence[Manifest]) -> Iterator[tuple[Manifest, _Part]]:
    for manifest in manifests:
        kind = manifest.connection_type(stored.type)
        parts: list[_Part] = [*manifest.actions.values(), *manifest.triggers.values()]
        for one in parts:
            if kind is not None and kind.can_serve(one.key):
                yield manifest, one
