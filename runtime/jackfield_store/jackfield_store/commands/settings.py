"""``jackfield settings``: settings that all processes on a database share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.kernel.clock import SystemClock
from jackfield_store.commands.stored import actor, open_storage
from jackfield_store.management.shared_settings import SharedSettings

_COLUMNS = ("name", "value", "variable", "changedAt", "differs")


@contextmanager
def _settings() -> Iterator[SharedSettings]:
    with open_storage() as storage:
        yield SharedSettings(storage, SystemClock(), actor())


def _declare_show(parser: Parser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="only this setting (default: all)")


def _declare_name(parser: Parser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="the setting; 'jackfield settings show' lists them"
    )


def _declare_set(parser: Parser) -> None:
    _declare_name(parser)
    parser.add_argument("value", metavar="VALUE", help="its value for all processes")


def _show(arguments: Namespace, output: Output) -> int:
    with _settings() as settings:
        found: Any = settings.list() if arguments.name is None else settings.find(arguments.name)
    if arguments.name is None:
        output.rows(found, _COLUMNS)
    else:
        output.value(found)
    return 0


def _set(arguments: Namespace, output: Output) -> int:
    with _settings() as settings:
        output.value(settings.set(arguments.name, arguments.value))
    return 0


def _unset(arguments: Namespace, output: Output) -> int:
    with _settings() as settings:
        output.value(settings.unset(arguments.name))
    return 0


VERBS = {
    "show": Verb(
        "Print what all processes share, and which processes differ.", _declare_show, _show
    ),
    "set": Verb(
        "Store a value for all processes; running ones have it within seconds.", _declare_set, _set
    ),
    "unset": Verb("Remove a stored value.", _declare_name, _unset),
}
