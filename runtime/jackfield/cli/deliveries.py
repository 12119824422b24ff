"""``jackfield deliveries``: each event's way to a callback, and sending it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import declare_one, declare_pages, declare_workspace, open_events, pages
from jackfield.clock import SystemClock
from jackfield.events.deliveries import STATES, Deliveries

if TYPE_CHECKING:
    from jackfield.cli.output import Output

_COLUMNS = ("id", "type", "status", "attempts", "lastStatus", "lastError", "url", "createdAt", "nextAt")
_PAGE = 200


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--callback", metavar="ID", help="only to this callback")
    parser.add_argument("--status", choices=STATES, help="only this status; dead ones are not attempted any more")
    declare_workspace(parser)
    declare_pages(parser)


def _list(arguments: Namespace, output: Output) -> int:
    wanted = {"callback": arguments.callback, "state": arguments.status}
    with open_events(arguments) as place:
        found = pages(arguments, lambda cursor, limit: Deliveries(*place, SystemClock()).page(**wanted, cursor=cursor, limit=limit))
    output.rows([item.to_json() for item in found], _COLUMNS)
    return 0


def _show(arguments: Namespace, output: Output) -> int:
    with open_events(arguments) as place:
        output.value(Deliveries(*place, SystemClock()).find(arguments.id).to_json())
    return 0


def _declare_resend(parser: Parser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="a delivery; 'jackfield deliveries list' lists them")
    parser.add_argument("--dead", action="store_true", help="all dead deliveries, or those to --callback")
    parser.add_argument("--callback", metavar="ID", help="with --dead: only to this callback")
    declare_workspace(parser)


def _resend(arguments: Namespace, output: Output) -> int:
    if bool(arguments.ids) == arguments.dead:
        raise UsageError("give the IDs of deliveries, or --dead", usage=arguments.usage, hint="'jackfield deliveries list' lists them.")
    with open_events(arguments) as place:
        deliveries = Deliveries(*place, SystemClock())
        wanted = list(_dead(deliveries, arguments.callback)) if arguments.dead else arguments.ids
        for identifier in arguments.ids:
            deliveries.find(identifier)  # all or none
        resent = [deliveries.resend(identifier).id for identifier in wanted]
    output.value({"resent": resent})
    return 0


def _dead(deliveries: Deliveries, callback: str | None) -> Iterator[str]:
    cursor: str | None = None
    while True:
        found, cursor = deliveries.page(callback=callback, state="dead", cursor=cursor, limit=_PAGE)
        yield from (item.id for item in found)
        if cursor is None:
            return


VERBS = {
    "list": Verb("List deliveries, newest first.", _declare_list, _list),
    "show": Verb("Print a delivery with its last attempts.", declare_one, _show),
    "resend": Verb("Send deliveries again, with a fresh count of attempts.", _declare_resend, _resend),
}
