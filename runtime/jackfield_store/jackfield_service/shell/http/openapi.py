"""The OpenAPI 3.1 document, built from the route table, the published schemas and the installed
manifests, and served as JSON (``/openapi.json``) and as a page (``/docs``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from jackfield import __version__
from jackfield.call.admit import bringable
from jackfield.kernel.errors import did_you_mean
from jackfield.manifest.manifest import Manifest
from jackfield_service.shell.http.event_stream import KIND
from jackfield_service.shell.http.response_headers import LATER, components, headers_of
from jackfield_service.shell.http.shapes import shapes
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.entry_export import CSV, LINES
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import dumps, tagged
from jackfield_service.shell.requests.prefix import current_prefix
from jackfield_service.shell.requests.problem import Problem, explained

Json = dict[str, Any]

_COMPONENTS = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)\}")
_ALWAYS = (401, 403, 429, 500, 503)
"""Statuses possible for any request that needs a token."""
_HEADERS: Mapping[str, Json] = {
    "Idempotency-Key": {
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        "description": (
            "Equivalent to the member idempotencyKey. Double quotes around the whole value are no "
            "part of it (RFC 8941)."
        ),
    },
    "Prefer": {
        "schema": {"type": "string"},
        "description": (
            "respond-async queues the invocation for the workers. wait=N waits up to N seconds if "
            "an invocation with "
            "this key has not ended yet."
        ),
    },
    "Jackfield-On-Behalf-Of": {
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
        "description": "The platform's own user for whom this is done, for the audit log.",
    },
    "If-Match": {
        "schema": {"type": "string", "minLength": 1},
        "description": "The ETag last received. The response is 412 if the connection has changed since.",
    },
    "If-None-Match": {
        "schema": {"type": "string"},
        "description": (
            "The ETags that the client has cached. The response is 304 if one is still current."
        ),
    },
    "Range": {
        "schema": {"type": "string"},
        "description": (
            "One range of bytes, such as bytes=0-1023 or bytes=-500. The response is 206, or "
            "416 if it is outside the file."
        ),
    },
    "If-Range": {
        "schema": {"type": "string"},
        "description": "The ETag last received. If it differs, the response is the whole file.",
    },
}
_CONNECTION = (
    "showConnection",
    "replaceConnection",
    "removeConnection",
    "testConnection",
    "showPolicy",
)
_FILE = ("downloadFile", "deleteFile")
_INVOCATION = (
    "showInvocation",
    "cancelInvocation",
    "resolveInvocation",
    "lookForInvocation",
    "redriveInvocation",
)
_LINKS: Mapping[tuple[str, int], tuple[str, str, tuple[str, ...]]] = {
    ("createConnection", 201): ("name", "/name", _CONNECTION),
    ("invoke", 200): ("id", "/meta/invocationId", _INVOCATION),
    ("invoke", 202): ("id", "/invocationId", _INVOCATION),
    ("uploadFile", 201): ("file", "/file", _FILE),
}
"""Links from values in a response to parameters of other operations: the parameter, the value's
JSON Pointer and the operations.
"""
_ALSO: Mapping[str, Mapping[str, Sequence[str]]] = {
    "showAction": {"Action": ("text/markdown",)},
    "invoke": {"Result": (KIND,)},
    "listInvocations": {"EntryList": (LINES, CSV)},
}
"""Other media types of an answer, by operation and shape, for callers that accept them. They are
described in words: generators of clients would otherwise type each answer as a union, although only
the first type is sent by default.
"""
_CHOICE: Json = {
    "type": "object",
    "description": "The action's inputs: a component of /openapi.json?connector=KEY.",
}


def document(
    version: str, operations: Iterable[Operation], manifests: Iterable[Manifest] = ()
) -> Json:
    """Build the OpenAPI document, with the inputs of the actions of ``manifests`` as components."""
    paths: dict[str, Json] = {}
    known = [*operations]
    schemas = shapes(known)
    for operation in known:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, known, schemas
        )
    invocation = schemas["Invocation"]
    schemas["Invocation"] = {
        **invocation,
        "properties": {**invocation["properties"], "inputs": _CHOICE},
    }
    for manifest in manifests:
        schemas.update(_actions(manifest))
    refusals = {
        _refusal(status, headers): _refusal_response(status, headers)
        for status, headers in _refusals(known)
    }
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "jackfield", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": _opened(schemas),
            "headers": components(),
            "responses": refusals,
            "securitySchemes": _SECURITY,
        },
        "security": [{"bearer": []}],
    }


def _opened(value: Any) -> Any:
    """Rewrite schemas so that generators of clients read them correctly.

    Otherwise, openapi-typescript types objects without a described shape as objects without
    members. It also requires senders to give members that have a default.
    """
    if isinstance(value, list):
        return [_opened(item) for item in value]
    if not isinstance(value, dict):
        return value
    opened = {name: item if name in _DATA else _opened(item) for name, item in value.items()}
    if isinstance(members := opened.get("properties"), dict):
        required = opened.get("required", ())
        opened["properties"] = {
            name: one if name in required else _without_default(one)
            for name, one in members.items()
        }
    may_be_object = "object" in value.get("type", ())  # a type, or a list of types
    return (
        {**opened, "additionalProperties": True}
        if may_be_object and not value.keys() & _SHAPED
        else opened
    )


def _without_default(member: Any) -> Any:
    """Move the default of a member into its description; drop a long default."""
    if not isinstance(member, dict) or "default" not in member:
        return member
    text = json.dumps(member["default"], ensure_ascii=False)
    told = f"By default {text}." if len(text) <= _LONGEST_DEFAULT else ""
    description = " ".join(part for part in (member.get("description"), told) if part)
    return {
        **{name: one for name, one in member.items() if name != "default"},
        **({"description": description} if description else {}),
    }


_DATA = {"const", "default", "enum", "examples"}
_LONGEST_DEFAULT = 80
_SHAPED = {
    "properties",
    "additionalProperties",
    "patternProperties",
    "unevaluatedProperties",
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
}

_ABOUT = "Runs actions of connectors. Errors are problem details (RFC 9457)."
_BEARER = "A token from 'jackfield tokens create', or a JWT if the operator allows JWTs."
_SECURITY: Json = {"bearer": {"type": "http", "scheme": "bearer", "description": _BEARER}}


def _operation(
    operation: Operation, operations: Sequence[Operation], schemas: Mapping[str, Json]
) -> Json:
    found: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_parameters(operation)],
        "responses": dict(_responses(operation, operations)),
    }
    if operation.scope is None:
        found["security"] = []
    else:
        found["description"] = f"Needs the scope `{operation.scope}`."
    if operation.body is not None:
        found["requestBody"] = _body(operation.body, schemas)
    return found


def _parameters(operation: Operation) -> Iterator[Json]:
    for name in _PARAMETER.findall(operation.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }
    for name, schema in operation.query.items():
        yield {"name": name, "in": "query", "schema": dict(schema)}
    for name in operation.headers:
        yield {"name": name, "in": "header", **_HEADERS[name]}


def _body(name: str, schemas: Mapping[str, Json]) -> Json:
    if name == "*/*":
        binary = {"type": "string", "format": "binary"}
        multipart = {
            "schema": {"type": "object", "required": ["file"], "properties": {"file": binary}}
        }
        return {
            "content": {
                "application/octet-stream": {"schema": binary},
                "multipart/form-data": multipart,
            }
        }
    if name == "Batch":
        refused: Json = {"description": "Anything else is refused in its own outcome."}
        # not in `content`: client generators refuse types they don't know
        about = f"An array, or one Invocation per line as {LINES}."
        return {
            "description": about,
            "required": True,
            "content": {"application/json": _array("Invocation", refused)},
        }
    return {
        "required": bool(schemas[name].get("required")),
        "content": {"application/json": {"schema": {"$ref": _COMPONENTS + name}}},
    }


def _responses(operation: Operation, operations: Sequence[Operation]) -> Iterator[tuple[str, Json]]:
    refused = _statuses_of_refusals(operation)
    for status in sorted({*operation.answers, *operation.results, *refused}):
        if status not in operation.answers and status not in operation.results:
            name = _refusal(status, tuple(headers_of(operations, operation, status)))
            yield str(status), {"$ref": f"#/components/responses/{name}"}
            continue
        content: Json = {}
        if status in operation.answers:
            content |= _content(operation, operation.answers[status])
        if status in operation.results:
            content["application/json"] = {"schema": {"$ref": f"{_COMPONENTS}Result"}}
        if status in refused:
            content["application/problem+json"] = {"schema": {"$ref": f"{_COMPONENTS}Problem"}}
        headers = {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in headers_of(operations, operation, status)
        }
        found: Json = {
            "description": _phrase(operation, status),
            "headers": headers,
            **({"content": content} if content else {}),
        }
        links = _LINKS.get((operation.name, status))
        if links is not None:
            parameter, source, names = links
            found["links"] = {
                name: {"operationId": name, "parameters": {parameter: f"$response.body#{source}"}}
                for name in names
            }
        yield str(status), found


def _phrase(operation: Operation, status: int) -> str:
    """Describe an answer, with its other media types for callers that accept them."""
    phrase, name = HTTPStatus(status).phrase, operation.answers.get(status, "")
    also = (
        [LINES]
        if operation.body == "Batch" and name
        else _ALSO.get(operation.name, {}).get(name, ())
    )
    return f"{phrase}. With a header Accept that names it: {' or '.join(also)}." if also else phrase


def _statuses_of_refusals(operation: Operation) -> set[int]:
    always = set(_ALWAYS) if operation.scope is not None else {500, 503}
    return {*operation.problems, *always, 400, *((408,) if operation.body else ())}


def _refusals(operations: Sequence[Operation]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each status of the operations' refusals, and the headers of the refusal."""
    for operation in operations:
        for status in _statuses_of_refusals(operation):
            yield status, tuple(headers_of(operations, operation, status))


