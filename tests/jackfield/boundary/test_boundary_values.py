"""Values of functions that run once for a key: a repeat gets what the first call returned, or the
first call says what repeats get; a value that is yet to be made is no success.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import io
import multiprocessing.pool
import threading
from collections import UserDict, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, NewType
from uuid import UUID

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)
from typing_extensions import TypedDict

from jackfield import ABSENT, InvocationFailed, once
from jackfield_store.runtime import Jackfield

if TYPE_CHECKING:
    from shop import Basket  # type: ignore[import-not-found]


ID = UUID("12345678-1234-5678-1234-567812345678")
AT = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
OrderID = NewType("OrderID", str)


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"


class Level(enum.IntEnum):
    """One of numbers."""

    HIGH = 3


class Size(enum.StrEnum):
    """One of texts."""

    BIG = "big"


@dataclasses.dataclass
class Price:
    """A dataclass with an exact number."""

    amount: Decimal
    currency: str = "EUR"


@dataclasses.dataclass
class Discount(Price):
    """A subclass with a field more."""

    percent: int = 10


class Pair(NamedTuple):
    """A named tuple."""

    left: int
    right: str


class Row(TypedDict):
    """A typed dictionary."""

    id: str


class Charge(BaseModel):
    """A model."""

    id: str
    amount: Decimal = Decimal("1.10")
    at: datetime = AT


class Refund(Charge):
    """A subclass of a model."""

    reason: str = "broken"


class Token(BaseModel):
    """A model whose secret is masked as JSON."""

    token: SecretStr


class Aliased(BaseModel):
    """A model that is written under another name than it is read."""

    id: str = Field(serialization_alias="ID")


class Computed(BaseModel):
    """A model that is written with a member that it refuses to read."""

    model_config = ConfigDict(extra="forbid")
    id: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def name(self) -> str:
        """A computed member."""
        return f"charge {self.id}"


class Excluded(BaseModel):
    """A model that is written without a member that it needs."""

    id: str
    note: str = Field(exclude=True)


class Strict(BaseModel):
    """A model that takes no text for a time."""

    model_config = ConfigDict(strict=True)
    at: datetime
    ids: tuple[UUID, ...]


class Answer(dict[str, Any]):
    """The dictionary of a vendor's package."""


class Plain:
    """A class without a form as JSON."""


TYPES: dict[str, tuple[Any, Callable[[], Any]]] = {
    "str": (str, lambda: "ch_1"),
    "int": (int, lambda: 7),
    "large int": (int, lambda: 2**70),
    "float": (float, lambda: 1.5),
    "not a number": (float, lambda: float("nan")),
    "bool": (bool, lambda: True),
    "None": (None, lambda: None),
    "optional": (str | None, lambda: None),
    "union": (int | str, lambda: "7"),
    "pipe": (int | None, lambda: 7),
    "any": (Any, lambda: {"id": [1, None]}),
    "literal": (Literal["paid"], lambda: "paid"),
    "annotated": (Annotated[int, Field(gt=0)], lambda: 7),
    "new type": (OrderID, lambda: OrderID("a")),
    "bytes": (bytes, lambda: b"\xff\x00"),
    "date": (date, AT.date),
    "time": (time, AT.time),
    "datetime": (datetime, lambda: AT),
    "duration": (timedelta, lambda: timedelta(days=1, seconds=1.5)),
    "decimal": (Decimal, lambda: Decimal("1.10")),
    "whole decimal": (Decimal, lambda: Decimal("100.00")),
    "fraction": (Fraction, lambda: Fraction(1, 3)),
    "uuid": (UUID, lambda: ID),
    "path": (PurePosixPath, lambda: PurePosixPath("/a")),
    "enum": (Colour, lambda: Colour.RED),
    "int enum": (Level, lambda: Level.HIGH),
    "str enum": (Size, lambda: Size.BIG),
    "list": (list[int], lambda: [1, 2]),
    "tuple": (tuple[int, str], lambda: (1, "a")),
    "set": (set[int], lambda: {1}),
    "frozenset": (frozenset[str], lambda: frozenset({"a"})),
    "deque": (deque[int], lambda: deque([1])),
    "dict": (dict[str, Decimal], lambda: {"a": Decimal("2.50")}),
    "dict by numbers": (dict[int, str], lambda: {1: "a"}),
    "typed dict": (Row, lambda: {"id": "a"}),
    "named tuple": (Pair, lambda: Pair(1, "a")),
    "dataclass": (Price, lambda: Price(Decimal("1.10"))),
    "its subclass": (Price, lambda: Discount(Decimal("1.10"))),
    "model": (Charge, lambda: Charge(id="a")),
    "models": (list[Charge], lambda: [Charge(id="a")]),
    "subclass of a model": (Charge, lambda: Refund(id="a")),
    "masked secret": (Token, lambda: Token(token=SecretStr("hidden"))),
    "alias": (Aliased, lambda: Aliased(id="a")),
    "computed": (Computed, lambda: Computed(id="a")),
    "excluded": (Excluded, lambda: Excluded(id="a", note="b")),
    "strict": (Strict, lambda: Strict(at=AT, ids=(ID,))),
    "vendor's dict": (Answer, lambda: Answer(id="a")),
    "mapping": (UserDict, lambda: UserDict({"id": "a"})),
    "class": (Plain, Plain),
    "mock": (str, Plain),
    "stream": (io.BytesIO, lambda: io.BytesIO(b"a")),
    "name of nowhere": ("Basket", lambda: {"id": "a"}),
    "no class": ("a type, no name", lambda: {"id": "a"}),
    "wrong": (int, lambda: "no number"),
}


