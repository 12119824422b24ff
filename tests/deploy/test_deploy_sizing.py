"""The sizing page: its arithmetic, from its data file, and the simulation behind its latencies."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from benchmarks.sizing import Figures, percentile, plan, simulate, stages_by_use
from tests.deploy.deployment import ROOT


@pytest.fixture
def figures() -> Figures:
    """The figures of the page."""
    return Figures.read()


def changed(figures: Figures, **values: float) -> Figures:
    """The figures with other values."""
    data: dict[str, Any] = copy.deepcopy(figures.data)
    for name, value in values.items():
        (data["figures"] if name in data["figures"] else data["assumptions"])[name]["value"] = value
    return Figures(data)


def test_each_figure_is_on_the_page(figures: Figures) -> None:
    """The page shows each figure, assumption and scenario of the data file; a figure has a unit and
    the stage that it belongs to.
    """
    page = (ROOT / "docs" / "reference" / "sizing.md").read_text(encoding="utf-8")
    for row in figures.data["figures"].values():
        assert f"| {row['stage']} | {row['what']} | {row['value']:,} {row['unit']} |" in page
    for row in figures.data["assumptions"].values():
        assert f"| {row['what']} | {row['value']:,} |" in page
    assert f"|  | {' | '.join(row['name'] for row in figures.data['scenarios'])} |" in page


@pytest.mark.parametrize("rate", [1, 1000, 4999, 5001, 100_000])
def test_cores_are_enough_and_not_one_too_many(figures: Figures, rate: float) -> None:
    """Each stage stays within the assumed utilisation, and with one core less it would not."""
    planned = plan(figures, rate)
    share = figures.assumed("utilisation")
    assert planned.shards * planned.shard_rate == pytest.approx(rate)
    needs = {
        "api_cores": ("acceptCpu",),
        "database_cores": ("databaseAcceptCpu", "databaseRunCpu"),
        "broker_cores": ("brokerCpu",),
        "worker_cores": ("runCpu", "actionCpu"),
    }
    for stage, names in needs.items():
        cores = getattr(planned, stage)
        busy = planned.shard_rate * sum(figures.figure(name) for name in names) / 1e6
        assert busy / cores <= share + 1e-9
        assert cores == 1 or busy / (cores - 1) > share
    assert planned.worker_processes * figures.assumed("slotsPerProcess") >= planned.slots
    assert planned.worker_processes >= planned.worker_cores
    assert all(
        used <= share + 1e-9 for _, used in stages_by_use(figures, planned.shard_rate, planned)
    )


def test_a_shard_more_begins_where_one_is_full(figures: Figures) -> None:
    """The number of shards follows from the rate of one; disk space from the rate of all."""
    full = figures.assumed("shardRate")
    assert [plan(figures, full * share).shards for share in (0.1, 1, 1.01, 20)] == [1, 1, 2, 20]
    one, hundred = plan(figures, 1000), plan(figures, 100_000)
    assert hundred.disk_bytes_per_day == 100 * one.disk_bytes_per_day
    assert one.disk_bytes_per_day == 1000 * 86_400 * figures.figure("rowBytes")


def test_the_simulation_repeats_itself(figures: Figures) -> None:
    """The same seed gives the same latencies, so that the page does not change by itself."""
    planned = plan(figures, 100)
    assert simulate(figures, planned) == simulate(figures, planned)


def test_the_simulation_agrees_with_the_arithmetic(figures: Figures) -> None:
    """Within sampling error each stage is as busy as computed, and nothing gets lost."""
    planned = plan(figures, 1000)
    outcome = simulate(figures, planned)
    for name, used in stages_by_use(figures, planned.shard_rate, planned):
        assert outcome.used[name] == pytest.approx(used, rel=0.1)
    settings = figures.data["simulation"]
    assert len(outcome.ended) == len(outcome.accepted)
    assert len(outcome.ended) == pytest.approx(
        1000 * (settings["seconds"] - settings["warmUp"]), rel=0.05
    )


def test_latency_has_its_floor_and_grows_with_load(figures: Figures) -> None:
    """Nothing ends before the provider has answered; overload makes the queue wait, and not the
    caller.
    """
    planned = plan(figures, 200)
    calm, busy = simulate(figures, planned), simulate(figures, planned, rate=planned.shard_rate * 3)
    assert calm.ended[0] > 0.020
    assert percentile(busy.ended, 0.5) > 5 * percentile(calm.ended, 0.5)
    assert percentile(busy.accepted, 0.5) < 3 * percentile(calm.accepted, 0.5)


def test_a_queue_behaves_as_theory_says(figures: Figures) -> None:
    """With all but one stage free of cost, the mean time in a stage of one core is that of an M/M/1
    queue.
    """
    free = changed(
        figures,
        databaseAcceptCpu=0.001,
        databaseRunCpu=0.001,
        brokerCpu=0.001,
        runCpu=0.001,
        actionCpu=0.001,
    )
    free = changed(free, networkMs=0, commitMs=0, acceptCpu=1000)
    free.data["simulation"].update(seconds=30, warmUp=5)
    planned = plan(free, 500)
    assert planned.api_cores == 1
    outcome = simulate(free, planned)
    mean = math.fsum(outcome.accepted) / len(outcome.accepted)
    assert mean == pytest.approx(1 / (1 / 0.001 - 500), rel=0.1)


def test_percentiles() -> None:
    """The smallest value that a share of all does not exceed."""
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.25, 0.5, 0.51, 0.99, 1.0)] == [
        1.0,
        2.0,
        3.0,
        4.0,
        4.0,
    ]
