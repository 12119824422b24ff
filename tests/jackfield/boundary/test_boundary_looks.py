"""Looks of functions that are called once: processes that declare one look by themselves what
became of its calls in doubt.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest

from clocks import FakeClock, time_passes
from jackfield import ABSENT, UNKNOWN, InvocationFailed, Result
from jackfield.boundary import looks
from jackfield.call import on_time
from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access import Workspaces
from jackfield_store.journal.doubt_reports import DoubtReports, Report
from jackfield_store.journal.recovery import Recovery
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.evidence_loop import look_now
from waiting import until

FIRST = 10.0
"""Seconds after which the first look of a doubt is due."""


class Shop:
    """A program whose function loses its answer; ``found`` is what its look returns."""

    def __init__(self, jackfield: Jackfield, clock: FakeClock) -> None:
        self.jackfield, self.clock = jackfield, clock
        self.found: Any = UNKNOWN
        self.asked: list[str] = []
        self.made: list[str] = []

    def declared(self, **options: Any) -> Callable[[str], Any]:
        """The function, with a look unless the options say otherwise."""

        @self.jackfield.once("charge", key=lambda order: order, **{"look": self.look, **options})
        def charge(order: str) -> str:
            self.made.append(order)
            raise TimeoutError

        return charge

    def look(self, key: str) -> Any:
        """Look what became of a call."""
        self.asked.append(key)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def pass_time(self, seconds: float = FIRST) -> None:
        """Let time pass."""
        time_passes(seconds, self.clock, self.jackfield.storage.database)

    def entry(self, result: Result) -> Entry:
        """The entry of a call."""
        assert self.jackfield.journal is not None
        return self.jackfield.journal.find(result.meta.invocation_id)

    def looked(self, result: Result, looks: int) -> Entry:
        """The entry of a call, once it was looked for so often."""
        return until(lambda: entry if len((entry := self.entry(result)).looks) >= looks else None)  # type: ignore[return-value]

    def settled(self, result: Result) -> Entry:
        """The entry of a call, once it is in doubt no more."""
        return until(lambda: entry if (entry := self.entry(result)).status != "in_doubt" else None)  # type: ignore[return-value]


@pytest.fixture
def shop(jackfield: Jackfield, clock: FakeClock) -> Shop:
    """A program. Functions of earlier tests are gone, which another one on this database would
    count as its own.
    """
    gc.collect()
    return Shop(jackfield, clock)


def doubt(call: Callable[[], object]) -> Result:
    """The Result of a call that ends in doubt."""
    with pytest.raises(InvocationFailed) as raised:
        call()
    assert raised.value.result.status == "in_doubt"
    return raised.value.result


def test_a_doubt_is_looked_up_by_itself(shop: Shop) -> None:
    """Its Result says when. What the look finds settles it as evidence does: for repeats, listeners
    and lists.
    """
    reports: list[Report] = []
    DoubtReports.of(shop.jackfield.storage.database).add(reports.append)
    charge, shop.found = shop.declared(), "ch_a"
    result = doubt(lambda: charge("a"))
    assert result.meta.settling is not None
    assert result.meta.settling["looks"] == 0
    assert result.error is not None
    assert str(result.error.hint).endswith("The same call of the function looks at once.")
    assert "next" in result.meta.settling
    shop.pass_time()
    entry = shop.settled(result)
    assert (entry.status, entry.resolved_by, shop.asked) == ("succeeded", "evidence", ["a"])
    (look,) = entry.looks
    assert (look["result"], look["source"]) == ("matched", "charge")
    shown = entry.to_json()["meta"]["resolution"]["evidence"]
    assert (shown["verdict"], shown["source"], shown["looks"]) == ("took", "host/charge", 1)
    with pytest.raises(InvalidInvocation, match="is not in doubt"):
        look_now(shop.jackfield, entry.id)
    until(lambda: reports)  # once that is committed
    assert [(report.by, report.verdict, report.found) for report in reports] == [
        ("evidence", "took", (("charge", "matched"),))
    ]
    assert result.wait().output == {"value": "ch_a"}
    assert charge("a") == "ch_a"
    assert (shop.asked, shop.made) == (["a"], ["a"])


def test_that_it_is_absent_counts_later(shop: Shop) -> None:
    """A look before that says so, and the next one frees the key."""
    charge, shop.found = shop.declared(absent_after=600.0), ABSENT
    result = doubt(lambda: charge("a"))
    shop.pass_time()
    entry = shop.looked(result, 1)
    assert entry.status == "in_doubt"
    assert "counts from" in entry.looks[0]["text"]
    shop.pass_time(1_000.0)
    entry = shop.settled(result)
    assert (entry.status, entry.resolved_by) == ("failed", "evidence")
    doubt(lambda: charge("a"))
    assert shop.made == ["a", "a"]


@pytest.mark.parametrize(
    "found", [UNKNOWN, LookupError("later"), object()], ids=["UNKNOWN", "an error", "no JSON"]
)
def test_one_that_cannot_tell_is_asked_again(shop: Shop, found: Any) -> None:
    """The doubt stays until it can."""
    charge, shop.found = shop.declared(), found
    result = doubt(lambda: charge("a"))
    shop.pass_time()
    entry = shop.looked(result, 1)
    assert (entry.status, entry.looks[0]["result"]) == ("in_doubt", "failed")
    assert "nextLookAt" in entry.to_json()
    shop.found = "ch_a"
    shop.pass_time(60.0)
    assert shop.settled(result).status == "succeeded"
    assert charge("a") == "ch_a"


def test_looks_of_repeats_do_not_use_up_those_of_the_process(shop: Shop) -> None:
    """However often a call is repeated, the doubt is looked up on."""
    charge = shop.declared()
    result = doubt(lambda: charge("a"))
    for number in range(8):
        repeat = doubt(lambda: charge("a"))
        assert repeat.meta.settling is not None
        assert repeat.meta.settling["looks"] == number + 1
    shop.found = "ch_a"
    shop.pass_time()
    assert shop.settled(result).status == "succeeded"


def test_a_coroutine_looks(shop: Shop) -> None:
    """It runs in a loop of its own."""

    async def look(key: str) -> str:
        await asyncio.sleep(0)
        return f"ch_{key}"

    charge = shop.declared(look=look)
    result = doubt(lambda: charge("a"))
    shop.pass_time()
    shop.settled(result)
    assert charge("a") == "ch_a"


def test_a_value_that_is_not_kept_is_looked_up_all_the_same(shop: Shop) -> None:
    """The journal has its digest."""
    charge, shop.found = shop.declared(keep=False), "ch_a"
    result = doubt(lambda: charge("a"))
    shop.pass_time()
    entry = shop.settled(result)
    assert [*entry.to_json()["output"]] == ["digest"]
    assert "ch_a" not in str(entry.to_json())
    assert charge("a") is None


def test_where_no_process_declares_it_the_doubt_says_so(shop: Shop, other: Jackfield) -> None:
    """It waits for one, and for a person, who can resolve it as any other."""
    charge = shop.declared(look=None)
    result = doubt(lambda: charge("a"))
    assert result.meta.settling is None
    shop.pass_time(60.0)
    entry = shop.entry(result)
    assert (entry.status, len(entry.looks)) == ("in_doubt", 0)
    assert (
        entry.to_json()["waitsFor"]
        == "the next call of 'charge' with a look, a process that declares one, or a person"
    )
    assert "nextLookAt" not in entry.to_json()
    with pytest.raises(InvalidInvocation, match="declares no look") as refused:
        look_now(other, result.meta.invocation_id)
    assert (
        f"'jackfield invocations resolve {result.meta.invocation_id} --as succeeded'"
        in refused.value.to_json("cli")["hint"]
    )
    other.journal_of().resolve(
        result.meta.invocation_id,
        "succeeded",
        "ada",
        "the dashboard has it",
        output={"value": "ch_a"},
    )
    assert charge("a") == "ch_a"
    assert "waitsFor" not in shop.entry(result).to_json()


def test_one_that_is_declared_later_is_asked_at_once(shop: Shop) -> None:
    """A doubt that nobody could look up is overdue for whoever can."""
    charge, shop.found = shop.declared(look=None), "ch_a"
    result = doubt(lambda: charge("a"))
    shop.pass_time(3_000.0)
    later = shop.declared()
    assert shop.settled(result).status == "succeeded"
    assert later("a") == "ch_a"


def test_a_function_that_is_gone_is_asked_no_more(shop: Shop) -> None:
    """A declaration lives as long as its function."""
    shop.found = "ch_a"
    result = doubt(lambda: shop.declared()("a"))
    gc.collect()
    others = shop.declared(look=lambda _key: UNKNOWN)
    shop.pass_time()
    shop.looked(result, 1)
    assert shop.asked == []
    del others


def test_a_function_of_another_workspace_is_not_asked(
    shop: Shop, upgraded: str, clock: FakeClock
) -> None:
    """It has the same name, and would look in another account."""
    workspaces: Workspaces = shop.jackfield.access.workspaces
    workspaces.create("acme")
    with Jackfield("acme", connections=[], database_url=upgraded, clock=clock) as acme:
        foreign = Shop(acme, clock)
        foreign.found = "of acme"
        theirs, ours = foreign.declared(), shop.declared()
        result, their_result = doubt(lambda: ours("a")), doubt(lambda: theirs("b"))
        shop.pass_time()
        assert foreign.settled(their_result).status == "succeeded"
        assert shop.looked(result, 1).status == "in_doubt"
        assert (foreign.asked, shop.asked) == (["b"], ["a"])


def test_a_person_who_was_faster_is_contradicted(shop: Shop) -> None:
    """A look after a decision changes nothing, and says that it finds something else."""
    charge, shop.found = shop.declared(), "ch_a"
    result = doubt(lambda: charge("a"))
    shop.jackfield.journal_of().resolve(result.meta.invocation_id, "failed", "ada", "nothing there")
    shop.pass_time()
    assert shop.entry(result).status == "failed"
    assert shop.asked == []


@pytest.mark.parametrize("by", ["ada", "evidence"])
def test_a_late_success_contradicts_what_was_decided(
    jackfield: Jackfield, other: Jackfield, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """A process that was taken for lost, as one of another host may be, has sent all the same,
    after the key was used again. Its value counts for its own call; the record keeps who had
    decided, and says that it was wrong; an event tells it.
    """
    monkeypatch.setattr(Recovery, "has_lost", lambda _self, _owner: True)

    def charging(runtime: Jackfield, run: Callable[[str], str]) -> Callable[[str], str]:
        @runtime.once("charge", key=lambda order: order, look=lambda _key: ABSENT, absent_after=0.0)
        def charge(order: str) -> str:
            return run(order)

        return charge

    def meanwhile(_order: str) -> str:
        journal = other.journal
        assert journal is not None
        (entry,), _ = journal.entries()
        assert journal.recovery.recover("default", entry)
        if by == "ada":
            journal.resolve(entry.id, "failed", by="ada")
        assert charging(other, lambda order: f"second {order}")("a") == "second a"
        return "first"

    assert charging(jackfield, meanwhile)("a") == "first"
    second, first = jackfield.journal_of().entries()[0]
    assert (second.status, second.key_held) == ("succeeded", True)
    shown = jackfield.journal_of().find(first.id).to_json()
    assert (shown["status"], shown["output"]) == ("succeeded", {"value": "first"})
    resolution = shown["meta"]["resolution"]
    assert (resolution["by"], resolution["error"]["code"]) == (by, "in_doubt")
    found = resolution["contradictedBy"]
    assert (found["verdict"], found["kind"], found["source"]) == ("took", "answer", "host/charge")
    (event,) = list(jackfield.events(types=["invocation.contradicted"]))
    assert (event.subject, event.data["verdict"], event.data["resolvedBy"]) == (
        first.id,
        "took",
        by,
    )
    assert charging(other, meanwhile)("a") == "second a"


@pytest.mark.parametrize(
    ("annotation", "status"),
    [(None, "succeeded"), ("str | None", "succeeded"), ("str", "in_doubt"), ("", "in_doubt")],
)
def test_none_is_a_value_only_where_the_annotation_says_so(
    shop: Shop, annotation: str | None, status: str
) -> None:
    """A look that forgets to return says nothing."""

    def charge(order: str) -> Any:
        raise TimeoutError(order)

    charge.__annotations__["return"] = annotation
    if annotation == "":
        del charge.__annotations__["return"]
    charging = shop.jackfield.once("charge", key=lambda order: order, look=lambda _key: None)(
        charge
    )
    result = doubt(lambda: charging("a"))
    if status == "in_doubt":
        doubt(lambda: charging("a"))
        assert "returned None" in shop.entry(result).looks[-1]["text"]
    else:
        assert charging("a") is None
    assert shop.entry(result).status == status


def test_absence_means_nothing_while_the_function_runs(
    jackfield: Jackfield, other: Jackfield
) -> None:
    """Its process lives and has the call: it may still send, whatever its caller was told. That it
    is absent counts from its end on, for every process that looks.
    """
    ends = threading.Event()

    @jackfield.once(
        "slow", effect="write", key=lambda order: order, look=lambda _key: ABSENT, timeout=0.5
    )
    def slow(order: str) -> str:
        ends.wait(60.0)
        raise TimeoutError(order)

    @other.once("slow-there", key=lambda order: order, look=lambda _key: ABSENT)
    def there(order: str) -> str:
        return order

    def looked(runtime: Jackfield) -> str:
        look_now(runtime, result.meta.invocation_id)
        entry = jackfield.journal_of().find(result.meta.invocation_id)
        assert entry.status == "in_doubt"
        return str(entry.looks[0]["text"])

    call = {"connector": "host", "action": "slow", "inputs": {"order": "a"}}
    result = jackfield.invoke(call, on_time=True)
    assert result.status == "in_doubt"
    try:
        assert "once the function has ended" in looked(jackfield)
        assert "once the function has ended" in looked(other)
        doubt(lambda: slow("a"))
    finally:
        ends.set()
    until(lambda: "counts from" in looked(jackfield))
    assert "counts from" in looked(other)
    assert [one("b") for one in (there,)] == ["b"]


def test_a_call_may_look_before_it_raises(shop: Shop) -> None:
    """With ``settle`` it does so for so many seconds: the value is the call's, as if its answer had
    come.
    """
    charge = shop.declared(settle=30.0)
    shop.found = "ch_a"
    assert charge("a") == charge("a") == "ch_a"
    assert (shop.made, shop.asked) == (["a"], ["a"])
    (entry, *_), _ = shop.jackfield.journal_of().entries()
    assert (entry.status, entry.resolved_by) == ("succeeded", "evidence")
    answers = [UNKNOWN, UNKNOWN, "ch_b"]

    @shop.jackfield.once(
        "pay", effect="write", key=lambda order: order, look=lambda _key: answers.pop(0), settle=30
    )
    def pay(order: str) -> str:
        raise TimeoutError(order)

    assert pay("b") == pay("b") == "ch_b"
    assert answers == []


def test_it_does_not_run_again_by_itself(shop: Shop) -> None:
    """If a look frees the key, the call fails, and its caller decides. If it cannot tell in the
    time, the doubt stays.
    """
    charge, shop.found = shop.declared(settle=600.0, absent_after=0.0), ABSENT
    with pytest.raises(InvocationFailed) as raised:
        charge("a")
    assert raised.value.result.status == "failed"
    assert shop.made == ["a"]
    shop.found = UNKNOWN
    doubt(lambda: charge("b"))
    assert len(shop.asked) > 2
    with pytest.raises(ValueError, match="there is no 'look'"):
        shop.jackfield.once("charge", key="a", settle=1.0)


class _Answer:
    status_code = 422


class _HTTPError(Exception):
    response = _Answer()


class _ClientError(Exception):
    response: ClassVar[dict[str, Any]] = {"ResponseMetadata": {"HTTPStatusCode": 503}}


@pytest.mark.parametrize(
    ("error", "status"), [(_HTTPError, 422), (_ClientError, 503), (TimeoutError, None)]
)
def test_a_doubt_says_the_provider_s_status(
    shop: Shop, error: type[Exception], status: int | None
) -> None:
    """Where the client's exception has one. Its hint is for a function: no invocation is to be
    sent.
    """

    @shop.jackfield.once("charge", key=lambda order: order)
    def charge(order: str) -> str:
        raise error(order)

    for _ in range(2):
        result = doubt(lambda: charge("a"))
        assert result.error is not None
        provider = result.error.provider
        assert (None if provider is None else provider.http_status) == status
        hint = str(result.error.hint)
        assert "the function does not run under this key" in hint
        assert "wait=True" not in hint
        assert result.meta.settling is None
        assert "nextLookAt" not in shop.entry(result).to_json()


def test_a_block_without_a_look_shows_no_next_one(shop: Shop) -> None:
    """Nobody looks for it."""

    def sent() -> None:
        with shop.jackfield.once("block", key="a") as call:
            call.sending()
            raise TimeoutError

    result = doubt(sent)
    assert result.meta.settling is None
    shown = shop.entry(result).to_json()
    assert "nextLookAt" not in shown
    assert "settling" not in shown["meta"]


def _exits(_key: str) -> Any:
    raise SystemExit(2)


async def _aexits(_key: str) -> Any:
    raise SystemExit(2)


@pytest.mark.parametrize("effect", [None, "write"])
@pytest.mark.parametrize("look", [_exits, _aexits])
def test_a_look_that_exits_has_found_nothing(
    jackfield: Jackfield, effect: Any, look: Callable[[str], Any]
) -> None:
    """The caller gets the doubt."""

    @jackfield.once("exits", key=lambda order: order, look=look, effect=effect)
    def charge(order: str) -> str:
        raise TimeoutError(order)

    doubt(lambda: charge("a"))
    result = doubt(lambda: charge("a"))
    assert "it failed" in jackfield.journal_of().find(result.meta.invocation_id).looks[0]["text"]


def test_looks_that_hang_leave_each_caller_its_doubt(
    jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When too many hang, no more are begun, which the doubt says."""
    monkeypatch.setattr(looks, "_LONGEST", 0.01)
    monkeypatch.setattr(on_time, "MOST", 2)
    leave = threading.Event()

    @jackfield.once("hangs", key=lambda order: order, look=lambda _key: leave.wait(60.0))
    def charge(order: str) -> str:
        raise TimeoutError(order)

    for order in "abcd":
        doubt(partial(charge, order))
        result = doubt(partial(charge, order))
    leave.set()
    found = jackfield.journal_of().find(result.meta.invocation_id)
    assert "still run after their deadlines" in found.looks[0]["text"]


