"""What names the intent of a call: its key, its function, and the arguments that must be equal."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import functools
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jackfield import InvocationFailed, once
from jackfield.boundary import intents
from jackfield.kernel.functions import Arguments
from jackfield.schema.python_objects import encoded
from jackfield_store.runtime import Jackfield


class Kind(enum.StrEnum):
    """A kind of order."""

    FIRST = "first"


class Number(int):
    """A number that is written otherwise."""

    def __str__(self) -> str:
        return "a number"


class Declined(Exception):
    """A provider's word that nothing took effect."""


@dataclass
class Shop:
    """An object whose API key changes."""

    api_key: str
    name: str = "acme"

    def charge(self, order: str) -> str:
        """Charge."""
        return f"{order} by {self.api_key}"


def status(call: Callable[[], object]) -> str | None:
    """The code of the error that a call raises."""
    with pytest.raises(InvocationFailed) as raised:
        call()
    error = raised.value.result.error
    return None if error is None else error.code


def _without(order: str) -> str:
    return order


def _with(order: str, currency: str = "EUR", items: tuple[str, ...] = ()) -> str:
    del currency, items
    return order


@pytest.mark.parametrize("effect", [None, "write"])
def test_a_parameter_that_is_added_later_changes_no_request(
    jackfield: Jackfield, effect: Any
) -> None:
    """Arguments that have their default are no part of it, given or not. Others are."""

    def declared(function: Callable[..., str]) -> Callable[..., str]:
        def charge(order: str) -> str:
            return order

        function.__qualname__ = charge.__qualname__
        declare = jackfield.once("added", key=lambda order: order, effect=effect)
        return declare(function)

    assert declared(_without)("a") == "a"
    later = declared(_with)
    assert later("a") == later("a", currency="EUR") == later("a", "EUR", ()) == "a"
    assert status(lambda: later("a", currency="USD")) == "idempotency_conflict"
    assert later("b", currency="USD") == "b"
    assert status(lambda: later("b")) == "idempotency_conflict"


@pytest.mark.parametrize("effect", [None, "write"])
def test_a_key_of_before_the_upgrade_is_not_refused(
    jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch, effect: Any
) -> None:
    """Earlier versions recorded all arguments with their defaults: such a row has the same request.
    Other arguments are refused as before.
    """

    def formerly(
        naming: intents.Naming, call: Arguments, dumped: Any = None
    ) -> tuple[str, Any, None]:
        return naming.key(call), encoded(dict(call.values)) if dumped is None else dumped, None

    def declared() -> Callable[..., str]:
        def charge(order: str, amount: int = 5) -> str:
            return f"{order} {amount}"

        return jackfield.once("upgraded", key=lambda order: order, effect=effect)(charge)

    with monkeypatch.context() as earlier:
        earlier.setattr(intents.Naming, "named", formerly)
        if effect is not None:
            from jackfield.boundary import actions

            def named(function: actions.Function, inputs: Any) -> Any:
                key = function.declared.naming.key(function._arguments(inputs))
                request = inputs.model_dump(mode="json")
                return intents.key_in_journal(function.name, key), request, None

            earlier.setattr(actions.Function, "named", named)
        assert declared()("a") == "a 5"
    assert declared()("a") == declared()("a", amount=5) == "a 5"
    assert status(lambda: declared()("a", amount=6)) == "idempotency_conflict"


def test_self_is_left_out_where_the_key_has_it(jackfield: Jackfield) -> None:
    """So a rotated key of an API, which is a field of it, refuses no repeat."""
    shop = Shop("old")
    charge = jackfield.once("own", key=lambda self, order: f"{self.name}-{order}")(Shop.charge)
    assert charge(shop, "a") == "a by old"
    shop.api_key = "new"
    assert charge(shop, "a") == "a by old"
    about = jackfield.once("about", key=lambda order: order, about=lambda order: order)
    charge = about(Shop.charge)
    assert charge(shop, "a") == charge(Shop("third"), "a") == "a by new"


