"""OAuth clients as people register them: checked, shown without their secrets, and each change in
the audit log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jackfield.connections.named_connection import NAME, NAME_EXPECTED, Origin
from jackfield.connections.oauth_clients import DESTINATIONS, ENDPOINTS, SECRETS, VALUES
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation, NotAllowed
from jackfield.kernel.hidden import trimmed
from jackfield.kernel.hints import NextStep
from jackfield.kernel.pointers import pointer
from jackfield.kernel.stored_values import problem_of_times
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.access.audit import difference
from jackfield_store.access.tokens import is_operators
from jackfield_store.connections.connection_rows import PLACEHOLDER, refuse_large
from jackfield_store.connections.oauth_client_table import OAuthClientTable, opened

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database, Row
    from jackfield_store.keys.vault import Vault
    from jackfield_store.resources.storage import Storage

MEMBERS = frozenset({"server", "values"})
"""Members of a client that a caller may set."""
MOST = 200
"""Maximum number of a workspace's clients."""
_HOST = re.compile(r"(\*|(\*\.)?[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?)\Z")
_MOST_HOSTS, _LONGEST, _MOST_NAMED = 50, 20_000, 10
_HINT = (
    'Give {"server": ["api.example.com"], "values": {"clientId": "…", "clientSecret": "…", '
    '"tokenUrl": "https://…"}}.'
)


class ClientTaken(InvalidInvocation):
    """Error for a name that another client of the workspace has already."""

    http_status = 409
    problem = "name_taken"


class ClientInUse(InvalidInvocation):
    """Error for a client to which connections refer, or that was changed meanwhile."""

    http_status = 409
    problem = "conflict"


