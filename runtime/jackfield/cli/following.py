"""Progress of a job on stderr: one line each time it changes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


class Following:
    """Writer of a job's progress, called with each one that a wait has seen."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, progress: Mapping[str, Any]) -> None:
        """Write the progress if it has changed."""
        line = f"{progress['fraction']:.0%} {progress['text']}".rstrip()
        if line != self._last:
            self._last = line
            sys.stderr.write(f"jackfield: {line}\n")
