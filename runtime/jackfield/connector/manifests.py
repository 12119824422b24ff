"""From a declared connector to its manifest, the JSON that is committed as ``connector.json``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from jackfield.connector.models import ConnectionType
from jackfield.connector.schemas import model_schema
from jackfield.manifest import MANIFEST_VERSION, Pagination

if TYPE_CHECKING:
    from jackfield.connector.declare import Action, Connector, OptionSource

__all__ = ["describe"]


def describe(connector: Connector) -> dict[str, Any]:
    """The manifest of a connector, after contract §5. Members without a value are left out."""
    about = {name: value for name, value in connector.about.items() if value}
    manifest: dict[str, Any] = {
        "manifestVersion": MANIFEST_VERSION,
        "key": connector.key,
        "title": connector.title,
        "description": connector.description,
        "version": connector.version,
        **about,
        "connectionTypes": [_connection_type(kind) for kind in connector.connections.values()],
        "actions": [_action(action) for action in connector.actions.values()],
        "optionSources": [_option_source(source) for source in connector.option_sources.values()],
    }
    return {**manifest, "aliases": connector.aliases} if connector.aliases else manifest


def _connection_type(kind: type[ConnectionType]) -> dict[str, Any]:
    schema = model_schema(kind)
    schema.pop("description", None)
    family = {"family": kind.family} if kind.family else {}
    serves = {"serves": {"actions": list(kind.serves.actions), "reason": kind.serves.reason}} if kind.serves else {}
    waives = {"waives": list(kind.waives)} if kind.waives else {}
    return {
        "key": kind.key,
        **family,
        **serves,
        **waives,
        "title": kind.title,
        "description": inspect.getdoc(kind) or "",
        "auth": kind.auth,
        "schema": schema,
        "setup": inspect.cleandoc(kind.setup),
    }


def _action(action: Action) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": action.key,
        "title": action.title,
        "description": action.description,
        "effect": action.effect,
        "inputs": model_schema(action.inputs, action.schema),
        "output": model_schema(action.output),
    }
    if action.pagination is not None:
        row["pagination"] = _pagination(action.pagination)
    if action.permissions:
        row["permissions"] = {system: list(names) for system, names in action.permissions.items()}
    if action.rate_limit is not None:
        row["rateLimit"] = {"perSecond": action.rate_limit.per_second}
    if action.idempotent_by is not None:
        row["idempotentBy"] = action.idempotent_by
    if action.repeat_ok:
        row["repeatOk"] = list(action.repeat_ok)
    row["examples"] = [dict(example) for example in action.examples]
    return row


def _pagination(paging: Pagination) -> dict[str, Any]:
    members = {
        "tokenInput": paging.token_input,
        "tokenOutput": paging.token_output,
        "items": paging.items,
        "allInput": paging.all_input,
        "sizeInput": paging.size_input,
        "maxSize": paging.max_size,
    }
    return {name: value for name, value in members.items() if value is not None}


def _option_source(source: OptionSource) -> dict[str, Any]:
    return {
        "key": source.key,
        "title": source.title,
        "description": source.description,
        "needsConnection": source.takes_client,
    }
