"""``jackfield callbacks``: where events are sent. The operator's callbacks may be at any address."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import (
    actor,
    declare_pages,
    declare_workspace,
    open_storage,
    pages,
    read_moment,
    selected_workspace,
)
from jackfield.clock import SystemClock, seconds
from jackfield.errors import InvalidInvocation
from jackfield.events.callbacks import Callbacks
from jackfield.events.deliveries import Deliveries

if TYPE_CHECKING:
    from jackfield.cli.output import Output
    from jackfield.resources.storage import Storage

_COLUMNS = ("id", "url", "types", "status", "reason", "failingSince")
_SHOWN_ONCE = "jackfield: the secret is not shown again; give it to the receiver, which checks the signatures with it\n"
_FAILED = 1


def require_events(storage: Storage) -> None:
    """Check that there is a database.

    :raises InvalidInvocation: if there is none.
    """
    if not storage.enabled:
        text = "events need a database, and there is none: JACKFIELD_DATABASE_URL is 'none'"
        raise InvalidInvocation(text, hint="Unset it, or set it to a database URL.")


def _callbacks(arguments: Namespace, storage: Storage) -> Callbacks:
    require_events(storage)
    return Callbacks(storage.database, storage.vault, selected_workspace(arguments, storage), SystemClock(), actor(), origin="operator")


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
        "url": arguments.url, "types": [text.strip() for text in (arguments.types or "").split(",") if text.strip()],
        "filter": _object(arguments), "include": [arguments.include] if arguments.include else [], "thin": arguments.thin,
        "signing": arguments.signing, "description": arguments.description,
    }  # fmt: skip
    with open_storage() as storage:
        made = _callbacks(arguments, storage).create(given)
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
    with open_storage() as storage:
        callbacks = _callbacks(arguments, storage)
        found = pages(arguments, lambda cursor, limit: callbacks.page(cursor=cursor, limit=limit))
    output.rows([item.to_json() for item in found], _COLUMNS)
    return 0


def _declare_one(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID")
    declare_workspace(parser)


def _show(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        output.value(_callbacks(arguments, storage).find(arguments.id).to_json())
    return 0


def _test(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        attempt = _callbacks(arguments, storage).test(arguments.id)
    output.value({"delivered": attempt.succeeded, **attempt.to_json()})
    return 0 if attempt.succeeded else _FAILED


def _declare_rotate(parser: Parser) -> None:
    parser.add_argument("--overlap", default="24h", metavar="SPAN", help="how long the present secret stays valid (default 24h)")
    _declare_one(parser)


def _rotate(arguments: Namespace, output: Output) -> int:
    overlap = seconds(arguments.overlap)
    if overlap is None:
        raise UsageError("--overlap takes a duration such as 24h or 30m", usage=arguments.usage)
    with open_storage() as storage:
        made, until = _callbacks(arguments, storage).rotate(arguments.id, overlap)
    output.value({"id": made.callback.id, **made.shown(), "previousUntil": until})
    return 0


def _pause(arguments: Namespace, output: Output) -> int:
    return _set(arguments, output, "paused")


def _resume(arguments: Namespace, output: Output) -> int:
    return _set(arguments, output, "active")


def _set(arguments: Namespace, output: Output, status: str) -> int:
    with open_storage() as storage:
        output.value(_callbacks(arguments, storage).change(arguments.id, {"status": status}).to_json())
    return 0


def _remove(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        _callbacks(arguments, storage).remove(arguments.id)
    output.value({"removed": arguments.id})
    return 0


def _declare_recover(parser: Parser) -> None:
    parser.add_argument("--since", required=True, metavar="WHEN", help="from a duration ago, such as 2d, or from a date")
    _declare_one(parser)


def _recover(arguments: Namespace, output: Output) -> int:
    since = read_moment(arguments, "since", -1) or 0.0
    with open_storage() as storage:
        require_events(storage)
        deliveries = Deliveries(storage.database, storage.vault, selected_workspace(arguments, storage))
        output.value({"recovered": deliveries.recover(arguments.id, since, time.time())})
    return 0


VERBS = {
    "add": Verb("Send the events that happen from now on to a URL. The secret is shown only once.", _declare_add, _add),
    "list": Verb("List the callbacks, without their secrets.", _declare_list, _list),
    "show": Verb("Print a callback.", _declare_one, _show),
    "test": Verb("Send a test event now; exit code 1 if the receiver does not take it.", _declare_one, _test),
    "rotate": Verb("Make a new secret; the present one stays valid for a while.", _declare_rotate, _rotate),
    "pause": Verb("Send nothing until 'resume'. Events are kept.", _declare_one, _pause),
    "resume": Verb("Send again, what has waited first.", _declare_one, _resume),
    "recover": Verb("Send all events since a time that were not delivered.", _declare_recover, _recover),
    "remove": Verb("Delete a callback and its deliveries.", _declare_one, _remove),
}
