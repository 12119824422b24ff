"""``jackfield connections policy``: what the provider must allow, ready to hand over."""

from __future__ import annotations

from typing import Any

from jackfield.cli.opening import open_jackfield
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.errors import InvalidInvocation

__all__ = ["POLICY"]

_FORMATS = {
    "iam": "identityPolicy",
    "trust": "trustPolicy",
    "assume": "assumePolicy",
    "cloudformation": "cloudFormation",
    "terraform": "terraform",
}
"""Each format and the member that holds it."""


def _declare(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--actions", metavar="A,B", help="only what these actions need; by default all that the connection serves")
    parser.add_argument("--principal", metavar="ARN", help="who assumes the role: the user whose access key the connection has")
    parser.add_argument("--format", choices=(*_FORMATS, "all"), default="all", help="what to print; all of it by default")


def _run(arguments: Namespace, output: Output) -> int:
    actions = [word.strip() for word in arguments.actions.split(",") if word.strip()] if arguments.actions is not None else None
    with open_jackfield() as jackfield:
        found = jackfield.connections.policy(arguments.name, actions, arguments.principal)
    document = found if arguments.format == "all" else _document(found, arguments.format)
    if isinstance(document, str):
        output.text(document)
    else:
        output.value(document)
    return 0


def _document(found: dict[str, Any], form: str) -> Any:
    member = _FORMATS[form]
    if member not in found:
        there = ", ".join(name for name, key in _FORMATS.items() if key in found)
        raise InvalidInvocation(f"the connection '{found['connection']}' has no document '{form}'", hint=f"It has {there}.")
    return found[member]


POLICY = Verb("Print the least policies that the connection needs, and templates that set them up.", _declare, _run)
