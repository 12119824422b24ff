"""What of the host a connection may use (contract §2): an operator's everything, one made over HTTP or MCP what its workspace allows."""

from __future__ import annotations

import json
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
    """What the operator allows to connections of one workspace that were made over HTTP or MCP: secret references (all but jackfield's
    own, or those that a pattern fits), the host's own identity, External IDs of their own choice. By default nothing."""

    references: Allowed = False
    ambient: bool = False
    own_external_id: bool = False

    @classmethod
    def from_settings(cls, text: str | None) -> HostAccess:
        """What a workspace's settings (JSON) say: ``allowReferences``, ``allowAmbient``, ``allowOwnExternalId``; only ``true`` allows, and
        for references a list of patterns."""
        settings = json.loads(text) if text else {}
        named = settings.get("allowReferences")
        patterns = tuple(item for item in named if isinstance(item, str)) if isinstance(named, list) else named is True
        return cls(patterns, settings.get("allowAmbient") is True, settings.get("allowOwnExternalId") is True)


def refuse_references(values: Mapping[str, Any], folder: str, rules: ReferenceRules) -> None:
    """Refuse the secret references among ``values`` that ``rules`` do not allow.

    :raises InvalidConnection: with a detail for each.
    """
    faults = [(path, rules.fault(kind, target, folder)) for path, kind, target in references(values)]
    details = [Detail(path, fault) for path, fault in faults if fault is not None]
    if details:
        which = "secret references" if len(details) == len(faults) else f"{len(details)} of its secret references"
        raise InvalidConnection(f"the connection may not use {which}", details=details, hint=_HINT.format("allowReferences"))


def refuse_ambient(path: str) -> None:
    """Refuse a connection that would use the host's own identity; ``path`` points at the value to give instead.

    :raises InvalidConnection: always.
    """
    text = "the identity of the host would be used, which this connection may not"
    raise InvalidConnection(
        "the connection may not use the identity of the host", details=[Detail(path, text)], hint=_HINT.format("allowAmbient")
    )


def refuse_external_ids(fields: Iterable[str]) -> None:
    """Refuse a connection that chooses an External ID, in ``fields``: it may be the one that the owner of a role gave to somebody else.

    :raises InvalidConnection: always.
    """
    text = "is chosen by jackfield for a connection that is stored; an inline one cannot choose it"
    raise InvalidConnection(
        "the External ID cannot be chosen",
        details=[Detail(f"/{field}", text) for field in fields],
        hint="Store the connection and name it: its External ID is made and shown then. " + _HINT.format("allowOwnExternalId"),
    )
