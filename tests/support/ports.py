"""Ports of loopback that nothing uses."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_RANDOM = random.SystemRandom()  # one seeded by a test would give each process the same ports


def free_port() -> int:
    """A port on which nobody listens."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Several of them, each another one.

    They lie below the range from which the kernel serves `bind(0)` (ip(7)): no fake of another test
    gets such a port before the server for which it was looked up, and counts the connections of
    those who wait for that server.
    """
    above = _first_ephemeral()
    ports: list[int] = []
    while len(ports) < count:
        port = _RANDOM.randrange(_LOWEST, above)
        if port not in ports and _free(port):
            ports.append(port)
    return ports


def _first_ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 49_152  # RFC 6335, section 6


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
