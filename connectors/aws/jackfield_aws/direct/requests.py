"""Building of a signed request from an operation and its parameters, with botocore's serializer and
endpoint rules.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from botocore.utils import percent_encode_sequence

from jackfield.connector import Call, Target, Wire
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.agents import marked_agent
from jackfield_aws.direct.parts import Service
from jackfield_aws.direct.qualify import Verdict
from jackfield_aws.direct.signing import Credentials, Scope, Signer
from jackfield_aws.direct.wires import server
from jackfield_aws.successes import is_safe

_MOST_ENDPOINTS = 1_000
_V4 = "v4"
_S3 = ("s3", "s3-outposts", "s3-object-lambda", "s3express")
"""Signing names with S3's variant of the signature."""
_BODILESS = ("GET", "HEAD", "OPTIONS")


class Unfit(Exception):
    """Error of a request that only botocore's client can build. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Properties of an operation for its requests; made once from its model."""

    model: Any
    verdict: Verdict
    tokens: tuple[str, ...]
    """Inputs that get a random UUID by default."""
    located: tuple[str, ...]
    """Inputs on which the endpoint may depend."""
    is_safe: bool = False
    """True if the request changes nothing."""

    @classmethod
    def of(cls, model: Any, verdict: Verdict) -> Operation:
        """Return the operation described by a model."""
        return cls(
            model,
            verdict,
            tuple(model.idempotent_members),
            tuple(one.member_name for one in model.context_parameters),
            is_safe(model.name),
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Server of an operation, the route to it, and the signature scope of its requests."""

    scheme: str
    name: str
    port: int | None
    path: str
    query: str
    headers: Mapping[str, str]
    scope: Scope
    target: Target
    host: str
    wire: Wire

    def at(self, prefix: str) -> tuple[Target, str]:
        """Return the server and the Host field for ``prefix`` before the endpoint's host, as an
        input's value may require.
        """
        return server(self.scheme, prefix + self.name, self.port)


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """Signed request. ``path`` is its target in origin form."""

    method: str
    target: Target
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    wire: Wire

    @property
    def url(self) -> str:
        """URL of the request."""
        return f"{self.target.scheme}://{self.host}{self.path}"

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields in wire form."""
        found = [(b"Host", self.host.encode())]
        if "Accept-Encoding" not in self.headers:
            found.append((b"Accept-Encoding", b"identity"))
        found += [(name.encode(), value.encode()) for name, value in self.headers.items()]
        if self.body or self.method not in _BODILESS:
            found.append((b"Content-Length", b"%d" % len(self.body)))
        return found


class Requests:
    """Builder of one client's requests. Thread-safe; caches at most 1,000 endpoints."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._signer = Signer()
        self._endpoints: dict[tuple[str, ...], Endpoint] = {}

    def build(
        self,
        operation: Operation,
        parameters: dict[str, Any],
        credentials: Callable[[], Credentials],
        call: Call | None = None,
    ) -> Request:
        """Build and sign a request. ``parameters`` may be changed; ``credentials`` is called for
        the signature only, so a traceback of a refused parameter does not contain them.

        :raises Unfit: if only botocore's client can build it.
        """
        model, service = operation.model, self._service
        for change in operation.verdict.before:
            change(params=parameters, model=model)
        for name in operation.tokens:
            if name not in parameters:
                parameters[name] = str(uuid.uuid4())
        endpoint = self._endpoint(operation, parameters)
        found = service.serializer.serialize_to_request(parameters, model)
        headers = {
            name: value if type(value) is str else _text(value)
            for name, value in found["headers"].items()
        }
        headers.update(endpoint.headers)
        body = found["body"] if type(found["body"]) is bytes else _body(found["body"])
        path, query = _address(endpoint, found["url_path"], found["query_string"])
        prefix = found.get("host_prefix") if service.has_host_prefix else None
        target, host = endpoint.at(prefix) if prefix else (endpoint.target, endpoint.host)
        self._signer.sign(
            found["method"], path, query, headers, body, credentials(), endpoint.scope, host
        )
        headers["User-Agent"] = (
            service.user_agent if operation.is_safe else marked_agent(service.user_agent, call)
        )
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            _add_trace(headers)
        return Request(
            found["method"],
            target,
            host,
            f"{path}?{query}" if query else path,
            headers,
            body,
            endpoint.wire,
        )

    def _endpoint(self, operation: Operation, parameters: Mapping[str, Any]) -> Endpoint:
        key = (
            operation.model.name,
            *[
                value if type(value) is str else f"{type(value)} {value!r}"
                for value in map(parameters.get, operation.located)
            ],
        )
        found = self._endpoints.get(key)
        if found is None:
            found = self._resolved(operation.model, parameters)
            if len(self._endpoints) >= _MOST_ENDPOINTS:
                self._endpoints.clear()
            self._endpoints[key] = found
        return found

    def _resolved(self, model: Any, parameters: Mapping[str, Any]) -> Endpoint:
        """Resolve the endpoint by botocore's rules.

        :raises Unfit: if they require another signature, or a proxy that the wire cannot use.
        """
        service = self._service
        context = {
            "client_region": service.region,
            "client_config": service.config,
            "auth_type": model.resolved_auth_type,
        }
        found = service.rules.construct_endpoint(
            operation_model=model, call_args=parameters, request_context=context
        )
        signing: Mapping[str, Any] = {}
        kind, schemes = model.resolved_auth_type, found.properties.get("authSchemes")
        if schemes is not None:
            kind, signing = service.rules.auth_schemes_to_signing_ctx(schemes)
        if kind not in (None, _V4):
            raise Unfit(f"signature {kind}")
        scope = Scope(
            signing.get("region") or service.sign_as.region,
            signing.get("signing_name") or service.sign_as.name,
        )
        if kind == _V4 and scope.name in _S3:
            raise Unfit("signature of S3")
        try:
            wire = service.reach.wire(found.url)
        except LookupError as error:
            raise Unfit(str(error)) from None
        parts = urlsplit(found.url)
        target, host = server(parts.scheme, parts.hostname or "", parts.port)
        headers = dict(found.headers)
        return Endpoint(
            parts.scheme,
            parts.hostname or "",
            parts.port,
            parts.path,
            parts.query,
            headers,
            scope,
            target,
            host,
            wire,
        )


def _address(endpoint: Endpoint, path: str, parameters: Any) -> tuple[str, str]:
    """Return the path and the query of a request, joined with the endpoint's as botocore does."""
    base, query = endpoint.path, endpoint.query
    if path == "/":
        path = ""  # the endpoint's path ends as it was given
    path = base.removesuffix("/") + path if path.startswith("/") else base + path
    if not path.startswith("/"):
        path = f"/{path}"
    if "#" in path:
        raise Unfit("a path with a fragment")
    path, _, own = path.partition("?")
    added = percent_encode_sequence(parameters) if parameters else ""
    return path, "&".join([part for part in (own, query, added) if part])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _body(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, dict):
        return urlencode(
            [(_raw(name), _raw(value)) for name, value in body.items()], doseq=True
        ).encode()
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    if body is None:
        return b""
    raise Unfit("a body that is a file")


def _raw(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _add_trace(headers: dict[str, str]) -> None:
    """Add the header field by which AWS detects functions that call each other endlessly."""
    from botocore.handlers import add_recursion_detection_header

    add_recursion_detection_header(params={"headers": headers})
