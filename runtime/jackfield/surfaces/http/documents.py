"""``/openapi.json`` and ``/docs``: the API description for programs and for people."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from jackfield import __version__
from jackfield.surfaces.http.openapi import document
from jackfield.surfaces.http.tagged import tagged
from jackfield.surfaces.shared.json_response import dumps
from jackfield.surfaces.shared.prefix import current_prefix

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.surfaces.shared.identity import Identity
    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["POLICY", "docs", "openapi", "page"]

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
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of the page: its own style and nothing else."""


def page(text: bytes) -> str:
    """Render an OpenAPI document as an HTML page."""
    document = orjson.loads(text)
    return "".join(_parts(document))


def _parts(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}: HTTP API"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main><h1>{title}</h1>'
    yield f'<p>{escape(info["description"])} The document itself: <a href="openapi.json">openapi.json</a>.</p>'
    for tag, operations in _by_tag(document).items():
        yield f"<h2>{escape(tag)}</h2>"
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
    yield "<h2>schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre tabindex="0">{text}</pre></details>'
    yield "</main></body></html>"


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<details><summary><span class="method">{method}</span> <code>{escape(path)}</code> {escape(operation["summary"])}</summary>'
    yield f"<p>{escape(operation.get('description', 'Needs no token.')).replace('`', '')}</p>"
    if operation["parameters"]:
        yield "<table><tr><th>parameter</th><th>in</th><th>what</th></tr>"
        for item in operation["parameters"]:
            about = item.get("description") or json.dumps(item["schema"])
            yield f"<tr><td><code>{escape(item['name'])}</code></td><td>{item['in']}</td><td>{escape(about)}</td></tr>"
        yield "</table>"
    if "requestBody" in operation:
        yield f"<p>Body: {_contents(operation['requestBody'])}</p>"
    yield "<table><tr><th>status</th><th>answer</th></tr>"
    for status, response in operation["responses"].items():
        yield f"<tr><td>{status} {escape(response['description'])}</td><td>{_contents(response)}</td></tr>"
    yield "</table></details>"


def _contents(holder: Mapping[str, Any]) -> str:
    return "; ".join(f"<code>{escape(kind)}</code> {_link(content['schema'])}" for kind, content in holder.get("content", {}).items())


def _link(schema: Mapping[str, Any]) -> str:
    name = escape(str(schema.get("$ref", "")).rpartition("/")[2])
    return f'<a href="#{name}">{name}</a>' if name else ""


async def openapi(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /openapi.json``."""
    text = await server.briefly(lambda: _described(request, server))
    # The document is one JSON object: insert `servers` before its other members.
    return tagged(request, b'{"servers":[{"url":"%s"}],' % (current_prefix() or "/").encode() + text[1:])


async def docs(request: Request, server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /docs``. The page loads no external resources and runs no scripts."""
    text = await server.briefly(lambda: page(_described(request, server)))
    return Response(text, 200, {"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"}, "text/html; charset=utf-8")


def _described(request: Request, server: ServerContext) -> bytes:
    if server.document is None:
        server.document = dumps(document(server.catalog, __version__, request.app.state.operations))
    return server.document
