"""A second opinion on requests: the document itself and the package openapi-schema-validator,
without a line of the generator.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from openapi_schema_validator import OAS30WriteValidator, OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_ROOT = "urn:document"
_COMPOSED = ("allOf", "anyOf", "oneOf")


@dataclass
class Sent:
    """Request on its way: the path and query as in the request line, header fields in lower case,
    the body.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes | None = None
    faults: list[str] = field(default_factory=list)


class Judge:
    """Validator of requests for one OpenAPI 3 document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._registry: Registry[Any] = Registry().with_resource(
            _ROOT, DRAFT202012.create_resource(document)
        )
        self._validator = (
            OAS31Validator if str(document["openapi"]).startswith("3.1") else OAS30WriteValidator
        )

    def faults(self, path: str, method: str, sent: Sent) -> list[str]:
        """Return what is wrong with a request for an operation of the document."""
        item, at = self._followed(self._document["paths"][path], f"/paths/{_step(path)}")
        operation = item[method]
        fits = re.fullmatch(
            re.sub(
                r"\\{([^{}/]+?)\\}",
                "([^/?#]+)",
                re.escape(path.partition("?")[0].partition("#")[0]),
            ),
            sent.path,
        )
        if sent.method != method.upper() or fits is None:
            return [f"{sent.method} {sent.path} is not {method} {path}"]
        values = dict(
            zip(re.findall(r"\{([^{}/]+)\}", path.partition("?")[0]), fits.groups(), strict=False)
        )
        found: list[str] = []
        listed = {}
        for place, raw in (
            (f"{at}/parameters", item.get("parameters", ())),
            (f"{at}/{method}/parameters", operation.get("parameters", ())),
        ):
            for number, given in enumerate(raw):
                parameter, where = self._followed(given, f"{place}/{number}")
                listed[parameter["in"], parameter["name"]] = (parameter, where)
        for parameter, where in listed.values():
            found += self._parameter(parameter, where, sent, values)
        if "requestBody" in operation:
            body, where = self._followed(operation["requestBody"], f"{at}/{method}/requestBody")
            found += self._body(body, where, sent)
        elif sent.body is not None:
            found.append("there is a body, and the operation has none")
        return found

    def _parameter(
        self, parameter: Mapping[str, Any], at: str, sent: Sent, in_path: Mapping[str, str]
    ) -> Iterator[str]:
        name, place = parameter["name"], parameter["in"]
        if place == "header" and name.lower() in (
            "accept",
            "content-type",
            "authorization",
            "host",
            "user-agent",
        ):
            return
        if place == "path":
            values = [in_path[name]] if name in in_path else []
        elif place == "query":
            pairs = [pair.partition("=") for pair in sent.query.split("&") if pair]
            values = [value for key, _, value in pairs if unquote(key) == name]
            if not values and any(unquote(key).startswith(f"{name}[") for key, _, _ in pairs):
                return
        else:
            values = [quote(sent.headers[name.lower()])] if name.lower() in sent.headers else []
        schema, where = self._followed(parameter.get("schema", {}), f"{at}/schema")
        if not values:
            if (
                parameter.get("required")
                and schema.get("type") != "object"
                and "generated" not in name
            ):
                yield f"'{name}' in {place} is required"
            return
        if parameter.get("content") or "object" in self._types(schema):
            return
        if "array" in self._types(schema):
            joined = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(
                parameter.get("style", ""), "," if place != "header" else "%2C"
            )
            explode = parameter.get(
                "explode", place == "query" and parameter.get("style", "form") == "form"
            )
            items = values if explode and place == "query" else values[0].split(joined)
            yield from (
                f"an item of '{name}': {fault}"
                for value in items
                for fault in self._text_faults(value, f"{where}/items")
            )
        else:
            yield from (
                f"'{name}' in {place}: {fault}" for fault in self._text_faults(values[0], where)
            )

    def _text_faults(self, raw: str, at: str) -> list[str]:
        """Return the faults of a text that may stand for a number or another JSON value."""
        text = unquote(raw)
        candidates: list[Any] = [text]
        if re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false|null|[\[{].*", text, re.DOTALL):
            with contextlib.suppress(ValueError):
                candidates.append(json.loads(text))
        judged = [self._schema_faults(value, at) for value in candidates]
        return min(judged, key=len)

    def _body(self, body: Mapping[str, Any], at: str, sent: Sent) -> Iterator[str]:
        if sent.body is None:
            if body.get("required"):
                yield "a body is required"
            return
        media = sent.headers.get("content-type", "").partition(";")[0]
        wanted = next(
            (one for one in body["content"] if one.partition(";")[0].strip() == media), None
        )
        if wanted is None:
            yield f"the media type {media} is not among {', '.join(body['content'])}"
        elif "schema" not in body["content"][wanted]:
            return
        elif "json" in media:
            place = f"{at}/content/{_step(wanted)}/schema"
            yield from (
                f"body: {fault}" for fault in self._schema_faults(json.loads(sent.body), place)
            )
        elif media == "application/x-www-form-urlencoded":
            schema, place = self._followed(
                body["content"][wanted]["schema"], f"{at}/content/{_step(wanted)}/schema"
            )
            given = dict(parse_qsl(sent.body.decode(), keep_blank_values=True))
            yield from (
                f"'{name}' of the form is required"
                for name in schema.get("required", ())
                if name not in given
            )
            for name, about in schema.get("properties", {}).items():
                if name in given and self._types(about) & {
                    "string",
                    "integer",
                    "number",
                    "boolean",
                }:
                    where = f"{place}/properties/{_step(name)}"
                    yield from (
                        f"'{name}' of the form: {fault}"
                        for fault in self._text_faults(quote(given[name]), where)
                    )

    def _schema_faults(self, value: Any, at: str) -> list[str]:
        judge = self._validator({"$ref": f"{_ROOT}#{quote(at)}"}, registry=self._registry)
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"[:300]
            for error in judge.iter_errors(value)
        ]

    def _types(self, schema: Mapping[str, Any]) -> set[str]:
        schema, _ = self._followed(schema, "")
        given = schema.get("type")
        if given is None:
            return {
                kind
                for name in _COMPOSED
                for one in schema.get(name, ())
                for kind in self._types(one)
            }
        return {given} if isinstance(given, str) else set(given)

    def _followed(self, node: Mapping[str, Any], at: str) -> tuple[Mapping[str, Any], str]:
        while isinstance(node.get("$ref"), str):
            at = node["$ref"].removeprefix("#")
            node = self._document
            for step in at.split("/")[1:]:
                found: Any = node
                name = unquote(step).replace("~1", "/").replace("~0", "~")
                node = found[int(name)] if isinstance(found, list) else found[name]
        return node, at


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
