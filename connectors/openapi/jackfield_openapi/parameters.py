"""Parameters of an operation: inputs of its action, and the binding's rows that place them in a
request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.connector import InvalidInput, pointer
from jackfield_http.headers import FRAMING
from jackfield_openapi.naming import input_name
from jackfield_openapi.operations import Operation
from jackfield_openapi.report import Report
from jackfield_openapi.schemas import Schemas
from jackfield_openapi.shown_examples import Example, examples_of

RESERVED = frozenset({"body", "fetchAll", "nextPage"})
"""Names of inputs that the generator adds."""
_OURS = FRAMING | {"authorization", "content-type", "accept", "user-agent"}
_SIGNING = re.compile(
    r"x-amz-(content-sha256|date|algorithm|credential|security-token|signature|signedheaders)$"
)
_KEYS = frozenset({"idempotency-key", "x-idempotency-key", "idempotencykey", "x-idempotencykey"})
_TEMPLATE = re.compile(r"\{([^{}/]+)\}")
_VALUE = re.compile(r"[a-z][A-Za-z0-9]{0,63}")
NO_KEYS: Mapping[str, str] = {}
_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "tabDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}

Json = dict[str, Any]


@dataclass(slots=True)
class Drawn:
    """Inputs from an operation's parameters: their schemas by key, the required ones, and the
    binding's rows.
    """

    properties: Json = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    rows: list[Json] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    """Input keys by the names of query parameters."""
    examples: Json = field(default_factory=dict)
    shown: list[tuple[str, Example]] = field(default_factory=list)
    """All examples of parameters in the document, each with the key of its input."""
    idempotency_header: str | None = None
    taken: set[str] = field(default_factory=lambda: set(RESERVED))
    exact: frozenset[str] = frozenset()
    """Parameter names that are input keys unchanged."""
    connection: list[Json] = field(default_factory=list)
    """Rows of the binding for parts of the request that the connection's values fill."""
    fields: Json = field(default_factory=dict)
    """Schemas of the connection's values that are parts of requests."""
    together: Json = field(default_factory=dict)
    """Inputs that each member of an optional body requires in addition."""


def drawn(
    operation: Operation, schemas: Schemas, report: Report, path_keys: Mapping[str, str] = NO_KEYS
) -> Drawn:
    """Return the inputs from an operation's parameters and the names in its path.

    ``path_keys`` are names in paths that the connection's values fill.
    """
    in_path = dict.fromkeys(_TEMPLATE.findall(operation.path))
    found = Drawn(
        exact=exact_names([*(parameter["name"] for parameter, _ in operation.parameters), *in_path])
    )
    for parameter, at in operation.parameters:
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            if name not in in_path:
                report.lossy(
                    "path parameter not in the path",
                    at,
                    f"'{name[:80]}' does not occur in {operation.path}",
                )
                continue
            del in_path[name]
        own = parameter.get("x-jackfield")
        if isinstance(own, dict) and isinstance(own.get("connection"), str) and place != "cookie":
            _connect(found, parameter, at, own, schemas, report)
            continue
        if place == "header" and _is_ours(name.lower(), at, found, name, report):
            continue
        _draw(found, parameter, at, schemas, report)
    for name in [name for name in in_path if name in path_keys]:
        del in_path[name]
        found.connection.append({"value": path_keys[name], "in": "path", "name": name})
    for name in in_path:
        report.assumed("path parameter not declared", operation.at, f"'{name}' is taken for text")
        _draw(
            found,
            {"name": name, "in": "path", "schema": {"type": "string"}},
            operation.at,
            schemas,
            report,
        )
    _keep_apart(found, operation.at, report)
    return found


def _connect(
    found: Drawn, parameter: Json, at: str, own: Json, schemas: Schemas, report: Report
) -> None:
    """Bind a parameter to a value of the connection, which becomes a field of the connection types.

    :raises InvalidInput: if the value's name is not in camelCase.
    """
    name, value = parameter["name"], own["connection"]
    if not _VALUE.fullmatch(value):
        raise InvalidInput(
            f"'connection' of the parameter '{name[:80]}' must be a name in camelCase",
            hint="Correct the overlay.",
        )
    found.connection.append({"value": value, "in": parameter["in"], "name": name})
    schema = {
        **_not_empty(_schema_of(parameter, at, {}, schemas, report)),
        "title": str(own.get("title") or name)[:200],
    }
    if isinstance(parameter.get("description"), str):
        schema["description"] = parameter["description"].strip()
    found.fields[value] = schema | (
        {"writeOnly": True, "format": "password"} if own.get("secret") is True else {}
    )


