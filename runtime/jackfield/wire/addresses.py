"""Look-up of a name's addresses, and connection to the first address that accepts, both within the
deadline.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from jackfield.kernel.clock import monotonic
from jackfield.kernel.failures import OnFailure, Raised, attempt, value_of
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.interrupts import let_out

Address = tuple[int, tuple[Any, ...]]
"""Family and address, in the form for ``socket.connect``."""
_Question = tuple[str, int | None]

_LONGEST = 15.0
"""Default timeout of a look-up, in seconds."""
_MOST_THREADS, _MOST_NAMES = 64, 1_000
"""Maximum number of concurrent look-ups, and of requested names."""
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

    __slots__ = ("_answer", "_done")

    def __init__(self) -> None:
        self._done = threading.Event()
        self._answer: list[Address] | Raised = []

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
    caller joins it, so that a slow resolver still answers.

    Tenants choose names, so one look-up per name is no limit: at most 64 look-ups run at a time,
    for at most 1,000 requested names.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._asked: dict[_Question, Asking] = {}
        self._waiting: deque[_Question] = deque()
        self._threads = 0
        self._lock = threading.Lock()

    def ask(self, host: str, port: int | None = None) -> Asking:
        """Start or join a look-up of a name's addresses; return without waiting for it."""
        question = (host, port)
        with self._lock:
            if question in self._asked:
                return self._asked[question]
            asking = Asking()
            if len(self._asked) >= _MOST_NAMES:
                asking.answered(Raised(TimeoutError("too many names wait for the resolver")))
                return asking
            self._asked[question] = asking
            self._waiting.append(question)
            if self._threads >= _MOST_THREADS:
                return asking
            self._threads += 1
        if isinstance(
            attempt(
                threading.Thread(target=self._work, name="jackfield-resolver", daemon=True).start
            ),
            Raised,
        ):
            self._work()  # no thread can be started, as at the end of Python
        return asking

    def _work(self) -> None:
        with OnFailure(self._leave):
            while (question := self._next()) is not None:
                self._look_up(question)

    def _look_up(self, question: _Question) -> None:
        found: list[Address] | Raised = Raised(
            socket.gaierror(socket.EAI_FAIL, "the look-up was ended")
        )
        try:
            found = attempt(_resolved, *question)
        finally:
            with self._lock:
                asking = self._asked.pop(question)
            asking.answered(found)

    def _next(self) -> _Question | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None

    def _leave(self) -> None:
        with self._lock:
            self._threads -= 1


LOOK_UPS = LookUps()
"""Look-ups of this process, shared by all tenants, since names and addresses are no tenant's
data.
"""


def look_up(host: str, port: int | None = None, seconds: float | None = None) -> list[Address]:
    """Return the addresses of a host, within ``seconds``.

    :raises OSError: if the host has no address, or the resolver does not answer in time, which is
        ``EAI_AGAIN``.
    :raises UnicodeError: if the host is not a valid name.
    """
    name = host.strip("[]")
    try:
        if literal(name) is not None:
            return _resolved(name, port)
        return LOOK_UPS.ask(name, port).wait(_LONGEST if seconds is None else seconds)
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
