"""Request bodies and responses: an action's media type, its schema, and the binding's rows that
encode and decode it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jackfield.connector import pointer
from jackfield_http.parsing import stream_reading
from jackfield_openapi.composition import Composition
from jackfield_openapi.naming import input_name
from jackfield_openapi.operations import Operation
from jackfield_openapi.parameters import RESERVED
from jackfield_openapi.pointing import Pointing, local
from jackfield_openapi.report import Report
from jackfield_openapi.schemas import Schemas
from jackfield_openapi.shown_examples import Example, examples_of

FILE: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "description": "The file's text (UTF-8), or a data: URL (RFC 2397)."},
        {
            "type": "object",
            "properties": {
                "data": {
                    "type": "string",
                    "contentEncoding": "base64",
                    "description": "The file's bytes as base64.",
                },
                "contentType": {
                    "type": "string",
                    "description": "The file's media type, such as application/pdf.",
                },
            },
            "required": ["data"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "file": {
                    "type": "string",
                    "description": "The ID of an uploaded file, of any size.",
                }
            },
            "required": ["file"],
            "additionalProperties": False,
        },
    ],
    "x-jackfield": {"file": "stream"},
}
"""Schema of a file as an input, which the connector reads as a stream."""
_READ_FILE: Mapping[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "data": {
                    "type": "string",
                    "contentEncoding": "base64",
                    "description": "The file's bytes as base64.",
                },
                "contentType": {"type": "string", "description": "The file's media type."},
            },
            "required": ["data"],
        },
        {
            "type": "object",
            "description": (
                "A stored file, if it has more than 1 MiB; GET /v1/files/{id} returns its content."
            ),
            "properties": {
                "file": {"type": "string", "description": "The file's ID."},
                "size": {"type": "integer", "description": "The size in bytes."},
                "contentType": {"type": "string", "description": "The media type."},
                "expiresAt": {
                    "type": "string",
                    "description": "The time at which the file is deleted (RFC 3339).",
                },
            },
            "required": ["file", "size", "contentType", "expiresAt"],
            "x-jackfield": {"file": "output"},
        },
    ]
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestBody:
    """Body of an action: the schema of its input, the binding's row, and an example."""

    schema: Any
    row: Json
    required: bool
    description: str
    example: Any = None
    is_flat: bool = False
    """True if each member of the body is an input."""
    has_stream_flag: bool = False
    """True if a boolean member ``stream`` of the body asks for a stream in place of one JSON
    value.
    """
    shown: tuple[Example, ...] = ()
    """All examples of the body in the document."""


@dataclass(frozen=True, slots=True)
class Response:
    """Success response of an action: the schema of its output, the binding's row, and the data for
    paging.
    """

    schema: Any
    row: Json
    raw: Any = None
    """Schema of the response in the document; None if the response is not JSON."""
    headers: Mapping[str, Any] | None = None
    example: Any = None
    types: Mapping[str, list[str]] | None = None
    """Media types that the document declares, by status."""
    is_also_stream: bool = False
    """True if the same status may be a stream of items instead of JSON."""


def _is_media(name: str) -> bool:
    """Return whether a media type can be sent in a header."""
    return bool(name.strip()) and name.isascii() and name.isprintable()


def is_json(media: str) -> bool:
    """Return whether a media type is one JSON value, not a stream of values."""
    kind = _kind(media)
    return (kind in ("application/json", "text/json") or kind.endswith("+json")) and stream_reading(
        kind
    ) is None


def _kind(media: str) -> str:
    """Return a media type without its parameters, in lower case."""
    return media.partition(";")[0].strip().lower()


def _media_type(media: str) -> str:
    """Return the media type that a header field names: ``application/json`` for a range such as
    ``application/*+json``.
    """
    return "application/json" if is_json(media) and "*" in media else media


def _encoding(media: str) -> str | None:
    kind = media.partition(";")[0].strip().lower()
    if is_json(kind):
        return "json"
    if kind == "application/x-www-form-urlencoded":
        return "form"
    if kind.startswith("multipart/"):
        return "multipart" if kind == "multipart/form-data" else None
    if kind in ("application/xml", "text/xml") or kind.endswith("+xml"):
        return None
    return "text" if kind.startswith("text/") and kind != "text/*" else "bytes"


