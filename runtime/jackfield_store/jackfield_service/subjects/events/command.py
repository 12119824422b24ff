"""``jackfield events``: list, show and follow the events of a workspace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from jackfield.call.events import PAUSE
from jackfield.cli.interrupt import interruptible
from jackfield.cli.parsing import Namespace, Parser, Verb, declare_workspace
from jackfield.cli.quantities import count
from jackfield.cli.session import LARGEST_LIMIT, LIMIT, Noun, declare_one
from jackfield_service.subjects.events import Feed, FeedEvents
from jackfield_service.subjects.events.event import listed_types
from jackfield_store.commands.stored import open_events

if TYPE_CHECKING:
    from jackfield.cli.output import Output

_COLUMNS = ("sequence", "timestamp", "type", "subject", "id")


@contextmanager
def _open_feed(arguments: Namespace) -> Iterator[Feed]:
    with open_events(arguments) as place:
        yield Feed(*place)


def _events(feed: Feed, arguments: Namespace, wait: float) -> FeedEvents:
    return FeedEvents(feed, arguments.after, listed_types(arguments.types), wait)


def _declare_reading(parser: Parser) -> None:
    parser.add_argument(
        "--after",
        metavar="CURSOR",
        help="only events after this cursor: that of an event (default: from the oldest kept)",
    )
    parser.add_argument(
        "--types",
        metavar="TYPES",
        help="only these, separated by commas, such as invocation.finished,connection.*",
    )
    declare_workspace(parser)


def _declare_list(parser: Parser) -> None:
    _declare_reading(parser)
    parser.add_argument(
        "--limit",
        type=count(1, LARGEST_LIMIT),
        default=LIMIT,
        metavar="N",
        help=f"maximum number of events (default {LIMIT}, at most {LARGEST_LIMIT:,})",
    )


def _list(feed: Feed, arguments: Namespace) -> list[dict[str, Any]]:
    return [event.to_json() for event in islice(_events(feed, arguments, 0.0), arguments.limit)]


def _follow(arguments: Namespace, output: Output) -> int:
    """Write each event as a line of JSON, until the reader ends or Ctrl-C."""
    stopped = threading.Event()
    with _open_feed(arguments) as feed, interruptible(stopped.set):
        for page in _events(feed, arguments, inf).pages():
            for event in page:
                output.line(event.to_json())
            if output.closed or stopped.wait(0.0 if page else PAUSE):
                break
    return 0


_NOUN = Noun(_open_feed)
VERBS = {
    "list": Verb("List events, oldest first.", _declare_list, _NOUN.rows(_list, _COLUMNS)),
    "show": Verb(
        "Print an event.",
        declare_one,
        _NOUN.value(lambda feed, given: feed.find(given.id).to_json()),
    ),
    "follow": Verb(
        "Print events as they happen, one JSON object per line, until interrupted.",
        _declare_reading,
        _follow,
    ),
}
