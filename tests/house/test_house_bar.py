"""The bar of a release (``make bench calls``) gives a verdict only if the same code beside itself
comes out even, and its sides take fair turns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks import calls, measure

_NEAR = (1.0, 1.004, 0.996)
"""Ratios of sittings on a quiet machine."""


@dataclass
class Taken:
    """A side that records its turns by the order in which it was opened."""

    turns: list[int] = field(default_factory=list)
    opened_count: int = 0

    @contextmanager
    def opened(self, _tree: Path) -> Iterator[measure.Turn]:
        """Yield a turn."""
        number = self.opened_count
        self.opened_count += 1

        def turn() -> float:
            self.turns.append(number)
            return 1.0

        yield turn


@pytest.mark.parametrize(
    ("again", "change", "met"),
    [
        (_NEAR, 1.0, True),
        (_NEAR, 1.03, True),
        (_NEAR, 1.05, False),
        ((1.04, 1.044, 1.036), 1.0, None),
        ((1.08, 0.93), 1.0, None),
        (_NEAR, None, None),
    ],
    ids=["same", "at-goal", "slower", "again-off", "again-scattered", "no-baseline"],
)
def test_a_line_is_judged_if_a_a_is_even(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    again: tuple[float, ...],
    change: float | None,
    met: bool | None,
) -> None:
    """A change counts if ours against ours again is within 1.01; else there is no verdict."""
    ratios, numbers = cycle(again), count()
    before = [] if change is None else [1.0 / change]

    def compared(*_sides: measure.Side, rounds: int, tree: Path, first: int) -> measure.Compared:
        assert (rounds, tree, first) == (3, tmp_path, next(numbers))
        return measure.Compared([1.0], [1.0 / next(ratios)], before)

    monkeypatch.setattr(calls, "compared", compared)
    monkeypatch.setattr(calls, "_LONGEST", 60)
    monkeypatch.setattr(calls, "time", SimpleNamespace(monotonic=count().__next__))
    line = calls.judged("a call", Taken(), 3, tmp_path)
    assert line.met is met
    assert ("no verdict" in line.measured) == (met is None)


def test_few_sittings_are_not_certain() -> None:
    """Ratios that happen to be even at first say nothing yet."""
    assert not calls.Middle.of([1.0] * 9).is_even
    assert calls.Middle.of([1.0] * 10).is_even


def test_turns_rotate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each side is as often first, and none follows itself, with caches that it has filled."""
    monkeypatch.setattr(measure, "baseline", lambda: tmp_path)
    side = Taken()
    measure.compared(side, side, rounds=6, first=1)
    assert sorted(side.turns[::3]) == [0, 0, 1, 1, 2, 2]
    assert all(one != other for one, other in pairwise(side.turns))


def test_a_command_is_measured_in_cpu_in_a_home_that_was_filled(tmp_path: Path) -> None:
    """Each tree has a home of its own, which the first command fills."""
    home = "os.path.join(os.environ['JACKFIELD_HOME'], 'made')"
    side = measure.Command(
        [sys.executable, "-c", f"import os; os.stat({home})"],
        home=tmp_path,
        first=[sys.executable, "-c", f"import os; open({home}, 'w').close()"],
        is_cpu=True,
    )
    with side.opened(measure.TREE) as turn:
        assert turn() > 0
    assert os.listdir(tmp_path) == []
