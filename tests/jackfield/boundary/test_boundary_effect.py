"""``once`` with an effect: the function is an action of the connector ``host``, and direct calls
are calls of it, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock, time_passes
from jackfield import ABSENT, InvocationFailed, Result
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.runtime import Jackfield
from waiting import until

DAY = 86_400.0


class Declined(Exception):
    """A provider's word that nothing took effect."""


@dataclass(frozen=True)
class Order:
    """An order of the program."""

    id: str
    total: Decimal = Decimal(5)
    placed: datetime | None = None


class Provider:
    """What functions call: it notes what took effect, and may raise afterwards."""

    def __init__(self) -> None:
        self.effects: list[tuple[Any, ...]] = []
        self.raises: BaseException | None = None

    def make(self, *made: Any) -> str:
        """Take effect, unless it declines."""
        if isinstance(self.raises, Declined):
            raise self.raises
        self.effects.append(made)
        if self.raises is not None:
            raise self.raises
        return f"ch_{made[0]}"


@pytest.fixture
def provider() -> Provider:
    """A provider."""
    return Provider()


def charging(jackfield: Jackfield, provider: Provider, **options: Any) -> Callable[..., Any]:
    """A function of the program that charges once for an order."""

    @jackfield.once(
        "charge",
        **{
            "effect": "write",
            "key": lambda order, **_: order.id,
            "refusals": (Declined,),
            **options,
        },
    )
    def charge(order: Order, amount: int = 5, *, with_note: str | None = None) -> str:
        """Charge a card.

        More words.
        """
        return provider.make(order.id, order, amount, with_note)

    return charge


def failure(call: Callable[[], object]) -> InvocationFailed:
    """What a call raises."""
    with pytest.raises(InvocationFailed) as raised:
        call()
    return raised.value


def asked(order: object, **more: Any) -> dict[str, Any]:
    """An invocation of the function."""
    return {"connector": "host", "action": "charge", "inputs": {"order": order, **more}}


def test_a_direct_call_is_a_call_of_the_action(
    jackfield: Jackfield, other: Jackfield, provider: Provider
) -> None:
    """Nothing of the function runs if it has run before, whoever calls; its inputs have the types
    of its arguments.
    """
    charge = charging(jackfield, provider)
    order = Order("a", Decimal("9.99"), datetime(2026, 11, 29, tzinfo=UTC))
    assert charge(order, with_note="soon") == charge(order, 5, with_note="soon") == "ch_a"
    assert provider.effects == [("a", order, 5, "soon")]
    given = {"id": "a", "total": "9.99", "placed": "2026-11-29T00:00:00Z"}
    result = other.invoke(asked(given, amount="5", withNote="soon"))
    assert (result.status, result.output, result.meta.replayed) == (
        "succeeded",
        {"value": "ch_a"},
        True,
    )
    assert other.invoke(asked({"id": "b"})).output == {"value": "ch_b"}
    assert charge(Order("b")) == "ch_b"
    assert jackfield.journal is not None
    entry, _ = jackfield.journal.entries()[0]
    assert (entry.connector, entry.action, entry.effect, entry.idempotency_key) == (
        "host",
        "charge",
        "write",
        "host/charge/b",
    )


def test_the_action_says_what_the_function_says(jackfield: Jackfield, provider: Provider) -> None:
    """Its title is the docstring's first line, its effect and its schemas are the function's, it
    needs no connection, and is found.
    """
    charging(jackfield, provider)
    action = jackfield.catalog.find("host").actions["charge"]
    assert (action.title, action.effect, action.needs_connection) == (
        "Charge a card.",
        "write",
        False,
    )
    properties = action.inputs["properties"]
    assert [*properties] == ["order", "amount", "withNote"]
    assert (properties["amount"]["type"], action.inputs["required"]) == ("integer", ["order"])
    assert properties["order"]["required"] == ["id"]
    assert action.output["properties"]["value"]["type"] == "string"
    assert [
        (one["connector"], one["action"])
        for one in jackfield.search("charge a card", connector="host")
    ] == [("host", "charge")]


