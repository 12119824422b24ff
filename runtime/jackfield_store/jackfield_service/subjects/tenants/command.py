"""``jackfield workspaces``: tenants of the database and their settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.callers.rules import LISTS
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import Noun, declare_name, declare_nothing
from jackfield.kernel.clock import SystemClock
from jackfield_store.access.settings import WRITE_RULES
from jackfield_store.commands.quota_option import changed_quotas, declare_no_quota, declare_quota
from jackfield_store.commands.stored import actor, open_storage, workspaces_of

if TYPE_CHECKING:
    from jackfield_store.access import Workspaces

_SWITCHES = {
    "keep_inputs": ("keepInputs", "record inputs in the journal, redacted"),
    "keep_doubts": (
        "keepDoubts",
        "keep inputs and request of a call in doubt, encrypted, until it is settled",
    ),
    "allow_ambient": (
        "allowAmbient",
        "let connections created over HTTP or MCP use the server's identity",
    ),
    "allow_own_external_id": (
        "allowOwnExternalId",
        "let connections created over HTTP or MCP set their own External ID",
    ),
    "settle_absent": (
        "settleAbsent",
        "let a provider that has no trace of a call in doubt settle it as failed",
    ),
}
_LONGEST_DAYS = 3650
_COLUMNS = ("name", "createdAt", "keepInputs", "retentionDays", "rules")


def _declare_settings(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--allow",
        action="append",
        metavar="PATTERN",
        help="allow only what matches this pattern; repeatable",
    )
    parser.add_argument(
        "--block",
        action="append",
        metavar="PATTERN",
        help="block what matches this pattern, before --allow; repeatable",
    )
    parser.add_argument(
        "--approve",
        action="append",
        metavar="PATTERN",
        help="let what matches this pattern wait until a person approves it; repeatable",
    )
    parser.add_argument(
        "--retention-days",
        type=count(1, _LONGEST_DAYS),
        metavar="N",
        help="days to keep finished invocations (default 30)",
    )
    about = (
        "secret references for connections created over HTTP or MCP: env:ACME_*, "
        "file:/etc/acme/*; repeatable; or yes, no"
    )
    parser.add_argument("--allow-references", action="append", metavar="PATTERN", help=about)
    parser.add_argument(
        "--queue-rate",
        type=float,
        metavar="N",
        help="queued invocations begun per second, by all workers; 0 = unlimited",
    )
    parser.add_argument(
        "--queue-concurrency",
        type=int,
        metavar="N",
        help="queued invocations running at once; 0 = unlimited",
    )
    parser.add_argument(
        "--connection-rate",
        action="append",
        metavar="NAME=N",
        help=(
            "queued invocations per second over a connection, or over each other one (*=N); "
            "0 = unlimited; repeatable"
        ),
    )
    about = "queued invocations running at once over a connection; repeatable"
    parser.add_argument("--connection-concurrency", action="append", metavar="NAME=N", help=about)
    parser.add_argument(
        "--guard",
        action="append",
        metavar="NAME=JSON",
        help=(
            "the guard of a connection, or of each other one (*=JSON): {} refuses suppressed "
            "recipients, null removes it; repeatable"
        ),
    )
    declare_quota(parser)
    about = (
        "what becomes of a write without a key while an equal one is open; server: as "
        "JACKFIELD_TWINS says"
    )
    parser.add_argument("--twins", choices=("join", "allow", "server"), help=about)
    about = "what becomes of evidence about a call in doubt; server: as JACKFIELD_SETTLE says"
    parser.add_argument("--settle", choices=("off", "show", "on", "server"), help=about)
    about = "with 'ask', a write that no allow pattern names waits until a person approves it"
    parser.add_argument("--writes", choices=WRITE_RULES, help=about)
    for name, (_, about) in _SWITCHES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", choices=("yes", "no"), help=about)


def _declare_set(parser: Parser) -> None:
    _declare_settings(parser)
    parser.add_argument(
        "--no-allow", action="store_true", help="remove all allow patterns: everything is allowed"
    )
    parser.add_argument("--no-block", action="store_true", help="remove all block patterns")
    parser.add_argument(
        "--no-approve",
        action="store_true",
        help="remove all approve patterns: nothing waits for a person",
    )
    declare_no_quota(parser)


def _changes(arguments: Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {
        member: getattr(arguments, name) == "yes"
        for name, (member, _) in _SWITCHES.items()
        if getattr(arguments, name) is not None
    }
    words = arguments.allow_references
    if words is not None:
        changes["allowReferences"] = words == ["yes"] if words in (["yes"], ["no"]) else words
    changes |= {
        name: None if value == "server" else value
        for name in ("twins", "settle", "writes")
        if (value := getattr(arguments, name)) is not None
    }
    if arguments.retention_days is not None:
        changes["retentionDays"] = arguments.retention_days
    for name, member in (("queue_rate", "queueRate"), ("queue_concurrency", "queueConcurrency")):
        if getattr(arguments, name) is not None:
            changes[member] = getattr(arguments, name)
    if arguments.guard:
        changes["guards"] = dict(
            _parse_pair(word, json.loads, "--guard", arguments) for word in arguments.guard
        )
    if (quotas := changed_quotas(arguments)) is not None:
        changes["quotas"] = quotas
    budgets: dict[str, dict[str, float]] = {}
    for member, kind in (("rate", float), ("concurrency", int)):
        for word in getattr(arguments, f"connection_{member}") or ():
            connection, limit = _parse_pair(word, kind, f"--connection-{member}", arguments)
            budgets.setdefault(connection, {})[member] = limit
    if budgets:
        changes["connectionBudgets"] = budgets
    rules = {
        name: getattr(arguments, name) for name in LISTS if getattr(arguments, name) is not None
    }
    return changes | ({"rules": rules} if rules else {})


def _parse_pair(
    word: str, read: Callable[[str], Any], option: str, arguments: Namespace
) -> tuple[str, Any]:
    """Parse ``NAME=N`` or ``NAME=JSON``.

    :raises UsageError: if the value is neither a number nor JSON.
    """
    name, _, text = word.rpartition("=")
    try:
        return name, read(text)
    except ValueError:
        form, example = ("JSON", "'acme-ses={}'") if read is json.loads else ("N", "acme-ses=10")
        raise UsageError(
            f"{option} '{word[:80]}' is not NAME={form}",
            usage=arguments.usage,
            hint=f"Write {option} {example}.",
        ) from None


def _set(arguments: Namespace, output: Output) -> int:
    changes = _changes(arguments)
    for name in LISTS:
        if getattr(arguments, f"no_{name}"):
            if getattr(arguments, name):
                raise UsageError(
                    f"--{name} and --no-{name} cannot be combined", usage=arguments.usage
                )
            changes["rules"] = {**changes.get("rules", {}), name: []}
    if not changes:
        raise UsageError(
            "no setting is given",
            usage=arguments.usage,
            hint="See 'jackfield workspaces set --help'.",
        )
    with open_storage() as storage:
        output.value(workspaces_of(storage).set(arguments.name, changes).to_json())
    return 0


def _all(workspaces: Workspaces) -> list[dict[str, Any]]:
    found = workspaces.list()
    while page := workspaces.list(after=found[-1].name):
        found += page
    return [workspace.to_json() for workspace in found]


def _suspend(workspaces: Workspaces, arguments: Namespace, *, suspended: bool) -> object:
    return workspaces.set(arguments.name, {"suspended": suspended}).to_json()


def _declare_delete(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--purge",
        action="store_true",
        help="delete a suspended workspace for good: connections, keys, files, journal",
    )


def _delete(arguments: Namespace, output: Output) -> int:
    from jackfield_service.subjects.tenants import Tenants
    from jackfield_store.files import FileLimits, Files
    from jackfield_store.management.revoking import revoke_due
    from jackfield_store.runtime import Jackfield

    with open_storage() as storage:
        clock = SystemClock()

        def revoke() -> dict[str, bool]:
            return revoke_due(
                storage.database,
                clock,
                lambda name: Jackfield(name, storage=storage).connections.revoking(),
                storage.blocked,
            )

        tenants = Tenants(storage, Files(storage, FileLimits(), clock), clock, "*", actor(), revoke)
        output.value(
            tenants.purge(arguments.name) if arguments.purge else tenants.suspend(arguments.name)
        )
    return 0


@contextmanager
def _open_workspaces(_arguments: Namespace) -> Iterator[Workspaces]:
    with open_storage() as storage:
        yield workspaces_of(storage)


_NOUN = Noun(_open_workspaces)
VERBS = {
    "create": Verb(
        "Create a workspace.",
        _declare_settings,
        _NOUN.value(lambda all_, given: all_.create(given.name, _changes(given)).to_json()),
    ),
    "list": Verb(
        "List the workspaces.",
        declare_nothing,
        _NOUN.rows(lambda all_, _given: _all(all_), _COLUMNS),
    ),
    "show": Verb(
        "Print a workspace and its settings.",
        declare_name,
        _NOUN.value(lambda all_, given: all_.find(given.name).to_json()),
    ),
    "suspend": Verb(
        "Refuse all calls of a workspace, at once.",
        declare_name,
        _NOUN.value(partial(_suspend, suspended=True)),
    ),
    "resume": Verb(
        "Let a suspended workspace run again.",
        declare_name,
        _NOUN.value(partial(_suspend, suspended=False)),
    ),
    "delete": Verb(
        "Suspend a workspace and revoke its tokens; then, with --purge, delete it.",
        _declare_delete,
        _delete,
    ),
    "set": Verb("Change settings of a workspace; the others stay unchanged.", _declare_set, _set),
}
