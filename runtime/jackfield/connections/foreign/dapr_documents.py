"""Dapr ``Component`` documents, validated and parsed; their references are still unresolved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.connections.foreign.place import Document
from jackfield.connections.foreign.translating import ForeignError

__all__ = ["Component", "Item", "parse_component"]

_VERSION = "dapr.io/v1alpha1"
_OTHER_KINDS = frozenset({"Configuration", "HTTPEndpoint", "Resiliency", "Subscription", "MCPServer", "WorkflowAccessPolicy"})
"""Other kinds of documents that a sidecar reads from such folders; jackfield ignores them."""


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One entry of ``spec.metadata``: a value, an environment variable's name, or a secret's name and key."""

    name: str
    value: str | None = None
    variable: str | None = None
    secret: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Component:
    """Component with its original values. ``scopes`` are the applications that may use it; all if empty."""

    document: Document
    name: str
    type: str
    version: str
    items: tuple[Item, ...]
    secret_store: str | None
    scopes: tuple[str, ...]
    namespace: str | None
    ignore_errors: bool

    @property
    def place(self) -> str:
        """Place of the component in its source."""
        return self.document.place


def parse_component(document: Document) -> Component | None:
    """Return the component of a document; None for another kind of Dapr document.

    :raises ForeignError: if it is not a Component, or a member is missing or has the wrong type.
    """
    content = document.content
    kind, version = content.get("kind"), content.get("apiVersion")
    if isinstance(kind, str) and kind in _OTHER_KINDS:
        return None
    for name, value, wanted in (("kind", kind, "Component"), ("apiVersion", version, _VERSION)):
        if value != wanted:
            found = f"'{value[:40]}'" if isinstance(value, str) else _shown(value)
            raise ForeignError(f"{name}: must be '{wanted}', not {found}")
    about, spec = _object(content, "metadata", ""), _object(content, "spec", "")
    name = _text(about, "name", "metadata.")
    auth = _object(content, "auth", "") if content.get("auth") is not None else {}
    return Component(
        document=document,
        name=name,
        type=_text(spec, "type", "spec."),
        version=str(spec.get("version") or "v1"),
        items=tuple(_items(spec)),
        secret_store=_optional_text(auth, "secretStore", "auth."),
        scopes=tuple(_scopes(content.get("scopes"))),
        namespace=_optional_text(about, "namespace", "metadata."),
        ignore_errors=spec.get("ignoreErrors") is True,
    )


def _items(spec: Mapping[str, Any]) -> Iterator[Item]:
    entries = spec.get("metadata")
    if entries is None:
        return
    if not isinstance(entries, list):
        raise ForeignError(f"spec.metadata: must be a list of {{name, value}}, not {_shown(entries)}")
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        at = f"spec.metadata[{number}]"
        if not isinstance(entry, Mapping):
            raise ForeignError(f"{at}: must be an object with 'name' and 'value', not {_shown(entry)}")
        name = _text(entry, "name", f"{at}.")
        if name in seen:
            raise ForeignError(f"{at}.name: '{name[:80]}' is given already, in spec.metadata[{seen[name]}]")
        seen[name] = number
        yield Item(name, _scalar(entry.get("value"), f"{at}.value"), _optional_text(entry, "envRef", f"{at}."), _secret(entry, at))


def _secret(entry: Mapping[str, Any], at: str) -> tuple[str, str] | None:
    if entry.get("secretKeyRef") is None:
        return None
    reference = _object(entry, "secretKeyRef", f"{at}.")
    name = _text(reference, "name", f"{at}.secretKeyRef.")
    return name, _optional_text(reference, "key", f"{at}.secretKeyRef.") or name


def _scalar(value: object, at: str) -> str | None:
    """Return a value of any scalar type as text, as in JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ForeignError(f"{at}: must be a string, a number or a boolean, not {_shown(value)}")


def _scopes(value: object) -> Iterator[str]:
    if value is not None and not isinstance(value, list):
        raise ForeignError(f"scopes: must be a list of application ids, not {_shown(value)}")
    for number, item in enumerate(value or ()):
        if not isinstance(item, str):
            raise ForeignError(f"scopes[{number}]: must be an application id, not {_shown(item)}")
        yield item


def _object(data: Mapping[str, Any], name: str, at: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise ForeignError(f"{at}{name}: must be an object, not {_shown(value)}")
    return value


def _text(data: Mapping[str, Any], name: str, at: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ForeignError(f"{at}{name}: must be a string, not {'an empty one' if value == '' else _shown(value)}")
    return value


def _optional_text(data: Mapping[str, Any], name: str, at: str) -> str | None:
    return None if data.get(name) in (None, "") else _text(data, name, at)


def _shown(value: object) -> str:
    """Describe the type of a value without showing it, since a text may be a secret."""
    names: dict[type, str] = {str: "a text", dict: "an object", list: "a list", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
