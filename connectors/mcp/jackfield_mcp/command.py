"""Command ``jackfield generate mcp``."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from packaging.version import InvalidVersion, Version

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser
from jackfield.connector import Detail, InvalidInput, Unauthenticated
from jackfield_http.sign_in import SignIn, in_header
from jackfield_mcp.conversion import Choices, converted, unusable
from jackfield_mcp.examples import with_examples
from jackfield_mcp.naming import connector_key
from jackfield_mcp.project import LOCK, OVERLAY, files_of, read_lock, read_overlay
from jackfield_mcp.reaching import address, client_for
from jackfield_openapi.project import changed_files, changes, project_version, write

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64})=([A-Za-z_][A-Za-z0-9_]*)")
_DIFFERS = 1


def command(argv: list[str]) -> int:
    """Generate a connector from the MCP server that the arguments name; return 0, or 1 if
    ``--check`` finds a difference.

    :raises JackfieldError: if the server cannot be reached, or lists no usable tool.
    """
    arguments = _parser().read(argv)
    url, sign_in = address(arguments.server), _sign_in(arguments)
    key = arguments.key or connector_key(str(url))
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"'{key[:80]}' is not a key in kebab-case",
            hint="Use lower-case letters, digits and single hyphens: acme-tools.",
        )
    folder = Path(arguments.out or key)
    try:
        with client_for(url, *([sign_in] if sign_in is not None else []), key=key) as client:
            session, tools = client.session(), client.tools()
    except Unauthenticated as error:
        hint = (
            "Give a token by '--token-env NAME', or a key by '--header-env HEADER=NAME': the "
            "variable of that name has it."
        )
        raise Unauthenticated(error.message, hint=hint, provider=error.provider) from None
    version = _version(arguments.connector_version) or project_version(folder) or "1.0.0"
    trusts = arguments.trust == "annotations"
    overlay, locked = read_overlay(folder / OVERLAY), read_lock(folder / LOCK)
    made = converted(
        tools,
        session,
        Choices(key, str(url), version, arguments.title, trusts, overlay, locked),
        _kinds(arguments),
    )
    if not made.manifest["actions"]:
        text, reasons = unusable(made.report)
        details = [Detail("", reason) for reason in reasons]
        raise InvalidInput(
            text, details=details, hint="See its documentation, and whether it wants a sign-in."
        )
    manifest = with_examples(made.manifest, overlay)
    files = files_of(replace(made, manifest=manifest), str(url))
    difference = changes(folder, manifest)
    changed = changed_files(folder, files) if arguments.check else write(folder, files)
    Output(one_line=arguments.json).value(
        {
            "key": key,
            "folder": str(folder),
            "protocolVersion": session.version,
            "actions": len(manifest["actions"]),
            "difference": difference,
            "files": changed,
            "leftOut": made.report["leftOut"],
            "leftOff": made.report["leftOff"],
        }
    )
    return _DIFFERS if arguments.check and changed else 0


def _parser() -> Parser:
    parser = Parser(
        "generate mcp",
        "Generate a connector from an MCP server over Streamable HTTP. The connector is data: "
        "each tool is pinned as it is listed now.",
    )
    parser.add_argument(
        "server", metavar="URL", help="the server's address, such as https://mcp.example.com/mcp"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="the project's folder (default: the connector's key)"
    )
    parser.add_argument(
        "--key", metavar="KEY", help="the connector's key (default: from the server's host)"
    )
    parser.add_argument(
        "--title", metavar="TITLE", default="", help="the connector's title (default: from its key)"
    )
    parser.add_argument(
        "--connector-version",
        metavar="VERSION",
        help="the connector's version (default: the project's, at first 1.0.0)",
    )
    parser.add_argument(
        "--trust",
        choices=("annotations",),
        help=(
            "believe the server's annotations about effects; without it, every action is a "
            "write unless the overlay says otherwise"
        ),
    )
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
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file would change"
    )
    return parser


def _kinds(arguments: Namespace) -> list[str]:
    first = (
        "bearer" if arguments.token_env else "headerKey" if arguments.header_env else "anonymous"
    )
    return sorted(
        ("anonymous", "bearer", "headerKey", "oauth2Discovered"), key=lambda kind: kind != first
    )


def _sign_in(arguments: Namespace) -> SignIn | None:
    if arguments.token_env:
        return in_header("Authorization", f"Bearer {_variable(arguments.token_env)}")
    if arguments.header_env:
        found = _HEADER.fullmatch(arguments.header_env)
        if found is None:
            raise InvalidInput(
                "'--header-env' is no header with a variable",
                hint="Write HEADER=NAME, such as X-Api-Key=ACME_KEY.",
            )
        return in_header(found[1], _variable(found[2]))
    return None


def _variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise InvalidInput(
            f"the environment variable '{name[:80]}' is not set", hint="Set it to the token or key."
        )
    return value


def _version(given: str | None) -> str | None:
    try:
        return None if given is None else str(Version(given))
    except InvalidVersion:
        raise InvalidInput(
            f"'{str(given)[:80]}' is not a version", hint="Use a version such as 1.4.0."
        ) from None