_ORDER = ("json", "form", "multipart", "text", "bytes")
_FLAT = frozenset({"json", "form", "multipart"})
"""Encodings of bodies whose members can be inputs."""
_MOST_REFERENCES = 10


class Contents:
    """Reader of the bodies and responses of one document."""

    def __init__(self, pointing: Pointing, schemas: Schemas, report: Report) -> None:
        self._pointing = pointing
        self._schemas = schemas
        self._report = report
        self._composition = Composition(pointing)

    def request(self, operation: Operation) -> RequestBody | None:
        """Return the body of an operation; None without one.

        :raises LookupError: if none of the body's media types can be sent; the message names them.
        """
        if "requestBody" not in operation.raw:
            return None
        try:
            body, at = self._pointing.resolved(
                operation.raw["requestBody"], f"{operation.at}/requestBody"
            )
        except LookupError:
            raise LookupError("its request body points to nothing") from None
        content = body.get("content")
        if not isinstance(content, dict) or not content:
            return None
        known = {
            media: way
            for media in content
            if _is_media(media) and (way := _encoding(media)) is not None
        }
        if not known:
            raise LookupError(
                f"its request body is {', '.join(content)[:200]}, which cannot be sent"
            )
        media = min(known, key=lambda name: (_ORDER.index(known[name]), _media_type(name) != name))
        for other in content.keys() - {media}:
            self._report.lossy(
                "media type not chosen",
                at + pointer("content", other),
                f"the body is sent as {_media_type(media)}",
            )
        given = content[media] if isinstance(content[media], dict) else {}
        where = at + pointer("content", media)
        row: Json = {"input": "body", "encode": known[media], "contentType": _media_type(media)}
        is_asked = operation.extension.get("flatten")
        inlined, place = self._inlined(given)
        flat = (
            is_asked is not False and known[media] in _FLAT and _may_be_plain(inlined.get("schema"))
        )
        if (
            flat
            and not is_asked
            and (twin := _twin(operation, inlined["schema"]["properties"])) is not None
        ):
            text = f"'{twin[:80]}' is the name of another input, too; 'flatten: true' renames it"
            self._report.assumed("body not flattened", where, text)
            flat = False
        shown = tuple(examples_of(given, where, self._pointing))
        if flat:
            inlined = {
                **inlined,
                "schema": _sendable(inlined["schema"], operation, shown, self._composition),
            }
        schema = self._sent(
            inlined if flat else given,
            where,
            known[media],
            row,
            is_open=operation.extension.get("open") is True,
        )
        flat = flat and _is_plain(schema)
        if flat and place is not None and self._composition.is_base(place):
            schema = self._with_derived(schema, place)
        if is_asked and not flat:
            self._report.lossy(
                "body not flattened",
                where,
                "it is not an object of named members alone, so it stays the input 'body'",
            )
        about = body.get("description")
        required = body.get("required") is True
        described = about if isinstance(about, str) else ""
        return RequestBody(
            schema,
            row,
            required,
            described,
            self._example(given),
            flat,
            self._has_stream_flag(inlined.get("schema")),
            shown,
        )

    def _has_stream_flag(self, raw: Any) -> bool:
        subs = self._composition.members(raw).get("stream", ()) if isinstance(raw, dict) else ()
        return any(
            "boolean" in _types(part) for sub in subs for part in self._composition.parts(sub)
        )

    def _inlined(self, given: Json) -> tuple[Json, str | None]:
        """Return a media type object with its schema's reference resolved, and the JSON Pointer of
        the target; None without a reference.
        """
        schema, place = given.get("schema"), None
        for _ in range(_MOST_REFERENCES):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            try:
                place = local(schema["$ref"])
            except LookupError:
                break
            schema = self._composition.at(place)
        return ({**given, "schema": schema} if isinstance(schema, dict) else given), place

    def _with_derived(self, made: Json, place: str) -> Json:
        """Add the members of all types derived from the schema at ``place`` to a body's schema, as
        optional members.
        """
        found: dict[str, list[Any]] = {}
        for heir in self._composition.derived(place):
            for name, subs in self._composition.members(self._composition.at(heir)).items():
                if name not in made["properties"]:
                    found.setdefault(name, []).extend(
                        self._schemas.input(sub, heir + pointer("properties", name)) for sub in subs
                    )
        several = {
            name: [one for number, one in enumerate(subs) if one not in subs[:number]]
            for name, subs in found.items()
        }
        more = {
            name: subs[0] if len(subs) == 1 else {"anyOf": subs} for name, subs in several.items()
        }
        return {**made, "properties": {**made["properties"], **more}}

    def _sent(self, given: Json, at: str, way: str, row: Json, *, is_open: bool) -> Any:
        raw = given.get("schema", True)
        if way == "bytes":
            return dict(FILE)
        made = self._schemas.input(raw, f"{at}/schema", is_open=is_open)
        if way == "multipart":
            row["files"] = self._files(raw)
            made = self._with_files(raw, made, f"{at}/schema")
        if way in ("form", "multipart"):
            made = self._with_items(raw, made)
        if way in ("form", "multipart") and isinstance(given.get("encoding"), dict):
            row["encoding"] = self._member_encodings(given["encoding"], at)
        return {"type": "string"} if way == "text" and made is True else made

    def _member_encodings(self, given: Json, at: str) -> Json:
        found: Json = {}
        for name, about in given.items():
            if not isinstance(about, dict):
                continue
            kept = {key: about[key] for key in ("style", "explode", "contentType") if key in about}
            if kept:
                found[name] = kept
            if about.get("headers"):
                self._report.lossy(
                    "headers of a part",
                    at + pointer("encoding", name),
                    "parts are sent without headers of their own",
                )
        return found

    def _files(self, raw: Any) -> list[str]:
        return [
            name
            for name, subs in self._composition.members(raw).items()
            if any(self._is_binary(sub) for sub in subs)
        ]

    def _is_binary(self, sub: Any, depth: int = 0) -> bool:
        for part in self._composition.parts(sub) if depth < _MOST_REFERENCES else ():
            if part.get("format") == "binary" or (
                "contentMediaType" in part
                and "contentEncoding" not in part
                and part.get("type") == "string"
            ):
                return True
            if part.get("type") == "array" and self._is_binary(part.get("items"), depth + 1):
                return True
        return False

    def _with_files(self, raw: Any, made: Any, at: str) -> Any:
        """Return the schema of a multipart body in which each binary member has the schema
        ``FILE``, or is a list of such files.
        """
        files = self._files(raw)
        if not files:
            return made
        members = self._composition.members(raw)
        required = [
            name
            for part in self._composition.parts(raw)
            for name in _required(part)
            if name in members
        ]
        properties: Json = {}
        for name, subs in members.items():
            if name in files:
                several = any(
                    part.get("type") == "array"
                    for sub in subs
                    for part in self._composition.parts(sub)
                )
                properties[name] = {"type": "array", "items": dict(FILE)} if several else dict(FILE)
            else:
                place = f"{at}/properties/{name}"
                properties[name] = self._schemas.secrets.marked(
                    name, subs[0], place, self._schemas.input(subs[0], place), siblings=members
                )
        found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**found, "required": list(dict.fromkeys(map(str, required)))} if required else found

    def _with_items(self, raw: Any, made: Any) -> Any:
        """Return the schema of a form in which required lists are not empty: an empty list would
        not be sent at all.
        """
        required = {name for part in self._composition.parts(raw) for name in _required(part)}
        members = (
            self._composition.members(raw).items() if required and isinstance(made, dict) else ()
        )
        lists = [name for name, subs in members if name in required and self._is_list(subs[0])]
        if not lists:
            return made
        own = made.get("properties", {})
        at_least = {
            name: {**about, "minItems": max(1, about.get("minItems", 1))}
            for name in lists
            for about in [own.get(name) or {}]
        }
        return {**made, "properties": {**own, **at_least}}

    def _is_list(self, schema: Any) -> bool:
        return any("array" in _types(part) for part in self._composition.parts(schema))

    def response(self, operation: Operation) -> Response:
        """Return the success response of an operation, with an empty output if the document
        describes none.
        """
        found = operation.raw.get("responses")
        found = found if isinstance(found, dict) else {}
        statuses = [status for status in found if status[:1] == "2"]
        if not statuses and "default" in found:
            statuses = ["default"]
        drawn = []
        types: dict[str, list[str]] = {}
        for status in statuses:
            try:
                response, at = self._pointing.resolved(
                    found[status], f"{operation.at}/responses/{status}"
                )
            except LookupError:
                self._report.lossy(
                    "broken reference",
                    f"{operation.at}/responses/{status}",
                    "this response is not described",
                )
                continue
            drawn.append(self._received(response, at))
            content = response.get("content")
            types[status.upper() if status != "default" else status] = (
                sorted(map(_kind, content)) if isinstance(content, dict) else []
            )
        best = next((one for one in drawn if one.row["read"] == "json"), None) or next(
            (one for one in drawn if one.row["read"] != "none"), None
        )
        if best is None:
            headers = drawn[0].headers if drawn else None
            return Response(
                {"type": "object"},
                {"read": "auto"} if not drawn else drawn[0].row,
                None,
                headers,
                types=types,
            )
        others = [
            one
            for one in drawn
            if one is not best and one.row["read"] == "json" and one.schema != best.schema
        ]
        if others:
            self._report.lossy(
                "several success responses",
                f"{operation.at}/responses",
                "the output describes any of them",
            )
            best = replace(best, schema={"anyOf": [best.schema, *(one.schema for one in others)]})
        return replace(best, types=types)

    def _received(self, response: Json, at: str) -> Response:
        content, headers = response.get("content"), response.get("headers")
        headers = headers if isinstance(headers, dict) else None
        if not isinstance(content, dict) or not content:
            return Response({"type": "object"}, {"read": "none"}, None, headers)
        sendable = [name for name in content if _is_media(name)]
        listed = (
            sorted(filter(is_json, sendable), key=lambda name: _media_type(name) != name)
            or sendable
        )
        media = listed[0] if listed else "*/*"
        given = content[media] if isinstance(content.get(media), dict) else {}
        raw = given.get("schema", True)
        if media in ("*/*", "application/*"):
            schema = self._wrapped(
                self._schemas.output(raw, at + pointer("content", media, "schema")), raw
            )
            return Response(schema, {"read": "auto"}, raw, headers, self._example(given))
        if is_json(media):
            schema = self._wrapped(
                self._schemas.output(raw, at + pointer("content", media, "schema")), raw
            )
            row = {"read": "json", "accept": _media_type(media)}
            streams = any(stream_reading(_kind(other)) is not None for other in content)
            return Response(schema, row, raw, headers, self._example(given), is_also_stream=streams)
        if stream_reading(_kind(media)) is not None:
            self._report.assumed(
                "response is a stream",
                at + pointer("content", media),
                "the output has its items, once it has ended",
            )
            return Response(
                self._streamed(raw, media, at), {"read": "json", "accept": media}, None, headers
            )
        if media.startswith("text/") or "xml" in media:
            if "xml" in media:
                self._report.lossy(
                    "response is XML", at + pointer("content", media), "the output has it as text"
                )
            return Response(
                _member("value", {"type": "string"}),
                {"read": "text", "accept": media},
                None,
                headers,
            )
        return Response(
            _member("file", dict(_READ_FILE)), {"read": "bytes", "accept": media}, None, headers
        )

    def _streamed(self, raw: Any, media: str, at: str) -> Json:
        """Return the schema of a stream's output: a list of JSON Lines values or of server-sent
        events.
        """
        if stream_reading(_kind(media)) == "events":
            return _member("items", {"type": "array", "items": dict(_EVENT)})
        is_item = "object" in {
            kind for part in self._composition.parts(raw) for kind in _types(part)
        }
        item = (
            self._schemas.output(raw, at + pointer("content", media, "schema")) if is_item else {}
        )
        return _member("items", {"type": "array", "items": item})

    def _example(self, given: Json) -> Any:
        """Return the first example value of a body or response, references resolved; None if the
        document has none.
        """
        if given.get("example") is not None:
            return given["example"]
        listed = given.get("examples")
        for item in listed.values() if isinstance(listed, dict) else ():
            try:
                found, _ = self._pointing.resolved(item, "")
            except LookupError:
                continue
            if found.get("value") is not None:
                return found["value"]
        schema = given.get("schema")
        return schema.get("example") if isinstance(schema, dict) else None

    def _wrapped(self, made: Any, raw: Any) -> Any:
        """Return the schema of an output, which is always an object: a list becomes its member
        ``items``, another value ``value``.
        """
        kinds = {kind for part in self._composition.parts(raw) for kind in _types(part)}
        if kinds and "object" not in kinds:
            return _member("items" if "array" in kinds else "value", made)
        return made if isinstance(made, dict) else {"type": "object"}


