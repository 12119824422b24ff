"""The command ``jackfield convert``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser
from jackfield_aws_ses.convert.documents import form_document, json_document, read, settings_document
from jackfield_aws_ses.convert.mail import Note, RefusedError
from jackfield_aws_ses.convert.smtp import connection_values

if TYPE_CHECKING:
    from jackfield import Jackfield
    from jackfield_aws_ses.convert.mail import Mail

_REQUESTS = ("sendgrid", "mailgun", "postmark", "resend")
_SMTP = "smtp"
_REFUSED = 2
_KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "for-validation-only", "region": "us-east-1"}
"""Values of a connection over which converted invocations are validated; a dry run never signs in with an access key."""
_TRIAL = {"to": ["a@example.com"], "sender": "a@example.com", "subject": "s", "text": "t"}
_TRIAL_CONNECTION = "trial"
_NO_REGION = "requests of other providers have no 'awsRegion': give --region, or use a connection with a 'region'"


def command(argv: list[str]) -> int:
    """Convert a document with the arguments after the command's name; return 0, or 2 if a part of it was refused.

    :raises InvalidInvocation: for unknown arguments, or if the document cannot be read.
    """
    arguments = _parser().read(argv)
    content = read(arguments.file)
    if arguments.format == _SMTP:
        answer = _connection(settings_document(content), arguments)
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
        "Convert the body of a request to SendGrid, Mailgun, Postmark or Resend into invocations of aws-ses sendEmail, or SMTP settings "
        "into a connection, and name everything that differs. Nothing is sent.",
    )
    parser.add_argument("format", choices=(*_REQUESTS, _SMTP), metavar="FORMAT", help=f"{', '.join(_REQUESTS)} or {_SMTP}")
    parser.add_argument("file", metavar="FILE", help="the request's body, or the settings (- = stdin)")
    parser.add_argument("--connection", metavar="NAME", help="the connection that the invocations name; for smtp, its name (default smtp)")
    parser.add_argument("--region", metavar="REGION", help="the awsRegion of the invocations (default: that of their connection)")
    parser.add_argument(
        "--list-unsubscribe",
        metavar="ADDRESS",
        help="the listUnsubscribe of messages without one: an https URL, or mailto:; needed where a link to unsubscribe was the provider's",
    )
    parser.add_argument("--lines", action="store_true", help="print only the invocations, one a line, for 'jackfield invoke --lines'")
    return parser


def _invocations(document: object, arguments: Namespace) -> dict[str, Any]:
    reader: ModuleType = import_module(f"jackfield_aws_ses.convert.{arguments.format}")
    convert: Callable[[object, datetime], Iterator[Mail | RefusedError]] = reader.mails
    made: list[dict[str, Any]] = []
    refused: list[Note] = []
    differences = [] if arguments.region else [Note("", _NO_REGION)]
    with _validator() as jackfield:
        try:
            for item in convert(document, datetime.now(UTC)):
                if isinstance(item, RefusedError):
                    refused.append(item.note)
                    continue
                item.check_pictures()
                if arguments.list_unsubscribe and not item.is_offered(arguments.format):
                    item.unsubscribe_by(arguments.list_unsubscribe)
                dead = item.leftovers(arguments.format)
                if dead:
                    refused.extend(dead)
                    continue
                invocation = item.invocation(arguments.connection, arguments.region)
                faults = list(_faults(jackfield, invocation, item))
                refused.extend(faults)
                if not faults:
                    made.append(invocation)
                    differences.extend(item.differences)
        except RefusedError as error:
            refused.append(error.note)
    return _answer(made, {}, differences, refused)


def _connection(document: object, arguments: Namespace) -> dict[str, Any]:
    name = arguments.connection or _SMTP
    try:
        values, differences = connection_values(document)
    except RefusedError as error:
        return _answer([], {}, [], [error.note])
    with _validator() as jackfield:
        inline = {"type": "aws-ses/smtp", "values": values}
        result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "connection": inline, "inputs": _TRIAL, "dryRun": True})
    if result.error is not None:
        details = [Note("", f"'{detail.path.removeprefix('/')}' {detail.message}") for detail in result.error.details]
        return _answer([], {}, differences, details or [Note("", result.error.message)])
    return _answer([], {name: inline}, differences, [])


def _validator() -> Jackfield:
    """Open a runtime without a database and without the machine's connections, for dry runs."""
    from jackfield import Jackfield

    return Jackfield(connections=[{_TRIAL_CONNECTION: {"type": "aws/apiKeySecret", "values": _KEYS}}], environment={}, database_url="none")


def _faults(jackfield: Jackfield, invocation: Mapping[str, Any], mail: Mail) -> Iterator[Note]:
    """Yield the faults that a dry run of a converted invocation finds. Its time does not count: only queued ones may have it."""
    direct = {name: value for name, value in invocation.items() if name != "notBefore"}
    result = jackfield.invoke({**direct, "connection": _TRIAL_CONNECTION, "dryRun": True})
    if result.error is None:
        return
    for detail in result.error.details:
        yield Note(mail.path, f"'{detail.path.removeprefix('/')}' of the invocation {detail.message}")
    if not result.error.details:
        yield Note(mail.path, result.error.message)


def _answer(
    made: list[dict[str, Any]], connections: dict[str, Any], differences: Iterable[Note], refused: Iterable[Note]
) -> dict[str, Any]:
    """Return the answer; a difference that several messages share is named once."""
    return {
        "invocations": made,
        "connections": connections,
        "differences": [note.to_json() for note in dict.fromkeys(differences)],
        "refused": [note.to_json() for note in dict.fromkeys(refused)],
    }
