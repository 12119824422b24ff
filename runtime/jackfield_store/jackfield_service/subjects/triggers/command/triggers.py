"""``jackfield triggers``: the triggers of connectors."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import caller, open_jackfield
from jackfield_service.subjects.references import find_trigger

_COLUMNS = ("trigger", "kind", "title", "types", "description")


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--connector", metavar="CONNECTOR", help="only this connector's triggers")


def _list(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        catalog = jackfield.catalog_of(caller())
        keys = [arguments.connector] if arguments.connector else list(catalog)
        rows = [
            {
                "trigger": f"{key}/{trigger.key}",
                "kind": trigger.kind,
                "title": trigger.title,
                "types": list(trigger.types),
                "description": trigger.description.partition("\n")[0],
            }
            for key in keys
            if (manifest := catalog.find(key) if arguments.connector else catalog.look(key)[1])
            is not None
            for trigger in manifest.triggers.values()
        ]
    output.rows(rows, _COLUMNS)
    return 0


def _declare_show(parser: Parser) -> None:
    parser.add_argument("name", metavar="CONNECTOR/TRIGGER")


def _show(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        manifest, trigger = find_trigger(jackfield.catalog_of(caller()), arguments.name)
    output.value({"trigger": f"{manifest.key}/{trigger.key}", **trigger.row})
    return 0


VERBS = {
    "list": Verb("List the triggers of the installed connectors.", _declare_list, _list),
    "show": Verb(
        "Show a trigger: its inputs, the schema of its events, samples, and how to set it up.",
        _declare_show,
        _show,
    ),
}
