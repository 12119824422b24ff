"""The pace of looks for evidence: thousands of doubts after an outage leave the processor to the
calls of their process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from tests.jackfield_store.doubts.doubt_stage import doubt_stage

from jackfield_store.runtime.evidence_loop import EvidenceLoop


def test_looks_rest_for_as_long_as_calls_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look takes 10 ms of a processor's time: after eight of them the loop rests for 24 times
    as long, then makes the other two.
    """
    rests: list[float] = []
    # loops of other tests may still end in this process: each thread reads a clock of its own
    spent = threading.local()

    def thread_time() -> float:
        spent.time = getattr(spent, "time", 0.0) + 0.01
        return float(spent.time)

    with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as stage:
        stage.script(*["cut"] * 10)
        lost = [stage.invoke().meta.invocation_id for _ in range(10)]
        stage.move(7.0)
        loop = EvidenceLoop(stage.pool)
        # a second look would begin beside one that a busy machine makes slow
        monkeypatch.setattr("jackfield_store.runtime.due_loop._SLOW", 600.0)
        loop.threads = 1

        async def served() -> None:
            ours, enough, real = asyncio.get_running_loop(), asyncio.Event(), asyncio.sleep

            async def sleep(seconds: float, result: None = None) -> None:
                if asyncio.get_running_loop() is not ours:
                    await real(seconds, result)
                    return
                rests.append(seconds)
                if len(rests) == 2:
                    enough.set()
                    await asyncio.Event().wait()

            monkeypatch.setattr(asyncio, "sleep", sleep)
            monkeypatch.setattr(time, "thread_time", thread_time)
            loop.start()
            await asyncio.wait_for(enough.wait(), 60.0)
            await loop.stop()

        asyncio.run(served())
        monkeypatch.undo()
        assert rests == pytest.approx([1.92, 0.48])
        assert {stage.entry(identifier).status for identifier in lost} == {"succeeded"}
