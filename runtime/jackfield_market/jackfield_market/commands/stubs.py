"""``jackfield stubs``: typed callers of installed connectors, in Python or TypeScript."""

from __future__ import annotations

import os

from jackfield.catalog import installed_here
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield_market.files import write_file
from jackfield_market.stubs import python, typescript


def _declare(parser: Parser) -> None:
    parser.add_argument("connectors", nargs="+", metavar="CONNECTOR")
    parser.add_argument(
        "--python",
        action="store_true",
        help="write CONNECTOR_calls.py for each connector (the default)",
    )
    parser.add_argument(
        "--typescript", action="store_true", help="write CONNECTOR_calls.ts for each connector"
    )
    parser.add_argument(
        "--out", default="stubs", metavar="DIR", help="the folder to write to (default: stubs)"
    )


def _write(arguments: Namespace, output: Output) -> int:
    if arguments.python and arguments.typescript:
        raise UsageError(
            "--python and --typescript exclude each other",
            usage=arguments.usage,
            hint="Run the command twice.",
        )
    write, suffix = (typescript.written, ".ts") if arguments.typescript else (python.written, ".py")
    catalog = installed_here(os.environ)
    texts = {
        python.module_name(key) + suffix: write(catalog.find(key))
        for key in dict.fromkeys(arguments.connectors)
    }
    os.makedirs(arguments.out, exist_ok=True)
    for name, text in texts.items():
        write_file(os.path.join(arguments.out, name), text.encode())
    output.value({"files": [os.path.join(arguments.out, name) for name in texts]})
    return 0


VERBS = {
    "": Verb(
        "Write functions with typed inputs and outputs for the actions of installed connectors.",
        _declare,
        _write,
    )
}
