"""``jackfield oauth-clients``: clients of authorization servers, registered once, to which connections refer by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import Noun, declare_name, declare_pages, in_workspace, pages
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.connections.command.connections import values_in
from jackfield_store.commands.stored import actor, open_storage, selected_workspace
from jackfield_store.management.oauth_clients import OAuthClients, oauth_clients

_COLUMNS = ("name", "server", "inherited", "updatedAt")


@contextmanager
def _open_clients(arguments: Namespace) -> Iterator[OAuthClients]:
    with open_storage() as storage:
        yield oauth_clients(storage, selected_workspace(arguments, storage), SystemClock(), actor(), "operator")


def _declare_server(parser: Parser) -> None:
    parser.add_argument(
        "--server", action="append", default=[], metavar="HOST",
        help="a host that its connections may reach beside those of its URLs, or a pattern such as '*.example.com'; repeatable",
    )  # fmt: skip


def _declare_add(parser: Parser) -> None:
    declare_name(parser)
    _declare_server(parser)
    parser.add_argument("--values", required=True, metavar="FILE", help="client ID, secret and endpoints as JSON or YAML (- = stdin)")


def _add(clients: OAuthClients, arguments: Namespace) -> dict[str, Any]:
    return clients.add(arguments.name, arguments.server, values_in(arguments.values))


def _list(clients: OAuthClients, arguments: Namespace) -> list[dict[str, Any]]:
    return pages(arguments, clients.page)


def _declare_update(parser: Parser) -> None:
    declare_name(parser)
    _declare_server(parser)
    parser.add_argument("--values", metavar="FILE", help="the values that change, such as a new clientSecret, as JSON or YAML (- = stdin)")


def _update(clients: OAuthClients, arguments: Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {"server": arguments.server} if arguments.server else {}
    if arguments.values is not None:
        given["values"] = values_in(arguments.values)
    if not given:
        raise UsageError("give --values or --server", usage=arguments.usage)
    return clients.change(arguments.name, given)


def _declare_remove(parser: Parser) -> None:
    declare_name(parser)
    parser.add_argument("--force", action="store_true", help="although connections refer to it, which cannot be used then")


_NOUN = Noun(_open_clients)
VERBS = in_workspace(
    {
        "add": Verb("Register a client: for all workspaces, or with --workspace for one.", _declare_add, _NOUN.value(_add)),
        "list": Verb("List the clients that connections may refer to.", declare_pages, _NOUN.rows(_list, _COLUMNS)),
        "show": Verb("Print a client without its secrets.", declare_name, _NOUN.value(lambda all_, given: all_.show(given.name))),
        "update": Verb("Change values, such as the secret: a rotation.", _declare_update, _NOUN.value(_update)),
        "remove": Verb(
            "Delete a client to which no connection refers.", _declare_remove,
            _NOUN.value(lambda all_, given: all_.remove(given.name, force=given.force)),
        ),
    }
)  # fmt: skip
