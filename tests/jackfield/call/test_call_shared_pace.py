"""Pacing by the provider's own limits: one pace for an account, whichever connection, thread or
process calls.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock, StillClock
from jackfield import Result
from jackfield.connector import Budget, Forbidden, Limits, QuotaExceeded, RateLimited, Sent, Warmup
from jackfield.pacing.pace import Paces
from jackfield.pacing.state import DAY, FREE, PaceState, PlaceRequest
from jackfield.pacing.turn import PostponedError
from jackfield_store.database import Database, open_database
from jackfield_store.journal import Queue
from jackfield_store.shared_paces import DatabaseRow, shared_row
from scripted import Answer, Panel, Reply, Script, invocation, runtime, scripted

THROTTLED = RateLimited("slow down", sent=Sent.REFUSED)
TWO = {name: {"type": "stage/key", "values": {"token": name}} for name in ("front", "back")}


class Provider:
    """States its limits, and counts how often it is asked for them."""

    def __init__(self, limits: Limits | Exception | None) -> None:
        self.limits = limits
        self.asked = 0

    def __call__(self, _client: object) -> Limits | None:
        """Answer with the limits, or fail."""
        self.asked += 1
        if isinstance(self.limits, Exception):
            raise self.limits
        return self.limits


def budget(
    provider: Provider, scope: Callable[[Any, Any], str | None] = lambda _inputs, _client: "account"
) -> Budget:
    """The budget of one account."""
    return Budget("sending", scope, provider)


def many(board: Panel, count: int, **members: Any) -> list[Result]:
    """Run that many invocations, one after another."""
    return [board.ask(**members) for _ in range(count)]


@pytest.mark.parametrize("database", ["none", "sqlite://"])
def test_calls_keep_to_the_rate_of_the_account(tmp_path: Path, database: str) -> None:
    """After a few calls the limits are read once; from then on calls are paced to 96 % of the
    stated rate.
    """
    provider = Provider(Limits(per_second=10))
    with runtime(
        tmp_path,
        scripted(Script("done"), budget=budget(provider)),
        database_url=database,
        clock=StillClock(),
    ) as board:
        assert {result.status for result in many(board, 33)} == {"succeeded"}
        assert board.clock.waited == pytest.approx(30 / 9.6, abs=0.7)
    assert provider.asked == 1


def test_a_single_call_reads_no_limits(tmp_path: Path) -> None:
    """Callers of single calls need no limits, however much a call counts, and neither does a dry
    run or a retry.
    """
    provider = Provider(Limits(per_second=1))
    script = Script(THROTTLED, THROTTLED, THROTTLED, "done")
    with runtime(
        tmp_path, scripted(script, budget=budget(provider), cost=lambda _inputs: 50)
    ) as board:
        many(board, 5, dryRun=True)
        assert board.ask().status == "succeeded"
    assert provider.asked == 0


def test_connections_to_one_account_share_its_pace(tmp_path: Path) -> None:
    """Two connections that name the same account take turns; those of other accounts do not
    wait.
    """
    provider = Provider(Limits(per_second=2))
    with runtime(
        tmp_path / "one",
        scripted(Script("done"), budget=budget(provider)),
        connections=TWO,
        clock=StillClock(),
    ) as board:
        many(board, 6)
        before = board.clock.waited
        board.ask(connection="back")
        assert board.clock.waited - before > 0.3
    apart = budget(provider, lambda _inputs, client: str(client.key.token))
    with runtime(
        tmp_path / "two",
        scripted(Script("done"), budget=apart),
        connections=TWO,
        clock=StillClock(),
    ) as board:
        many(board, 6)
        before = board.clock.waited
        board.ask(connection="back")
        assert board.clock.waited == before


def test_a_call_counts_as_much_as_it_costs(tmp_path: Path) -> None:
    """A call of five recipients takes five places."""
    connector = scripted(
        Script("done"), budget=budget(Provider(Limits(per_second=10))), cost=lambda _inputs: 5
    )
    with runtime(tmp_path, connector, clock=StillClock()) as board:
        many(board, 11)
        assert board.clock.waited == pytest.approx(50 / 9.6, abs=0.7)


def test_a_slot_after_the_deadline_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """Who cannot have a slot in time is told at once, and when to come again."""
    script = Script("done")
    connector = scripted(
        script, budget=budget(Provider(Limits(per_second=0.1))), cost=lambda _inputs: 2
    )
    with runtime(tmp_path, connector) as board:
        board.ask()
        board.ask(timeoutSeconds=100)
        result = board.ask(timeoutSeconds=5)
    assert result.error is not None
    assert (result.error.code, result.meta.attempts, script.tries) == ("rate_limited", 0, 2)
    assert (result.error.retry_after or 0) > 5
    assert "before 'ask' has its turn" in result.error.message


@pytest.mark.parametrize("fault", [Forbidden("no", sent=Sent.REFUSED), KeyError("SendQuota")])
def test_limits_that_cannot_be_read_fail_nothing(tmp_path: Path, fault: Exception) -> None:
    """A missing permission or an author's mistake leaves calls unpaced, until the provider
    throttles.
    """
    provider = Provider(fault)
    script = Script(*["done"] * 10, THROTTLED, "done")
    with runtime(tmp_path, scripted(script, budget=budget(provider)), clock=StillClock()) as board:
        assert {result.status for result in many(board, 10)} == {"succeeded"}
        assert board.clock.waited == 0
        assert {result.status for result in many(board, 5)} == {"succeeded"}
        assert board.clock.waited > 0.3
    assert provider.asked == 1


def test_a_quota_that_is_used_up_refuses_early(tmp_path: Path) -> None:
    """What does not fit into the quota of 24 hours is refused before it is sent, with the time at
    which the quota frees up.
    """
    provider = Provider(Limits(per_second=100, per_day=50, used=43))
    script = Script("done")
    with runtime(tmp_path, scripted(script, budget=budget(provider))) as board:
        results = many(board, 12)
        errors = [result.error for result in results if result.error is not None]
        assert (len(errors), script.tries) == (2, 10)
        assert {(error.code, error.retryable) for error in errors} == {("quota_exceeded", False)}
        assert "leave it by 20" in (errors[0].hint or "")
        provider.limits = Limits(per_second=100, per_day=50, used=0)
        board.clock.advance(31)
        assert board.ask().status == "succeeded"
    assert provider.asked == 2


@pytest.mark.parametrize("per_second", [100, None], ids=["paced", "quota only"])
def test_what_a_warm_up_plan_refuses_takes_no_quota_from_others(
    tmp_path: Path, per_second: float | None
) -> None:
    """A call that its connection's plan refuses is not sent, so the account's quota has room for
    the other connections, whether or not the provider states a rate as well.
    """
    sending = budget(Provider(Limits(per_second=per_second, per_day=20)))
    plans = {"front": Warmup("front", (1,))}
    script = Script("done")
    connector = scripted(
        script, budget=replace(sending, warmup=lambda client: plans.get(client.key.token))
    )
    with runtime(tmp_path, connector, connections=TWO) as board:
        assert {result.status for result in many(board, 9, connection="back")} == {"succeeded"}
        refused = [
            result.error
            for result in many(board, 31, connection="front")
            if result.error is not None
        ]
        assert {"warm-up plan" in error.message for error in refused} == {True}
        assert {result.status for result in many(board, 10, connection="back")} == {"succeeded"}
    assert (len(refused), script.tries) == (30, 20)


class Leaving(FakeClock):
    """A clock whose waits are when the caller leaves, once ``leaves`` is true."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled, self.leaves = threading.Event(), False

    def sleep(self, seconds: float, until: threading.Event | None = None) -> None:
        """The caller leaves."""
        super().sleep(seconds, until)
        if self.leaves:
            self.cancelled.set()


