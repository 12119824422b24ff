"""Session of one command: the user, the configured runtime, the options that several commands have,
pages and points in time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, Verbs, declare_workspace
from jackfield.cli.quantities import count
from jackfield.kernel.errors import InvalidInvocation, brief
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.local import account_keys

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.cli.output import Output
    from jackfield.runtime import Jackfield


def caller() -> Caller:
    """Return the caller for the journal: the account of this process and, for root, the account
    that ran ``sudo``.
    """
    from jackfield.callers import Caller

    own, *others = account_keys()
    return Caller(own, audience="operator", authors=tuple(others))


def open_jackfield(arguments: Namespace | None = None, *, migrates: bool = False) -> Jackfield:
    """Open the runtime for the workspace in ``--workspace`` or JACKFIELD_WORKSPACE and configure
    logging. ``migrates``: upgrade an older SQLite database, too.

    :raises JackfieldError: if the environment names something that cannot be used.
    """
    from jackfield.cli import logs
    from jackfield.runtime import Jackfield

    logs.configure()
    named = arguments.workspace if arguments is not None else None
    jackfield = Jackfield(named or os.environ.get("JACKFIELD_WORKSPACE") or "default")
    jackfield.storage.migrates = migrates
    return jackfield


T = TypeVar("T")

LIMIT = 50
LARGEST_LIMIT = 10_000
_PAGE = 1000


def declare_id(parser: Parser) -> None:
    """Add the argument ``ID``."""
    parser.add_argument("id", metavar="ID")


def declare_one(parser: Parser) -> None:
    """Add the argument ``ID`` and ``--workspace``."""
    declare_id(parser)
    declare_workspace(parser)


def declare_import(parser: Parser) -> None:
    """Add ``--import``."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help=(
            "import this module of a program: offer its functions, and look for their "
            "doubts; repeatable"
        ),
    )


def import_modules(names: Iterable[str]) -> None:
    """Import the modules of ``--import``.

    :raises InvalidInvocation: if a module cannot be imported.
    """
    for name in names:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        found = attempt(import_module, name)
        if isinstance(found, Raised):
            hint = (
                "Give its name as the program imports it, and start in the folder of the "
                "program, or set PYTHONPATH."
            )
            raise InvalidInvocation(
                f"--import {name[:200]} failed: {brief(found.error)}", hint=hint
            ) from found.error


def declare_nothing(_parser: Parser) -> None:
    """Add no arguments."""


def declare_name(parser: Parser) -> None:
    """Add the argument ``NAME``."""
    parser.add_argument("name", metavar="NAME")


def remove_named(things: Any, arguments: Namespace) -> dict[str, Any]:
    """Remove an item by its name; return the answer."""
    things.remove(arguments.name)
    return {"name": arguments.name, "removed": True}


def declare_list(parser: Parser) -> None:
    """Add ``--workspace``, ``--limit`` and ``--cursor``."""
    declare_workspace(parser)
    declare_pages(parser)


def in_workspace(verbs: Verbs) -> Verbs:
    """Return the verbs of a noun with ``--workspace`` added to each."""

    def also(declare: Callable[[Parser], None]) -> Callable[[Parser], None]:
        def both(parser: Parser) -> None:
            declare(parser)
            declare_workspace(parser)

        return both

    return {name: Verb(verb.summary, also(verb.declare), verb.run) for name, verb in verbs.items()}


def of_platforms(verbs: Verbs) -> Verbs:
    """Return the verbs of a noun that has ``--workspace``, with ``--workspaces`` added to each."""

    def also(declare: Callable[[Parser], None]) -> Callable[[Parser], None]:
        def both(parser: Parser) -> None:
            declare(parser)
            parser.add_argument(
                "--workspaces",
                metavar="PATTERN",
                help=(
                    "those of the platform whose token has this pattern, such as 'acme-*'; "
                    "not of a workspace"
                ),
            )

        return both

    return {name: Verb(verb.summary, also(verb.declare), verb.run) for name, verb in verbs.items()}


def declare_pages(parser: Parser) -> None:
    """Add ``--limit`` and ``--cursor``."""
    parser.add_argument(
        "--limit",
        type=count(1, LARGEST_LIMIT),
        default=LIMIT,
        metavar="N",
        help=f"maximum number of items (default {LIMIT}, at most {LARGEST_LIMIT:,})",
    )
    parser.add_argument(
        "--cursor", metavar="CURSOR", help="continue from a cursor printed by a previous list"
    )


class Noun(Generic[T]):
    """Factory of the verbs' runs for a noun, each on the object that ``opened`` opens for its
    arguments.
    """

    def __init__(self, opened: Callable[[Namespace], AbstractContextManager[T]]) -> None:
        self._opened = opened

    def value(self, step: Callable[[T, Namespace], object]) -> Callable[[Namespace, Output], int]:
        """Return a run that prints the value of ``step``."""

        def run(arguments: Namespace, output: Output) -> int:
            with self._opened(arguments) as things:
                found = step(things, arguments)
            output.value(found)
            return 0

        return run

    def rows(
        self, step: Callable[[T, Namespace], list[dict[str, Any]]], columns: Sequence[str]
    ) -> Callable[[Namespace, Output], int]:
        """Return a run that prints the rows that ``step`` returns, on a terminal as a table with
        these columns.
        """

        def run(arguments: Namespace, output: Output) -> int:
            with self._opened(arguments) as things:
                found = step(things, arguments)
            output.rows(found, columns)
            return 0

        return run


def pages(
    arguments: Namespace, fetch: Callable[[str | None, int], tuple[list[T], str | None]]
) -> list[T]:
    """Fetch up to ``--limit`` items; if more follow, write the next cursor to stderr. ``fetch``
    returns one page and the next cursor.
    """
    limit: int = arguments.limit
    found: list[T] = []
    cursor: str | None = arguments.cursor
    while len(found) < limit:
        page, cursor = fetch(cursor, min(_PAGE, limit - len(found)))
        found += page
        if cursor is None:
            break
    if cursor is not None:
        sys.stderr.write(f"jackfield: more results follow; continue with --cursor {cursor}\n")
    return found


def every(fetch: Callable[[str | None, int], tuple[list[T], str | None]]) -> Iterator[T]:
    """Yield all items, page by page."""
    cursor: str | None = None
    while True:
        page, cursor = fetch(cursor, _PAGE)
        yield from page
        if cursor is None:
            return


def read_moment(
    arguments: Namespace, option: str, direction: int, *, ends: bool = False
) -> float | None:
    """Parse the option's date or span into seconds since 1970; None if not given. A span counts
    forward from now (``direction`` 1) or back (-1).

    :raises UsageError: if it is neither a date nor a span.
    """
    from jackfield.kernel.clock import moment

    text: str | None = getattr(arguments, option)
    if text is None:
        return None
    try:
        return moment(text, time.time(), direction, f"--{option.replace('_', '-')}", ends=ends)
    except InvalidInvocation as fault:
        raise UsageError(fault.message, usage=arguments.usage, hint=fault.hint) from None
