"""Values of Python as inputs: each is the JSON that the schema describes where it stands, and the
same request as that JSON.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import fractions
import json
import numbers
import types
import uuid
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest

from http_stand import Client, clean, standing
from inmemory import installed
from jackfield import Result
from jackfield.connector import Connector, Field, Inputs, Output
from jackfield.invocation import Enqueued
from jackfield_store.journal.queue import Queue
from jackfield_store.runtime import Jackfield
from plugboard import declare, plugged

SECRET_TEXT = "tok-4711-very-secret-value"
_UUID = uuid.UUID("0197a2f0-0000-7000-8000-000000000000")
_BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
_LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_NOON = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)


class Place(Inputs):
    """A place."""

    name: str = Field(title="Name")
    since: str | None = Field(None, title="Since", schema={"format": "date"})
    zip_code: str | None = Field(None, title="Zip", alias="zipCode")
    floor: int = Field(0, title="Floor")


class Values(Inputs):
    """One of each."""

    at: str | None = Field(None, title="At", schema={"format": "date-time"})
    day: str | None = Field(None, title="Day", schema={"format": "date"})
    hour: str | None = Field(None, title="Hour", schema={"format": "time"})
    stamp: int | None = Field(None, title="Stamp", schema={"format": "unix-time"})
    ident: str | None = Field(None, title="Identifier", schema={"format": "uuid"})
    link: str | None = Field(None, title="Link", schema={"format": "uri"})
    amount: float | None = Field(None, title="Amount")
    count: int | None = Field(None, title="Count")
    price: str | None = Field(None, title="Price", schema={"format": "decimal"})
    text: str | None = Field(None, title="Text")
    data: str | None = Field(None, title="Data", schema={"format": "byte"})
    many: list[str] = Field(
        [], title="Many", schema={"items": {"type": "string", "format": "date-time"}}
    )
    place: Place | None = Field(None, title="Place")
    places: list[Place] = Field([], title="Places")
    anything: Any = Field(None, title="Anything")


class Got(Output):
    """What the action was given."""

    got: dict[str, Any] = Field(title="Got", alias="Got")


class Colour(enum.Enum):
    """A plain enumeration."""

    RED = "red"
    WHEN = _NOON


class Size(enum.IntEnum):
    """One of numbers."""

    LARGE = 3


class Word(enum.StrEnum):
    """One of texts."""

    HI = "hi"


@dataclasses.dataclass
class Address:
    """A host's dataclass."""

    name: str
    since: dt.date | None = None


class Shop(pydantic.BaseModel):
    """A host's model, with a name of its own for a member."""

    name: str
    zip_code: str | None = pydantic.Field(None, alias="zipCode")
    floor: Size = Size.LARGE


class Settings(pydantic.BaseModel):
    """A host's settings."""

    token: pydantic.SecretStr


class Order(pydantic.BaseModel):
    """A host's model of all inputs."""

    at: dt.datetime
    ident: uuid.UUID
    amount: Decimal
    link: pydantic.HttpUrl | None = None
    place: Shop | None = None
    anything: dict[str, Any] | None = None


def _connector() -> Connector:
    made = Connector("values", title="Values", version="1.0.0")

    @made.action("take", effect="write")
    def take(inputs: Values) -> Got:
        """Take values."""
        return Got(got=inputs.model_dump(mode="json", by_alias=True, exclude_unset=True))

    return made


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    with (
        installed(tmp_path / "packages", _connector()) as catalog,
        Jackfield(
            database_url=f"sqlite:///{tmp_path / 'j.db'}", catalog=catalog, connections=[]
        ) as made,
    ):
        yield made


def _take(inputs: Any, **members: Any) -> dict[str, Any]:
    return {"connector": "values", "action": "take", "inputs": inputs, **members}


@numbers.Integral.register
class Counted:
    """An integer of another package, such as numpy's."""

    def __index__(self) -> int:
        return 3


