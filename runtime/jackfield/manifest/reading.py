"""Reading of a manifest's JSON. Each function that reads a member checks its type, and its error
names the member at fault.

A manifest with hundreds of actions has an index: everything but schemas and bindings, with the
place of each action and definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

Json = Mapping[str, "Any"]

_LONGEST_TITLE = 60
"""Maximum characters of a displayed title of a connector, connection type or action."""

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


class ManifestError(ValueError):
    """Error for a manifest that does not match docs/reference/manifest.md; the message names the
    invalid member.
    """


def text(data: Json, name: str, where: str) -> str:
    """Read a string that must not be empty."""
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ManifestError(f"{where}: '{name}' must be a non-empty string")
    return value


def optional_text(data: Json, name: str, where: str) -> str | None:
    """Read a string that may be missing; an empty string becomes None."""
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{where}: '{name}' must be a string")
    return value or None


def title(data: Json, where: str) -> str:
    """Read the title in its displayed form; an empty string if there is none."""
    return shown_title(optional_text(data, "title", where) or "")


def shown_title(given: str) -> str:
    """Return a title for display within other texts: without control characters, and truncated."""
    shown = given if given.isprintable() else "".join(filter(str.isprintable, given))
    return shown if len(shown) <= _LONGEST_TITLE else f"{shown[: _LONGEST_TITLE - 1]}…"


def members(data: Json, name: str, where: str) -> Json:
    """Read an object; an empty object if it is missing."""
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise ManifestError(f"{where}: '{name}' must be an object")
    return value


def objects(data: Json, name: str, where: str) -> list[Json]:
    """Read an array of objects; an empty list if it is missing."""
    value = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ManifestError(f"{where}: '{name}' must be an array of objects")
    return value


def is_true(data: Json, name: str, where: str) -> bool:
    """Read a Boolean; False if it is missing."""
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise ManifestError(f"{where}: '{name}' must be true or false")
    return value


def schema(data: Json, name: str, where: str) -> Json:
    """Read a schema. Only its own type and its properties' types are checked, so that a host can
    read all manifests quickly.
    """
    found = members(data, name, where)
    fields = members(found, "properties", f"{where}, {name}")
    for node in (found, *fields.values()):
        kind = node.get("type") if isinstance(node, dict) else None
        if isinstance(kind, str) and kind not in _TYPES:
            raise ManifestError(
                f"{where}, {name}: 'type' must be one of {', '.join(sorted(_TYPES))}, not "
                f"'{kind[:80]}'"
            )
    return found


HOST = "host"
"""Key of the connector for functions of the host's program that are called once for a key."""
RESERVED = frozenset(
    {
        "approval",
        "audit",
        "callback",
        "connect",
        "connection",
        HOST,
        "invocation",
        "quota",
        "schedule",
        "subscription",
        "workspace",
    }
)
"""Keys that no connector may have: types of jackfield's own events begin with them, and types of a
connector's events with its key. ``host`` is the key for a program's own functions
(``jackfield.once``).
"""


def kebab_key(data: Json) -> str:
    """Read the connector's key, which is kebab-case (docs/glossary.md)."""
    key = text(data, "key", "manifest")
    is_plain = key.isascii() and key[0].isalpha() and key == key.lower()
    if not is_plain or not all(part.isalnum() for part in key.split("-")):
        raise ManifestError(
            f"manifest: 'key' must be kebab-case, such as aws-ses, not '{key[:80]}'"
        )
    if key in RESERVED:
        raise ManifestError(
            f"manifest: the key '{key}' is reserved for jackfield itself; choose another one"
        )
    return key


def texts(data: Json, name: str, where: str) -> tuple[str, ...]:
    """Read an array of strings; empty if it is missing."""
    value = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ManifestError(f"{where}: '{name}' must be an array of strings")
    return tuple(value)


MANIFEST = "connector.json"
INDEX = "connector.index.json"
_KEPT = frozenset(
    {
        "title",
        "description",
        "effect",
        "group",
        "deprecated",
        "outputPolicy",
        "pagination",
        "permissions",
        "rateLimit",
        "needsConnection",
    }
    | {
        "idempotentBy",
        "keyKept",
        "sign",
        "repeatOk",
        "handsOutCredentials",
        "borrowsConnections",
        "allowedWith",
        "keywords",
        "marker",
        "evidence",
    }
)
"""Members of an action that the index repeats."""
_SUMMARY = 200


def index_of(
    manifest: Mapping[str, Any], content: bytes, places: Mapping[str, Mapping[str, tuple[int, int]]]
) -> dict[str, Any]:
    """Return the index of a manifest that is written as ``content``; ``places`` has offset and
    length of ``actions`` and ``$defs`` by name.
    """
    rows = [light_row(item, places["actions"][item["key"]]) for item in manifest["actions"]]
    head = {name: value for name, value in manifest.items() if name not in ("actions", "$defs")}
    return {
        "size": len(content),
        "manifest": {**head, "actions": rows},
        "definitions": dict(places["$defs"]),
    }


def light_row(action: Mapping[str, Any], place: Sequence[int]) -> dict[str, Any]:
    """Return an action's row for the index, with the action's place in the manifest."""
    kept = {name: value for name, value in action.items() if name in _KEPT}
    kept["description"] = action["description"].partition("\n")[0][:_SUMMARY]
    return {"key": action["key"], **kept, "at": list(place)}
