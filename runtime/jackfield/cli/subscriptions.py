"""``jackfield subscriptions``: triggers that are switched on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield.cli.local_files import read_document
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import duration
from jackfield.cli.session import actor, caller, declare_pages, open_jackfield, pages

if TYPE_CHECKING:
    from jackfield.queue.subscriptions import WorkspaceSubscriptions

_COLUMNS = ("name", "status", "trigger", "connection", "lastEventAt", "reason")
_DAY = 86_400.0


def _declare_add(parser: Parser) -> None:
    _declare_name(parser)
    parser.add_argument("--trigger", required=True, metavar="CONNECTOR/TRIGGER", help="what to watch: see 'jackfield triggers list'")
    parser.add_argument("--connection", metavar="NAME", help="the connection whose account is watched")
    parser.add_argument("--inputs", metavar="FILE", help="its inputs as JSON; - = stdin")
    parser.add_argument("--then", metavar="FILE", help="the invocation that each event starts, as JSON; - = stdin")
    parser.add_argument("--every", type=duration(_DAY, zero=False), metavar="DURATION", help="interval of a poll, such as 1m")
    parser.add_argument("--from", dest="since", metavar="TIME", help="when a poll begins, such as 2d for two days ago (default: now)")


def _declare_name(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")


def _declare_reset(parser: Parser) -> None:
    _declare_name(parser)
    parser.add_argument(
        "--from", dest="since", required=True, metavar="TIME", help="when the poll begins again, such as 2d for two days ago"
    )


def _add(arguments: Namespace, output: Output) -> int:
    document = {
        "name": arguments.name, "trigger": arguments.trigger, "connection": arguments.connection, "every": arguments.every,
        "from": arguments.since, **{name: read_document(arguments, name) for name in ("inputs", "then") if getattr(arguments, name)},
    }  # fmt: skip
    return _with(output, lambda all_: all_.add({name: value for name, value in document.items() if value is not None}))


def _list(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        found = pages(arguments, _opened(jackfield).page)
    output.rows([*found], _COLUMNS)
    return 0


def _test(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        found = _opened(jackfield).samples(arguments.name)
    output.value({"items": found})
    return 0


def _remove(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        _opened(jackfield).remove(arguments.name)
    output.value({"name": arguments.name, "removed": True})
    return 0


def _with(output: Output, step: Callable[[WorkspaceSubscriptions], dict[str, Any]]) -> int:
    with open_jackfield() as jackfield:
        output.value(step(_opened(jackfield)))
    return 0


def _opened(jackfield: Any) -> WorkspaceSubscriptions:
    from jackfield.queue.subscriptions import WorkspaceSubscriptions

    return WorkspaceSubscriptions(jackfield, caller(), actor(), os.environ.get("JACKFIELD_PUBLIC_URL", ""))


VERBS = {
    "add": Verb("Switch a trigger on; servers and workers serve it.", _declare_add, _add),
    "list": Verb("List the subscriptions.", declare_pages, _list),
    "show": Verb(
        "Show a subscription, its URL and its checkpoint.", _declare_name,
        lambda given, output: _with(output, lambda all_: all_.show(given.name)),
    ),
    "test": Verb("Show samples of its events.", _declare_name, _test),
    "pause": Verb(
        "Receive and poll nothing more, at once.", _declare_name, lambda given, output: _with(output, lambda all_: all_.disable(given.name))
    ),
    "resume": Verb(
        "Receive or poll again; a poll goes on where it was.", _declare_name,
        lambda given, output: _with(output, lambda all_: all_.enable(given.name)),
    ),
    "reset": Verb(
        "Let a poll begin again at a time.", _declare_reset,
        lambda given, output: _with(output, lambda all_: all_.reset(given.name, given.since)),
    ),
    "remove": Verb("Remove a subscription, and its registration at the provider.", _declare_name, _remove),
}  # fmt: skip
