"""Parsing of a command's arguments with argparse; an error raises an exception with a code instead
of exiting.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from jackfield.cli.output import Output
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation, did_you_mean

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from _typeshed import SupportsWrite


Namespace = argparse.Namespace
_FAILED = 1
_UNKNOWN = "unrecognized arguments: "
_YOUNG = 200_000
"""Number of allocations before a garbage collection: more than a cold call makes, which loads
modules and service models.
"""


def collect_seldom() -> None:
    """Collect garbage rarely until the command ends: repeated collections take a tenth of a cold
    call, which mostly allocates modules, manifests and service models that stay. Long-running
    processes (``serve``, ``--lines``) keep Python's default.
    """
    gc.set_threshold(_YOUNG)


def _columns() -> int:
    try:
        return (
            int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stdout.fileno()).columns
        )
    except (ValueError, OSError):  # no number, or no terminal
        return 80


class _Formatter(argparse.HelpFormatter):
    """Help formatter that is cheap to create. argparse creates one for each argument, and imports
    ``shutil`` for the terminal's width.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class UsageError(InvalidInvocation):
    """Error for invalid arguments. ``usage`` is written to stderr."""

    def __init__(self, message: str, *, usage: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """Parser of one command. ``flags`` are its options, for completion; the parsed values have
    ``usage``, for errors found later.

    With ``takes_command``, the words after ``--`` are a command of the user, the value ``command``.
    """

    def __init__(self, command: str, description: str) -> None:
        self.flags: dict[str, argparse.Action] = {}
        self.takes_command = False
        super().__init__(
            prog=f"jackfield {command}",
            description=description,
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        self.add_argument(
            "--json", action="store_true", help="print JSON on one line, even on a terminal"
        )

    def add_argument(self, *names: Any, **about: Any) -> argparse.Action:
        """Add an argument and store its options. ``jackfield.cli.quantities`` parses numbers."""
        action = super().add_argument(*names, **about)
        if action.help != argparse.SUPPRESS:
            self.flags.update(dict.fromkeys(action.option_strings, action))
        return action

    def read(self, words: Sequence[str]) -> Namespace:
        """Parse ``words``; options and positional arguments may be mixed.

        :raises UsageError: for invalid arguments.
        """
        mine = list(words)
        command: list[str] = []
        if self.takes_command and "--" in mine:
            place = mine.index("--")
            mine, command = mine[:place], mine[place + 1 :]
        found = self.parse_intermixed_args(mine)
        found.command = command
        found.usage = self.format_usage()
        return found

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:  # noqa: ARG002 (argparse's signature; help is an answer)
        """Print the help, and report write errors, such as a full disk, which argparse's own method
        ignores.
        """
        output = Output()
        output.text(self.format_help())
        if output.lost:
            self.exit(_FAILED)

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError; argparse's own method exits."""
        hint = f"See '{self.prog} --help'."
        if self.takes_command and message.startswith(_UNKNOWN):
            hint = f"A command stands after '--': '{self.prog} -- COMMAND'. {hint}"
        raise UsageError(f"{message}{self._meant(message)}", usage=self.format_usage(), hint=hint)

    def _meant(self, message: str) -> str:
        _, _, words = message.partition(_UNKNOWN)
        unknown = next(
            (word.partition("=")[0] for word in words.split() if word.startswith("--")), None
        )
        if not unknown:
            return ""
        flags = [flag for flag in self.flags if flag.startswith("--")]
        named = [flag for flag in flags if unknown[2:] in flag[2:].split("-")]
        return f"; did you mean '{named[0]}'?" if len(named) == 1 else did_you_mean(unknown, flags)


def declare_workspace(parser: Parser) -> None:
    """Add ``--workspace``."""
    parser.add_argument(
        "--workspace",
        metavar="WORKSPACE",
        help="the workspace (default: JACKFIELD_WORKSPACE, else 'default')",
    )


@dataclass(frozen=True, slots=True)
class Verb:
    """Subcommand of a noun: ``declare`` adds its arguments to a parser, ``run`` executes it and
    returns the exit code. A verb that uses a protocol on stdout sets ``claims_output``.
    """

    summary: str
    declare: Callable[[Parser], None]
    run: Callable[[Namespace, Output], int]
    claims_output: bool = False

    def parser(self, command: str) -> Parser:
        """Build the parser of ``command``: the noun followed by this verb."""
        parser = Parser(command, self.summary)
        self.declare(parser)
        return parser


Verbs = Mapping[str, Verb]
"""Verbs of a noun by name; a noun without verbs has a single entry named ``""``."""
