"""Places leased by processes: a call takes its place from memory, and all processes together keep
to the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import TypeVar

import pytest

from clocks import StillClock
from forking import alone, fork
from jackfield.connector import Limits
from jackfield.kernel.clock import Deadline
from jackfield.pacing.pace import Pace
from jackfield.pacing.state import PaceState, PlaceGrant, PlaceRequest
from jackfield_store.database import open_database
from jackfield_store.shared_paces import DatabaseRow

T = TypeVar("T")


class Counted(DatabaseRow):
    """A row that counts its transactions."""

    count = 0

    def change(self, change: Callable[[PaceState, float], T]) -> tuple[T, PaceState, float]:
        """Count one more."""
        self.count += 1
        return super().change(change)


class Processes:
    """Processes that share one account, on one clock."""

    def __init__(self, clock: StillClock, rows: list[Counted]) -> None:
        self.clock = clock
        self.rows = rows
        self.paces = [Pace(row, clock, is_fast=False) for row in rows]

    def state(self, limits: Limits) -> None:
        """Have the first one read the limits."""
        self.paces[0].read(lambda: limits, Deadline(self.clock, self.clock.monotonic() + 60, 60))

    @property
    def transactions(self) -> int:
        """How many there were."""
        return sum(row.count for row in self.rows)

    def ask(self, number: int, **members: object) -> PlaceGrant:
        """Ask in one of them."""
        return self.paces[number].ask(PlaceRequest(1, 60, **members))  # type: ignore[arg-type]  # a member of each type

    def sends(self, seconds: float, pauses: list[list[float]]) -> list[list[float]]:
        """Let each thread send for some time, as its places come due, with its pause in between;
        return the times of each process.
        """
        began = self.clock.time()
        ready = [
            (began, number, pause) for number, threads in enumerate(pauses) for pause in threads
        ]
        heapify(ready)
        found: list[list[float]] = [[] for _ in pauses]
        while ready[0][0] < began + seconds:
            at, number, pause = heappop(ready)
            self.clock.advance(max(0.0, at - self.clock.time()))
            position = self.ask(number).position
            assert position is not None
            sent = self.clock.time() + max(0.0, self.paces[number].due_in(position))
            found[number].append(sent - began)
            heappush(ready, (sent + pause, number, pause))
        return [sorted(times) for times in found]


@contextmanager
def processes(folder: Path, count: int) -> Iterator[Processes]:
    """Open the database once for each process."""
    clock = StillClock()
    with ExitStack() as stack:
        databases = [
            stack.enter_context(open_database(f"sqlite:///{folder}/shared.db"))
            for _ in range(count)
        ]
        yield Processes(
            clock, [Counted(database, clock, "default", "key") for database in databases]
        )


def most(times: list[float]) -> int:
    """Return the most sends within any second."""
    first, found = 0, 0
    for place, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        found = max(found, place - first + 1)
    return found


@pytest.mark.parametrize("rate", [40, 200, 1000])
@pytest.mark.parametrize(
    "pauses",
    [[[0.0] * 3] * 3, [[0.0] * 8, [0.03]], [[0.001] * 4, [0.05], [0.2]], [[0.0]]],
    ids=["all at once", "one and a slow one", "of three speeds", "alone"],
)
def test_processes_that_lease_places_keep_to_the_rate_and_use_it(
    tmp_path: Path, rate: int, pauses: list[list[float]]
) -> None:
    """However the load is spread, no second has more calls than the provider allows, and nine
    tenths of the rate are used.
    """
    with processes(tmp_path, len(pauses)) as several:
        several.state(Limits(per_second=rate))
        sent = sorted(at for times in several.sends(4, pauses) for at in times)
        share = len([at for at in sent if at <= 4]) / 4 / rate
        assert most(sent) <= rate
        assert share >= 0.9
        assert several.transactions <= (1.2 if rate < 100 else 0.6 if rate < 1000 else 0.2) * len(
            sent
        )


def test_a_process_that_pauses_does_not_burst(tmp_path: Path) -> None:
    """Places that were leased and are overdue lapse, so that calls after a pause come at the rate,
    as those of others do.
    """
    with processes(tmp_path, 2) as two:
        two.state(Limits(per_second=1000))
        for _ in range(40):
            two.ask(0)
        due = [two.paces[0].due_in(two.ask(0).position or 0.0) for _ in range(5)]
        two.clock.advance(1)
        after = [
            max(0.0, two.paces[number].due_in(two.ask(number).position or 0.0))
            for number in (0, 1) * 30
        ]
    assert due == sorted(due)
    assert len([seconds for seconds in after if seconds <= 0]) <= 60 * 0.6
    assert max(after) >= 0.02


def test_the_places_of_a_process_that_is_killed_are_lost_not_doubled(tmp_path: Path) -> None:
    """Others continue behind the places that it had leased, of which there are at most 30 ms of the
    rate.
    """
    with processes(tmp_path, 2) as two:
        two.state(Limits(per_second=1000))
        last = [two.ask(0).position or 0.0 for _ in range(40)][-1]
        place = two.ask(1).position or 0.0
    assert 1 <= place - last <= 30


def test_below_twenty_a_second_each_call_is_a_transaction(tmp_path: Path) -> None:
    """Where a place that nobody uses would be worth more than a transaction, nothing is leased."""
    with processes(tmp_path, 1) as one:
        one.state(Limits(per_second=20))
        before = one.transactions
        for _ in range(50):
            one.ask(0)
        assert one.transactions == before + 50


def test_who_leaves_gives_back_the_places_behind_it_too(tmp_path: Path) -> None:
    """A call that is cancelled does not leave a hole of the size of its process's lease."""
    with processes(tmp_path, 2) as two:
        two.state(Limits(per_second=1000))
        places = [two.ask(0).position or 0.0 for _ in range(31)]
        two.paces[0].given_back(places[-1], 1)
        assert two.ask(1).position == pytest.approx(places[-1])


