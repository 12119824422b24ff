"""``jackfield events``: list, show and follow the events of a workspace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from jackfield.cli.interrupt import interruptible
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import LARGEST_LIMIT, LIMIT, declare_one, declare_workspace, open_events
from jackfield.events import Events, Feed
from jackfield.events.event import listed_types
from jackfield.events.feed import PAUSE

if TYPE_CHECKING:
    from jackfield.cli.output import Output

_COLUMNS = ("sequence", "timestamp", "type", "subject", "id")


@contextmanager
def _events(arguments: Namespace, wait: float) -> Iterator[Events]:
    with open_events(arguments) as place:
        yield Events(Feed(*place), arguments.after, listed_types(arguments.types), wait)


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
    with _events(arguments, 0.0) as events:
        found = [event.to_json() for event in islice(events, arguments.limit)]
    output.rows(found, _COLUMNS)
    return 0


def _show(arguments: Namespace, output: Output) -> int:
    with open_events(arguments) as place:
        output.value(Feed(*place).find(arguments.id).to_json())
    return 0


def _follow(arguments: Namespace, output: Output) -> int:
    """Write each event as a line of JSON, until the reader leaves or Ctrl-C."""
    stopped = threading.Event()
    with _events(arguments, inf) as events, interruptible(stopped.set):
        for page in events.pages():
            for event in page:
                output.line(event.to_json())
            if output.closed or stopped.wait(0.0 if page else PAUSE):
                break
    return 0


VERBS = {
    "list": Verb("List events, oldest first.", _declare_list, _list),
    "show": Verb("Print an event.", declare_one, _show),
    "follow": Verb("Print events as they happen, one JSON object per line, until interrupted.", _declare_reading, _follow),
}
