"""A child of ``measure``: open a scene with the code of this process's tree, and run a round of
calls for each number on standard input.

Arguments: ``module:function``, its arguments as JSON, the number of threads. For each round one
line of JSON goes to standard output. Its ``cpu`` is the CPU time of this process from the begin of
the round before until the begin of this one: what a call defers to a thread (journal entries) is
paid for by the round that deferred it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import Barrier
from typing import Any

from benchmarks.trees import TREE


class Figures(dict[str, float]):
    """What a call has found out itself, for the parent; other results of calls stay here."""


def _main(name: str, arguments: str, threads: int) -> None:
    import jackfield

    assert Path(jackfield.__file__).is_relative_to(TREE), f"{jackfield.__file__} is not of {TREE}"
    module, _, function = name.partition(":")
    with getattr(import_module(module), function)(*json.loads(arguments)) as call:
        run = _in_threads(call, threads) if threads > 1 else _repeated(call)
        before = time.process_time()
        for line in sys.stdin:
            count = int(line)
            cpu, began = time.process_time(), time.perf_counter()
            said = run(count)
            answer = {
                "count": count,
                "cpu": cpu - before,
                "wall": time.perf_counter() - began,
                "said": said,
            }
            print(json.dumps(answer), flush=True)
            before = cpu


def _repeated(call: Callable[[], Any]) -> Callable[[int], Any]:
    def run(count: int) -> Any:
        for _ in range(count - 1):
            call()
        said = call()
        return said if isinstance(said, Figures) else None

    return run


def _in_threads(call: Callable[[], Any], threads: int) -> Callable[[int], Any]:
    """Share a round out to all threads, which begin together."""
    pool, gate = ThreadPoolExecutor(threads), Barrier(threads)

    def work(count: int) -> None:
        gate.wait()
        for _ in range(count):
            call()

    def run(count: int) -> None:
        list(pool.map(work, [count // threads] * threads))

    return run


if __name__ == "__main__":
    # the module that scenes import, whose class ``Figures`` is theirs
    from benchmarks.child import _main as main

    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
