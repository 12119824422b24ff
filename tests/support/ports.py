"""Ports of loopback that nothing uses."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port on which nobody listens."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Several of them, each another one."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