def _refusal(status: int, headers: Sequence[str]) -> str:
    """Return the component's name for refusals with a status and these headers."""
    others = "".join(
        name.replace("-", "")
        for name in headers
        if name != "X-Request-Id" and (name != "Retry-After" or status not in LATER)
    )
    return f"Refused{status}{others}"


def _refusal_response(status: int, headers: Sequence[str]) -> Json:
    about = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    content = {"application/problem+json": {"schema": {"$ref": f"{_COMPONENTS}Problem"}}}
    return {"description": HTTPStatus(status).phrase, "headers": about, "content": content}


def _content(operation: Operation, name: str) -> Json:
    if not name:
        return {}
    # client generators know the first one; the second one is the type that the file was uploaded
    # with
    if name == "*/*":
        return {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/octet-stream", name)
        }
    if "/" in name:
        return {name: {"schema": {"type": "string"}}}
    if operation.body == "Batch":
        return {"application/json": _array(name)}
    return {"application/json": {"schema": {"$ref": _COMPONENTS + name}}}


def _array(name: str, *others: Json) -> Json:
    """Describe a non-empty array of ``name`` or ``others``."""
    items: Json = {"$ref": _COMPONENTS + name}
    return {
        "schema": {
            "type": "array",
            "items": {"anyOf": [items, *others]} if others else items,
            "minItems": 1,
        }
    }


