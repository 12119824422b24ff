"""Command ``jackfield subscriptions``: enabled triggers."""

from __future__ import annotations

import json
from typing import Any

from jackfield.cli.arguments import read_inputs
from jackfield.cli.local_files import LocalFiles, read_document
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import duration
from jackfield.cli.session import declare_name, remove_named
from jackfield_service.shell.resource.verbs import noun, verbs
from jackfield_service.subjects.triggers.subject import SUBSCRIPTIONS
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions

_DAY = 86_400.0


def _declare_add(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--trigger",
        required=True,
        metavar="CONNECTOR/TRIGGER",
        help="what to watch: see 'jackfield triggers list'",
    )
    parser.add_argument(
        "--connection", metavar="NAME", help="the connection whose account is watched"
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="an input; also a.b=value, key:=JSON, key=@file; repeat for a list",
    )
    parser.add_argument(
        "--inputs", metavar="FILE", help="its inputs as JSON, to which key=value adds; - = stdin"
    )
    parser.add_argument(
        "--then", metavar="FILE", help="the invocation that each event starts, as JSON; - = stdin"
    )
    parser.add_argument(
        "--every",
        type=duration(_DAY, zero=False),
        metavar="DURATION",
        help="interval of a poll, such as 1m",
    )
    parser.add_argument(
        "--from",
        dest="since",
        metavar="TIME",
        help="when a poll begins, such as 2d for two days ago (default: now)",
    )
    parser.add_argument(
        "--guard",
        nargs="?",
        const=True,
        type=_guard,
        metavar="JSON",
        help=(
            "let the connection's guard refuse recipients that events suppress; JSON is a "
            "guard as 'workspaces set --guard' takes it"
        ),
    )


def _guard(text: str) -> Any:
    """Read the guard of ``--guard``.

    :raises ValueError: if it is not JSON.
    """
    return json.loads(text)


def _declare_update(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="an input of a webhook that no provider has registered, as of add",
    )
    parser.add_argument(
        "--inputs", metavar="FILE", help="its inputs as JSON, to which key=value adds; - = stdin"
    )
    parser.add_argument(
        "--then",
        metavar="FILE",
        help="the invocation that each event starts, as JSON; null: none any more; - = stdin",
    )
    parser.add_argument(
        "--every",
        type=duration(_DAY, zero=False),
        metavar="DURATION",
        help="interval of a poll, such as 1m",
    )


def _declare_reset(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--from",
        dest="since",
        required=True,
        metavar="TIME",
        help="when the poll begins again, such as 2d for two days ago",
    )


def _add(subscriptions: WorkspaceSubscriptions, arguments: Namespace) -> dict[str, Any]:
    document = {
        "name": arguments.name,
        "trigger": arguments.trigger,
        "connection": arguments.connection,
        "every": arguments.every,
        "from": arguments.since,
        "guard": arguments.guard,
        **{
            name: read_document(arguments, name)
            for name in ("inputs", "then")
            if getattr(arguments, name)
        },
    }
    if arguments.words:
        document["inputs"] = read_inputs(
            arguments.words,
            subscriptions.inputs_of(arguments.trigger),
            LocalFiles(),
            document.get("inputs", {}),
        )
    return subscriptions.add({name: value for name, value in document.items() if value is not None})


def _update(subscriptions: WorkspaceSubscriptions, arguments: Namespace) -> dict[str, Any]:
    document = {
        name: read_document(arguments, name)
        for name in ("inputs", "then")
        if getattr(arguments, name)
    }
    if arguments.words:
        found = subscriptions.show(arguments.name)
        begun = document.get("inputs", found["inputs"])
        document["inputs"] = read_inputs(
            arguments.words, subscriptions.inputs_of(found["trigger"]), LocalFiles(), begun
        )
    if arguments.every is not None:
        document["every"] = arguments.every
    return subscriptions.change(arguments.name, document)


_NOUN = noun(SUBSCRIPTIONS)
VERBS = {
    "add": Verb(
        "Switch a trigger on; servers and workers serve it.", _declare_add, _NOUN.value(_add)
    ),
    "update": Verb(
        "Change what its events start, its interval or its inputs; URL and secret stay.",
        _declare_update,
        _NOUN.value(_update),
    ),
    **verbs(SUBSCRIPTIONS),
    "reset": Verb(
        "Let a poll begin again at a time.",
        _declare_reset,
        _NOUN.value(lambda all_, given: all_.reset(given.name, given.since)),
    ),
    "remove": Verb(
        "Remove a subscription, and its registration at the provider.",
        declare_name,
        _NOUN.value(remove_named),
    ),
}
