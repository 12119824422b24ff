"""``server.json``: the entry of ``jackfield mcp`` in the registry of MCP servers (schema of
2025-12-11).

Its package names no extra, and a client composes ``uvx ARGUMENTS IDENTIFIER``: ``--from
'jackfield[mcp]==VERSION' jackfield mcp`` installs the extra, and runs the command of that name.
"""

from __future__ import annotations

from typing import Any

from jackfield import __version__

NAME = "io.github.jackfield/jackfield"
"""Name in the registry, which the README on the package index repeats: who publishes the package
owns the entry.
"""
_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"


def entry() -> dict[str, Any]:
    """Return the entry of this version."""
    source = {
        "type": "named",
        "name": "--from",
        "value": f"jackfield[mcp]=={__version__}",
        "isRequired": True,
    }
    package = {
        "registryType": "pypi",
        "identifier": "jackfield",
        "version": __version__,
        "runtimeHint": "uvx",
        "runtimeArguments": [source],
        "packageArguments": [{"type": "positional", "value": "mcp"}],
        "transport": {"type": "stdio"},
        "environmentVariables": [
            {
                "name": "JACKFIELD_WORKSPACE",
                "description": "The workspace whose connections and rules hold.",
                "default": "default",
            }
        ],
    }
    return {
        "$schema": _SCHEMA,
        "name": NAME,
        "title": "jackfield",
        "description": "Actions of your connections as tools: journalled, under rules, never sent twice.",
        "version": __version__,
        "packages": [package],
    }
