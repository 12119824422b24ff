"""Provider policies that a connection needs, derived from the permissions that actions declare."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connections.external_ids import generated_fields
from jackfield.errors import Detail, InvalidConnection, InvalidInvocation, JackfieldError, UnknownAction, did_you_mean
from jackfield.management.connection_test import serving

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector import ConnectionType, Connector
    from jackfield.manifest import ActionManifest, Manifest
    from jackfield.pipe.admit import Targets
    from jackfield.pipe.open import Opener


def policies(
    stored: NamedConnection,
    catalog: Catalog,
    opening: Opener,
    targets: Targets,
    actions: Sequence[str] | None,
    principal_arn: str | None,
    sender: str | None = None,
) -> dict[str, Any]:
    """Return ``{"connection", "actions", "permissions"}`` and the policy documents that the connection's type derives from them.

    ``permissions`` are those of the actions; the documents also allow what the connection's test needs. ``sender`` restricts the addresses
    that may be sent from, by default to the connection's own.

    :raises UnknownAction: if the connection does not serve one of the actions.
    :raises InvalidInvocation: if the actions declare no permissions, or ``sender`` is given and the type has none.
    :raises InvalidConnection: if the type has no policies, or the values cannot be read.
    """
    manifests = [*serving(catalog, stored)]
    manifest = manifests[0]
    named = dict.fromkeys(name.partition("/")[0] for name in actions or () if "." in name.partition("/")[0])
    manifests += [catalog.find(key) for key in named if key not in {known.key for known in manifests}]
    connector: Connector = catalog.load(manifest.key)
    kind = opening.find(targets.find(stored, manifest), manifest, connector, {}).kind
    make, system = getattr(kind, "policies", None), type(kind).permission_system
    if make is None or system is None:
        text = f"connections of the type '{stored.type}' need no policies"
        raise InvalidConnection(text, details=[Detail("/type", text)], hint="See the setup guide of the connection type.")
    chosen = sorted(_chosen(stored, manifests, actions))
    permissions = sorted(kind.needed_permissions({name for _, action in chosen for name in action.permissions.get(system, ())}))
    if not permissions:
        text = "the actions declare no permissions"
        raise InvalidInvocation(text, details=[Detail("/actions", text)], hint="Choose other actions, or ask the connector's author.")
    connectors = list(_loaded(catalog, connector, chosen))
    testing = sorted(kind.needed_permissions({name for one in connectors for name in one.test_permissions.get(system, ())}))
    documents = dict(make(permissions, principal_arn, **_more(kind, sender, testing)))
    for one in connectors:
        for add in one.documents:
            documents |= add(documents, kind)
    about = {"connection": stored.name, "actions": [key for key, _ in chosen], "permissions": permissions}
    return {**about, **documents}


def _loaded(catalog: Catalog, first: Connector, chosen: Sequence[tuple[str, ActionManifest]]) -> Iterator[Connector]:
    """Load the connectors of the chosen actions. A broken one adds nothing; its actions cannot run anyway."""
    for key in dict.fromkeys(name.partition("/")[0] for name, _ in chosen):
        with contextlib.suppress(JackfieldError):
            yield first if key == first.key else catalog.load(key)


def _more(kind: ConnectionType, sender: str | None, testing: Sequence[str]) -> dict[str, Any]:
    """Return the optional arguments of a type's ``policies``: only those with a value, since few types take them."""
    if sender is not None and "sender" not in type(kind).model_fields:
        text = f"connections of the type '{type(kind).key}' have no sender to restrict"
        raise InvalidInvocation(text, details=[Detail("/from", text)], hint="Omit the sender.")
    named = {"sender": sender, "testing": testing}
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
    values = opening.find(target, manifest, catalog.load(manifest.key), {}).cache.values
    return next((str(values[field]) for field in fields if values.get(field) is not None), None)


def _chosen(stored: NamedConnection, manifests: Sequence[Manifest], actions: Sequence[str] | None) -> Iterator[tuple[str, ActionManifest]]:
    served = {f"{manifest.key}/{action.key}": action for manifest, action in _served(stored, manifests)}
    if actions is None:
        yield from served.items()
        return
    for name in dict.fromkeys(actions):
        meant = [key for key in served if name in (key, key.partition("/")[2])]
        if not meant:
            tail = did_you_mean(name, [*served, *(key.partition("/")[2] for key in served)])
            hint = f"It serves {', '.join(sorted(served))}."
            raise UnknownAction(f"the connection '{stored.name}' does not support an action '{name[:80]}'{tail}", hint=hint)
        yield from ((key, served[key]) for key in meant)


def _served(stored: NamedConnection, manifests: Sequence[Manifest]) -> Iterator[tuple[Manifest, ActionManifest]]:
    for manifest in manifests:
        kind = manifest.connection_type(stored.type)
        for action in manifest.actions.values():
            if kind is not None and kind.can_serve(action.key):
                yield manifest, action
