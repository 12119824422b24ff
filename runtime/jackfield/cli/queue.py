"""``jackfield queue``: figures of the queue, dead letters, and queueing them again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import actor, declare_pages, declare_workspace, open_storage, pages, selected_workspace
from jackfield.clock import SystemClock, iso
from jackfield.errors import IdempotencyConflict, InvalidInvocation
from jackfield.journal.queue_stats import queue_stats
from jackfield.management.dead_letters import audited_dead_letters

if TYPE_CHECKING:
    from jackfield.database import Row
    from jackfield.journal.dead_letters import DeadLetters
    from jackfield.resources.storage import Storage

_STATS = ("workspace", "queued", "delayed", "released", "running", "dead", "oldestSeconds")
_DEAD = ("invocationId", "connector", "action", "connection", "deliveries", "createdAt", "deadAt", "idempotencyKey")
_PAGE = 200


def _declare_stats(parser: Parser) -> None:
    parser.add_argument("--workspace", metavar="WORKSPACE", help="only this workspace (default: all)")


def _stats(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        if arguments.workspace is not None:
            storage.require(arguments.workspace)
        found = queue_stats(storage.database, SystemClock())
    rows = [{"workspace": name, **figures} for name, figures in found.items() if arguments.workspace in (None, name)]
    output.rows(rows, _STATS)
    return 0


def _letters(arguments: Namespace, storage: Storage) -> DeadLetters:
    return audited_dead_letters(storage.database, selected_workspace(arguments, storage), SystemClock(), actor())


def _declare_dead(parser: Parser) -> None:
    declare_workspace(parser)
    declare_pages(parser)


def _dead(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        found = pages(arguments, _letters(arguments, storage).page)
    output.rows([_row(row) for row in found], _DEAD)
    return 0


def _row(row: Row) -> dict[str, Any]:
    about = {
        "invocationId": row.id, "connector": row.connector, "action": row.action, "connection": row.connection,
        "idempotencyKey": row.idempotency_key, "createdAt": iso(row.created_at), "deadAt": iso(row.dead_at),
        "deliveries": len(json.loads(row.deliveries or "[]")),
    }  # fmt: skip
    return {name: value for name, value in about.items() if value is not None}


def _declare_redrive(parser: Parser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="a dead invocation; 'jackfield queue dead' lists them")
    parser.add_argument("--all", action="store_true", help="all dead invocations of the workspace")
    declare_workspace(parser)


def _redrive(arguments: Namespace, output: Output) -> int:
    if bool(arguments.ids) == arguments.all:
        raise UsageError("give the IDs of dead invocations, or --all", usage=arguments.usage, hint="'jackfield queue dead' lists them.")
    done: list[str] = []
    refused: list[dict[str, Any]] = []
    with open_storage() as storage:
        letters = _letters(arguments, storage)
        for identifier in list(_every(letters)) if arguments.all else arguments.ids:
            try:
                done.append(letters.redrive(identifier).id)
            except (InvalidInvocation, IdempotencyConflict) as error:
                refused.append({"invocationId": identifier, "error": error.to_json("cli")})
                sys.stderr.write(f"jackfield: {error.message}\n")
    output.value({"redriven": done, "refused": refused})
    return 2 if refused else 0


def _every(letters: DeadLetters) -> Iterator[str]:
    """Yield the ids of all dead letters, the oldest last."""
    cursor: str | None = None
    while True:
        rows, cursor = letters.page(cursor, _PAGE)
        yield from (row.id for row in rows)
        if cursor is None:
            return


VERBS = {
    "stats": Verb("Count queued, delayed, released, running and dead invocations by workspace.", _declare_stats, _stats),
    "dead": Verb("List dead invocations: given up after too many lost workers.", _declare_dead, _dead),
    "redrive": Verb("Queue dead invocations again, with a fresh count of deliveries.", _declare_redrive, _redrive),
}
