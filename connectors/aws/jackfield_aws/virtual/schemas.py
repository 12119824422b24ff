"""Conversion of botocore's shapes to JSON Schema.

Types, required members, unknown members, lengths and ranges are asserted. Enums and patterns are
only advisory: within one year of botocore releases every eighth operation accepted more values, and
a closed list would refuse values that AWS accepts. See
docs/decisions/0027-virtual-aws-connectors.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jackfield_aws.virtual.plain_values import (
    attribute_schema,
    beside,
    is_attribute,
    json_schema,
    or_json,
)
from jackfield_aws.virtual.texts import markdown

Json = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_FILE = "JackfieldFile"
FILE: Json = {
    "anyOf": [
        {"type": "string", "description": "The text (UTF-8), or a data: URL (RFC 2397)."},
        {
            "type": "object",
            "properties": {
                "data": {
                    "type": "string",
                    "contentEncoding": "base64",
                    "description": "The bytes as base64.",
                },
                "contentType": {
                    "type": "string",
                    "description": "The media type, such as application/pdf.",
                },
            },
            "required": ["data"],
            "additionalProperties": False,
        },
    ]
}
"""Schema of an input file."""
_STORED: Json = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "description": "The ID of an uploaded file, of any size."}
    },
    "required": ["file"],
    "additionalProperties": False,
}
STREAM: Json = {"anyOf": [*FILE["anyOf"], _STORED], "x-jackfield": {"file": "stream"}}
"""Schema of a request's body: a stored file is streamed into it."""
BYTES: Json = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "contentEncoding": "base64"},
        "contentType": {"type": "string"},
    },
    "required": ["data"],
}
"""Schema of an output file."""
BODY: Json = {
    "anyOf": [
        BYTES,
        {
            "type": "object",
            "description": "A stored file; GET /v1/files/{id} returns its content.",
            "properties": {
                "file": {"type": "string"},
                "size": {"type": "integer"},
                "contentType": {"type": "string"},
                "expiresAt": {"type": "string"},
                "name": {"type": "string"},
            },
            "required": ["file"],
        },
    ],
    "x-jackfield": {"file": "output"},
}
"""Schema of a response's body: a large one becomes a stored file."""
_INT32, _INT64 = 2**31, 2**63
_SECRET = re.compile(r"secret|password|token|credential|key", re.IGNORECASE)
"""Pattern of sensitive inputs' names that forms hide. AWS also marks names and addresses as
sensitive.
"""
_TIME = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([Tt "
    r"]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?)?$"
)
_FARTHEST = 250_000_000_000
"""Maximum seconds from 1970 that botocore can write as a date."""
_TIMESTAMP: Json = {
    "anyOf": [
        {
            "type": "string",
            "pattern": _TIME,
            "x-jackfield": {"expects": "a time such as 2026-01-31T08:30:00Z"},
        },
        {"type": "number", "minimum": -_FARTHEST // 5, "maximum": _FARTHEST},
    ]
}
_LABEL: Json = {
    "pattern": r"^([^.]|\.([^.]|\..))",
    "x-jackfield": {"expects": "a name other than '.' and '..'"},
}
"""Schema of a path segment, which must not be all dots: no client escapes such a segment, so it
would address another resource.
"""
_SEGMENT = r"(|[^./][^/]*|\.[^./][^/]*|\.\.[^/]+)"
_LAST: Json = {
    "pattern": r"(^|/)([^./]|\.[^./]|\.\.[^/])[^/]*$",
    "x-jackfield": {"expects": "an ID, such as Z0123456789 or /hostedzone/Z0123456789"},
}
"""Schema of an ID of which botocore sends only the part after its last slash."""
_PREFIXED = frozenset(("ResourceId", "DelegationSetId", "ChangeId"))
"""Shapes of Route 53 whose values have a prefix in its responses: the model's length applies to the
ID alone.
"""
_SEGMENTS: Json = {
    "pattern": f"^{_SEGMENT}(/{_SEGMENT})*$",
    "x-jackfield": {"expects": "a path without the segments '.' and '..'"},
}
"""Schema of a label with several path segments, none of which may be all dots."""
_HEADER: Json = {"pattern": r"^[^\r\n]*$", "x-jackfield": {"expects": "text without line breaks"}}
_ASCII: Json = {"pattern": r"^[\x20-\x7e]*$", "x-jackfield": {"expects": "printable ASCII"}}
_HOST: Json = {
    "pattern": "^[A-Za-z0-9-]{1,63}$",
    "x-jackfield": {"expects": "a host label: 1 to 63 letters, digits or hyphens"},
}
_DECODED = frozenset(("policyDocumentType", "TemplateBody"))
"""Output shapes whose text botocore returns as parsed JSON: policies of IAM, templates of
CloudFormation.
"""


class Converter:
    """Conversion of one operation's input or output. Structures become ``$defs``, so that recursive
    structures end.

    ``path`` is the template of the request's path. Its labels must not be empty: without its key,
    the request to delete an object would delete the bucket. They must not be dot segments either,
    except the keys of S3.
    """

    def __init__(
        self,
        *,
        output: bool = False,
        texts: bool = True,
        service: str = "",
        path: str = "",
        json: Collection[str] = (),
    ) -> None:
        self._output = output
        self._json = json
        """Members of the input or output that are JSON as text or bytes."""
        self._texts = texts
        self._free_labels = frozenset(("Key",)) if service == "s3" else frozenset[str]()
        """Labels in which AWS allows dot segments."""
        self._prefixed = service == "route53"
        self._path = path
        self._definitions: Json = {}
        self._by_kind: Mapping[str, Callable[[Any], Any]] = {
            "structure": self._structure,
            "list": self._list,
            "map": self._map,
            "string": self._string,
            "blob": self._blob,
            "timestamp": self._timestamp,
            "boolean": lambda _shape: {"type": "boolean"},
            "integer": lambda shape: self._integer(shape, _INT32),
            "long": lambda shape: self._integer(shape, _INT64),
        }

    def whole(
        self,
        shape: Any,
        members: Mapping[str, Json] | None = None,
        optional: frozenset[str] = frozenset(),
    ) -> Json:
        """Return the schema of an operation's input or output. ``members`` precede the model's; the
        model's members in ``optional`` may be left out.
        """
        properties, required = (
            dict(members or {}),
            [name for name, item in (members or {}).items() if item.pop("required", False)],
        )
        if shape is not None:
            properties |= {
                name: self._top(shape, name, member) for name, member in shape.members.items()
            }
            if self._output:
                properties |= {
                    beside(name): json_schema(name, properties[name]) for name in self._json
                }
            else:
                properties |= {name: or_json(properties[name]) for name in self._json}
            required += [name for name in shape.required_members if name not in optional]
        schema: Json = {"$schema": DRAFT, "type": "object", "properties": properties}
        if not self._output:
            schema |= {"required": required} if required else {}
            schema |= _one_of(shape) if shape is not None and shape.is_tagged_union else {}
            schema["additionalProperties"] = False
        return {**schema, "$defs": self._definitions} if self._definitions else schema

    def _top(self, parent: Any, name: str, shape: Any) -> Json:
        """Convert a top-level member of the input, which may be sent in the path, a header or the
        host name.
        """
        found = self._member(name, shape)
        if self._output:
            if parent.serialization.get("payload") == name and shape.type_name == "blob":
                return {
                    **BODY,
                    **({"description": found["description"]} if "description" in found else {}),
                }
            return found
        if is_body(parent, name):
            return {**{word: value for word, value in found.items() if word != "$ref"}, **STREAM}
        location = shape.serialization.get("location")
        if self._prefixed and shape.name in _PREFIXED:
            found.pop("maxLength", None)
            return _tightened({**found, "minLength": 1}, _LAST)
        if location == "uri" and shape.type_name == "string":
            found["minLength"] = max(1, found.get("minLength", 1))
            if name not in self._free_labels:
                is_greedy = "{" + shape.serialization.get("name", name) + "+}" in self._path
                found = _tightened(found, _SEGMENTS if is_greedy else _LABEL)
        elif location in ("header", "headers"):
            found = _in_header(found, _ASCII if location == "headers" else _HEADER)
        # last: it allows less than a label of the path or a header
        if shape.serialization.get("hostLabel"):
            found = _tightened({**found, "minLength": max(1, found.get("minLength", 1))}, _HOST)
        return found

    def _member(self, name: str, shape: Any) -> Json:
        schema = self.schema(shape)
        found = (
            {**schema, "type": ["object", "string"]}
            if self._output and shape.name in _DECODED
            else dict(schema)
        )
        if self._texts and shape.documentation:
            found["description"] = markdown(shape.documentation)
        return found | _marks(name, shape, found, output=self._output)

    def schema(self, shape: Any) -> Json:
        """Return the schema of a shape."""
        if getattr(shape, "is_document_type", False):
            return {}
        convert = self._by_kind.get(shape.type_name)
        return convert(shape) if convert is not None else self._number(shape)

    def _structure(self, shape: Any) -> Json:
        if self._output and shape.serialization.get("eventstream"):
            return {"type": "array", "items": self._defined(shape, shape.name, self._closed)}
        convert = self._attribute if not self._output and is_attribute(shape) else self._closed
        return self._defined(shape, shape.name, convert)

    def _attribute(self, shape: Any) -> Json:
        return attribute_schema(self._closed(shape), {"$ref": f"#/$defs/{shape.name}"})

    def _closed(self, shape: Any) -> Json:
        properties = {name: self._member(name, member) for name, member in shape.members.items()}
        schema: Json = {"type": "object", "properties": properties}
        if self._output:
            return schema
        if shape.required_members:
            schema["required"] = list(shape.required_members)
        return {
            **schema,
            **(_one_of(shape) if shape.is_tagged_union else {}),
            "additionalProperties": False,
        }

    def _list(self, shape: Any) -> Json:
        def of(shape: Any) -> Json:
            return {
                "type": "array",
                "items": self._member("", shape.member),
                **self._limits(shape, "minItems", "maxItems"),
            }

        return self._defined(shape, shape.name, of) if _is_endless(shape) else of(shape)

    def _map(self, shape: Any) -> Json:
        def of(shape: Any) -> Json:
            names = self._limits(shape.key, "minLength", "maxLength")
            schema = {
                "type": "object",
                "additionalProperties": self._member("", shape.value) or True,
            }
            schema |= {"propertyNames": names} if names else {}
            return {**schema, **self._limits(shape, "minProperties", "maxProperties")}

        return self._defined(shape, shape.name, of) if _is_endless(shape) else of(shape)

    def _defined(self, shape: Any, name: str, convert: Callable[[Any], Json]) -> Json:
        if name not in self._definitions:
            self._definitions[name] = {}
            self._definitions[name] = convert(shape)
        return {"$ref": f"#/$defs/{name}"}

    def _string(self, shape: Any) -> Json:
        if "jsonvalue" in shape.serialization or shape.metadata.get("jsonvalue"):
            if shape.serialization.get("location") == "header" or self._output:
                return {}
            return {**_json_text(), **self._limits(shape, "minLength", "maxLength")}
        schema = {"type": "string", **self._limits(shape, "minLength", "maxLength")}
        hints: Json = {}
        if shape.metadata.get("enum"):
            hints["values"] = list(shape.metadata["enum"])
        return {**schema, "x-jackfield": hints} if hints else schema

    def _integer(self, shape: Any, bound: int) -> Json:
        if self._output:
            return {"type": "integer"}
        least, most = shape.metadata.get("min", -bound), shape.metadata.get("max", bound - 1)
        return {"type": "integer", "minimum": _number(least), "maximum": _number(most)}

    def _number(self, shape: Any) -> Json:
        found: Json = {"type": "number"}
        if not self._output:
            found |= {
                word: _number(shape.metadata[name])
                for name, word in (("min", "minimum"), ("max", "maximum"))
                if name in shape.metadata
            }
        return found

    def _blob(self, _shape: Any) -> Json:
        if self._output:
            return dict(BYTES)
        self._definitions[_FILE] = FILE
        return {"$ref": f"#/$defs/{_FILE}"}

    def _timestamp(self, _shape: Any) -> Json:
        return {"type": "string", "format": "date-time"} if self._output else dict(_TIMESTAMP)

    def _limits(self, shape: Any, least: str, most: str) -> Json:
        if self._output or shape.type_name not in ("string", "list", "map"):
            return {}
        found = {least: shape.metadata["min"]} if shape.metadata.get("min") else {}
        return {**found, most: shape.metadata["max"]} if "max" in shape.metadata else found


def _json_text() -> Json:
    return {"type": "string", "contentMediaType": "application/json"}


def _one_of(_shape: Any) -> Json:
    return {"minProperties": 1, "maxProperties": 1}


def _number(value: Any) -> int | float:
    """Return a limit as a number; some models write it as a string or a float."""
    number = float(value)
    return int(number) if number.is_integer() else number


def is_body(parent: Any, name: str) -> bool:
    """Return whether an input member is the request's body, of any length."""
    shape = parent.members[name]
    return (
        parent.serialization.get("payload") == name
        and shape.type_name == "blob"
        and bool(shape.serialization.get("streaming"))
    )


def _marks(name: str, shape: Any, found: Json, *, output: bool) -> Json:
    """Return the marks of values that AWS calls sensitive: records mask them, and forms hide inputs
    with the name of a secret.
    """
    if not shape.metadata.get("sensitive"):
        return {}
    if shape.type_name == "string" and (output or _SECRET.search(name or shape.name)):
        return {"writeOnly": True, "format": "password"}
    return {"writeOnly": True, "x-jackfield": {**found.get("x-jackfield", {}), "sensitive": True}}


def _tightened(found: Json, rule: Json) -> Json:
    return {**found, **rule, "x-jackfield": {**found.get("x-jackfield", {}), **rule["x-jackfield"]}}


def _in_header(found: Json, rule: Json) -> Json:
    """Forbid line breaks in values that become a header."""
    if found.get("type") == "string":
        return _tightened(found, rule)
    if found.get("type") == "array" and isinstance(found["items"], dict):
        return {**found, "items": _in_header(found["items"], rule)}
    if found.get("type") == "object" and isinstance(found.get("additionalProperties"), dict):
        names = {**found.get("propertyNames", {}), "pattern": r"^[\x21-\x39\x3b-\x7e]+$"}
        return {
            **found,
            "propertyNames": names,
            "additionalProperties": _in_header(found["additionalProperties"], rule),
        }
    return found


def _is_endless(shape: Any, above: frozenset[str] = frozenset()) -> bool:
    """Return whether a list or a map contains itself without a structure in between, where the
    recursion would end.
    """
    if shape.type_name not in ("list", "map"):
        return False
    if shape.name in above:
        return True
    inner = shape.member if shape.type_name == "list" else shape.value
    return _is_endless(inner, above | {shape.name})
