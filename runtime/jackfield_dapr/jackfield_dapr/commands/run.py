"""``jackfield run``: run a workflow file in either of Thand's forms."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.callers import Caller
from jackfield.cli import logs
from jackfield.cli.batch import run_one
from jackfield.cli.interrupt import interruptible
from jackfield.cli.local_files import STDIN, LocalFiles
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import duration
from jackfield.connections.connection_lookup import sources_from
from jackfield.connections.documents import DocumentError, split_documents
from jackfield.connections.formats import Document, recognise
from jackfield.invocation import MAX_TIMEOUT, Result, decode
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.local import account_key
from jackfield_dapr.workflow import find_workflow, prepare, read_workflows


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a YAML or JSON file with workflows and, optionally, providers (- = stdin)",
    )
    parser.add_argument(
        "workflow",
        nargs="?",
        metavar="WORKFLOW",
        help="the workflow's key or name; optional if the file has only one",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        dest="given",
        help="set a member of $context; repeatable",
    )
    parser.add_argument(
        "--compat",
        choices=("lenient", "strict"),
        default="lenient",
        help="strict: accept only what Thand itself accepts",
    )
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration(MAX_TIMEOUT, zero=False),
        help="the deadline for each email",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="validate and connect, but send no email"
    )


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_store.runtime import Jackfield

    given = _given(arguments)
    logs.configure()
    documents, faults = _documents(arguments.file)
    _report(faults)
    workflow = find_workflow(
        read_workflows(documents), arguments.workflow, faults, _without_workflows(documents)
    )
    own: list[Any] = (
        [item.content for item in documents] if arguments.file == STDIN else [arguments.file]
    )
    others = [source for source in sources_from(os.environ) if not _same(source, arguments.file)]
    with Jackfield(
        os.environ.get("JACKFIELD_WORKSPACE") or "default", connections=[*own, *others]
    ) as jackfield:
        _report(problem for problem in jackfield.connections.problems if problem not in faults)
        cancelled = threading.Event()
        extra: dict[str, Any] = {"dryRun": True} if arguments.dry_run else {}
        extra |= {"timeoutSeconds": arguments.timeout} if arguments.timeout is not None else {}
        caller = Caller(account_key(), audience="operator", waits=False)

        def invoke(invocation: Mapping[str, Any]) -> Result:
            return jackfield.invoke(
                {**invocation, **extra}, cancelled=cancelled, caller=caller, on_time=True
            ).wait()

        prepared = prepare(
            workflow,
            jackfield,
            given,
            os.environ,
            invoke=invoke,
            strict=arguments.compat == "strict",
        )
        with interruptible(cancelled.set):
            outcome = run_one(lambda _left: prepared.run(), cancelled)
            output.value(outcome.to_json())
    for step in outcome.steps:
        if "warning" in step or "error" in step:
            sys.stderr.write(f"jackfield: {step['name']}: {step.get('warning') or step['error']}\n")
    return outcome.exit_code


def _given(arguments: Namespace) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for word in arguments.given:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise UsageError(
                f"'{word[:80]}' is not NAME=JSON",
                usage=arguments.usage,
                hint='Write --set user=\'{"name": "Ada"}\'.',
            )
        try:
            found[name] = decode(text)
        except InvalidInvocation as error:
            reason = error.message.replace("the invocation", f"--set {name[:80]}")
            raise UsageError(
                reason,
                usage=arguments.usage,
                hint=f"A string needs quotes: --set {name[:80]}='\"…\"'.",
            ) from None
    return found


def _report(faults: Iterable[str]) -> None:
    for fault in faults:
        sys.stderr.write(f"jackfield: {fault}\n")


def _documents(path: str) -> tuple[list[Document], list[str]]:
    """Read the documents of the file, and an error message for each broken one.

    :raises InvalidInvocation: if none can be read.
    """
    name = "stdin" if path == STDIN else os.path.basename(path)
    shown = "stdin" if path == STDIN else os.path.expanduser(path)
    found: list[Document] = []
    faults: list[str] = []
    for where, content in split_documents(LocalFiles().read_text(path), name):
        if isinstance(content, DocumentError):
            faults.append(f"{shown}{where}: {content}")
        else:
            found.append(Document(content, name, f"{name}{where}"))
    if not found:
        reason, *others = faults or [f"{shown}: it is empty"]
        hint = "A workflow file is YAML or JSON with 'workflows'."
        raise InvalidInvocation(reason, details=[Detail("", fault) for fault in others], hint=hint)
    return found, faults


def _without_workflows(documents: Iterable[Document]) -> str:
    """Return the next step for a file of connections of another system, whose own flows jackfield
    does not run.
    """
    if not any(recognise(item.content) == "prismatic" for item in documents):
        return ""
    return (
        "An integration's flows are not run. Its connections can be used: list the file in "
        "JACKFIELD_CONNECTIONS, or run "
        "'jackfield connections import FILE'; run each step with 'jackfield invoke', which reads "
        "the step's inputs as they are."
    )


def _same(source: str, path: str) -> bool:
    return path != STDIN and os.path.realpath(os.path.expanduser(source)) == os.path.realpath(path)


VERBS = {"": Verb("Run a workflow and print the outcome of each task.", _declare, _run)}