def test_inputs_are_judged_as_those_of_any_action(jackfield: Jackfield, provider: Provider) -> None:
    """All faults at once; arguments that make no key are refused, too. Nothing runs."""
    charge = charging(jackfield, provider)
    for call in (
        lambda: charge(object(), "many"),
        lambda: jackfield.invoke(asked(7, amount="many")).unwrap(),
    ):
        error = failure(call).result.error
        assert error is not None
        assert [(detail.path, error.code) for detail in error.details] == [
            ("/order", "invalid_input"),
            ("/amount", "invalid_input"),
        ]
    for name in ("", "x" * 200):
        error = failure(partial(charge, Order(name))).result.error
        assert error is not None
        assert "the key of 'charge' must be text" in error.details[0].message
    with pytest.raises(TypeError, match="missing a required argument"):
        charge()
    assert provider.effects == []


def test_a_key_of_the_caller_does_not_count(jackfield: Jackfield, provider: Provider) -> None:
    """The function names the intent, by its arguments; another request under that key is
    refused.
    """
    charging(jackfield, provider)
    for key in ("k1", "k2"):
        assert jackfield.invoke({**asked({"id": "a"}), "idempotencyKey": key}).output == {
            "value": "ch_a"
        }
    refused = jackfield.invoke({**asked({"id": "a"}, amount=6), "idempotencyKey": "k3"}).error
    assert refused is not None
    assert refused.code == "idempotency_conflict"
    assert len(provider.effects) == 1


def test_a_key_that_cannot_be_made_lets_nothing_run(
    jackfield: Jackfield, provider: Provider
) -> None:
    """Nor one that changes from one moment to the next: nothing would keep the call from happening
    twice.
    """
    numbers = iter(range(100))
    charge = charging(jackfield, provider, key=lambda order: f"{order.id}{next(numbers)}")
    error = failure(lambda: charge(Order("a"))).result.error
    assert error is not None
    assert (error.code, "not the one that its call has" in error.message) == ("invalid_input", True)

    def breaks(order: Order) -> str:
        raise LookupError(order)

    charge = charging(jackfield, provider, key=breaks)
    error = failure(lambda: charge(Order("a"))).result.error
    assert error is not None
    assert "cannot be made: LookupError" in error.details[0].message
    assert provider.effects == []


def test_what_a_call_is_about_may_be_less_than_its_arguments(
    jackfield: Jackfield, provider: Provider
) -> None:
    """``about`` says what must be equal; it and ``key`` take the arguments that they name, or the
    first ones.
    """
    charge = charging(
        jackfield, provider, key=lambda one: one.id, about=lambda *, amount: amount > 100
    )
    assert charge(Order("a"), 5) == charge(Order("a", Decimal(7)), 6) == "ch_a"
    refused = failure(lambda: charge(Order("a"), 101)).result.error
    assert refused is not None
    assert refused.code == "idempotency_conflict"


def test_a_refusal_frees_the_key(jackfield: Jackfield, provider: Provider) -> None:
    """A direct caller gets it as it is."""
    charge, provider.raises = charging(jackfield, provider), Declined("no money")
    with pytest.raises(Declined, match="no money") as raised:
        charge(Order("a"))
    assert raised.value is provider.raises
    error = jackfield.invoke(asked({"id": "a"})).error
    assert error is not None
    assert (error.code, error.message) == ("rejected", "'charge' was refused: Declined: no money")
    provider.raises = None
    assert charge(Order("a"), 4) == "ch_a"


@pytest.mark.parametrize(
    "error",
    [ValueError("broken"), TimeoutError("late"), ConnectionResetError()],
    ids=lambda one: type(one).__name__,
)
def test_any_other_exception_of_a_write_is_a_doubt(
    jackfield: Jackfield, other: Jackfield, provider: Provider, error: Exception
) -> None:
    """Nothing runs again; a direct caller gets ``InvocationFailed`` from it."""
    charge, provider.raises = charging(jackfield, provider), error
    doubt = failure(lambda: charge(Order("a")))
    assert doubt.__cause__ is error
    assert (doubt.result.status, doubt.result.meta.replayed) == ("in_doubt", False)
    provider.raises = None
    assert failure(lambda: charge(Order("a"))).result.meta.replayed
    assert other.invoke({**asked({"id": "a"}), "onDoubt": "retry"}).status == "in_doubt"
    assert len(provider.effects) == 1


