"""Dapr's HTTP API (v1.0) as a pure function: method, path, headers and body in; status, headers and
body out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qs, unquote

from jackfield.invocation import check_values
from jackfield.kernel.errors import InvalidInvocation
from jackfield_dapr.sidecar.api import VERSION, DaprApi
from jackfield_dapr.sidecar.calls import BindingError, Request
from jackfield_dapr.sidecar.payload import from_json

_BINDINGS = "/v1.0/bindings/"
_HEALTH = ("/v1.0/healthz", "/v1.0/healthz/outbound")
_METADATA = "/v1.0/metadata"


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def sent_headers(self) -> dict[str, str]:
        """Return the headers as sent: each value ASCII on one line, whatever text of an error or
        provider it contains.
        """
        return {name: _on_one_line(value) for name, value in self.headers.items()}


def _on_one_line(value: str) -> str:
    return (
        value.encode("ascii", "backslashreplace")
        .decode("ascii")
        .replace("\r", " ")
        .replace("\n", " ")
    )


class _Malformed(ValueError):
    """Request body that the API does not accept."""


def answer(
    api: DaprApi, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Answer one request. ``target`` is the path with its query; names of ``headers`` are in lower
    case.
    """
    known = answer_to_head(api, method, target, headers)
    return (
        known
        if known is not None
        else _binding(api, unquote(_path(target)[len(_BINDINGS) :]), headers, body)
    )


def stopped() -> Answer:
    """Return the answer to a call that has not ended when the time for stopping is over."""
    return _error(
        500,
        "ERR_INVOKE_OUTPUT_BINDING",
        "the sidecar stopped before the call had ended: it may have been carried out",
    )


def answer_to_head(
    api: DaprApi, method: str, target: str, headers: Mapping[str, str]
) -> Answer | None:
    """Return the answer to a request whose body does not matter; None for a permitted call of a
    binding, which needs the body.
    """
    path, query = _path(target), target.partition("?")[2]
    if path in _HEALTH:
        return _health(api, method, path, query)
    fault = api.page_fault(headers)
    if fault is not None:
        return Answer(403, {"content-type": "text/plain; charset=utf-8"}, fault.encode())
    if not api.allows(headers.get("dapr-api-token")):
        return Answer(401, {"content-type": "text/plain"}, b"invalid api token")
    if path.startswith(_BINDINGS) and len(path) > len(_BINDINGS):
        return None if method in ("POST", "PUT") else _not_allowed("POST, PUT")
    if path == _METADATA:
        return _json(200, _metadata(api)) if method == "GET" else _not_allowed("GET")
    return Answer(404, {"content-type": "text/plain; charset=utf-8"}, b"404 page not found\n")


def _path(target: str) -> str:
    return target.partition("?")[0].rstrip("/") or "/"


def _health(api: DaprApi, method: str, path: str, query: str) -> Answer:
    if method not in ("GET", "HEAD"):
        return _not_allowed("GET")
    if api.stopping.is_set():
        code = (
            "ERR_OUTBOUND_HEALTH_NOT_READY" if path.endswith("outbound") else "ERR_HEALTH_NOT_READY"
        )
        return _error(500, code, "dapr is not ready: it is stopping")
    wanted = parse_qs(query).get("appid")
    if wanted and wanted[0] != api.app_id:
        return _error(500, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match")
    return Answer(204)


def _binding(api: DaprApi, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
    try:
        request = _request(body, headers.get("traceparent"))
    except _Malformed as error:
        return _error(400, "ERR_MALFORMED_REQUEST", f"failed deserializing HTTP body: {error}")
    try:
        found = api.call(name, request)
    except BindingError as error:
        about = (
            {"code": error.result.error.code}
            if error.result is not None and error.result.error is not None
            else {}
        )
        return _error(
            429 if error.is_limited else 500, "ERR_INVOKE_OUTPUT_BINDING", str(error), about
        )
    if found.data is None:
        return Answer(204, _prefixed(found.metadata))
    return Answer(
        200, {"content-type": "application/json", **_prefixed(found.metadata)}, found.data
    )


def _request(body: bytes, traceparent: str | None) -> Request:
    """Parse the request in a body. Member names are case-insensitive and unknown members are
    ignored, as Go reads JSON.
    """
    try:
        check_values(body)
        content = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except InvalidInvocation as error:
        raise _Malformed(error.message) from None
    except RecursionError:
        raise _Malformed("it is nested too deeply") from None
    except ValueError as error:
        raise _Malformed(str(error)) from None
    members = (
        {str(name).lower(): value for name, value in content.items()}
        if isinstance(content, dict)
        else None
    )
    if members is None:
        raise _Malformed("it must be a JSON object with 'operation', 'data' and 'metadata'")
    # as Go reads null
    given = {name: value for name, value in members.items() if value is not None}
    operation, metadata = given.get("operation", ""), given.get("metadata", {})
    if not isinstance(operation, str):
        raise _Malformed("'operation' must be a string")
    if not isinstance(metadata, dict) or not all(
        value is None or isinstance(value, str) for value in metadata.values()
    ):
        raise _Malformed("'metadata' must be an object of strings")
    metadata = {name: value or "" for name, value in metadata.items()}
    data = members.get("data")
    payload = partial(from_json, data)
    return Request(
        operation,
        metadata,
        lambda known, strict: payload(known, strict=strict),
        traceparent,
        partial(_octets, data),
    )


def _octets(data: Any) -> bytes:
    """Return the data as a sidecar passes them on: as JSON text, so that a string has quotes;
    missing data are empty.
    """
    return (
        b""
        if data is None
        else json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _metadata(api: DaprApi) -> dict[str, Any]:
    return {
        "id": api.app_id,
        "runtimeVersion": VERSION,
        "enabledFeatures": [],
        "actors": [],
        "components": api.components(),
        "extended": {"daprRuntimeVersion": VERSION},
    }


def _prefixed(metadata: Mapping[str, str]) -> dict[str, str]:
    return {f"metadata.{name}": value for name, value in metadata.items()}


def _error(
    status: int, code: str, message: str, metadata: Mapping[str, str] | None = None
) -> Answer:
    return _json(status, {"errorCode": code, "message": message}, _prefixed(metadata or {}))


def _json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        status, {"content-type": "application/json", **(headers or {})}, json.dumps(value).encode()
    )


def _not_allowed(allowed: str) -> Answer:
    return Answer(405, {"allow": allowed})
