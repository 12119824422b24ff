"""JSON Schemas of connectors, actions, triggers and connection types, as the API lists them."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import ANY, COUNT, EFFECT, NULLABLE, STRING, STRINGS, Json, object_of

CATALOGUE: dict[str, Json] = {
    "Schema": {"type": "object", "description": "A JSON Schema, or an OpenAPI document."},
    "Manifest": object_of(
        ("manifestVersion", "key", "title", "version"), closed=False, manifestVersion={"enum": [1, 2]}, key=STRING, title=STRING,
        version=STRING, actions={"type": "array", "items": ANY}, connectionTypes={"type": "array", "items": ANY},
    ),
    "Connector": object_of(
        ("key",), key=STRING, title=STRING, version=NULLABLE, versions=STRINGS, status={"enum": ["ok", "broken"]}, error=STRING,
        revoked=ANY, icon={"type": "string", "description": "A data: URI, or an address."}, description=STRING, categories=STRINGS,
        actions=COUNT, triggers=COUNT, connectionTypes=COUNT, manifest={"$ref": "#/components/schemas/Manifest"},
    ),
    "ConnectionType": object_of(
        ("type", "title", "description", "auth", "connectors"), title=STRING,
        type={"type": "string", "description": "Full name, as connections have it."}, description=STRING, auth=STRING,
        connectors={**STRINGS, "description": "Keys of the connectors that take it."},
    ),
    "FoundAction": object_of(
        ("connector", "action", "title", "description", "effect"), connector=STRING, action=STRING, title=STRING, description=STRING,
        effect=EFFECT, exact={"type": "boolean", "description": "False if the action matches only some of the words; otherwise absent."},
    ),
    "FoundTrigger": object_of(
        ("connector", "trigger", "title", "description", "kind"), connector=STRING, trigger=STRING, title=STRING, description=STRING,
        kind={"enum": ["webhook", "poll"]},
    ),
    "Action": object_of(
        ("connector", "connectorVersion", "key", "effect", "inputs", "verdict"), closed=False,
        connector=STRING, connectorVersion=STRING, key=STRING, effect=EFFECT, inputs=ANY, output=ANY,
        verdict=object_of(("allowed", "rule"), closed=False, allowed={"type": "boolean"}, rule=STRING),
    ),
    "Option": object_of(("value",), closed=False, value=STRING),
}  # fmt: skip
