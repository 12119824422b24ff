"""``jackfield tokens``: create, list, revoke and explain access tokens."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from jackfield.callers import INLINE, Request, Rules, scope_of
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, declare_workspace
from jackfield.cli.session import declare_one, declare_pages, pages, read_moment
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import UnknownConnection
from jackfield_store.access import Tokens
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.commands.quota_option import declare_quota, read_quotas
from jackfield_store.commands.stored import actor, open_storage, selected_workspace

if TYPE_CHECKING:
    from jackfield_store.access.tokens import NewToken
    from jackfield_store.resources.storage import Storage

_COLUMNS = ("id", "name", "scope", "status", "createdAt", "expiresAt", "lastUsedAt")
_PLATFORM_COLUMNS = ("id", "name", "workspaces", "status", "createdAt", "expiresAt", "lastUsedAt")
_REFUSED = 1
_NEVER_EXPIRES = "jackfield: this token never expires; use --expires 90d to limit it\n"
_SHOWN_ONCE = "jackfield: copy the token now; it is not shown again\n"


def _declare_create(parser: Parser) -> None:
    about = (
        "read: view; invoke: view and run; manage: all but approve; approve: view, and "
        "decide on calls that wait; repeatable"
    )
    parser.add_argument(
        "--scope", action="append", choices=("read", "invoke", "manage", "approve"), help=about
    )
    parser.add_argument(
        "--kind",
        choices=("workspace", "platform"),
        default="workspace",
        help=(
            "platform: manages workspaces over HTTP, and reads no secret, input or output of "
            "theirs (default: workspace)"
        ),
    )
    parser.add_argument(
        "--workspaces",
        metavar="PATTERN",
        help="the workspaces of a platform's token: a name, or the beginning of names and *",
    )
    declare_workspace(parser)
    parser.add_argument(
        "--name",
        default="",
        metavar="NAME",
        help="a name for people, such as what the token is for (default: the time)",
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="PATTERN",
        help="allow only what matches this pattern; repeatable",
    )
    parser.add_argument(
        "--block",
        action="append",
        default=[],
        metavar="PATTERN",
        help="block what matches this pattern, before --allow; repeatable",
    )
    parser.add_argument(
        "--approve",
        action="append",
        default=[],
        metavar="PATTERN",
        help="let what matches wait until a person approves it; repeatable",
    )
    declare_quota(parser)
    parser.add_argument(
        "--expires",
        metavar="WHEN",
        help="a duration such as 30d, or a date such as 2031-01-31 (default: never)",
    )


def _create(arguments: Namespace, output: Output) -> int:
    expires = read_moment(arguments, "expires", 1)
    if arguments.kind == "platform" or arguments.workspaces is not None:
        return _create_for_platform(arguments, output, expires)
    if arguments.scope is None:
        hint = "Give one or more of read, invoke, manage and approve: --scope invoke."
        raise UsageError(
            "the following arguments are required: --scope", usage=arguments.usage, hint=hint
        )
    rules = Rules.checked(arguments.allow, arguments.block, arguments.approve)
    with open_storage() as storage:
        tokens = Tokens(
            storage.database,
            storage.vault,
            selected_workspace(arguments, storage),
            SystemClock(),
            actor(),
        )
        made = tokens.create(
            scope_of(arguments.scope), arguments.name, rules, expires, read_quotas(arguments)
        )
    return _tell(made, output, expires)


def _create_for_platform(arguments: Namespace, output: Output, expires: float | None) -> int:
    of_workspace = {
        "--scope": arguments.scope,
        "--allow": arguments.allow,
        "--block": arguments.block,
        "--approve": arguments.approve,
        "--quota": arguments.quota,
        "--workspace": arguments.workspace,
    }
    wrong = next((name for name, given in of_workspace.items() if given), None)
    if arguments.kind != "platform" or wrong is not None:
        text = (
            f"{wrong} cannot be combined with --kind platform"
            if wrong
            else "--workspaces needs --kind platform"
        )
        raise UsageError(
            text,
            usage=arguments.usage,
            hint="jackfield tokens create --kind platform --workspaces 'acme-*'",
        )
    if arguments.workspaces is None:
        raise UsageError(
            "--workspaces is missing",
            usage=arguments.usage,
            hint="Name the workspaces, such as --workspaces 'acme-*'.",
        )
    with open_storage() as storage:
        tokens = PlatformTokens(storage.database, storage.vault, SystemClock(), actor())
        made = tokens.create(arguments.workspaces, arguments.name, expires)
    return _tell(made, output, expires)


def _tell(made: NewToken[Any], output: Output, expires: float | None) -> int:
    output.value({"token": made.text, "id": made.token.id, **made.to_json()})
    if output.for_people:
        sys.stderr.write(_SHOWN_ONCE)
    if expires is None:
        sys.stderr.write(_NEVER_EXPIRES)
    return 0


def _declare_list(parser: Parser) -> None:
    parser.add_argument(
        "--kind",
        choices=("workspace", "platform"),
        default="workspace",
        help="platform: list the tokens of platforms",
    )
    declare_workspace(parser)
    declare_pages(parser)


def _list(arguments: Namespace, output: Output) -> int:
    if arguments.kind == "platform":
        with open_storage() as storage:
            platforms = PlatformTokens(storage.database, storage.vault, SystemClock()).list()
        output.rows([token.to_json(time.time()) for token in platforms], _PLATFORM_COLUMNS)
        return 0
    with open_storage() as storage:
        tokens = Tokens(
            storage.database, storage.vault, selected_workspace(arguments, storage), SystemClock()
        )
        found = pages(arguments, lambda cursor, limit: tokens.list(cursor=cursor, limit=limit))
    now = time.time()
    output.rows([token.to_json(now) for token in found], _COLUMNS)
    return 0


def _revoke(arguments: Namespace, output: Output) -> int:
    from jackfield_store.access import Tokens, UnknownToken

    with open_storage() as storage:
        clock = SystemClock()
        try:
            tokens = Tokens(
                storage.database,
                storage.vault,
                selected_workspace(arguments, storage),
                clock,
                actor(),
            )
            shown = tokens.revoke(arguments.id).to_json(time.time())
        except UnknownToken:
            shown = (
                PlatformTokens(storage.database, storage.vault, clock, actor())
                .revoke(arguments.id)
                .to_json(time.time())
            )
    output.value(shown)
    return 0


def _declare_explain(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID")
    parser.add_argument(
        "--action", required=True, metavar="CONNECTOR/ACTION", help="such as aws-ses/sendEmail"
    )
    parser.add_argument(
        "--connection",
        metavar="NAME",
        help="the connection's name, or @inline for inline connections",
    )
    declare_workspace(parser)


def _explain(arguments: Namespace, output: Output) -> int:
    from jackfield.call.call_rules import find_action
    from jackfield.catalog import installed_here

    connector, slash, action = arguments.action.partition("/")
    if not slash:
        raise UsageError(
            f"--action takes connector/action, not '{arguments.action[:80]}'", usage=arguments.usage
        )
    effect = find_action(installed_here(os.environ).find(connector), action).rule_effect
    request = Request(connector, action, effect, arguments.connection)
    with open_storage() as storage:
        workspace = selected_workspace(arguments, storage)
        decision = Tokens(storage.database, storage.vault, workspace, SystemClock()).explain(
            arguments.id, request
        )
        lost = _missing(storage, workspace, arguments.connection)
    if lost is not None:
        sys.stderr.write(f"jackfield: {lost}; showing what the rules would decide\n")
    asked = {
        "id": arguments.id,
        "action": arguments.action,
        "effect": effect,
        "connection": arguments.connection,
    }
    output.value(
        {
            **{name: value for name, value in asked.items() if value is not None},
            **decision.to_json(),
        }
    )
    return 0 if decision.allowed else _REFUSED


def _missing(storage: Storage, workspace: str, name: str | None) -> str | None:
    """Return the message that no connection has this name; None if it exists, or no name is
    given.
    """
    from jackfield.connections.connection_lookup import sources_from

    if name is None or name == INLINE:
        return None
    try:
        storage.connections(
            sources_from(os.environ) if workspace == "default" else (), workspace
        ).find(name)
    except UnknownConnection as error:
        return error.message
    return None


VERBS = {
    "create": Verb("Create a token, which is shown only once.", _declare_create, _create),
    "list": Verb("List tokens, newest first, without their text.", _declare_list, _list),
    "revoke": Verb("Revoke a token.", declare_one, _revoke),
    "explain": Verb(
        "Check whether a token may run an action and which rule decides; exit code 1 if not.",
        _declare_explain,
        _explain,
    ),
}