def test_a_look_settles_a_doubt(
    jackfield: Jackfield, other: Jackfield, provider: Provider, clock: FakeClock
) -> None:
    """It gets the key as text. What it finds is the value from then on; that it finds nothing
    counts ``absent_after`` seconds later.
    """
    found: dict[str, str] = {}
    charge = charging(
        jackfield, provider, look=lambda key: found.get(key, ABSENT), absent_after=30.0
    )
    provider.raises = OSError()
    for order in ("a", "b"):
        failure(partial(charge, Order(order)))
    provider.raises, found["a"] = None, "found a"
    assert charge(Order("a")) == "found a"
    assert other.invoke(asked({"id": "a"})).output == {"value": "found a"}
    failure(lambda: charge(Order("b")))
    for one in (jackfield, other):
        time_passes(31.0 if one is jackfield else 0.0, clock, one.storage.database)
    assert charge(Order("b")) == "ch_b"
    assert [made[0] for made in provider.effects] == ["a", "b", "b"]


def test_the_process_looks_by_itself_in_each_workspace(
    jackfield: Jackfield, upgraded: str, provider: Provider, clock: FakeClock
) -> None:
    """A call by its action may be of any workspace that the process serves. What the look finds is
    the value from then on.
    """
    jackfield.access.workspaces.create("acme")
    charge = charging(jackfield, provider, look=lambda key: f"found {key}")
    provider.raises = OSError()
    with Jackfield("acme", connections=[], database_url=upgraded, clock=clock) as acme:
        doubts = [
            (one, one.invoke(asked({"id": order})))
            for one, order in ((jackfield, "a"), (acme, "b"))
        ]
        assert [result.status for _, result in doubts] == ["in_doubt", "in_doubt"]
        for one in (jackfield, acme):
            time_passes(10.0 if one is acme else 0.0, clock, one.storage.database)
        for one, result in doubts:
            until(partial(is_settled, one, result.meta.invocation_id))
        assert acme.invoke(asked({"id": "b"})).output == {"value": "found b"}
        assert charge(Order("a")) == "found a"
    assert len(provider.effects) == 2


def is_settled(jackfield: Jackfield, identifier: str, status: str = "succeeded") -> bool:
    """Whether a call is in doubt no more."""
    return jackfield.journal_of().find(identifier).status == status


def test_reads_and_what_may_be_repeated_need_no_key(jackfield: Jackfield) -> None:
    """They run each time, raise what the function raises, and leave no doubt."""
    ran: list[str] = []

    def find(words: str) -> dict[str, Any]:
        ran.append(words)
        if words == "none":
            raise LookupError(words)
        return {"words": words, "more": None}

    search = jackfield.once("find-orders", effect="read")(find)
    assert search("a") == search("a") == {"words": "a", "more": None}
    with pytest.raises(LookupError):
        search("none")
    result = jackfield.invoke(
        {"connector": "host", "action": "find-orders", "inputs": {"words": "b"}}
    )
    assert result.output == {"value": {"words": "b", "more": None}}
    assert ran == ["a", "a", "none", "b"]
    for effect in ("write", None):
        with pytest.raises(TypeError, match="'key' and 'about' are functions"):
            jackfield.once("update", effect=effect)(find)


