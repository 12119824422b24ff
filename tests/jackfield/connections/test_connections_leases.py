"""Leases: one mint however many wait, renewed ahead of time, and never another tenant's."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from inmemory import installed
from jackfield import Jackfield
from jackfield.connections.connection_cache import ConnectionCache, ConnectionCaches
from jackfield.connector import (
    Forbidden,
    Minted,
    OpenContext,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield.kernel.clock import Deadline
from jackfield.kernel.errors import Cancelled
from scripted import Client, Gate, Key, Script, invocation, runtime, scripted

PATIENCE = 60.0


class Mint:
    """Makes credentials that live for ``life`` seconds, or raises; counts."""

    def __init__(self, clock: FakeClock, life: float | None = 3600.0) -> None:
        self.clock = clock
        self.life = life
        self.made = 0
        self.error: Exception | None = None
        self.gate: Gate | None = None

    def __call__(self) -> Minted:
        """Make one."""
        self.made += 1
        number = self.made
        if self.gate is not None:
            self.gate()
        if self.error is not None:
            raise self.error
        expires = None if self.life is None else self.clock.time() + self.life
        return Minted(f"credential {number}", expires, (f"s3cret-{number}",))


@pytest.fixture
def cache(clock: FakeClock) -> ConnectionCache:
    """What is kept for one connection."""
    return ConnectionCache(clock, {}, frozenset({"s3cret-key"}))


@pytest.fixture
def mint(clock: FakeClock) -> Mint:
    """A mint of credentials for an hour."""
    return Mint(clock)


def soon(clock: FakeClock, seconds: float = 60.0) -> Deadline:
    """A deadline."""
    return Deadline.after(seconds, clock)


class Crowd:
    """Threads that all want something at once."""

    def __init__(self, count: int, want: Callable[[], Any]) -> None:
        self.found: list[Any] = []
        self.raised: list[Exception] = []
        self._start = threading.Barrier(count)
        self._want = want
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        self._start.wait(PATIENCE)
        try:
            self.found.append(self._want())
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            self.raised.append(error)

    def ended(self) -> Crowd:
        """Wait for all of them."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return self


Arrivals = Callable[[int], None]


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> Arrivals:
    """Wait until so many threads wait for somebody else's mint: each looks at its deadline
    first.
    """
    arrivals, remaining = threading.Semaphore(0), Deadline.remaining

    def look(deadline: Deadline) -> float:
        arrivals.release()
        return remaining(deadline)

    def wait(count: int) -> None:
        for _ in range(count):
            assert arrivals.acquire(timeout=PATIENCE)

    monkeypatch.setattr(Deadline, "remaining", look)
    return wait


def test_fifty_who_wait_share_one_mint(
    cache: ConnectionCache, clock: FakeClock, mint: Mint, arrived: Arrivals
) -> None:
    """Fifty threads that need a credential at once get the same one, minted once."""
    mint.gate = Gate()
    crowd = Crowd(50, lambda: cache.lease("role", mint, soon(clock)))
    arrived(49)
    mint.gate.open.set()
    crowd.ended()
    assert (mint.made, len(crowd.found), crowd.raised) == (1, 50, [])
    assert len(set(map(id, crowd.found))) == 1


def test_fifty_who_wait_share_a_failure(
    cache: ConnectionCache, clock: FakeClock, mint: Mint, arrived: Arrivals
) -> None:
    """Those who wait for a mint that fails fail with it; whoever asks afterwards gets a mint of
    their own.
    """
    mint.gate, mint.error = Gate(), Forbidden("AssumeRole denied")
    crowd = Crowd(50, lambda: cache.lease("role", mint, soon(clock)))
    arrived(49)
    mint.gate.open.set()
    crowd.ended()
    assert crowd.found == []
    assert crowd.raised == [mint.error] * 50
    assert mint.made == 1
    mint.error = None
    assert cache.lease("role", mint, soon(clock)).value == "credential 2"


