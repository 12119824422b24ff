"""Grants of stored connections, encrypted to an age recipient: for the host's command line alone,
never for HTTP, MCP or the console.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import SystemClock, iso
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield_store.access import Audit
from jackfield_store.connections.connection_rows import split_secrets
from jackfield_store.management.drafts import destinations
from jackfield_store.management.visible_connections import not_stored, table_of

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield_store.connections.connection_table import ConnectionTable
    from jackfield_store.management.connections import ManagedConnections
    from jackfield_store.resources.storage import Storage

_RECIPIENT = "is no age recipient, such as age1… (X25519) or an SSH public key"
_MISSING = "encryption to an age recipient needs the package 'pyrage'"


def exported_grants(
    connections: ManagedConnections,
    storage: Storage,
    actor: Actor,
    recipient: str,
    names: Iterable[str] | None,
) -> tuple[bytes, list[str]]:
    """Return grants as JSON Lines for ``connections import --from jsonl``, encrypted to
    ``recipient``, and the names of their connections.

    OAuth clients and destinations are not included. The audit log records names and recipient
    before anything is returned.

    :raises InvalidInvocation: if the recipient is not valid, or ``pyrage`` is not installed.
    :raises InvalidConnection: if a named connection has no grant in use.
    """
    encrypt, store = _encryption(recipient), table_of(connections.known)
    if store is None:
        raise InvalidInvocation(
            "grants are in the database, and this runtime has none",
            hint="Set JACKFIELD_DATABASE_URL.",
        )
    found = dict(_rows(connections, store, names))
    audit = Audit(storage.database, lambda: storage.vault, store.workspace, SystemClock(), actor)
    lines = "".join(f"{json.dumps(row, separators=(',', ':'))}\n" for row in found.values())
    audit.record(
        "connection.grants_exported",
        "connections",
        {"names": sorted(found), "recipient": recipient},
    )
    return encrypt(lines.encode()), sorted(found)


def _rows(
    connections: ManagedConnections, store: ConnectionTable, names: Iterable[str] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in [name for name, _ in store.named()] if names is None else names:
        stored = store.find(name)
        if stored is None or stored.id is None:
            raise not_stored(connections.known, name)
        grants = store.approvals[0]
        state = grants.state(stored.id)
        if names is None and (state is None or state.reason is not None):
            continue
        kind, found = connections.kinds.find(stored.type), grants.find(stored.id, name)
        value: Mapping[str, Any] = found.value
        tokens = {
            member: value[member] for member in ("refreshToken", "accessToken") if member in value
        }
        if not tokens:
            text = (
                f"the grant of the connection '{name}' has no token that another system could use"
            )
            raise InvalidConnection(text, details=[Detail("/name", text)], hint="Leave it out.")
        expires = {"expiresAt": iso(value["expiresAt"])} if "expiresAt" in value else {}
        about = {
            member: grants.about(stored.id)[member]
            for member in ("user", "metadata")
            if member in grants.about(stored.id)
        }
        grant = {**tokens, **expires, "scopes": list(found.scopes), **about}
        parts, decisive = (
            split_secrets(kind.schema, stored.values),
            {*destinations(kind.schema)} - {OAUTH_CLIENT},
        )
        secret = {place.split("/")[1] for place in parts.secrets}
        values = {
            member: given
            for member, given in parts.public.items()
            if member not in decisive | secret
        }
        yield name, {"name": name, "type": kind.full_name, "values": values, "grant": grant}


def _encryption(recipient: str) -> Any:
    """Return the function that encrypts to a recipient.

    :raises InvalidInvocation: if the text is not a recipient, or the package is missing.
    """
    try:
        pyrage: Any = import_module("pyrage")
    except ImportError:
        raise InvalidInvocation(
            _MISSING, hint="Install it: pip install 'jackfield[age]'."
        ) from None
    try:
        part = pyrage.ssh if recipient.startswith("ssh-") else pyrage.x25519
        reader = part.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        about = (
            _RECIPIENT
            if not recipient.upper().startswith("AGE-SECRET-KEY-")
            else "is a secret key: give its public key"
        )
        raise InvalidInvocation(
            "the recipient is not valid", details=[Detail("/recipient", about)]
        ) from None
    return lambda content: pyrage.encrypt(content, [reader])
