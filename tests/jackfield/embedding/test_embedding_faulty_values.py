"""Values of classes of a host whose own code raises: each is refused at its place, and nothing of
what it raises is shown.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from inmemory import installed
from jackfield import Invocation, Jackfield, Result
from jackfield.connector import Connector, Field, Inputs, Output
from jackfield.invocation import Enqueued
from jackfield.kernel.errors import InvalidInvocation

SECRET_TEXT = "tok-4711-very-secret-value"


class Place(Inputs):
    """A place."""

    name: str = Field(title="Name")


class Values(Inputs):
    """One of each."""

    at: str | None = Field(None, title="At", schema={"format": "date-time"})
    text: str | None = Field(None, title="Text")
    many: list[str] = Field([], title="Many")
    place: Place | None = Field(None, title="Place")
    places: list[Place] = Field([], title="Places")
    anything: Any = Field(None, title="Anything")


class Got(Output):
    """What the action was given."""

    got: dict[str, Any] = Field(title="Got", alias="Got")


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    connector = Connector("values", title="Values", version="1.0.0")

    @connector.action("take", effect="write")
    def take(inputs: Values) -> Got:
        """Take values."""
        return Got(got=inputs.model_dump(mode="json", by_alias=True, exclude_unset=True))

    with (
        installed(tmp_path / "packages", connector) as catalog,
        Jackfield(
            database_url=f"sqlite:///{tmp_path / 'j.db'}", catalog=catalog, connections=[]
        ) as made,
    ):
        yield made


def _take(inputs: Any, **members: Any) -> dict[str, Any]:
    return {"connector": "values", "action": "take", "inputs": inputs, **members}


def _check_refusal(result: Result | Enqueued, path: str) -> None:
    assert isinstance(result, Result)
    assert result.error is not None
    assert result.error.code == "invalid_input"
    (detail,) = [found for found in result.error.details if "must be JSON" in found.message]
    assert detail.path == path
    assert SECRET_TEXT not in str(result.to_json())


class Detached(Exception):
    """What a host's mapper raises: none of Python's own classes of errors."""


class NoZone(dt.tzinfo):
    """A time zone that fails."""

    def utcoffset(self, _moment: object, /) -> dt.timedelta:
        """Fail."""
        raise Detached(SECRET_TEXT)

    def dst(self, moment: object, /) -> dt.timedelta:
        """Fail."""
        return self.utcoffset(moment)

    def tzname(self, _moment: object, /) -> str:
        """Return a name."""
        return "nowhere"


class NoValue(enum.Enum):
    """A member that fails to tell its value."""

    ONE = 1

    @property
    def value(self) -> Any:
        """Fail."""
        raise Detached(SECRET_TEXT)


class NoMembers(Mapping[str, Any]):
    """A mapping that has a name and no value."""

    def __getitem__(self, name: str) -> Any:
        raise Detached(SECRET_TEXT)

    def __iter__(self) -> Iterator[str]:
        return iter(["name"])

    def __len__(self) -> int:
        return 1


@dataclasses.dataclass
class Row:
    """A row whose session is gone."""

    name: str = ""

    def __getattribute__(self, name: str) -> Any:
        if name == "name":
            raise Detached(SECRET_TEXT)
        return super().__getattribute__(name)


class NoItems(dict[str, Any]):
    """An object whose members fail to load."""

    def __iter__(self) -> Iterator[str]:
        raise Detached(SECRET_TEXT)

    keys = items = values = __len__ = __contains__ = __getitem__ = __eq__ = __iter__  # type: ignore[assignment]
    __hash__ = None


class NoParts(list[Any]):
    """An array whose parts fail to load."""

    def __iter__(self) -> Iterator[Any]:
        raise Detached(SECRET_TEXT)

    __len__ = __contains__ = __getitem__ = __eq__ = __iter__  # type: ignore[assignment]
    __hash__ = None


class NoTuple(tuple[Any, ...]):
    """The same, which cannot change."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        raise Detached(SECRET_TEXT)


class Loaded(dict[str, Any]):
    """An object whose members are loaded when it is read."""

    def __iter__(self) -> Iterator[str]:
        return iter(["name"])

    def keys(self) -> Any:
        """Return the names."""
        return [*self]

    def items(self) -> Any:
        """Return the members."""
        return [("name", "loaded")]

    def __getitem__(self, _name: str) -> str:
        return "loaded"