@numbers.Real.register
class Measured:
    """A number of another package, which a double may or may not hold."""

    def __init__(self, number: float, equals: object) -> None:
        self.number, self.equals = number, equals

    def __float__(self) -> float:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self.equals == other

    __hash__ = None  # type: ignore[assignment]  # as that of arrays


class Flag:
    """A truth value of numpy."""

    dtype = "bool"

    def __init__(self, found: object = True) -> None:
        self.found = found

    def item(self) -> object:
        """Return what it holds."""
        return self.found


class Lent(dict[str, Any]):
    """A mapping of a host's own class."""


SAME: dict[str, tuple[Any, Any]] = {
    "utc": ({"at": _NOON}, {"at": "2026-01-31T12:00:00Z"}),
    "offset": (
        {"at": dt.datetime(2026, 1, 31, 12, tzinfo=_BERLIN)},
        {"at": "2026-01-31T12:00:00+01:00"},
    ),
    "microseconds": ({"at": _NOON.replace(microsecond=5)}, {"at": "2026-01-31T12:00:00.000005Z"}),
    "odd-offset": ({"at": dt.datetime(1850, 1, 1, tzinfo=_BERLIN)}, {"at": "1849-12-31T23:06:32Z"}),
    "date": ({"day": dt.date(2026, 1, 31)}, {"day": "2026-01-31"}),
    "time": ({"hour": dt.time(8, 30, tzinfo=dt.UTC)}, {"hour": "08:30:00Z"}),
    "unix-time": ({"stamp": _NOON}, {"stamp": 1769860800}),
    "uuid": ({"ident": _UUID, "text": _UUID}, {"ident": str(_UUID), "text": str(_UUID)}),
    "decimal": ({"amount": Decimal("19.90")}, {"amount": 19.9}),
    "whole-decimal": (
        {"amount": Decimal("20.00"), "count": Decimal(7)},
        {"amount": 20, "count": 7},
    ),
    "large-decimal": ({"count": Decimal(2**80)}, {"count": 2**80}),
    "text-decimal": (
        {"price": Decimal("0.1234567890123456789")},
        {"price": "0.1234567890123456789"},
    ),
    "exponent": ({"price": Decimal("1E+3")}, {"price": "1000"}),
    "enum": (
        {"text": Colour.RED, "at": Colour.WHEN, "count": Size.LARGE},
        {"text": "red", "at": "2026-01-31T12:00:00Z", "count": 3},
    ),
    "text-enum": ({"text": Word.HI}, {"text": "hi"}),
    "numbers": ({"count": Counted(), "amount": Measured(1.5, 1.5)}, {"count": 3, "amount": 1.5}),
    "numbers-anywhere": (
        {"anything": [Counted(), Measured(0.1, 0.1), Flag()]},
        {"anything": [3, 0.1, True]},
    ),
    "fraction": ({"amount": fractions.Fraction(1, 2)}, {"amount": 0.5}),
    "bytes": ({"data": b"%PDF"}, {"data": "JVBERg=="}),
    "bytearray": ({"data": bytearray(b"%PDF")}, {"data": "JVBERg=="}),
    "every-second-byte": ({"data": memoryview(b"%xPxDxFx")[::2]}, {"data": "JVBERg=="}),
    "url": ({"link": pydantic.HttpUrl("https://example.com/a")}, {"link": "https://example.com/a"}),
    "list": (
        {"many": [_NOON, "2026-01-01T00:00:00Z"]},
        {"many": ["2026-01-31T12:00:00Z", "2026-01-01T00:00:00Z"]},
    ),
    "tuple": ({"many": (_NOON,)}, {"many": ["2026-01-31T12:00:00Z"]}),
    "mapping": (types.MappingProxyType({"at": _NOON}), {"at": "2026-01-31T12:00:00Z"}),
    "own-dict": (
        Lent(place=Lent(name="a", since=dt.date(2026, 1, 31))),
        {"place": {"name": "a", "since": "2026-01-31"}},
    ),
    "dataclass": (
        {"place": Address("a", dt.date(2026, 1, 31))},
        {"place": {"name": "a", "since": "2026-01-31"}},
    ),
    "model": (
        {"places": [Shop(name="a", zipCode="1")]},
        {"places": [{"name": "a", "zipCode": "1", "floor": 3}]},
    ),
    "whole-model": (
        # its link is None, which means none
        Order(at=_NOON, ident=_UUID, amount=Decimal("0.5"), place=Shop(name="a", zipCode="1")),
        {
            "at": "2026-01-31T12:00:00Z",
            "ident": str(_UUID),
            "amount": 0.5,
            "anything": None,
            "place": {"name": "a", "zipCode": "1", "floor": 3},
        },
    ),
    "inputs": (
        {"place": Place(name="a", since="2026-01-31", zip_code="1")},
        {"place": {"name": "a", "since": "2026-01-31", "zipCode": "1", "floor": 0}},
    ),
    "anything": (
        {
            "anything": {
                "at": _NOON,
                "day": dt.date(2026, 1, 31),
                "id": _UUID,
                "n": [Decimal("1.5")],
                "a": Address("a"),
            }
        },
        {
            "anything": {
                "at": "2026-01-31T12:00:00Z",
                "day": "2026-01-31",
                "id": str(_UUID),
                "n": [1.5],
                "a": {"name": "a", "since": None},
            }
        },
    ),
}