def test_who_leaves_while_waiting_for_a_slot_gives_it_back(tmp_path: Path) -> None:
    """A call that is cancelled in the line was not sent, so the next one has its slot and does not
    wait for the one behind it.
    """
    clock, script = Leaving(), Script("done")
    sending = budget(Provider(Limits(per_second=0.01)))
    with runtime(tmp_path, scripted(script, budget=sending), clock=clock) as board:
        assert {result.status for result in many(board, 5, timeoutSeconds=600)} == {"succeeded"}
        before, clock.leaves = clock.waited, True
        left = board.jackfield.invoke(invocation(timeoutSeconds=600), cancelled=clock.cancelled)
        clock.leaves = False
        assert board.ask(timeoutSeconds=600).status == "succeeded"
    assert (left.error and left.error.code, script.tries) == ("cancelled", 6)
    assert clock.waited - before == pytest.approx(1 / 0.0096, abs=30)


def test_the_providers_refusal_for_its_quota_has_the_limits_read(tmp_path: Path) -> None:
    """After the provider says that the quota is used up, the next call is refused without asking
    it.
    """
    provider = Provider(Limits(per_day=200, used=200))
    script = Script(QuotaExceeded("used up", sent=Sent.REFUSED), "done")
    with runtime(tmp_path, scripted(script, budget=budget(provider))) as board:
        assert [result.error and result.error.code for result in many(board, 3)] == [
            "quota_exceeded"
        ] * 3
    assert (script.tries, provider.asked) == (1, 1)


