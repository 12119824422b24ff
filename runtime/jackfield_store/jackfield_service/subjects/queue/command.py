"""``jackfield queue``: figures of the queue, dead letters, and queueing them again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, declare_workspace
from jackfield.cli.session import Noun, declare_list, declare_nothing, every, pages
from jackfield.kernel.clock import SystemClock, iso
from jackfield.kernel.errors import IdempotencyConflict, InvalidInvocation
from jackfield.kernel.local import account_key
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.commands.stored import actor, open_storage, selected_workspace
from jackfield_store.database.hold import Hold, end_hold, find_hold, set_hold
from jackfield_store.journal.queue_stats import KINDS, NAMES, queue_stats, waiting_kinds
from jackfield_store.management.dead_letters import audited_dead_letters

if TYPE_CHECKING:
    from jackfield_store.database import Row
    from jackfield_store.journal.dead_letters import DeadLetters

_STATS = ("workspace", "queued", "delayed", "released", "running", "dead", "oldestSeconds")
_NOTHING: dict[str, Any] = {**dict.fromkeys(NAMES, 0), "oldestSeconds": None}
_DEAD = (
    "invocationId",
    "connector",
    "action",
    "connection",
    "deliveries",
    "createdAt",
    "deadAt",
    "idempotencyKey",
)


def _declare_stats(parser: Parser) -> None:
    parser.add_argument(
        "--workspace", metavar="WORKSPACE", help="only this workspace (default: all)"
    )


def _stats(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        if arguments.workspace is not None:
            storage.require(arguments.workspace)
        found, hold = queue_stats(storage.database, SystemClock()), find_hold(storage.database)
        kinds = {} if hold is None else waiting_kinds(storage.database, SystemClock())
    if hold is not None:
        sys.stderr.write(f"jackfield: {hold.warning}\n")
        held = {"held": hold.to_json()}
        found = {
            name: {**found.get(name, _NOTHING), **kinds.get(name, {}), **held}
            for name in sorted({*found, *kinds})
        }
    for name, figures in found.items():
        if "blocked" in figures and arguments.workspace in (None, name):
            sys.stderr.write(
                f"jackfield: nothing of the workspace '{name}' is begun at present: "
                f"{figures['blocked']['reason']}\n"
            )
    rows = [
        {"workspace": name, **figures}
        for name, figures in found.items()
        if arguments.workspace in (None, name)
    ]
    output.rows(rows, _STATS if hold is None else (*_STATS, *KINDS))
    return 0


def _declare_hold(parser: Parser) -> None:
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        default="",
        help="why, for others who see that the queue is held",
    )


def _hold(arguments: Namespace, output: Output) -> int:
    hold = Hold(time.time(), account_key(), arguments.reason[:200])
    with open_storage() as storage, storage.database.write() as transaction:
        done = set_hold(transaction, hold)
        if done:
            Audit(storage.database, lambda: storage.vault, DEFAULT, SystemClock(), actor()).append(
                transaction, "queue.held", "queue", {"reason": hold.reason}
            )
    with open_storage() as storage:
        found = find_hold(storage.database) or hold
    output.value({"held": found.to_json(), "changed": done})
    return 0


def _release(_arguments: Namespace, output: Output) -> int:
    with open_storage() as storage, storage.database.write() as transaction:
        done = end_hold(transaction)
        if done:
            Audit(storage.database, lambda: storage.vault, DEFAULT, SystemClock(), actor()).append(
                transaction, "queue.released", "queue"
            )
    output.value({"released": done})
    return 0


@contextmanager
def _letters(arguments: Namespace) -> Iterator[DeadLetters]:
    with open_storage() as storage:
        yield audited_dead_letters(
            storage, selected_workspace(arguments, storage), SystemClock(), actor()
        )


def _dead(letters: DeadLetters, arguments: Namespace) -> list[dict[str, Any]]:
    return [_row(row) for row in pages(arguments, letters.page)]


def _row(row: Row) -> dict[str, Any]:
    about = {
        "invocationId": row.id,
        "connector": row.connector,
        "action": row.action,
        "connection": row.connection,
        "idempotencyKey": row.idempotency_key,
        "createdAt": iso(row.created_at),
        "deadAt": iso(row.dead_at),
        "deliveries": len(json.loads(row.deliveries or "[]")),
    }
    return {name: value for name, value in about.items() if value is not None}


def _declare_redrive(parser: Parser) -> None:
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="a dead invocation; 'jackfield queue dead' lists them"
    )
    parser.add_argument("--all", action="store_true", help="all dead invocations of the workspace")
    declare_workspace(parser)


def _redrive(arguments: Namespace, output: Output) -> int:
    if bool(arguments.ids) == arguments.all:
        raise UsageError(
            "give the IDs of dead invocations, or --all",
            usage=arguments.usage,
            hint="'jackfield queue dead' lists them.",
        )
    done: list[str] = []
    refused: list[dict[str, Any]] = []
    with _letters(arguments) as letters:
        for identifier in (
            [row.id for row in every(letters.page)] if arguments.all else arguments.ids
        ):
            try:
                done.append(letters.redrive(identifier).id)
            except (InvalidInvocation, IdempotencyConflict) as error:
                refused.append({"invocationId": identifier, "error": error.to_json("cli")})
                sys.stderr.write(f"jackfield: {error.message}\n")
    output.value({"redriven": done, "refused": refused})
    return 2 if refused else 0


VERBS = {
    "hold": Verb(
        "Hold the queue: nothing that waits begins, of any workspace. Direct calls go on.",
        _declare_hold,
        _hold,
    ),
    "release": Verb("Let the queue go that was held.", declare_nothing, _release),
    "stats": Verb(
        "Count queued, delayed, released, running and dead invocations by workspace.",
        _declare_stats,
        _stats,
    ),
    "dead": Verb(
        "List dead invocations: given up after too many lost workers.",
        declare_list,
        Noun(_letters).rows(_dead, _DEAD),
    ),
    "redrive": Verb(
        "Queue dead invocations again, with a fresh count of deliveries.",
        _declare_redrive,
        _redrive,
    ),
}
