"""Routes of a client's requests to AWS: proxy, certificates and guard. One wire per combination
serves the whole process.
"""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path

from jackfield.connector import Guard, InvalidConnection, Proxy, Target, Wire, WireSettings
from jackfield.kernel.dataclass import dataclass
from jackfield.wire.outbound import ENVIRONMENT, Outbound, outbound, variables
from jackfield.wire.tls import client_context, unverified_context
from jackfield_aws.limits import CONNECT_TIMEOUT
from jackfield_aws.transport import unusable_bundle

PORTS = {"http": 80, "https": 443}
"""Default ports."""


@dataclass(frozen=True, slots=True, repr=False)
class Reach:
    """Settings of a client that decide how its requests are sent. ``bundle`` is a file of
    certificate authorities, None for botocore's own. ``guard_path`` points at the connection's
    value that names the endpoint. ``read_timeout`` limits a request without a deadline, in seconds.
    ``certificate`` names the files of the client's own certificate and key. A metadata service is
    not ``proxied``: a proxy would ask its own.
    """

    bundle: str | None
    guard: Guard
    guard_path: str
    read_timeout: float
    verifies: bool = True
    certificate: tuple[str, ...] | None = None
    proxied: bool = True

    def wire(self, url: str) -> Wire:
        """Return the wire for requests to ``url``.

        :raises LookupError: if the proxy itself requires TLS, which no wire supports.
        :raises InvalidConnection: if the environment names a proxy that cannot be used.
        """
        route, target = machine_route(), target_of(url)
        named = route.named(target) if self.proxied else None
        if named is not None and named[1].lower().startswith("https://"):
            raise LookupError("a proxy over TLS")
        path = "" if self.guard.internal else self.guard_path
        proxy = None if named is None else route(target)
        return _wire(proxy, self.bundle, self.guard, path, self.verifies, self.certificate)


def reach_of(client: Any) -> Reach:
    """Return the settings of a client of botocore that sends over the wire."""
    found: Reach = client._endpoint.http_session.reach
    return found


def machine_route() -> Outbound:
    """Return the machine's route by its current environment variables."""
    return _route(tuple((name, os.environ[name]) for name in variables() if name in os.environ))


@functools.lru_cache(maxsize=8)
def _route(given: tuple[tuple[str, str], ...]) -> Outbound:
    return outbound(dict(given), ENVIRONMENT)


def target_of(url: str) -> Target:
    """Return the server of a URL.

    :raises InvalidConnection: if it has none.
    """
    return server_of(url)[0]


def server_of(url: str) -> tuple[Target, str]:
    """Return the server of a URL, and the value of ``Host`` for it.

    :raises InvalidConnection: if it has none.
    """
    try:
        parts = urlsplit(url)
        return server(parts.scheme, parts.hostname or "", parts.port)
    except ValueError:
        raise InvalidConnection("the endpoint is not a URL") from None


def server(scheme: str, name: str, port: int | None) -> tuple[Target, str]:
    """Return a server, and the value of ``Host`` for it."""
    name, default = name.lower(), PORTS.get(scheme, 0)
    host = f"[{name}]" if ":" in name else name
    if port is not None and port != default:
        host = f"{host}:{port}"
    return Target(scheme, name, port or default), host


@functools.lru_cache(maxsize=64)
def _wire(
    proxy: Proxy | None,
    bundle: str | None,
    guard: Guard,
    guard_path: str,
    verifies: bool,
    certificate: tuple[str, ...] | None,
) -> Wire:
    # It holds connections but nobody's credentials: each request brings its own signature.
    return Wire(
        WireSettings(
            guard=guard,
            guard_path=guard_path,
            tls=functools.partial(_context, bundle, verifies, certificate),
            route=proxy,
            connect_timeout=CONNECT_TIMEOUT,
        )
    )


@functools.lru_cache(maxsize=8)
def _context(
    bundle: str | None, verifies: bool, certificate: tuple[str, ...] | None
) -> ssl.SSLContext:
    """Return a TLS context with the authorities of ``bundle``, else botocore's default ones.

    :raises InvalidConnection: if the file has no authorities or cannot be read.
    """
    if not verifies:
        context = unverified_context()
    else:
        try:
            context = client_context(cafile=bundle or get_cert_path(True))
        except OSError as error:
            raise unusable_bundle() from error
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context
