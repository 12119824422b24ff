"""Conversion of Google's discovery documents to OpenAPI 3.0.

https://developers.google.com/discovery/v1/reference/apis

Paths come from ``flatPath``, if present: each part of a resource's name is an input. Keys are made
from the method's ID, ``gmail.users.messages.send`` is ``sendMessage``. Parameters of every method,
such as ``prettyPrint``, are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from jackfield_openapi.naming import words

_APPROVED_AT = "https://accounts.google.com/o/oauth2/v2/auth"
_TOKENS_AT = "https://oauth2.googleapis.com/token"
_REVOKED_AT = "https://oauth2.googleapis.com/revoke"
_IN_PATH = re.compile(r"\{\+?([^{}]+)\}")
_NAME = r"{\1}"
_PLURAL = ("list", "search", "batch", "aggregated", "query")
"""First words of verbs that act on several objects."""
_FORMATS = {
    "google-datetime": "date-time",
    "date-time": "date-time",
    "date": "date",
    "byte": "byte",
    "int32": "int32",
    "double": "double",
}
_KEPT = ("description", "type", "pattern", "enum", "readOnly", "deprecated")
_NUMBERS = frozenset({"minimum", "maximum", "default"})

Json = dict[str, Any]


def is_discovery(document: Mapping[str, Any]) -> bool:
    """Return whether a document has Google's discovery format."""
    return (
        document.get("discoveryVersion") == "v1"
        or document.get("kind") == "discovery#restDescription"
    )


def openapi_of(given: Mapping[str, Any]) -> Json:
    """Convert a discovery document to OpenAPI 3.0."""
    methods = [*_methods(given)]
    names = _names(methods)
    paths: Json = {}
    for method in methods:
        for path, verb, operation in _operations(
            given, method, names[method["id"]], names.values()
        ):
            free = path if verb not in paths.get(path, {}) else f"{path}#{operation['operationId']}"
            paths.setdefault(free, {})[verb] = operation
    schemes, extension = _sign_in(given, methods)
    info = {
        "title": given.get("title") or given.get("canonicalName") or given.get("name") or "API",
        "version": _version(given),
    }
    return {
        "openapi": "3.0.3",
        "info": {**info, "description": given.get("description", "")},
        "externalDocs": {"url": given.get("documentationLink", "")},
        "servers": [{"url": _root(given) + str(given.get("servicePath") or "").strip("/")}],
        "paths": paths,
        "components": {
            "schemas": {name: _schema(item) for name, item in given.get("schemas", {}).items()},
            "securitySchemes": schemes,
        },
        "security": [{name: []} for name in schemes],
        **({"x-jackfield": extension} if extension else {}),
    }


def _version(given: Mapping[str, Any]) -> str:
    """Return the document's revision as a date, which distinguishes revisions of one API version;
    without one, the API's version.
    """
    found = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", str(given.get("revision", "")))
    return "-".join(found.groups()) if found else str(given.get("version", "1"))


def _root(given: Mapping[str, Any]) -> str:
    return str(given.get("rootUrl") or given.get("baseUrl") or "/").rstrip("/") + "/"


