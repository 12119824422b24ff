"""``jackfield audit``: list, verify and export the audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jackfield.access import Audit
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import Noun, declare_list, declare_workspace, open_storage, pages, selected_workspace
from jackfield.clock import SystemClock
from jackfield.errors import InvalidInvocation

if TYPE_CHECKING:
    from jackfield.cli.output import Output

_COLUMNS = ("sequence", "at", "actor", "event", "object", "details")
_BROKEN = 1


@contextmanager
def _opened(arguments: Namespace) -> Iterator[Audit]:
    with open_storage() as storage:
        yield Audit(storage.database, selected_workspace(arguments, storage), SystemClock())


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--actor", metavar="ACTOR", help="only this actor, such as token:ID or cli:NAME; a final * matches any ending")
    parser.add_argument("--object", metavar="OBJECT", help="only this object, such as connection:NAME; a final * matches any ending")
    parser.add_argument("--event", metavar="EVENT", help="only this event, such as connection.created or connection.*")
    declare_list(parser)


def _list(log: Audit, arguments: Namespace) -> list[dict[str, Any]]:
    wanted = {"actor": arguments.actor, "target": arguments.object, "event": arguments.event}
    return [entry.to_json() for entry in pages(arguments, lambda cursor, limit: log.list(**wanted, cursor=cursor, limit=limit))]


def _declare_verify(parser: Parser) -> None:
    parser.add_argument("--head", metavar="HEAD", help="a head printed by an earlier verification and stored outside the database")
    declare_workspace(parser)


def _verify(arguments: Namespace, output: Output) -> int:
    with _opened(arguments) as log:
        state = log.verify(arguments.head)
    output.value(state.to_json())
    return 0 if state.fault is None else _BROKEN


def _declare_export(parser: Parser) -> None:
    parser.add_argument("--out", metavar="FILE", help="write to this new file (default: stdout)")
    declare_workspace(parser)


def _export(arguments: Namespace, output: Output) -> int:
    with _opened(arguments) as log:
        entries = (entry.to_json() for entry in log.all())
        if arguments.out is None:
            for entry in entries:
                output.line(entry)
        else:
            output.value({"file": arguments.out, "exported": _written(arguments.out, entries)})
    return 0


def _written(path: str, entries: Iterable[Mapping[str, Any]]) -> int:
    """Write the entries to a new file, readable by its owner only, and return their number."""
    count = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            for entry in entries:
                file.write(json.dumps(entry) + "\n")
                count += 1
    except OSError as fault:
        hint = "Give a new file in a writable folder."
        raise InvalidInvocation(f"the file '{path[:200]}' cannot be written: {fault.strerror}", hint=hint) from None
    return count


VERBS = {
    "list": Verb("List the entries, newest first.", _declare_list, Noun(_opened).rows(_list, _COLUMNS)),
    "verify": Verb("Check the hash chain; exit code 1 if an entry was changed or removed.", _declare_verify, _verify),
    "export": Verb("Write all entries as JSON Lines, oldest first.", _declare_export, _export),
}
