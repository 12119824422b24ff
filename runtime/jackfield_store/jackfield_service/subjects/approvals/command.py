"""``jackfield approvals``: calls that wait until a person approves them."""

from __future__ import annotations

from typing import Any

from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import (
    Noun,
    caller,
    declare_id,
    declare_pages,
    in_workspace,
    open_jackfield,
    pages,
)
from jackfield.ports import Approvals
from jackfield.runtime import Jackfield
from jackfield_store.commands.stored import actor
from jackfield_store.recording.decisions import STATUSES

_COLUMNS = ("id", "status", "connector", "action", "connection", "requestedAt", "expiresAt")


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--status", choices=STATUSES, help="only this status")
    declare_pages(parser)


def _declare_decision(parser: Parser) -> None:
    declare_id(parser)
    parser.add_argument(
        "--why",
        default="",
        metavar="TEXT",
        help="the reason; kept with the approval and in the audit log",
    )
    parser.add_argument(
        "--digest", help="the digest that 'show' has printed: decide on no other call"
    )


def _list(jackfield: Jackfield, arguments: Namespace) -> list[dict[str, Any]]:
    return pages(
        arguments,
        lambda cursor, limit: _of(jackfield).list(
            status=arguments.status, cursor=cursor, limit=limit
        ),
    )


def _of(jackfield: Jackfield) -> Approvals:
    return jackfield.approvals_of(caller(), actor())


_NOUN = Noun(open_jackfield)
VERBS = in_workspace(
    {
        "list": Verb(
            "List calls that wait for an approval, or waited for one.",
            _declare_list,
            _NOUN.rows(_list, _COLUMNS),
        ),
        "show": Verb(
            "Print an approval: what would be sent, secrets masked.",
            declare_id,
            _NOUN.value(lambda jackfield, given: _of(jackfield).show(given.id)),
        ),
        "approve": Verb(
            "Approve a call: the workers begin it.",
            _declare_decision,
            _NOUN.value(
                lambda jackfield, given: _of(jackfield).approve(given.id, given.why, given.digest)
            ),
        ),
        "decline": Verb(
            "Decline a call: nothing is sent.",
            _declare_decision,
            _NOUN.value(
                lambda jackfield, given: _of(jackfield).decline(given.id, given.why, given.digest)
            ),
        ),
    }
)
