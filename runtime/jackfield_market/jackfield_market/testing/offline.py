"""A block of code without a network: connections and look-ups that leave this machine are refused
and reported.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from unittest import mock

_LOCAL = frozenset({"localhost", "ip6-localhost"})


@contextmanager
def offline(
    report: Callable[[str], None], why: str = "a recording is played, which reaches no network"
) -> Iterator[None]:
    """Refuse connections from Python's sockets of this process to anything but loopback, and call
    ``report`` with the requested host.

    ``why`` is the message of the error.
    """
    connect, connect_ex, sendto, resolve = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def require(address: Any) -> None:
        if isinstance(address, tuple) and not is_loopback(str(address[0])):
            report(str(address[0]))
            raise ConnectionRefusedError(why)

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(own: socket.socket, *words: Any) -> Any:
            require(words[-1])
            return function(own, *words)

        return call

    def resolved(host: Any, *words: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not is_loopback(name) and not _is_address(name):
            report(name)
            raise socket.gaierror(socket.EAI_FAIL, why)
        return resolve(host, *words, **named)

    with (
        mock.patch.object(socket.socket, "connect", checked(connect)),
        mock.patch.object(socket.socket, "connect_ex", checked(connect_ex)),
        mock.patch.object(socket.socket, "sendto", checked(sendto)),
        mock.patch.object(socket, "getaddrinfo", resolved),
    ):
        yield


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or address."""
    return (
        not host
        or host.lower().rstrip(".") in _LOCAL
        or (_is_address(host) and ip_address(host.partition("%")[0]).is_loopback)
    )
