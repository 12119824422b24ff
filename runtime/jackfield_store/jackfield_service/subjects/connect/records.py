"""Records that connect sessions store with their connections: the platform's labels, its planned
calls, the role and the user.

Later sessions that connect, list or disconnect the connection reuse the labels and the role without
repeating them in the request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database import SealBroken
from jackfield_store.keys.vault import SealedTable

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield_store.database import Transaction

_MEMBERS = ("type", "labels", "actions", "calls", "principal", "user")
_ID = "SELECT id FROM connections WHERE workspace = :workspace AND name = :name"
_KEEP = "UPDATE connections SET connect_record = :sealed WHERE workspace = :workspace AND id = :id"
_OF_ONE = (
    "SELECT id, name, connect_record FROM connections WHERE workspace = :workspace AND name "
    "= :name AND connect_record IS NOT NULL"
)
_OF_ALL = (
    "SELECT id, name, connect_record FROM connections WHERE workspace = :workspace AND "
    "connect_record IS NOT NULL LIMIT 20000"
)


@dataclass(frozen=True, slots=True, repr=False)
class ConnectRecord(SecretHolder):
    """Record of one connection. ``type`` is the name under which its type was offered, such as the
    name of one connector of a family; ``labels`` are the words for that type. ``actions``,
    ``calls`` and ``principal`` come from ``Wanted``; ``user`` is the platform's ID of the user who
    has connected it, empty without a user.
    """

    type: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    principal: str = ""
    user: str = ""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> ConnectRecord:
        """Read an object that ``to_json`` has returned; members of a later version are left out."""
        known: dict[str, Any] = {name: members[name] for name in _MEMBERS if name in members}
        known.update({name: tuple(known[name]) for name in ("actions", "calls") if name in known})
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the members that have a value."""
        return {name: value for name in _MEMBERS if (value := getattr(self, name))}

    def type_of(self, kind: ConnectionKind) -> str:
        """Return the name under which a type was offered, or the type's own:
        ``aws-ses/awsAssumeRole`` is a name of ``aws/awsAssumeRole``.
        """
        return self.type if self.type.partition("/")[2] == kind.about.key else kind.full_name


class ConnectRecords(SealedTable):
    """Records of one workspace's connections. Thread-safe."""

    def keep(self, transaction: Transaction, name: str, record: ConnectRecord) -> None:
        """Store the record of a connection, within a transaction."""
        row = transaction.find(_ID, {"workspace": self._workspace, "name": name})
        if row is not None:
            text = json.dumps(record.to_json(), separators=(",", ":")).encode()
            sealed = self._vault().seal(self._workspace, record_place(row.id), text)
            transaction.change(
                _KEEP, {"workspace": self._workspace, "id": row.id, "sealed": sealed}
            )

    def of(self, name: str = "") -> dict[str, ConnectRecord]:
        """Return the records by the names of their connections: of one, or of all. Records that
        were changed in the database are left out.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                _OF_ONE if name else _OF_ALL,
                {"workspace": self._workspace, **({"name": name} if name else {})},
            )
        found = dict[str, ConnectRecord]()
        for row in rows:
            try:
                members = json.loads(
                    self._vault().open(self._workspace, record_place(row.id), row.connect_record)
                )
            except SealBroken:
                continue
            found[row.name] = ConnectRecord.from_json(members)
        return found


def record_place(identifier: str) -> tuple[str, ...]:
    """Return the context to which a connection's record is sealed."""
    return ("connect record", identifier)
