"""``jackfield mcp-servers``: MCP servers as connectors of a workspace, whose tools are reviewed and
accepted.
"""

from __future__ import annotations

import os
import re
from typing import Any

from jackfield.cli.local_files import read_document
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import declare_name, in_workspace
from jackfield.manifest.manifest import EFFECTS
from jackfield_service.shell.resource.verbs import noun, verbs
from jackfield_service.subjects.mcp_servers.subject import MCP_SERVERS
from jackfield_store.management.mcp_servers import TRUST, McpServers, ServerWish

_DEFAULT = "default"
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64})=([A-Za-z_][A-Za-z0-9_]*)")


def _declare_sign_in(parser: Parser) -> None:
    parser.add_argument(
        "--token-env",
        metavar="NAME",
        help="the environment variable with an access token for listing the tools",
    )
    parser.add_argument(
        "--header-env",
        metavar="HEADER=NAME",
        help="a header field and the environment variable with its value",
    )


def _declare_connection(parser: Parser) -> None:
    declare_name(parser)
    _declare_sign_in(parser)
    parser.add_argument(
        "--connection", metavar="CONNECTION", help="ask the server over this connection of it"
    )


def _declare_add(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "url", metavar="URL", help="the server's address, such as https://mcp.example.com/mcp"
    )
    parser.add_argument(
        "--title",
        metavar="TITLE",
        default="",
        help="the connector's title (default: from its name)",
    )
    parser.add_argument(
        "--trust",
        choices=TRUST,
        default=TRUST[0],
        help="'annotations': believe the server about effects; else all are writes",
    )
    parser.add_argument(
        "--shared",
        action="store_true",
        help="all workspaces see it; each has connections of its own",
    )
    _declare_sign_in(parser)


def _add(servers: McpServers, arguments: Namespace) -> dict[str, Any]:
    wish = ServerWish(
        arguments.name,
        arguments.url,
        arguments.title,
        arguments.trust,
        arguments.shared,
        _credentials(arguments),
    )
    return servers.add(wish)


def _review(servers: McpServers, arguments: Namespace) -> dict[str, Any]:
    return servers.review(
        arguments.name, connection=arguments.connection, credentials=_credentials(arguments)
    )


def _declare_accept(parser: Parser) -> None:
    _declare_connection(parser)
    parser.add_argument(
        "tools", nargs="*", metavar="TOOL", help="a tool, or the action's key (default: all)"
    )


def _accept(servers: McpServers, arguments: Namespace) -> dict[str, Any]:
    return servers.accept(
        arguments.name,
        arguments.tools,
        connection=arguments.connection,
        credentials=_credentials(arguments),
    )


def _declare_overlay(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--effect",
        metavar="TOOL=EFFECT",
        action="append",
        default=[],
        help=(
            "the tool's effect: read, idempotent or write; 'default' takes back what was "
            "said (may be repeated)"
        ),
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help='JSON with what tools do by name: {"actions": {"TOOL": {…}}}; \'-\' is stdin',
    )


def _overlay(servers: McpServers, arguments: Namespace) -> dict[str, Any]:
    changes = {} if arguments.file is None else _in_file(arguments)
    for pair in arguments.effect:
        tool, separator, effect = pair.rpartition("=")
        if not separator or effect not in (*EFFECTS, _DEFAULT):
            hint = f"EFFECT is one of {', '.join(EFFECTS)}, or {_DEFAULT}."
            raise UsageError(
                "--effect: write TOOL=EFFECT, such as list_notes=read",
                usage=arguments.usage,
                hint=hint,
            )
        changes[tool] = {**changes.get(tool, {}), "effect": None if effect == _DEFAULT else effect}
    if not changes:
        raise UsageError("give '--effect TOOL=EFFECT' or '--file FILE'", usage=arguments.usage)
    return servers.overlay(arguments.name, changes)


def _in_file(arguments: Namespace) -> dict[str, dict[str, Any]]:
    found = read_document(arguments, "file")
    rows = found.get("actions") if isinstance(found, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise UsageError(
            "--file: the file has no object 'actions' of objects by tool or action",
            usage=arguments.usage,
        )
    return rows


def _credentials(arguments: Namespace) -> tuple[str, str] | None:
    """Return the header field that authenticates requests to a server; None if none is given."""
    if arguments.token_env:
        return "Authorization", f"Bearer {_variable(arguments, arguments.token_env)}"
    if arguments.header_env is None:
        return None
    found = _HEADER.fullmatch(arguments.header_env)
    if found is None:
        raise UsageError(
            "--header-env: write HEADER=NAME, such as X-Api-Key=ACME_KEY", usage=arguments.usage
        )
    return found[1], _variable(arguments, found[2])


def _variable(arguments: Namespace, name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(
            f"the environment variable '{name[:80]}' is not set", usage=arguments.usage
        )
    return value


_NOUN = noun(MCP_SERVERS)
VERBS = in_workspace(
    {
        "add": Verb(
            "Add a server, and accept its tools as they are.", _declare_add, _NOUN.value(_add)
        ),
        **verbs(
            MCP_SERVERS,
            review=Verb(
                "Compare a server's tools with the accepted ones.",
                _declare_connection,
                _NOUN.value(_review),
            ),
            accept=Verb(
                "Accept tools as the server has them now.", _declare_accept, _NOUN.value(_accept)
            ),
            overlay=Verb(
                "Say what accepted tools do, which beats what the server says.",
                _declare_overlay,
                _NOUN.value(_overlay),
            ),
        ),
    }
)
