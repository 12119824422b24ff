"""``jackfield oauth-clients``: clients of authorization servers, for all connections that refer to
them.
"""

from __future__ import annotations

from typing import Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import declare_name, in_workspace
from jackfield_service.shell.resource.verbs import noun, verbs
from jackfield_service.subjects.connections.command.connections import values_in
from jackfield_service.subjects.oauth_clients.subject import OAUTH_CLIENTS
from jackfield_store.management.oauth_clients import OAuthClients


def _declare_server(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="HOST",
        help=(
            "a host that its connections may reach beside those of its URLs, or a pattern "
            "such as '*.example.com'; repeatable"
        ),
    )


def _declare_add(parser: Parser) -> None:
    _declare_server(parser)
    parser.add_argument(
        "--values",
        required=True,
        metavar="FILE",
        help="client ID, secret and endpoints as JSON or YAML (- = stdin)",
    )


def _add(clients: OAuthClients, arguments: Namespace) -> dict[str, Any]:
    return clients.add(arguments.name, arguments.server, values_in(arguments.values))


def _declare_update(parser: Parser) -> None:
    _declare_server(parser)
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="the values that change, such as a new clientSecret, as JSON or YAML (- = stdin)",
    )


def _update(clients: OAuthClients, arguments: Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {"server": arguments.server} if arguments.server else {}
    if arguments.values is not None:
        given["values"] = values_in(arguments.values)
    if not given:
        raise UsageError("give --values or --server", usage=arguments.usage)
    return clients.change(arguments.name, given)


def _declare_remove(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="although connections refer to it, which cannot be used then",
    )


def _remove(clients: OAuthClients, arguments: Namespace) -> dict[str, Any]:
    return clients.remove(arguments.name, force=arguments.force)


_NOUN = noun(OAUTH_CLIENTS)
VERBS = in_workspace(
    {
        "add": Verb(
            "Register a client: for all workspaces, or with --workspace for one.",
            _declare_add,
            _NOUN.value(_add),
        ),
        **verbs(
            OAUTH_CLIENTS,
            change=Verb(
                "Change values, such as the secret: a rotation.",
                _declare_update,
                _NOUN.value(_update),
            ),
            remove=Verb(
                "Delete a client to which no connection refers.",
                _declare_remove,
                _NOUN.value(_remove),
            ),
        ),
    }
)
