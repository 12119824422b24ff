"""Look-up of a name's addresses, and connection to the first address that accepts, both within the
deadline.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from jackfield.kernel.clock import monotonic
from jackfield.kernel.failures import OnFailure, Raised, attempt, value_of
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.interrupts import let_out
from jackfield.kernel.shares import POOLS, Places, SharedThreads

Address = tuple[int, tuple[Any, ...]]
"""Family and address, in the form for ``socket.connect``."""
_Question = tuple[str, int | None]

_NAMES = POOLS["names"]
TURN = _NAMES.turn or 0.0
"""Maximum seconds for which a caller waits for the resolver."""
_MOST_NAMES = 1_000
"""Maximum number of requested names, and of late answers."""
_MOMENT = 30.0
"""Seconds for which an answer that came after its callers' turn is kept."""
_NEXT = 0.25
"""Seconds after which the next address is tried in parallel (RFC 8305 §5)."""
_REMEMBERED, _MOST = 600.0, 1_000
"""Seconds for which an address that did not accept comes last, and maximum number of such
addresses.
"""
_UNROUTED = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
)
"""Error numbers of faults in this machine's network. Another address's failure says more: a name
often has unusable IPv6 addresses.
"""


class Asking:
    """Question to the resolver, whose answer several callers may await."""

    __slots__ = ("_answer", "_done", "is_begun")

    def __init__(self) -> None:
        self._done = threading.Event()
        self._answer: list[Address] | Raised = []
        self.is_begun = False
        """True once a thread asks the resolver."""

    def answered(self, answer: list[Address] | Raised) -> None:
        """Pass the answer to all waiting callers."""
        self._answer = answer
        self._done.set()

    def wait(self, seconds: float) -> list[Address]:
        """Return the addresses.

        :raises OSError: if there are none; ``TimeoutError`` if there is no answer within
            ``seconds``.
        :raises UnicodeError: if the host is not a valid name.
        """
        if not self._done.wait(min(seconds, threading.TIMEOUT_MAX)):
            raise TimeoutError("the resolver did not answer in time")
        return value_of(self._answer)


class LookUps(ProcessLocal):
    """Look-ups of a process, in separate threads, since the system's resolver has no deadline. Each
    name and port has one at a time. A look-up whose callers have given up goes on, and the next
    caller joins it, so that a slow resolver still answers. An answer that came too late for its
    first callers is kept for a moment.

    Tenants choose names, so one look-up per name is no limit: at most 64 look-ups run at a time,
    for at most 1,000 requested names. No tenant holds all of them.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._asked: dict[_Question, Asking] = {}
        self._late: dict[_Question, tuple[float, Asking]] = {}
        self._names = Places(_MOST_NAMES)
        self._threads = SharedThreads(_NAMES.size or 1, "jackfield-resolver")
        self._lock = threading.Lock()

    def ask(self, host: str, port: int | None = None, tenant: str = "") -> Asking:
        """Start or join a look-up of a name's addresses; return without waiting for it."""
        question = (host, port)
        with self._lock:
            asking = self._asked.get(question) or self._answered_late(question)
            if asking is not None and asking.is_begun:
                return asking
            if not self._names.take(tenant):
                refused = Asking()
                refused.answered(Raised(TimeoutError("too many names wait for the resolver")))
                return refused
            # one that waits behind other names of another tenant is begun in this tenant's turn
            asking = self._asked.setdefault(question, Asking())
        self._threads.begin(tenant, partial(self._look_up, question, asking, tenant))
        return asking

    def _answered_late(self, question: _Question) -> Asking | None:
        until, asking = self._late.pop(question, (0.0, None))
        if asking is None or monotonic() > until:
            return None
        self._late[question] = until, asking
        return asking

    def _look_up(self, question: _Question, asking: Asking, tenant: str) -> None:
        with self._lock:
            is_asked, asking.is_begun = asking.is_begun, True
            if is_asked:
                self._names.give(tenant)
                return
        found: list[Address] | Raised = Raised(
            socket.gaierror(socket.EAI_FAIL, "the look-up was ended")
        )
        begun = monotonic()
        try:
            found = attempt(_resolved, *question)
        finally:
            with self._lock:
                self._names.give(tenant)
                self._asked.pop(question)
                if monotonic() - begun >= TURN:
                    self._keep_late(question, asking)
            asking.answered(found)

    def _keep_late(self, question: _Question, asking: Asking) -> None:
        if len(self._late) >= _MOST_NAMES:
            self._late.clear()
        self._late[question] = monotonic() + _MOMENT, asking


LOOK_UPS = LookUps()
"""Look-ups of this process, shared by all tenants, since names and addresses are no tenant's
data.
"""


