"""Python's sockets in a child process without network: to connect, the child asks the parent, which
passes an open connection.

Names are not resolved here. Each gets a placeholder address from a range for benchmarks (RFC 2544),
from which ``connect`` finds the name. Clients written in Python work unchanged; a native library
that opens its own sockets gets "permission denied".
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections import OrderedDict
from ipaddress import IPv4Address, ip_address
from typing import Any

from jackfield_isolation.child_call import current_talk

_FIRST = int(IPv4Address("198.18.0.1"))
_ADDRESSES = 65_000
_PORTS = {
    "http": 80,
    "https": 443,
    "smtp": 25,
    "submission": 587,
    "submissions": 465,
    "smtps": 465,
    "imap": 143,
    "imaps": 993,
}
_INTERNET = (socket.AF_INET, socket.AF_INET6)


class _Names:
    """Names that were looked up, by their placeholder addresses."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, str] = OrderedDict()
        self._by_name: dict[str, str] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def address(self, name: str) -> str:
        """Return the placeholder address of a name, or a literal address unchanged."""
        try:
            return str(ip_address(name))
        except ValueError:
            pass
        with self._lock:
            found = self._by_name.get(name)
            if found is None:
                found = str(IPv4Address(_FIRST + next(self._numbers) % _ADDRESSES))
                self._by_name[name] = found
                self._by_address[found] = name
                if len(self._by_address) >= _ADDRESSES:
                    self._by_name.pop(self._by_address.popitem(last=False)[1], None)
            return found

    def name(self, address: str) -> str:
        """Return the name of a placeholder address, or any other address unchanged."""
        return self._by_address.get(address, address)


def connect_by_parent() -> None:
    """Patch ``socket`` in this process so that it connects through the parent."""
    names = _Names()

    def getaddrinfo(
        host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        text = host.decode("idna") if isinstance(host, bytes) else host or "localhost"
        address = names.address(
            str(text).encode("idna").decode("ascii") if not str(text).isascii() else str(text)
        )
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        if (
            family not in (0, kind)
            or type not in (0, socket.SOCK_STREAM)
            or (flags & socket.AI_NUMERICHOST and address != text)
        ):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        rest = (0, 0) if kind == socket.AF_INET6 else ()
        return [
            (
                kind,
                socket.SOCK_STREAM,
                proto or socket.IPPROTO_TCP,
                "",
                (address, _port(port), *rest),
            )
        ]

    def gethostbyname(host: str) -> str:
        return names.address(host)

    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family not in _INTERNET:
            original(self, address)
            return
        talk = current_talk()
        if talk is None:
            raise PermissionError(
                errno.EACCES,
                "an isolated connector connects during a call only, in the thread or task of "
                "that call",
            )
        patience = self.gettimeout()
        opened = talk.dial(names.name(str(address[0])), int(address[1]), patience or None)
        try:
            os.dup2(opened, self.fileno(), inheritable=False)
        finally:
            os.close(opened)
        self.settimeout(patience)

    def connect_ex(self: socket.socket, address: Any) -> int:
        try:
            connect(self, address)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    replaced: dict[str, Any] = {"getaddrinfo": getaddrinfo, "gethostbyname": gethostbyname}
    for name, function in replaced.items():
        setattr(socket, name, function)
    socket.socket.connect = connect  # type: ignore[assignment,method-assign]
    socket.socket.connect_ex = connect_ex  # type: ignore[assignment,method-assign]


def _port(port: object) -> int:
    if port is None:
        return 0
    text = port.decode("ascii") if isinstance(port, bytes) else str(port)
    if text.isdecimal():
        return int(text)
    if text not in _PORTS:
        raise socket.gaierror(socket.EAI_SERVICE, "Servname not supported")
    return _PORTS[text]
