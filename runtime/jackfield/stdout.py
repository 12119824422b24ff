"""Standard output: reserved for answers while connector code runs, and silenced after a broken pipe or a full disk."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from typing import TextIO

_STDOUT = 1


class Claim:
    """Standard output reserved for answers: ``stream`` writes there, while ``sys.stdout`` and descriptor 1 are redirected to stderr.

    This keeps the prints of connectors, also at import, and native libraries' writes to descriptor 1 out of the answers.
    """

    def __init__(self) -> None:
        self._stdout = sys.stdout
        self._saved: int | None = None
        self.stream: TextIO = self._stdout
        try:
            if self._stdout.fileno() == _STDOUT:
                self._stdout.flush()
                self._saved = os.dup(_STDOUT)
                os.dup2(_stderr(), _STDOUT)
                self.stream = open(self._saved, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 (open until release)
        except (OSError, ValueError):  # not a file, such as a test's
            pass
        sys.stdout = sys.stderr

    def release(self) -> None:
        """Restore standard output, for a process that continues."""
        if self._saved is not None:
            self._stdout.flush()  # text that is still buffered in the old object goes to stderr, too
            os.dup2(self._saved, _STDOUT)
            self.stream.close()
            os.close(self._saved)
            self._saved = None
        sys.stdout = self._stdout
        self.stream = self._stdout


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # not a file
        return os.open(os.devnull, os.O_WRONLY)


def silence_stdout(stream: TextIO | None = None) -> None:
    """Discard the output still buffered for stdout, so that Python does not report an error at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (stream or sys.stdout).fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is not a file
        return