def _keep_apart(found: Drawn, at: str, report: Report) -> None:
    """Remove optional members of query objects that would be sent under the name of another
    parameter or an earlier member.
    """
    rows = [row for row in found.rows if row["in"] == "query"]
    objects = [row for row in rows if _is_spread(row, found.properties[row["input"]])]
    taken = {row.get("name", row["input"]) for row in rows if row not in objects}
    for row in objects:
        schema = found.properties[row["input"]]
        required = schema.get("required", ())
        twice = [name for name in schema["properties"] if name in taken and name not in required]
        for name in twice:
            report.lossy(
                "member with a parameter's name",
                at,
                f"'{name[:80]}' of '{row['input']}' would be sent as another parameter: left out",
            )
        members = {name: sub for name, sub in schema["properties"].items() if name not in twice}
        found.properties[row["input"]] = {**schema, "properties": members}
        taken.update(members)


def _is_spread(row: Json, schema: Json) -> bool:
    """Return whether an object's members are sent as separate parameters."""
    return (
        "properties" in schema
        and "encode" not in row
        and row.get("style", "form") == "form"
        and row.get("explode", True) is True
    )


def _is_ours(low: str, at: str, found: Drawn, name: str, report: Report) -> bool:
    if low in _KEYS:
        found.idempotency_header = name
        return True
    if low in _OURS:
        report.assumed("header of the client", at, f"the client sets '{name}'")
        return True
    if _SIGNING.match(low):
        report.assumed("header of a signature", at, f"'{name}' belongs to a signed request")
        return True
    return False