def test_coroutine_functions_share_it(jackfield: Jackfield, provider: Provider) -> None:
    """Of many tasks one runs; the others have its value."""

    @jackfield.once("charge", effect="write", key=lambda order: order, look=lambda _key: "found")
    async def charge(order: str) -> str:
        await asyncio.sleep(0)
        return provider.make(order)

    async def all_at_once() -> list[str]:
        return list(await asyncio.gather(*(charge("a") for _ in range(8))))

    assert asyncio.run(all_at_once()) == ["ch_a"] * 8
    assert len(provider.effects) == 1
    provider.raises = OSError()
    with pytest.raises(InvocationFailed):
        asyncio.run(charge("b"))
    assert asyncio.run(charge("b")) == "found"


def test_threads_share_it(jackfield: Jackfield, provider: Provider) -> None:
    """Of many threads one runs; the others wait and have its value."""
    charge = charging(jackfield, provider)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: charge(Order("a")), range(8))) == ["ch_a"] * 8
    assert len(provider.effects) == 1


def test_a_value_is_the_caller_s_own(
    jackfield: Jackfield, caplog: pytest.LogCaptureFixture
) -> None:
    """He gets the object, and a repeat one of its type. What is not JSON is not recorded, which the
    Result says; it is a success.
    """

    @jackfield.once("ship", effect="write", key=lambda order: order.id)
    def ship(order: Order) -> Order:
        return order

    order = Order("a", Decimal("1.5"))
    assert ship(order) == ship(order) == order

    made = object()

    def made_wrongly(name: str) -> int:
        return f"no number of {name}"  # type: ignore[return-value]

    @jackfield.once("make", effect="write", key=lambda name: name)
    def make(name: str) -> Any:
        del name
        return made

    assert make("a") is made
    assert make("a") is None
    assert (
        jackfield.invoke({"connector": "host", "action": "make", "inputs": {"name": "b"}})
        .meta.warnings[0]["message"]
        .startswith("the value is not recorded: it is not JSON")
    )

    @jackfield.once("count", effect="write", key=lambda name: name)
    def count(name: str) -> int:
        return made_wrongly(name)

    assert repr(count("a")) == "'no number of a'"
    assert (
        jackfield.invoke({"connector": "host", "action": "count", "inputs": {"name": "b"}}).status
        == "succeeded"
    )
    assert [record.name for record in caplog.records] == ["jackfield.once"] * 2


def test_a_value_need_not_be_kept(
    jackfield: Jackfield, other: Jackfield, provider: Provider
) -> None:
    """The record has it masked, and repeats get None."""
    charge = charging(jackfield, provider, keep=False)
    assert (charge(Order("a")), charge(Order("a"))) == ("ch_a", None)
    assert other.invoke(asked({"id": "a"})).output == {"value": "***"}


def test_a_key_is_free_after_its_time(
    jackfield: Jackfield, provider: Provider, clock: FakeClock
) -> None:
    """``keep_for``, 30 days unless it says otherwise."""
    charge = charging(jackfield, provider, keep_for=3 * DAY)
    for days, effects in ((0, 1), (2, 1), (2, 2)):
        time_passes(days * DAY, clock, jackfield.storage.database)
        assert charge(Order("a")) == "ch_a"
        assert len(provider.effects) == effects


def test_a_call_within_a_call_is_its_own(jackfield: Jackfield, provider: Provider) -> None:
    """What a function calls by name, or by its action, is not taken for the call that runs it."""
    charge = charging(jackfield, provider)

    @jackfield.once("order", effect="write", key=lambda name: name)
    def order(name: str) -> str:
        inner = jackfield.invoke(asked({"id": f"{name}1"})).unwrap()["value"]
        return f"{inner} {charge(Order(f'{name}2'))}"

    assert order("a") == "ch_a1 ch_a2"
    assert order("a") == "ch_a1 ch_a2"
    assert charge(Order("a1")) == "ch_a1"


