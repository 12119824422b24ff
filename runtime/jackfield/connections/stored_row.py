"""Rows of the database for connections without their secrets, and drafts of connections to be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from jackfield.connections.external_ids import generated_fields
from jackfield.connections.sealed_values import Parts, parted
from jackfield.connections.stored import Origin
from jackfield.database import Row
from jackfield.database.stored_values import parsed
from jackfield.errors import Detail, InvalidConnection

__all__ = ["COLUMNS", "LARGEST", "Draft", "KeptConnection", "Outcome", "Status"]

Status = Literal["untested", "ok", "failing", "expired"]
COLUMNS = "id, name, type, version, public_values, status, account_id, account_label, last_test, seal"
"""Columns from which a ``KeptConnection`` is read."""
_DAMAGED = "its row in the database is damaged"
LARGEST = 256 * 1024
"""Maximum size of one connection's values as JSON, in bytes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a connection's last test; ``last_test`` has the time and the steps (``docs/reference/connections.md``)."""

    status: Status = "untested"
    account_id: str | None = None
    account_label: str | None = None
    last_test: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the members of a connection that its last test fills in."""
        account = {"account": {"id": self.account_id, "label": self.account_label}} if self.account_id is not None else {}
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
    return value.replace("\0", "").encode("utf-8", "replace").decode() if value is not None else None


@dataclass(frozen=True, slots=True)
class KeptConnection:
    """Connection as the database shows it. ``public`` has a placeholder for each secret, whose places are ``sealed``. ``seal``
    authenticates both and is verified with the key (``sealed_places``). ``damage`` says which part of the row is unreadable; there are
    no values then."""

    id: str
    name: str
    type: str
    version: int
    origin: Origin
    public: Mapping[str, Any]
    sealed: tuple[str, ...]
    outcome: Outcome
    damage: str | None = None
    seal: bytes | None = None

    @classmethod
    def from_row(cls, row: Row) -> KeptConnection:
        """Read the ``COLUMNS`` of a row; a damaged row must not hide the others."""
        try:
            document, last_test = _documents(row)
        except (ValueError, TypeError, KeyError, AttributeError):
            failing = Outcome("failing", row.account_id, row.account_label)
            return cls(row.id, row.name, row.type, row.version, "remote", {}, (), failing, _DAMAGED)
        outcome = Outcome(row.status, row.account_id, row.account_label, last_test)
        origin: Origin = "operator" if document["origin"] == "operator" else "remote"
        sealed = tuple(document["sealed"])
        return cls(row.id, row.name, row.type, row.version, origin, document["values"], sealed, outcome, seal=row.seal)


def _documents(row: Row) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Parse the values and the last test of a row."""
    document = parsed(row.public_values)
    sealed, last_test = document["sealed"], parsed(row.last_test) if row.last_test is not None else None
    if not isinstance(document["values"], dict) or not isinstance(sealed, list) or not all(isinstance(path, str) for path in sealed):
        raise TypeError("the values are of another shape")
    if last_test is not None and not isinstance(last_test["steps"], list):
        raise TypeError("the last test is of another shape")
    return {**document, "origin": document["origin"]}, last_test


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """Connection to be stored: values that conform to ``schema``, which marks the secrets."""

    type: str
    values: Mapping[str, Any]
    schema: Mapping[str, Any]
    origin: Origin = "operator"
    outcome: Outcome = field(default_factory=Outcome)

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection values cannot be pickled: they hold secrets")

    def parts(self) -> Parts:
        """Return the values in two parts.

        :raises InvalidConnection: if they are too large to be stored.
        """
        parts = parted(self.schema, self.values)
        size = len(json.dumps(parts.public)) + sum(map(len, parts.secrets.values()))
        if size > LARGEST:
            text = f"the values have {size:,} bytes as JSON; a connection may have {LARGEST:,}"
            raise InvalidConnection("the connection is too large", details=[Detail("", text)], hint='Refer to large values: {"$file": …}.')
        return parts

    def document(self, parts: Parts) -> str:
        """Return the open part in the form that the database stores."""
        return json.dumps({"origin": self.origin, "sealed": sorted(parts.secrets), "values": parts.public})

    def external_ids(self) -> dict[str, str]:
        """Return the External IDs among the values, by field name."""
        found = {name: self.values.get(name) for name in generated_fields(self.schema)}
        return {name: value for name, value in found.items() if isinstance(value, str)}
