"""From a model to the JSON Schema that judges callers: closed, inlined, without Python's traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from jackfield.connector.declaration_error import DeclarationError
from jackfield.connector.models import spelt_out

__all__ = ["model_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def model_schema(model: type[BaseModel], extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON Schema 2020-12 of a model: an object with ``properties`` in the order of the fields.

    An optional field (``X | None = None``) becomes ``X``, left out when absent. ``extra`` adds keywords to the whole.

    :raises DeclarationError: for a model that holds itself, which no form could show.
    """
    generated = model.model_json_schema(by_alias=True, mode="validation")
    definitions = generated.pop("$defs", {})
    for named in (generated, *definitions.values()):
        named.pop("title", None)  # the name of a class is no title
    schema = _cleaned(_inlined(generated, definitions, ()))
    for order, (name, field) in enumerate(schema.get("properties", {}).items(), start=1):
        field.setdefault("title", spelt_out(name))
        field["x-jackfield"] = {"order": order, **field.get("x-jackfield", {})}
    description = schema.pop("description", None)
    about = {"description": description} if description else {}
    return {"$schema": _DRAFT, **about, **schema, **(extra or {})}


def _inlined(node: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].rpartition("/")[2]
        if name in inside:
            raise DeclarationError(f"the model '{name}' holds itself; take any object there, and judge it in rules()")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**_inlined(definitions[name], definitions, (*inside, name)), **_inlined(beside, definitions, inside)}
    return {key: _inlined(value, definitions, inside) for key, value in node.items() if key != "discriminator"}


def _cleaned(node: Any) -> Any:
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = _without_null({key: _cleaned(value) for key, value in node.items()})
    if node.get("type") == "object" and "properties" in node:
        node.setdefault("additionalProperties", False)
    return node


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    branches = node.get("anyOf")
    if isinstance(branches, list) and {"type": "null"} in branches:
        rest = [branch for branch in branches if branch != {"type": "null"}]
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        node = {**rest[0], **beside} if len(rest) == 1 else {**beside, "anyOf": rest}
    if "default" in node and node["default"] is None:
        del node["default"]
    return node
