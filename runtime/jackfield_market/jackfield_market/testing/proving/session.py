"""One run of ``jackfield prove``: the options as settings, the target as cases, and the proof on
stdout and in files.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, UsageError
from jackfield.connections.documents import DocumentError, documents, read_text
from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.testing.proving.connectors import actions_of
from jackfield_market.testing.proving.engine import CaseProof, Prover, Settings
from jackfield_market.testing.proving.faults import NAMES
from jackfield_market.testing.proving.ledger import Terms
from jackfield_market.testing.proving.reports import Proof, html, junit, text
from jackfield_market.testing.proving.samples import answers_of
from jackfield_market.testing.proving.targets import (
    FOLDER,
    Case,
    CommandCase,
    FunctionCase,
    Place,
    function_at,
)
from jackfield_market.testing.proving.tools import ToolServer

_FAILED, _UNJUDGED = 1, 2
_NOW_AND_THEN = 5.0
"""Seconds between two lines of progress in a log."""
_ELSEWHERE = (307, 308)
"""Statuses after which a client sends the same request to another address."""
_BOUNDARY = "jackfield.boundary.once"
_RUNNERS = Path(__file__).parent / "node"


def run(arguments: Namespace, output: Output) -> int:
    """Prove the target of the arguments, print the proof, and return the exit code."""
    _require(arguments)
    progress = _Progress()
    prover = Prover(_settings(arguments), progress)
    with _cases(arguments) as (name, cases):
        proof = Proof(name, tuple(_proved(prover, cases, progress.line)))
    progress("")
    for file, made in ((arguments.junit, junit), (arguments.html, html)):
        if file:
            _write(file, made(proof))
    if arguments.json:
        output.value(proof.to_json())
    else:
        output.text(text(proof, whole=arguments.all))
    if proof.is_right:
        return 0
    return _FAILED if proof.is_wrong else _UNJUDGED


def _proved(
    prover: Prover, cases: Sequence[Case], say: Callable[[str], None]
) -> Iterator[CaseProof]:
    """Prove all cases. If there are several, report and omit a case that makes no write."""
    refused: InvalidInvocation | None = None
    found = False
    for case in cases:
        try:
            yield prover.prove(case)
            found = True
        except InvalidInvocation as error:
            refused = error
            if len(cases) > 1:
                say(error.message)
    if not found:
        raise refused or InvalidInvocation(
            "there is nothing that writes", hint="Name tools by --arguments, or another target."
        )


def _require(arguments: Namespace) -> None:

    if bool(arguments.target) == bool(arguments.command):
        raise UsageError(
            "give either TARGET or -- COMMAND",
            usage=arguments.usage,
            hint="See 'jackfield prove --help'.",
        )
    if (file := Path(arguments.target or ".")).is_file():
        hint = (
            f"Give the command that runs it, 'jackfield prove -- python {file}', or a "
            f"function of a module: '{file.stem}:FUNCTION'."
        )
        raise UsageError(f"'{file}' is a file, and no target", usage=arguments.usage, hint=hint)
    for name in arguments.only:
        if name not in NAMES:
            raise InvalidInvocation(
                f"there is no situation '{name[:80]}'", hint=f"There are {', '.join(NAMES)}."
            )


def _settings(arguments: Namespace) -> Settings:

    answers = answers_of(_document(arguments.openapi)) if arguments.openapi else {}
    answers |= _document(arguments.answers) if arguments.answers else {}
    terms = Terms(
        ("Idempotency-Key", *arguments.key_header),
        tuple(arguments.key_member),
        arguments.ignore_keys,
        tuple(arguments.read),
        tuple(arguments.allow_other),
        arguments.silence,
        arguments.late,
        refusals={name: row["refused"] for name, row in answers.items() if row.get("refused")},
        redirects={name: row for name, row in answers.items() if row.get("status") in _ELSEWHERE},
    )
    is_proxied = bool(arguments.command) and not arguments.base_url_variable
    return Settings(
        terms,
        answers,
        listed=arguments.list_member,
        only=tuple(arguments.only),
        again=arguments.again,
        port=arguments.port,
        proxy=is_proxied,
        limit=arguments.limit,
    )


@contextmanager
def _cases(arguments: Namespace) -> Iterator[tuple[str, Sequence[Case]]]:
    target = arguments.target or ""
    if arguments.mcp or target.startswith(("http://", "https://")):
        command = _command(arguments) if arguments.command else None
        with tempfile.TemporaryDirectory() as folder:
            given = _document(arguments.arguments) if arguments.arguments else {}
            tools = [
                *ToolServer(command, target).cases(Place("http://127.0.0.1:9", Path(folder)), given)
            ]
        yield target or _name(arguments), [*tools]
    elif arguments.command:
        yield _name(arguments), [_command(arguments)]
    elif ":" in target:
        with tempfile.TemporaryDirectory() as folder:
            os.environ[FOLDER] = folder
            function_at(target)
            yield target, [FunctionCase(target, is_apart=_BOUNDARY in sys.modules)]
    else:
        key, _, action = target.partition("/")
        with actions_of(Catalog.installed().find(key), action) as actions:
            yield target, [*actions]


def _name(arguments: Namespace) -> str:
    return " ".join(arguments.command)[:100]


def _command(arguments: Namespace) -> CommandCase:

    pairs = (text.partition("=") for text in arguments.base_url_variable)
    return CommandCase(
        [*_words(arguments)], {name: path for name, _, path in pairs}, _name(arguments)
    )


def _words(arguments: Namespace) -> Iterator[str]:
    """Yield the command. For an action of another engine, it is the command of a runner, with the
    file of the action's input.
    """
    runner = "nango" if arguments.nango else "activepieces" if arguments.activepieces else ""
    if not runner:
        yield from arguments.command
        return
    if not arguments.arguments:
        raise UsageError(
            f"--{runner} needs --arguments FILE",
            usage=arguments.usage,
            hint="The file has the action's input, as JSON.",
        )
    yield from (
        "node",
        str(_RUNNERS / f"{runner}.mjs"),
        *arguments.command,
        str(Path(arguments.arguments).resolve()),
    )


def _document(name: str) -> dict[str, Any]:
    """Read a file of JSON or YAML.

    :raises InvalidInvocation: if it cannot be parsed, or is no object.
    """
    try:
        found = next(documents(read_text(name), name), None)
    except DocumentError as error:
        raise InvalidInvocation(
            f"'{name[:200]}': {error}", hint="Name a file of JSON or YAML."
        ) from None
    if not isinstance(found, dict):
        raise InvalidInvocation(
            f"'{name[:200]}' is no object", hint="Write one member for each route or tool."
        )
    return found


class _Progress:
    """Report of the current situation: a terminal shows one line, a log gets a line every five
    seconds.
    """

    def __init__(self) -> None:
        self._said = -_NOW_AND_THEN

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text[:120]}")
        elif text and time.monotonic() - self._said > _NOW_AND_THEN:
            self._said = time.monotonic()
            sys.stderr.write(f"jackfield prove: {text[:200]}\n")
        sys.stderr.flush()

    def line(self, text: str) -> None:
        """Print a line that is not overwritten."""
        self("")
        sys.stderr.write(f"jackfield prove: {text}\n")


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInvocation(
            f"'{name}' cannot be written: {error.strerror}", hint="Choose another file."
        ) from None
