"""JSON Schemas of connectors, actions, triggers and connection types in the API's lists."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_service.shell.http.shape_parts import (
    ANY,
    COUNT,
    EFFECT,
    MOMENT,
    NAME,
    NULLABLE,
    STRING,
    STRINGS,
    Json,
    closed_with,
    list_of,
    object_of,
)

_LABELLED: Json = {"type": "object", "additionalProperties": {"type": "array", "items": STRING}}
_KEY_AND_VERSION = object_of(("connector", "version"), connector=STRING, version=STRING)
_RELEASE: Mapping[str, Json] = {
    "connector": STRING,
    "name": STRING,
    "version": STRING,
    "publisher": ANY,
    "grade": STRING,
    "permissions": _LABELLED,
    "hosts": {
        "type": "array",
        "items": STRING,
        "description": "Hosts that it connects to besides those of its connections.",
    },
}
_STEPS: Json = {"type": "array", "items": ANY}
_FOUND_ACTIONS = list_of("#/components/schemas/FoundAction")
_TRIGGERS: Json = {
    "type": "array",
    "items": {"$ref": "#/components/schemas/FoundTrigger"},
    "description": "Triggers that match, of the first page of a search by words; absent if none does.",
}
SHAPES: dict[str, Json] = {
    "Schema": {"type": "object", "description": "A JSON Schema, or an OpenAPI document."},
    "Manifest": object_of(
        ("manifestVersion", "key", "title", "version"),
        closed=False,
        manifestVersion={"enum": [1, 2]},
        key=STRING,
        title=STRING,
        version=STRING,
        actions={"type": "array", "items": ANY},
        connectionTypes={"type": "array", "items": ANY},
    ),
    "Connector": object_of(
        ("key",),
        key=STRING,
        title=STRING,
        version=NULLABLE,
        versions=STRINGS,
        status={"enum": ["ok", "broken"]},
        error=STRING,
        revoked=ANY,
        icon={"type": "string", "description": "A data: URI, or an address."},
        description=STRING,
        categories=STRINGS,
        actions=COUNT,
        triggers=COUNT,
        connectionTypes=COUNT,
        manifest={"$ref": "#/components/schemas/Manifest"},
    ),
    "ConnectionType": object_of(
        ("type", "title", "description", "auth", "connectors"),
        title=STRING,
        type={"type": "string", "description": "Full name, as connections have it."},
        description=STRING,
        auth=STRING,
        connectors={**STRINGS, "description": "Keys of the connectors that take it."},
    ),
    "FoundAction": object_of(
        ("connector", "action", "title", "description", "effect"),
        connector=STRING,
        action=STRING,
        title=STRING,
        description=STRING,
        effect=EFFECT,
        exact={
            "type": "boolean",
            "description": "False if the action matches only some of the words; otherwise absent.",
        },
    ),
    "FoundTrigger": object_of(
        ("connector", "trigger", "title", "description", "kind"),
        connector=STRING,
        trigger=STRING,
        title=STRING,
        description=STRING,
        kind={"enum": ["webhook", "poll"]},
    ),
    "Action": object_of(
        ("connector", "connectorVersion", "key", "effect", "inputs", "verdict"),
        closed=False,
        connector=STRING,
        connectorVersion=STRING,
        key=STRING,
        effect=EFFECT,
        inputs=ANY,
        output=ANY,
        verdict=object_of(
            ("allowed", "rule"), closed=False, allowed={"type": "boolean"}, rule=STRING
        ),
    ),
    "Option": object_of(("value",), closed=False, value=STRING),
    "NewInstallation": closed_with(
        ("name",),
        {
            "name": {
                "type": "string",
                "minLength": 1,
                "maxLength": 300,
                "description": "A connector, with a version if wanted: acme, acme==1.2.0.",
            },
            "from": {
                "type": "string",
                "minLength": 1,
                "maxLength": 300,
                "description": "One of the server's catalogues; needed if it has several.",
            },
            "pin": {
                "type": "boolean",
                "default": False,
                "description": "Make this version the default one, installed or not.",
            },
        },
    ),
    "Installation": closed_with(
        ("connector", "name", "version"),
        {
            **_RELEASE,
            "sha256": STRING,
            "source": ANY,
            "installedAt": MOMENT,
            "default": {
                "type": "boolean",
                "description": "True if calls without 'connectorVersion' use this version.",
            },
            "changed": {
                "type": "boolean",
                "description": "False if exactly this release was installed already.",
            },
        },
    ),
    "Available": closed_with(
        ("connector", "name", "version", "title", "description", "versions", "source"),
        {
            **_RELEASE,
            "title": STRING,
            "description": STRING,
            "versions": {"type": "array", "items": STRING},
            "source": STRING,
            "licence": STRING,
            "installed": STRING,
        },
    ),
    "Outdated": object_of(
        ("connector", "version", "source", "status"),
        connector=STRING,
        version=STRING,
        source=STRING,
        latest=STRING,
        error=STRING,
        status={"enum": ["outdated", "revoked", "refused"]},
    ),
    "UpgradeOptions": object_of((), allowBreaking={"type": "boolean"}, dryRun={"type": "boolean"}),
    "Upgrade": object_of(
        ("upgraded", "refused", "current", "dryRun"),
        upgraded=_STEPS,
        refused=_STEPS,
        current=_STEPS,
        dryRun={"type": "boolean"},
    ),
    "Removal": object_of(("removed",), removed={"type": "array", "items": _KEY_AND_VERSION}),
    "OptionsOver": object_of(
        (),
        connection={**NAME, "type": ["string", "null"]},
        inputs={"type": "object", "description": "The values that the form has so far."},
    ),
    "ActionList": {
        **_FOUND_ACTIONS,
        "properties": {**_FOUND_ACTIONS["properties"], "triggers": _TRIGGERS},
    },
    "TriggerList": list_of("#/components/schemas/FoundTrigger"),
}
