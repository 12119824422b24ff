"""Reading the words of a command: argparse, but a mistake is a value with a code and not an exit."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from jackfield.errors import InvalidInvocation, did_you_mean

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from jackfield.cli.output import Output

__all__ = ["Namespace", "Parser", "UsageError", "Verb"]

Namespace = argparse.Namespace
_FAILED = 1


class UsageError(InvalidInvocation):
    """The words make no command. ``usage`` is the line for people, which goes to stderr."""

    def __init__(self, message: str, *, usage: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """The parser of one command. ``flags`` are its options, for completion; the result has ``usage``, for errors found later."""

    def __init__(self, command: str, description: str) -> None:
        self.flags: dict[str, argparse.Action] = {}
        super().__init__(prog=f"jackfield {command}", description=description, allow_abbrev=False)
        self.add_argument("--json", action="store_true", help="answer on one line, also on a terminal")

    def add_argument(self, *names: Any, **about: Any) -> argparse.Action:
        """Add an argument and remember its options. Numbers are parsed by ``jackfield.cli.quantities``."""
        action = super().add_argument(*names, **about)
        self.flags.update(dict.fromkeys(action.option_strings, action))
        return action

    def read(self, words: Sequence[str]) -> Namespace:
        """The values in ``words``; options and positional words may be mixed.

        :raises UsageError: for words that do not fit.
        """
        found = self.parse_intermixed_args(list(words))
        found.usage = self.format_usage()
        return found

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:  # noqa: ARG002 (argparse's signature; help is an answer)
        """What argparse calls for ``--help``: its own way of writing swallows every fault, a full disk too."""
        from jackfield.cli.output import Output

        output = Output()
        output.text(self.format_help())
        if output.lost:
            self.exit(_FAILED)

    def error(self, message: str) -> NoReturn:
        """What argparse calls on a mistake."""
        raise UsageError(f"{message}{self._meant(message)}", usage=self.format_usage(), hint=f"See '{self.prog} --help'.")

    def _meant(self, message: str) -> str:
        """Name the option that is nearest to the first one that is not known."""
        _, _, words = message.partition("unrecognized arguments: ")
        unknown = next((word.partition("=")[0] for word in words.split() if word.startswith("--")), None)
        return did_you_mean(unknown, [flag for flag in self.flags if flag.startswith("--")]) if unknown else ""


@dataclass(frozen=True, slots=True)
class Verb:
    """What a noun can do: ``declare`` adds its arguments to a parser, ``run`` does it and gives the exit code."""

    summary: str
    declare: Callable[[Parser], None]
    run: Callable[[Namespace, Output], int]

    def parser(self, command: str) -> Parser:
        """The parser of ``command``, which is this verb after its noun."""
        parser = Parser(command, self.summary)
        self.declare(parser)
        return parser


Verbs = Mapping[str, Verb]
"""A noun's verbs by name; the only one of a noun without verbs is called ``""``."""
