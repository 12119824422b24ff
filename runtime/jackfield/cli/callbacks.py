"""``jackfield callbacks``: where events are sent. The operator's callbacks may be at any address."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import actor, declare_one, declare_pages, declare_workspace, open_events, pages, read_moment
from jackfield.clock import SystemClock, seconds
from jackfield.events.callbacks import Callbacks
from jackfield.events.deliveries import Deliveries
from jackfield.events.event import listed_types

if TYPE_CHECKING:
    from jackfield.cli.output import Output
    from jackfield.database import Database, Vault

_COLUMNS = ("id", "url", "types", "status", "reason", "failingSince")
_SHOWN_ONCE = "jackfield: the secret is not shown again; give it to the receiver, which checks the signatures with it\n"
_FAILED = 1


def _of(place: tuple[Database, Vault, str]) -> Callbacks:
    return Callbacks(*place, SystemClock(), actor(), origin="operator")


def _with(arguments: Namespace, output: Output, step: Callable[[Callbacks], dict[str, Any]]) -> int:
    with open_events(arguments) as place:
        output.value(step(_of(place)))
    return 0


def _declare_add(parser: Parser) -> None:
    parser.add_argument("url", metavar="URL", help="where to send the events; any host, unlike over HTTP")
    parser.add_argument("--types", metavar="TYPES", help="only these, separated by commas, such as invocation.finished,connection.*")
    parser.add_argument(
        "--filter", metavar="JSON", help='only events with these data, such as {"connector": "aws-ses", "status": "failed"}'
    )
    parser.add_argument("--include", choices=("output",), help="add the output of an invocation to its event")
    parser.add_argument("--thin", action="store_true", help="leave the data out: the receiver looks the event up by its ID")
    parser.add_argument("--signing", choices=("hmac", "ed25519"), default="hmac", help="how requests are signed (default hmac)")
    parser.add_argument("--description", default="", metavar="TEXT", help="a text for people")
    declare_workspace(parser)


def _add(arguments: Namespace, output: Output) -> int:
    given: dict[str, Any] = {
        "url": arguments.url, "types": listed_types(arguments.types),
        "filter": _object(arguments), "include": [arguments.include] if arguments.include else [], "thin": arguments.thin,
        "signing": arguments.signing, "description": arguments.description,
    }  # fmt: skip
    with open_events(arguments) as place:
        made = _of(place).create(given)
    output.value({"id": made.callback.id, **made.shown()})
    if output.for_people and "secret" in made.shown():
        sys.stderr.write(_SHOWN_ONCE)
    return 0


def _object(arguments: Namespace) -> Any:
    try:
        return json.loads(arguments.filter or "null")
    except ValueError:
        raise UsageError("--filter takes a JSON object", usage=arguments.usage) from None


def _declare_list(parser: Parser) -> None:
    declare_workspace(parser)
    declare_pages(parser)


def _list(arguments: Namespace, output: Output) -> int:
    with open_events(arguments) as place:
        found = pages(arguments, lambda cursor, limit: _of(place).page(cursor=cursor, limit=limit))
    output.rows([item.to_json() for item in found], _COLUMNS)
    return 0


def _show(arguments: Namespace, output: Output) -> int:
    return _with(arguments, output, lambda callbacks: callbacks.find(arguments.id).to_json())


def _test(arguments: Namespace, output: Output) -> int:
    with open_events(arguments) as place:
        attempt = _of(place).test(arguments.id)
    output.value({"delivered": attempt.succeeded, **attempt.to_json()})
    return 0 if attempt.succeeded else _FAILED


def _declare_rotate(parser: Parser) -> None:
    parser.add_argument("--overlap", default="24h", metavar="SPAN", help="how long the present secret stays valid (default 24h)")
    declare_one(parser)


def _rotate(arguments: Namespace, output: Output) -> int:
    overlap = seconds(arguments.overlap)
    if overlap is None:
        raise UsageError("--overlap takes a duration such as 24h or 30m", usage=arguments.usage)
    with open_events(arguments) as place:
        made, until = _of(place).rotate(arguments.id, overlap)
    output.value({"id": made.callback.id, **made.shown(), "previousUntil": until})
    return 0


def _pause(arguments: Namespace, output: Output) -> int:
    return _set(arguments, output, "paused")


def _resume(arguments: Namespace, output: Output) -> int:
    return _set(arguments, output, "active")


def _set(arguments: Namespace, output: Output, status: str) -> int:
    return _with(arguments, output, lambda callbacks: callbacks.change(arguments.id, {"status": status}).to_json())


def _remove(arguments: Namespace, output: Output) -> int:
    with open_events(arguments) as place:
        _of(place).remove(arguments.id)
    output.value({"removed": arguments.id})
    return 0


def _declare_recover(parser: Parser) -> None:
    parser.add_argument("--since", required=True, metavar="WHEN", help="from a duration ago, such as 2d, or from a date")
    declare_one(parser)


def _recover(arguments: Namespace, output: Output) -> int:
    since = read_moment(arguments, "since", -1) or 0.0
    with open_events(arguments) as place:
        output.value({"recovered": Deliveries(*place, SystemClock()).recover(arguments.id, since)})
    return 0


VERBS = {
    "add": Verb("Send the events that happen from now on to a URL. The secret is shown only once.", _declare_add, _add),
    "list": Verb("List the callbacks, without their secrets.", _declare_list, _list),
    "show": Verb("Print a callback.", declare_one, _show),
    "test": Verb("Send a test event now; exit code 1 if the receiver does not take it.", declare_one, _test),
    "rotate": Verb("Make a new secret; the present one stays valid for a while.", _declare_rotate, _rotate),
    "pause": Verb("Send nothing until 'resume'. Events are kept.", declare_one, _pause),
    "resume": Verb("Send again, what has waited first.", declare_one, _resume),
    "recover": Verb("Send all events since a time that were not delivered.", _declare_recover, _recover),
    "remove": Verb("Delete a callback and its deliveries.", declare_one, _remove),
}
