"""Access of connections to the host: unlimited for an operator's, limited by the workspace for those made over HTTP or MCP.

``docs/reference/connections.md`` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.connections.reference_rules import Allowed, ReferenceRules
from jackfield.connections.secrets import references
from jackfield.errors import Detail, InvalidConnection

__all__ = ["HostAccess", "refuse_ambient", "refuse_external_ids", "refuse_references"]

_HINT = "Connections that are made over HTTP or MCP may not use it, unless the operator allows it for the workspace: the setting '{}'."


@dataclass(frozen=True, slots=True)
class HostAccess:
    """Rights that the operator grants to one workspace's connections made over HTTP or MCP: secret references (all but jackfield's own,
    or those that match a pattern), the host's own identity, and External IDs of their own choice. By default none."""

    references: Allowed = False
    ambient: bool = False
    own_external_id: bool = False

    @classmethod
    def from_settings(cls, text: str | None) -> HostAccess:
        """Read the rights from a workspace's settings (JSON): ``allowReferences``, ``allowAmbient``, ``allowOwnExternalId``. Only
        ``true`` grants a right; ``allowReferences`` may also be a list of patterns.

        :raises ValueError, TypeError: if they cannot be read.
        """
        from jackfield.database.stored_values import parsed_object

        settings = parsed_object(text) if text else {}
        named = settings.get("allowReferences")
        patterns = tuple(item for item in named if isinstance(item, str)) if isinstance(named, list) else named is True
        return cls(patterns, settings.get("allowAmbient") is True, settings.get("allowOwnExternalId") is True)


def refuse_references(values: Mapping[str, Any], folder: str, rules: ReferenceRules) -> None:
    """Refuse secret references in ``values`` that ``rules`` do not allow.

    :raises InvalidConnection: with a detail for each.
    """
    faults = [(path, rules.fault(kind, target, folder)) for path, kind, target in references(values)]
    details = [Detail(path, fault) for path, fault in faults if fault is not None]
    if details:
        which = "secret references" if len(details) == len(faults) else f"{len(details)} of its secret references"
        raise InvalidConnection(f"the connection may not use {which}", details=details, hint=_HINT.format("allowReferences"))


def refuse_ambient(path: str) -> None:
    """Refuse a connection that would use the host's own identity; ``path`` points to the value to give instead.

    :raises InvalidConnection: always.
    """
    text = "the identity of the host would be used, which this connection may not"
    raise InvalidConnection(
        "the connection may not use the identity of the host", details=[Detail(path, text)], hint=_HINT.format("allowAmbient")
    )


def refuse_external_ids(fields: Iterable[str]) -> None:
    """Refuse External IDs that an inline connection chooses in ``fields``: the owner of a role may have assigned them to another
    customer.

    :raises InvalidConnection: always.
    """
    text = "is chosen by jackfield for a connection that is stored; an inline one cannot choose it"
    raise InvalidConnection(
        "the External ID cannot be chosen",
        details=[Detail(f"/{field}", text) for field in fields],
        hint="Store the connection and name it: its External ID is made and shown then. " + _HINT.format("allowOwnExternalId"),
    )
