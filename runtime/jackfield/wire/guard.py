"""Check of the addresses that a connection may reach.

The operator's own connections may reach any address. A connection of a remote caller must not reach
into the operator's network (SSRF). A runtime may be limited to some hosts, whoever made the
connection: ``only_hosts``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation
from jackfield.kernel.hints import NextStep
from jackfield.wire.addresses import Address, first_connected, literal, look_up

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, Oracle Cloud and others: instance metadata
        "fd00:ec2::254",  # AWS: instance metadata over IPv6
        # AWS: credentials of ECS tasks and EKS pods
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::23",
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's platform
        "192.0.0.192",  # Oracle Cloud: former address
    )
)
_EMBEDDING_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96",  # RFC 6052 §2.1: NAT64
        "::ffff:0:0:0/96",  # RFC 2765 §2.1: IPv4-translated
        "::/96",  # RFC 4291 §2.5.5.1: IPv4-compatible
    )
)
"""Networks whose last 32 bits hold an IPv4 address."""
_GLOBAL_UNICAST = ip_network("2000::/3")
"""Network of the IPv6 addresses of the public internet (RFC 4291 §2.4). ``is_global`` is also true
of others, such as site-local ``fec0::/10``.
"""
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
"""Network of NAT64 inside the operator's network (RFC 8215). The translator decides where the IPv4
address is embedded (RFC 6052 §2.2).
"""
_INNER = frozenset(
    [
        "corp",
        "home",
        "internal",
        "intranet",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "private",
        "test",
        "arpa",
        "onion",
    ]
)
"""Last labels of names that no public resolver has (RFC 6761, RFC 6762, RFC 8375, ICANN's list of
collisions).
"""

VARIABLE, _ALLOWED = "JACKFIELD_ONLY_HOSTS", "JACKFIELD_ALLOW_HOSTS"
_NONE = "none"
_MOST_SHOWN = 5


class Limited(Protocol):
    """Attempt that may reach only some hosts, or any if ``only_hosts`` is None."""

    only_hosts: OnlyHosts | None


CURRENT: ContextVar[Limited | None] = ContextVar("jackfield_call", default=None)
"""Attempt that this thread or task runs; ``connector.context`` sets it."""
_OPENING: ContextVar[OnlyHosts | None] = ContextVar("jackfield_only_hosts", default=None)
"""Hosts to which the opening of a connection outside of an attempt is limited; None for no
limit.
"""
UNSEEN: ContextVar[bool] = ContextVar("jackfield_unseen", default=False)
"""True while credentials are requested: their requests and responses must not be stored as
exchanges.
"""


@contextmanager
def unseen() -> Iterator[None]:
    """Store no exchanges of this thread or task within the block: they contain credentials."""
    token = UNSEEN.set(True)
    try:
        yield
    finally:
        UNSEEN.reset(token)


@dataclass(frozen=True, slots=True)
class OnlyHosts:
    """Set of permitted hosts: names (``*.example.com`` too), addresses and networks. A host is
    judged as written: nothing is resolved.
    """

    patterns: tuple[str, ...]
    owner: str = "this runtime"
    """Owner of the limit on hosts, for messages."""
    within: OnlyHosts | None = None
    """Further set of hosts in which each host must be, too."""

    def require(self, host: str, path: str = "") -> None:
        """Refuse a host that is not in the set. ``path`` points at the connection value that names
        the host.

        :raises InvalidConnection: if the host is not in the set.
        """
        plain = host.strip("[]").rstrip(".").lower()
        if not any(_matches(pattern, plain, literal(plain)) for pattern in self.patterns):
            raise self._refusal(host, path)
        if self.within is not None:
            self.within.require(host, path)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Limit the hosts that this thread or task, and its children, reach while a connection is
        being opened.
        """
        before = _OPENING.set(self)
        try:
            yield
        finally:
            _OPENING.reset(before)

    def _refusal(self, host: str, path: str) -> InvalidConnection:
        named = ", ".join(self.patterns[:_MOST_SHOWN]) + (
            ", …" if len(self.patterns) > _MOST_SHOWN else ""
        )
        text = (
            f"'{host[:200]}' is not among the only hosts that {self.owner} may reach: "
            f"{named or 'none'}"
        )
        message = f"the connection is not allowed to reach '{host[:200]}'"
        return InvalidConnection(message, details=[Detail(path, text)], hint=NextStep("only_hosts"))


