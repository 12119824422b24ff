"""Installation of connectors through the server, from the catalogues that its operator names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access import Audit

if TYPE_CHECKING:
    from jackfield_service.shell.identity.identity import Identity
    from jackfield_service.shell.process.installer import Installer
    from jackfield_service.shell.process.server_context import ServerContext

T = TypeVar("T")

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_NAME = re.compile(r"\s*([A-Za-z0-9._-]+)\s*([<>=!~(].*)?", re.ASCII)
_PREFIX = "jackfield-"
"""Prefix of the names of packages, which keys do not have."""
_VERSION = re.compile(r"[A-Za-z0-9.!+_-]{1,100}", re.ASCII)

_OPERATORS = "default"
"""Workspace whose tokens may change the connectors, which all workspaces of a server share."""


def exactly(key: str, version: str | None = None) -> str:
    """Return the specifier of the connector in a path, perhaps of one version; a key itself may not
    contain a version.

    :raises Problem: 404 if ``key`` cannot be a connector's, 400 if the version is not valid.
    """
    if _KEY.fullmatch(key) is None or key.startswith(_PREFIX):
        raise Problem(404, f"no connector has the key '{key[:80]}'", code="unknown_connector")
    if version is not None and _VERSION.fullmatch(version) is None:
        raise Problem(400, "'version' must be one version")
    return key if version is None else f"{key}=={version}"


def key_of(name: str) -> str:
    """Return the key in ``acme``, ``jackfield-acme`` or ``acme==1.2.0``.

    :raises Problem: 400 if it names no connector.
    """
    found = _NAME.fullmatch(name)
    key = "" if found is None else re.sub(r"[-_.]+", "-", found[1]).lower().removeprefix(_PREFIX)
    if _KEY.fullmatch(key) is None:
        raise Problem(
            400,
            f"'{name[:80]}' names no connector",
            hint="Write NAME, NAME==1.2.0 or 'NAME>=1,<2'.",
        )
    return key


def find_installer(server: ServerContext, identity: Identity) -> Installer:
    """Return the installer of the server.

    :raises Problem: 403 if the operator has named no catalogue, or the caller may not change data
        that all workspaces share.
    """
    if server.installer is None:
        raise Problem(
            403,
            "this server installs no connectors, because its operator has named no catalogue",
            code="not_allowed",
            hint="Start it with: jackfield serve --install-from URL",
        )
    if identity.workspace != _OPERATORS or identity.rules:
        raise Problem(
            403,
            f"connectors serve all workspaces, so only tokens of the workspace '{_OPERATORS}' "
            "without rules may change them",
            code="not_allowed",
        )
    return server.installer


def changed(
    server: ServerContext,
    identity: Identity,
    event: str,
    name: str,
    change: Callable[[], T],
    **details: Any,
) -> T:
    """Record a change of the installed connectors in the audit log, then make it, so that no change
    is unrecorded. Return the result of ``change``. Blocks.
    """
    _record(server, identity, event, name, details)
    found = change()
    server.catalog.refresh()
    return found


def _record(
    server: ServerContext, identity: Identity, event: str, name: str, details: Mapping[str, Any]
) -> None:
    if not server.storage.enabled:
        raise Problem(
            503,
            "connectors cannot be changed, because no database is configured that would record it",
        )
    audit = Audit(
        server.storage.database,
        lambda: server.storage.vault,
        identity.workspace,
        server.clock,
        identity.actor,
    )
    given = {member: value for member, value in details.items() if value is not None}
    server.storage.database.record(
        lambda transaction: audit.append(transaction, event, f"connector:{name}", given)
    )
