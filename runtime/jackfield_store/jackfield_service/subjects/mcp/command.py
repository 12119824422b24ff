"""Command ``jackfield mcp``: MCP over stdio, for a local client. Stdout is reserved for the
protocol.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import DAY, duration
from jackfield.cli.session import declare_import, import_modules, open_jackfield
from jackfield.kernel.errors import JackfieldError, missing_extra
from jackfield.kernel.local import keep_memory_private
from jackfield_store.commands.starting import check_connection_files
from jackfield_store.runtime import stored


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "--tools",
        choices=("discovery", "all"),
        default="discovery",
        help="discovery: tools that find and run actions (default); all: also one tool per action",
    )
    declare_import(parser)
    parser.add_argument(
        "--stop-within",
        "--grace",
        metavar="DURATION",
        type=duration(DAY),
        default=30.0,
        help="time for running calls to finish on shutdown (default 30s)",
    )


def _run(arguments: Namespace, _output: Output) -> int:
    try:
        _serve(arguments)
    except JackfieldError as error:
        sys.stderr.write(f"jackfield: {error}\n")
        return error.exit_code
    return 0


def _serve(arguments: Namespace) -> None:
    keep_memory_private()
    with redirect_stdout(sys.stderr):  # stdout is the client's
        import_modules(arguments.modules)
    with stored(open_jackfield()) as jackfield:
        try:
            from jackfield_service.subjects.mcp.stdio import serve_stdio
        except ImportError as error:
            raise missing_extra("MCP needs", "mcp", error.name) from None
        check_connection_files(os.environ, jackfield.catalog)
        jackfield.open()
        serve_stdio(jackfield, arguments.tools, arguments.stop_within)


VERBS = {"": Verb("Serve MCP over stdio.", _declare, _run, claims_output=True)}
