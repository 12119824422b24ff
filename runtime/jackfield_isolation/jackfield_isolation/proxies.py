"""The operator's HTTP proxy: connections of isolated connectors pass it by CONNECT, as those of other connectors do."""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from jackfield.kernel.failures import OnFailure

_LONGEST_HEAD = 16 * 1024


@dataclass(frozen=True, slots=True)
class Proxy:
    """Proxy at an address. ``authorization`` is the value of the header, if it needs one."""

    host: str
    port: int
    authorization: str | None = None

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Open a connection to a host through the proxy.

        :raises OSError: if the proxy cannot be reached or refuses.
        """
        connection = socket.create_connection((self.host, self.port), seconds)
        with OnFailure(connection.close):
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
            if self.authorization is not None:
                lines.append(f"Proxy-Authorization: {self.authorization}")
            connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
            status = _head(connection).split(b" ", 2)
            if len(status) < 2 or status[1][:1] != b"2":
                said = status[1][:3].decode("ascii", "replace") if len(status) > 1 else "nothing"
                raise OSError(f"the proxy refuses the connection to {host} (it says {said})")
        return connection


def _head(connection: socket.socket) -> bytes:
    """Read the head of the answer, and no byte more: what follows belongs to the client."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte or len(head) > _LONGEST_HEAD:
            raise OSError("the proxy does not answer as one")
        head += byte
    return bytes(head)


class Proxies:
    """Proxies that environment variables name: ``HTTPS_PROXY``, else ``ALL_PROXY``, with the exceptions of ``NO_PROXY``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {name.lower(): value.strip() for name, value in environment.items() if name.lower().endswith("_proxy") and value.strip()}
        self._url = values.get("https_proxy") or values.get("all_proxy")
        self._direct = tuple(part.strip().lower().lstrip(".") for part in values.get("no_proxy", "").split(",") if part.strip())

    def find(self, host: str, port: int) -> Proxy | None:
        """Return the proxy for a host; None if it is to be reached directly.

        :raises OSError: if the proxy is of a kind that cannot pass connections on.
        """
        if self._url is None or _is_local(host) or any(_matches(pattern, host, port) for pattern in self._direct):
            return None
        found = urlsplit(self._url if "://" in self._url else f"http://{self._url}")
        if found.scheme != "http" or not found.hostname:
            raise OSError("HTTPS_PROXY must name a proxy that is reached by http://, for isolated connectors")
        user = None
        if found.username:
            pair = f"{unquote(found.username)}:{unquote(found.password or '')}"
            user = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        return Proxy(found.hostname, found.port or 80, user)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _matches(pattern: str, host: str, port: int) -> bool:
    if pattern in {"*", host, f"{host}:{port}"}:
        return True
    try:
        return ip_address(host) in ip_network(pattern, strict=False)
    except ValueError:
        return fnmatchcase(host, f"*.{pattern.lstrip('*.')}")