@pytest.mark.parametrize(("given", "same"), SAME.values(), ids=SAME)
def test_values_of_python_are_the_same_request_as_their_json(
    jackfield: Jackfield, given: Any, same: Any
) -> None:
    """The action gets the JSON, a dry run shows it, and text with the same key replays: its
    fingerprint is that of the values.
    """
    dry = jackfield.invoke(_take(given, dryRun=True))
    assert dry.error is None, dry.error
    first = jackfield.invoke(_take(given, idempotencyKey="k"))
    assert first.error is None, first.error
    assert first.output == jackfield.invoke(_take(same)).output
    again = jackfield.invoke(json.dumps(_take(same, idempotencyKey="k")))
    assert (again.error, again.meta.replayed, again.output) == (None, True, first.output)


_NAIVE = "needs a time zone"
REFUSED: dict[str, tuple[Any, str, str]] = {
    "naive": ({"at": _NOON.replace(tzinfo=None)}, "/at", _NAIVE),
    "naive-in-list": ({"many": [_NOON, _NOON.replace(tzinfo=None)]}, "/many/1", _NAIVE),
    "naive-anywhere": ({"anything": {"a": [_NOON.replace(tzinfo=None)]}}, "/anything/a/0", _NAIVE),
    "naive-time": ({"hour": dt.time(8)}, "/hour", "time zone"),
    "datetime-as-date": ({"day": _NOON}, "/day", "date-time"),
    "date-as-datetime": ({"at": dt.date(2026, 1, 31)}, "/at", "'date'"),
    "datetime-as-text": ({"text": _NOON}, "/text", "date-time"),
    "fraction-as-stamp": ({"stamp": _NOON.replace(microsecond=5)}, "/stamp", "date-time"),
    "nan": ({"amount": float("nan")}, "/amount", "NaN"),
    "infinity": ({"anything": [float("inf")]}, "/anything/0", "NaN and Infinity"),
    "decimal-nan": ({"amount": Decimal("NaN")}, "/amount", "NaN"),
    "decimal-infinity": ({"price": Decimal("-Infinity")}, "/price", "NaN and Infinity"),
    "signalling": ({"amount": Decimal("sNaN")}, "/amount", "NaN"),
    "changed": ({"amount": Decimal("0.1234567890123456789")}, "/amount", "double"),
    "changed-anywhere": (
        {"anything": {"a": Decimal("1.00000000000000000001")}},
        "/anything/a",
        "double",
    ),
    "third": ({"amount": fractions.Fraction(1, 3)}, "/amount", "double"),
    "long-double": ({"anything": {"a": Measured(0.1, None)}}, "/anything/a", "double"),
    "other-nan": ({"amount": Measured(float("nan"), None)}, "/amount", "NaN"),
    "not-a-flag": ({"anything": Flag([True])}, "/anything", "'Flag'"),
    "huge": ({"amount": Decimal("1E+999999")}, "/amount", "double"),
    "tiny": ({"price": Decimal("1E-999999")}, "/price", "double"),
    "bytes-as-text": ({"text": b"abc"}, "/text", "bytes"),
    "path-as-text": ({"text": Path(__file__)}, "/text", "path"),
    "set": ({"many": {"a"}}, "/many", "set"),
    "object": ({"anything": object()}, "/anything", "'object'"),
    "secret": ({"text": pydantic.SecretStr(SECRET_TEXT)}, "/text", "get_secret_value"),
    "secret-in-model": (
        {"anything": Settings(token=pydantic.SecretStr(SECRET_TEXT))},
        "/anything/token",
        "get_secret_value",
    ),
    "names": ({"anything": {1: "a"}}, "/anything", "names of members"),
    "names-in-place": ({"place": {"name": "a", ("b",): 1}}, "/place", "names of members"),
    "endless": ({"count": 10**5000}, "/count", "308 digits"),
    "endless-anywhere": ({"anything": [-(10**5000)]}, "/anything/0", "308 digits"),
    "in-model": (
        {"anything": Order(at=_NOON.replace(tzinfo=None), ident=_UUID, amount=Decimal(1))},
        "/anything/at",
        _NAIVE,
    ),
}


