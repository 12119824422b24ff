"""The command ``jackfield demo``."""

from __future__ import annotations

import argparse
from typing import NoReturn

from jackfield.kernel.errors import InvalidInvocation


def command(argv: list[str]) -> int:
    """Run the demo with the arguments after the command's name; return 0 if all steps passed, else
    1.

    :raises InvalidInvocation: for unknown arguments.
    """
    arguments = _parser().parse_args(argv)
    from jackfield_aws_ses_simulator.serving import serve
    from jackfield_aws_ses_simulator.show import Show
    from jackfield_aws_ses_simulator.steps import tour

    show = Show(one_line=arguments.json)
    return serve(show) if arguments.serve else tour(show)


class _Parser(argparse.ArgumentParser):
    """Parser that reports mistakes as errors with a code, which ``jackfield`` prints as JSON."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInvocation(message, hint=f"See '{self.prog} --help'.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jackfield demo",
        description=(
            "A guided tour of Amazon SES through jackfield, on a local AWS simulator inside "
            "this command: no account, no network."
        ),
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON per step")
    parser.add_argument(
        "--serve",
        action="store_true",
        help="keep the simulator running, and print how to use it from another terminal",
    )
    return parser
