"""From a connection's name to values, secrets and leased credentials.

Names are imported when they are first asked for (PEP 562): a call without a database shares no leases.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield.connections.files import Source
    from jackfield.connections.host_access import HostAccess, refuse_ambient, refuse_external_ids, refuse_references
    from jackfield.connections.leases import ConnectionCache, ConnectionCaches
    from jackfield.connections.secrets import Secrets, reference_paths
    from jackfield.connections.shared import SharedLeases
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
    "Secrets",
    "SharedLeases",
    "Source",
    "StoredConnection",
    "reference_paths",
    "refuse_ambient",
    "refuse_external_ids",
    "refuse_references",
    "sources_from",
]

_HOMES = {
    "NAME": "stored",
    "NAME_EXPECTED": "stored",
    "STORE": "stored",
    "ConnectionCache": "leases",
    "ConnectionCaches": "leases",
    "Connections": "store",
    "HostAccess": "host_access",
    "Origin": "stored",
    "Secrets": "secrets",
    "SharedLeases": "shared",
    "Source": "files",
    "StoredConnection": "stored",
    "reference_paths": "secrets",
    "refuse_ambient": "host_access",
    "refuse_external_ids": "host_access",
    "refuse_references": "host_access",
    "sources_from": "store",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (PEP 562: whatever the name stands for)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
