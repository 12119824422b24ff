"""Sockets that a server listens on: addresses of both families, names, and Unix sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Sequence

from jackfield.errors import InvalidInvocation
from jackfield.failures import OnFailure

UNIX = "unix:"
"""Prefix of the path of a Unix socket, in the place of a host."""
_ALL = "::"
_BACKLOG = 2048
_TRIES = 10
"""Times that a free port is looked for which all addresses of a name have."""
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Errors of an address of a family that this machine does not have."""


def listen(host: str, port: int, option: str = "--port", backlog: int = _BACKLOG) -> list[socket.socket]:
    """Listen on a host: an address, a name with all its addresses, or ``unix:`` and the path of a socket.

    ``::`` stands for all addresses of both families, and on a machine without IPv6 for all of IPv4. ``option`` names the port in errors.

    :raises InvalidInvocation: if that is not possible.
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


def origin(host: str, port: int, scheme: str) -> str:
    """Return the URL of a server; that of a Unix socket is its path."""
    if host.startswith(UNIX):
        return host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def place(host: str, listener: socket.socket) -> str:
    """Return the port that a listener has, in words; that of a Unix socket is its path."""
    return host if host.startswith(UNIX) else f"port {port_of(listener)}"


def port_of(listener: socket.socket) -> int:
    """Return the port of a listener; 0 for a Unix socket."""
    name = listener.getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


def forget(host: str) -> None:
    """Remove the file of a Unix socket that is listened on no more."""
    if host.startswith(UNIX):
        with contextlib.suppress(OSError):
            os.unlink(host.removeprefix(UNIX))


def _unix(path: str, backlog: int) -> socket.socket:
    """Listen on a Unix socket for the account and its group. What a killed process left behind is replaced."""
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
    """Return whether there is a socket that nobody listens on."""
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
        return socket.create_server((_ALL, port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=both)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return socket.create_server(("", port), backlog=backlog)


def _on_name(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listen on all addresses of a name, on one port. A free one is looked for again if another address has it in use."""
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
    """Listen on those of ``addresses`` whose family this machine has: at least on one of them."""
    taken: list[socket.socket] = []
    with OnFailure(_close, taken):
        for place, (family, address) in enumerate(addresses, 1):
            number = taken[0].getsockname()[1] if taken else port
            try:
                taken.append(socket.create_server((address, number), family=family, backlog=backlog))
            except OSError as error:
                if error.errno not in _ABSENT or (place == len(addresses) and not taken):
                    raise
    return taken


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()