@pytest.mark.parametrize("effect", [None, "write"])
@pytest.mark.parametrize("name", TYPES)
def test_a_repeat_gets_an_equal_value_or_the_first_call_says_what(
    jackfield: Jackfield, caplog: pytest.LogCaptureFixture, name: str, effect: Any
) -> None:
    """It raises nothing foreign, whatever the annotation is."""
    kind, make = TYPES[name]
    effects: list[str] = []
    value = make()

    def charge(order: str) -> Any:
        effects.append(order)
        return value

    charge.__annotations__["return"] = kind
    charged = jackfield.once("charge", key=lambda order: order, effect=effect)(charge)
    assert charged("a") is value
    said = [record.getMessage() for record in caplog.records]
    again = charged("a")
    is_equal = type(again) is type(value) and again == value
    if isinstance(value, Token):
        is_equal = again.token.get_secret_value() == "hidden" if is_equal else False
    assert is_equal != bool(said), (again, said)
    assert all("repeats get" in line for line in said)
    assert effects == ["a"]


def _exits(*_given: object) -> Any:
    raise SystemExit(1)


class _Unread(UserDict[str, Any]):
    __iter__ = _exits


class _Unlisted(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        raise ValueError


class _Unserialized(BaseModel):
    id: str

    @field_serializer("id")
    def _written(self, _value: str) -> str:
        return str(_exits())


class _Unvalidated(BaseModel):
    id: str

    @field_validator("id")
    @classmethod
    def _checked(cls, value: str) -> str:
        return value if value == "new" else str(_exits())


_TWICE_WITHIN: list[Any] = []
_TWICE_WITHIN += [_TWICE_WITHIN, _TWICE_WITHIN]


@pytest.mark.parametrize("effect", [None, "write"])
@pytest.mark.parametrize(
    ("kind", "value", "repeated"),
    [
        (list[Any], _TWICE_WITHIN, None),
        (dict[str, Any], _Unread(id="a"), None),
        (list[Any], [_Unread(id="a")], None),
        (list[Any], _Unlisted(["a"]), None),
        (_Unserialized, _Unserialized(id="a"), None),
        (_Unvalidated, _Unvalidated.model_construct(id="a"), {"id": "a"}),
    ],
    ids=["within itself", "mapping", "within", "list", "serializer", "validator"],
)
def test_a_value_that_cannot_be_shown_ends_its_call(
    jackfield: Jackfield, effect: Any, kind: Any, value: Any, repeated: Any
) -> None:
    """Code of the value that raises, an exit too, does not keep the call from its success."""

    def charge(order: str) -> Any:
        return value

    charge.__annotations__["return"] = kind
    charged = jackfield.once("charge", key=lambda order: order, effect=effect)(charge)
    assert charged("a") is value
    assert charged("a") == repeated


class _Falsy(Exception):
    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("effect", [None, "write"])
def test_an_exception_that_is_false_is_one(jackfield: Jackfield, effect: Any) -> None:
    """It leaves a doubt, as a value that is false is a success."""
    made: list[Any] = [_Falsy(), 0, ""]

    @jackfield.once("charge", key=lambda order: order, effect=effect)
    def charge(order: str) -> Any:
        if isinstance(found := made.pop(0), Exception):
            raise found
        return found

    with pytest.raises(InvocationFailed) as raised:
        charge("a")
    assert raised.value.result.status == "in_doubt"
    assert [charge("b"), charge("c"), charge("b"), charge("c")] == [0, "", 0, ""]


def test_a_block_that_ends_by_a_false_exception_is_in_doubt(jackfield: Jackfield) -> None:
    """It is not taken for a block that ended by itself."""

    def sent() -> None:
        with jackfield.once("sent", key="a") as call:
            call.sending()
            raise _Falsy

    with pytest.raises(InvocationFailed) as raised:
        sent()
    assert raised.value.result.status == "in_doubt"


def test_what_a_repeat_gets_instead_is_in_the_result(jackfield: Jackfield) -> None:
    """A program can ask for the warning, and sees it in the journal's Result."""
    block = jackfield.once("token", key="a")
    with block as call:
        call.sending()
        call.value = Token(token=SecretStr("hidden"))
    assert call.result is not None
    assert [one["message"] for one in call.result.meta.warnings] == [
        "repeats get plain JSON, of the type 'dict'"
    ]


@pytest.mark.parametrize("effect", [None, "write"])
def test_a_class_that_has_changed_since_is_plain_json(
    jackfield: Jackfield, caplog: pytest.LogCaptureFixture, effect: Any
) -> None:
    """A value that can no longer be read is what was recorded, with a warning."""

    def declared(kind: type[BaseModel]) -> Callable[[str], Any]:
        def charge(order: str) -> Any:
            return kind(id=order)

        charge.__annotations__["return"] = kind
        return jackfield.once("charge-1", key=lambda order: order, effect=effect)(charge)

    class Sent(BaseModel):
        id: str

    class SentLater(Sent):
        fee: int

    assert declared(Sent)("a") == Sent(id="a")
    assert not caplog.records
    assert declared(SentLater)("a") == {"id": "a"}
    assert "no longer of the type" in caplog.text


def test_a_return_type_of_the_function_around_is_found(jackfield: Jackfield) -> None:
    """So is one whose parameters have types that are there for a checker alone."""

    class Local(BaseModel):
        id: str

    @jackfield.once("charge-2", key=lambda order: order["id"])
    def charge(order: Basket) -> Local:
        return Local(id=order["id"])

    assert charge({"id": "a"}) == charge({"id": "a"}) == Local(id="a")


async def _never(effects: list[str]) -> str:
    effects.append("never")
    return "never"


@pytest.mark.parametrize("effect", [None, "write"])
def test_a_coroutine_that_nobody_awaits_takes_no_key(jackfield: Jackfield, effect: Any) -> None:
    """It is closed, so that nothing of it runs: the function is to be mended, and called again."""
    effects: list[str] = []

    class Sender:
        async def __call__(self, order: str) -> str:
            return await _never(effects)

    def wrapped(order: str) -> Any:
        return {"made": [Sender()(order)]}

    charge = jackfield.once("charge-3", key=lambda order: order, effect=effect)(wrapped)
    for _ in range(2):
        with pytest.raises(TypeError, match="nobody awaits"):
            charge("a")
    assert effects == []
    assert jackfield.journal is not None
    assert [entry.status for entry in jackfield.journal.entries()[0]] == ["failed"] * 2


@pytest.mark.parametrize("effect", [None, "write"])
def test_an_object_whose_call_is_a_coroutine_function_is_one(
    jackfield: Jackfield, effect: Any
) -> None:
    """So are a partial of a coroutine function, and a bound method."""
    effects: list[str] = []

    class Sender:
        async def __call__(self, order: str) -> str:
            effects.append(order)
            return order

        async def send(self, order: str) -> str:
            return await self(order)

    async def charge(order: str) -> str:
        return await Sender()(order)

    made: list[Any] = [Sender().send, functools.partial(charge)]
    if effect is None:
        made.append(Sender())
    for number, one in enumerate(made):
        if not hasattr(one, "__qualname__"):
            functools.update_wrapper(one, charge)
        declare = jackfield.once(f"charges-{number}", key=lambda order: order, effect=effect)
        charged: Any = declare(one)

        async def twice(charged: Any = charged) -> list[str]:
            return [await charged("a"), await charged("a")]

        assert asyncio.run(twice()) == ["a", "a"]
    assert effects == ["a"] * len(made)


def _generated() -> Iterator[int]:
    yield 1


def _waiting() -> Any:
    return Future()


@contextmanager
def _entered() -> Iterator[int]:
    yield 1


class _Pool:
    """A pool, as far as a result of it needs one."""

    _cache: ClassVar[dict[int, Any]] = {}


_POOL: Any = _Pool


def _begun() -> Any:
    async def begun() -> None:
        await asyncio.sleep(0)

    made = begun()
    made.send(None)
    return made


@pytest.mark.parametrize("effect", [None, "write"])
@pytest.mark.parametrize(
    "make",
    [
        _generated,
        lambda: (one for one in [1]),
        lambda: map(str, [1]),
        lambda: iter([1]),
        _waiting,
        _entered,
        threading.Thread,
        lambda: multiprocessing.pool.AsyncResult(_POOL, None, None),
        lambda: [_waiting()],
        lambda: Price(_waiting()),
        _begun,
    ],
    ids=[
        "generator",
        "expression",
        "map",
        "iterator",
        "future",
        "context manager",
        "thread",
        "pool",
        "list",
        "dataclass",
        "begun",
    ],
)
def test_a_promise_is_a_doubt(jackfield: Jackfield, make: Callable[[], Any], effect: Any) -> None:
    """Nobody knows whether it is kept, so that the function is not called again."""
    calls: list[str] = []

    @jackfield.once("charge-4", key=lambda order: order, effect=effect)
    def charge(order: str) -> Any:
        calls.append(order)
        return make()

    for _ in range(2):
        with pytest.raises(InvocationFailed, match="it returned before it was done") as raised:
            charge("a")
        assert raised.value.result.status == "in_doubt"
    assert calls == ["a"]


def test_a_promise_in_a_block_is_none_either(jackfield: Jackfield) -> None:
    """A coroutine that was never begun leaves the key free, a future leaves a doubt."""
    effects: list[str] = []

    def sent(value: Callable[[], Any]) -> None:
        with jackfield.once("charge-5", key="a") as call:
            call.sending()
            call.value = value()

    with pytest.raises(TypeError, match="nobody awaits"):
        sent(lambda: _never(effects))
    with ThreadPoolExecutor(1) as pool:
        ready = threading.Event()
        with pytest.raises(InvocationFailed, match="it returned before it was done"):
            sent(lambda: pool.submit(ready.wait))
        ready.set()
    with pytest.raises(InvocationFailed):
        sent(lambda: 1)
    assert effects == []


def test_a_promise_that_can_be_known_is_refused_at_the_declaration() -> None:
    """By the kind of the function, or by its return annotation."""

    def generator() -> Iterator[int]:
        yield 1

    async def of_many() -> Any:
        yield 1

    def promising() -> Any: ...

    for kind in (Future, "Future[int]", Iterator[int], asyncio.Future, Generator[int, None, None]):
        promising.__annotations__["return"] = kind
        with pytest.raises(TypeError, match="after it has returned"):
            once("charge-6", key=lambda: "a")(promising)
    entered = (contextmanager(generator), asynccontextmanager(of_many), _entered)
    for function in (generator, of_many, functools.partial(generator), *entered):
        with pytest.raises(TypeError, match="after it has returned"):
            once("charge-6", key=lambda: "a")(function)


def test_a_look_that_gives_another_shape_finds_it_all_the_same(jackfield: Jackfield) -> None:
    """The value is plain JSON then; a look that gives a promise has failed."""
    answers: list[Any] = [Future(), {"other": 1}]

    @jackfield.once("charge-7", key=lambda order: order, look=lambda _key: answers.pop(0))
    def charge(order: str) -> Charge:
        raise TimeoutError(order)

    with pytest.raises(InvocationFailed):
        charge("a")
    with pytest.raises(InvocationFailed):
        charge("a")
    assert charge("a") == {"other": 1}  # type: ignore[comparison-overlap]
    assert ABSENT not in answers
