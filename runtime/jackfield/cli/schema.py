"""``jackfield schema``: JSON Schemas of actions' inputs and outputs, connection types, invocations and Results."""

from __future__ import annotations

import os

from jackfield.catalog.of_workspace import installed_here
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.errors import InvalidInvocation, did_you_mean
from jackfield.manifest import Manifest


def _declare(parser: Parser) -> None:
    parser.usage = (
        "jackfield schema CONNECTOR ACTION [--output]\n       jackfield schema CONNECTOR --connection TYPE\n"
        "       jackfield schema --invocation | --result"
    )
    parser.add_argument("connector", nargs="?", metavar="CONNECTOR")
    parser.add_argument("--invocation", action="store_const", const="invocation", dest="shape", help="print the schema of invocations")
    parser.add_argument("--result", action="store_const", const="result", dest="shape", help="print the schema of Results")
    parser.add_argument("action", nargs="?", metavar="ACTION")
    parser.add_argument("--output", action="store_true", help="print the schema of the output instead of the inputs")
    parser.add_argument("--connection", metavar="TYPE", help="print the schema of a connection type")


def _run(arguments: Namespace, output: Output) -> int:
    if arguments.shape is not None and arguments.connector is None:
        output.value(_shape(arguments.shape))
        return 0
    if arguments.shape is not None or arguments.connector is None:
        message = "give a CONNECTOR, --invocation or --result"
        raise UsageError(message, usage=arguments.usage, hint="See 'jackfield schema --help'.")
    if (arguments.action is None) == (arguments.connection is None) or (arguments.output and arguments.action is None):
        raise UsageError("give either an ACTION or --connection TYPE", usage=arguments.usage, hint="See 'jackfield schema --help'.")
    catalog = installed_here(os.environ)
    manifest = catalog.find(arguments.connector)
    if arguments.connection is not None:
        output.value(_connection_schema(manifest, arguments.connection))
        return 0
    action = manifest.actions.get(arguments.action)
    if action is None:
        from jackfield.pipe.call_rules import find_action

        action = find_action(manifest, arguments.action, catalog)
    output.value(action.output if arguments.output else action.inputs)
    return 0


def _shape(name: str) -> object:
    """Read the schema of invocations or of Results that the HTTP API publishes."""
    import json
    from importlib.resources import files

    return json.loads(files("jackfield.surfaces.http").joinpath("schemas", f"{name}.schema.json").read_text(encoding="utf-8"))


def _connection_schema(manifest: Manifest, name: str) -> object:
    found = manifest.connection_type(name)
    if found is None:
        tail = did_you_mean(name, manifest.connection_types)
        types = ", ".join(sorted(manifest.connection_types)) or "no connection types"
        raise InvalidInvocation(f"'{manifest.key}' has no connection type '{name[:80]}'{tail}", hint=f"'{manifest.key}' has {types}.")
    return found.schema


VERBS = {"": Verb("Print the JSON Schema of an action or a connection type.", _declare, _run)}