def test_a_storm_of_throttles_settles_within_five_seconds(tmp_path: Path) -> None:
    """After three seconds in which the provider throttles everything, the full rate is back within
    five.
    """
    storm = _Storm(StillClock())
    connector = scripted(Script(Reply(storm)), budget=budget(Provider(Limits(per_second=14))))
    with runtime(tmp_path, connector, clock=storm.clock) as board:
        many(board, 10)
        storm.until = board.clock.monotonic() + 3
        board.ask()
        ended = board.clock.monotonic()
        assert ended < storm.until + 2.5
        while board.clock.monotonic() < ended + 5:
            board.ask()
        before = board.clock.monotonic()
        assert {result.meta.attempts for result in many(board, 28)} == {1}
        assert board.clock.monotonic() - before == pytest.approx(2, abs=0.3)


class _Storm:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.until = 0.0

    def __call__(self, _inputs: object) -> Any:
        return THROTTLED if self.clock.monotonic() < self.until else Answer(text="done")


def _same(database: Database) -> Database:
    return database


def test_processes_share_one_line(tmp_path: Path) -> None:
    """Two runtimes on one database get alternating places, and a rate that one lowers holds for the
    other.
    """
    clock = StillClock()
    with (
        open_database(f"sqlite:///{tmp_path}/shared.db") as first,
        open_database(f"sqlite:///{tmp_path}/shared.db") as second,
    ):
        one, two = (
            Paces(clock, shared=partial(shared_row, "default", partial(_same, base), clock)).find(
                "c", "b", "s"
            )
            for base in (first, second)
        )
        one._change(lambda state, now: state.read(Limits(per_second=10), now))
        places = [pace.ask(PlaceRequest(1, 60)).position or 0.0 for pace in (one, two, one, two)]
        # time has passed before the first
        assert [place - places[0] for place in places] == pytest.approx([0, 1, 2, 3])
        one.throttled(clock.monotonic(), None)
        clock.advance(0.45)
        two.refresh()
        assert two.rate == pytest.approx(9.6 * 0.6, rel=0.1)


def test_queued_invocations_wait_in_the_queue(tmp_path: Path) -> None:
    """A queued invocation whose slot is far away returns to the queue, one after another, and
    neither claim nor attempt is counted.
    """
    script = Script("done")
    url = f"sqlite:///{tmp_path}/shared.db"
    with runtime(
        tmp_path,
        scripted(script, budget=budget(Provider(Limits(per_second=0.2)))),
        database_url=url,
    ) as board:
        many(board, 4, timeoutSeconds=60)
        identifiers = {board.jackfield.enqueue(invocation()) for _ in range(3)}
        queue = Queue(board.jackfield.storage.database, board.clock)
        postponed = []
        # their order is open: identifiers made within one millisecond sort at random
        waiting = queue.claim(3)
        assert {claimed.id for claimed in waiting} == identifiers
        for claimed in waiting:
            with pytest.raises(PostponedError) as later:
                asyncio.run(board.jackfield.arun(claimed))
            assert queue.postpone(claimed, later.value.at)
            postponed.append(later.value.at)
        assert script.tries == 4
        assert [b - a for a, b in pairwise(postponed)] == pytest.approx([1 / 0.192] * 2, rel=0.01)
        assert queue.claim(3) == []
        board.clock.advance(postponed[0] - board.clock.time() + 0.01)
        (first,) = queue.claim(3)
        assert (first.id, first.delivery) == (waiting[0].id, 1)
        result = asyncio.run(board.jackfield.arun(first))
    assert (result.status, result.meta.attempts, script.tries) == ("succeeded", 1, 5)