def test_self_in_neither_is_refused_later(jackfield: Jackfield) -> None:
    """Until then it counts, with a warning that says what to do."""
    with pytest.warns(FutureWarning, match="'self' is no part of what must be equal"):
        charge = jackfield.once("neither", key=lambda order: order)(Shop.charge)
    assert charge(Shop("old"), "a") == "a by old"
    assert status(lambda: charge(Shop("new"), "a")) == "idempotency_conflict"


@pytest.mark.parametrize("effect", [None, "write"])
@pytest.mark.parametrize(
    ("key", "found"),
    [
        (lambda order: order, "a"),
        (lambda order, amount: f"{order}-{amount}", "a-5"),
        (lambda first: first, "a"),
        (lambda first, second: f"{first}-{second}", "a-5"),
        (lambda amount, order: f"{order}-{amount}", "a-5"),
        (lambda order, **_: order, "a"),
        (lambda order, *_: order, "a"),
        (functools.partial(lambda way, order: f"{way}-{order}", "fast"), "fast-a"),
        (lambda _order: Kind.FIRST, "first"),
        (lambda _order: Number(7), "7"),
        (lambda order, /: order, "a"),
    ],
)
def test_a_key_function_gets_the_same_with_and_without_an_effect(
    jackfield: Jackfield, key: Callable[..., Any], found: str, effect: Any
) -> None:
    """By name, or in order if it has other names."""

    def pay(order: str, amount: int = 5) -> str:
        return f"{order} {amount}"

    assert jackfield.once("keyed", key=key, effect=effect)(pay)("a") == "a 5"
    (entry, *_), _ = jackfield.journal_of().entries()
    assert entry.idempotency_key == f"host/keyed/{found}"


@pytest.mark.parametrize(
    ("key", "found", "of_action"),
    [
        (lambda order, amount=9: f"{order}-{amount}", "a-9", "a-5"),
        (lambda **named: "-".join(named), "order", "order-amount"),
        (lambda *given: "-".join(map(str, given)), "a", "a-5"),
    ],
)
def test_a_default_that_is_not_given_reaches_a_key_function_as_it_did(
    jackfield: Jackfield, key: Callable[..., Any], found: str, of_action: str
) -> None:
    """An action has its inputs with their defaults, so that it is not known what was given. Neither
    can change: another key after an upgrade would let a function run twice.
    """

    def pay(order: str, amount: int = 5) -> str:
        return f"{order} {amount}"

    for effect, expected in ((None, found), ("write", of_action)):
        declare = jackfield.once("odd", key=key, effect=effect)
        assert declare(pay)("a") == "a 5"
        (entry, *_), _ = jackfield.journal_of().entries()
        assert entry.idempotency_key == f"host/odd/{expected}"


