"""Dataclasses of our own: they do what the standard library's do, and its functions take them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jackfield.kernel.dataclass import dataclass, field, replace

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)
    kind: ClassVar[str] = "point"


@dataclass(frozen=True, slots=True)
class Named(Point):
    """A point with a name, and one that is made of it."""

    name: str = ""
    label: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.name} at {self.x}")


@dataclass(slots=True)
class Counter:
    """What changes."""

    count: int = 0


@dataclass(frozen=True)
class Key:
    """What is hashed by one of its fields."""

    name: int
    seen: list[str] = field(compare=False)


def test_a_dataclass_is_made_compared_and_shown_as_the_standard_library_does() -> None:
    """Defaults, factories, fields out of comparison and repr, class variables, inheritance and
    fields set afterwards.
    """
    one = Point(1, tags=["a"], note="unseen")
    assert (one, repr(one)) == (Point(1, 2, ["a"]), "Point(x=1, y=2, tags=['a'])")
    assert one != Named(1, 2, ["a"])
    assert Point(1).tags is not Point(1).tags
    named = Named(3, name="spring")
    assert (named.label, named.kind, Named.__match_args__) == (
        "spring at 3",
        "point",
        ("x", "y", "tags", "note", "name"),
    )
    assert hash(Key(1, [])) == hash(Key(1, ["other"]))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_what_is_frozen_cannot_change() -> None:
    """Neither a field nor anything else can be set or deleted; what is not frozen can."""
    one: Any = Point(1)
    for name in ("x", "other"):
        with pytest.raises(AttributeError, match="cannot assign"):
            setattr(one, name, 2)
    with pytest.raises(AttributeError, match="cannot delete"):
        del one.x
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), replace]
)
def test_a_copy_is_equal(copied: Any) -> None:
    """Copied, pickled and replaced, it is the same value."""
    one = Named(1, name="spring", tags=["a"])
    assert copied(one) == one
    assert copied(Counter(4)) == Counter(4)


def test_the_functions_of_the_standard_library_take_them() -> None:
    """Authors use ``dataclasses.replace``, ``fields`` and ``is_dataclass``; a dataclass of theirs
    may be a subclass.
    """
    assert dataclasses.is_dataclass(Point)
    assert [one.name for one in dataclasses.fields(Named)] == [
        "x",
        "y",
        "tags",
        "note",
        "name",
        "label",
    ]
    assert dataclasses.replace(Named(1, name="a"), name="b") == Named(1, name="b")
    assert dataclasses.asdict(Counter(3)) == {"count": 3}
    assert str(inspect.signature(Point)).startswith(
        "(x: 'int', y: 'int' = 2, tags: 'list[str]' = <"
    )

    @dataclasses.dataclass(frozen=True)
    class Theirs(Point):
        size: int = 1

    assert replace(Theirs(1, size=4), x=2) == Theirs(2, size=4)


def test_cold_commands_use_no_others() -> None:
    """No module that a cold command imports takes the decorator of the standard library, which
    takes ten times as long.
    """
    table = json.loads((ROOT / "tests/costs/imports.json").read_text())
    named = (
        f"{package}.{name}"
        for row in table.values()
        for package, names in row["jackfield"].items()
        for name in names.split()
    )
    paths = {name.strip(".").replace(".", "/") for name in named}
    roots = [ROOT / "runtime", *(ROOT / "connectors").iterdir()]
    files = {
        root / path
        for root in roots
        for name in paths
        for path in (f"{name}.py", f"{name}/__init__.py")
    }
    found = [path for path in files if path.is_file() and path.name != "dataclass.py"]
    assert len(found) > 200
    assert [path for path in found if "\nfrom dataclasses import" in path.read_text()] == []


def test_a_module_without_the_future_import_has_the_same_fields() -> None:
    """From Python 3.14, its classes make their annotations when these are first read."""
    source = "@dataclass(frozen=True, slots=True)\nclass Pair:\n    left: int\n    right: int = 2"
    scope: dict[str, Any] = {"dataclass": dataclass, "__name__": __name__}
    exec(compile(source, "pair", "exec", dont_inherit=True), scope)
    pair = scope["Pair"](1)
    assert (pair.left, pair.right, [one.name for one in dataclasses.fields(pair)]) == (
        1,
        2,
        ["left", "right"],
    )