def test_a_queued_invocation_waits_for_the_next_day_of_a_warm_up_plan(tmp_path: Path) -> None:
    """A direct call is refused; one that was accepted comes again when the plan has room, and its
    delivery does not count.
    """
    sending = replace(
        budget(Provider(Limits(per_second=100))), warmup=lambda _client: Warmup("front", (1, 2))
    )
    script, url = Script("done"), f"sqlite:///{tmp_path}/shared.db"
    with runtime(tmp_path, scripted(script, budget=sending), database_url=url) as board:
        board.clock.advance(DAY - board.clock.time() % DAY + 3600)
        assert [result.status for result in many(board, 2)] == ["succeeded", "failed"]
        board.jackfield.enqueue(invocation())
        queue = Queue(board.jackfield.storage.database, board.clock)
        (claimed,) = queue.claim(1)
        with pytest.raises(PostponedError) as later:
            asyncio.run(board.jackfield.arun(claimed))
        assert later.value.at == pytest.approx(board.clock.time() + 23 * 3600, abs=60)
        assert queue.postpone(claimed, later.value.at)
        board.clock.advance(later.value.at - board.clock.time() + 1)
        (again,) = queue.claim(1)
        assert (again.delivery, asyncio.run(board.jackfield.arun(again)).status) == (1, "succeeded")


def test_workspaces_do_not_share_a_row(tmp_path: Path) -> None:
    """The rows of two workspaces are apart, and name no account."""
    with open_database(f"sqlite:///{tmp_path}/shared.db") as database:
        for workspace in ("acme", "other"):
            Paces(
                FakeClock(), shared=partial(shared_row, workspace, lambda: database, FakeClock())
            ).find("aws-ses", "sending", "123456789012 eu-west-1").ask(PlaceRequest(1, 60))
        with database.read() as transaction:
            rows = transaction.execute("SELECT workspace, pace_key, state FROM paces")
    assert sorted(row.workspace for row in rows) == ["acme", "other"]
    assert not any("123456789012" in f"{row.pace_key} {row.state}" for row in rows)


def test_a_database_that_fails_does_not_stop_calls(tmp_path: Path) -> None:
    """While the database is away, a process paces alone with what it saw last."""
    clock = FakeClock()
    database = open_database(f"sqlite:///{tmp_path}/shared.db")
    row = DatabaseRow(database, clock, "default", "key")
    row.change(lambda state, now: state.read(Limits(per_second=10), now))
    database.close()
    (tmp_path / "shared.db").unlink()
    assert row.change(lambda state, _now: state.line.rate)[0] == pytest.approx(9.6)


def test_reserved_places_keep_their_order_when_the_rate_changes() -> None:
    """Places that were given out stretch with the rate, in their order; a hold moves them all."""
    state = PaceState()
    state.read(Limits(per_second=10), 100.0)
    requests = [PlaceRequest(1, 60) for _ in range(20)]
    for request in requests:
        state.ask(request, 100.0)
    places = [request.grant.position or 0.0 for request in requests]
    before = [state.line.due(place) for place in places]
    state.throttled(100.0, 101.0, None)
    after = [state.line.due(place) for place in places]
    assert after == sorted(after)
    assert [at <= 101 for at in after] == [at <= 101 for at in before]
    assert (after[-1] - 101) == pytest.approx((before[-1] - 101) / 0.6, rel=0.01)
    state.throttled(100.5, 101.0, 7)
    assert state.line.due(places[-1]) == pytest.approx(after[-1] + 7, abs=0.01)


def test_a_pace_recovers_from_a_damaged_row_and_a_clock_set_back() -> None:
    """A state that cannot be read is a new one; a clock that goes back does not hold calls."""
    assert PaceState.from_json("[1, 2") == PaceState()
    assert PaceState.from_json('{"rate": 5, "unheard": 1}').line.rate == 5
    state = PaceState()
    state.read(Limits(per_second=10), 10_000.0)
    state.ask(PlaceRequest(1, 60), 10_000.0)
    request = PlaceRequest(1, 60)
    state.ask(request, 100.0)
    assert state.line.due(request.grant.position or 0.0) < 101


def test_the_quota_frees_up_when_the_oldest_calls_pass_a_day() -> None:
    """The time is the end of the oldest hour with calls, a day later; hours beyond a day are
    dropped.
    """
    state = PaceState()
    for hour in range(40):
        state.ask(PlaceRequest(1, 60), hour * 3600.0)
    assert len(state.quota.hours) <= 26
    state.read(Limits(per_day=1, used=1), 39 * 3600.0)
    request = PlaceRequest(1, 60)
    state.ask(request, 39 * 3600.0 + 1)
    assert (request.grant.outcome, request.grant.at) == ("used_up", 16 * 3600.0 + DAY)
    assert FREE == 3
