"""``jackfield deliveries``: each event's way to a callback, and sending it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, declare_workspace
from jackfield.cli.session import Noun, declare_list, declare_one, of_platforms, pages
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.deliveries import STATES, Deliveries
from jackfield_store.commands.stored import open_events

_COLUMNS = ("id", "type", "status", "attempts", "lastStatus", "lastError", "url", "createdAt", "nextAt")


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--callback", metavar="ID", help="only to this callback")
    parser.add_argument("--status", choices=STATES, help="only this status; dead ones are not attempted any more")
    declare_list(parser)


@contextmanager
def _open_deliveries(arguments: Namespace) -> Iterator[Deliveries]:
    with open_events(arguments) as place:
        yield Deliveries(*place, SystemClock())


def _list(deliveries: Deliveries, arguments: Namespace) -> list[dict[str, Any]]:
    wanted = {"callback": arguments.callback, "state": arguments.status}
    return [item.to_json() for item in pages(arguments, lambda cursor, limit: deliveries.page(**wanted, cursor=cursor, limit=limit))]


def _declare_resend(parser: Parser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="a delivery; 'jackfield deliveries list' lists them")
    parser.add_argument("--dead", action="store_true", help="all dead deliveries, or those to --callback")
    parser.add_argument("--callback", metavar="ID", help="with --dead: only to this callback")
    declare_workspace(parser)


def _resend(deliveries: Deliveries, arguments: Namespace) -> dict[str, Any]:
    if bool(arguments.ids) == arguments.dead:
        raise UsageError("give the IDs of deliveries, or --dead", usage=arguments.usage, hint="'jackfield deliveries list' lists them.")
    if arguments.dead:
        return {"resent": deliveries.resend_dead(arguments.callback)}
    wanted = [deliveries.find(identifier) for identifier in arguments.ids]  # all or none
    return {"resent": [deliveries.resend(item.id).id for item in wanted]}


_NOUN = Noun(_open_deliveries)
VERBS = of_platforms({
    "list": Verb("List deliveries, newest first.", _declare_list, _NOUN.rows(_list, _COLUMNS)),
    "show": Verb("Print a delivery with its last attempts.", declare_one, _NOUN.value(lambda all_, given: all_.find(given.id).to_json())),
    "resend": Verb("Send deliveries again, with a fresh count of attempts.", _declare_resend, _NOUN.value(_resend)),
})  # fmt: skip