def test_its_time_is_that_of_the_function_and_a_late_answer_settles(
    jackfield: Jackfield, provider: Provider
) -> None:
    """Whoever calls its action is told in time that nobody knows, however long he would wait. What
    it makes afterwards is the value.
    """
    leave = threading.Event()

    @jackfield.once(
        "charge", effect="write", key=lambda order: order, refusals=(Declined,), timeout=5.0
    )
    def charge(order: str) -> str:
        assert leave.wait(60.0)
        if order == "b":
            raise Declined
        return provider.make(order)

    async def all_called() -> list[Result]:
        calls = [
            {
                "connector": "host",
                "action": "charge",
                "inputs": {"order": order},
                "timeoutSeconds": 600,
            }
            for order in "ab"
        ]
        try:
            return list(await asyncio.gather(*map(jackfield.ainvoke, calls)))
        finally:
            leave.set()

    results = asyncio.run(all_called())
    assert [(result.status, result.meta.replayed) for result in results] == [
        ("in_doubt", False)
    ] * 2
    for result, end in zip(results, ("succeeded", "failed"), strict=True):
        until(partial(is_settled, jackfield, result.meta.invocation_id, end))
    assert charge("a") == "ch_a"
    assert len(provider.effects) == 1


def test_a_late_function_that_exits_has_ended(jackfield: Jackfield) -> None:
    """It is known to run no more, so that a look may find that nothing took effect."""
    leave = threading.Event()

    @jackfield.once(
        "charge",
        effect="write",
        key=lambda order: order,
        look=lambda _key: ABSENT,
        absent_after=0.0,
        timeout=2.0,
    )
    def charge(order: str) -> str:
        if leave.is_set():
            return order
        assert leave.wait(60.0)
        raise SystemExit

    async def called() -> Result:
        call = {"connector": "host", "action": "charge", "inputs": {"order": "a"}}
        try:
            return await jackfield.ainvoke({**call, "timeoutSeconds": 2})
        finally:
            leave.set()

    assert asyncio.run(called()).status == "in_doubt"
    made: list[str] = []

    def is_free() -> bool:
        found = attempt(charge, "a")
        made.extend([] if isinstance(found, Raised) else [found])
        return bool(made)

    until(is_free)
    assert made == ["a"]


def test_a_late_value_of_a_direct_call_is_its_value(
    jackfield: Jackfield, provider: Provider, clock: FakeClock
) -> None:
    """Its caller has waited for it: nobody was told otherwise."""

    @jackfield.once("charge", effect="write", key=lambda order: order, timeout=5.0)
    def charge(order: str) -> str:
        clock.sleep(60.0)
        return provider.make(order)

    assert (charge("a"), charge("a")) == ("ch_a", "ch_a")
    assert len(provider.effects) == 1


def test_a_dry_run_runs_nothing(jackfield: Jackfield, provider: Provider) -> None:
    """It judges the inputs, and takes no key."""
    charging(jackfield, provider)
    assert jackfield.invoke({**asked({"id": "a"}), "dryRun": True}).status == "succeeded"
    assert not provider.effects


_PROGRAM = """
import sys
from jackfield import once

@once("charge", effect="write", key=lambda order: order)
def charge(order: str) -> str:
    print("effect", flush=True)
    return f"ch_{order}"

print(charge(sys.argv[1]))
"""


def test_a_module_s_function_is_bound_to_the_environment(
    upgraded: str, jackfield: Jackfield
) -> None:
    """A program makes no runtime, and ends without a word. Whoever shares its database finds its
    call.
    """
    environment = {**os.environ, "JACKFIELD_DATABASE_URL": upgraded}
    for lines in (["effect", "ch_a"], ["ch_a"]):
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM, "a"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=600.0,
        )
        assert (ended.stdout.split(), ended.stderr) == (lines, "")
    (entry,), _ = jackfield.journal_of().entries()
    assert (entry.connector, entry.connector_version, entry.status) == ("host", "1.0", "succeeded")


_SHOP = """
import sys
from jackfield import Jackfield, once

@once("charge", effect="write", key=lambda order: order)
def charge(order: str) -> str:
    return f"ch_{order}"

if __name__ == "__main__":
    with Jackfield() as jackfield:
        jackfield.enqueue({"connector": "host", "action": "charge", "inputs": {"order": "a"}})
"""
_COMMAND = "import sys; sys.path.pop(0); from jackfield.cli.main import main; sys.exit(main())"
"""The command as it is installed: its folder of modules is not the present one."""


