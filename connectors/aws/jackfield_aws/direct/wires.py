"""Routes of a client's requests to AWS: proxy, certificates and guard. One wire per combination
serves the whole process.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any

from botocore.httpsession import get_cert_path

from jackfield.connector import Guard, Proxy, Wire, WireSettings
from jackfield.kernel.dataclass import dataclass
from jackfield.wire.tls import client_context
from jackfield_aws.limits import CONNECT_TIMEOUT
from jackfield_aws.proxies import machine_route, url_target
from jackfield_aws.transport import unusable_bundle

PORTS = {"http": 80, "https": 443}
"""Default ports."""


@dataclass(frozen=True, slots=True, repr=False)
class Reach:
    """Settings of a client that decide how its requests are sent. ``bundle`` is a file of
    certificate authorities, None for botocore's own. ``guard_path`` points at the connection's
    value that names the endpoint. ``read_timeout`` limits a request without a deadline, in seconds.
    """

    bundle: str | None
    guard: Guard
    guard_path: str
    read_timeout: float

    def wire(self, url: str) -> Wire:
        """Return the wire for requests to ``url``.

        :raises LookupError: if the proxy itself requires TLS, which no wire supports.
        :raises InvalidConnection: if the environment names a proxy that cannot be used.
        """
        route, target = machine_route(), url_target(url)
        named = route.named(target)
        if named is not None and named[1].lower().startswith("https://"):
            raise LookupError("a proxy over TLS")
        path = "" if self.guard.internal else self.guard_path
        return _wire(None if named is None else route(target), self.bundle, self.guard, path)


def reach_of(client: Any, guard: Guard, guard_path: str, read_timeout: float) -> Reach:
    """Return the settings that botocore found for a client."""
    session = client._endpoint.http_session
    bundle = session._verify if isinstance(session._verify, str) and session._verify else None
    return Reach(bundle, guard, guard_path, read_timeout)


@functools.lru_cache(maxsize=64)
def _wire(proxy: Proxy | None, bundle: str | None, guard: Guard, guard_path: str) -> Wire:
    # It holds connections but nobody's credentials: each request brings its own signature.
    return Wire(
        WireSettings(
            guard=guard,
            guard_path=guard_path,
            tls=functools.partial(_context, bundle),
            route=proxy,
            connect_timeout=CONNECT_TIMEOUT,
        )
    )


@functools.lru_cache(maxsize=8)
def _context(bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context with the authorities of ``bundle``, else botocore's default ones.

    :raises InvalidConnection: if the file has no authorities or cannot be read.
    """
    try:
        return client_context(cafile=bundle or get_cert_path(True))
    except OSError as error:
        raise unusable_bundle() from error