def only_hosts(given: Iterable[str] | None, environment: Mapping[str, str]) -> OnlyHosts | None:
    """Return the hosts that a runtime is limited to: the ``given`` hosts, else the environment's;
    None for no limit.

    :raises InvalidInvocation: if ``given`` is one string instead of several.
    """
    if isinstance(given, str):
        raise InvalidInvocation(
            "'only_hosts' is one text, and must be a list of hosts",
            hint=f"Write only_hosts=[{given[:80]!r}].",
        )
    if given is None:
        words = _words(environment, VARIABLE)
        return None if not words else OnlyHosts(tuple(word for word in words if word != _NONE))
    return OnlyHosts(tuple(given))


def allowed_hosts(given: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the internal hosts that an operator allows: the hosts ``given`` to a command, and
    those of the environment, which must be equal for all processes of a database.
    """
    return tuple(dict.fromkeys((*given, *_words(environment, _ALLOWED))))


def _words(environment: Mapping[str, str], variable: str) -> list[str]:
    return environment.get(variable, "").replace(",", " ").split()


def require_reachable(host: str, path: str = "") -> None:
    """Refuse a host that the current attempt may not reach.

    :raises InvalidConnection: if its runtime is limited to other hosts.
    """
    only, call = _OPENING.get(), CURRENT.get()
    if only is None and call is not None:
        only = call.only_hosts
    if only is not None:
        only.require(host, path)


@dataclass(frozen=True, slots=True)
class Guard:
    """Address filter for outgoing connections.

    ``internal`` permits every address. Otherwise only public addresses are permitted, loopback if
    ``loopback`` is set, and the hosts in ``allowed`` or currently returned by ``shared``: names
    (``*.corp.example`` too), addresses or networks. Unless ``internal`` is set, cloud metadata
    services are refused even if a rule matches them. In any case, an attempt of a runtime that is
    limited to some hosts (``only_hosts``) reaches no others. ``tenant`` is the tenant whose names
    are looked up.
    """

    internal: bool = False
    loopback: bool = False
    allowed: tuple[str, ...] = ()
    shared: Callable[[], tuple[str, ...]] | None = None
    tenant: str = ""

    def check(self, host: str, path: str = "") -> None:
        """Resolve ``host`` and check every address. A name that does not resolve passes the check;
        connecting to it fails.

        ``path`` points at the connection value that names the host.

        :raises InvalidConnection: if one of the addresses is not permitted.
        """
        require_reachable(host, path)
        if self.internal:
            return
        try:
            found = look_up(host, tenant=self.tenant)
        except (OSError, UnicodeError):
            return
        for _, address in found:
            self.check_address(host, str(address[0]), path)

    def permits(self, host: str) -> bool:
        """Return whether ``check`` permits a host."""
        try:
            self.check(host)
        except InvalidConnection:
            return False
        return True

    def check_address(self, host: str, address: str, path: str = "") -> None:
        """Check one address that ``host`` resolved to, right before connecting to it.

        :raises InvalidConnection: if the address is not permitted.
        """
        if not self.internal and not self._permits(
            host.strip("[]").rstrip(".").lower(), _effective_address(address)
        ):
            text = (
                f"'{host[:200]}' is inside the operator's network, which is out of reach from here"
            )
            raise InvalidConnection(
                "the connection is not allowed to reach this host",
                details=[Detail(path, text)],
                hint=NextStep("allow_host"),
            )

    def resolve(
        self, host: str, port: int, path: str = "", seconds: float | None = None
    ) -> list[Address]:
        """Resolve ``host`` once, check every address, and return pairs of address family and
        address for ``socket.connect``. ``seconds`` limits the look-up.

        Connect to these addresses, not to the name, which may then resolve to others (DNS
        rebinding).

        :raises InvalidConnection: if one of the addresses is not permitted.
        :raises OSError: if the name does not resolve.
        """
        require_reachable(host, path)
        return self.addresses(host, port, path, seconds)

    def addresses(
        self, host: str, port: int, path: str = "", seconds: float | None = None
    ) -> list[Address]:
        """Resolve the host of a proxy as ``resolve`` does, but ignore ``only_hosts``, which limits
        the proxy's targets, not the proxy.

        :raises InvalidConnection: if one of the addresses is not permitted.
        :raises OSError: if the name does not resolve.
        """
        found = look_up(host, port, seconds, self.tenant)
        for _, address in found:
            self.check_address(host, str(address[0]), path)
        return found

    def at_proxy(
        self, host: str, path: str = "", *, resolves: bool = False, seconds: float | None = None
    ) -> str:
        """Return the destination for a proxy: ``host`` itself if every address is permitted, else
        one of its checked addresses.

        ``resolves``: a name without an address on this machine may be left to the proxy, unless it
        looks like a name of an internal network.

        :raises InvalidConnection: if one of the addresses is not permitted, or there is no address
            to check.
        """
        require_reachable(host, path)
        if self.internal:
            return host
        try:
            answers = look_up(host, None, seconds, self.tenant)
            found = [str(address[0]) for _, address in answers]
        except (OSError, UnicodeError):
            found = []
        for address in found:
            self.check_address(host, address, path)
        if found:
            return found[0].partition("%")[0]
        self._check_unresolved(host.strip("[]").rstrip(".").lower(), path, resolves=resolves)
        return host

    def _check_unresolved(self, host: str, path: str, *, resolves: bool) -> None:
        """Refuse a name that only a proxy can resolve, unless the operator has allowed the name, or
        lets the proxy resolve names.
        """
        if any(
            _matches(pattern, host, None) for pattern in (*self.allowed, *(self.shared or tuple)())
        ):
            return
        if not resolves:
            text, hint = (
                f"'{host[:200]}' has no address here, so nobody can judge where a proxy would lead",
                NextStep("resolve_at_proxy"),
            )
        elif _is_inner(host):
            text, hint = (
                f"'{host[:200]}' is a name of an inner network, which is out of reach from here",
                NextStep("allow_host"),
            )
        else:
            return
        raise InvalidConnection(
            "the connection is not allowed to reach this host",
            details=[Detail(path, text)],
            hint=hint,
        )

    def connect(
        self, host: str, port: int, timeout: float | None = None, path: str = ""
    ) -> socket.socket:
        """Open a TCP connection to ``host`` via ``resolve``: a checked
        ``socket.create_connection``. ``timeout`` limits the look-up and the connecting, each.

        :raises InvalidConnection: if the host is not permitted.
        :raises OSError: if none of its addresses accepts the connection.
        """
        return first_connected(self.resolve(host, port, path, timeout), timeout)

    def _permits(self, host: str, address: IPv4Address | IPv6Address | None) -> bool:
        if address is None or not _METADATA.isdisjoint((address, *_nat64_targets(address))):
            return False
        if (
            address.is_global
            and not address.is_multicast
            and (address.version == 4 or address in _GLOBAL_UNICAST)
        ):
            return True
        if (self.loopback and address.is_loopback) or any(
            _matches(pattern, host, address) for pattern in self.allowed
        ):
            return True
        return self.shared is not None and any(
            _matches(pattern, host, address) for pattern in self.shared()
        )


ANYWHERE = Guard(internal=True)
"""Guard that permits every address, for the operator's own connections and for tests."""


def _effective_address(address: str) -> IPv4Address | IPv6Address | None:
    """Parse an address; None if it is not an address. An IPv6 address that embeds an IPv4 address
    gives the IPv4 address.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    if any(found in network for network in _EMBEDDING_NETWORKS) and not (
        found.is_loopback or found.is_unspecified
    ):
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else found)


def _nat64_targets(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that a local NAT64 translator may extract, one for each possible
    prefix length.
    """
    if address not in _LOCAL_NAT64:
        return ()
    bits = int(address)
    squeezed = bits >> 64 << 56 | bits & (1 << 56) - 1  # drop bits 64 to 71, the zero octet
    return IPv4Address(bits & 0xFFFFFFFF), *(
        IPv4Address(squeezed >> shift & 0xFFFFFFFF) for shift in (40, 32, 24)
    )


def _is_inner(host: str) -> bool:
    """Return whether a name looks like a name of an internal network: it has one label, a typical
    suffix, or is a number.
    """
    *before, last = host.split(".")
    return not before or last in _INNER or not last.strip("0123456789") or last.startswith("0x")


def _matches(pattern: str, host: str, address: IPv4Address | IPv6Address | None) -> bool:
    """Return whether a pattern covers a host in lower case, or its address."""
    try:
        network = ip_network(pattern, strict=False)
    except ValueError:
        return fnmatchcase(host, pattern.lower())
    return address is not None and address in network