def test_a_quota_is_counted_to_its_last_call_by_processes_that_lease(tmp_path: Path) -> None:
    """Two processes that call in turn use the daily quota but for what lapsed in a lease, and never
    exceed it.
    """
    with processes(tmp_path, 2) as two:
        two.state(Limits(per_second=1000, per_day=500, used=100))
        granted = 0
        for number in range(1000):
            two.clock.advance(0.002)
            granted += two.ask(number % 2).outcome == "granted"
    assert 396 <= granted <= 400


def test_a_used_up_quota_that_the_provider_reports_ends_a_lease(tmp_path: Path) -> None:
    """The next call does not take a leased place: the limits are read before it."""
    with processes(tmp_path, 1) as one:
        one.state(Limits(per_second=1000))
        for _ in range(20):
            one.ask(0)
        one.paces[0].quota_used_up()
        assert one.ask(0).outcome == "read"


def test_an_account_without_limits_is_asked_for_in_memory(tmp_path: Path) -> None:
    """Where the provider states no rate, a call is a count in memory; one throttle ends that for
    all processes.
    """
    with processes(tmp_path, 2) as two:
        two.state(Limits())
        for number in range(400):
            two.clock.advance(0.0005)
            assert two.ask(number % 2).position is None
        assert two.transactions < 60
        two.paces[0].throttled(two.clock.monotonic(), None)
        two.clock.advance(0.04)
        assert two.ask(1).position is not None
        assert two.paces[1].rate == pytest.approx(400, rel=0.6)


def _forked(folder: str) -> bool:
    """Ask in a forked child, and then in its parent; return whether a place was handed out in
    both.
    """
    with processes(Path(folder), 1) as one:
        one.state(Limits(per_second=1000))
        for _ in range(12):
            one.ask(0)
        theirs = float(fork(lambda: one.ask(0).position).answer())
        ours = [one.ask(0).position or 0.0 for _ in range(40)]
    return any(abs(place - theirs) < 0.99 for place in ours)


def test_a_forked_process_leaves_the_lease_to_its_parent(tmp_path: Path) -> None:
    """A place that was leased before the fork is handed out once."""
    assert alone(_forked, str(tmp_path)) is False