@pytest.mark.parametrize(("given", "path", "says"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_a_guess_is_refused_at_its_place(
    jackfield: Jackfield, given: Any, path: str, says: str
) -> None:
    """Directly, by a dry run and by the queue, with and without a key; the message names the field
    and what to do, and no value. Others of a batch are queued.
    """
    for members in ({}, {"dryRun": True}, {"idempotencyKey": "k"}):
        result = jackfield.invoke(_take(given, **members))
        _check_refusal(result, path, says)
    *refused, queued = jackfield.enqueue_many(
        [_take(given), _take(given, idempotencyKey="k"), _take({}, idempotencyKey="other")]
    )
    assert isinstance(queued, Enqueued)
    for found in refused:
        assert isinstance(found, Result)
        _check_refusal(found, path, says)


def _check_refusal(result: Result, path: str, says: str) -> None:
    assert result.error is not None
    assert result.error.code == "invalid_input"
    (detail,) = [found for found in result.error.details if says in found.message]
    assert detail.path == path
    assert SECRET_TEXT not in str(result.to_json())


def test_a_queued_call_waits_as_json(jackfield: Jackfield) -> None:
    """A worker reads what the queue holds, and runs it as the call that was made."""
    identifier = jackfield.enqueue(
        _take(
            Order(at=_NOON, ident=_UUID, amount=Decimal("0.5")),
            idempotencyKey=_UUID,
            notBefore=_LONG_AGO,
        )
    )
    assert isinstance(identifier, str)
    with pytest.raises(Exception, match="belongs to another request"):
        jackfield.enqueue(_take({"at": _NOON}, idempotencyKey=str(_UUID)))
    (claimed,) = Queue(jackfield.storage.database).claim(1)
    result = jackfield.run(claimed)
    assert result.output is not None
    assert {
        "at": "2026-01-31T12:00:00Z",
        "ident": str(_UUID),
        "amount": 0.5,
    }.items() <= result.output["Got"].items()


def test_cycles_and_faulty_classes_are_refused_and_no_crash(jackfield: Jackfield) -> None:
    """A dataclass that holds itself, a model that cannot be dumped: one error, at its place."""

    @dataclasses.dataclass
    class Ring:
        """It holds itself twice."""

        one: Any = None
        other: Any = None

    ring = Ring()
    ring.one = ring.other = [ring]

    class Faulty(pydantic.BaseModel):
        """It cannot be dumped."""

        def model_dump(self, **_how: Any) -> Any:
            raise RuntimeError("no")

    for given in (ring, Faulty()):
        result = jackfield.invoke(_take({"anything": given}))
        assert result.error is not None
        assert result.error.code == "invalid_input"
        assert result.error.details[0].path.startswith("/anything")


def test_an_unknown_action_is_unknown_whatever_its_inputs(jackfield: Jackfield) -> None:
    """Values that cannot be converted, since nothing describes them, do not hide the error."""
    for given in (
        {**_take({"at": _NOON}), "action": "none"},
        {**_take({"at": _NOON}), "connector": "none"},
    ):
        result = jackfield.invoke(given)
        assert result.error is not None
        assert result.error.code.startswith("unknown_")


def test_the_hosts_objects_stay_as_they_were(jackfield: Jackfield) -> None:
    """Nothing is changed in the caller's inputs."""
    inputs = {"at": _NOON, "many": [_NOON], "place": Address("a")}
    assert jackfield.invoke(_take(inputs)).error is None
    assert inputs == {"at": _NOON, "many": [_NOON], "place": Address("a")}


# The same over HTTP


@pytest.fixture(name="both", scope="module")
def _both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Jackfield, Client]]:
    """A runtime of the library, and a client of a server with the same database; both have the
    connector of values.
    """
    folder = tmp_path_factory.mktemp("both")
    declare(
        folder / "plugs",
        "jackfield-values",
        "jackfield.connectors",
        {"values": "jackfield_memory_values:connector"},
    )
    with (
        installed(folder / "packages", _connector()) as catalog,
        plugged(folder / "plugs", folder / "packages"),
        standing(folder) as stand,
        Jackfield(environment=clean(folder / "home"), catalog=catalog, connections=[]) as jackfield,
    ):
        yield jackfield, stand.client()


