"""Rows of the database for connections without their secrets, and drafts of connections to be
stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from jackfield.connections.host_access import generated_fields
from jackfield.connections.named_connection import Origin
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield.kernel.pointers import child, names
from jackfield.kernel.secrecy import SecretHolder
from jackfield.kernel.stored_values import parsed
from jackfield.kernel.walk import Nodes, Schema, members, nodes
from jackfield.redaction.marks import is_reference, is_secret
from jackfield_store.database import Row

PLACEHOLDER = "***"
"""Placeholder of a sealed value in the open part, and of an unchanged value in an edited
connection.
"""


@dataclass(frozen=True, slots=True, repr=False)
class Parts(SecretHolder):
    """Values of a connection in two parts: ``public`` has their shape, with a placeholder for each
    secret; ``secrets`` are the secrets as JSON, by JSON Pointer.
    """

    public: Mapping[str, Any]
    secrets: Mapping[str, bytes]


def split_secrets(schema: Schema, values: Mapping[str, Any]) -> Parts:
    """Separate the secrets from ``values``: members that ``schema`` marks, and members that it does
    not know. References stay, since they contain no secret.
    """
    secrets: dict[str, bytes] = {}
    return Parts(_open_part(schema, nodes(schema, schema), values, "", secrets), secrets)


def _open_part(
    root: Schema, applying: Nodes | None, value: Any, path: str, secrets: dict[str, bytes]
) -> Any:
    if is_reference(value) or value is None:
        return value
    if applying is None or is_secret(applying):
        secrets[path] = json.dumps(value).encode()
        return PLACEHOLDER
    if isinstance(value, Mapping):
        found = members(root, applying, value)
        return {
            name: _open_part(root, known, member, child(path, name), secrets)
            for name, known, member in found
        }
    if isinstance(value, list | tuple):
        return [
            _open_part(root, known, item, child(path, place), secrets)
            for place, known, item in members(root, applying, value)
        ]
    return value


def join_secrets(public: Mapping[str, Any], secrets: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Put the secrets back into ``public``, which is modified, and return it.

    :raises LookupError: if ``public`` lacks the place of a secret.
    """
    for path, text in secrets.items():
        *parents, last = names(path)
        node: Any = public
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[int(last) if isinstance(node, list) else last] = json.loads(text)
    return public


