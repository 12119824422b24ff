"""Outgoing connections of isolated connectors. The child has no network: this process connects for
it and passes the open socket.

Allowed are the hosts and ports of the connection's values, under the guard of the connection, and
the public hosts of the manifest. A host from the schema, as a default, choice or example, is the
author's choice and must be public, too. A name may lead to this machine or to a metadata service
only if the operator wrote ``localhost`` or the address: the owner of a name controls its DNS.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from jackfield.call.offered_hosts import is_written_out, offered
from jackfield.call.open import hosts_of, named_hosts
from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield.wire.connection import WireSettings, reached
from jackfield.wire.faults import WireFault
from jackfield.wire.guard import ANYWHERE, Guard
from jackfield.wire.head import Route, Target

_LOG = logging.getLogger("jackfield.isolation")
_PUBLIC = Guard()
_INTRANET = Guard(
    allowed=("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""Guard for names in the operator's own connections. It allows public and private addresses (RFC
1918, RFC 6598, RFC 4193), but not this machine.
"""
_WEB_PORTS = frozenset({80, 443})
_MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class NamedHost:
    """Permission for a host from a connection's values. ``ports`` are the ports of its URLs, None
    for any; ``by_author``: the value comes from the schema.
    """

    ports: frozenset[int] | None
    by_author: bool

    def merged(self, other: NamedHost) -> NamedHost:
        """Return the union of both permissions."""
        ports = None if self.ports is None or other.ports is None else self.ports | other.ports
        return NamedHost(ports, self.by_author and other.by_author)


@dataclass(frozen=True, slots=True)
class Egress:
    """Hosts that one call may connect to. ``named`` are from the connection and judged by
    ``guard``; ``declared`` are from the manifest.
    """

    connector: str
    declared: tuple[str, ...]
    named: Mapping[str, NamedHost] = field(default_factory=dict)
    guard: Guard = _PUBLIC
    route: Route | None = None
    told: set[str] = field(default_factory=set)
    """Hosts whose refusal was logged before."""

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Open a TCP connection and return its socket.

        :raises InvalidConnection: if the host is not allowed.
        :raises OSError: if none of its addresses accepts the connection.
        """
        wanted = host.strip("[]").rstrip(".").lower()
        named = self.named.get(wanted)
        if named is not None and (named.ports is None or port in named.ports):
            guard = self._guard_of(wanted, named)
        elif any(fnmatchcase(wanted, pattern.lower()) for pattern in self.declared):
            guard = _PUBLIC
        else:
            raise self._refusal(wanted if named is None else f"{wanted}:{port}")
        # whatever is spoken: a proxy passes it on by a tunnel
        end, target = monotonic() + seconds, Target("https", wanted, port)
        if guard is _INTRANET and self.route is not None and self.route(target) is not None:
            # the operator names the host, which may have an address for the proxy alone
            guard.check(wanted)
            guard = ANYWHERE
        try:
            connection = reached(
                target, WireSettings(guard, route=self.route), lambda: end - monotonic()
            )
        except WireFault as fault:
            if isinstance(fault.__cause__, OSError) and not fault.reason:
                raise fault.__cause__ from None
            raise OSError(fault.words) from fault
        connection.settimeout(None)
        return connection

    def _guard_of(self, host: str, named: NamedHost) -> Guard:
        if named.by_author:
            return _PUBLIC
        return self.guard if not self.guard.internal or is_written_out(host) else _INTRANET

    def _refusal(self, host: str) -> InvalidConnection:
        # a hostile connector would fill the log
        if host not in self.told and len(self.told) < _MOST_TOLD:
            self.told.add(host)
            _LOG.warning(
                "the connector '%s' is not allowed to connect to '%s'", self.connector, host[:200]
            )
        text = (
            f"'{host[:200]}' is named neither by the manifest of '{self.connector}' "
            "('hosts') nor by the connection"
        )
        return InvalidConnection(
            "the connector is not allowed to connect to this host", details=[Detail("", text)]
        )


def hosts_named(schema: Mapping[str, Any], values: Any) -> dict[str, NamedHost]:
    """Return permissions for the hosts in a connection's values, by host in lower case."""
    authored = frozenset(offered(schema))
    found: dict[str, NamedHost] = {}
    for path, text in named_hosts(schema, values):
        here = NamedHost(_ports(text), text in authored)
        for name in hosts_of(text, path):
            host = name.strip("[]").rstrip(".").lower()
            found[host] = found[host].merged(here) if host in found else here
    return found


def _ports(text: str) -> frozenset[int] | None:
    """Return the ports of a URL or of ``host:port``; None, for any port, if neither a port nor a
    web scheme is given.
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text.strip().lstrip('/')}")
        port = parts.port
    except ValueError:
        return frozenset()
    if port is not None:
        return frozenset({port})
    return _WEB_PORTS if parts.scheme.lower() in {"http", "https", "ws", "wss"} else None
