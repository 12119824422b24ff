"""Looks of functions that are called once: processes that declare one look by themselves what
became of its calls in doubt.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from clocks import FakeClock, time_passes
from jackfield import ABSENT, UNKNOWN, InvocationFailed, Result
from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access import Workspaces
from jackfield_store.journal.doubt_reports import DoubtReports, Report
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
    jackfield: Jackfield, other: Jackfield, by: str
) -> None:
    """A process that was taken for lost has sent all the same, after the key was used again. Its
    value counts for its own call; the record keeps who had decided, and says that it was wrong; an
    event tells it.
    """

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
