"""Invocations that refer to uploaded files: ``{"file": id}`` wherever the action takes a FILE."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.errors import UnknownName

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.surfaces.shared.files import Files

__all__ = ["with_files"]


async def with_files(
    body: Mapping[str, Any],
    catalog: Catalog,
    files: Files,
    workspace: str,
    briefly: Callable[[Callable[[], Any]], Awaitable[Any]],
    weigh: Callable[[int], None] = lambda _size: None,
) -> Mapping[str, Any]:
    """Return the invocation with the files that its inputs refer to. Unknown connectors and actions are left to the pipe. ``briefly`` reads
    the files in a thread; ``weigh`` is called with their total size before they are read.

    :raises InvalidInput: for ids that are unknown or expired, and for files that are too large together.
    """
    given, connector, key = body.get("inputs"), body.get("connector"), body.get("action")
    if not isinstance(given, dict) or not isinstance(connector, str) or not isinstance(key, str) or not _may_name_files(given):
        return body
    try:
        action = catalog.find(connector).actions.get(key)
    except UnknownName:
        return body
    if action is None:
        return body
    schema = action.inputs
    inputs = await briefly(lambda: files.filled(workspace, given, schema, weigh))
    return body if inputs is given else {**body, "inputs": inputs}


def _may_name_files(value: object) -> bool:
    """Return whether the inputs contain any ``{"file": …}``."""
    if isinstance(value, dict):
        return value.keys() == {"file"} or any(_may_name_files(item) for item in value.values() if isinstance(item, dict | list))
    return isinstance(value, list) and any(_may_name_files(item) for item in value if isinstance(item, dict | list))
