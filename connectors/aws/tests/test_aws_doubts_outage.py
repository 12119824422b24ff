"""After an outage, thousands of doubts of one operation are settled by one reading of AWS's log, at
its pace, beside calls that go on.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jackfield_store.runtime.evidence_loop import EvidenceLoop
from trail_stage import TrailStage, trail_stage

_CALLS, _ROUNDS = 100, 6
"""Calls of a round, whose time is measured without looks beside them and with."""


def _taken(stage: TrailStage) -> list[float]:
    """Return the milliseconds that calls take which succeed, with a pause between them."""
    taken, pause = [], threading.Event()
    for _ in range(_CALLS):
        begun = time.perf_counter()
        assert stage.call("aws.kms/listKeys").status == "succeeded"
        taken.append((time.perf_counter() - begun) * 1_000)
        pause.wait(0.01)
    return taken


@contextmanager
def _served(stage: TrailStage) -> Iterator[None]:
    """Let looks be made as a process makes them that serves, at their real pace."""
    loop, events, ends = EvidenceLoop(stage.pool), asyncio.new_event_loop(), threading.Event()

    async def begin() -> None:
        loop.start()

    def tick() -> None:
        while not ends.wait(0.5):
            stage.move(0.5)

    threads = [threading.Thread(target=one) for one in (events.run_forever, tick)]
    for thread in threads:
        thread.start()
    asyncio.run_coroutine_threadsafe(begin(), events).result()
    yield
    asyncio.run_coroutine_threadsafe(loop.stop(), events).result()
    ends.set()
    events.call_soon_threadsafe(events.stop)
    for thread in threads:
        thread.join()
    events.close()


@pytest.mark.campaign
@pytest.mark.parametrize("doubts", [10_000])
def test_an_outage_is_settled_within_minutes(tmp_path: Path, doubts: int) -> None:
    """All are settled within ten minutes of the last one's first look, at a page a second at most.
    Printed: the p95 of calls in rounds beside it, and in rounds between.
    """
    with trail_stage(tmp_path, f"sqlite:///{tmp_path}/j.db") as stage:
        stage.aws.script = ["cut"] * doubts
        identifiers = [
            stage.call(inputs={"Description": str(number)}).meta.invocation_id
            for number in range(doubts)
        ]
        begun = stage.clock.time()
        stage.move(100.0)  # the first looks are due
        alone, beside = list[float](), list[float]()
        for _ in range(_ROUNDS):
            alone += _taken(stage)
            with _served(stage):
                beside += _taken(stage)
        while any(
            stage.settled(one)[0] == "in_doubt" for one in identifiers[:: max(1, doubts // 50)]
        ):
            for _ in range(30):
                stage.look(1.0)
            assert stage.clock.time() - begun < 144 + 600
        gaps = [
            later - earlier
            for earlier, later in zip(stage.aws.looked_at, stage.aws.looked_at[1:], strict=False)
        ]
        p95 = [statistics.quantiles(taken, n=20)[-1] for taken in (alone, beside)]
        sys.stdout.write(
            f"{doubts} doubts: {len(stage.aws.lookups)} pages, settled after "
            f"{stage.clock.time() - begun:.0f} s; "
            f"p95 of calls {p95[0]:.2f} ms alone, {p95[1]:.2f} ms beside looks\n"
        )
        assert {stage.settled(one) for one in identifiers} == {("succeeded", "evidence")}
        assert min(gaps) >= 0.99
        assert sum(one["operation"] == "CreateKey" for one in stage.aws.took) == doubts
