"""Connections: from a name to values, secrets and leased credentials.

Names are imported at first use (PEP 562): a call without a database does not share leases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.connections.connection_cache import ConnectionCache, ConnectionCaches
    from jackfield.connections.connection_lookup import Connections, sources_from
    from jackfield.connections.files import Source
    from jackfield.connections.host_access import HostAccess, refuse_ambient, refuse_external_ids, refuse_references
    from jackfield.connections.named_connection import NAME, NAME_EXPECTED, STORE, NamedConnection, Origin
    from jackfield.connections.reference_rules import ReferenceRules, credential_files
    from jackfield.connections.secrets import Secrets, reference_paths
    from jackfield.connections.shared_leases import SharedLeases

__all__ = [
    "NAME",
    "NAME_EXPECTED",
    "STORE",
    "ConnectionCache",
    "ConnectionCaches",
    "Connections",
    "HostAccess",
    "NamedConnection",
    "Origin",
    "ReferenceRules",
    "Secrets",
    "SharedLeases",
    "Source",
    "credential_files",
    "reference_paths",
    "refuse_ambient",
    "refuse_external_ids",
    "refuse_references",
    "sources_from",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        ".files": ("Source",),
        ".host_access": ("HostAccess", "refuse_ambient", "refuse_external_ids", "refuse_references"),
        ".connection_cache": ("ConnectionCache", "ConnectionCaches"),
        ".reference_rules": ("ReferenceRules", "credential_files"),
        ".secrets": ("Secrets", "reference_paths"),
        ".shared_leases": ("SharedLeases",),
        ".connection_lookup": ("Connections", "sources_from"),
        ".named_connection": ("NAME", "NAME_EXPECTED", "Origin", "STORE", "NamedConnection"),
    },
)