@pytest.mark.parametrize("error", [TimedOut("my own deadline"), Cancelled("I left")])
def test_a_leader_s_own_end_is_not_the_others(
    cache: ConnectionCache, clock: FakeClock, mint: Mint, arrived: Arrivals, error: Exception
) -> None:
    """A leader who runs out of its own time, or leaves, fails alone: one of those who wait mints
    instead.
    """
    gate = Gate()
    turns = iter([error])

    def flaky() -> Minted:
        failure = next(turns, None)
        if failure is None:
            return mint()
        gate()
        raise failure

    leader = Crowd(1, lambda: cache.lease("role", flaky, soon(clock)))
    assert gate.reached.wait(PATIENCE)
    others = Crowd(10, lambda: cache.lease("role", flaky, soon(clock)))
    arrived(10)
    gate.open.set()
    assert leader.ended().raised == [error]
    assert others.ended().raised == []
    assert len(others.found) == 10
    assert mint.made == 1


def test_who_waits_has_a_deadline(cache: ConnectionCache, clock: FakeClock, mint: Mint) -> None:
    """Waiting for somebody else's mint ends with the waiter's own deadline: a timeout before
    anything was sent.
    """
    mint.gate = Gate()
    leader = Crowd(1, lambda: cache.lease("role", mint, soon(clock)))
    assert mint.gate.reached.wait(PATIENCE)
    with pytest.raises(TimedOut, match="before anything was sent"):
        cache.lease("role", mint, soon(clock, 0.0))
    mint.gate.open.set()
    assert len(leader.ended().found) == 1


def test_a_fresh_lease_is_kept(cache: ConnectionCache, clock: FakeClock, mint: Mint) -> None:
    """A lease serves until five minutes before its end; other keys have leases of their own."""
    first = cache.lease("role", mint, soon(clock))
    assert cache.lease("role", mint, soon(clock)) is first
    assert cache.lease("other", mint, soon(clock)) is not first
    clock.advance(3600 - 300 - 5)
    assert cache.lease("role", mint, soon(clock)) is first
    clock.advance(10)
    assert cache.lease("role", mint, soon(clock)) is not first


def test_a_short_lease_is_renewed_at_three_quarters(
    cache: ConnectionCache, clock: FakeClock, mint: Mint
) -> None:
    """A lease of ten minutes is renewed two and a half minutes before its end, since five would be
    half of its life.
    """
    mint.life = 600
    first = cache.lease("role", mint, soon(clock))
    clock.advance(440)
    assert cache.lease("role", mint, soon(clock)) is first
    clock.advance(20)
    assert cache.lease("role", mint, soon(clock)) is not first


def test_a_lease_without_an_end_is_kept_for_good(
    cache: ConnectionCache, clock: FakeClock, mint: Mint
) -> None:
    """A credential that does not expire is minted once."""
    mint.life = None
    first = cache.lease("key", mint, soon(clock))
    clock.advance(10**9)
    assert cache.lease("key", mint, soon(clock)) is first


def test_an_expired_lease_is_not_given(
    cache: ConnectionCache, clock: FakeClock, mint: Mint
) -> None:
    """A lease past its end is minted anew by whoever asks, and one that was over when it was made
    serves nobody else.
    """
    cache.lease("role", mint, soon(clock))
    clock.advance(3601)
    assert cache.lease("role", mint, soon(clock)).value == "credential 2"
    mint.life = -10
    cache.lease("late", mint, soon(clock))
    cache.lease("late", mint, soon(clock))
    assert mint.made == 4


def test_others_are_served_while_one_renews(
    cache: ConnectionCache, clock: FakeClock, mint: Mint
) -> None:
    """While one caller renews ahead of time, the old lease serves all others at once."""
    first = cache.lease("role", mint, soon(clock))
    clock.advance(3400)
    mint.gate = Gate()
    leader = Crowd(1, lambda: cache.lease("role", mint, soon(clock)))
    assert mint.gate.reached.wait(PATIENCE)
    crowd = Crowd(20, lambda: cache.lease("role", mint, soon(clock))).ended()
    assert {id(found) for found in crowd.found} == {id(first)}
    mint.gate.open.set()
    (renewed,) = leader.ended().found
    assert renewed.value == "credential 2"
    assert cache.lease("role", mint, soon(clock)) is renewed


