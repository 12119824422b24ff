"""``jackfield invocations``: query the journal, resolve invocations in doubt, purge."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from jackfield.call.unstored import required
from jackfield.catalog import entry_points
from jackfield.cli.batch import ProgressWriter, run_one
from jackfield.cli.interrupt import interruptible
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, declare_workspace
from jackfield.cli.quantities import count, duration
from jackfield.cli.session import (
    Noun,
    caller,
    declare_id,
    declare_list,
    declare_one,
    open_jackfield,
    pages,
    read_moment,
)
from jackfield.composition import plugins_of
from jackfield.gates.policies import deciding
from jackfield.invocation.request import MAX_JOB_TIMEOUT
from jackfield.invocation.wire import decode
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import account_key
from jackfield_store.access import WorkspaceAccess
from jackfield_store.commands.stored import open_storage, selected_workspace
from jackfield_store.journal.entry import LONGEST_NOTE
from jackfield_store.journal.exchanges import NOT_CAPTURED, curl_of, exchanges_of, no_exchanges
from jackfield_store.journal.journal import Journal
from jackfield_store.runtime import stored
from jackfield_store.runtime.evidence_loop import look_now

_STATUS = ("waiting", "queued", "running", "succeeded", "failed", "in_doubt", "cancelled", "dead")
_TOO_LATE = {
    "running": "A request that was sent is not interrupted.",
    "in_doubt": (
        "Its request was sent: 'jackfield invocations resolve' settles whether it took effect."
    ),
}
_COLUMNS = (
    "invocationId",
    "status",
    "connector",
    "action",
    "connection",
    "createdAt",
    "idempotencyKey",
)
_SHORT, _WHOLE = 13, 36
"""Length of the timestamp part of an ID (UUIDv7), and of a whole ID."""
_DECISIVE = {"matched": "succeeded", "refused": "failed"}
"""Outcome that each decisive result of a look proves."""
_LEFT_TO_YOU = (
    "look {number} is decisive ({result}), and 'settle' leaves it to you to say so: 'jackfield "
    "invocations resolve {id} --as {outcome} "
    "--because {number}'; with JACKFIELD_SETTLE=on such looks settle doubts themselves"
)
_PREFIX = re.compile(r"[0-9a-f-]{4,35}")
_STATS = (
    "connector",
    "action",
    "status",
    "invocations",
    "attempts",
    "meanSeconds",
    "longestSeconds",
)


@contextmanager
def _open_journal(arguments: Namespace) -> Iterator[Journal]:
    """Open the workspace's journal, after settling invocations of dead processes."""
    with open_storage() as storage:
        workspace = selected_workspace(arguments, storage)
        access = WorkspaceAccess(storage, workspace, SystemClock())
        judge = deciding(
            plugins_of(storage.environment, entry_points().get("jackfield.plugins", ()))
        )
        journal = Journal(
            storage.database,
            storage.vault,
            workspace,
            SystemClock(),
            lambda: access.settings.retention,
            judge,
        )
        journal.recover()
        yield journal


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--status", choices=_STATUS, help="only this status")
    parser.add_argument("--connector", metavar="CONNECTOR", help="only this connector")
    parser.add_argument("--action", metavar="ACTION", help="only this action")
    parser.add_argument("--connection", metavar="NAME", help="only this connection")
    parser.add_argument(
        "--since", metavar="WHEN", help="from a duration ago, such as 7d, or from a date"
    )
    parser.add_argument(
        "--until", metavar="WHEN", help="until a duration ago, or until the end of a date"
    )
    parser.add_argument("--idempotency-key", metavar="KEY", help="only this idempotency key")
    parser.add_argument("--correlation-id", metavar="ID", help="only this correlation ID")
    parser.add_argument("--label", metavar="NAME[=VALUE]", help="only this label")
    parser.add_argument("--error-code", metavar="CODE", help="only this error code")
    parser.add_argument("--caller", metavar="WHO", help="only this token or user")
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="only with this text in an ID, name, key, error code or context",
    )
    declare_list(parser)


def _list(arguments: Namespace, output: Output) -> int:
    filters = {
        "status": arguments.status,
        "connector": arguments.connector,
        "action": arguments.action,
        "connection": arguments.connection,
        "since": read_moment(arguments, "since", -1),
        "until": read_moment(arguments, "until", -1, ends=True),
        "caller": arguments.caller,
        "idempotencyKey": arguments.idempotency_key,
        "correlationId": arguments.correlation_id,
        "label": arguments.label,
        "errorCode": arguments.error_code,
        "q": arguments.search,
    }
    with _open_journal(arguments) as journal:
        found = pages(
            arguments, lambda cursor, limit: journal.entries(**filters, cursor=cursor, limit=limit)
        )
    rows = [entry.to_json() for entry in found]
    output.rows(_shortened(rows) if output.for_people else rows, _COLUMNS)
    for entry in found:
        if entry.problem is not None:
            how = "" if entry.damage is None else " cannot be shown completely"
            sys.stderr.write(f"jackfield: the invocation {entry.id}{how}: {entry.problem}\n")
    return 0


