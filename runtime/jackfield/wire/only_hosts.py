"""The hosts that a runtime may reach at all: the option ``only_hosts``, for the tests of applications and for places without a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from jackfield.dataclass import dataclass
from jackfield.errors import Detail, InvalidConnection, InvalidInvocation
from jackfield.hints import NextStep

VARIABLE = "JACKFIELD_ONLY_HOSTS"
_NONE = "none"
_MOST_SHOWN = 5


class Limited(Protocol):
    """Attempt that may reach only some hosts, or any if ``only_hosts`` is None."""

    only_hosts: OnlyHosts | None


CURRENT: ContextVar[Limited | None] = ContextVar("jackfield_call", default=None)
"""Attempt that this thread or task runs; ``connector.context`` sets it."""
_OPENING: ContextVar[OnlyHosts | None] = ContextVar("jackfield_only_hosts", default=None)
"""The hosts that the opening of a connection, which no attempt runs, is limited to."""


@dataclass(frozen=True, slots=True)
class OnlyHosts:
    """Names (``*.example.com`` too), addresses and networks. A host is judged as it is written: nothing is resolved for that."""

    patterns: tuple[str, ...]

    def require(self, host: str, path: str = "") -> None:
        """Refuse a host that is not named. ``path`` points at the connection value that names it.

        :raises InvalidConnection: if it is not.
        """
        plain = host.strip("[]").rstrip(".").lower()
        if any(matches(pattern, plain, _literal(plain)) for pattern in self.patterns):
            return
        raise self._refused(host, path)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Limit what this thread or task, and those that it starts, reach while a connection is being opened."""
        before = _OPENING.set(self)
        try:
            yield
        finally:
            _OPENING.reset(before)

    def _refused(self, host: str, path: str) -> InvalidConnection:
        named = ", ".join(self.patterns[:_MOST_SHOWN]) + (", …" if len(self.patterns) > _MOST_SHOWN else "")
        text = f"'{host[:200]}' is not among the only hosts that this runtime may reach: {named or 'it may reach none'}"
        message = f"the connection is not allowed to reach '{host[:200]}'"
        return InvalidConnection(message, details=[Detail(path, text)], hint=NextStep("only_hosts"))


def only_hosts(given: Iterable[str] | None, environment: Mapping[str, str]) -> OnlyHosts | None:
    """Return the hosts that a runtime is limited to: those ``given``, else those of the environment; None for no limit.

    :raises InvalidInvocation: if they are one text instead of several.
    """
    if isinstance(given, str):
        raise InvalidInvocation("'only_hosts' is one text, and must be a list of hosts", hint=f"Write only_hosts=[{given[:80]!r}].")
    if given is None:
        words = environment.get(VARIABLE, "").replace(",", " ").split()
        return None if not words else OnlyHosts(tuple(word for word in words if word != _NONE))
    return OnlyHosts(tuple(given))


def require_reachable(host: str, path: str = "") -> None:
    """Refuse a host that the current attempt may not reach.

    :raises InvalidConnection: if its runtime is limited to others.
    """
    only, call = _OPENING.get(), CURRENT.get()
    if only is None and call is not None:
        only = call.only_hosts
    if only is not None:
        only.require(host, path)


def matches(pattern: str, host: str, address: IPv4Address | IPv6Address | None) -> bool:
    """Return whether a pattern covers a host in lower case, or its address."""
    try:
        network = ip_network(pattern, strict=False)
    except ValueError:
        return fnmatchcase(host, pattern.lower())
    return address is not None and address in network


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
