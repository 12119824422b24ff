"""``jackfield try``: a first read of an installed connector, without an account."""

from __future__ import annotations

from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.manifest.manifest import Manifest

_FAILED = 1


def _declare(parser: Parser) -> None:
    parser.add_argument("connector", metavar="CONNECTOR", help="the key of an installed connector without code, such as airtable")
    parser.add_argument("--type", metavar="KEY", help="the connection type to try (default: the simplest)")
    parser.add_argument("--action", metavar="KEY", help="the action to call (default: a list, or another read)")


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_market.trying import calls, connect, fake_runtime, first_read, kind_of

    manifest = Catalog.installed().find(arguments.connector)
    key, name, published = manifest.key, f"{manifest.key}-try", manifest.whole()
    kind = kind_of(published, arguments.type)
    action, inputs = first_read(Manifest.from_json(published), arguments.action)
    with fake_runtime(published, kind) as (jackfield, fake):
        shown = connect(jackfield, fake, name, kind)
        result = jackfield.invoke({"connector": key, "action": action, "connection": name, "inputs": inputs})
    added = f"jackfield connections add my-{key} --type {key}/{kind}"
    output.value(
        {
            "connector": key,
            "connection": {"type": f"{key}/{kind}", "test": shown.get("status"), "account": shown.get("account")},
            "action": action,
            "result": result.to_json(),
            "calls": calls(key, action, inputs, f"my-{key}"),
            "next": [f"jackfield schema {key} --connection {kind}", added],
            "note": "The answers are the fake's, made from the connector's examples: no provider was called.",
        }
    )
    return 0 if result.error is None else _FAILED


VERBS = {"": Verb("Call an installed connector without an account, against a fake of its provider.", _declare, _run)}