class OAuthClients:
    """Clients of one workspace; clients of ``default`` are the server's, which only the operator
    changes. ``origin`` is the origin of the given values; ``operates`` returns whether they come
    from the operator.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        table: OAuthClientTable,
        audit: Audit,
        workspace: str,
        origin: Origin,
        operates: Callable[[], bool],
    ) -> None:
        self._operates = operates
        self._database, self._vault, self._table = database, vault, table
        self._audit, self._workspace, self._origin = audit, workspace, origin

    def add(self, name: str, server: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
        """Register a client. ``server`` are the hosts, and patterns such as ``*.example.com``, that
        its connections reach in addition to the hosts of its URLs.

        :raises InvalidInvocation: with all faults at once, or if the name is taken.
        :raises NotAllowed: if it would be the server's, and the caller is not the operator.
        """
        self._require_operator()
        faults = [] if NAME.match(name) else [Detail("/name", NAME_EXPECTED, "pattern")]
        given = _checked(server, values, faults)
        self._vault.prepare(self._workspace)
        with self._database.write() as transaction:
            if len(self._table.page("", MOST + 1)) > MOST:
                raise InvalidInvocation(
                    f"the workspace has {MOST} OAuth clients, which is the limit",
                    hint="Remove one that is not used.",
                )
            if not self._table.add(transaction, name, self._origin, server, given):
                raise ClientTaken(
                    f"there is an OAuth client '{name}' already",
                    hint="Change it, or choose another name.",
                )
            self._audit.append(
                transaction, "oauth_client.created", f"oauth-client:{name}", _about(server, given)
            )
        return self.show(name)

    def page(
        self, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of clients by name, including the server's, and the cursor of the next
        page, None on the last page.
        """
        rows = self._table.page(cursor or "", limit + 1)
        return [self._list_item(row) for row in rows[:limit]], rows[limit - 1].name if len(
            rows
        ) > limit else None

    def show(self, name: str) -> dict[str, Any]:
        """Return a client without its secrets. For a client of the server, a workspace sees only
        the facts needed to refer to it.

        :raises InvalidInvocation: if there is no such client.
        """
        row = self._table.visible_row(name)
        if row is None:
            raise unknown(name)
        return self._summary(row)

    def change(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change the given members; a null value is removed. Omitted secrets stay, so that one of
        them can be rotated. Without a difference, nothing is written.

        :raises InvalidInvocation: if the workspace has no such client, or a member is not valid.
        :raises NotAllowed: if it is the server's, and the caller is not the operator.
        """
        self._require_operator()
        row = self._table.row(name)
        if row is None:
            raise unknown(name)
        present = opened(self._vault, row)
        server, values = given.get("server", list(present.hosts)), given.get("values", {})
        faults = (
            [] if isinstance(values, Mapping) else [Detail("/values", "must be an object", "type")]
        )
        changes = {
            key: value
            for key, value in (values if isinstance(values, Mapping) else {}).items()
            if value != PLACEHOLDER
        }
        merged = {
            key: value for key, value in {**present.values, **changes}.items() if value is not None
        }
        new = _checked(server, merged, faults)
        if self._origin == "remote":
            _refuse_redirected(
                present.values, new, changes, moved=list(server) != list(present.hosts)
            )
        if new == present.values and list(server) == list(present.hosts):
            return self.show(name)
        with self._database.write() as transaction:
            if not self._table.replace(transaction, name, row.version, self._origin, server, new):
                raise ClientInUse(
                    f"the OAuth client '{name}' was changed meanwhile", hint="Look at it again."
                )
            was, now = (
                {"server": list(present.hosts), **present.values},
                {"server": list(server), **new},
            )
            about = {
                **_about(server, new),
                "fields": sorted(changes),
                **difference(was, now, _AUDITED),
            }
            self._audit.append(transaction, "oauth_client.changed", f"oauth-client:{name}", about)
        return self.show(name)

    def remove(self, name: str, *, force: bool = False) -> dict[str, Any]:
        """Delete a client. Connections that refer to it cannot be used any more, and their
        approvals have ended.

        :raises ClientInUse: if connections refer to it, unless ``force`` is set.
        :raises InvalidInvocation: if the workspace has no such client.
        :raises NotAllowed: if it is the server's, and the caller is not the operator.
        """
        self._require_operator()
        if self._table.row(name) is None:
            raise unknown(name)
        users = [
            item if place == self._workspace else f"{place}/{item}"
            for place, item in self._table.users(name)
        ]
        if users and not force:
            named = ", ".join(users[:_MOST_NAMED]) + (", …" if len(users) > _MOST_NAMED else "")
            count = (
                "1 connection refers" if len(users) == 1 else f"{len(users):,} connections refer"
            )
            hint = (
                "Change them first, or force it: they cannot be used then, and must be "
                "approved again."
            )
            raise ClientInUse(f"{count} to the OAuth client '{name}': {named}", hint=hint)
        with self._database.write() as transaction:
            if not self._table.remove(transaction, name):
                raise unknown(name)
            self._audit.append(
                transaction,
                "oauth_client.removed",
                f"oauth-client:{name}",
                {"connections": len(users)},
            )
        return {"removed": name, "connections": len(users)}

    def _require_operator(self) -> None:
        if self._workspace == DEFAULT and not self._operates():
            text = (
                f"not allowed: OAuth clients of '{DEFAULT}' serve all workspaces, and only "
                "the operator changes them"
            )
            raise NotAllowed(
                text, hint="Ask a platform-admin, or register it in the workspace that uses it."
            )

    def _list_item(self, row: Row) -> dict[str, Any]:
        """Return the ``_summary`` of a client; one with an unreadable row has a ``problem``, for
        callers who may see and remove it.
        """
        try:
            return self._summary(row)
        except InvalidConnection as error:
            is_inherited = row.workspace != self._workspace
            return {
                "name": row.name,
                "server": [],
                "inherited": is_inherited,
                "values": {},
                "problem": error.message,
            }

    def _summary(self, row: Row) -> dict[str, Any]:
        found = opened(self._vault, row)
        about: dict[str, Any] = {
            "name": row.name,
            "server": list(found.hosts),
            "inherited": row.workspace != self._workspace,
        }
        if about["inherited"]:
            return {
                **about,
                "values": {"scopes": found.values["scopes"]} if "scopes" in found.values else {},
            }
        values = {
            key: PLACEHOLDER if key in SECRETS else value
            for key, value in sorted(found.values.items())
        }
        times = {"createdAt": iso(row.created_at), "updatedAt": iso(row.updated_at)}
        return {
            **about,
            "values": values,
            "version": row.version,
            **times,
            **problem_of_times(row.created_at, row.updated_at),
        }


def unknown(name: str) -> InvalidInvocation:
    """Return the error for a client that the workspace does not have."""
    return InvalidInvocation(
        f"no OAuth client is named '{name[:100]}'", hint=NextStep("oauth_clients")
    )


_AUDITED = ("server", "clientId", *ENDPOINTS)
"""Members of a client whose values enter the audit log."""


def _about(server: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about a client for an audit entry: the possible destinations of its
    secret.
    """
    about = {"server": list(server), **values}
    return {key: about[key] for key in _AUDITED if key in about}


def _checked(server: object, values: object, faults: list[Detail]) -> dict[str, Any]:
    """Check and return the values of a client.

    :raises InvalidInvocation: with all faults at once.
    """
    found = dict(values) if isinstance(values, Mapping) else {}
    if isinstance(found.get("scopes"), str):
        found["scopes"] = found["scopes"].split()
    found = {
        name: trimmed(value) if isinstance(value, str) else value for name, value in found.items()
    }
    faults += [*_server_faults(server), *_value_faults(found)]
    if faults:
        count = (
            "1 member of the OAuth client is"
            if len(faults) == 1
            else f"{len(faults)} members of the OAuth client are"
        )
        raise InvalidInvocation(f"{count} not valid", details=faults, hint=_HINT)
    refuse_large(sum(len(str(value)) for value in found.values()))
    return found


def _server_faults(server: object) -> Iterator[Detail]:
    if not isinstance(server, list | tuple) or len(server) > _MOST_HOSTS:
        yield Detail("/server", f"must be an array of at most {_MOST_HOSTS} hosts", "type")
        return
    for place, host in enumerate(server):
        if not isinstance(host, str) or not _HOST.match(host):
            yield Detail(
                f"/server/{place}",
                "must be a host, an address, a network, or a pattern such as '*.example.com'",
                "pattern",
            )


def _value_faults(values: Mapping[str, Any]) -> Iterator[Detail]:
    blank = [name for name, value in {"clientId": "", **values}.items() if value == ""]
    yield from (Detail(pointer("values", str(name)), "is required", "required") for name in blank)
    for name, value in ((name, value) for name, value in values.items() if value != ""):
        place = pointer("values", str(name))
        if name not in VALUES:
            yield Detail(place, "is not a value of an OAuth client", "additionalProperties")
        elif name == "scopes":
            if not isinstance(value, list | tuple) or not all(
                isinstance(one, str) and one for one in value
            ):
                yield Detail(place, "must be an array of scopes", "type")
        elif name == "tokenParameters":
            if not isinstance(value, Mapping) or not all(
                isinstance(one, str) for one in value.values()
            ):
                yield Detail(place, "must be an object of strings", "type")
        elif not isinstance(value, str) or len(value) > _LONGEST:
            yield Detail(
                place,
                f"must be a text of at most {_LONGEST:,} characters; no reference to a secret "
                "elsewhere",
                "type",
            )
        elif name in (*ENDPOINTS, "proxy") and not _is_url(value):
            yield Detail(
                place, "must be an http or https URL with a host, without a user", "format"
            )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.username is None
            and "\\" not in text
        )
    except ValueError:
        return False


