"""Outgoing connections of isolated connectors. The child has no network: this process connects for it and passes the open socket on.

Allowed are the hosts and ports that the connection's values name, under the guard of that connection, and the public hosts that the
manifest names. A host that the schema names, as a default, choice or example, is the author's choice and must be public, too. A name leads
to this machine or to a metadata service only if the operator wrote ``localhost`` or the address: DNS belongs to the name's owner.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from jackfield.errors import Detail, InvalidConnection
from jackfield.pipe.open import hosts_of, named_hosts
from jackfield.wire.guard import Guard
from jackfield_isolation.proxies import Proxies

_LOG = logging.getLogger("jackfield.isolation")
_PUBLIC = Guard()
_INTRANET = Guard(allowed=("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
"""Guard of the operator's own connections for names: public and private addresses (RFC 1918, RFC 6598, RFC 4193), but not this machine."""
_AUTHORED = frozenset({"default", "const", "enum", "examples"})
"""Keywords with values that the author offers; the operator who takes one has not written it."""
_WEB_PORTS = frozenset({80, 443})
_NONE = Proxies({})
_MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class NamedHost:
    """Host that a connection's values name. ``ports`` are those of its URLs, None for any; ``by_author``: the schema has that value."""

    ports: frozenset[int] | None
    by_author: bool

    def merged(self, other: NamedHost) -> NamedHost:
        """Return what both allow."""
        ports = None if self.ports is None or other.ports is None else self.ports | other.ports
        return NamedHost(ports, self.by_author and other.by_author)


@dataclass(frozen=True, slots=True)
class Egress:
    """Hosts that one call may connect to. ``named`` come from the connection, which ``guard`` judges; ``declared`` from the manifest."""

    connector: str
    declared: tuple[str, ...]
    named: Mapping[str, NamedHost] = field(default_factory=dict)
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
        named = self.named.get(wanted)
        if named is not None and (named.ports is None or port in named.ports):
            guard = self._guard_of(wanted, named)
        elif any(fnmatchcase(wanted, pattern.lower()) for pattern in self.declared):
            guard = _PUBLIC
        else:
            raise self._refused(wanted if named is None else f"{wanted}:{port}")
        proxy = self.proxies.find(wanted, port)
        if proxy is None:
            connection = guard.connect(wanted, port, seconds)
        else:
            guard.check(wanted)
            connection = proxy.connect(wanted, port, seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        return connection

    def _guard_of(self, host: str, named: NamedHost) -> Guard:
        if named.by_author:
            return _PUBLIC
        return self.guard if not self.guard.internal or _is_written_out(host) else _INTRANET

    def _refused(self, host: str) -> InvalidConnection:
        if host not in self.told and len(self.told) < _MOST_TOLD:  # a hostile connector would fill the log
            self.told.add(host)
            _LOG.warning("the connector '%s' is not allowed to connect to '%s'", self.connector, host[:200])
        text = f"'{host[:200]}' is named neither by the manifest of '{self.connector}' ('hosts') nor by the connection"
        return InvalidConnection("the connector is not allowed to connect to this host", details=[Detail("", text)])


def hosts_named(schema: Mapping[str, Any], values: Any) -> dict[str, NamedHost]:
    """Return the hosts that a connection's values name, in lower case."""
    authored = frozenset(_authored(schema))
    found: dict[str, NamedHost] = {}
    for path, text in named_hosts(schema, values):
        here = NamedHost(_ports(text), text in authored)
        for name in hosts_of(text, path):
            host = name.strip("[]").rstrip(".").lower()
            found[host] = found[host].merged(here) if host in found else here
    return found


def inner_hosts(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values that a connection type's schema offers and that name this machine or an address in the operator's network."""
    for text in _authored(schema):
        with suppress(InvalidConnection):  # no client can read the host: a connection with this value is refused
            if any(map(_is_inner, hosts_of(text, ""))):
                yield text


def _is_inner(name: str) -> bool:
    host = name.strip("[]").rstrip(".").lower()
    if not _is_written_out(host):
        return False
    try:
        ip_address(host)
        _PUBLIC.check_address(host, host)
    except (ValueError, InvalidConnection):
        return True
    return False


def _authored(node: object) -> Iterator[str]:
    """Yield all strings in the defaults, choices and examples of a schema."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _strings(value) if name in _AUTHORED else _authored(value)
    elif isinstance(node, list):
        for item in node:
            yield from _authored(item)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(item)


def _ports(text: str) -> frozenset[int] | None:
    """Return the ports of a URL or of ``host:port``; None if it names none and its scheme is not the web's."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text.strip().lstrip('/')}")
        port = parts.port
    except ValueError:
        return frozenset()
    if port is not None:
        return frozenset({port})
    return _WEB_PORTS if parts.scheme.lower() in {"http", "https", "ws", "wss"} else None


def _is_written_out(host: str) -> bool:
    """Return whether somebody wrote this machine's name or an address, in place of a name that DNS resolves."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
