"""Standard output: kept for answers while connector code runs, and silenced where its reader has left or its disk is full."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own would cost a cold --help as much as Python's start
if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Claim", "silence_stdout"]

_STDOUT = 1


class Claim:
    """Standard output kept for answers: ``stream`` leads there, while ``sys.stdout`` and descriptor 1 lead to stderr.

    What connectors print, at import too, and what libraries write to descriptor 1 never comes between the answers.
    """

    def __init__(self) -> None:
        self._stdout = sys.stdout
        self._kept: int | None = None
        self.stream: TextIO = self._stdout
        try:
            if self._stdout.fileno() == _STDOUT:
                self._stdout.flush()
                self._kept = os.dup(_STDOUT)
                os.dup2(_stderr(), _STDOUT)
                self.stream = open(self._kept, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 (open until release)
        except (OSError, ValueError):  # not a file, such as a test's
            pass
        sys.stdout = sys.stderr

    def release(self) -> None:
        """Give standard output back, in a process that lives on."""
        if self._kept is not None:
            self._stdout.flush()  # what was printed to the old object goes to stderr, too
            os.dup2(self._kept, _STDOUT)
            self.stream.close()
            os.close(self._kept)
            self._kept = None
        sys.stdout = self._stdout
        self.stream = self._stdout


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # not a file
        return os.open(os.devnull, os.O_WRONLY)


def silence_stdout(stream: TextIO | None = None) -> None:
    """Send what is still buffered for stdout nowhere, so that Python does not complain about it at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (stream or sys.stdout).fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is not a file
        return
