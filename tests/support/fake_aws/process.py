"""FakeAwsProcess: the fake as a process of its own, so that a benchmark measures the client
alone.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .fake import FakeAws


class FakeAwsProcess:
    """A child that prints its URL, then its state for each line of input, until that ends. Options
    must be JSON values.
    """

    def __init__(self, **options: Any) -> None:
        self._options = json.dumps(options)
        self._process: subprocess.Popen[str]
        self.url: str

    def __enter__(self) -> Self:
        path = os.pathsep.join(
            filter(
                None, (str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH"))
            )
        )
        command = [sys.executable, "-m", "fake_aws.process", self._options]
        environment = {**os.environ, "PYTHONPATH": path}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.url = self._line().strip()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Its stdin closes, which ends it; communicate() also closes our ends of the pipes.
        self._process.communicate(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def state(self) -> dict[str, Any]:
        """Return the whole state."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self._line()))


def main() -> None:
    """Serve until the input ends, so as not to outlive the caller."""
    # The log only grows and holds no cycles: collecting it again and again would show in the
    # timings.
    gc.disable()
    with FakeAws(**json.loads(sys.argv[1])) as aws:
        sys.stdout.write(f"{aws.url}\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            sys.stdout.write(json.dumps(aws.state()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