def look_up(
    host: str, port: int | None = None, seconds: float | None = None, tenant: str = ""
) -> list[Address]:
    """Return the addresses of a host for a tenant, within ``seconds`` and 5 seconds at most.

    :raises OSError: if the host has no address, or the resolver does not answer in time, which is
        ``EAI_AGAIN``.
    :raises UnicodeError: if the host is not a valid name.
    """
    name = host.strip("[]")
    try:
        if literal(name) is not None:
            return _resolved(name, port)
        return LOOK_UPS.ask(name, port, tenant).wait(
            TURN if seconds is None else min(seconds, TURN)
        )
    except TimeoutError as error:
        raise socket.gaierror(socket.EAI_AGAIN, "the resolver did not answer in time") from error


def _resolved(name: str, port: int | None) -> list[Address]:
    answers = socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM)
    return list(dict.fromkeys((int(answer[0]), answer[4]) for answer in answers))


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host consists of; None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


_FAILED: dict[tuple[Any, ...], float] = {}
"""Addresses that did not accept while another address of the name did, with the time."""


def first_connected(addresses: Sequence[Address], seconds: float | None) -> socket.socket:
    """Connect to the address that accepts first. The next address is tried when the previous one
    has failed, or in parallel after 250 ms; addresses that failed lately come last.

    :raises OSError: if no address accepts within ``seconds``.
    """
    if len(addresses) == 1:
        return connected(*addresses[0], seconds)
    now = monotonic()
    race = _Race(
        sorted(addresses, key=lambda one: _failed_at(one[1], now)),
        None if seconds is None else now + seconds,
    )
    try:
        found = race.winner()
    finally:
        race.close()
    found.settimeout(seconds)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _failed_at(address: tuple[Any, ...], now: float) -> float:
    at = _FAILED.get(address, 0.0)
    return at if at > now - _REMEMBERED else 0.0


class _Race:
    """Concurrent connection attempts to several addresses, the first of which wins."""

    def __init__(self, addresses: list[Address], until: float | None) -> None:
        self._waiting, self._until = addresses, until
        self._begun: dict[int, tuple[socket.socket, tuple[Any, ...]]] = {}
        self._poll = select.poll()
        self._lost: list[tuple[Any, ...]] = []
        self._failure: OSError | None = None

    def winner(self) -> socket.socket:
        """Return the first established connection."""
        while self._waiting or self._begun:
            found = self._begin() if self._waiting else None
            if found is None and self._begun:
                found = self._accepted(self._patience())
            if found is not None:
                return self._won(*found)
        raise self._failure or socket.gaierror(socket.EAI_NONAME, "the name has no address")

    def close(self) -> None:
        """Close the connections that have not won."""
        for sock, _ in self._begun.values():
            sock.close()

    def _patience(self) -> float:
        left = float("inf") if self._until is None else self._until - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, _NEXT) if self._waiting else left

    def _begin(self) -> tuple[socket.socket, tuple[Any, ...]] | None:
        family, address = self._waiting.pop(0)
        number = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            number = sock.fileno()
            self._begun[number] = sock, address
            sock.setblocking(False)
            sock.connect(address)
        except BlockingIOError:
            self._poll.register(sock, select.POLLOUT)
            return None
        except OSError as error:
            if number is not None:
                self._begun.pop(number)[0].close()
            self._failed(address, error)
            return None
        return self._begun.pop(number)

    def _accepted(self, seconds: float) -> tuple[socket.socket, tuple[Any, ...]] | None:
        for number, _ in self._poll.poll(
            None if seconds == float("inf") else max(1.0, seconds * 1000)
        ):
            sock, address = self._begun.pop(number)
            self._poll.unregister(number)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock, address
            sock.close()
            self._failed(address, OSError(code, os.strerror(code)))
        return None

    def _failed(self, address: tuple[Any, ...], error: OSError) -> None:
        let_out(error)
        self._lost.append(address)
        if self._failure is None or error.errno not in _UNROUTED:
            self._failure = error

    def _won(self, sock: socket.socket, address: tuple[Any, ...]) -> socket.socket:
        """Record the addresses that an accepted address has overtaken; return its connection."""
        if len(_FAILED) > _MOST:
            _FAILED.clear()
        _FAILED.pop(address, None)
        _FAILED.update(
            dict.fromkeys([*self._lost, *(one for _, one in self._begun.values())], monotonic())
        )
        return sock


def connected(family: int, address: tuple[Any, ...], timeout: float | None) -> socket.socket:
    """Open a TCP connection to a checked address. A failure concerns only this address: on a
    machine without IPv6, the name's next address may be IPv4.

    :raises OSError: if the connection is not accepted.
    """
    made = socket.socket(family, socket.SOCK_STREAM)
    with OnFailure(made.close):
        made.settimeout(timeout)
        made.connect(address)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
