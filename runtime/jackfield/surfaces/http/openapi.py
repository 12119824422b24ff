"""The OpenAPI 3.1 document, built from the route table, the published schemas and the installed manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jackfield.surfaces.http.shapes import shapes
from jackfield.surfaces.shared.operation import Operation

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.manifest import Manifest

__all__ = ["document"]

Json = dict[str, Any]

_COMPONENTS = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)\}")
_ALWAYS = (401, 403, 429, 500, 503)
"""Statuses possible for any request that needs a token."""
_HEADERS: Mapping[str, Json] = {
    "Idempotency-Key": {
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        "description": "The same as the member idempotencyKey.",
    },
    "Prefer": {
        "schema": {"type": "string"},
        "description": "respond-async leaves it to the workers; wait=N waits so many seconds for the same key's invocation that runs.",
    },
    "If-Match": {"schema": {"type": "string", "minLength": 1}, "description": "The ETag that was seen; another version by now is 412."},
    "If-None-Match": {"schema": {"type": "string"}, "description": "ETags that the caller has; the same one by now is 304."},
}
_CONNECTION = ("showConnection", "replaceConnection", "removeConnection", "testConnection", "showPolicy")
_INVOCATION = ("showInvocation", "cancelInvocation", "resolveInvocation")
_LINKS: Mapping[tuple[str, int], tuple[str, str, tuple[str, ...]]] = {
    ("createConnection", 201): ("name", "/name", _CONNECTION),
    ("invoke", 200): ("id", "/meta/invocationId", _INVOCATION),
    ("invoke", 202): ("id", "/invocationId", _INVOCATION),
}
"""Values in a response that other operations take: the parameter, the value's JSON Pointer and the operations."""
_CHOICE: Json = {"type": "object", "description": "What the chosen action takes: one of the components named <connector>.<action>."}


def document(catalog: Catalog, version: str, operations: Iterable[Operation]) -> Json:
    """Build the whole OpenAPI document."""
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    schemas = shapes()
    schemas["Invocation"]["properties"]["inputs"] = {**_CHOICE}
    for key in catalog:
        manifest = catalog.look(key)[1]
        if manifest is not None:
            schemas.update(_actions(manifest))
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "jackfield", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": _opened(schemas), "securitySchemes": _SECURITY},
        "security": [{"bearer": []}],
    }


def _opened(value: Any) -> Any:
    """Mark objects without a described shape as open: openapi-typescript otherwise types them as objects without members."""
    if isinstance(value, list):
        return [_opened(item) for item in value]
    if not isinstance(value, dict):
        return value
    opened = {name: item if name in _DATA else _opened(item) for name, item in value.items()}
    return {**opened, "additionalProperties": True} if value.get("type") == "object" and not value.keys() & _SHAPED else opened


_DATA = {"const", "default", "enum", "examples"}
_SHAPED = {"properties", "additionalProperties", "patternProperties", "unevaluatedProperties", "$ref", "allOf", "anyOf", "oneOf"}

_ABOUT = "Runs actions of connectors. Refusals are problem details (RFC 9457)."
_BEARER = "A token of 'jackfield tokens create', or a JWT where the operator says so."
_SECURITY: Json = {"bearer": {"type": "http", "scheme": "bearer", "description": _BEARER}}


def _operation(operation: Operation) -> Json:
    found: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_parameters(operation)],
        "responses": dict(_responses(operation)),
    }
    if operation.scope is None:
        found["security"] = []
    else:
        found["description"] = f"Needs the scope `{operation.scope}`."
    if operation.body is not None:
        found["requestBody"] = _body(operation.body)
    return found


def _parameters(operation: Operation) -> Iterator[Json]:
    for name in _PARAMETER.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    for name, schema in operation.query.items():
        yield {"name": name, "in": "query", "schema": dict(schema)}
    for name in operation.headers:
        yield {"name": name, "in": "header", **_HEADERS[name]}


def _body(name: str) -> Json:
    if name == "*/*":
        multipart = {"schema": {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}}
        return {"content": {"application/octet-stream": {"schema": {}}, "multipart/form-data": multipart}}
    return {"required": name != "OptionsOver", "content": {"application/json": {"schema": {"$ref": _COMPONENTS + name}}}}


def _responses(operation: Operation) -> Iterator[tuple[str, Json]]:
    refused = set(operation.problems) | (set(_ALWAYS) if operation.scope is not None else {500, 503})
    refused |= {400, 408} if operation.body else {400}
    for status in sorted({*operation.answers, *operation.results, *refused}):
        content: Json = {}
        if status in operation.answers:
            content |= _content(operation, operation.answers[status])
        if status in operation.results:
            content["application/json"] = {"schema": {"$ref": f"{_COMPONENTS}Result"}}
        if status in refused:
            content["application/problem+json"] = {"schema": {"$ref": f"{_COMPONENTS}Problem"}}
        found: Json = {"description": HTTPStatus(status).phrase, **({"content": content} if content else {})}
        links = _LINKS.get((operation.name, status))
        if links is not None:
            parameter, source, names = links
            found["links"] = {name: {"operationId": name, "parameters": {parameter: f"$response.body#{source}"}} for name in names}
        yield str(status), found


def _content(operation: Operation, name: str) -> Json:
    if not name:
        return {}
    if "/" in name:
        return {name: {"schema": {"type": "string"}}}
    content: Json = {"application/json": {"schema": {"$ref": _COMPONENTS + name}}}
    if operation.name == "showAction":
        content["text/markdown"] = {"schema": {"type": "string"}}
    return content


def _actions(manifest: Manifest) -> Iterator[tuple[str, Json]]:
    """Yield each action's inputs as a component; its references resolve inside that component."""
    for action in manifest.actions.values():
        name = f"{manifest.key}.{action.key}"
        schema = {member: value for member, value in action.inputs.items() if member not in ("$schema", "$id")}
        yield name, {"title": action.title, **_rooted(schema, f"{_COMPONENTS}{name}")}


def _rooted(value: Any, root: str) -> Any:
    """Return the schema with its local references (``#/$defs/…``) rewritten to its place in the document."""
    if isinstance(value, Mapping):
        found = {name: _rooted(item, root) for name, item in value.items()}
        reference = found.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            found["$ref"] = root + reference[1:]
        return found
    return [_rooted(item, root) for item in value] if isinstance(value, list) else value
