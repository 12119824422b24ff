"""Conversion of a declared connector to its manifest, the JSON committed as ``connector.json``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from jackfield.connector.models import ConnectionType, DeclarationError, spelt_out
from jackfield.connector.triggers import Trigger, Webhook
from jackfield.manifest.manifest import MANIFEST_VERSION

if TYPE_CHECKING:
    from typing import Protocol

    from jackfield.connector.actions import Action, OptionSource

    class Declared(Protocol):
        """Connector with the members that ``describe`` reads."""

        key: str
        title: str
        description: str
        version: str
        about: dict[str, Any]
        aliases: dict[str, Any]
        connections: dict[str, type[ConnectionType]]
        actions: Mapping[str, Action]
        option_sources: dict[str, OptionSource]
        triggers: Mapping[str, Trigger]

        @property
        def triggers_here(self) -> Collection[str]:
            """Keys of the triggers whose modules have been imported."""


_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_OWN_LINE = re.compile(r"[-*+] |\d{1,2}[.)] |[|#>]")
"""Start of a line of Markdown that begins a list item, a row of a table, a heading or a
quotation.
"""


def model_schema(model: type[BaseModel], extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of a model: an object whose ``properties`` are in field order.

    An optional field (``X | None = None``) becomes an ``X`` that may be absent. ``extra`` adds
    keywords to the object.

    :raises DeclarationError: for a recursive model, which no form could represent.
    """
    generated = model.model_json_schema(by_alias=True, mode="validation")
    definitions = generated.pop("$defs", {})
    for named in (generated, *definitions.values()):
        named.pop("title", None)  # pydantic uses the class name as title
        if "description" in named:
            named["description"] = unwrapped(named["description"])
    schema = _cleaned(_inlined(generated, definitions, ()))
    for order, (name, field) in enumerate(schema.get("properties", {}).items(), start=1):
        field.setdefault("title", spelt_out(name))
        field["x-jackfield"] = {"order": order, **field.get("x-jackfield", {})}
    description = schema.pop("description", None)
    about = {"description": description} if description else {}
    return {"$schema": _DRAFT, **about, **schema, **(extra or {})}


def unwrapped(text: str) -> str:
    """Return Markdown from the source, such as a docstring, with each paragraph and list item on
    one line. Code keeps its lines.
    """
    lines, is_fenced = [""], False
    for line in inspect.cleandoc(text).split("\n"):
        content, last = line.strip(), lines[-1]
        begins_or_ends_code = content.startswith("```")
        is_code = (
            is_fenced
            or begins_or_ends_code
            or (line.startswith("    ") and (not last or last.startswith("    ")))
        )
        is_fenced ^= begins_or_ends_code
        if is_code or not content or not last or last.endswith("```") or _OWN_LINE.match(content):
            lines.append(line)
        else:
            lines[-1] = f"{last} {content}"
    return "\n".join(lines[1:])


def _inlined(node: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].rpartition("/")[2]
        if name in inside:
            raise DeclarationError(
                f"the model '{name}' contains itself; accept any object there, and check it in "
                "rules()"
            )
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {
            **_inlined(definitions[name], definitions, (*inside, name)),
            **_inlined(beside, definitions, inside),
        }
    return {
        key: _inlined(value, definitions, inside)
        for key, value in node.items()
        if key != "discriminator"
    }


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
    is_absence = node.get("default") is None  # else None and a value that is left out differ
    if is_absence and isinstance(branches, list) and {"type": "null"} in branches:
        rest = [branch for branch in branches if branch != {"type": "null"}]
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        node = (
            {**rest[0], **beside, **_hints(rest[0], beside)}
            if len(rest) == 1
            else {**beside, "anyOf": rest}
        )
    if "default" in node and node["default"] is None:
        del node["default"]
    return node


