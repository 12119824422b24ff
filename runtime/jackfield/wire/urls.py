"""URLs of servers that the operator, or a tenant, names for requests of jackfield itself."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from jackfield.wire.head import Target

_PATH = "/%:@!$&'()*+,;=~-._"
_PORTS = {"http": 80, "https": 443}


def target_of(url: str) -> tuple[Target, bytes, bytes]:
    """Return server, path and ``Host`` of a URL.

    :raises ValueError: if it is not the URL of an HTTP server.
    """
    parts = urlsplit(url)
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or parts.port == 0
        or (parts.username, parts.password) != (None, None)
    ):
        raise ValueError(
            "must be an http or https URL with a host, without port 0, a user or a password"
        )
    host = (
        parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
    )
    target = Target(parts.scheme, host, parts.port or _PORTS[parts.scheme])
    path = quote(parts.path or "/", safe=_PATH)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH + "?")
    named = target.authority if parts.port is not None else target.authority.rpartition(b":")[0]
    return target, path.encode("ascii"), named
