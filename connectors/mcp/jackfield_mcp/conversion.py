"""Conversion of the tools that a server lists to a manifest, with a report of omitted parts and of
guessed values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from jackfield.kernel.dataclass import dataclass, field
from jackfield.manifest.parts import lettermark
from jackfield_mcp.messages import LEGACY, MODERN, Session, present
from jackfield_mcp.naming import REQUESTS, keys_of, title_of
from jackfield_mcp.overlays import apply_fitting, apply_overlay, described
from jackfield_mcp.pins import Digests, pins_of
from jackfield_mcp.resources import DIGESTS, request_action
from jackfield_mcp.schemas import Schemas, Unfit, schemas_of
from jackfield_mcp.texts import has_hidden, one_line, plain

_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_CONTENT = "mcp.content"
_MOST_WORDS = 4_096
_MOST_LEFT_OUT = 100
TRUST = ("none", "annotations")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choices:
    """Decisions for a generation: the connector's key and version, the server, and whether its
    annotations count.

    They include the overlay by action and the keys of earlier generations by tool. ``accepted`` are
    the digests under which tools are accepted: an earlier version's digest stays valid while it
    matches. With ``is_live``, an overlay that does not fit a changed tool is no error.
    """

    key: str
    url: str
    version: str = "1.0.0"
    title: str = ""
    trusts: bool = False
    overlay: Mapping[str, Json] = field(default_factory=dict)
    locked: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """Manifest, keys and digests by tool, and the report."""

    manifest: dict[str, Any]
    locked: dict[str, dict[str, Any]]
    report: dict[str, Any]


def converted(
    tools: Sequence[Json], session: Session, choices: Choices, kinds: Sequence[str]
) -> Converted:
    """Return the connector of a server's tools; ``kinds`` are the keys of its connection types, the
    default first.
    """
    left_out: list[dict[str, str]] = []
    usable = list(_named(tools, left_out))
    keys = keys_of(
        [*(tool["name"] for tool in usable), *(REQUESTS if session.has_resources else [])],
        choices.locked,
    )
    actions: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    locked: dict[str, dict[str, Any]] = {}
    cleaned: list[str] = []
    for tool in sorted(usable, key=lambda one: keys[one["name"]]):
        key = keys[tool["name"]]
        said = choices.overlay.get(key, {})
        try:
            row, defined = _action(tool, key, said, _pin(tool, choices), is_job=session.has_tasks)
        except Unfit as reason:
            left_out.append({"tool": one_line(tool["name"], 128), "reason": str(reason)})
            continue
        locked[tool["name"]] = {"key": key, "digest": row["mcp"]["digest"]}
        if said.get("skip") is True:
            continue
        actions.append(
            (apply_fitting if choices.is_live else apply_overlay)(row, said, trusts=choices.trusts)
        )
        definitions |= defined
        cleaned += (
            [key] if any(has_hidden(tool.get(name)) for name in ("title", "description")) else []
        )
    for name in REQUESTS.keys() & keys.keys():
        locked[name] = {"key": keys[name], "digest": DIGESTS[name]}
        if choices.overlay.get(keys[name], {}).get("skip") is not True:
            actions = sorted(
                [*actions, request_action(name, keys[name])], key=lambda row: str(row["key"])
            )
    noted = [
        {"tool": row["mcp"]["tool"], "notes": row["mcp"]["notes"]}
        for row in actions
        if "notes" in row["mcp"]
    ]
    report = {
        "tools": len(tools),
        "actions": len(actions),
        "leftOut": left_out,
        "leftOff": noted,
        "hiddenCharacters": cleaned,
    }
    manifest = _manifest(actions, definitions, session, choices, kinds)
    if choices.is_live and left_out:  # a package has its report
        manifest["mcp"]["leftOut"] = left_out[:_MOST_LEFT_OUT]
    return Converted(manifest, dict(sorted(locked.items())), report)


def unusable(report: Json) -> tuple[str, list[str]]:
    """Return a message about a server without any usable tool, and one reason per tool."""
    reasons = [
        f"'{row['tool']}' is left out: {row['reason']}"
        for row in report["leftOut"][:_MOST_LEFT_OUT]
    ]
    if not reasons:
        return "the server lists no tools", []
    return f"none of the server's {report['tools']:,} tools can be used: {reasons[0]}", reasons


def _named(tools: Sequence[Json], left_out: list[dict[str, str]]) -> Any:
    """Yield the tools that have a unique name and accept plain calls; add the others to
    ``left_out``.
    """
    seen = set[str]()
    for tool in tools:
        name = tool.get("name")
        execution = tool.get("execution")
        if not isinstance(name, str) or not name or len(name) > 512:
            reason = "it has no name"
        elif has_hidden(name) or not {"\n", "\t"}.isdisjoint(name):
            reason = "its name has hidden characters"
        elif name in seen or name in REQUESTS:
            reason = (
                "another tool has the same name"
                if name in seen
                else "its name is that of a request"
            )
        elif isinstance(execution, Mapping) and execution.get("taskSupport") == "required":
            reason = "it runs only as a task of 2025-11-25, which was withdrawn"
        else:
            seen.add(name)
            yield tool
            continue
        left_out.append({"tool": one_line(name, 128), "reason": reason})


def _pin(tool: Json, choices: Choices) -> Digests:
    pins = pins_of(tool)
    return next((pin for pin in pins if pin.whole == choices.accepted.get(tool["name"])), pins[0])


def _action(
    tool: Json, key: str, said: Json, pin: Digests, *, is_job: bool
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    made: Schemas = schemas_of(tool, key)
    given = tool.get("annotations")
    hints = {
        name: given[name]
        for name in _HINTS
        if isinstance(given, Mapping) and isinstance(given.get(name), bool)
    }
    about: dict[str, Any] = {"tool": tool["name"], "digest": pin.whole, "parts": dict(pin.parts)}
    about |= {"annotations": hints} if hints else {}
    about |= {"headers": dict(made.headers)} if made.headers else {}
    about |= {"notes": [*made.notes]} if made.notes else {}
    named = one_line(tool.get("title"), 60) or one_line(
        given.get("title") if isinstance(given, Mapping) else "", 60
    )
    row: dict[str, Any] = {
        "key": key,
        "title": said.get("title") or named or one_line(title_of(tool["name"]), 60) or key,
        "description": said.get("description") or plain(tool.get("description"), _MOST_WORDS),
        "group": said.get("group", "tools"),
        "effect": "write",
        "outputPolicy": "describe",
        "mcp": about,
        "inputs": made.inputs,
        "output": _output(made),
        "examples": [],
        **({"kind": "job", "cancellable": True} if is_job else {}),
    }
    if "inputs" in said:
        row["inputs"] = described(key, made.inputs, said["inputs"])
    return row | {
        name: said[name] for name in ("keywords", "rateLimit") if name in said
    }, made.definitions


def _output(made: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {"content": {"$ref": f"#/$defs/{_CONTENT}"}}
    required = ["content"]
    if made.structured is not None:
        found, required = (
            {"structuredContent": made.structured, **found},
            ["structuredContent", "content"],
        )
    return {
        "type": "object",
        "additionalProperties": True,
        "required": required,
        "properties": found,
    }


def _manifest(
    actions: list[dict[str, Any]],
    definitions: Mapping[str, Any],
    session: Session,
    choices: Choices,
    kinds: Sequence[str],
) -> dict[str, Any]:
    host = urlsplit(choices.url).hostname or ""
    info = {
        name: one_line(session.about.get(name), 200)
        for name in ("name", "title", "version")
        if session.about.get(name)
    }
    extensions = session.capabilities.get("extensions")
    title = choices.title or title_of(choices.key.rpartition(".")[2])
    return {
        "manifestVersion": 2,
        "key": choices.key,
        "title": title,
        "description": f"Tools of the MCP server at {host}.",
        "version": choices.version,
        "icon": lettermark(title),
        "hosts": [host],
        "servers": [{"url": choices.url}],
        "mcp": {
            "protocolVersions": [MODERN, LEGACY[0]] if session.is_modern else [session.version],
            "trust": TRUST[choices.trusts],
            "serverInfo": info,
            "extensions": sorted(one_line(name, 100) for name in present(extensions))[:50]
            if isinstance(extensions, Mapping)
            else [],
        },
        "connectionTypes": [_TYPES[kind] for kind in kinds],
        "actions": actions,
        "$defs": {_CONTENT: {"type": "array", "items": {"type": "object"}}, **definitions},
    }


_SERVER: Json = {
    "type": "string",
    "format": "uri",
    "title": "Server",
    "description": "The server's URL, if it is another one than the connector's.",
    "x-jackfield": {"destination": True},
}
_SECRET: Json = {"type": "string", "minLength": 1, "writeOnly": True, "format": "password"}


def _platforms(title: str, description: str, **schema: Any) -> Json:
    """Return a field that the platform fills in, since the person who signs in does not know its
    value.
    """
    return {
        **schema,
        "title": title,
        "description": description,
        "x-jackfield": {"audience": "platform"},
    }


def _schema(required: Sequence[str], properties: Json) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**properties, "server": _SERVER},
    }
    return {**made, "required": list(required)} if required else made


_TYPES: Mapping[str, Json] = {
    "anonymous": {
        "key": "anonymous",
        "title": "No sign-in",
        "description": "Sends no credentials.",
        "auth": "none",
        "setup": "Nothing to do.",
        "schema": _schema((), {}),
    },
    "bearer": {
        "key": "bearer",
        "title": "Access token",
        "description": "Sends a token.",
        "auth": "bearer",
        "setup": "Create a token at the server's provider.",
        "schema": _schema(
            ("token",), {"token": {**_SECRET, "title": "Token", "description": "The access token."}}
        ),
    },
    "headerKey": {
        "key": "headerKey",
        "title": "Key in a header",
        "description": "Sends a key in a header field of your choice.",
        "auth": "apiKey",
        "setup": "Create a key at the server's provider.",
        "schema": _schema(
            ("header", "key"),
            {
                "header": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9-]{1,64}$",
                    "title": "Header",
                    "description": "The field's name.",
                },
                "key": {**_SECRET, "title": "Key", "description": "The key."},
            },
        ),
    },
    "oauth2Discovered": {
        "key": "oauth2Discovered",
        "title": "Sign in",
        "description": "A person signs in at the server's provider.",
        "auth": "oauth2",
        "authorizes": ["redirect"],
        "setup": "Connect. Enter a client only if asked for one.",
        "schema": {
            **_schema(
                (),
                {
                    "clientId": _platforms(
                        "Client ID", "Empty: one is registered at the provider.", type="string"
                    ),
                    "clientSecret": _platforms(
                        "Client secret", "The client's secret, if it has one.", **_SECRET
                    ),
                    "scopes": _platforms(
                        "Scopes",
                        "Empty: what the server names.",
                        type="array",
                        items={"type": "string"},
                    ),
                    "resource": _platforms(
                        "Resource",
                        "Empty: what the server publishes; none: not sent.",
                        type="string",
                    ),
                },
            ),
            "dependentRequired": {"clientSecret": ["clientId"]},
        },
    },
}

__all__ = ["TRUST", "Choices", "Converted", "converted", "unusable"]