def _shortened(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Shorten the ids in a table to prefixes that distinguish the rows."""
    ids = [row["invocationId"] for row in rows]
    length = next(
        (size for size in range(_SHORT, _WHOLE) if len({text[:size] for text in ids}) == len(ids)),
        _WHOLE,
    )
    return [{**row, "invocationId": row["invocationId"][:length]} for row in rows]


def _identified(journal: Journal, text: str) -> str:
    """Complete the prefix of an invocation's ID; return it unchanged if no ID begins with it.

    :raises InvalidInvocation: if several IDs begin with it.
    """
    if not _PREFIX.fullmatch(text):
        return text
    ids = journal.completions(text)
    if len(ids) > 1:
        raise InvalidInvocation(
            f"several invocations begin with '{text}'",
            hint=f"Give more of the ID, such as '{ids[0]}'.",
        )
    return ids[0] if ids else text


def _declare_wait(parser: Parser) -> None:
    declare_id(parser)
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration(MAX_JOB_TIMEOUT),
        help="wait no longer (default: until it ends)",
    )
    declare_workspace(parser)


def _wait(arguments: Namespace, output: Output) -> int:
    cancelled, follow = threading.Event(), ProgressWriter()
    with _open_journal(arguments) as journal:
        identifier = _identified(journal, arguments.id)
    with open_jackfield(arguments) as jackfield, interruptible(cancelled.set):
        waited = partial(jackfield.wait, identifier, arguments.timeout, follow=follow)
        result = run_one(lambda left: waited(cancelled=left), cancelled)
        output.value(result.to_json("cli"))
    return result.exit_code


def _declare_cancel(parser: Parser) -> None:
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="an invocation; a unique prefix of its ID is enough"
    )
    parser.add_argument(
        "--connector", metavar="CONNECTOR", help="all queued ones of this connector"
    )
    parser.add_argument(
        "--before",
        metavar="WHEN",
        help="all queued ones that were due before a duration ago, such as 2h, or before a date",
    )
    declare_workspace(parser)


def _cancel(arguments: Namespace, output: Output) -> int:
    filtered = arguments.connector is not None or arguments.before is not None
    if arguments.id is not None and not filtered:
        return _cancel_one(arguments, output)
    if arguments.id is not None or not (filtered or arguments.workspace):
        text = (
            "give the ID of an invocation, or one or more of --workspace, --connector and --before"
        )
        raise UsageError(text, usage=arguments.usage)
    return _cancel_all(arguments, output)


def _cancel_all(arguments: Namespace, output: Output) -> int:
    """Cancel queued calls that have not started, by connector and by due time."""
    before = read_moment(arguments, "before", -1)
    with _open_journal(arguments) as journal:
        done = [
            identifier
            for identifier in journal.waiting(arguments.connector, before)
            if journal.cancel_queued(identifier)
        ]
    output.value({"cancelled": len(done), "ids": done})
    return 0


def _cancel_one(arguments: Namespace, output: Output) -> int:
    with _open_journal(arguments) as journal:
        identifier = _identified(journal, arguments.id)
    with open_jackfield(arguments) as jackfield:
        if not jackfield.cancel(identifier):
            status = required(jackfield.journal).find(identifier).status
            hint = _TOO_LATE.get(status)
            raise InvalidInvocation(
                f"it is too late to cancel: the invocation is {status}", hint=hint
            )
        output.value(required(jackfield.journal).find(identifier).to_json())
    return 0


def _declare_stats(parser: Parser) -> None:
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="from a duration ago, such as 7d, or from a date (default: the whole journal)",
    )
    declare_workspace(parser)


def _declare_resolve(parser: Parser) -> None:
    declare_id(parser)
    parser.add_argument(
        "--as",
        dest="outcome",
        required=True,
        choices=("succeeded", "failed"),
        help="the outcome, as confirmed with the provider",
    )
    parser.add_argument(
        "--note", default="", metavar="TEXT", help="how you know it; kept with the entry"
    )
    parser.add_argument(
        "--output",
        metavar="JSON",
        help="the output of a success, by the action's schema; it is replayed from then on",
    )
    parser.add_argument(
        "--because",
        type=count(1, 10_000),
        metavar="N",
        help="the number of the look that shows it; kept with the entry",
    )
    declare_workspace(parser)


def _resolve(arguments: Namespace, output: Output) -> int:
    given = None if arguments.output is None else _read_output(arguments.output)
    with _open_journal(arguments) as journal:
        identifier, who = _identified(journal, arguments.id), account_key()
        decided = (
            identifier,
            arguments.outcome,
            who,
            arguments.note[:LONGEST_NOTE],
            arguments.because,
        )
        if given is None:
            output.value(journal.resolve(*decided).to_json())
    if given is not None:  # which the connector's schema judges
        with open_jackfield(arguments) as jackfield:
            output.value(jackfield.journal_of().resolve(*decided, given).to_json())
    return 0


def _read_output(text: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = decode(text)
    except InvalidInvocation as error:
        raise InvalidInvocation(
            error.message.replace("the invocation", "the output"), hint="Write it as a JSON object."
        ) from None
    return found


def _look(arguments: Namespace, output: Output) -> int:
    with _open_journal(arguments) as journal:
        identifier = journal.find(_identified(journal, arguments.id)).id
    with open_jackfield(arguments) as jackfield:
        look_now(stored(jackfield), identifier)
        entry = required(jackfield.journal).find(identifier)
        output.value(entry.to_json())
    last = entry.looks[-1] if entry.looks else {}
    outcome = _DECISIVE.get(last.get("result", ""))
    if entry.status == "in_doubt" and outcome is not None:
        sys.stderr.write(
            f"jackfield: {_LEFT_TO_YOU.format(id=identifier, outcome=outcome, **last)}\n"
        )
    return 0


def _ask(arguments: Namespace, output: Output) -> int:
    with _open_journal(arguments) as journal:
        identifier = journal.find(_identified(journal, arguments.id)).id
    with open_jackfield(arguments) as jackfield:
        result = jackfield.ask(identifier, caller=caller())
        output.value(required(jackfield.journal).find(identifier).to_json())
    return result.exit_code


def _declare_exchanges(parser: Parser) -> None:
    declare_id(parser)
    parser.add_argument(
        "--curl",
        action="store_true",
        help="print each request as a command line of curl, with *** for secrets",
    )
    declare_workspace(parser)


def _exchanges(arguments: Namespace, output: Output) -> int:
    with _open_journal(arguments) as journal:
        entry = journal.find(_identified(journal, arguments.id))
        found = exchanges_of(journal, entry.id)
    if found is None:
        raise no_exchanges(entry)
    if not found["captured"]:
        sys.stderr.write(f"jackfield: {NOT_CAPTURED}\n")
    if arguments.curl:
        output.text("".join(f"{curl_of(one)}\n" for one in found["exchanges"]))
    else:
        output.value({"invocationId": entry.id, **found})
    return 0


_NOUN = Noun(_open_journal)
VERBS = {
    "list": Verb("List invocations, newest first.", _declare_list, _list),
    "show": Verb(
        "Print an invocation and its Result.",
        declare_one,
        _NOUN.value(lambda journal, given: journal.find(_identified(journal, given.id)).to_json()),
    ),
    "wait": Verb(
        "Wait for the end of an invocation, and print its Result; poll its job meanwhile.",
        _declare_wait,
        _wait,
    ),
    "cancel": Verb(
        "Cancel an invocation that was not sent, or a job that its provider can cancel; or all "
        "queued ones that filters match.",
        _declare_cancel,
        _cancel,
    ),
    "stats": Verb(
        "Count invocations by connector, action and status.",
        _declare_stats,
        _NOUN.rows(
            lambda journal, given: journal.stats(read_moment(given, "since", -1) or 0.0), _STATS
        ),
    ),
    "resolve": Verb("Resolve an invocation in doubt.", _declare_resolve, _resolve),
    "look": Verb(
        "Ask the provider now what became of an invocation in doubt, and print it.",
        declare_one,
        _look,
    ),
    "ask": Verb(
        "Send the request of an invocation in doubt again, under its key, and print it.",
        declare_one,
        _ask,
    ),
    "exchanges": Verb(
        "Print what was sent to the provider and what came back: of calls that failed, are in "
        "doubt, or were traced.",
        _declare_exchanges,
        _exchanges,
    ),
    "purge": Verb(
        "Delete invocations past their retention; the runtime also does so automatically.",
        declare_workspace,
        _NOUN.value(lambda journal, _given: {"purged": journal.purge()}),
    ),
}
