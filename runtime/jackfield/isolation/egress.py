"""Outgoing connections of isolated connectors. The child has no network: this process connects for it and passes the open socket on.

Allowed are the hosts that the connection's values name, under the guard of that connection, and the public hosts that the manifest names.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from jackfield.connector.guard import Guard
from jackfield.errors import Detail, InvalidConnection
from jackfield.isolation.proxies import Proxies
from jackfield.pipe.open import hosts_of, named_hosts

_LOG = logging.getLogger("jackfield.isolation")
_PUBLIC = Guard()
_NONE = Proxies({})
_MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Egress:
    """Hosts that one call may connect to. ``named`` come from the connection, which ``guard`` judges; ``declared`` from the manifest."""

    connector: str
    declared: tuple[str, ...]
    named: frozenset[str] = frozenset()
    guard: Guard = _PUBLIC
    proxies: Proxies = _NONE
    told: set[str] = field(default_factory=set)
    """Hosts that were refused, and logged, before."""

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Open a TCP connection.

        :raises InvalidConnection: if the host is not allowed.
        :raises OSError: if none of its addresses accepts the connection.
        """
        wanted = host.strip("[]").rstrip(".").lower()
        if wanted in self.named:
            guard = self.guard
        elif any(fnmatchcase(wanted, pattern.lower()) for pattern in self.declared):
            guard = _PUBLIC
        else:
            raise self._refused(wanted)
        proxy = self.proxies.find(wanted, port)
        if proxy is None:
            connection = guard.connect(wanted, port, seconds)
        else:
            guard.check(wanted)
            connection = proxy.connect(wanted, port, seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        return connection

    def _refused(self, host: str) -> InvalidConnection:
        if host not in self.told and len(self.told) < _MOST_TOLD:  # a hostile connector would fill the log
            self.told.add(host)
            _LOG.warning("the connector '%s' is not allowed to connect to '%s'", self.connector, host[:200])
        text = f"'{host[:200]}' is named neither by the manifest of '{self.connector}' ('hosts') nor by the connection"
        return InvalidConnection("the connector is not allowed to connect to this host", details=[Detail("", text)])


def hosts_named(schema: Mapping[str, Any], values: Any) -> Iterable[str]:
    """Yield the hosts that a connection's values name, in lower case."""
    for path, text in named_hosts(schema, values):
        for host in hosts_of(text, path):
            yield host.strip("[]").rstrip(".").lower()