@pytest.mark.parametrize("command", ["worker", "serve --port 0"])
def test_a_process_that_imports_the_module_runs_what_is_queued(
    upgraded: str, jackfield: Jackfield, tmp_path: Path, command: str
) -> None:
    """The program that has queued it has ended."""
    (tmp_path / "shop.py").write_text(_SHOP, encoding="utf-8")
    environment = {**os.environ, "JACKFIELD_DATABASE_URL": upgraded}
    subprocess.run(
        [sys.executable, "shop.py"], env=environment, cwd=tmp_path, check=True, timeout=600.0
    )
    words = [sys.executable, "-c", _COMMAND, *command.split(), "--import", "shop"]
    with subprocess.Popen(
        words, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as working:
        try:
            entry = until(
                lambda: next(iter(jackfield.journal_of().entries(status="succeeded")[0]), None)
            )
        finally:
            working.terminate()
    assert entry is not None
    assert (entry.connector, entry.action, entry.idempotency_key) == (
        "host",
        "charge",
        "host/charge/a",
    )
    assert jackfield.journal is not None
    assert jackfield.journal.find(entry.id).to_json()["output"] == {"value": "ch_a"}


def test_a_command_that_imports_the_module_runs_it(upgraded: str, tmp_path: Path) -> None:
    """``jackfield invoke`` as ``worker`` and ``serve``; what the module prints is not its
    Result.
    """
    (tmp_path / "shop.py").write_text(f"print('imported')\n{_SHOP}", encoding="utf-8")
    words = [sys.executable, "-c", _COMMAND, "invoke", "host", "charge", "order=a"]
    for more, status in (([], "failed"), (["--import", "shop"], "succeeded")):
        environment = {**os.environ, "JACKFIELD_DATABASE_URL": upgraded}
        ended = subprocess.run(
            [*words, *more],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600.0,
        )
        assert json.loads(ended.stdout)["status"] == status


def test_it_is_declared_rightly_or_not_at_all(jackfield: Jackfield, provider: Provider) -> None:
    """Each argument has a type, a name has one function, and one that is declared anew at its place
    takes the place of the former.
    """
    first = charging(jackfield, provider)
    second = charging(jackfield, provider)
    assert second(Order("a")) == "ch_a"
    with pytest.raises(TypeError, match="declared again"):
        first(Order("a"))

    def other(order: Order) -> None:
        del order

    with pytest.raises(TypeError, match="declared twice"):
        jackfield.once("charge", effect="write", key=lambda order: order.id)(other)
    with pytest.raises(TypeError, match="'order' has none"):
        jackfield.once("more", effect="write", key=lambda order: order.id)(lambda order: order)

    def of_plain(order: Provider) -> None:
        del order

    with pytest.raises(TypeError, match=r"types that JSON has a form for: .*Provider"):
        jackfield.once("more", effect="write", key=lambda order: order.id)(of_plain)
    with pytest.raises(TypeError, match="no block"):
        jackfield.once("more", effect="write", key="a").__enter__()


def test_a_quota_counts_calls_of_the_function(provider: Provider, tmp_path: Path) -> None:
    """Directly and as an invocation; what its program knows as a refusal gives its place back."""
    with Jackfield(environment={"JACKFIELD_HOME": str(tmp_path)}) as jackfield:
        charge = charging(jackfield, provider)
        jackfield.storage.opened(migrate=True).close()
        jackfield.access.workspaces.set(
            "default", {"quotas": [{"count": 2, "per": "month", "of": {"action": "host/charge"}}]}
        )
        provider.raises = Declined("no")
        with pytest.raises(Declined):
            charge(Order("0"))
        provider.raises = None
        assert charge(Order("1")) == "ch_1"
        assert jackfield.invoke(asked({"id": "2"})).status == "succeeded"
        error = failure(lambda: charge(Order("3"))).result.error
        assert error is not None
        assert error.code == "quota_exceeded"
        assert len(provider.effects) == 2
