"""Members ``mcp`` of a manifest: the MCP server of a connector, and the tool of each action."""

from __future__ import annotations

from generated.words import Json, closed

_TEXT: Json = {"type": "string", "maxLength": 4096}
_TRUST = ["none", "annotations"]


def server() -> Json:
    """The schema of a manifest's member ``mcp``."""
    about = {"name": _TEXT, "version": _TEXT, "title": _TEXT}
    return closed(
        {
            "protocolVersions": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "Revisions that the server spoke.",
            },
            "trust": {
                "enum": _TRUST,
                "description": "Whether the effects of actions follow the server's annotations.",
            },
            "serverInfo": closed(about, [], "What the server calls itself."),
            "extensions": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Extensions that the server declared.",
            },
            "leftOut": {
                "type": "array",
                "items": closed({"tool": _TEXT, "reason": _TEXT}, ["tool", "reason"]),
                "description": "Tools of a live server that are no actions.",
            },
        },
        ["protocolVersions", "trust"],
        "The actions are tools of an MCP server.",
    )


def action() -> Json:
    """The schema of an action's member ``mcp``."""
    hints = {
        name: {"type": "boolean"}
        for name in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
    }
    return closed(
        {
            "method": {
                "enum": ["resources/read", "resources/list"],
                "description": "The action reads a resource, or lists them; it calls no tool.",
            },
            "tool": {"type": "string", "minLength": 1, "description": "The tool's exact name."},
            "digest": {
                "type": "string",
                "pattern": "^sha256:[0-9a-f]{64}$",
                "description": "The tool as it was accepted (docs/reference/mcp-connectors.md).",
            },
            "parts": {
                "type": "object",
                "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
                "description": "Digests of its members.",
            },
            "annotations": closed(hints, [], "What the server says about the tool."),
            "headers": {
                "type": "object",
                "additionalProperties": {
                    "type": "string",
                    "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$",
                },
                "description": (
                    "Header fields `Mcp-Param-…` by the JSON Pointer of the input that they repeat."
                ),
            },
            "notes": {
                "type": "array",
                "items": _TEXT,
                "description": "What was left off of its schemas, each with its place.",
            },
            "idempotencyKey": {
                "type": "string",
                "minLength": 1,
                "description": "The input that takes the invocation's idempotency key.",
            },
            "toolError": {
                "const": "inDoubt",
                "description": "An error that the tool reports does not say that it did nothing.",
            },
            "overlay": closed(
                {
                    "effect": {"enum": ["read", "idempotent", "write"]},
                    "idempotencyKey": _TEXT,
                    "keyKept": {"type": "number", "exclusiveMinimum": 0},
                    "toolError": {"const": "inDoubt"},
                    "pagination": {
                        "type": "object",
                        "description": "As the action's own member, without `allInput`.",
                    },
                },
                [],
                "What the operator says of the tool of a live server.",
            ),
        },
        ["digest"],
        "The tool that a call calls, or the method of its request.",
        oneOf=[{"required": ["tool"]}, {"required": ["method"]}],
    )
