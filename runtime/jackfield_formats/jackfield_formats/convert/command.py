"""The command ``jackfield convert``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser
from jackfield.connections.aliases import Aliases
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_formats.convert.documents import (
    form_document,
    json_document,
    read,
    settings_document,
    yaml_document,
)
from jackfield_formats.convert.mail import Note, RefusedError
from jackfield_formats.convert.prismatic import steps as prismatic_steps
from jackfield_formats.convert.smtp import connection_values
from jackfield_formats.convert.trial import Trial

if TYPE_CHECKING:
    from jackfield_formats.convert.mail import Mail

_REQUESTS = ("sendgrid", "mailgun", "postmark", "resend")
_SMTP, _PRISMATIC = "smtp", "prismatic"
_REFUSED = 2
_LONGEST = 100
"""Maximum characters of a file's name."""
_GAP = "which no file is: recipients see a gap"
_NO_REGION = (
    "requests of other providers have no 'awsRegion': give --region, or use a connection "
    "with a 'region'"
)


def command(argv: list[str]) -> int:
    """Convert a document with the arguments after the command's name; return 0, or 2 if a part of
    it was refused.

    :raises InvalidInvocation: for unknown arguments, or if the document cannot be read.
    """
    arguments = _parser().read(argv)
    content = read(arguments.file)
    if arguments.format == _SMTP:
        answer = _connection(settings_document(content), arguments)
    elif arguments.format == _PRISMATIC:
        answer = _steps(yaml_document(content), arguments)
    else:
        document = (form_document if arguments.format == "mailgun" else json_document)(content)
        answer = _invocations(document, arguments)
    output = Output(one_line=arguments.json)
    if arguments.lines:
        for invocation in answer["invocations"]:
            output.line(invocation)
        for kind in ("differences", "refused"):
            for note in answer[kind]:
                sys.stderr.write(f"jackfield: {note['path'] or '/'} {note['message']}\n")
    else:
        output.value(answer)
    return _REFUSED if answer["refused"] else 0


def _parser() -> Parser:
    parser = Parser(
        "convert",
        "Convert the body of a request to SendGrid, Mailgun, Postmark or Resend into invocations "
        "of aws-ses sendEmail, or SMTP settings "
        "into a connection, or the flows of a Prismatic integration into an invocation for each "
        "step of Amazon SES, and name everything "
        "that differs. Nothing is sent.",
    )
    parser.add_argument(
        "format",
        choices=(*_REQUESTS, _SMTP, _PRISMATIC),
        metavar="FORMAT",
        help=f"{', '.join(_REQUESTS)}, {_SMTP} or {_PRISMATIC}",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        help="the request's body, the settings, or the integration's YAML (- = stdin)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help=(
            "for prismatic: write each invocation to a file of this folder, for 'jackfield "
            "invoke --file'"
        ),
    )
    parser.add_argument(
        "--connection",
        metavar="NAME",
        help="the connection that the invocations name; for smtp, its name (default smtp)",
    )
    parser.add_argument(
        "--region",
        metavar="REGION",
        help="the awsRegion of the invocations (default: that of their connection)",
    )
    parser.add_argument(
        "--list-unsubscribe",
        metavar="ADDRESS",
        help=(
            "the listUnsubscribe of messages without one: an https URL, or mailto:; needed "
            "where a link to unsubscribe was the provider's"
        ),
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="print only the invocations, one a line, for 'jackfield invoke --lines'",
    )
    return parser


def _invocations(document: object, arguments: Namespace) -> dict[str, Any]:
    reader: ModuleType = import_module(f"jackfield_formats.convert.{arguments.format}")
    convert: Callable[[object, datetime, Trial], Iterator[Mail | RefusedError]] = reader.mails
    made: list[dict[str, Any]] = []
    refused: list[Note] = []
    differences = [] if arguments.region else [Note("", _NO_REGION)]
    with Trial() as trial:
        try:
            for item in convert(document, datetime.now(UTC), trial):
                if isinstance(item, RefusedError):
                    refused.append(item.note)
                    continue
                if arguments.list_unsubscribe and not item.is_offered(arguments.format):
                    item.unsubscribe_by(arguments.list_unsubscribe)
                dead = item.leftovers(arguments.format)
                if dead:
                    refused.extend(dead)
                    continue
                invocation = item.invocation(arguments.connection, arguments.region)
                faults, pictures = trial.of_mail(invocation)
                refused.extend(
                    Note(item.path, _text_of_fault(fault, " of the invocation")) for fault in faults
                )
                if not faults:
                    made.append(invocation)
                    differences.extend(item.differences)
                    differences.extend(
                        Note(item.path, f"shows '{link[:100]}' in its HTML, {_GAP}")
                        for link in pictures
                    )
        except RefusedError as error:
            refused.append(error.note)
    return _answer(made, {}, differences, refused)


def _steps(document: object, arguments: Namespace) -> dict[str, Any]:
    """Convert the steps of an integration's flows; with ``--out``, write a file for each."""
    made: list[dict[str, Any]] = []
    files: list[str] = []
    differences: list[Note] = []
    refused: list[Note] = []
    try:
        known = Aliases.installed(Catalog.installed()).all(_PRISMATIC)
        for item in prismatic_steps(document, known, arguments.connection, arguments.region):
            if isinstance(item, RefusedError):
                refused.append(item.note)
                continue
            made.append(item.invocation)
            differences.extend(item.differences)
            if arguments.out is not None:
                files.append(
                    _write_invocation(arguments.out, f"{len(made):02}-{item.name}", item.invocation)
                )
    except RefusedError as error:
        refused.append(error.note)
    return {
        **_answer(made, {}, differences, refused),
        **({"files": files} if arguments.out is not None else {}),
    }


def _write_invocation(folder: str, name: str, invocation: Mapping[str, Any]) -> str:
    """Write an invocation to a new file and return its path.

    :raises InvalidInvocation: if it cannot be written, or the file exists.
    """
    letters = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in name.casefold()
    )
    path = os.path.join(folder, "-".join(filter(None, letters.split("-")))[:_LONGEST] + ".json")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(json.dumps(invocation, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise InvalidInvocation(
            f"{path} cannot be written: {error.strerror}", hint="Give another folder with --out."
        ) from None
    return path


def _connection(document: object, arguments: Namespace) -> dict[str, Any]:
    name = arguments.connection or _SMTP
    try:
        values, differences = connection_values(document)
    except RefusedError as error:
        return _answer([], {}, [], [error.note])
    inline = {"type": "aws-ses/smtp", "values": values}
    with Trial() as trial:
        faults = trial.of_connection(inline)
    return _answer(
        [],
        {} if faults else {name: inline},
        differences,
        [Note("", _text_of_fault(fault)) for fault in faults],
    )


def _text_of_fault(fault: Detail, whose: str = "") -> str:
    return (
        f"'{fault.path.removeprefix('/')}'{whose} {fault.message}" if fault.path else fault.message
    )


def _answer(
    made: list[dict[str, Any]],
    connections: dict[str, Any],
    differences: Iterable[Note],
    refused: Iterable[Note],
) -> dict[str, Any]:
    """Return the answer; a difference that several messages share is listed once."""
    return {
        "invocations": made,
        "connections": connections,
        "differences": [note.to_json() for note in dict.fromkeys(differences)],
        "refused": [note.to_json() for note in dict.fromkeys(refused)],
    }