def _may_be_plain(raw: Any) -> bool:
    """Return whether a document's schema is one object with named members only, without combining
    keywords.
    """
    is_object = (
        isinstance(raw, dict)
        and isinstance(raw.get("properties"), dict)
        and bool(raw["properties"])
    )
    return (
        is_object
        and not raw.keys() & _COMBINING
        and raw.get("additionalProperties", False) is False
    )


def _sendable(
    schema: Json, operation: Operation, shown: tuple[Example, ...], composition: Composition
) -> Json:
    """Drop the read-only members that no example sends from the schema of a flat body.

    A read-only member also goes if a parameter has its input name.
    """
    sent = {name for one in shown if isinstance(one.value, dict) for name in one.value}
    taken = {input_name(parameter["name"]) for parameter, _ in operation.parameters}
    members = schema["properties"]
    hidden = {
        name
        for name, sub in members.items()
        if composition.is_marked(sub, "readOnly")
        and (name not in sent or input_name(name) in taken)
    }
    kept = {
        **schema,
        "properties": {name: sub for name, sub in members.items() if name not in hidden},
    }
    required = _required(schema)
    return (
        kept | {"required": [name for name in required if name not in hidden]} if required else kept
    )


def _twin(operation: Operation, members: Json) -> str | None:
    """Return the first member whose input name is already taken: by a parameter, an earlier member
    or a reserved input; None without one.
    """
    taken = {input_name(parameter["name"]) for parameter, _ in operation.parameters} | (
        RESERVED - {"body"}
    )
    for name, about in members.items():
        if isinstance(about, dict) and about.get("readOnly") is True:
            continue
        key = input_name(name)
        if key in taken:
            return name
        taken.add(key)
    return None


