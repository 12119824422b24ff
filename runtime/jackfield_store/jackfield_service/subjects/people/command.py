"""``jackfield roles``: roles of people who sign in to the console at the operator's identity
provider.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jackfield.callers.roles import ROLES, RoleGrant, made_grant
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access.sign_ins import INVITATION_LASTS
from jackfield_store.commands.stored import actor, open_storage
from jackfield_store.database.setting_rows import PUBLIC_URL
from jackfield_store.management.roles import Roles
from jackfield_store.resources.storage import Storage

_COLUMNS = ("role", "workspace", "group", "issuer", "subject")
_ABOUT = "; ".join(f"{role.name}: {role.about}" for role in ROLES.values())


@contextmanager
def _open_roles() -> Iterator[tuple[Storage, Roles]]:
    with open_storage() as storage:
        if not storage.enabled:
            text = "roles need a database, and there is none: JACKFIELD_DATABASE_URL is 'none'"
            raise InvalidInvocation(text, hint="Unset it, or set it to a database URL.")
        yield storage, Roles(storage, SystemClock(), actor())


def _declare_list(parser: Parser) -> None:
    parser.add_argument(
        "--workspace",
        metavar="WORKSPACE",
        help="only those of this workspace, and of all workspaces",
    )


def _declare_grant(parser: Parser) -> None:
    _declare_whom(parser)
    parser.add_argument(
        "--link",
        action="store_true",
        help="print a link: whoever signs in by it first, within a day, has the role",
    )


def _declare_whom(parser: Parser) -> None:
    parser.add_argument("role", metavar="ROLE", help=_ABOUT)
    parser.add_argument(
        "--group", metavar="NAME", help="a group of the identity provider, as its claim names it"
    )
    parser.add_argument(
        "--subject",
        metavar="ID",
        help="one person: the provider's 'sub', which the page of a refused sign-in shows",
    )
    parser.add_argument(
        "--issuer", metavar="URL", help="the provider of --subject (default: JACKFIELD_OIDC_ISSUER)"
    )
    parser.add_argument(
        "--workspace",
        metavar="WORKSPACE",
        help="where (default: JACKFIELD_WORKSPACE, else 'default')",
    )


def _list(arguments: Namespace, output: Output) -> int:
    with _open_roles() as (_, roles):
        found = [
            one
            for one in roles.list()
            if arguments.workspace in (None, one.workspace) or one.workspace == "*"
        ]
        output.rows([one.to_json() for one in found], _COLUMNS)
    return 0


def _grant(arguments: Namespace, output: Output) -> int:
    with _open_roles() as (storage, roles):
        if not arguments.link:
            return _changed(arguments, storage, output, roles.add)
        if arguments.group or arguments.subject:
            raise UsageError("--link excludes --group and --subject", usage=arguments.usage)
        wanted = made_grant(arguments.role, _workspace(arguments, storage), group="anybody")
        secret = roles.invite(wanted)
        base = storage.shared_setting(PUBLIC_URL) or "http://127.0.0.1:8080"
        offered = {
            "role": wanted.role,
            "workspace": wanted.workspace,
            "link": f"{base}/login?invitation={secret}",
        }
        output.value({**offered, "expiresInSeconds": round(INVITATION_LASTS)})
    return 0


def _revoke(arguments: Namespace, output: Output) -> int:
    with _open_roles() as (storage, roles):
        return _changed(arguments, storage, output, roles.remove)


def _changed(
    arguments: Namespace, storage: Storage, output: Output, change: Callable[[RoleGrant], None]
) -> int:
    if (arguments.group is None) == (arguments.subject is None):
        raise UsageError(
            "give --group, or --subject with --issuer, or (to grant) --link", usage=arguments.usage
        )
    issuer: str = (
        (arguments.issuer or os.environ.get("JACKFIELD_OIDC_ISSUER", ""))
        if arguments.subject
        else ""
    )
    if arguments.subject and not issuer:
        raise UsageError(
            "--subject needs --issuer, or JACKFIELD_OIDC_ISSUER", usage=arguments.usage
        )
    where = _workspace(arguments, storage)
    grant = made_grant(
        arguments.role,
        where,
        group=arguments.group or "",
        issuer=issuer,
        subject=arguments.subject or "",
    )
    change(grant)
    about: dict[str, Any] = grant.to_json()
    output.value(about)
    return 0


def _workspace(arguments: Namespace, storage: Storage) -> str:
    name: str = arguments.workspace or os.environ.get("JACKFIELD_WORKSPACE") or "default"
    if arguments.role in ROLES and not ROLES[arguments.role].operates:
        storage.require(name)
    return name


VERBS = {
    "list": Verb(
        "List who has which role: groups of the identity provider, and people.",
        _declare_list,
        _list,
    ),
    "grant": Verb(
        "Give a role to a group or a person; running servers have it with the next request.",
        _declare_grant,
        _grant,
    ),
    "revoke": Verb("Take a role away, given to the same group or person.", _declare_whom, _revoke),
}