def _methods(given: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the methods of a document or a resource, including methods of nested resources."""
    yield from given.get("methods", {}).values()
    for inner in given.get("resources", {}).values():
        yield from _methods(inner)


def _names(methods: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return a unique operation ID for each method's ID: the verb, the last resource, and further
    resources where needed.
    """
    found: dict[str, str] = {}
    left = [method["id"] for method in methods]
    for depth in (1, 2, 3, 20):
        wanted = {one: _name(one, depth) for one in left}
        taken = Counter([*wanted.values(), *found.values()])
        found |= {one: name for one, name in wanted.items() if taken[name] == 1}
        left = [one for one in left if one not in found]
    return {**found, **{one: _name(one, 20) for one in left}}


def _name(method: str, depth: int) -> str:
    *resources, verb = method.split(".")[1:]
    first, *rest = words(verb) or ["call"]
    several = first.lower() in _PLURAL
    inner = [
        *(_singular(one) for one in resources[:-1]),
        *(one if several else _singular(one) for one in resources[-1:]),
    ][-depth:]
    noun = "".join(one[:1].upper() + one[1:] for one in inner)
    tail = "".join(one[:1].upper() + one[1:] for one in rest)
    return (
        f"{first.lower()}{tail}{noun}"
        if first.lower() in ("batch", "aggregated")
        else f"{first.lower()}{noun}{tail}"
    )


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if name.endswith(("sses", "ches", "shes", "xes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) else name


def _operations(
    given: Mapping[str, Any], method: Mapping[str, Any], name: str, taken: Collection[str]
) -> Iterator[tuple[str, str, Json]]:
    """Yield path, HTTP method and operation of a discovery method, then of its upload and its
    download of a file.
    """
    path = _path(method.get("flatPath") or method["path"])
    verb = method["httpMethod"].lower()
    operation = _operation(given, method, name, path)
    yield path, verb, operation
    noun = name.removeprefix(words(name)[0])
    upload = method.get("mediaUpload", {}).get("protocols", {}).get("simple", {}).get("path")
    if isinstance(upload, str):
        ours = (
            f"upload{noun}"
            if name.startswith(("create", "insert")) and f"upload{noun}" not in taken
            else f"{name}Content"
        )
        path, media = _path(upload), (method["mediaUpload"].get("accept") or ["*/*"])[0]
        body = {
            "required": True,
            "content": {media: {"schema": {"type": "string", "format": "binary"}}},
        }
        about = f"{operation['description']}\n\nSends a file alone, without other members."
        sent = {
            **_operation(given, method, ours, path),
            "description": about,
            "requestBody": body,
            "servers": [{"url": _root(given)}],
        }
        yield f"{path}?uploadType=media", verb, sent
    if method.get("supportsMediaDownload") is True and verb == "get":
        content = {
            "200": {
                "description": "The file.",
                "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            }
        }
        ours = (
            f"download{noun}"
            if name.startswith("get") and f"download{noun}" not in taken
            else f"{name}Content"
        )
        path = _path(method.get("flatPath") or method["path"])
        yield (
            f"{path}?alt=media",
            verb,
            {**_operation(given, method, ours, path), "responses": content},
        )


def _path(given: str) -> str:
    """Return a path template in which each parameter is one segment."""
    return f"/{_IN_PATH.sub(_NAME, given).lstrip('/')}"


def _operation(given: Mapping[str, Any], method: Mapping[str, Any], name: str, path: str) -> Json:
    about = str(method.get("description") or "").strip()
    in_path = _IN_PATH.findall(path)
    declared: Mapping[str, Any] = method.get("parameters", {})
    parameters = [
        _parameter(
            one, {"location": "path", **declared.get(one, {"type": "string"}), "required": True}
        )
        for one in in_path
    ]
    parameters += [
        _parameter(one, row) for one, row in declared.items() if row.get("location") == "query"
    ]
    operation: Json = {
        "operationId": name,
        "summary": _title(name),
        "description": about or _title(name),
        "tags": [_title(method["id"].split(".")[1])],
        "parameters": parameters,
        "responses": {"200": _response(method.get("response"))},
        **({"deprecated": True} if method.get("deprecated") is True else {}),
    }
    if "request" in method:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _body(given, method)}},
        }
    if (scopes := sorted(method.get("scopes", ()), key=_breadth)) and _scopes(given):
        operation["security"] = [{"oauth2": [scope]} for scope in scopes]
    return operation


def _scopes(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scopes that a document declares."""
    found: Mapping[str, Any] = given.get("auth", {}).get("oauth2", {}).get("scopes", {})
    return found


def _breadth(scope: str) -> tuple[bool, bool]:
    """Return a sort key that orders scopes from narrow to broad: an action declares the first."""
    return (
        "/auth/" not in scope or "cloud-platform" in scope or "addons" in scope,
        ".readonly" not in scope,
    )


def _title(name: str) -> str:
    found = " ".join(
        word if word.isupper() and len(word) > 1 else word.lower() for word in words(name)
    )
    return found[:1].upper() + found[1:]


def _response(given: Any) -> Json:
    if not isinstance(given, dict):
        return {"description": "Success, without content."}
    return {"description": "Success.", "content": {"application/json": {"schema": _schema(given)}}}


def _body(given: Mapping[str, Any], method: Mapping[str, Any]) -> Json:
    """Return the schema of a method's request, with its members that are required by this
    method.
    """
    request: Mapping[str, Any] = method["request"]
    whole = given.get("schemas", {}).get(request.get("$ref"), {})
    required = [
        name
        for name, one in whole.get("properties", {}).items()
        if method["id"] in one.get("annotations", {}).get("required", ())
    ]
    if not required:
        return _schema({"$ref": request["$ref"]} if "$ref" in request else request)
    return {**_schema(whole), "required": required}


def _parameter(name: str, given: Mapping[str, Any]) -> Json:
    found: Json = {
        "name": name,
        "in": given.get("location", "query"),
        "schema": _schema(given, is_named=True),
    }
    if isinstance(given.get("description"), str):
        found["description"] = given["description"]
    if given.get("required") is True:
        found["required"] = True
    if given.get("deprecated") is True:
        found["deprecated"] = True
    return found


def _schema(given: Any, *, is_named: bool = False) -> Json:
    """Convert a schema; with ``is_named``, omit the description, which the parameter has itself."""
    if not isinstance(given, dict):
        return {}
    if isinstance(given.get("$ref"), str):
        return {"$ref": f"#/components/schemas/{given['$ref']}"}
    found: Json = {
        name: given[name]
        for name in _KEPT
        if name in given and not (is_named and name in ("description", "deprecated"))
    }
    if found.get("type") == "any":
        del found["type"]
    if given.get("format") in _FORMATS and not (
        given.get("type") == "string" and given["format"] in ("int32", "double")
    ):
        found["format"] = _FORMATS[given["format"]]
    found |= {
        name: value
        for name in _NUMBERS
        if (value := _value(given.get(name), given.get("type"))) is not None
    }
    if "items" in given:
        found["items"] = _schema(given["items"])
    if isinstance(given.get("additionalProperties"), dict):
        found["additionalProperties"] = _schema(given["additionalProperties"])
    if isinstance(given.get("properties"), dict):
        found["properties"] = {name: _schema(one) for name, one in given["properties"].items()}
        if required := [
            name
            for name, one in given["properties"].items()
            if isinstance(one, dict) and one.get("required") is True
        ]:
            found["required"] = required
    return {"type": "array", "items": found} if given.get("repeated") is True else found


def _value(text: Any, kind: Any) -> Any:
    """Convert a value from the string that the discovery format writes; None for a string that is
    not of the type ``kind``.
    """
    if not isinstance(text, str):
        return text
    with suppress(ValueError):
        if kind in ("integer", "number"):
            return int(text) if kind == "integer" else float(text)
        if kind == "boolean":
            return {"true": True, "false": False}.get(text.lower())
    return text if kind == "string" and text else None


def _sign_in(given: Mapping[str, Any], methods: list[Mapping[str, Any]]) -> tuple[Json, Json]:
    """Return the security schemes, and the document's curation of them. A document without scopes
    uses an API key.
    """
    scopes = _scopes(given)
    if not scopes:
        return {
            "apiKey": {
                "type": "apiKey",
                "in": "query",
                "name": "key",
                "description": "Key of a project in the Google Cloud console.",
            }
        }, {}
    used = {scope for method in methods for scope in method.get("scopes", ())}
    texts = {
        scope: str(about.get("description", ""))
        for scope, about in scopes.items()
        if scope in used or not used
    }
    flow = {"authorizationUrl": _APPROVED_AT, "tokenUrl": _TOKENS_AT, "scopes": texts}
    scheme = {
        "type": "oauth2",
        "description": "Signs in a person with a Google account.",
        "flows": {"authorizationCode": flow},
    }
    account = {
        "clientAuthentication": "body",
        "authorize": {"access_type": "offline", "prompt": "consent"},
        "revocationUrl": _REVOKED_AT,
    }
    return {"oauth2": scheme}, {"connections": {"oauth2Account": account}}