def test_a_look_that_finds_another_type_is_told(
    jackfield: Jackfield, caplog: pytest.LogCaptureFixture
) -> None:
    """Its value counts all the same."""

    @jackfield.once("typed", key=lambda order: order, look=lambda _key: {"id": "a"})
    def charge(order: str) -> str:
        raise TimeoutError(order)

    doubt(lambda: charge("a"))
    assert charge("a") == {"id": "a"}  # type: ignore[comparison-overlap]
    assert "is not of its type: dict" in caplog.text


def test_a_look_has_a_bound_of_its_own(
    jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs says nothing, and the call ends: whatever the function's own time is."""
    monkeypatch.setattr(looks, "_LONGEST", 0.2)
    leave = threading.Event()

    def hanging(_key: str) -> Any:
        leave.wait(60.0)

    async def ahanging(_key: str) -> Any:
        await asyncio.sleep(60.0)

    for name, look in (("hangs", hanging), ("hangs-too", ahanging)):

        @jackfield.once(name, key=lambda order: order, look=look, timeout=600.0)
        def charge(order: str) -> str:
            raise TimeoutError(order)

        doubt(lambda: charge("a"))
        result = doubt(lambda: charge("a"))
        entry = jackfield.journal_of().find(result.meta.invocation_id)
        assert "it failed" in entry.looks[0]["text"]
    leave.set()