def exact_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names that are input keys unchanged: no other name may get the same key."""
    return frozenset(name for name in names if input_name(name) == name)


def input_key(name: str, place: str, taken: set[str], exact: frozenset[str] = frozenset()) -> str:
    """Return a free key for an input, and add it to ``taken``; the exact name of another input is
    not free.
    """
    wanted = input_name(name) or "value"
    reserved = exact - {name}
    key = wanted if wanted not in taken | reserved else f"{wanted}{place.capitalize()}"
    number = 1
    while key in taken or key in reserved:
        number += 1
        key = f"{wanted}{place.capitalize()}{number}"
    taken.add(key)
    return key


def _draw(found: Drawn, parameter: Json, at: str, schemas: Schemas, report: Report) -> None:
    name, place = parameter["name"], parameter["in"]
    extension = parameter.get("x-jackfield")
    if isinstance(extension, dict) and extension.get("ignore") is True and place != "path":
        return
    if isinstance(extension, dict) and extension.get("flatten") is True:
        _spread(found, parameter, at, schemas, report)
        return
    key = input_key(name, place, found.taken, found.exact)
    row: Json = {"input": key, "in": place, **({"name": name} if name != key else {})}
    schema = _schema_of(parameter, at, row, schemas, report)
    if place == "path" or (
        parameter.get("required") is True and parameter.get("allowEmptyValue") is not True
    ):
        schema = _not_empty(schema)
    about = parameter.get("description")
    if isinstance(about, str) and about.strip():
        schema = {**schema, "description": _joined(about.strip(), schema.get("description"))}
    node = parameter if "x-jackfield" in parameter else parameter.get("schema", parameter)
    schema = schemas.secrets.marked(
        name, node, at, schema, about=about if isinstance(about, str) else ""
    )
    if name != key and "title" not in schema:
        schema = {"title": name[:200], **schema}
    if parameter.get("deprecated") is True:
        schema["deprecated"] = True
    found.properties[key] = schema
    if (parameter.get("required") is True or place == "path") and "default" not in schema:
        found.required.append(key)
    if place == "query":
        found.named[name] = key
    example = _example(parameter)
    if example is not None:
        found.examples[key] = example
    found.shown += [(key, one) for one in _parameter_examples(parameter, at, schemas)]
    _style(parameter, row, at, report)
    found.rows.append(row | _spelled(parameter))


def _spread(found: Drawn, parameter: Json, at: str, schemas: Schemas, report: Report) -> None:
    """Add an input for each member of a header field whose content is a JSON object.

    :raises InvalidInput: if the parameter is no such header field.
    """
    name, content = parameter["name"], parameter.get("content", {})
    schema = (
        content.get("application/json", {}).get("schema", {}) if isinstance(content, dict) else {}
    )
    if parameter["in"] != "header" or not isinstance(schema.get("properties"), dict):
        text = (
            f"'flatten' of the parameter '{name[:80]}' is for a header field whose content "
            "is JSON, an object with named members"
        )
        raise InvalidInput(text, hint="Correct the overlay.")
    for member, sub in schema["properties"].items():
        required = member in schema.get("required", ())
        _draw(
            found,
            {"name": member, "in": "header", "schema": sub, "required": required},
            at,
            schemas,
            report,
        )
        found.rows[-1] |= {"name": name, "encode": "json", "member": member}


def _spelled(parameter: Json) -> Json:
    """Return the row's ``encode`` of a path parameter whose slashes need double encoding, and
    ``quote`` of a value within the quotation marks of a grammar; empty for other parameters.
    """
    own = parameter.get("x-jackfield")
    if not isinstance(own, dict):
        return {}
    is_twice = own.get("encode") == "twice" and parameter["in"] == "path"
    return {
        **({"encode": "twice"} if is_twice else {}),
        **({"quote": "odata"} if own.get("quote") == "odata" else {}),
    }


def _joined(about: str, more: object) -> str:
    return (
        f"{about}\n\n{more}"
        if isinstance(more, str) and more.startswith("Default of the provider")
        else about
    )


def _schema_of(parameter: Json, at: str, row: Json, schemas: Schemas, report: Report) -> Json:
    content = parameter.get("content")
    if isinstance(content, dict) and content:
        media, given = next(iter(content.items()))
        if "json" in media:
            row["encode"] = "json"
        else:
            report.lossy("media type of a parameter", at, f"'{media[:80]}' is sent as text")
        schema = given.get("schema", True) if isinstance(given, dict) else True
        made = schemas.input(
            schema, f"{at}/content/{media.replace('~', '~0').replace('/', '~1')}/schema"
        )
    elif "schema" in parameter:
        made = schemas.input(parameter["schema"], f"{at}/schema")
    else:
        report.assumed("parameter without a schema", at, "taken for text")
        made = {"type": "string"}
    return dict(made) if isinstance(made, dict) else {}


_LEAST = {"string": "minLength", "array": "minItems", "object": "minProperties"}


def _not_empty(schema: Json) -> Json:
    """Return a schema that refuses null and empty values: in a URL they look like an omitted value,
    which may select everything.
    """
    given = schema.get("type")
    if isinstance(given, list) and "null" in given:
        rest = [name for name in given if name != "null"]
        schema = {**schema, "type": rest[0] if len(rest) == 1 else rest}
        if "enum" in schema:
            schema["enum"] = [value for value in schema["enum"] if value is not None]
    if "enum" in schema or "const" in schema:
        return schema
    types = schema.get("type", ())
    keywords = [
        _LEAST[name] for name in ([types] if isinstance(types, str) else types) if name in _LEAST
    ]
    return {**schema, **{keyword: max(1, schema.get(keyword, 0)) for keyword in keywords}}


def _style(parameter: Json, row: Json, at: str, report: Report) -> None:
    place, style = row["in"], parameter.get("style")
    usual = "form" if place in ("query", "cookie") else "simple"
    if style is not None and style not in _STYLES[place]:
        report.lossy(
            "style",
            f"{at}/style",
            f"the style {str(style)[:40]!r} does not exist for parameters in {place}",
        )
        style = None
    if style not in (None, usual):
        row["style"] = style
    explode = parameter.get("explode")
    if isinstance(explode, bool) and explode != ((style or usual) == "form"):
        row["explode"] = explode
    if parameter.get("allowReserved") is True and place == "query":
        row["allowReserved"] = True


def _parameter_examples(parameter: Json, at: str, schemas: Schemas) -> Iterator[Example]:
    yield from examples_of(parameter, at, schemas.pointing)
    content = parameter.get("content")
    for media, given in list(content.items())[:1] if isinstance(content, dict) else ():
        if isinstance(given, dict):
            yield from examples_of(given, at + pointer("content", media), schemas.pointing)


def _example(parameter: Json) -> Any:
    if parameter.get("example") is not None:
        return parameter["example"]
    listed = parameter.get("examples")
    if isinstance(listed, dict):
        for item in listed.values():
            if isinstance(item, dict) and item.get("value") is not None:
                return item["value"]
    schema = parameter.get("schema")
    return schema.get("example") if isinstance(schema, dict) else None
