"""Where a connection may connect to: an operator's anywhere, one that was made over HTTP or MCP not into the operator's own network."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from jackfield.errors import Detail, InvalidConnection
from jackfield.hints import NextStep

__all__ = ["ANYWHERE", "Guard"]

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, Oracle Cloud and others: instance metadata
        "fd00:ec2::254",  # AWS, the same over IPv6
        "169.254.170.2", "169.254.170.23", "fd00:ec2::23",  # AWS: credentials of ECS tasks and EKS pods
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's platform
        "192.0.0.192",  # Oracle Cloud, the older one
    )
)  # fmt: skip
_LAST = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96",  # RFC 6052 §2.1: NAT64
        "::ffff:0:0:0/96",  # RFC 2765 §2.1: IPv4-translated
        "::/96",  # RFC 4291 §2.5.5.1: IPv4-compatible
    )
)
"""Where the last 32 bits are an IPv4 address."""
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
"""RFC 8215: NAT64 of the operator's own network. Where the IPv4 address stands is the translator's business (RFC 6052 §2.2)."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Judges addresses. ``internal``: every address will do. Else only public ones, loopback where ``loopback`` says so, and the hosts of
    ``allowed``: names (``*.corp.example`` too), addresses or networks. Cloud metadata services are then refused whatever is allowed."""

    internal: bool = False
    loopback: bool = False
    allowed: tuple[str, ...] = ()

    def check(self, host: str, path: str = "") -> None:
        """Resolve ``host`` and judge every address; a name that does not resolve is left to whoever connects. ``path`` points at the
        connection's value that names it.

        :raises InvalidConnection: where one of them may not be reached.
        """
        if self.internal:
            return
        try:
            found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        for entry in found:
            self.check_address(host, str(entry[4][0]), path)

    def check_address(self, host: str, address: str, path: str = "") -> None:
        """Judge one address that ``host`` resolved to, right before it is connected to.

        :raises InvalidConnection: where it may not be reached.
        """
        if not self.internal and not self._permits(host.strip("[]").rstrip(".").lower(), _plain(address)):
            text = f"'{host[:200]}' is inside the operator's network, which this connection may not reach"
            raise InvalidConnection(
                "the connection may not reach this host",
                details=[Detail(path, text)],
                hint=NextStep("allow_host"),
            )

    def resolve(self, host: str, port: int, path: str = "") -> list[tuple[int, tuple[Any, ...]]]:
        """Resolve ``host`` once and judge what it resolves to: (address family, address) for ``socket.connect``.

        Connect to these addresses, not to the name: it may resolve to others by then.

        :raises InvalidConnection: where one of them may not be reached.
        :raises OSError: where the name does not resolve.
        """
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        for entry in found:
            self.check_address(host, str(entry[4][0]), path)
        return [(int(entry[0]), entry[4]) for entry in found]

    def connect(self, host: str, port: int, timeout: float | None = None, path: str = "") -> socket.socket:
        """Open a TCP connection to ``host``, by the addresses that ``resolve`` gives: what ``socket.create_connection`` does, judged.

        :raises InvalidConnection: where the host may not be reached.
        :raises OSError: where none of its addresses answers.
        """
        failure = OSError(f"'{host[:200]}' has no address")
        for family, address in self.resolve(host, port, path):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _permits(self, host: str, address: IPv4Address | IPv6Address | None) -> bool:
        if address is None or not _METADATA.isdisjoint((address, *_translated(address))):
            return False
        if address.is_global and not address.is_multicast and address not in _LOCAL_NAT64:
            return True
        return (self.loopback and address.is_loopback) or any(_fits(pattern, host, address) for pattern in self.allowed)


ANYWHERE = Guard(internal=True)
"""The guard of the operator's own connections."""


def _plain(address: str) -> IPv4Address | IPv6Address | None:
    """The address; of an IPv6 one that stands for an IPv4 address, that one."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    if any(found in network for network in _LAST) and not (found.is_loopback or found.is_unspecified):
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else found)


def _translated(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """What a translator of the operator's own may make of an address, for each length that its prefix can have."""
    if address not in _LOCAL_NAT64:
        return ()
    bits = int(address)
    squeezed = bits >> 64 << 56 | bits & (1 << 56) - 1  # without the octet of zeros, bits 64 to 71
    return IPv4Address(bits & 0xFFFFFFFF), *(IPv4Address(squeezed >> shift & 0xFFFFFFFF) for shift in (40, 32, 24))


def _fits(pattern: str, host: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(pattern, strict=False)
    except ValueError:
        return fnmatchcase(host, pattern.lower())
