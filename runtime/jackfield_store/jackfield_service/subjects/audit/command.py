"""``jackfield audit``: list, verify, anchor and export the audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jackfield import __version__
from jackfield.cli.parsing import Namespace, Parser, Verb, declare_workspace
from jackfield.cli.session import Noun, declare_list, pages, read_moment
from jackfield.kernel.clock import SystemClock, iso
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.callbacks.callbacks import MOST, Callbacks
from jackfield_service.subjects.events.event import fits
from jackfield_store.access import Audit
from jackfield_store.access.ocsf import ocsf_event
from jackfield_store.commands.stored import actor, open_storage, selected_workspace

if TYPE_CHECKING:
    from jackfield.cli.output import Output
    from jackfield_store.resources.storage import Storage

_COLUMNS = ("sequence", "at", "actor", "event", "object", "details")
_TIME = "a time (RFC 3339), a date, or a duration back such as 1d"
_BROKEN = 1
_CALLBACK = "callback"
_ANCHORED = "head.anchored"


@contextmanager
def _open_audit(arguments: Namespace) -> Iterator[Audit]:
    with open_storage() as storage:
        yield Audit(
            storage.database,
            lambda: storage.vault,
            selected_workspace(arguments, storage),
            SystemClock(),
            actor(),
        )


def _declare_list(parser: Parser) -> None:
    parser.add_argument(
        "--actor",
        metavar="ACTOR",
        help="only this actor, such as token:ID or cli:NAME; a final * matches any ending",
    )
    parser.add_argument(
        "--object",
        metavar="OBJECT",
        help="only this object, such as connection:NAME; a final * matches any ending",
    )
    parser.add_argument(
        "--event",
        metavar="EVENT",
        help="only this event, such as connection.created or connection.*",
    )
    parser.add_argument("--since", metavar="TIME", help=f"only entries from then on: {_TIME}")
    parser.add_argument(
        "--until", metavar="TIME", help="only entries before then, or up to the end of that day"
    )
    declare_list(parser)


def _list(log: Audit, arguments: Namespace) -> list[dict[str, Any]]:
    times = {
        "since": read_moment(arguments, "since", -1),
        "until": read_moment(arguments, "until", -1, ends=True),
    }
    wanted = {
        "actor": arguments.actor,
        "target": arguments.object,
        "event": arguments.event,
        **times,
    }
    return [
        entry.to_json()
        for entry in pages(
            arguments, lambda cursor, limit: log.list(**wanted, cursor=cursor, limit=limit)
        )
    ]


def _declare_verify(parser: Parser) -> None:
    parser.add_argument(
        "--head",
        metavar="HEAD",
        help=(
            "a head that was kept outside the database, or @FILE: the newest in a file of "
            "'audit head'"
        ),
    )
    declare_workspace(parser)


def _verify(arguments: Namespace, output: Output) -> int:
    with _open_audit(arguments) as log:
        state = log.verify(_head_to_compare(arguments.head, log.workspace))
    output.value(state.to_json())
    return 0 if state.fault is None else _BROKEN


def _head_to_compare(given: str | None, workspace: str) -> str | None:
    """Return the head to compare with: ``given``, or for ``@FILE`` the workspace's newest head in
    the file. None if no head is given.

    :raises InvalidInvocation: if the file cannot be read, or has no head of the workspace.
    """
    if given is None or not given.startswith("@"):
        return given
    try:
        with open(given[1:], encoding="utf-8") as file:
            heads = [row["head"] for row in map(json.loads, file) if row["workspace"] == workspace]
    except OSError as fault:
        raise InvalidInvocation(
            f"the file '{given[1:201]}' cannot be read: {fault.strerror}"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise InvalidInvocation(
            f"the file '{given[1:201]}' is none that 'jackfield audit head --to FILE' wrote"
        ) from None
    if not heads:
        raise InvalidInvocation(
            f"the file '{given[1:201]}' has no head of the workspace '{workspace}'"
        )
    return str(heads[-1])


def _declare_head(parser: Parser) -> None:
    parser.add_argument(
        "--to",
        metavar="PLACE",
        help=(
            "append it to this file, or, with 'callback', send it to the workspace's "
            "callbacks that take audit.*"
        ),
    )
    declare_workspace(parser)


def _head(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        workspace = selected_workspace(arguments, storage)
        log = Audit(storage.database, lambda: storage.vault, workspace, SystemClock(), actor())
        about: dict[str, Any] = {
            "workspace": workspace,
            "at": iso(SystemClock().time()),
            "head": log.head(),
        }
        if arguments.to == _CALLBACK:
            about["callbacks"] = _takers(storage, workspace)
            log.record(_ANCHORED, "audit", {"head": about["head"]})
        elif arguments.to is not None:
            _append(arguments.to, about)
            about["file"] = arguments.to
    output.value(about)
    return 0


def _takers(storage: Storage, workspace: str) -> int:
    """Return the number of callbacks of a workspace that receive its head.

    :raises InvalidInvocation: if no callback receives it.
    """
    callbacks = Callbacks(
        storage.database, storage.vault, workspace, SystemClock(), actor(), origin="operator"
    )
    found, _ = callbacks.page(limit=MOST)
    count = sum(
        one.status == "active"
        and bool(one.options.types)
        and fits(f"audit.{_ANCHORED}", one.options.types)
        for one in found
    )
    if not count:
        hint = f"Add one: jackfield callbacks add URL --types 'audit.*' --workspace {workspace}"
        raise InvalidInvocation(
            f"no callback of the workspace '{workspace}' takes audit.{_ANCHORED}", hint=hint
        )
    return count


def _append(path: str, about: Mapping[str, Any]) -> None:
    """Append a line to a file, and sync it to the disk."""
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8"
        ) as file:
            file.write(json.dumps(about) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        hint = "Give a file in a writable folder, outside the machine of the database."
        raise InvalidInvocation(
            f"the file '{path[:200]}' cannot be written: {fault.strerror}", hint=hint
        ) from None


def _declare_export(parser: Parser) -> None:
    parser.add_argument("--out", metavar="FILE", help="write to this new file (default: stdout)")
    parser.add_argument("--since", metavar="TIME", help=f"only entries from then on: {_TIME}")
    parser.add_argument(
        "--format",
        choices=("jsonl", "ocsf"),
        default="jsonl",
        help="as they are, or as events of OCSF 1.3 for a SIEM",
    )
    declare_workspace(parser)


def _export(arguments: Namespace, output: Output) -> int:
    with _open_audit(arguments) as log:
        entries = _exported(
            log, read_moment(arguments, "since", -1), as_ocsf=arguments.format == "ocsf"
        )
        if arguments.out is None:
            for entry in entries:
                output.line(entry)
        else:
            output.value(
                {"file": arguments.out, "exported": _write_entries(arguments.out, entries)}
            )
    return 0


def _exported(log: Audit, since: float | None, *, as_ocsf: bool) -> Iterator[Mapping[str, Any]]:
    """Yield the entries since a time in the chosen form, oldest first. A damaged entry, whose time
    may be unknown, is always included.
    """
    first = "" if since is None else iso(since) or ""
    for entry in log.all():
        shown = entry.to_json()
        if entry.damage is not None or str(shown["at"]) >= first:
            yield ocsf_event(shown, log.workspace, __version__) if as_ocsf else shown


def _write_entries(path: str, entries: Iterable[Mapping[str, Any]]) -> int:
    """Write the entries to a new file, readable by its owner only, and return their number."""
    count = 0
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            for entry in entries:
                file.write(json.dumps(entry) + "\n")
                count += 1
    except OSError as fault:
        hint = "Give a new file in a writable folder."
        raise InvalidInvocation(
            f"the file '{path[:200]}' cannot be written: {fault.strerror}", hint=hint
        ) from None
    return count


VERBS = {
    "list": Verb(
        "List the entries, newest first.", _declare_list, Noun(_open_audit).rows(_list, _COLUMNS)
    ),
    "verify": Verb(
        "Check the hash chain; exit code 1 if an entry was changed or removed.",
        _declare_verify,
        _verify,
    ),
    "head": Verb(
        "Print the newest entry's number and digest, to be kept outside the database.",
        _declare_head,
        _head,
    ),
    "export": Verb("Write the entries as JSON Lines, oldest first.", _declare_export, _export),
}
