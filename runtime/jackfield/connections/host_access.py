"""Access of connections to the server: unlimited for an operator's, limited by the workspace for those made over HTTP or MCP.

``docs/reference/connections.md`` has the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connections.reference_rules import Allowed, ReferenceRules
from jackfield.connections.secret_references import references
from jackfield.dataclass import dataclass
from jackfield.errors import Detail, InvalidConnection

_HINT = "Connections created over HTTP or MCP need the operator's permission for this: the workspace's setting '{}'."


@dataclass(frozen=True, slots=True)
class HostAccess:
    """Rights that the operator grants to one workspace's connections made over HTTP or MCP: secret references (all but jackfield's own,
    or those that match a pattern), the server's own identity, and External IDs of their own choice. By default none."""

    references: Allowed = False
    ambient: bool = False
    own_external_id: bool = False

    @classmethod
    def from_settings(cls, text: str | None) -> HostAccess:
        """Read the rights from a workspace's settings (JSON): ``allowReferences``, ``allowAmbient``, ``allowOwnExternalId``. Only
        ``true`` grants a right; ``allowReferences`` may also be a list of patterns.

        :raises ValueError, TypeError: if they cannot be read.
        """
        from jackfield.kernel.stored_values import parsed_object

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
        raise InvalidConnection(f"the connection is not allowed to use {which}", details=details, hint=_HINT.format("allowReferences"))


def refuse_ambient(path: str) -> None:
    """Refuse a connection that would use the server's own identity; ``path`` points to the value to give instead.

    :raises InvalidConnection: always.
    """
    text = "this connection would use the server's identity, which is not allowed"
    raise InvalidConnection(
        "the connection is not allowed to use the server's identity", details=[Detail(path, text)], hint=_HINT.format("allowAmbient")
    )
