"""Sockets that a server listens on: addresses of both families, names, Unix sockets, and sockets
that another program has opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Mapping, Sequence

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.failures import OnFailure

UNIX = "unix:"
"""Prefix of a host that is the path of a Unix socket."""
_ALL = "::"
_FIRST = 3
"""First descriptor that systemd passes on:
https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""
_BACKLOG = 2048
_TRIES = 10
"""Number of attempts to find a port that is free on all addresses of a name."""
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Error codes for an address family that this machine does not have."""


def listen(
    host: str, port: int, option: str = "--port", backlog: int = _BACKLOG
) -> list[socket.socket]:
    """Listen on a host: an address, a name with all its addresses, or ``unix:`` and the path of a
    socket.

    ``::`` means all addresses of both families; without IPv6, all IPv4 addresses. ``option`` names
    the port in errors.

    :raises InvalidInvocation: if the host or port cannot be used.
    """
    try:
        if host.startswith(UNIX):
            return [_unix(host.removeprefix(UNIX), backlog)]
        if host == _ALL:
            return [_on_all(port, backlog)]
        return _on_name(host, port, backlog)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        place = host if host.startswith(UNIX) else f"{host}:{port}"
        hint = (
            "Name a path in a folder that this account may write to."
            if host.startswith(UNIX)
            else f"Choose another {option}; 0 picks a free one."
        )
        raise InvalidInvocation(f"cannot listen on {place}: {reason}", hint=hint) from None


def passed_on(environment: Mapping[str, str], process: int) -> tuple[int, ...]:
    """Return the descriptors that systemd passes on to this process: ``LISTEN_FDS`` counts them,
    ``LISTEN_PID`` names the process.

    :raises InvalidInvocation: if ``LISTEN_FDS`` is not a number of sockets.
    """
    if environment.get("LISTEN_PID") != str(process):
        return ()
    text = environment.get("LISTEN_FDS", "")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _BACKLOG):
        raise InvalidInvocation(
            f"LISTEN_FDS is '{text[:80]}', which is no number of sockets",
            hint="Unset LISTEN_FDS and LISTEN_PID.",
        )
    return tuple(range(_FIRST, _FIRST + int(text)))


def adopt(numbers: Iterable[int]) -> list[socket.socket]:
    """Return the listening sockets behind descriptors that another program has opened. Programs
    that this process starts do not inherit them.

    :raises InvalidInvocation: if a descriptor is not a listening socket.
    """
    taken: list[socket.socket] = []
    with OnFailure(_close, taken):
        for number in dict.fromkeys(numbers):
            try:
                found = socket.socket(fileno=number)
            except OSError as error:
                raise _refusal(number, error.strerror) from None
            taken.append(found)
            if found.type != socket.SOCK_STREAM or not found.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                raise _refusal(number, "it does not listen")
            found.set_inheritable(False)
    return taken


def host_of(listener: socket.socket) -> str:
    """Return a socket's address in the form of ``listen``'s host; an abstract Unix name begins with
    ``@``.
    """
    name = listener.getsockname()
    if isinstance(name, tuple):
        return str(name[0])
    return UNIX + (
        os.fsdecode(name).replace("\0", "@", 1) if isinstance(name, bytes) else str(name)
    )


def _refusal(number: int, reason: str | None) -> InvalidInvocation:
    hint = (
        "Let the program that starts jackfield open the socket, listen on it, and pass it on "
        "under that number."
    )
    return InvalidInvocation(f"descriptor {number} is no socket to listen on: {reason}", hint=hint)


def origin(host: str, port: int, scheme: str) -> str:
    """Return the URL of a server; for a Unix socket its path."""
    if host.startswith(UNIX):
        return host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def place(host: str, listener: socket.socket) -> str:
    """Return a listener's port in words; for a Unix socket its path."""
    return host if host.startswith(UNIX) else f"port {port_of(listener)}"


def port_of(listener: socket.socket) -> int:
    """Return the port of a listener; 0 for a Unix socket."""
    name = listener.getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


def forget(host: str) -> None:
    """Remove the file of a Unix socket whose listener is closed; do nothing for another host."""
    if host.startswith(UNIX):
        with contextlib.suppress(OSError):
            os.unlink(host.removeprefix(UNIX))


def _unix(path: str, backlog: int) -> socket.socket:
    """Listen on a Unix socket for the account and its group. The socket of a killed process is
    replaced.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        if _is_left_over(path):
            os.unlink(path)
        listener.bind(path)
        os.chmod(path, 0o660)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _is_left_over(path: str) -> bool:
    """Return whether a path has a socket without a listener."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(path)
    except ConnectionRefusedError:
        return True
    except FileNotFoundError:
        pass
    return False


def _on_all(port: int, backlog: int) -> socket.socket:
    try:
        both = socket.has_dualstack_ipv6()
        return socket.create_server(
            (_ALL, port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=both
        )
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return socket.create_server(("", port), backlog=backlog)


def _on_name(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listen on all addresses of a name, on one port. If another address has a chosen free port in
    use, try another port.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))
    for left in reversed(range(_TRIES)):
        try:
            return _on_each(addresses, port, backlog)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port or not left:
                raise
    return []  # never: the last try raises


def _on_each(addresses: Sequence[tuple[int, str]], port: int, backlog: int) -> list[socket.socket]:
    """Listen on each of ``addresses`` whose family this machine has, at least one."""
    taken: list[socket.socket] = []
    with OnFailure(_close, taken):
        for place, (family, address) in enumerate(addresses, 1):
            number = taken[0].getsockname()[1] if taken else port
            try:
                taken.append(
                    socket.create_server((address, number), family=family, backlog=backlog)
                )
            except OSError as error:
                if error.errno not in _ABSENT or (place == len(addresses) and not taken):
                    raise
    return taken


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()
