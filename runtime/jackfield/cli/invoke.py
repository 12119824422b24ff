"""``jackfield invoke``: run one action from arguments or a file, or many from lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.cli.batch import ProgressWriter, run_one
from jackfield.cli.interrupt import interruptible
from jackfield.cli.local_files import STDIN, LocalFiles, changed, is_lines, read_inputs_file
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb, collect_seldom
from jackfield.cli.quantities import count, duration
from jackfield.cli.session import (
    caller,
    declare_import,
    import_modules,
    in_workspace,
    open_jackfield,
    read_moment,
)
from jackfield.invocation import DEFAULT_TIMEOUT, MAX_TIMEOUT, Enqueued, Result
from jackfield.invocation.request import MAX_JOB_TIMEOUT, MAX_OUTPUT_BYTES
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import UnknownConnector

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.runtime import Jackfield

_MEMBERS = {
    "connection": "connection",
    "idempotency_key": "idempotencyKey",
    "timeout": "timeoutSeconds",
    "job_timeout": "jobTimeoutSeconds",
    "on_doubt": "onDoubt",
    "partial": "partial",
    "select": "select",
    "max_bytes": "maxBytes",
    "connector_version": "connectorVersion",
    "priority": "priority",
}
"""Options that set a member of the invocation."""
_MAX_CONCURRENCY = 256
_REPEATS = (
    "jackfield: --repeat changes nothing here: no call of the command line waits for an "
    "equal one; --idempotency-key guards a repeat"
)


def _declare(parser: Parser) -> None:
    parser.usage = (
        "jackfield invoke CONNECTOR ACTION [key=value …] [options]\n       jackfield invoke "
        "--file FILE [--lines] [options]"
    )
    parser.add_argument("connector", nargs="?", metavar="CONNECTOR", help="such as aws-ses")
    parser.add_argument("action", nargs="?", metavar="ACTION", help="such as sendEmail")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="an input; also a.b=value, key:=JSON, key=@file; repeat for a list",
    )
    parser.add_argument("--connection", metavar="NAME", help="the connection to use")
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        help="inputs from a JSON or YAML file ('-' = stdin); key=value overrides them",
    )
    parser.add_argument("--idempotency-key", metavar="KEY", help="run at most once under this key")
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration(MAX_TIMEOUT, zero=False),
        help="the deadline for the whole call (default 60s, at most 15m)",
    )
    parser.add_argument(
        "--job-timeout",
        metavar="DURATION",
        type=duration(MAX_JOB_TIMEOUT, zero=False),
        help="of a job: when it counts as lost (default 1d)",
    )
    parser.add_argument(
        "--follow", action="store_true", help="of a job: show its progress, and wait for its end"
    )
    parser.add_argument(
        "--stream",
        action="store_true",
        help="print each event of the action as a line when it comes, then the Result",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="validate and connect, but do not run the action"
    )
    parser.add_argument(
        "--on-doubt",
        choices=("report", "settle", "retry"),
        help="what to do if a write may have taken effect (default report)",
    )
    parser.add_argument(
        "--partial",
        choices=("warn", "fail"),
        help="what a batch or function that failed in part is (default warn)",
    )
    parser.add_argument(
        "--select",
        metavar="EXPR",
        help="print only what this JMESPath expression selects of the output",
    )
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=count(1, MAX_OUTPUT_BYTES),
        help=(
            "of an output with more bytes of JSON, print what it is like: a stored file has "
            "the whole"
        ),
    )
    parser.add_argument(
        "--repeat",
        action="store_true",
        help=(
            "run it although an equal write without a key is open, as the command line does anyway"
        ),
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="keep what is exchanged with the provider, bodies too, however it ends",
    )
    parser.add_argument(
        "--connector-version", metavar="SPEC", help="the required versions, such as '>=1.2,<2'"
    )
    parser.add_argument("--queue", action="store_true", help="queue it for the workers instead")
    parser.add_argument(
        "--priority",
        metavar="N",
        type=count(0, 9),
        help="with --queue: 0 to 9, higher ones are begun first (default 5)",
    )
    parser.add_argument(
        "--not-before",
        metavar="TIME",
        help=(
            "with --queue: do not begin it earlier: a time (RFC 3339), or a duration from "
            "now such as 15s"
        ),
    )
    parser.add_argument(
        "--not-after",
        metavar="TIME",
        help="with --queue: do not begin it later; it then ends as 'timeout'",
    )
    parser.add_argument(
        "--save-to",
        metavar="FILE",
        help="save the output's file there; several files into this folder",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait if an invocation with this idempotency key is already running",
    )
    declare_import(parser)
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="an invocation as JSON ('-' = stdin); a .jsonl file has one per line",
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="read one invocation per line, whatever the file's name",
    )
    parser.add_argument(
        "--no-line-keys",
        action="store_true",
        help="with lines: run them even if the same ones ran before",
    )
    parser.add_argument(
        "--resume",
        metavar="N|RESULTS",
        help=(
            "continue at line N, or run the lines that neither succeeded nor are in doubt in "
            "RESULTS"
        ),
    )
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=count(1, _MAX_CONCURRENCY),
        default=1,
        help="lines to run concurrently (default 1)",
    )


def _run(arguments: Namespace, output: Output) -> int:
    import_modules(arguments.modules)
    _warn(arguments)
    if arguments.save_to is not None:
        _check_saving(arguments)
    if arguments.file is None and not arguments.lines:
        return _run_words(arguments, output)
    extra = ["--inputs"] if arguments.inputs is not None else []
    extra += [word for word in (arguments.connector, arguments.action, *arguments.words) if word]
    if extra:
        message = f"--file contains the whole invocation; '{extra[0]}' cannot be added"
        raise UsageError(message, usage=arguments.usage, hint="Put it in the file.")
    path = STDIN if arguments.file is None else arguments.file
    changes = _changes(arguments)
    if arguments.lines or is_lines(path):
        from jackfield.cli.lines import queue_lines, run_lines

        if "idempotencyKey" in changes:
            message = "'--idempotency-key' cannot be shared by many invocations"
            raise UsageError(
                message, usage=arguments.usage, hint="Give each line its own 'idempotencyKey'."
            )
        if arguments.queue:
            if arguments.resume is not None and not arguments.resume.isdecimal():
                message = "'--queue' continues at a line number only"
                raise UsageError(
                    message,
                    usage=arguments.usage,
                    hint="Queue all lines again: those with an idempotency key are replayed.",
                )
            return queue_lines(path, changes, arguments, output)
        return run_lines(path, changes, arguments, output)
    for given, option in (
        (arguments.resume is not None, "--resume"),
        (arguments.no_line_keys, "--no-line-keys"),
    ):
        if given:
            raise UsageError(
                f"'{option}' works only with JSON Lines",
                usage=arguments.usage,
                hint="Add '--lines'.",
            )
    content = LocalFiles().read_invocation(path)
    invocation = changed(content, changes)
    collect_seldom()
    with open_jackfield(arguments, migrates=True) as jackfield:
        return _run_single(jackfield, invocation, arguments, output)


def _warn(arguments: Namespace) -> None:
    if arguments.repeat:
        sys.stderr.write(f"{_REPEATS}\n")


def _check_saving(arguments: Namespace) -> None:
    """Check that the options permit saving files: the command makes one call, and the target is
    valid.

    :raises UsageError, InvalidInvocation: if they do not.
    """
    from jackfield.cli.saving import check_target

    for excluded, option in (
        (arguments.queue, "--queue"),
        (arguments.lines or is_lines(arguments.file or ""), "--lines"),
    ):
        if excluded:
            raise UsageError(
                f"'--save-to' cannot be used with '{option}'",
                usage=arguments.usage,
                hint="Run one invocation at a time.",
            )
    check_target(arguments.save_to)


def _run_words(arguments: Namespace, output: Output) -> int:
    missing = [
        name
        for name, value in (("CONNECTOR", arguments.connector), ("ACTION", arguments.action))
        if not value
    ]
    if missing:
        raise UsageError(
            f"missing: {' and '.join(missing)}",
            usage=arguments.usage,
            hint="Or give a whole invocation with --file.",
        )
    collect_seldom()
    with open_jackfield(arguments, migrates=True) as jackfield:
        schema = _inputs_schema(jackfield.catalog, arguments)
        return _run_single(jackfield, _invocation(arguments, schema), arguments, output, schema)


def _invocation(arguments: Namespace, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    invocation: dict[str, Any] = {"connector": arguments.connector, "action": arguments.action}
    # otherwise the pipeline reports the unknown connector or action; inputs do not matter
    if schema is not None:
        from jackfield.cli.arguments import read_inputs

        files = LocalFiles()
        given = read_inputs_file(arguments.inputs, files) if arguments.inputs is not None else {}
        invocation["inputs"] = read_inputs(arguments.words, schema, files, given)
    return invocation | _changes(arguments)


def _changes(arguments: Namespace) -> dict[str, Any]:
    found = {
        member: value
        for name, member in _MEMBERS.items()
        if (value := getattr(arguments, name)) is not None
    }
    for name, member in (("not_before", "notBefore"), ("not_after", "notAfter")):
        at = read_moment(arguments, name, 1)
        if at is not None:
            found[member] = iso(at)
    switches = {"dryRun": arguments.dry_run, "repeat": arguments.repeat, "trace": arguments.trace}
    return {**found, **{member: True for member, is_on in switches.items() if is_on}}


def _inputs_schema(catalog: Catalog, arguments: Namespace) -> Mapping[str, Any] | None:
    try:
        found = catalog.find(arguments.connector, arguments.connector_version).actions.get(
            arguments.action
        )
    except UnknownConnector:
        return None
    return None if found is None else found.inputs


def _run_single(
    jackfield: Jackfield,
    invocation: Mapping[str, Any] | bytes,
    arguments: Namespace,
    output: Output,
    schema: Mapping[str, Any] | None = None,
) -> int:
    if arguments.queue:
        return _queue_single(jackfield, invocation, arguments, output, schema)
    if arguments.stream:
        return _stream_single(jackfield, invocation, arguments, output, schema)
    cancelled, invoker = threading.Event(), caller()
    with interruptible(cancelled.set):
        how: dict[str, Any] = {"wait": arguments.wait, "caller": invoker, "on_time": True}
        follow = ProgressWriter() if arguments.follow else None
        result = run_one(
            lambda left: jackfield.invoke(invocation, cancelled=left, follow=follow, **how),
            cancelled,
        )
        if follow is not None and result.status == "running":
            identifier = result.meta.invocation_id
            result = run_one(
                lambda left: jackfield.wait(identifier, cancelled=left, follow=follow), cancelled
            )
        if arguments.save_to is not None and result.output is not None:
            from jackfield.cli.saving import saved

            body, code = saved(result, arguments.save_to)
            output.value(body)
            return code
        output.value(_json_of_result(result, arguments, schema))
    return result.exit_code


def _stream_single(
    jackfield: Jackfield,
    invocation: Mapping[str, Any] | bytes,
    arguments: Namespace,
    output: Output,
    schema: Mapping[str, Any] | None,
) -> int:
    stream = jackfield.stream(invocation, wait=arguments.wait, caller=caller())

    def events() -> Result:
        for event in stream:
            output.line({"event": event})
        return stream.result

    with interruptible(stream.close):
        result = run_one(lambda _left: events(), threading.Event())
        output.line(_json_of_result(result, arguments, schema))
    return result.exit_code


def _queue_single(
    jackfield: Jackfield,
    invocation: Mapping[str, Any] | bytes,
    arguments: Namespace,
    output: Output,
    schema: Mapping[str, Any] | None,
) -> int:
    found = jackfield.enqueue(invocation, caller=caller())
    if isinstance(found, str):
        output.value(Enqueued(found).to_json())
        return 0
    if arguments.wait:  # until it ends, but for evidence as long as a call would
        found = found.wait(
            None if found.meta.settling is None else arguments.timeout or DEFAULT_TIMEOUT
        )
    queued = Enqueued.of(found)
    output.value(_json_of_result(found, arguments, schema) if queued is None else queued.to_json())
    return found.exit_code


def _json_of_result(
    result: Result, arguments: Namespace, schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    body = result.to_json("cli")
    if schema is None or result.error is None:
        return body
    from jackfield.cli.arguments import with_forms

    return with_forms(body, arguments.words, schema)


VERBS = in_workspace({"": Verb("Run an action and print its Result.", _declare, _run)})
