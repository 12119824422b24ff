"""Size in memory of the files of an invocation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from jackfield.invocation.file_references import names_files
from jackfield.kernel.errors import UnknownName
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext


async def weight_of(
    body: Mapping[str, Any], server: ServerContext, identity: Identity, *, large: bool
) -> int:
    """Return the bytes that the files of an invocation occupy in memory. The pipe reads the files,
    and refuses faulty ones.

    A ``large`` body is searched for files in a thread.
    """
    given, connector, key, version = (
        body.get(name) for name in ("inputs", "connector", "action", "connectorVersion")
    )
    if not isinstance(given, dict) or not isinstance(connector, str) or not isinstance(key, str):
        return 0
    if not (
        await server.computed(identity.workspace, partial(names_files, given))
        if large
        else names_files(given)
    ):
        return 0
    try:
        action = server.catalog.find(
            connector, version if isinstance(version, str) else None
        ).actions.get(key)
    except UnknownName:
        return 0
    if action is None:
        return 0
    files, workspace, owner, schema = (
        server.files,
        identity.workspace,
        identity.caller.owner,
        action.inputs,
    )
    weight: int = await server.briefly(lambda: files.weight(workspace, owner, given, schema))
    return weight
