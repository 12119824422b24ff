"""``jackfield schedules``: invocations at given times."""

from __future__ import annotations

from typing import Any

from jackfield.cli.local_files import read_document
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import declare_name, in_workspace, remove_named
from jackfield.invocation import Result
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.resource.verbs import noun, verbs
from jackfield_service.subjects.schedules.policy import MISSED, OVERLAP
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.schedules.subject import SCHEDULES, add

_NEXT = ("slot", "local")
_MAX_NEXT = 1000


def _declare_add(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--file", required=True, metavar="FILE", help="the invocation as JSON; - = stdin"
    )
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--cron",
        metavar="EXPRESSION",
        help="five fields, such as '*/5 * * * *', or @hourly, @daily, @weekly, @monthly",
    )
    when.add_argument("--every", metavar="DURATION", help="an interval, such as 10s, 5m or 12h")
    when.add_argument(
        "--at", metavar="TIME", help="once: an RFC 3339 time, or a duration from now such as 2h"
    )
    parser.add_argument(
        "--timezone",
        metavar="ZONE",
        help='IANA time zone of --cron and of {"$slot": …}, such as Europe/Berlin (default UTC)',
    )
    parser.add_argument(
        "--anchor",
        metavar="TIME",
        help="the first time of --every (default: now); the others follow from it",
    )
    parser.add_argument(
        "--missed",
        choices=MISSED,
        help=(
            "slots that no scheduler ran in time: run none, the latest (default), or all up "
            "to 1,000"
        ),
    )
    parser.add_argument(
        "--overlap",
        choices=OVERLAP,
        help=(
            "while an earlier invocation has not ended: skip the slot (default), queue it "
            "behind (default with --missed all), allow both"
        ),
    )


def _declare_next(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--count",
        type=count(1, _MAX_NEXT),
        default=5,
        metavar="N",
        help="number of slots (default 5)",
    )


def _add(schedules: WorkspaceSchedules, arguments: Namespace) -> dict[str, Any]:
    given = {
        name: getattr(arguments, name)
        for name in ("cron", "every", "at", "timezone", "anchor", "missed", "overlap")
    }
    document = {
        "name": arguments.name,
        "invocation": read_document(arguments, "file"),
        **{name: value for name, value in given.items() if value is not None},
    }
    return add(schedules, document)


def _run(schedules: WorkspaceSchedules, arguments: Namespace) -> dict[str, Any]:
    found = schedules.run(arguments.name)
    if isinstance(found, Result) and found.status == "waiting":
        return found.to_json("cli")
    if isinstance(found, Result):
        raise InvalidInvocation("the invocation was run before", hint="Try again.")
    return {"invocationId": found, "status": "queued"}


_NOUN = noun(SCHEDULES)
VERBS = in_workspace(
    {
        "add": Verb(
            "Run an invocation at given times; servers and workers queue it.",
            _declare_add,
            _NOUN.value(_add),
        ),
        **verbs(
            SCHEDULES,
            remove=Verb("Delete a schedule.", declare_name, _NOUN.value(remove_named)),
            next=Verb(
                "Show the next slots.",
                _declare_next,
                _NOUN.rows(lambda all_, given: all_.next(given.name, given.count), _NEXT),
            ),
            run=Verb("Queue its invocation now.", declare_name, _NOUN.value(_run)),
        ),
    }
)
