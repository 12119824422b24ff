"""``once``: a function or a block of a program, whose effect happens once for a key, and is in
doubt if nobody knows whether it did.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clocks import FakeClock, time_passes
from jackfield import ABSENT, UNKNOWN, InvocationFailed, Result, once
from jackfield.kernel import errors as errors_of_ours
from jackfield.kernel.errors import InvalidInput, InvalidInvocation
from jackfield.kernel.interrupts import let_out_of_calls
from jackfield.manifest.reading import RESERVED
from jackfield_store.access import Workspaces
from jackfield_store.runtime import Jackfield

DAY = 86_400.0
PATIENCE = 60.0


class Declined(Exception):
    """A provider's word that nothing took effect."""


class Provider:
    """What functions call: it notes what took effect, and may raise afterwards."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.raises: BaseException | None = None

    def make(self, key: str) -> str:
        """Take effect, unless it declines."""
        if isinstance(self.raises, Declined):
            raise self.raises
        self.effects.append(key)
        if self.raises is not None:
            raise self.raises
        return f"ch_{key}"


@pytest.fixture
def provider() -> Provider:
    """A provider."""
    return Provider()


Charge = Callable[..., Any]


def charging(jackfield: Jackfield, provider: Provider, **options: Any) -> Charge:
    """A function of the program that charges once for an order."""

    @jackfield.once("charge", key=lambda order, *_, **__: order, refusals=(Declined,), **options)
    def charge(order: str, amount: int = 5) -> str:
        """Charge a card.

        More words.
        """
        del amount
        return provider.make(order)

    return charge


def failure(call: Callable[[], object]) -> InvocationFailed:
    """What a call raises."""
    with pytest.raises(InvocationFailed) as raised:
        call()
    return raised.value


def entries(jackfield: Jackfield, **filters: Any) -> list[str]:
    """States of what the journal has, newest first."""
    assert jackfield.journal is not None
    return [entry.status for entry in jackfield.journal.entries(**filters)[0]]


def test_a_function_runs_once_for_a_key(
    jackfield: Jackfield, other: Jackfield, provider: Provider
) -> None:
    """Nothing of it runs if it has run before, in whichever process; a repeat has its value."""
    assert charging(jackfield, provider)("a", 5) == "ch_a"
    assert charging(jackfield, provider)("a", amount=5) == charging(other, provider)("a") == "ch_a"
    assert provider.effects == ["a"]
    assert charging(other, provider)("b") == "ch_b"
    assert jackfield.journal is not None
    (entry, _), _ = jackfield.journal.entries()
    assert (entry.connector, entry.action, entry.effect, entry.context["title"]) == (
        "host",
        "charge",
        "write",
        "Charge a card.",
    )


def test_a_block_ends_where_it_sends_if_it_was_done_before(
    jackfield: Jackfield, other: Jackfield
) -> None:
    """``call.value`` is what it has made, and ``call.result`` the Result of every other call."""
    ran = []
    for runtime in (jackfield, other):
        with runtime.once("refund", key="a") as call:
            ran.append("before")
            call.sending()
            ran.append("effect")
            call.value = {"id": "re_1"}
        assert call.value == {"id": "re_1"}
        assert isinstance(call.result, Result)
        assert call.result.unwrap() == {"value": {"id": "re_1"}}
        assert call.replayed is call.result.meta.replayed is (runtime is other)
    assert ran == ["before", "effect", "before"]


def test_a_coroutine_function_runs_once(
    jackfield: Jackfield, other: Jackfield, provider: Provider
) -> None:
    """Of many tasks of two processes one runs; the others have its value."""

    def charged(runtime: Jackfield) -> Charge:
        @runtime.once("charge", key=lambda order: order)
        async def charge(order: str) -> str:
            await asyncio.sleep(0)
            return provider.make(order)

        return charge

    async def all_at_once() -> list[str]:
        first, second = charged(jackfield), charged(other)
        return list(
            await asyncio.gather(*((first, second)[number % 2]("a") for number in range(8)))
        )

    assert asyncio.run(all_at_once()) == ["ch_a"] * 8
    assert provider.effects == ["a"]


def test_an_asynchronous_block(jackfield: Jackfield) -> None:
    """``async with`` is the same; the loop goes on while it is recorded."""

    async def refund() -> tuple[Any, bool]:
        async with jackfield.once("refund", key="a") as call:
            await call.asending()
            call.value = 1
        return call.value, call.replayed

    assert [asyncio.run(refund()), asyncio.run(refund())] == [(1, False), (1, True)]


def test_threads_share_it(jackfield: Jackfield, other: Jackfield, provider: Provider) -> None:
    """Of many threads of two processes one runs; the others wait and have its value."""
    functions = [charging(jackfield, provider), charging(other, provider)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: functions[number % 2]("a"), range(8))) == ["ch_a"] * 8
    assert provider.effects == ["a"]


def test_before_it_sends_nothing_has_happened(jackfield: Jackfield) -> None:
    """Whatever is raised before ``sending`` comes out as it is, and nothing is recorded."""
    with pytest.raises(ValueError, match="no card"), jackfield.once("refund", key="a"):
        raise ValueError("no card")
    with jackfield.once("refund", key="a") as call:
        call.sending()
    assert not call.replayed
    assert entries(jackfield) == ["succeeded"]


def test_a_refusal_frees_the_key(jackfield: Jackfield, provider: Provider) -> None:
    """It comes out as it is, and the same key may be sent again, with another request."""
    charge, provider.raises = charging(jackfield, provider), Declined("no money")
    with pytest.raises(Declined, match="no money"):
        charge("a")
    (entry,), _ = jackfield.journal_of().entries()
    error = jackfield.journal_of().find(entry.id).to_json()["error"]
    assert (entry.attempts, error["message"]) == (1, "'charge' was refused: Declined: no money")
    provider.raises = None
    assert charge("a", 4) == "ch_a"


@pytest.mark.parametrize(
    "error",
    [ValueError("broken"), TimeoutError("late"), ConnectionResetError()],
    ids=lambda one: type(one).__name__,
)
def test_any_other_exception_is_a_doubt(
    jackfield: Jackfield, other: Jackfield, provider: Provider, error: Exception
) -> None:
    """A timeout, too. It raises ``InvocationFailed`` from its cause, and so does each repeat;
    nothing runs again.
    """
    provider.raises = error
    doubt = failure(lambda: charging(jackfield, provider)("a"))
    assert doubt.__cause__ is error
    assert (doubt.result.status, doubt.result.meta.replayed) == ("in_doubt", False)
    provider.raises = None
    repeat = failure(lambda: charging(other, provider)("a"))
    assert (repeat.result.status, repeat.result.meta.replayed) == ("in_doubt", True)
    assert repeat.result.meta.invocation_id == doubt.result.meta.invocation_id
    assert provider.effects == ["a"]


def test_without_a_look_a_doubt_waits_for_a_person(
    jackfield: Jackfield, provider: Provider
) -> None:
    """What the person says is what repeats have."""
    provider.raises = OSError()
    charge = charging(jackfield, provider)
    doubt = failure(lambda: charge("a")).result
    assert doubt.error is not None
    assert (
        f"resolve the invocation {doubt.meta.invocation_id}: on the command line by "
        "'invocations resolve'"
    ) in str(doubt.error.hint)
    assert (
        jackfield.resolve(
            doubt.meta.invocation_id, "failed", by="ada", note="the dashboard has none"
        ).status
        == "failed"
    )
    provider.raises = None
    assert charge("a") == "ch_a"


def test_a_person_gives_the_value_of_a_doubt(jackfield: Jackfield, provider: Provider) -> None:
    """Whoever has seen the effect gives the value as the output's ``value``, and repeats get it; a
    function has no other output.
    """
    charge = charging(jackfield, provider)
    provider.raises = TimeoutError()
    journal, identifier = (
        jackfield.journal_of(),
        failure(lambda: charge("a")).result.meta.invocation_id,
    )
    for output in ({}, {"value": 1, "more": 1}, {"id": "ch_1"}):
        with pytest.raises(InvalidInput, match=r"the output is none of 'host/charge'"):
            journal.resolve(identifier, "succeeded", by="ann", output=output)
    journal.resolve(identifier, "succeeded", by="ann", output={"value": "ch_1"})
    assert (charge("a"), provider.effects) == ("ch_1", ["a"])


def test_a_database_that_cannot_be_opened_fails_as_any_call_that_has_not_begun(
    tmp_path: Path, provider: Provider
) -> None:
    """The first call opens it: its failure is told like that of a later one, and nothing runs."""
    (tmp_path / "jackfield.db").write_bytes(b"no database" * 1_000)
    with Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/jackfield.db") as runtime:
        assert failure(lambda: charging(runtime, provider)("a")).result.meta.action == "charge"
    assert provider.effects == []


def test_a_look_settles_a_doubt(jackfield: Jackfield, other: Jackfield, provider: Provider) -> None:
    """It gets the key as text; what it returns is the value from then on. The entry says by what it
    was settled.
    """
    asked: list[str] = []

    def look(key: str) -> str:
        asked.append(key)
        return f"found {key}"

    provider.raises = OSError()
    doubt = failure(lambda: charging(jackfield, provider, look=look)("a")).result
    assert charging(other, provider, look=look)("a") == "found a"
    assert charging(jackfield, provider)("a") == "found a"
    assert (asked, provider.effects) == (["a"], ["a"])
    assert jackfield.journal is not None
    entry = jackfield.journal.find(doubt.meta.invocation_id).to_json()
    assert (entry["status"], entry["resolvedBy"], entry["output"]) == (
        "succeeded",
        "evidence",
        {"value": "found a"},
    )
    assert entry["meta"]["resolution"]["evidence"]["source"] == "host/charge"


def test_a_coroutine_looks(jackfield: Jackfield, provider: Provider) -> None:
    """A look may be a coroutine function, of threads and of tasks."""

    async def look(key: str) -> str:
        await asyncio.sleep(0)
        return f"found {key}"

    @jackfield.once("charge-later", key=lambda order: order, look=look)
    async def charge(order: str) -> str:
        return provider.make(order)

    provider.raises = OSError()
    with pytest.raises(InvocationFailed):
        asyncio.run(charge("a"))
    assert asyncio.run(charge("a")) == "found a"
    failure(lambda: charging(jackfield, provider, look=look)("b"))
    assert charging(jackfield, provider, look=look)("b") == "found b"


def _fails(_key: str) -> object:
    raise LookupError("the provider is away")


@pytest.mark.parametrize(
    "look",
    [lambda _key: UNKNOWN, _fails, lambda _key: object()],
    ids=["unknown", "fails", "no value"],
)
def test_a_look_that_cannot_tell_settles_nothing(
    jackfield: Jackfield, provider: Provider, look: Callable[[str], object]
) -> None:
    """``UNKNOWN``, an exception, and what is no value leave the doubt."""
    provider.raises = OSError()
    charge = charging(jackfield, provider, look=look)
    failure(lambda: charge("a"))
    assert failure(lambda: charge("a")).result.status == "in_doubt"
    assert provider.effects == ["a"]


def test_absent_counts_later(
    jackfield: Jackfield, other: Jackfield, provider: Provider, clock: FakeClock
) -> None:
    """A provider may not know yet what it has just done: ``ABSENT`` counts ``absent_after`` seconds
    after the doubt. Then it runs again.
    """
    first, second = (
        charging(one, provider, look=lambda _key: ABSENT, absent_after=30)
        for one in (jackfield, other)
    )
    provider.raises = OSError()
    failure(lambda: first("a"))
    provider.raises = None
    assert failure(lambda: second("a")).result.status == "in_doubt"
    for one in (jackfield, other):
        time_passes(31.0 if one is jackfield else 0.0, clock, one.storage.database)
    assert second("a") == "ch_a"
    assert provider.effects == ["a", "a"]


def test_a_call_waits_for_one_that_runs_until_its_timeout(
    jackfield: Jackfield, other: Jackfield
) -> None:
    """Then it is refused as ``idempotency_conflict``; it never runs beside the other."""
    entered, leave = threading.Event(), threading.Event()

    def slow() -> None:
        with jackfield.once("refund", key="a") as call:
            call.sending()
            entered.set()
            assert leave.wait(PATIENCE)
            call.value = "re_1"

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(slow)
        assert entered.wait(PATIENCE)
        try:
            refused = failure(other.once("refund", key="a", timeout=0.05).__enter__().sending)
        finally:
            leave.set()
        running.result(PATIENCE)
    assert refused.result.error is not None
    assert refused.result.error.code == "idempotency_conflict"


def test_another_request_under_the_key_is_refused(jackfield: Jackfield, provider: Provider) -> None:
    """The request is the arguments, by name and with their defaults, or what ``about`` says."""
    charge = charging(jackfield, provider)
    assert charge("a", 5) == "ch_a"
    refused = failure(lambda: charge("a", 6)).result
    assert refused.error is not None
    assert refused.error.code == "idempotency_conflict"
    of_order = charging(jackfield, provider, about=lambda order, amount: [order, amount > 100])
    assert of_order("b", 5) == of_order("b", 6) == "ch_b"
    with jackfield.once("refund", key="a", about={"amount": 5}) as call:
        call.sending()
    failure(jackfield.once("refund", key="a", about={"amount": 6}).__enter__().sending)


@dataclass(frozen=True)
class Order:
    """An order of the program."""

    id: UUID
    at: datetime
    total: Decimal
    note: str | None = None


def test_arguments_and_values_are_python_s(jackfield: Jackfield) -> None:
    """Arguments may be dataclasses, models, dates, decimals. A repeat has the type that the
    function's annotation names.
    """
    order = Order(UUID(int=7), datetime(2026, 11, 29, tzinfo=UTC), Decimal("9.99"))

    @jackfield.once("ship", key=lambda order: order.id)
    def ship(order: Order) -> Order:
        return order

    assert ship(order) == ship(Order(UUID(int=7), order.at, order.total)) == order
    failure(lambda: ship(Order(UUID(int=7), order.at, Decimal("9.98"))))


def test_a_request_that_is_no_json_is_refused_before_anything_begins(
    jackfield: Jackfield, provider: Provider
) -> None:
    """So is a key that identifies nothing. Nothing is recorded."""
    charge = charging(jackfield, provider)
    refused = failure(lambda: charge("a", object())).result
    assert refused.error is not None
    assert [(detail.path, refused.error.code) for detail in refused.error.details] == [
        ("/amount", "invalid_input")
    ]
    assert "'about'" in str(refused.error.hint)
    for key in (None, "", " ", "x" * 300, "\n", 1.5, ["a"], "ä", True):
        failure(jackfield.once("refund", key=key).__enter__)
    assert (provider.effects, entries(jackfield)) == ([], [])


class Odd:
    """A model of the program that fails when it is written."""

    __pydantic_serializer__ = None

    def model_dump(self, **_options: object) -> object:
        """Fail."""
        raise ArithmeticError


@pytest.mark.parametrize(
    "made", [object(), [{1}], Odd(), float("nan")], ids=lambda one: type(one).__name__
)
def test_a_value_that_is_no_json_is_a_success_without_output(
    jackfield: Jackfield, caplog: pytest.LogCaptureFixture, made: object
) -> None:
    """The caller has it, with a warning; a repeat gets None. It took effect, whatever it
    returns.
    """

    def run() -> tuple[Any, Any]:
        with jackfield.once("refund", key="a") as call:
            call.sending()
            call.value = made
        return call.value, call.result

    value, result = run()
    assert (value, result.status, result.output) == (made, "succeeded", None)
    assert "not JSON" in result.meta.warnings[0]["message"]
    assert "not JSON" in caplog.text
    value, result = run()
    assert (value, result.meta.replayed, len(result.meta.warnings)) == (None, True, 1)


def test_a_value_need_not_be_kept(jackfield: Jackfield, provider: Provider) -> None:
    """With ``keep=False`` the journal has a digest of it, and a repeat gets None."""
    charge = charging(jackfield, provider, keep=False)
    assert (charge("a"), charge("a")) == ("ch_a", None)
    assert jackfield.journal is not None
    (entry,), _ = jackfield.journal.entries()
    assert entry.result is not None
    assert [*entry.result["output"]] == ["digest"]
    assert "ch_a" not in str(entry.result)


@pytest.mark.parametrize("days", [1, 30, 300])
def test_a_key_is_free_after_its_time(
    jackfield: Jackfield, provider: Provider, clock: FakeClock, days: int
) -> None:
    """The row is kept as long, although the workspace keeps others for 7 days; then the call is
    new. The docstring says so first.
    """
    workspaces: Workspaces = jackfield.access.workspaces
    workspaces.set("default", {"retentionDays": 7})
    charge = charging(jackfield, provider, **({} if days == 30 else {"keep_for": days * DAY}))
    assert charge("a") == "ch_a"
    journal = jackfield.journal
    assert journal is not None
    time_passes((days - 0.5) * DAY, clock, jackfield.storage.database)
    journal.purge()
    assert charge("a") == "ch_a"
    assert provider.effects == ["a"]
    time_passes(1.0 * DAY, clock, jackfield.storage.database)
    assert charge("a", 7) == "ch_a"
    assert provider.effects == ["a", "a"]
    time_passes(400 * DAY, clock, jackfield.storage.database)
    journal.purge()
    assert entries(jackfield) == []
    assert "30 days" in (once.__doc__ or "").partition(".")[0]


def test_a_block_that_does_not_send_raises(jackfield: Jackfield) -> None:
    """One that sets a value before, or ends without it, would run again each time. So does one that
    was done before.
    """
    with (
        pytest.raises(RuntimeError, match="sets a value before"),
        jackfield.once("refund", key="a") as call,
    ):
        call.value = 1
    for _ in range(2):
        with (
            pytest.raises(RuntimeError, match=r"without sending.*call.sending\(\)"),
            jackfield.once("refund", key="a"),
        ):
            pass
    with jackfield.once("refund", key="a") as call:
        call.sending()
        call.sending()
    with (
        pytest.raises(RuntimeError, match=r"without sending.*call.sending\(\)"),
        jackfield.once("refund", key="a"),
    ):
        pass


class Stop(BaseException):
    """What a program raises into its calls."""


class Limit(Exception):
    """A time limit of a host."""


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), Stop(), Limit()], ids=lambda one: type(one).__name__
)
def test_what_stops_a_call_comes_out_and_leaves_a_doubt(
    jackfield: Jackfield, provider: Provider, error: BaseException
) -> None:
    """Ctrl-C, and what the host has named: recorded at once, and raised as it is."""
    let_out_of_calls((Limit,))
    provider.raises = error
    with pytest.raises(type(error)):
        charging(jackfield, provider)("a")
    assert entries(jackfield) == ["in_doubt"]


def test_a_cancelled_task_leaves_a_doubt(jackfield: Jackfield) -> None:
    """The task ends as cancelled; a repeat has the doubt."""

    @jackfield.once("charge", key=lambda order: order)
    async def charge(order: str) -> None:
        del order
        entered.set()
        await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(charge("a"))
        await asyncio.wait_for(entered.wait(), PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    entered = asyncio.Event()
    asyncio.run(cancelled())
    assert entries(jackfield) == ["in_doubt"]


def test_it_is_a_call_like_others(jackfield: Jackfield) -> None:
    """Labels find it, ``notify`` makes its end an event, statistics count it, and another
    connector's key is another key.
    """
    with jackfield.once(
        "refund", key="a", title="Refund", context={"labels": {"order": "7"}, "notify": True}
    ) as call:
        call.sending()
    assert call.result is not None
    (event,) = list(jackfield.events(types=["invocation.finished"]))
    assert event.subject == call.result.meta.invocation_id
    assert entries(jackfield, label="order=7") == ["succeeded"]
    with jackfield.once("charge", key="a") as call:
        call.sending()
    assert not call.replayed
    assert "host" in RESERVED


def test_it_is_declared_rightly_or_not_at_all(jackfield: Jackfield) -> None:
    """A misspelt declaration is refused before it is used."""
    for name in ("", "two words", "ä", "x" * 65, "../x"):
        with pytest.raises(ValueError, match="the name"):
            jackfield.once(name, key="a")
    with pytest.raises(ValueError, match="keep_for"):
        jackfield.once("refund", key="a", keep_for=400 * DAY)
    for wrong in (len, None, 7):
        with pytest.raises(
            TypeError,
            match=r"takes a name first, not \w+: @once\(\"charge\", key=lambda order: order.id\)",
        ):
            jackfield.once(wrong, key="a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="functions of its arguments"):
        jackfield.once("refund", key="a")(len)
    with pytest.raises(TypeError, match="generator"):
        jackfield.once("refund", key=str)(lambda: (yield))
    with pytest.raises(TypeError, match="decorates"):
        jackfield.once("refund", key=str).__enter__()
    block = jackfield.once("refund", key="a")
    with block as call:
        call.sending()
    with pytest.raises(TypeError, match="make a new one"):
        block.__enter__()


def test_it_needs_a_journal() -> None:
    """A runtime without a database refuses, and nothing runs."""
    with (
        Jackfield(connections=[], database_url="none") as jackfield,
        pytest.raises(InvalidInvocation),
    ):
        jackfield.once("refund", key="a").__enter__().sending()


def test_a_closed_runtime_begins_nothing(upgraded: str, provider: Provider) -> None:
    """It says so; nothing runs."""
    with Jackfield(connections=[], database_url=upgraded) as jackfield:
        charge = charging(jackfield, provider)
    with pytest.raises(Exception, match="closed"):
        charge("a")
    assert provider.effects == []


def test_what_leaves_has_no_variable_of_ours(jackfield: Jackfield, provider: Provider) -> None:
    """Frames of the program keep what they have; ours, which had the arguments, have lost
    theirs.
    """
    provider.raises = TimeoutError("no answer")

    @once("pay", key=lambda order, _card: order, runtime=jackfield)
    def pay(order: str, _card: str) -> str:
        return provider.make(order)

    with pytest.raises(InvocationFailed) as caught:
        pay("order-1", "4111-1111")
    errors: list[BaseException] = [
        caught.value,
        *filter(None, [caught.value.__cause__, caught.value.__context__]),
    ]
    shown = [
        (frame.f_code.co_filename, dict(frame.f_locals))
        for error in errors
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    ours = [
        values
        for place, values in shown
        if Path(place).is_relative_to(Path(errors_of_ours.__file__).parents[1])
    ]
    assert ours
    assert [values for values in ours if "4111-1111" in repr(values)] == []
