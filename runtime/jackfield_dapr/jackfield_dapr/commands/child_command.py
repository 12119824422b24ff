"""The user's command that runs along with a server, as ``dapr run`` starts an application. Signals
are forwarded to it; its end ends the server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from jackfield.kernel.errors import InvalidInvocation

_STOPPING = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
]
_FORWARDED = [
    *_STOPPING,
    *(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)),
]
_KILLED = 128
"""Number that shells add to the number of the signal that ended a command."""


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Provide an event that SIGTERM, SIGINT and SIGHUP set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_command(
    words: Sequence[str],
    variables: Mapping[str, str | None],
    stop: threading.Event,
    stdout: IO[Any],
) -> int:
    """Run a command to its end and return its exit code. Signals that would end this process are
    sent to the command. If ``stop`` is set already, the command is terminated at once.

    :raises InvalidInvocation: if the command cannot be started.
    """
    process = start_command(words, variables, stdout)

    def forward(number: int, _frame: object) -> None:
        # Ctrl-C on a terminal reaches every process of the foreground group by itself
        if not (number == signal.SIGINT and os.isatty(0)):
            process.send_signal(number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    if stop.is_set():
        process.terminate()
    code = process.wait()
    return code if code >= 0 else _KILLED - code


def start_command(
    words: Sequence[str],
    variables: Mapping[str, str | None],
    stdout: IO[Any],
    folder: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in ``folder``. ``variables`` override the environment; None removes a
    variable.

    :raises InvalidInvocation: if the command cannot be started.
    """
    environment = {
        **os.environ,
        **{name: value for name, value in variables.items() if value is not None},
    }
    for name in (name for name, value in variables.items() if value is None):
        environment.pop(name, None)
    try:
        return subprocess.Popen(
            list(words), env=environment, stdout=_descriptor(stdout), cwd=folder
        )
    except OSError as error:
        reason = f"the command '{words[0][:200]}' cannot be started: {error.strerror}"
        raise InvalidInvocation(
            reason, hint="Write the command and its arguments after '--', as for a shell."
        ) from None


def _descriptor(stream: IO[Any]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # not a file, such as a test's
        return None
