"""Command ``jackfield deliveries``: deliveries of events to callbacks, and their repetition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import Noun, in_workspace, of_platforms
from jackfield.kernel.clock import SystemClock
from jackfield_service.shell.resource.verbs import verbs
from jackfield_service.subjects.callbacks.deliveries import Deliveries
from jackfield_service.subjects.callbacks.subject import DELIVERIES
from jackfield_store.commands.stored import open_events


@contextmanager
def _open_deliveries(arguments: Namespace) -> Iterator[Deliveries]:
    with open_events(arguments) as place:
        yield Deliveries(*place, SystemClock())


def _declare_resend(parser: Parser) -> None:
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="a delivery; 'jackfield deliveries list' lists them"
    )
    parser.add_argument(
        "--dead", action="store_true", help="all dead deliveries, or those to --callback"
    )
    parser.add_argument("--callback", metavar="ID", help="with --dead: only to this callback")


def _resend(deliveries: Deliveries, arguments: Namespace) -> dict[str, Any]:
    if bool(arguments.ids) == arguments.dead:
        raise UsageError(
            "give the IDs of deliveries, or --dead",
            usage=arguments.usage,
            hint="'jackfield deliveries list' lists them.",
        )
    if arguments.dead:
        return {"resent": deliveries.resend_dead(arguments.callback)}
    wanted = [deliveries.find(identifier) for identifier in arguments.ids]  # all or none
    return {"resent": [deliveries.resend(item.id).id for item in wanted]}


_NOUN = Noun(_open_deliveries)
_RESEND = Verb(
    "Send deliveries again, with a fresh count of attempts.", _declare_resend, _NOUN.value(_resend)
)
VERBS = of_platforms(in_workspace(verbs(DELIVERIES, _NOUN, resend=_RESEND)))
