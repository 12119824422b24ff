"""Connections: from a name to values, secrets and leased credentials.

Names are imported at first use (PEP 562): a call without a database does not share leases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.connections.files import Source
    from jackfield.connections.host_access import HostAccess, refuse_ambient, refuse_external_ids, refuse_references
    from jackfield.connections.host_credentials import credential_files
    from jackfield.connections.leases import ConnectionCache, ConnectionCaches
    from jackfield.connections.reference_rules import ReferenceRules
    from jackfield.connections.secrets import Secrets, reference_paths
    from jackfield.connections.shared_leases import SharedLeases
    from jackfield.connections.store import Connections, sources_from
    from jackfield.connections.stored import NAME, NAME_EXPECTED, STORE, Origin, StoredConnection

__all__ = [
    "NAME",
    "NAME_EXPECTED",
    "STORE",
    "ConnectionCache",
    "ConnectionCaches",
    "Connections",
    "HostAccess",
    "Origin",
    "ReferenceRules",
    "Secrets",
    "SharedLeases",
    "Source",
    "StoredConnection",
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
        ".host_credentials": ("credential_files",),
        ".leases": ("ConnectionCache", "ConnectionCaches"),
        ".reference_rules": ("ReferenceRules",),
        ".secrets": ("Secrets", "reference_paths"),
        ".shared_leases": ("SharedLeases",),
        ".store": ("Connections", "sources_from"),
        ".stored": ("NAME", "NAME_EXPECTED", "Origin", "STORE", "StoredConnection"),
    },
)
