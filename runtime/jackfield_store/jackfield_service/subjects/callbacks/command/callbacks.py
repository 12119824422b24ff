"""``jackfield callbacks``: URLs to which events are sent. The operator's callbacks may be at any
address.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import Noun, declare_id, in_workspace, of_platforms, read_moment
from jackfield.kernel.clock import SystemClock, seconds, unclear
from jackfield_service.shell.resource.verbs import verbs
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.deliveries import Deliveries
from jackfield_service.subjects.callbacks.subject import CALLBACKS
from jackfield_service.subjects.events.event import listed_types
from jackfield_store.commands.stored import actor, open_events

if TYPE_CHECKING:
    from jackfield.cli.output import Output

_SHOWN_ONCE = (
    "jackfield: the secret is not shown again; give it to the receiver, which checks the "
    "signatures with it\n"
)
_FAILED = 1


@contextmanager
def _open_callbacks(arguments: Namespace) -> Iterator[Callbacks]:
    with open_events(arguments) as place:
        yield Callbacks(*place, SystemClock(), actor(), origin="operator")


def _declare_add(parser: Parser) -> None:
    parser.add_argument(
        "url", metavar="URL", help="where to send the events; any host, unlike over HTTP"
    )
    parser.add_argument(
        "--types",
        metavar="TYPES",
        help="only these, separated by commas, such as invocation.finished,connection.*",
    )
    parser.add_argument(
        "--filter",
        metavar="JSON",
        help='only events with these data, such as {"connector": "aws-ses", "status": "failed"}',
    )
    parser.add_argument(
        "--include", choices=("output",), help="add the output of an invocation to its event"
    )
    parser.add_argument(
        "--thin",
        action="store_true",
        help="leave the data out: the receiver looks the event up by its ID",
    )
    parser.add_argument(
        "--signing",
        choices=("hmac", "ed25519"),
        default="hmac",
        help="how requests are signed (default hmac)",
    )
    parser.add_argument("--description", default="", metavar="TEXT", help="a text for people")


def _add(arguments: Namespace, output: Output) -> int:
    given: dict[str, Any] = {
        "url": arguments.url,
        "types": listed_types(arguments.types),
        "filter": _object(arguments),
        "include": [arguments.include] if arguments.include else [],
        "thin": arguments.thin,
        "signing": arguments.signing,
        "description": arguments.description,
    }
    with _open_callbacks(arguments) as callbacks:
        made = callbacks.create(given)
    output.value({"id": made.callback.id, **made.shown()})
    if output.for_people and "secret" in made.shown():
        sys.stderr.write(_SHOWN_ONCE)
    return 0


def _object(arguments: Namespace) -> Any:
    try:
        return json.loads(arguments.filter or "null")
    except ValueError:
        raise UsageError("--filter takes a JSON object", usage=arguments.usage) from None


def _test(arguments: Namespace, output: Output) -> int:
    with _open_callbacks(arguments) as callbacks:
        attempt = callbacks.test(arguments.id)
    output.value({"delivered": attempt.succeeded, **attempt.to_json()})
    return 0 if attempt.succeeded else _FAILED


def _declare_rotate(parser: Parser) -> None:
    parser.add_argument(
        "--overlap",
        default="24h",
        metavar="SPAN",
        help="how long the present secret stays valid (default 24h)",
    )
    declare_id(parser)


def _rotate(callbacks: Callbacks, arguments: Namespace) -> dict[str, Any]:
    overlap = seconds(arguments.overlap)
    if overlap is None:
        raise UsageError(
            f"--overlap takes a duration such as 24h or 30m{unclear(arguments.overlap)}",
            usage=arguments.usage,
        )
    made, until = callbacks.rotate(arguments.id, overlap)
    return {"id": made.callback.id, **made.shown(), "previousUntil": until}


def _declare_recover(parser: Parser) -> None:
    parser.add_argument(
        "--since",
        required=True,
        metavar="WHEN",
        help="from a duration ago, such as 2d, or from a date",
    )
    declare_id(parser)


def _recover(arguments: Namespace, output: Output) -> int:
    since = read_moment(arguments, "since", -1) or 0.0
    with open_events(arguments) as place:
        output.value({"recovered": Deliveries(*place, SystemClock()).recover(arguments.id, since)})
    return 0


_NOUN = Noun(_open_callbacks)
VERBS = of_platforms(
    in_workspace(
        {
            "add": Verb(
                "Send the events that happen from now on to a URL. The secret is shown only once.",
                _declare_add,
                _add,
            ),
            **verbs(
                CALLBACKS,
                _NOUN,
                rotate=Verb(
                    "Make a new secret; the present one stays valid for a while.",
                    _declare_rotate,
                    _NOUN.value(_rotate),
                ),
                test=Verb(
                    "Send a test event now; exit code 1 if the receiver does not take it.",
                    declare_id,
                    _test,
                ),
                recover=Verb(
                    "Send all events since a time that were not delivered.",
                    _declare_recover,
                    _recover,
                ),
            ),
            "pause": Verb(
                "Send nothing until 'resume'. Events are kept.",
                declare_id,
                _NOUN.value(
                    lambda all_, given: all_.change(given.id, {"status": "paused"}).to_json()
                ),
            ),
            "resume": Verb(
                "Send again, what has waited first.",
                declare_id,
                _NOUN.value(
                    lambda all_, given: all_.change(given.id, {"status": "active"}).to_json()
                ),
            ),
        }
    )
)