def _actions(manifest: Manifest) -> Iterator[tuple[str, Json]]:
    """Yield each action's inputs as a component; its references resolve inside that component.
    Inputs that a connection may provide are not required.
    """
    for action in manifest.actions.values():
        name, brought = f"{manifest.key}.{action.key}", bringable(manifest, action)
        schema = {
            member: value
            for member, value in action.inputs.items()
            if member not in ("$schema", "$id")
        }
        if "required" in schema:
            schema["required"] = [one for one in schema["required"] if one not in brought]
        # generators name a class by the title
        yield name, {**_rooted(schema, f"{_COMPONENTS}{name}"), "title": name}


def _rooted(value: Any, root: str) -> Any:
    """Return the schema with its local references (``#/$defs/…``) moved below ``root``."""
    if isinstance(value, Mapping):
        found = {name: _rooted(item, root) for name, item in value.items()}
        reference = found.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            found["$ref"] = root + reference[1:]
        return found
    return [_rooted(item, root) for item in value] if isinstance(value, list) else value


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 64rem; padding: 1rem; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .4rem 0; padding: .3rem .7rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
code, pre { font: .9rem/1.4 ui-monospace, monospace; }
pre { overflow: auto; background: #8882; padding: .6rem; border-radius: .4rem; max-height: 30rem; }
table { border-collapse: collapse; width: 100%; } td, th { border-bottom: 1px solid #8884; padding: .2rem .5rem; text-align: left;
  vertical-align: top; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: its own style and nothing else."""


def page(text: bytes) -> str:
    """Render an OpenAPI document as an HTML page."""
    document = orjson.loads(text)
    return "".join(_sections(document))


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}: HTTP API"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield (
        '<meta name="viewport" '
        f'content="width=device-width"><style>{_STYLE}</style></head><body><main><h1>{title}</h1>'
    )
    yield (
        f"<p>{escape(info['description'])} The document itself: <a "
        'href="openapi.json">openapi.json</a>.</p>'
    )
    for tag, operations in _by_tag(document).items():
        yield f"<h2>{escape(tag)}</h2>"
        for method, path, operation in operations:
            yield from _section(method, path, operation, document["components"]["responses"])
    yield "<h2>problems</h2><table><tr><th>code</th><th>status</th><th>what happened</th></tr>"
    for code, (status, text) in explained().items():
        yield (
            "<tr "
            f'id="{code}"><td><code>{code}</code></td><td>{status}</td><td>{escape(text)}</td></tr>'
        )
    yield "</table><h2>schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        yield (
            "<details "
            f'id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre '
            f'tabindex="0">{text}</pre></details>'
        )
    yield "</main></body></html>"


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def _section(
    method: str, path: str, operation: Mapping[str, Any], refusals: Mapping[str, Any]
) -> Iterator[str]:
    yield (
        f'<details><summary><span class="method">{method}</span> <code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary>"
    )
    yield f"<p>{escape(operation.get('description', 'Needs no token.')).replace('`', '')}</p>"
    if operation["parameters"]:
        yield "<table><tr><th>parameter</th><th>in</th><th>what</th></tr>"
        for item in operation["parameters"]:
            about = item.get("description") or json.dumps(item["schema"])
            yield f"<tr><td><code>{escape(item['name'])}</code></td><td>{item['in']}</td><td>{escape(about)}</td></tr>"
        yield "</table>"
    if "requestBody" in operation:
        body = operation["requestBody"]
        about = escape(body.get("description", ""))
        yield f"<p>Body: {_contents(body)}{about and f'. {about}'}</p>"
    yield "<table><tr><th>status</th><th>answer</th></tr>"
    for status, given in operation["responses"].items():
        response = refusals[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        yield (
            f"<tr><td>{status} "
            f"{escape(response['description'])}</td><td>{_contents(response)}</td></tr>"
        )
    yield "</table></details>"


def _contents(holder: Mapping[str, Any]) -> str:
    return "; ".join(
        f"<code>{escape(kind)}</code> {_link(content['schema'])}"
        for kind, content in holder.get("content", {}).items()
    )


def _link(schema: Mapping[str, Any]) -> str:
    name = escape(str(schema.get("$ref", "")).rpartition("/")[2])
    return f'<a href="#{name}">{name}</a>' if name else ""


async def served(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /openapi.json``."""
    text = await server.briefly(lambda: _described(request, server))
    # The document is one JSON object: insert `servers` before its other members.
    return tagged(
        request, b'{"servers":[{"url":"%s"}],' % (current_prefix() or "/").encode() + text[1:]
    )


async def docs(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /docs``. The page loads no external resources and runs no scripts."""
    text = await server.briefly(lambda: page(_described(request, server)))
    return Response(
        text,
        200,
        {"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"},
        "text/html; charset=utf-8",
    )


def _described(request: Request, server: ServerContext) -> bytes:
    key = request.query_params.get("connector")
    if key is not None:
        manifest = server.catalog.look(key)[1] if key in {*server.catalog} else None
        if manifest is None:
            raise Problem(
                404, f"no connector '{key[:80]}' is installed{did_you_mean(key, server.catalog)}"
            )
        return dumps(document(__version__, request.app.state.operations, [manifest]))
    if server.document is None:
        server.document = dumps(document(__version__, request.app.state.operations))
    return server.document
