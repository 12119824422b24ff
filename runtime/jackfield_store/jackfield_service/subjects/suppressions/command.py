"""``jackfield suppressions``: recipients to whom nothing more is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import declare_pages, in_workspace, open_jackfield, pages
from jackfield_store.commands.stored import actor
from jackfield_store.management.suppressions import audited_suppressions
from jackfield_store.runtime import stored

if TYPE_CHECKING:
    from jackfield_store.journal.suppressions import Suppressions
    from jackfield_store.runtime import Jackfield

_COLUMNS = ("recipient", "reason", "text", "at", "expiresAt", "refusedBy")


def _declare_address(parser: Parser) -> None:
    parser.add_argument("recipient", metavar="ADDRESS")


def _list(arguments: Namespace, output: Output) -> int:
    with stored(open_jackfield(arguments)) as jackfield:
        found = pages(arguments, _open_suppressions(jackfield).page)
    output.rows(found, _COLUMNS)
    return 0


def _remove(arguments: Namespace, output: Output) -> int:
    with stored(open_jackfield(arguments)) as jackfield:
        _open_suppressions(jackfield).remove(arguments.recipient)
    output.value({"removed": arguments.recipient})
    return 0


def _open_suppressions(jackfield: Jackfield) -> Suppressions:
    jackfield.storage.require(jackfield.workspace)
    return audited_suppressions(jackfield.storage, jackfield.workspace, jackfield.clock, actor(), jackfield.access.settings)


VERBS = in_workspace(
    {
        "list": Verb("List the recipients to whom nothing more is sent, the latest first.", declare_pages, _list),
        "remove": Verb("Let a recipient be sent to again.", _declare_address, _remove),
    }
)