def _hints(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> dict[str, Any]:
    hints = {**inner.get("x-jackfield", {}), **outer.get("x-jackfield", {})}
    return {"x-jackfield": hints} if hints else {}


def describe(connector: Declared, actions: Collection[str] | None = None) -> dict[str, Any]:
    """Return the manifest of a connector (docs/reference/manifest.md), without members that have no
    value. It has all its actions, or only the given ones, and the triggers whose modules are
    installed.
    """
    chosen = [
        connector.actions[key] for key in connector.actions if actions is None or key in actions
    ]
    about = {name: value for name, value in connector.about.items() if value}
    manifest: dict[str, Any] = {
        "manifestVersion": MANIFEST_VERSION,
        "key": connector.key,
        "title": connector.title,
        "description": connector.description,
        "version": connector.version,
        **about,
        "connectionTypes": [_connection_type(kind) for kind in connector.connections.values()],
        "actions": [_action(action) for action in chosen],
        "optionSources": [_option_source(source) for source in connector.option_sources.values()],
    }
    triggers = connector.triggers if actions is None else connector.triggers_here
    if triggers:
        manifest["triggers"] = [_trigger(connector.triggers[key]) for key in triggers]
    return {**manifest, "aliases": connector.aliases} if connector.aliases else manifest


def _connection_type(kind: type[ConnectionType]) -> dict[str, Any]:
    schema = model_schema(kind)
    schema.pop("description", None)
    family = {"family": kind.family} if kind.family else {}
    serves = (
        {"serves": {"actions": list(kind.serves.actions), "reason": kind.serves.reason}}
        if kind.serves
        else {}
    )
    waives = {"waives": list(kind.waives)} if kind.waives else {}
    authorizes = {"authorizes": list(kind.authorizes)} if kind.authorizes else {}
    return {
        "key": kind.key,
        **family,
        **serves,
        **waives,
        **authorizes,
        "title": kind.title,
        "description": unwrapped(inspect.getdoc(kind) or ""),
        "auth": kind.auth,
        "schema": schema,
        "setup": unwrapped(kind.setup),
    }


def _action(action: Action) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": action.key,
        "title": action.title,
        "description": unwrapped(action.description),
        "effect": action.effect,
        **({"kind": "job"} if action.job is not None else {}),
        **(
            {"cancellable": True}
            if action.job is not None and action.job.cancel is not None
            else {}
        ),
        "inputs": model_schema(action.inputs, action.schema),
        "output": model_schema(action.output),
    }
    if action.pagination is not None:
        row["pagination"] = action.pagination.to_json()
    if action.permissions:
        row["permissions"] = {system: list(names) for system, names in action.permissions.items()}
    if action.rate_limit is not None:
        row["rateLimit"] = {"perSecond": action.rate_limit.per_second}
    if action.idempotent_by is not None:
        row["idempotentBy"] = action.idempotent_by
    if action.key_kept is not None:
        row["keyKept"] = action.key_kept
    if action.sign is not None:
        row["sign"] = action.sign
    if action.repeat_ok:
        row["repeatOk"] = list(action.repeat_ok)
    row |= _evidence(action)
    if action.preview is not None:
        row["preview"] = model_schema(action.preview.output)
    if not action.needs_connection:
        row["needsConnection"] = False
    last: dict[str, Any] = {
        "handsOutCredentials": action.hands_out,
        "borrowsConnections": action.borrows,
    }
    last |= {"allowedWith": [*action.allowed_with], "keywords": [*action.keywords]}
    row |= {name: value for name, value in last.items() if value}
    row["examples"] = [dict(example) for example in action.examples]
    return row


def _evidence(action: Action) -> dict[str, Any]:
    marker = None if action.marker is None else action.marker.to_json()
    found = {
        "marker": marker,
        "evidence": [look.to_json() for look in action.evidence],
        "noEvidence": action.no_evidence,
    }
    return {name: value for name, value in found.items() if value}


def _option_source(source: OptionSource) -> dict[str, Any]:
    return {
        "key": source.key,
        "title": source.title,
        "description": unwrapped(source.description),
        "needsConnection": source.takes_client,
        **({"dependsOn": list(source.depends_on)} if source.depends_on else {}),
    }


def _trigger(trigger: Trigger) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": trigger.key,
        "title": trigger.title,
        "description": unwrapped(trigger.description),
        "kind": trigger.kind,
        "inputs": model_schema(trigger.inputs),
        "event": _open(model_schema(trigger.event)),
        "types": list(trigger.types),
        "needsConnection": trigger.takes_client,
    }
    if trigger.function is not None:
        row["interval"] = {"defaultSeconds": trigger.every, "minSeconds": trigger.least}
    if trigger.compares:
        row["compares"] = True
    if isinstance(trigger, Webhook):
        row["webhook"] = {
            "maxBodyBytes": trigger.max_body_bytes,
            "registers": trigger.enabled is not None,
            **_signature(trigger),
        }
    if trigger.setup:
        row["setup"] = unwrapped(trigger.setup)
    if trigger.permissions:
        row["permissions"] = {system: list(names) for system, names in trigger.permissions.items()}
    return {**row, "examples": [dict(example) for example in trigger.examples]}


def _signature(trigger: Webhook) -> dict[str, Any]:
    """Return the member ``signature`` of a webhook, if its signature scheme is one of the closed
    list; else no member.
    """
    from jackfield.connector.signatures import Scheme, row_of  # few connectors have webhooks

    return {"signature": row_of(trigger.verify)} if isinstance(trigger.verify, Scheme) else {}


def _open(node: Any) -> Any:
    """Return a schema that allows members beyond its own, since providers add members to their
    events.
    """
    if isinstance(node, list):
        return [_open(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _open(value)
        for name, value in node.items()
        if (name, value) != ("additionalProperties", False)
    }
