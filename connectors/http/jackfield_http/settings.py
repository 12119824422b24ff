"""Settings of a client: all data of a connection and its connector, except credentials."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping

from jackfield.connector import MAX_ANSWER, Guard, Proxy
from jackfield.kernel.dataclass import dataclass, field
from jackfield.wire.tls import client_context
from jackfield_http.errors import HTTP_ERRORS, HttpErrors
from jackfield_http.urls import Url


@dataclass(frozen=True, slots=True, eq=False)
class ClientSettings:
    """Settings of an HttpClient.

    - ``server``: URL that paths are appended to; credentials are sent only to its origin. None:
      requests name whole URLs.
    - ``errors``: meaning of error responses. ``headers``: fields of every request.
    - ``idempotency_header``: name of the field for the invocation's idempotency key.
    - ``tls``: makes the TLS context, once. ``has_certificate``: it has a client certificate, so
      other servers are not connected to.
    - ``proxy``: the connection's own HTTP proxy. Without one, the operator's setting decides
      (``JACKFIELD_OUTBOUND_PROXY``).
    - ``http2``: offer HTTP/2 to servers over TLS.
    - ``fresh_writes``: send each request that may change something over a new connection
      (HTTP/1.1).
    - ``largest``: maximum size of a response in bytes.
    - ``guard``: replaces the guard of the connection, to be stricter.
    - ``announces``: requests count as requests of the action. False for requests that only fetch
      credentials.
    - ``within``: seconds for the client's requests, in place of the attempt's remaining time.
    - ``guard_path``: points at the connection value that names the server.
    """

    server: Url | None
    errors: HttpErrors = HTTP_ERRORS
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_header: str = "Idempotency-Key"
    tls: Callable[[], ssl.SSLContext] = client_context
    has_certificate: bool = False
    proxy: Proxy | None = None
    http2: bool = False
    fresh_writes: bool = False
    largest: int = MAX_ANSWER
    guard: Guard | None = None
    announces: bool = True
    guard_path: str = "/server"
    within: float | None = None
