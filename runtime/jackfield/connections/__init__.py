"""From a connection's name to values, secrets and leased credentials."""

from jackfield.connections.host_access import HostAccess, refuse_ambient, refuse_references
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
    "StoredConnection",
    "reference_paths",
    "refuse_ambient",
    "refuse_references",
    "sources_from",
]
