"""How things are measured: alternating rounds, medians, child processes for what must start cold."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_UNPACED = {"max24HourSend": -1, "maxSendRate": 1_000_000}
"""An account whose limits pace nothing."""
sys.path.insert(0, str(ROOT / "tests" / "support"))


@dataclass(frozen=True)
class Line:
    """One line of the report: what was compared, what came out, and the goal of the design."""

    what: str
    measured: str
    goal: str
    met: bool | None = None


@contextmanager
def endpoint(**options: Any) -> Iterator[Any]:
    """Our fake AWS in a process of its own, so that its CPU time is not ours."""
    from fake_aws import FakeAwsProcess

    with FakeAwsProcess(**{"quota": _UNPACED, **options}) as fake:
        yield fake


def cpu_each(function: Callable[[], object], count: int) -> float:
    """Seconds of this process's CPU time for each of ``count`` calls."""
    started = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - started) / count


def in_threads(function: Callable[[], object], count: int, threads: int) -> float:
    """The same, from ``threads`` threads at once."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: function(), range(threads * 2)))  # every thread has its connection
        started = time.process_time()
        list(pool.map(lambda _: function(), range(count)))
        return (time.process_time() - started) / count


def paired(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Median of the ratio ours/theirs over alternating rounds, and the medians of both."""
    pairs = []
    for number in range(rounds):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        values = {first: first(), second: second()}
        pairs.append((values[ours], values[theirs]))
    return (
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def run_child(module: str, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a benchmark module in a fresh process; it prints one line of JSON."""
    environment = {**bare_environment(), **(environment or {})}
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True, cwd=ROOT, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def wall_of_command(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Seconds until a command has ended."""
    started = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**bare_environment(), **(environment or {})},
    )
    return time.perf_counter() - started


def bare_environment() -> dict[str, str]:
    """Environment without settings of AWS and of jackfield, and without a journal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "JACKFIELD_", "PYTHONDONTWRITE"))}
    return {**kept, "JACKFIELD_DATABASE_URL": "none", "AWS_EC2_METADATA_DISABLED": "true"}