def secret_places(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return JSON Pointers to the values that ``schema`` marks as secret, whether given or
    referenced.
    """
    return frozenset(_secret(schema, nodes(schema, schema), values, ""))


def _secret(root: Schema, applying: Nodes | None, value: Any, path: str) -> Iterator[str]:
    if applying is None or is_secret(applying):
        yield path
    elif isinstance(value, Mapping | list | tuple) and not is_reference(value):
        for name, known, member in members(root, applying, value):
            yield from _secret(root, known, member, child(path, name))


Status = Literal["untested", "ok", "failing", "expired"]
COLUMNS = (
    "id, name, type, version, public_values, status, account_id, account_label, last_test, seal"
)
"""Columns from which a ``ConnectionRow`` is read."""
_DAMAGED = "its row in the database is damaged"
LARGEST = 256 * 1024
"""Maximum size of one connection's values as JSON, in bytes."""


@dataclass(frozen=True, slots=True)
class LastOutcome:
    """Outcome of a connection's last test; ``last_test`` has the time and the steps
    (``docs/reference/connections.md``).
    """

    status: Status = "untested"
    account_id: str | None = None
    account_label: str | None = None
    last_test: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the members of a connection that its last test fills in."""
        account = (
            {"account": {"id": self.account_id, "label": self.account_label}}
            if self.account_id is not None
            else {}
        )
        test = {"lastTest": self.last_test} if self.last_test is not None else {}
        return {**account, "status": self.status, **test}

    def columns(self) -> dict[str, Any]:
        """Return the outcome as columns of the database."""
        return {
            "status": self.status,
            "account_id": _text(self.account_id),
            "account_label": _text(self.account_label),
            "last_test": json.dumps(self.last_test) if self.last_test is not None else None,
        }


def _text(value: str | None) -> str | None:
    return (
        value.replace("\0", "").encode("utf-8", "replace").decode() if value is not None else None
    )


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """Connection as stored in the database. ``public`` has a placeholder for each secret, whose
    places are ``sealed``. The row's ``seal`` authenticates both and is verified with the key
    (``sealed_places``). ``damage`` names the unreadable part of the row; the values are then empty.
    """

    id: str
    name: str
    type: str
    version: int
    origin: Origin
    public: Mapping[str, Any]
    sealed: tuple[str, ...]
    outcome: LastOutcome
    damage: str | None = None
    seal: bytes | None = None
    quotas: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def from_row(cls, row: Row) -> ConnectionRow:
        """Read the ``COLUMNS`` of a row; a damaged row must not hide the others."""
        try:
            document, last_test = _documents(row)
        except (ValueError, TypeError, KeyError, AttributeError):
            failing = LastOutcome("failing", row.account_id, row.account_label)
            return cls(row.id, row.name, row.type, row.version, "remote", {}, (), failing, _DAMAGED)
        outcome = LastOutcome(row.status, row.account_id, row.account_label, last_test)
        origin: Origin = "operator" if document["origin"] == "operator" else "remote"
        sealed = tuple(document["sealed"])
        quotas = tuple(document.get("quotas", ()))
        return cls(
            row.id,
            row.name,
            row.type,
            row.version,
            origin,
            document["values"],
            sealed,
            outcome,
            seal=row.seal,
            quotas=quotas,
        )


def _documents(row: Row) -> tuple[dict[str, Any], dict[str, Any] | None]:
    document = parsed(row.public_values)
    sealed, last_test = (
        document["sealed"],
        parsed(row.last_test) if row.last_test is not None else None,
    )
    if (
        not isinstance(document["values"], dict)
        or not isinstance(sealed, list)
        or not all(isinstance(path, str) for path in sealed)
    ):
        raise TypeError("the values have an unexpected structure")
    if last_test is not None and not isinstance(last_test["steps"], list):
        raise TypeError("the last test has an unexpected structure")
    if not isinstance(document.get("quotas", []), list):
        raise TypeError("the quotas have an unexpected structure")
    return {**document, "origin": document["origin"]}, last_test


def refuse_large(size: int) -> None:
    """Refuse values that take more than ``LARGEST`` bytes as JSON.

    :raises InvalidConnection: if ``size`` is larger.
    """
    if size > LARGEST:
        text = f"the values take {size:,} bytes as JSON; the maximum is {LARGEST:,}"
        raise InvalidConnection(
            "the connection is too large",
            details=[Detail("", text)],
            hint=('Put large values into files and refer to them: {"$file": …}.'),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Draft(SecretHolder):
    """Connection to be stored: values that conform to ``schema``, which marks the secrets, and
    ``quotas`` on effects over it.
    """

    type: str
    values: Mapping[str, Any]
    schema: Mapping[str, Any]
    origin: Origin = "operator"
    outcome: LastOutcome = field(default_factory=LastOutcome)
    quotas: tuple[Mapping[str, Any], ...] = ()

    def parts(self) -> Parts:
        """Return the values in two parts.

        :raises InvalidConnection: if they are too large to be stored.
        """
        parts = split_secrets(self.schema, self.values)
        refuse_large(len(json.dumps(parts.public)) + sum(map(len, parts.secrets.values())))
        return parts

    def document(self, parts: Parts) -> str:
        """Return the open part in the form that the database stores."""
        quotas = {"quotas": self.quotas} if self.quotas else {}
        return json.dumps(
            {
                "origin": self.origin,
                "sealed": sorted(parts.secrets),
                "values": parts.public,
                **quotas,
            }
        )

    def external_ids(self) -> dict[str, str]:
        """Return the External IDs among the values, by field name."""
        found = {name: self.values.get(name) for name in generated_fields(self.schema)}
        return {name: value for name, value in found.items() if isinstance(value, str)}
