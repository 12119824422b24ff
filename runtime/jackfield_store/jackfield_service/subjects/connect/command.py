"""``jackfield connect-sessions``: links on which people connect accounts of theirs to a
workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jackfield.cli.local_files import read_document
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import duration
from jackfield.cli.session import (
    Noun,
    declare_id,
    declare_pages,
    in_workspace,
    open_jackfield,
    pages,
)
from jackfield.kernel.clock import SystemClock, iso
from jackfield_store.commands.stored import actor
from jackfield_store.runtime import stored

if TYPE_CHECKING:
    from jackfield.cli.output import Output
    from jackfield_service.subjects.connect.connecting import Connecting

_COLUMNS = ("id", "status", "mode", "connection", "user", "expiresAt", "reason")
_MODES = ("connect", "reauth", "manage")
_DAY = 86_400.0


def _declare_create(parser: Parser) -> None:
    parser.add_argument(
        "--mode",
        choices=_MODES,
        default="connect",
        help="connect a new account (default), one again, or manage them",
    )
    parser.add_argument(
        "--types", metavar="A,B", help="connection types to choose from (default: all)"
    )
    parser.add_argument(
        "--actions",
        metavar="A,B",
        help="actions that will be called, as names or patterns: a role's template is for these",
    )
    parser.add_argument(
        "--connection",
        metavar="NAME",
        help="name of the new connection, or of the one to connect again",
    )
    parser.add_argument(
        "--user", metavar="ID", help="your own ID of the person, whose connections are managed"
    )
    parser.add_argument("--all-connections", action="store_true", help="manage those of all users")
    parser.add_argument(
        "--return-to", metavar="URL", help="page to which the browser goes at the end"
    )
    parser.add_argument(
        "--expires-in",
        type=duration(_DAY, zero=False),
        metavar="DURATION",
        help="such as 2h (default 30m, at most 1d)",
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="a request as of POST …/connect-sessions, for what has no option; - = stdin",
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="address of the server (default: JACKFIELD_PUBLIC_URL, or the setting publicUrl)",
    )


def _create(sessions: Connecting, arguments: Namespace) -> dict[str, Any]:
    base = (arguments.url or arguments.public_url).rstrip("/")
    if not base:
        hint = "Give it with --url, or store it: 'jackfield settings set publicUrl URL'."
        raise UsageError(
            "the link needs the address of the server", usage=arguments.usage, hint=hint
        )
    given = {
        "mode": arguments.mode,
        "connection": arguments.connection,
        "user": arguments.user,
        "returnTo": arguments.return_to,
        "types": arguments.types.split(",") if arguments.types else None,
        "actions": [name.strip() for name in arguments.actions.split(",")]
        if arguments.actions
        else None,
        "expiresIn": int(arguments.expires_in) if arguments.expires_in else None,
        "allConnections": arguments.all_connections or None,
    }
    body: dict[str, Any] = {
        "verify": "link",
        **(read_document(arguments, "file") if arguments.file else {}),
    }
    body |= {name: value for name, value in given.items() if value is not None}
    made, link = sessions.create(body, actor())
    return {
        "id": made.id,
        "url": f"{base}{arguments.page}/{link}",
        "expiresAt": iso(made.expires_at),
        **made.warnings,
    }


def _list(sessions: Connecting, arguments: Namespace) -> list[dict[str, Any]]:
    return [session.to_json() for session in pages(arguments, sessions.page)]


def _revoke(sessions: Connecting, arguments: Namespace) -> dict[str, Any]:
    sessions.cancel(arguments.id, "the operator has revoked it")
    return sessions.show(arguments.id)


def _declare_assign(parser: Parser) -> None:
    parser.add_argument("connection", metavar="NAME", help="a stored connection")
    parser.add_argument(
        "--user",
        metavar="ID",
        required=True,
        help="your own ID of the person; '' makes it nobody's",
    )


def _assign(arguments: Namespace, output: Output) -> int:
    from jackfield_service.subjects.connect.users import assign

    with stored(open_jackfield(arguments)) as jackfield:
        assign(jackfield, SystemClock(), arguments.connection, arguments.user, actor())
    output.value({"connection": arguments.connection, "user": arguments.user})
    return 0


@contextmanager
def _open_connecting(arguments: Namespace) -> Iterator[Connecting]:
    from jackfield_service.subjects.connect.connecting import PAGE, open_sessions

    with stored(open_jackfield(arguments)) as jackfield:
        arguments.page, arguments.public_url = PAGE, jackfield.storage.shared.value("publicUrl")
        yield open_sessions(jackfield, SystemClock())


_NOUN = Noun(_open_connecting)
VERBS = in_workspace(
    {
        "create": Verb(
            "Create a link on which a person connects an account.",
            _declare_create,
            _NOUN.value(_create),
        ),
        "list": Verb(
            "List the sessions of the last week.", declare_pages, _NOUN.rows(_list, _COLUMNS)
        ),
        "show": Verb(
            "Show how far a session has come.",
            declare_id,
            _NOUN.value(lambda sessions, given: sessions.show(given.id)),
        ),
        "revoke": Verb("End a session: its link leads nowhere.", declare_id, _NOUN.value(_revoke)),
        "assign": Verb("Make a stored connection one person's.", _declare_assign, _assign),
    }
)