def test_a_failed_renewal_serves_the_old_lease(
    cache: ConnectionCache, clock: FakeClock, mint: Mint
) -> None:
    """While the old lease holds, a renewal that fails is no failure; the next one is tried half a
    minute later.
    """
    first = cache.lease("role", mint, soon(clock))
    clock.advance(3400)
    mint.error = Unavailable("no STS")
    assert cache.lease("role", mint, soon(clock)) is first
    assert cache.lease("role", mint, soon(clock)) is first
    assert mint.made == 2
    clock.advance(31)
    assert cache.lease("role", mint, soon(clock)) is first
    assert mint.made == 3
    clock.advance(200)
    with pytest.raises(Unavailable, match="no STS"):
        cache.lease("role", mint, soon(clock))
    mint.error = None
    assert cache.lease("role", mint, soon(clock)) is not first


def test_a_dropped_lease_is_gone(cache: ConnectionCache, clock: FakeClock, mint: Mint) -> None:
    """A lease that the provider calls expired is dropped; a newer one, and one that was never kept,
    are not touched.
    """
    first = cache.lease("role", mint, soon(clock))
    cache.drop("role", first)
    second = cache.lease("role", mint, soon(clock))
    assert second is not first
    cache.drop("role", first)
    cache.drop("nothing", first)
    assert cache.lease("role", mint, soon(clock)) is second


def test_a_mint_that_is_torn_down_leaves_no_trace(
    cache: ConnectionCache, clock: FakeClock, mint: Mint, arrived: Arrivals
) -> None:
    """Where the leader is interrupted (Ctrl-C), nobody waits for it for ever: the next one
    mints.
    """
    gate = Gate()

    def interrupted() -> Minted:
        gate()
        raise KeyboardInterrupt

    def lead() -> None:
        with pytest.raises(KeyboardInterrupt):
            cache.lease("role", interrupted, soon(clock))

    leader = Crowd(1, lead)
    assert gate.reached.wait(PATIENCE)
    other = Crowd(1, lambda: cache.lease("role", mint, soon(clock)))
    arrived(1)
    gate.open.set()
    assert leader.ended().raised == []
    assert [found.value for found in other.ended().found] == ["credential 1"]


def test_secrets_of_leases_are_masked_even_when_replaced(
    cache: ConnectionCache, clock: FakeClock, mint: Mint
) -> None:
    """The connection's secrets and those of each lease are masked, also of a lease that another one
    took the place of.
    """
    cache.lease("one", mint, soon(clock))
    dropped = cache.lease("two", mint, soon(clock))
    cache.drop("two", dropped)
    cache.lease("two", mint, soon(clock))
    told = "s3cret-key s3cret-1 s3cret-2 s3cret-3 s3cret-4"
    assert cache.redactor.clean(told) == "*** *** *** *** s3cret-4"


def test_objects_are_made_once(cache: ConnectionCache) -> None:
    """Twenty threads that need an object get the same one, made once; what is made may need another
    one.
    """
    made: list[str] = []

    def make_inner() -> object:
        made.append("inner")
        return object()

    def make() -> object:
        made.append("outer")
        return cache.cached("inner", make_inner)

    crowd = Crowd(20, lambda: cache.cached("outer", make)).ended()
    assert len(set(map(id, crowd.found))) == 1
    assert made == ["outer", "inner"]


def test_objects_are_bounded(cache: ConnectionCache) -> None:
    """At most 64 objects are kept with a connection; the first ones made go first, and one that
    fails is not kept.
    """
    for number in range(65):
        cache.cached(number, lambda number=number: [number])  # type: ignore[misc]
    assert cache.cached(64, list) == [64]
    assert cache.cached(1, list) == [1]
    assert cache.cached(0, list) == []
    with pytest.raises(ZeroDivisionError):
        cache.cached("broken", lambda: 1 / 0)
    assert cache.cached("broken", lambda: "mended") == "mended"


