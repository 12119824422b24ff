"""Connections to PostgreSQL: limits of their waits for an answer, and conversion of the server's
values.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.abc import RV, Buffer, PQGen
from psycopg.adapt import Loader

from jackfield.kernel.clock import monotonic, patience

_TIMEOUT = psycopg.errors._WaitTimeout  # noqa: SLF001 (has no public name)
SHORTEST_WAIT = 1.0
"""Minimum seconds of a wait for the server: giving up a connection costs more than the rest of an
answer.
"""
_HELLO = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's SSLRequest. A server that is up answers it with one byte, before any
authentication.
"""


class Flag(Loader):
    """Loader of truth values."""

    def load(self, data: Buffer) -> int:
        """Load ``t`` and ``f`` as 1 and 0, as SQLite does."""
        return int(bytes(data) == b"t")


class Number(Loader):
    """Loader of numerics."""

    def load(self, data: Buffer) -> int | float:
        """Load the results of sums and averages without ``Decimal``."""
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


class Unanswered(psycopg.OperationalError):
    """Error for an abandoned wait for the server. The connection is closed, but the statement that
    was sent may still be carried out.
    """


class PostgresConnection(psycopg.Connection[Any]):
    """Connection whose waits end by the caller's deadline, and ``silence`` seconds after the server
    last answered. A statement on which the server works may take ``most`` seconds.
    """

    _pool = None
    """Marker that tells psycopg that the connection belongs to a pool, which is jackfield's. A
    connection dropped with its runtime closes its socket, and the runtime warns.
    """
    silence = most = math.inf
    local = b""
    """Settings that each transaction begins with; empty if the session holds them."""
    is_there: Callable[[float], bool]
    """Function that tests over another connection whether the server answers within some
    seconds.
    """

    @contextmanager
    def pipeline(self) -> Iterator[psycopg.Pipeline]:
        """Send statements without waiting for each answer. Raise the first failure; psycopg logs a
        warning about later statements, which then fail too.
        """
        first: psycopg.Error | None = None
        try:
            with super().pipeline() as opened:
                try:
                    yield opened
                except psycopg.Error as fault:
                    first = fault
        except psycopg.Error as fault:
            raise first or fault from None
        if first is not None:
            raise first

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server; close the connection if it does not answer in time, since its answer
        may come later.
        """
        began, allowed = monotonic(), max(SHORTEST_WAIT, patience(self.most))
        left = allowed
        while left > 0:
            try:
                return super().wait(
                    gen, interval, min(left, self.silence) if timeout is None else timeout
                )
            except _TIMEOUT:
                left = allowed - (monotonic() - began)
            if left > 0 and not self.is_there(left):
                break
        try:
            return super().wait(gen, interval, 0.0)  # what came meanwhile
        except _TIMEOUT:
            self.close()
            raise Unanswered(f"no answer within {monotonic() - began:.1f} seconds") from None


def answers(host: str, port: int, seconds: float) -> bool:
    """Return whether a server answers a new connection within some seconds; a host that is a path
    is the folder of a Unix socket.
    """
    try:
        if host.startswith("/"):
            asking = socket.socket(socket.AF_UNIX)
            asking.settimeout(seconds)
            asking.connect(f"{host}/.s.PGSQL.{port}")
        else:
            asking = socket.create_connection((host, port), seconds)
        with asking:
            asking.sendall(_HELLO)
            return bool(asking.recv(1))
    except OSError:
        return False
