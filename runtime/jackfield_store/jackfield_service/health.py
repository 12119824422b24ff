"""``python -m jackfield_service.health``: the health check of a container. It asks the server or
worker of the container, at the address in the process's options, and imports very little, since it
runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys

TYPE_CHECKING = False  # importing typing would double the start-up time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROGRAM = "jackfield"
_WITHIN = 4.0
"""Seconds that the server may take to answer."""
_LOOPBACK = ("127.0.0.1", "::1")
_PORT = "8080"


def main(processes: str = "/proc", environment: Mapping[str, str] = os.environ) -> int:
    """Return 0 if this container's jackfield answers ``/healthz`` or listens nowhere. Otherwise
    write the reason to stderr and return 1.
    """
    words = _command(processes)
    if not words:
        return _ill("no jackfield runs here")
    found = place(words, environment)
    if found is None:
        return 0  # a command that listens nowhere is as healthy as its process
    host, port, tls = found
    faults = []
    for address in (host,) if host.strip("0.:") else _LOOPBACK:  # 0.0.0.0 and :: are all addresses
        try:
            status = _health_status(address, port, tls=tls)
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"{address}:{port} does not answer: {error}")
            continue
        return 0 if status == 200 else _ill(f"{address}:{port} answered /healthz with {status}")
    return _ill("; ".join(faults))


def place(words: Sequence[str], environment: Mapping[str, str]) -> tuple[str, int, bool] | None:
    """Return the address at which the command ``words`` (``serve --port 9000``) answers probes:
    host, port, and whether over TLS; None if the command answers no probes.
    """
    if words[0] == "serve":
        port = _option(words, "--port") or environment.get("PORT", "").strip() or _PORT
        return (
            _option(words, "--host") or "127.0.0.1",
            int(port),
            _option(words, "--certificate") is not None,
        )
    probed = _option(words, "--health-port") if words[0] == "worker" else None
    return (
        None
        if probed is None
        else (_option(words, "--health-host") or "127.0.0.1", int(probed), False)
    )


def _option(words: Sequence[str], name: str) -> str | None:
    """Return the last value of an option, written with a blank or with ``=``; None if it is not
    given.
    """
    found = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == name:
            found = following
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def _command(processes: str) -> list[str]:
    """Return the words after ``jackfield`` of the first process whose command line has them; an
    empty list without such a process.
    """
    for number in sorted(int(name) for name in os.listdir(processes) if name.isdigit()):
        try:
            with open(f"{processes}/{number}/cmdline", "rb") as file:
                words = [os.fsdecode(word) for word in file.read().split(b"\0")]
        except OSError:  # it has ended
            continue
        for index, word in enumerate(words[:-1]):
            if os.path.basename(word) == _PROGRAM and words[index + 1]:
                return words[index + 1 : -1]
    return []


def _health_status(host: str, port: int, *, tls: bool) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=_WITHIN)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # this container's own port, whatever its certificate names
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=_WITHIN, context=context)
    try:
        if host.startswith("unix:"):
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_WITHIN)
            connection.sock.connect(host.removeprefix("unix:"))
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status
    finally:
        connection.close()


def _ill(reason: str) -> int:
    sys.stderr.write(f"{reason}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
