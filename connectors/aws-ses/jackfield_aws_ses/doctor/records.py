"""DNS look-ups of the doctor, through dnspython. A missing record differs from a server that does
not answer.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any

from dns.exception import DNSException
from dns.nameserver import Do53Nameserver
from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration, Resolver

_LIFETIME = 5.0
"""Maximum seconds of one look-up, all servers and tries together."""
_SERVERS = "JACKFIELD_DNS_SERVERS"
_DNS_PORT = 53
_LAST_PORT = 65_535


class DnsUnavailable(Exception):
    """Error of a look-up without an answer: the name may or may not have records."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


class Records:
    """Records of DNS names, as text without the final dot."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def txt(self, name: str) -> tuple[str, ...]:
        """Return the TXT records, each with its strings joined (RFC 7208 §3.3); an empty tuple if
        the name has no TXT records.

        :raises DnsUnavailable: if DNS does not answer.
        """
        return tuple(
            b"".join(row.strings).decode("utf-8", "replace") for row in self._rows(name, "TXT")
        )

    def mx(self, name: str) -> tuple[str, ...]:
        """Return the hosts of the MX records, in lower case; an empty tuple if the name has no MX
        records. Raises as ``txt`` does.
        """
        return tuple(_plain(row.exchange) for row in self._rows(name, "MX"))

    def cname(self, name: str) -> str | None:
        """Return the target of the CNAME record, in lower case; None if the name has no CNAME
        record. Raises as ``txt`` does.
        """
        return next((_plain(row.target) for row in self._rows(name, "CNAME")), None)

    def _rows(self, name: str, kind: str) -> list[Any]:
        try:
            return list(self._resolver.resolve(name, kind, lifetime=_LIFETIME))
        except (NXDOMAIN, NoAnswer):
            return []
        except (DNSException, OSError) as error:
            raise DnsUnavailable(name, str(error) or type(error).__name__) from None


def _plain(name: object) -> str:
    return str(name).rstrip(".").lower()


def system_records() -> Records:
    """Return records as resolved by this machine; ``JACKFIELD_DNS_SERVERS``
    (``127.0.0.1:5353,192.0.2.1``) names other servers.

    :raises DnsUnavailable: if the machine has no resolver, or the variable holds no address.
    """
    servers = [item.strip() for item in os.environ.get(_SERVERS, "").split(",") if item.strip()]
    try:
        resolver = Resolver(configure=not servers)
    except NoResolverConfiguration as error:
        raise DnsUnavailable("the resolver", str(error)) from None
    if servers:
        resolver.nameservers = [Do53Nameserver(*_address(item)) for item in servers]
    return Records(resolver)


def _address(text: str) -> tuple[str, int]:
    """Return the IP address and the port of ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or
    ``[2001:db8::1]:5353``.

    :raises DnsUnavailable: if the text is no such address.
    """
    host, _, port = (
        text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", str(_DNS_PORT))
    )
    try:
        address, number = ip_address(host.removeprefix("[").removesuffix("]")), int(port)
    except ValueError:
        address, number = None, 0
    if address is None or not 0 < number <= _LAST_PORT:
        raise DnsUnavailable(
            "the resolver",
            f"{_SERVERS} names '{text[:100]}', which is not an IP address, with or without a port",
        )
    return str(address), number