def _is_plain(schema: Any) -> bool:
    """Return whether a converted schema is an object that lists all of its members."""
    is_object = (
        isinstance(schema, dict) and bool(schema.get("properties")) and schema.keys() <= _OF_PLAIN
    )
    return is_object and schema.get("additionalProperties", False) is False


_COMBINING = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "$ref", "$dynamicRef"})
_OF_PLAIN = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "title",
        "description",
        "examples",
        "deprecated",
    }
)


def _types(part: Mapping[str, Any]) -> list[str]:
    given = part.get("type")
    if given is None:
        return (
            ["object"]
            if "properties" in part or "additionalProperties" in part
            else ["array"]
            if "items" in part
            else []
        )
    return [
        name
        for name in (given if isinstance(given, list) else [given])
        if isinstance(name, str) and name != "null"
    ]


def _required(part: Mapping[str, Any]) -> list[str]:
    given = part.get("required")
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []


_EVENT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"description": "The event's data, as JSON if it is JSON."},
        "event": {"type": "string", "description": "The event's type, if it has one."},
        "id": {"type": "string", "description": "The event's ID, if it has one."},
    },
    "required": ["data"],
}
_SAYS = {"items": "The items of the list.", "value": "The value.", "file": "The file."}


def _member(name: str, schema: Any) -> Json:
    described = {"description": _SAYS[name], **schema} if isinstance(schema, dict) else schema
    return {"type": "object", "properties": {name: described}}
