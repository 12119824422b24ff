"""A process that has everything imported and forks a child for each invocation, so that children
can be killed by the hundred.

Run as ``python nursery.py URL-OF-AWS URL-OF-DATABASE``. Each line on its standard input is an
idempotency key; it answers with the id of a child that sends one mail under that key and then ends
with the exit code of its Result.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def connection(url: str) -> dict[str, Any]:
    """A connection to the fake AWS."""
    keys = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "secret-of-the-nursery",
        "region": "eu-west-1",
    }
    return {"acme-ses": {"type": "aws-ses/apiKeySecret", "values": {**keys, "endpoint": url}}}


def mail(key: str) -> dict[str, Any]:
    """The invocation under a key; the key is the subject too, so that the endpoint's count can be
    told by it.
    """
    inputs = {
        "to": ["ada@example.com"],
        "sender": "noreply@example.com",
        "subject": key,
        "text": "Hello Ada",
    }
    return {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme-ses",
        "inputs": inputs,
        "idempotencyKey": key,
    }


class Nursery:
    """The parent's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def end_at_random(self, keys: Iterable[str], how: signal.Signals, seed: int) -> None:
        """Start an invocation under each key, one after the other, and send its process ``how`` at
        a random instant of its life.
        """
        instants = random.Random(seed)
        longest = self._seconds_of_a_life()
        for key in keys:
            child = self._child(key)
            threading.Event().wait(instants.uniform(0.0, longest))
            with suppress(ProcessLookupError):  # it had ended by itself
                os.kill(child, how)
            self._gone(child)

    def _child(self, key: str) -> int:
        """Start an invocation; the id of the process that runs it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(key + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def _seconds_of_a_life(self) -> float:
        """How long a child lives here and now, from its fork to its end, if nobody ends it: the
        longest of three lives.
        """
        lives = []
        for number in range(3):
            started = time.monotonic()
            self._gone(self._child(f"whole-{number}"))
            lives.append(time.monotonic() - started)
        return max(lives)

    @staticmethod
    def _gone(child: int) -> None:
        """Return when a child has ended."""
        while Path(f"/proc/{child}").exists():
            threading.Event().wait(0.001)


@contextmanager
def nursery(aws_url: str, database_url: str, environment: Mapping[str, str]) -> Iterator[Nursery]:
    """A nursery that is warm."""
    command = [sys.executable, __file__, aws_url, database_url]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "warm\n"
        try:
            yield Nursery(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _main(aws_url: str, database_url: str) -> None:
    from jackfield_store.database import open_database
    from jackfield_store.runtime import Jackfield

    with (  # imports all that a child needs
        tempfile.TemporaryDirectory() as folder,
        Jackfield(
            connections=[connection(aws_url)], database_url=f"sqlite:///{folder}/warm.db"
        ) as warm,
    ):
        warm.invoke(mail("warm-up"))
    open_database(database_url, migrate=False).close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("warm\n")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 130  # as a shell says it of Ctrl-C
            with (
                suppress(KeyboardInterrupt),
                Jackfield(
                    connections=[connection(aws_url)], database_url=database_url
                ) as jackfield,
            ):
                code = jackfield.invoke(mail(line.strip())).exit_code
            os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