def _refuse_redirected(
    old: Mapping[str, Any], new: Mapping[str, Any], given: Mapping[str, Any], *, moved: bool
) -> None:
    """Refuse an edit that would send a stored secret to a new destination.

    :raises InvalidInvocation: if a secret was not given again.
    """
    elsewhere = [name for name in sorted(DESTINATIONS) if new.get(name) != old.get(name)] + (
        ["server"] if moved else []
    )
    again = sorted((SECRETS & new.keys()) - given.keys()) if elsewhere else []
    if again:
        faults = [
            Detail(f"/values/{name}", f"was stored for another '{elsewhere[0]}': give it again")
            for name in again
        ]
        raise InvalidInvocation(
            "stored secrets cannot be sent to a new destination",
            details=faults,
            hint="Give each secret again.",
        )


def oauth_clients(
    storage: Storage, workspace: str, clock: Clock, actor: Actor, origin: Origin
) -> OAuthClients:
    """Return the OAuth clients of a workspace; the audit log attributes changes to ``actor``."""
    database = storage.database
    table = OAuthClientTable(database, lambda: storage.vault, workspace, clock)
    audit = Audit(database, lambda: storage.vault, workspace, clock, actor)
    operates = partial(is_operators, database, storage.vault, workspace, clock, actor)
    return OAuthClients(
        database,
        storage.vault,
        table,
        audit,
        workspace,
        origin,
        (lambda: True) if origin == "operator" else operates,
    )