def test_open_connections_are_not_pickled(cache: ConnectionCache) -> None:
    """What is open holds secrets."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(cache)


def test_caches_follow_their_values(clock: FakeClock) -> None:
    """A connection whose resolved values changed has a new cache; equal ones share it, and other
    keys have their own.
    """
    caches = ConnectionCaches(clock)

    def find(key: str, **values: Any) -> ConnectionCache:
        return caches.find(key, values, frozenset)

    first = find("one", token="a")
    assert find("one", token="a") is first
    assert find("two", token="a") is not first
    changed = find("one", token="b")
    assert changed is not first
    assert find("one", token="b") is changed
    assert len(caches) == 2


def test_caches_are_bounded(clock: FakeClock) -> None:
    """The connections that were used last are kept."""
    caches = ConnectionCaches(clock, limit=3)
    found = {name: caches.find(name, {}, frozenset) for name in ("a", "b", "c")}
    assert caches.find("a", {}, frozenset) is found["a"]
    caches.find("d", {}, frozenset)
    assert len(caches) == 3
    assert caches.find("a", {}, frozenset) is found["a"]
    assert caches.find("b", {}, frozenset) is not found["b"]


def test_invocations_share_a_lease(
    tmp_path: Path, clock: FakeClock, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty invocations with one connection cost one mint; with another connection of the same
    values, another one.
    """

    def opened(self: Key, context: OpenContext) -> Client:
        return Client(self, context, context.lease("role", mint))

    monkeypatch.setattr(Key, "open", opened)
    script = Script()
    values = {"type": "stage/key", "values": {"token": "t"}}
    with runtime(
        tmp_path, scripted(script), connections={"one": values, "two": values}, clock=clock
    ) as board:
        Crowd(20, lambda: board.ask(connection="one")).ended()
        assert (script.tries, mint.made) == (20, 1)
        board.ask(connection="two")
        assert mint.made == 2
        clock.advance(3600)
        board.ask(connection="one")
        assert mint.made == 3


def test_a_process_that_drops_an_old_lease_keeps_the_one_that_replaced_it(
    tmp_path: Path, clock: FakeClock, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes share a lease, which the provider ends early. The first to see that mints
    another; the second takes that one.
    """

    def opened(self: Key, context: OpenContext) -> Client:
        def minted() -> Minted:
            clock.advance(1.0)
            return mint()

        return Client(self, context, context.lease("credentials", minted))

    def answered() -> Any:
        used.append(script.clients[-1].lease.value)
        return (
            Unauthenticated("expired", sent=Sent.REFUSED, stale_credentials=True)
            if used[-1] in ended
            else "done"
        )

    monkeypatch.setattr(Key, "open", opened)
    used: list[Any] = []
    ended: set[Any] = set()
    script = Script(answered)
    options: Any = {
        "connections": [{"front": {"type": "stage/key", "values": {"token": "t"}}}],
        "clock": clock,
    }
    options["database_url"] = f"sqlite:///{tmp_path / 'leases.db'}"
    with (
        installed(tmp_path, scripted(script)) as catalog,
        Jackfield(catalog=catalog, **options) as one,
        Jackfield(catalog=catalog, **options) as two,
    ):
        assert [each.invoke(invocation()).status for each in (one, two)] == ["succeeded"] * 2
        ended.add("credential 1")
        assert [each.invoke(invocation()).status for each in (one, two)] == ["succeeded"] * 2
    assert used == ["credential 1", "credential 1", *["credential 1", "credential 2"] * 2]


def test_waiting_for_a_lease_keeps_to_the_invocation_s_deadline(
    tmp_path: Path, clock: FakeClock, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invocation that waits for another one's mint ends in time, and nothing was sent."""

    def opened(self: Key, context: OpenContext) -> Client:
        return Client(self, context, context.lease("role", mint))

    monkeypatch.setattr(Key, "open", opened)
    mint.gate = Gate()
    with runtime(tmp_path, scripted(Script()), clock=clock) as board:
        leader = Crowd(1, board.ask)
        assert mint.gate.reached.wait(PATIENCE)
        late = board.ask(timeoutSeconds=0.2)
        mint.gate.open.set()
        assert leader.ended().found[0].status == "succeeded"
    assert (late.status, late.error and late.error.code, late.meta.attempts) == (
        "failed",
        "timeout",
        0,
    )