FAULTY: dict[str, tuple[Any, str]] = {
    "zone": ({"at": dt.datetime(2026, 1, 1, tzinfo=NoZone())}, "/at"),
    "zone-anywhere": ({"anything": [dt.datetime(2026, 1, 1, tzinfo=NoZone())]}, "/anything/0"),
    "enum": ({"text": NoValue.ONE}, "/text"),
    "mapping": ({"place": NoMembers()}, "/place"),
    "row": ({"places": [Row()]}, "/places/0"),
    "object": ({"place": NoItems(name="a")}, "/place"),
    "object-anywhere": ({"anything": {"a": [NoItems(name="a")]}}, "/anything/a/0"),
    "array": ({"many": NoParts(["a"])}, "/many"),
    "array-anywhere": ({"anything": {"a": NoParts([1])}}, "/anything/a"),
    "tuple": ({"anything": NoTuple([1])}, "/anything"),
}


@pytest.mark.parametrize(("given", "path"), FAULTY.values(), ids=FAULTY)
def test_a_value_whose_class_raises_is_refused_at_its_place(
    jackfield: Jackfield, given: Any, path: str
) -> None:
    """Whatever it raises: nothing of that is shown, and the others of a batch are queued."""
    _check_refusal(jackfield.invoke(_take(given)), path)
    refused, queued = jackfield.enqueue_many(
        [_take(given, idempotencyKey="k"), _take({}, idempotencyKey="other")]
    )
    assert isinstance(queued, Enqueued)
    _check_refusal(refused, path)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"inputs": NoItems(a=1)}, "/inputs"),
        ({"inputs": {}, "context": NoItems(a=1)}, "/context"),
        ({"inputs": {}, "context": {"labels": NoItems(a="b")}}, "/context/labels"),
        ({"inputs": {}, "connection": NoItems(type="x")}, "/connection"),
        ({"inputs": {}, "notBefore": dt.datetime(2026, 1, 1, tzinfo=NoZone())}, "/notBefore"),
    ],
)
def test_a_member_whose_class_raises_is_refused_at_its_place(
    jackfield: Jackfield, given: dict[str, Any], path: str
) -> None:
    """It is the invocation that is not valid, and no bug of ours."""
    result = jackfield.invoke({**_take({}), **given})
    assert result.error is not None
    assert (result.error.code, [detail.path for detail in result.error.details]) == (
        "invalid_invocation",
        [path],
    )
    assert SECRET_TEXT not in str(result.to_json())


@pytest.mark.parametrize("kind", [NoItems, NoMembers])
def test_an_invocation_whose_class_raises_is_refused(jackfield: Jackfield, kind: Any) -> None:
    """As a whole; one whose class works is taken, whatever class that is."""
    result = jackfield.invoke(kind() if kind is NoMembers else kind(_take({})))
    assert result.error is not None
    assert result.error.code == "invalid_invocation"
    assert kind.__name__ in result.error.message
    with pytest.raises(InvalidInvocation, match=kind.__name__):
        Invocation.from_json(kind() if kind is NoMembers else kind(_take({})))
    assert jackfield.invoke(types.MappingProxyType(_take({}))).status == "succeeded"


def test_a_hosts_class_is_read_as_it_shows_itself(jackfield: Jackfield) -> None:
    """What its own methods give is sent, as a dict or a list of the same would be."""
    result = jackfield.invoke(
        _take({"anything": [Loaded(name="stored")], "place": Loaded(name="stored")})
    )
    assert result.output is not None
    assert (result.output["Got"]["anything"], result.output["Got"]["place"]["name"]) == (
        [{"name": "loaded"}],
        "loaded",
    )


@pytest.mark.parametrize("odd", [NoParts([1]), {"at": NoParts([1])}, "whole"])
def test_a_fault_of_a_value_keeps_no_other_from_the_queue(odd: Any, jackfield: Jackfield) -> None:
    """A value of a host's own class, whose code fails as it is read, fails its own invocation of a
    batch.
    """
    given: Any = NoParts([1]) if isinstance(odd, str) else {**_take({}), "inputs": odd}
    first, refused, last = jackfield.enqueue_many([_take({}), given, _take({})])
    assert isinstance(first, Enqueued)
    assert isinstance(last, Enqueued)
    assert isinstance(refused, Result)
    assert refused.status == "failed"
