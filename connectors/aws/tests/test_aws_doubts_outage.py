"""After an outage, thousands of doubts of one operation are settled by one reading of AWS's log, at its pace, beside calls that go on."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from pathlib import Path

import pytest

from trail_stage import TrailStage, trail_stage

_CALLS = 300
"""Calls whose time is measured, without looks beside them and with."""


def _p95(stage: TrailStage) -> float:
    """Return the p95 of calls that succeed, in milliseconds."""
    taken = []
    for _ in range(_CALLS):
        begun = time.perf_counter()
        assert stage.call("aws.kms/listKeys").status == "succeeded"
        taken.append(time.perf_counter() - begun)
    return statistics.quantiles(taken, n=20)[-1] * 1_000


@pytest.mark.campaign
@pytest.mark.parametrize("doubts", [10_000])
def test_an_outage_is_settled_within_minutes(tmp_path: Path, doubts: int) -> None:
    """All are settled within ten minutes of the last one's first look, at a page a second at most. Printed: the p95 of calls beside it."""
    with trail_stage(tmp_path, f"sqlite:///{tmp_path}/j.db") as stage:
        alone = min(_p95(stage) for _ in range(2))
        stage.aws.script = ["cut"] * doubts
        identifiers = [stage.call(inputs={"Description": str(number)}).meta.invocation_id for number in range(doubts)]
        beside: list[float] = []
        calls = threading.Thread(target=lambda: beside.append(_p95(stage)))
        seconds, begun = 0, time.perf_counter()
        while any(stage.settled(one)[0] == "in_doubt" for one in identifiers[:: max(1, doubts // 50)]) or seconds % 30:
            second = time.perf_counter()
            stage.look(1.0)
            if calls.is_alive():  # what is measured is beside looks at their real pace
                calls.join(max(0.0, 1.0 - (time.perf_counter() - second)))
            seconds += 1
            if seconds == 100:  # the first looks are due
                calls.start()
            assert seconds < 144 + 600
        calls.join()
        spent = time.perf_counter() - begun
        gaps = [later - earlier for earlier, later in zip(stage.aws.looked_at, stage.aws.looked_at[1:], strict=False)]
        sys.stdout.write(
            f"{doubts} doubts: {len(stage.aws.lookups)} pages, settled after {seconds} s of the clock ({spent:.0f} s of work); "
            f"p95 of calls {alone:.2f} ms alone, {beside[0]:.2f} ms beside looks\n"
        )
        assert {stage.settled(one) for one in identifiers} == {("succeeded", "evidence")}
        assert min(gaps) >= 0.99
        assert sum(one["operation"] == "CreateKey" for one in stage.aws.took) == doubts
