"""Publishers of a catalogue: their signing keys, and the connectors that they own.

The operator decides both when a release is first published; they are part of the signed targets
metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.publishers import Publisher

Status = Literal["active", "retired", "revoked"]
"""Status of a key. A retired key signs nothing new, and its releases stay; releases of a revoked
key are withdrawn.
"""
CONNECTORS = "connectors"
"""Folder of the connectors' pages and lists in a site."""
_ROLE = "publisher"
_SHELF = 64
"""Maximum number of connectors of one delegated role. It limits the data that an installer reads
and that one release changes.
"""


class Registry:
    """Keys of publishers and owners of connectors, from a ``Repository``."""

    def __init__(
        self, publishers: Iterable[Mapping[str, Any]], delegated: Mapping[str, Sequence[str]]
    ) -> None:
        self.rows = [dict(row) for row in publishers]
        self._shelves: dict[str, list[str]] = {}
        self._role_of: dict[str, str] = {}
        for role, paths in delegated.items():
            if role.startswith(f"{_ROLE}."):
                keys = [path.split("/")[1] for path in paths if path.startswith(f"{CONNECTORS}/")]
                self._shelves[role] = keys
                self._role_of.update(dict.fromkeys(keys, role))

    @staticmethod
    def publisher_of(role: str) -> str:
        """Return the name of the publisher whose connectors are in a delegated role."""
        return role.split(".")[1]

    @property
    def delegated(self) -> dict[str, list[str]]:
        """Return the path patterns of each publisher's roles."""
        return {
            role: [path for key in keys for path in _paths(key)]
            for role, keys in self._shelves.items()
        }

    @property
    def listed(self) -> list[dict[str, Any]]:
        """Return publishers' keys with the connectors that they may sign, as listed in
        ``publishers.json``; a successor follows its former key.
        """
        owned: dict[str, list[str]] = {}
        for role, keys in self._shelves.items():
            owned.setdefault(self.publisher_of(role), []).extend(keys)
        return [
            {
                **row,
                "connectors": sorted(owned.get(row["publisher"], ()))
                if row["status"] != "revoked"
                else [],
            }
            for row in self.rows
        ]

    def role_of(self, key: str) -> str:
        """Return the delegated role of a connector."""
        return self._role_of[key]

    def owner_of(self, key: str) -> str | None:
        """Return the name of the publisher of a connector; None if the connector is new."""
        role = self._role_of.get(key)
        return None if role is None else self.publisher_of(role)

    def find(self, key_id: str) -> dict[str, Any] | None:
        """Return the row of a key; None if it is unknown."""
        return next((row for row in self.rows if row["keyId"] == key_id), None)

    def active(self, name: str) -> dict[str, Any] | None:
        """Return the row of the key that may sign in a publisher's name; None if no key may."""
        return next(
            (row for row in self.rows if row["publisher"] == name and row["status"] == "active"),
            None,
        )

    def knows(self, name: str) -> bool:
        """Return whether a publisher of this name exists."""
        return any(row["publisher"] == name for row in self.rows)

    def admit(self, publisher: Publisher, since: str) -> None:
        """Allow a key to sign in its publisher's name."""
        self.rows.append({**publisher.to_json(), "status": "active", "since": since})

    def place(self, key: str, name: str) -> None:
        """Assign a new connector to a publisher's role."""
        number = 1
        while len(shelf := self._shelves.setdefault(f"{_ROLE}.{name}.{number}", [])) >= _SHELF:
            number += 1
        shelf.append(key)
        self._role_of[key] = f"{_ROLE}.{name}.{number}"

    def end(self, key_id: str, status: Status, at: str, reason: str) -> Mapping[str, Any]:
        """Retire or revoke a key, unless it is revoked already. Return its row.

        :raises InvalidInvocation: if no publisher has the key.
        """
        row = self.find(key_id)
        if row is None:
            known = (
                ", ".join(f"{row['keyId']} ({row['publisher']})" for row in self.rows[:20])
                or "none"
            )
            raise InvalidInvocation(
                f"no publisher of this catalogue has the key '{key_id[:80]}'",
                hint=f"Its keys are: {known}.",
            )
        if row["status"] != "revoked":
            row.update({"status": status, "endedAt": at, **({"reason": reason} if reason else {})})
        return row

    def succeed(self, ended: Mapping[str, Any], successor: Publisher, since: str) -> None:
        """Allow another key of the same publisher to sign in its name.

        :raises InvalidInvocation: if the name differs, the new key is known, or the publisher has
            an active key.
        """
        if successor.name != ended["publisher"]:
            raise InvalidInvocation(
                f"the successor is a key of '{successor.name}', not of '{ended['publisher']}'"
            )
        if self.find(successor.key_id) is not None:
            raise InvalidInvocation(
                f"the key {successor.key_id} is known to this catalogue", hint="Name a new key."
            )
        active = self.active(successor.name)
        if active is not None:
            raise InvalidInvocation(
                f"the key {active['keyId']} signs for '{successor.name}'",
                hint="End that key, with this successor.",
            )
        self.admit(successor, since)


def _paths(key: str) -> tuple[str, str]:
    return f"packages/jackfield_{key.replace('-', '_')}-*", f"{CONNECTORS}/{key}/*"
