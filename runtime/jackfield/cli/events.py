"""``jackfield events``: list, show and follow the events of a workspace."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from jackfield.cli.callbacks import require_events
from jackfield.cli.interrupt import interruptible
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import LARGEST_LIMIT, LIMIT, declare_workspace, open_storage, selected_workspace
from jackfield.events import Event, Feed, check_types
from jackfield.events.feed import PAUSE

if TYPE_CHECKING:
    from jackfield.cli.output import Output
    from jackfield.resources.storage import Storage

_COLUMNS = ("sequence", "timestamp", "type", "subject", "id")
_PAGE = 500


def _feed(arguments: Namespace, storage: Storage) -> Feed:
    require_events(storage)
    workspace = selected_workspace(arguments, storage)
    return Feed(storage.database, storage.vault, workspace)


def _types(arguments: Namespace) -> tuple[str, ...]:
    return check_types(text.strip() for text in (arguments.types or "").split(",") if text.strip())


def _declare_reading(parser: Parser) -> None:
    parser.add_argument("--after", metavar="CURSOR", help="only events after this cursor: a sequence (default: from the oldest kept)")
    parser.add_argument("--types", metavar="TYPES", help="only these, separated by commas, such as invocation.finished,connection.*")
    declare_workspace(parser)


def _declare_list(parser: Parser) -> None:
    _declare_reading(parser)
    parser.add_argument(
        "--limit", type=count(1, LARGEST_LIMIT), default=LIMIT, metavar="N",
        help=f"maximum number of events (default {LIMIT}, at most {LARGEST_LIMIT:,})",
    )  # fmt: skip


def _list(arguments: Namespace, output: Output) -> int:
    types, found, cursor = _types(arguments), list[Event](), arguments.after
    with open_storage() as storage:
        feed = _feed(arguments, storage)
        while len(found) < arguments.limit:
            page = feed.page(cursor, types, min(_PAGE, arguments.limit - len(found)))
            found += page.events
            cursor = page.cursor
            if not page.events and not feed.has_after(cursor):
                break
    output.rows([event.to_json() for event in found], _COLUMNS)
    return 0


def _declare_show(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID")
    declare_workspace(parser)


def _show(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        output.value(_feed(arguments, storage).find(arguments.id).to_json())
    return 0


def _follow(arguments: Namespace, output: Output) -> int:
    """Write each event as a line of JSON, until the reader leaves or Ctrl-C."""
    types, stopped, cursor = _types(arguments), threading.Event(), arguments.after
    with open_storage() as storage, interruptible(stopped.set):
        feed = _feed(arguments, storage)
        while not (stopped.is_set() or output.closed):
            page = feed.page(cursor, types, _PAGE)
            for event in page.events:
                output.line(event.to_json())
            cursor = page.cursor
            if not page.events and not feed.has_after(cursor):
                stopped.wait(PAUSE)
    return 0


VERBS = {
    "list": Verb("List events, oldest first.", _declare_list, _list),
    "show": Verb("Print an event.", _declare_show, _show),
    "follow": Verb("Print events as they happen, one JSON object per line, until interrupted.", _declare_reading, _follow),
}
