"""How far a file of invocations has come: on stderr, for people only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

__all__ = ["Progress", "progress"]


class Progress(Protocol):
    """What is told of each Result."""

    def __call__(self, *, failed: bool) -> None:
        """One more Result is there."""


@contextmanager
def progress(stdout: TextIO, total: int | None = None) -> Iterator[Progress]:
    """Show how many of ``total`` are done, how many a second, and the time left, where stderr is a terminal and ``stdout`` is not (there,
    the Results themselves show it)."""
    if stdout.isatty() or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    done = faults = 0
    began = time.monotonic()
    known = () if total is None else (BarColumn(), TextColumn("left:"), TimeRemainingColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), *known)
    with Bar(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("no invocation done yet", total=total)

        def tell(*, failed: bool) -> None:
            nonlocal done, faults
            done, faults = done + 1, faults + failed
            rate = done / max(0.001, time.monotonic() - began)
            of = f" of {total:,}" if total is not None else ""
            bar.update(task, completed=done, description=f"{done:,}{of} done, {faults:,} of them not succeeded, {rate:,.1f}/s")

        yield tell


def _silent(*, failed: bool) -> None:
    """Show nothing."""
