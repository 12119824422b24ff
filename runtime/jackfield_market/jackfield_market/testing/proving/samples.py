"""Values that fit a JSON Schema: arguments of tools, and answers of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_DEPTH = 6
_METHODS = ("get", "put", "post", "delete", "patch")
_SIMPLE: Mapping[str, Any] = {"boolean": True, "null": None}
_FORMATS = {
    "date": "2030-01-01",
    "date-time": "2030-01-01T00:00:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "7f0c9a52-4a7e-4b9a-9f0e-3d1f4a1b2c3d",
}

Json = Mapping[str, Any]


def sample(schema: Any, root: Json, *, whole: bool = False, depth: int = 0) -> Any:
    """Return a value that fits a schema, with required members only, or with all members if
    ``whole``.
    """
    found = _resolved(schema, root)
    for name in ("example", "default", "const"):
        if name in found:
            return found[name]
    if listed := found.get("examples") or found.get("enum"):
        return listed[0]
    for name in ("oneOf", "anyOf"):
        if found.get(name):
            return sample(found[name][0], root, whole=whole, depth=depth + 1)
    if found.get("allOf"):
        parts = [sample(part, root, whole=whole, depth=depth + 1) for part in found["allOf"]]
        return {
            name: value for part in parts if isinstance(part, dict) for name, value in part.items()
        }
    return _of_type(found, root, whole=whole, depth=depth)


def _of_type(found: Json, root: Json, *, whole: bool, depth: int) -> Any:
    kind = found.get("type", "object" if "properties" in found else "string")
    kind = str(
        next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
    )
    if kind == "object":
        fields = found.get("properties", {})
        wanted = fields if whole and depth < _DEPTH else found.get("required", ())
        return {
            name: sample(fields.get(name, {}), root, whole=whole, depth=depth + 1)
            for name in wanted
            if depth < _DEPTH
        }
    if kind == "array":
        return (
            [sample(found.get("items", {}), root, whole=whole, depth=depth + 1)]
            if depth < _DEPTH
            else []
        )
    return (
        max(found.get("minimum", 1), 1)
        if kind in ("integer", "number")
        else _SIMPLE.get(kind, _FORMATS.get(str(found.get("format")), "text"))
    )


def _resolved(schema: Any, root: Json) -> Json:
    found: Any = schema if isinstance(schema, dict) else {}
    for _ in range(_DEPTH):
        place = found.get("$ref")
        if not isinstance(place, str) or not place.startswith("#/"):
            break
        found = root
        for part in place[2:].split("/"):
            found = (
                found.get(part.replace("~1", "/").replace("~0", "~"), {})
                if isinstance(found, dict)
                else {}
            )
    return found if isinstance(found, dict) else {}


def answers_of(document: Json) -> dict[str, dict[str, Any]]:
    """Return the successful responses of an OpenAPI document, by "POST /orders", below the paths of
    its servers.
    """
    return dict(_answers(document))


def _answers(document: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    below = {"", *(_path_of(str(server.get("url", ""))) for server in document.get("servers", ()))}
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            responses = _resolved(item, document).get(method, {}).get("responses", {})
            status = min(
                (code for code in map(str, responses) if code.startswith("2") and code.isdigit()),
                default=None,
            )
            if status is None:
                continue
            response = responses[status] if status in responses else responses[int(status)]
            row = {"status": int(status)} | _body(_resolved(response, document), document)
            yield from ((f"{method.upper()} {prefix}{path}", row) for prefix in sorted(below))


def _body(response: Json, document: Json) -> dict[str, Any]:
    for kind, media in response.get("content", {}).items():
        if "json" in kind:
            examples = [
                one["value"] for one in media.get("examples", {}).values() if "value" in one
            ]
            shown = media.get("example", examples[0] if examples else None)
            return {
                "body": shown
                if shown is not None
                else sample(media.get("schema", {}), document, whole=True)
            }
    return {}


def _path_of(url: str) -> str:
    return (
        "/" + url.partition("://")[2].partition("/")[2].rstrip("/")
        if "://" in url and url.partition("://")[2].partition("/")[2]
        else ""
    )
