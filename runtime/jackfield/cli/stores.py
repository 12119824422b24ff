"""What the operator's commands share: the database of the environment, the workspace that is meant, and lists page by page."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jackfield.cli.parsing import Namespace, Parser, UsageError
from jackfield.cli.person import actor
from jackfield.cli.quantities import count

if TYPE_CHECKING:
    from jackfield.access import Workspaces
    from jackfield.resources.storage import Storage

__all__ = ["declare_pages", "declare_workspace", "open_storage", "pages", "read_moment", "the_workspace", "workspaces_of"]

T = TypeVar("T")

LIMIT = 50
_LARGEST = 10_000
_PAGE = 1000


def open_storage() -> Storage:
    """The database and vault that the environment names; neither is opened before it is used. From here on there is something to log."""
    from jackfield.cli import logs
    from jackfield.clock import SystemClock
    from jackfield.resources.storage import Storage

    logs.configure()
    return Storage(None, os.environ, SystemClock())


def declare_workspace(parser: Parser) -> None:
    """Add ``--workspace``."""
    parser.add_argument("--workspace", metavar="WORKSPACE", help="default: JACKFIELD_WORKSPACE, else 'default'")


def workspaces_of(storage: Storage) -> Workspaces:
    """All workspaces of the database."""
    from jackfield.access import Workspaces
    from jackfield.clock import SystemClock

    return Workspaces(storage.database, storage.vault, SystemClock(), actor())


def the_workspace(arguments: Namespace, storage: Storage) -> str:
    """The name of the workspace that is meant, which is there.

    :raises UnknownWorkspace: where it is not.
    """
    name: str = arguments.workspace or os.environ.get("JACKFIELD_WORKSPACE") or "default"
    storage.require(name)
    return name


def declare_pages(parser: Parser) -> None:
    """Add ``--limit`` and ``--cursor``."""
    parser.add_argument(
        "--limit", type=count(1, _LARGEST), default=LIMIT, metavar="N", help=f"at most so many: {LIMIT} by default, at most {_LARGEST:,}"
    )
    parser.add_argument("--cursor", metavar="CURSOR", help="go on where a list ended, which names its cursor on stderr")


def pages(arguments: Namespace, fetch: Callable[[str | None, int], tuple[list[T], str | None]]) -> list[T]:
    """As many items as ``--limit`` says; the cursor of what follows goes to stderr. ``fetch`` gives one page and the next cursor."""
    limit: int = arguments.limit
    found: list[T] = []
    cursor: str | None = arguments.cursor
    while len(found) < limit:
        page, cursor = fetch(cursor, min(_PAGE, limit - len(found)))
        found += page
        if cursor is None:
            break
    if cursor is not None:
        sys.stderr.write(f"jackfield: more follow; go on with --cursor {cursor}\n")
    return found


def read_moment(arguments: Namespace, option: str, direction: int) -> float | None:
    """The moment that an option names, in seconds since 1970; None where it is not given. A span counts from now on (``direction`` 1)
    or back (-1).

    :raises UsageError: where it is no moment.
    """
    import time

    from jackfield.access import moment
    from jackfield.errors import InvalidInvocation

    text: str | None = getattr(arguments, option)
    if text is None:
        return None
    try:
        return moment(text, time.time(), direction, f"--{option}")
    except InvalidInvocation as fault:
        raise UsageError(fault.message, usage=arguments.usage, hint=fault.hint) from None