def _fingerprints(jackfield: Jackfield, *keys: str) -> set[str | None]:
    entries = jackfield.journal_of().entries(limit=1000)[0]
    found = [
        entry.fingerprint
        for entry in entries
        if entry.idempotency_key in keys and entry.status == "succeeded"
    ]
    assert len(found) == len(keys)
    return {*found}


@pytest.mark.parametrize("name", SAME)
def test_values_and_their_json_over_http_are_one_request(
    name: str, both: tuple[Jackfield, Client]
) -> None:
    """Each of the vectors: two keys have one fingerprint, and one key replays, whichever of the two
    came first.
    """
    (given, same), (jackfield, client) = SAME[name], both

    def call(inputs: Any, key: str) -> dict[str, Any]:
        return {
            "connector": "values",
            "action": "take",
            "inputs": inputs,
            "idempotencyKey": f"{name}-{key}",
        }

    mine = jackfield.invoke(call(given, "library"))
    assert mine.error is None, mine.error
    theirs = client.post("/v1/invocations", call(same, "server"))
    assert (theirs.status, theirs.json["output"]) == (200, mine.output)
    assert len(_fingerprints(jackfield, f"{name}-library", f"{name}-server")) == 1
    assert client.post("/v1/invocations", call(same, "library")).json["meta"]["replayed"] is True
    assert jackfield.invoke(call(given, "server")).meta.replayed is True


def test_another_request_has_another_fingerprint(both: tuple[Jackfield, Client]) -> None:
    """The comparison is not blind: another instant is refused under the same key, and has a
    fingerprint of its own.
    """
    jackfield, client = both
    call = {
        "connector": "values",
        "action": "take",
        "inputs": SAME["utc"][0],
        "idempotencyKey": "blind-1",
    }
    assert jackfield.invoke(call).error is None
    other = {**call, "inputs": {"at": "2026-01-31T12:00:01Z"}}
    assert client.post("/v1/invocations", other).json["error"]["code"] == "idempotency_conflict"
    assert client.post("/v1/invocations", {**other, "idempotencyKey": "blind-2"}).status == 200
    assert len(_fingerprints(jackfield, "blind-1", "blind-2")) == 2