@pytest.mark.parametrize("effect", [None, "write"])
def test_one_class_is_a_list_of_refusals(jackfield: Jackfield, effect: Any) -> None:
    """What is no class of exceptions is refused at the declaration."""

    @jackfield.once("one", key=lambda order: order, refusals=Declined, effect=effect)
    def charge(order: str) -> str:
        raise Declined(order)

    for _ in range(2):
        with pytest.raises(Declined):
            charge("a")
    for wrong in ("Declined", (str,), Declined("a")):
        with pytest.raises(TypeError):
            once("one", key="a", refusals=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("effect", [None, "write"])
def test_the_end_of_an_iterator_may_be_a_refusal(jackfield: Jackfield, effect: Any) -> None:
    """Though no coroutine can raise it."""

    @jackfield.once("next", key=lambda order: order, refusals=StopIteration, effect=effect)
    def charge(order: str) -> str:
        raise StopIteration(order)

    for _ in range(2):
        with pytest.raises(StopIteration):
            charge("a")


@pytest.mark.parametrize("effect", [None, "write"])
def test_parameters_have_any_names(jackfield: Jackfield, effect: Any) -> None:
    """Among them those that jackfield's own functions have."""

    @jackfield.once("named", key=lambda function: function, effect=effect)
    def charge(function: str, *, error: str = "", given: str = "", inputs: str = "") -> str:
        return f"{function}{error}{given}{inputs}"

    assert charge(function="a", error="b", given="c", inputs="d") == "abcd"
    assert charge(function="a", error="b", given="c", inputs="d") == "abcd"


@pytest.mark.parametrize("effect", [None, "write"])
@pytest.mark.parametrize("is_looping", [False, True])
def test_none_that_is_given_is_not_the_default(
    jackfield: Jackfield, effect: Any, is_looping: bool
) -> None:
    """Where the default is another; where it is None, both are one."""
    once_for = functools.partial(jackfield.once, key=lambda order: order, effect=effect)

    def said(order: str, currency: str | None = "EUR", note: str | None = None) -> str:
        return f"{order} {currency} {note}"

    async def asaid(order: str, currency: str | None = "EUR", note: str | None = None) -> str:
        return said(order, currency, note)

    made: Any = once_for("said")(asaid if is_looping else said)

    def told(*given: str | None) -> str:
        found = made(*given)
        return str(asyncio.run(found) if is_looping else found)

    assert told("a", None) == told("a", None, None) == "a None None"
    assert told("b") == told("b", "EUR") == "b EUR None"


def test_a_block_that_was_not_entered_has_no_end(jackfield: Jackfield) -> None:
    """It is told so."""
    with pytest.raises(TypeError, match="was not entered"):
        jackfield.once("block", key="a").__exit__(None, None, None)


def test_a_refusal_after_the_value_is_a_doubt(jackfield: Jackfield) -> None:
    """That the value was set says that it took effect, whatever a parser raises then."""

    def sent() -> None:
        with jackfield.once("valued", key="a", refusals=(ValueError,)) as call:
            call.sending()
            call.value = "ch_a"
            raise ValueError

    assert status(sent) == "in_doubt"
    assert status(sent) == "in_doubt"


@pytest.mark.parametrize("effect", [None, "write"])
def test_a_refusal_that_cannot_be_shown_ends_its_call(jackfield: Jackfield, effect: Any) -> None:
    """Its class is all that is known of it."""

    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @jackfield.once("shown", key=lambda order: order, refusals=Bad, effect=effect)
    def charge(order: str) -> str:
        del order
        raise Bad

    for _ in range(2):
        with pytest.raises(Bad):
            charge("a")
    assert [one.status for one in jackfield.journal_of().entries()[0]] == ["failed"] * 2


def test_two_functions_of_one_name_are_told(jackfield: Jackfield) -> None:
    """Each answers calls of the other; one that is declared again is the same function."""

    def mail(order: str) -> str:
        return f"mail {order}"

    def message(order: str) -> str:
        return f"message {order}"

    declare = jackfield.once("send", key=lambda order: order)
    sent = declare(mail)
    again = jackfield.once("send", key=lambda order: order)(mail)
    assert sent("a") == again("a") == "mail a"
    with pytest.warns(FutureWarning, match="'send' names two functions"):
        other = jackfield.once("send", key=lambda order: order)(message)
    assert other("a") == "mail a"


def test_a_module_that_is_loaded_again_or_has_two_names_is_one(jackfield: Jackfield) -> None:
    """So is a cell of a notebook, which has no file."""
    text = """
def charge(order: str) -> str:
    return order
charge = runtime.once("place", key=lambda order: order, effect=effect)(charge)
"""
    for effect in (None, "write"):
        kept = []
        for name, file in (("__main__", "/shop.py"), ("shop", "/shop.py"), ("cell", None)):
            module = types.ModuleType(name)
            if file is not None:
                module.__file__ = file
            module.__dict__.update(runtime=jackfield, effect=effect)
            exec(text, module.__dict__)
            kept.append(module)
        del kept


def test_a_value_of_another_program_has_a_warning(
    jackfield: Jackfield, tmp_path: Path, upgraded: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Two programs of one name on one journal answer for each other: the row keeps the function's
    file and name, and the repeat says whose value it is.
    """
    program = tmp_path / "crm.py"
    program.write_text(
        "import sys\n"
        "from jackfield import Jackfield\n"
        "with Jackfield(connections=[], database_url=sys.argv[1]) as jackfield:\n"
        "    @jackfield.once('notify', key=lambda order: order)\n"
        "    def notify(order: str) -> str:\n"
        "        return 'crm'\n"
        "    notify('a')\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, program, upgraded], check=True, timeout=600)

    def notify(order: str) -> str:
        return order

    assert jackfield.once("notify", key=lambda order: order)(notify)("a") == "crm"
    assert "crm.py:notify" in caplog.text
    for effect in (None, "write"):
        declare = jackfield.once("elsewhere", key=lambda order: order, effect=effect)
        assert declare(notify)(str(effect)) == str(effect)
        (entry, *_), _ = jackfield.journal_of().entries()
        assert entry.context["function"].startswith(f"{__file__}:")
        assert entry.context["function"].endswith(".<locals>.notify")


def test_a_repeat_in_a_task_group_ends_the_block(jackfield: Jackfield) -> None:
    """Whatever group wraps the end of the block; other errors of the group go on."""
    effects: list[str] = []

    async def grouped(*, fails: bool = False) -> Any:
        async with jackfield.once("grouped", key="a") as call, asyncio.TaskGroup() as group:

            async def step() -> None:
                await call.asending()
                effects.append("a")
                call.value = 1

            async def other() -> None:
                await asyncio.sleep(0)
                if fails:
                    raise LookupError

            group.create_task(other())
            group.create_task(step())
        return call.value

    assert asyncio.run(grouped()) == asyncio.run(grouped()) == 1
    with pytest.raises(BaseExceptionGroup) as raised:
        asyncio.run(grouped(fails=True))
    assert [type(one) for one in raised.value.exceptions] == [LookupError]
    assert effects == ["a"]


def test_a_contextmanager_around_a_block_is_named(jackfield: Jackfield) -> None:
    """Its body cannot be skipped, and an error says so. In the body it is a block as any other."""

    @contextlib.contextmanager
    def before() -> Iterator[Any]:
        with jackfield.once("wrapped", key="a") as call:
            call.sending()
            yield call

    @contextlib.asynccontextmanager
    async def abefore() -> AsyncIterator[Any]:
        async with jackfield.once("wrapped", key="a") as call:
            await call.asending()
            yield call

    @contextlib.contextmanager
    def after() -> Iterator[Any]:
        with jackfield.once("wrapped", key="a") as call:
            yield call

    with before() as call:
        call.value = 1
    with pytest.raises(RuntimeError, match="a 'contextmanager' around its block"), before():
        pytest.fail("it runs twice")

    async def entered() -> None:
        async with abefore():
            pytest.fail("it runs twice")

    with pytest.raises(RuntimeError, match="a 'contextmanager' around its block"):
        asyncio.run(entered())
    with after() as call:
        call.sending()
        call.value = 2
    assert call.value == 1


def test_the_value_of_a_call_is_not_that_of_another(jackfield: Jackfield) -> None:
    """Not of one that its key function makes, either."""

    @jackfield.once("number", effect="read")
    def number(n: int) -> int:
        return n + 1000

    def key(n: int) -> str:
        call = {"connector": "host", "action": "number", "inputs": {"n": n}}
        return str((jackfield.invoke(call).output or {})["value"])

    @jackfield.once("numbered", effect="write", key=key)
    def charge(n: int) -> str:
        return f"mine {number(n)}"

    assert charge(1) == charge(1) == "mine 1001"
