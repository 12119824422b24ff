"""Subjects of a connect session: the types that its person may choose from, or the existing
connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInvocation,
    UnknownConnection,
    did_you_mean,
    first_faults,
    unknown_members,
)
from jackfield.kernel.hints import NextStep
from jackfield.kernel.pointers import pointer
from jackfield_service.subjects.connect.records import ConnectRecord
from jackfield_service.subjects.connect.values import asks_for_server, can_be_filled
from jackfield_store.keys.sealing import new_secret
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield_service.subjects.connect.access import Access
    from jackfield_service.subjects.connect.records import ConnectRecords
    from jackfield_service.subjects.connect.session import Wanted
    from jackfield_store.management.connections import ManagedConnections

_MOST = 1000
"""Maximum number of connections in a list."""
_NAMES = 100
"""Maximum number of connections of one type whose names have no random characters."""


class Choice:
    """Types and stored connections of one workspace, for connect sessions."""

    def __init__(
        self, records: ConnectRecords, connections: ManagedConnections, access: Access
    ) -> None:
        self._records = records
        self._connections = connections
        self._access = access

    def kinds(self, wanted: Wanted) -> list[ConnectionKind]:
        """Return the types that a request names.

        :raises InvalidInvocation: if a type is not installed.
        """
        found = []
        for place, name in enumerate(wanted.types):
            try:
                found.append(self._connections.kinds.find(name))
            except InvalidConnection as error:
                text, hint = self._unoffered(name) or (error.message, error.hint)
                fault = Detail(f"/types/{place}", text, "enum")
                raise InvalidInvocation(
                    f"the connect session is not valid: {text}", details=[fault], hint=hint
                ) from None
        return found

    def _unoffered(self, name: str) -> tuple[str, NextStep] | None:
        """Return the fault and the remedy for a type of a service in its family that the workspace
        is not offered; None for all other types.
        """
        connector, _, key = name.partition("/")
        family = connector.partition(".")[0]
        if family == connector or self._connections.kinds.known(f"{family}/{key}") is None:
            return None
        store = table_of(self._connections.known)
        where = f" --workspace {store.workspace}" if store is not None else ""
        return f"the workspace is not offered the connector '{connector[:80]}'", NextStep(
            "offer", pattern=f"{connector[:80]}{where}"
        )

    def check_words(self, wanted: Wanted) -> None:
        """Check that words and pictures are for existing types, fields and connectors.

        :raises InvalidInvocation: with the place of each unknown name, and the known name that it
            resembles.
        """
        faults = first_faults(self._faults(wanted))
        if faults:
            text = "; ".join(f"{fault.path[1:]}: {fault.message}" for fault in faults[:3])
            raise InvalidInvocation(f"the connect session is not valid: {text}", details=faults)

    def _faults(self, wanted: Wanted) -> Iterator[Detail]:
        for name, label in wanted.labels.items():
            try:
                fields = self._connections.kinds.find(name).schema.get("properties", {})
            except InvalidConnection as error:
                if not self._unoffered(name):
                    yield Detail(pointer("labels", name), error.message, "enum")
            else:
                yield from unknown_members(
                    label.get("fields", {}),
                    fields,
                    f"'{name[:80]}'",
                    pointer("labels", name, "fields"),
                )
        known = self._pictured() if wanted.icons else set[str]()
        for key in wanted.icons:
            if key not in known and key.partition(".")[0] not in known:
                text = f"no connector '{key[:80]}' is installed{did_you_mean(key, known)}"
                yield Detail(pointer("icons", key), text, "enum")

    def _pictured(self) -> set[str]:
        """Return the keys under which pictures are looked up: keys of connectors and of
        families.
        """
        kinds = self._connections.kinds.all()
        return {
            key
            for kind in kinds
            for key in (
                kind.full_name.partition("/")[0],
                *(manifest.key for manifest in kind.manifests),
            )
        }

    def offered(self, wanted: Wanted) -> list[tuple[str, ConnectionKind]]:
        """Return the types that the person may choose, under the platform's names for them. By
        default, these are types whose values a person finds in their own account, without types for
        self-hosted servers.
        """
        kinds = self._connections.kinds
        if wanted.types:
            return [
                (name, kind) for name in wanted.types if (kind := kinds.known(name)) is not None
            ]
        ambient = self._connections.access().ambient
        usable = (kind for kind in kinds.all() if ambient or not self._connections.needs_host(kind))
        return [
            (kind.full_name, kind)
            for kind in usable
            if can_be_filled(wanted, kind)
            and not asks_for_server(wanted, kind)
            # nobody could finish such a role
            and (wanted.principal or not self._access.trusts(kind))
        ]

    def require_offer(self, wanted: Wanted) -> None:
        """Require that the session offers the person at least one type.

        :raises InvalidInvocation: if the page would have no content.
        """
        if wanted.mode == "connect" and not self.offered(wanted):
            text = (
                "is required: with what this session brings, the workspace has no type whose "
                "fields a user could fill in"
            )
            hint = (
                "Name a type, and what it requires in 'defaults.values' or 'fields'; a role "
                "needs a 'principal'."
            )
            raise InvalidInvocation(
                f"the connect session is not valid: types {text}",
                details=[Detail("/types", text, "required")],
                hint=hint,
            )

    def managed(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Return the stored connections of a request: its user's, unless it covers all
        connections.
        """
        if wanted.mode == "connect":
            return []
        if wanted.connection:
            is_there = self.exists(wanted.connection) and wanted.admits(
                self._record(wanted.connection)
            )
            return [self.find(wanted.connection)] if is_there else []
        known = self._connections.kinds
        types = {kind.full_name for name in wanted.types if (kind := known.known(name)) is not None}
        stored = (row for row in self._rows(wanted) if row.get("source") == "store")
        return [row for row in stored if not types or row["type"] in types]

    def again(self, connection: str) -> tuple[ConnectionKind, dict[str, Any]]:
        """Return the type of a stored connection, and the members of a session for it.

        :raises UnknownConnection: if the database has no such connection.
        """
        kind = self._connections.kinds.find(str(self.find(connection)["type"]))
        record = self._record(connection)
        return kind, {"type": record.type_of(kind), "recalled": record.to_json()}

    def require_own(self, wanted: Wanted) -> None:
        """Require that the connection in a request does not belong to another user.

        :raises InvalidInvocation: if it belongs to another user.
        """
        if not wanted.admits(self._record(wanted.connection)):
            text = (
                f"is of another user than '{wanted.user}'"
                if wanted.user
                else "is a user's: name the user in 'user'"
            )
            hint = "Name the user who has connected it, or set 'allConnections'."
            fault = Detail("/connection", text)
            raise InvalidInvocation(
                f"the connect session is not valid: the connection {text}",
                details=[fault],
                hint=hint,
            )

    def _rows(self, wanted: Wanted) -> Iterable[dict[str, Any]]:
        """Return the connections of all users, or only those of the request's user."""
        if wanted.all_connections:
            return self._connections.list(limit=_MOST).items
        own = [name for name, record in self._records.of().items() if wanted.admits(record)]
        return (self._connections.show(name) for name in sorted(own)[:_MOST] if self.exists(name))

    def _record(self, connection: str) -> ConnectRecord:
        return self._records.of(connection).get(connection, ConnectRecord())

    def check_access(
        self, wanted: Wanted, kinds: Iterable[ConnectionKind], record: ConnectRecord
    ) -> None:
        """Check the platform's planned calls, and its External ID, against the types that the
        person may choose, or the types of stored connections. ``record`` is the stored record of
        the connection in the request.

        :raises InvalidInvocation: with the place of each fault.
        """
        named = bool(wanted.actions or wanted.calls)
        if wanted.mode == "connect":
            self._access.check(
                wanted,
                list(zip(wanted.types, kinds, strict=True))
                or (self.offered(wanted) if named or wanted.values else []),
            )
        elif named or wanted.values or wanted.connection:
            of = self._connections.kinds
            types = {str(row["type"]) for row in self.managed(wanted)} | {
                kind.full_name for kind in kinds
            }
            stored = [kind for kind in map(of.known, sorted(types)) if kind is not None]
            names = [
                record.type_of(kind) if wanted.connection else kind.full_name for kind in stored
            ]
            self._access.check(
                wanted.completed(record), list(zip(names, stored, strict=True)), stored=True
            )

    def find(self, name: str) -> dict[str, Any]:
        """Return a stored connection.

        :raises UnknownConnection: if the database has no such connection.
        """
        row = self._connections.show(name)
        if row.get("source", "store") != "store":
            raise UnknownConnection(f"the connection '{name}' is not stored in the database")
        return row

    def exists(self, name: str) -> bool:
        """Return whether there is a connection of this name."""
        try:
            self._connections.show(name)
        except UnknownConnection:
            return False
        return True

    def free_name(self, base: str) -> str:
        """Return a name that no connection has."""
        return free_name(base, self.exists)


def free_name(base: str, exists: Callable[[str], bool]) -> str:
    """Return a name for a new object: ``base``, with a number if ``base`` exists."""
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, _NAMES))
    return next((name for name in names if not exists(name)), f"{base}-{new_secret()[:8]}")
