"""Conversion of Swagger 2.0 to OpenAPI 3.0, so that later steps know one format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jackfield_openapi.pointing import Pointing
from jackfield_openapi.report import Report

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
RENAMED = {
    "/components/schemas/": "/definitions/",
    "/components/securitySchemes/": "/securityDefinitions/",
}
"""Pointer prefixes in the converted document, with the prefixes in the original."""
_MOVED = {"#/definitions/": "#/components/schemas/", "#/responses/": "#/components/responses/"}
_STYLES = {
    "csv": ("form", False),
    "multi": ("form", True),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "tsv": ("tabDelimited", False),
}
_FLOWS = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}
_OF_SCHEMA = (
    "type",
    "format",
    "items",
    "enum",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "multipleOf",
    "example",
    "x-example",
    "x-nullable",
)

Json = dict[str, Any]


def upgraded(old: Json, report: Report) -> Json:
    """Convert a Swagger 2.0 document to OpenAPI 3.0."""
    return _Upgrade(old, report).document()


class _Upgrade:
    def __init__(self, old: Json, report: Report) -> None:
        self._old = old
        self._report = report
        self._pointing = Pointing(old)

    def document(self) -> Json:
        old = self._old
        new = {
            name: value
            for name, value in old.items()
            if name in ("info", "tags", "security", "externalDocs") or name.startswith("x-")
        }
        new |= {"openapi": "3.0.3", "servers": self._servers()}
        paths = old.get("paths")
        new["paths"] = (
            {path: self._path(item, f"/paths/{path}") for path, item in paths.items()}
            if isinstance(paths, dict)
            else {}
        )
        responses = old.get("responses")
        new["components"] = {
            "schemas": _schemas(old.get("definitions")),
            "responses": {
                name: self._response(item, self._media("produces", {}))
                for name, item in _pairs(responses)
            },
            "securitySchemes": {
                name: _scheme(item) for name, item in _pairs(old.get("securityDefinitions"))
            },
        }
        return new

    def _servers(self) -> list[Json]:
        host, base = self._old.get("host"), self._old.get("basePath") or ""
        base = base if isinstance(base, str) else ""
        if not isinstance(host, str) or not host:
            return [{"url": base or "/"}]
        schemes = self._old.get("schemes")
        listed = (
            [name for name in schemes if name in ("https", "http")]
            if isinstance(schemes, list)
            else []
        )
        return [
            {"url": f"{scheme}://{host}{base.rstrip('/')}"}
            for scheme in sorted(listed, reverse=True) or ["https"]
        ]

    def _media(self, name: str, operation: Json) -> list[str]:
        found = operation.get(name, self._old.get(name))
        listed = (
            [item for item in found if isinstance(item, str)] if isinstance(found, list) else []
        )
        return listed or ["application/json"]

    def _path(self, item: Any, at: str) -> Any:
        if not isinstance(item, dict):
            return item
        shared = self._parameters(item.get("parameters"), at)
        new: Json = {
            name: value for name, value in item.items() if name.startswith("x-") or name == "$ref"
        }
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                new[method] = self._operation(operation, shared, f"{at}/{method}")
        return new

    def _parameters(self, listed: Any, at: str) -> list[Json]:
        found = []
        for number, given in enumerate(listed if isinstance(listed, list) else ()):
            try:
                found.append(self._pointing.resolved(given, f"{at}/parameters/{number}")[0])
            except LookupError:
                self._report.lossy(
                    "broken reference", f"{at}/parameters/{number}", "this parameter is left out"
                )
        return found

    def _operation(self, old: Json, shared: list[Json], at: str) -> Json:
        new = {
            name: value
            for name, value in old.items()
            if name not in ("parameters", "responses", "consumes", "produces", "schemes")
        }
        own = self._parameters(old.get("parameters"), at)
        named = {_place(item) for item in own}
        listed = [*(item for item in shared if _place(item) not in named), *own]
        new["parameters"] = [
            _parameter(item) for item in listed if item.get("in") not in ("body", "formData")
        ]
        body = self._body(
            listed, self._media("consumes", old) if "consumes" in {*old, *self._old} else []
        )
        if body is not None:
            new["requestBody"] = body
        produces = self._media("produces", old)
        new["responses"] = {
            status: self._response(item, produces) for status, item in _pairs(old.get("responses"))
        }
        return new

    def _body(self, listed: list[Json], consumes: list[str]) -> Json | None:
        whole = next((item for item in listed if item.get("in") == "body"), None)
        if whole is not None:
            content = {"schema": _schema(whole.get("schema", True))}
            body: Json = {
                "required": whole.get("required") is True,
                "content": dict.fromkeys(consumes or ["application/json"], content),
            }
            return (
                {**body, "description": whole["description"]}
                if isinstance(whole.get("description"), str)
                else body
            )
        fields = [
            item
            for item in listed
            if item.get("in") == "formData" and isinstance(item.get("name"), str)
        ]
        if not fields:
            return None
        required = [item["name"] for item in fields if item.get("required") is True]
        schema: Json = {
            "type": "object",
            "properties": {item["name"]: _plain_schema(item) for item in fields},
        }
        schema |= {"required": required} if required else {}
        files = any(item.get("type") == "file" for item in fields)
        forms = [kind for kind in consumes if "form" in kind] or [
            "application/x-www-form-urlencoded"
        ]
        encoding = {
            item["name"]: dict(zip(("style", "explode"), _style(item), strict=True))
            for item in fields
            if item.get("type") == "array"
        }
        content = {"schema": schema, **({"encoding": encoding} if encoding else {})}
        return {
            "required": bool(required),
            "content": dict.fromkeys(["multipart/form-data"] if files else forms, content),
        }

    def _response(self, old: Any, produces: list[str]) -> Any:
        if not isinstance(old, dict):
            return old
        if isinstance(old.get("$ref"), str):
            return _schema(old)
        new = {
            name: value
            for name, value in old.items()
            if name not in ("schema", "examples", "headers")
        }
        if isinstance(old.get("headers"), dict):
            new["headers"] = {
                name: {"schema": _plain_schema(item)}
                for name, item in _pairs(old["headers"])
                if isinstance(item, dict)
            }
        if "schema" in old:
            schema, examples = _schema(old["schema"]), old.get("examples")
            content = {kind: {"schema": schema} for kind in produces}
            for kind, example in _pairs(examples):
                content.get(kind, {})["example"] = example
            new["content"] = content
        return new


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()


def _style(item: Json) -> tuple[str, bool]:
    return _STYLES.get(str(item.get("collectionFormat") or "csv"), ("form", False))


def _place(item: Json) -> tuple[str, str]:
    return str(item.get("in")), str(item.get("name"))


def _parameter(old: Json) -> Json:
    new = {
        name: value
        for name, value in old.items()
        if name in ("name", "in", "description", "required", "deprecated") or name.startswith("x-")
    }
    new["schema"] = _plain_schema(old)
    if old.get("type") == "array":
        style, explode = _style(old)
        if old.get("in") == "query":
            new |= {"style": style, "explode": explode}
    return new


def _plain_schema(old: Json) -> Json:
    found: Json = _schema({name: value for name, value in old.items() if name in _OF_SCHEMA})
    if isinstance(old.get("description"), str) and old.get("in") == "formData":
        found["description"] = old["description"]
    if "x-example" in found:
        found["example"] = found.pop("x-example")
    return found


def _schemas(definitions: Any) -> Json:
    return {name: _schema(item) for name, item in _pairs(definitions)}


def _schema(old: Any) -> Any:
    """Copy a schema with the parts converted that OpenAPI 3.0 expresses differently."""
    if isinstance(old, list):
        return [_schema(item) for item in old]
    if not isinstance(old, dict):
        return old
    new = {
        name: value if name in ("enum", "default", "example") else _schema(value)
        for name, value in old.items()
    }
    reference = new.get("$ref")
    if isinstance(reference, str):
        for before, after in _MOVED.items():
            if reference.startswith(before):
                new["$ref"] = after + reference.removeprefix(before)
    if isinstance(new.get("discriminator"), str):
        new["discriminator"] = {"propertyName": new["discriminator"]}
    if new.get("type") == "file":
        new |= {"type": "string", "format": "binary"}
    if new.get("x-nullable") is True and not isinstance(new.get("x-nullable"), dict):
        new["nullable"] = new.pop("x-nullable")
    return new


def _scheme(old: Any) -> Any:
    if not isinstance(old, dict):
        return old
    if old.get("type") == "basic":
        return {**old, "type": "http", "scheme": "basic"}
    if old.get("type") != "oauth2":
        return old
    flow = {"scopes": old.get("scopes") if isinstance(old.get("scopes"), dict) else {}}
    flow |= {
        name: old[name]
        for name in ("authorizationUrl", "tokenUrl")
        if isinstance(old.get(name), str)
    }
    kept = {
        name: value
        for name, value in old.items()
        if name not in ("flow", "scopes", "authorizationUrl", "tokenUrl")
    }
    return {**kept, "flows": {_FLOWS.get(str(old.get("flow")), "implicit"): flow}}
