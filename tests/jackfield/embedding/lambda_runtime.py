"""The runtime of AWS Lambda, imitated: ``python lambda_runtime.py FOLDER`` imports
``lambda_function`` from it and handles a line of stdin after the other. Nothing can be written
outside of the folder that TMPDIR names, and each line says by how much each clock has moved on.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from typing import Any

_real_time, _real_clock = time.time, time.clock_gettime
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_ahead = {"wall": 0.0, "monotonic": 0.0}


def _clock(number: int) -> float:
    return _real_clock(number) + _ahead["wall" if number == time.CLOCK_REALTIME else "monotonic"]


def _read_only(event: str, given: tuple[Any, ...]) -> None:
    """Refuse what a read-only file system refuses."""
    writes = event in ("os.mkdir", "sqlite3.connect") or (
        event == "open" and bool(given[2] & _WRITES)
    )
    if writes and isinstance(given[0], str | bytes):
        path = os.path.abspath(os.fsdecode(given[0]).removeprefix("file:"))
        if not path.startswith((os.environ["TMPDIR"], "/dev/", "/proc/")):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that the function has left."""
        return 20_000


def main() -> None:
    """Answer each line."""
    time.time, time.clock_gettime = lambda: _real_time() + _ahead["wall"], _clock
    time.monotonic = lambda: _clock(time.CLOCK_MONOTONIC)  # of libraries, such as pools of HTTP/2
    sys.path.insert(0, sys.argv[1])
    sys.dont_write_bytecode = True
    sys.addaudithook(_read_only)
    begun = _real_clock(time.CLOCK_MONOTONIC)
    import lambda_function  # type: ignore[import-not-found]

    for line in sys.stdin:
        asked = json.loads(line)
        _ahead.update(asked["ahead"])
        result = lambda_function.handler(asked["event"], _Context())
        sys.stdout.write(
            json.dumps({"result": result, "seconds": _real_clock(time.CLOCK_MONOTONIC) - begun})
            + "\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
