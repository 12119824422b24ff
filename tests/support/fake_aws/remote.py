"""FakeAwsProcess: the fake as a process of its own, so that a benchmark measures the client alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from .faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from .options import Options


class FakeAwsProcess:
    """Starts `python -m fake_aws` and steers it over HTTP; a context manager. Options must be JSON values."""

    def __init__(self, **options: Unpack[Options]) -> None:
        self._options = json.dumps(options)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        folder = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "fake_aws", "--port", "0", "--watch-stdin", "--json", self._options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self._end()
            raise RuntimeError("the fake did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            # Its stdin closes, which ends it; communicate() also closes our ends of the pipes.
            self._process.communicate(timeout=10)
            self._process = None

    def _call(self, name: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_fake/{name}", data, {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def state(self) -> dict[str, Any]:
        """Return the whole state."""
        return dict(self._call("state"))

    def counters(self) -> dict[str, Any]:
        """Return the numbers alone."""
        return dict(self._call("counters"))

    def calls(self) -> list[str]:
        """Return the names of the requests, in order."""
        return list(self.state()["calls"])

    def script(self, faults: Iterable[Fault | Mapping[str, Any]]) -> None:
        """Append faults."""
        self._call("script", [asdict(fault) if isinstance(fault, Fault) else fault for fault in faults])

    def configure(self, **options: Unpack[Options]) -> None:
        """Change options."""
        self._call("configure", options)

    def reset(self, *, sessions: bool = False) -> None:
        """Log, messages, counters and script as at the start."""
        self._call("reset", {"sessions": sessions})

    def expire_sessions(self) -> None:
        """Every session made so far is over from now on."""
        self._call("expire", {})

    def advance(self, seconds: float) -> None:
        """Move the fake's clock on."""
        self._call("advance", {"seconds": seconds})

    def release(self) -> None:
        """End every hang."""
        self._call("release", {})
