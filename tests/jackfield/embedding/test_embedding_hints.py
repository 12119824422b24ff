"""The annotations of everything public can be read: containers, validators and tools made from
functions do so.
"""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

import jackfield.kernel.errors
from jackfield import Jackfield
from jackfield.connector.hooks import Specifications

ROOT = Path(__file__).parents[3]
_PLAIN = ("__call__", "__enter__", "__exit__", "__init__", "__iter__")


def _facades() -> Iterator[str]:
    """Yield the packages, of all distributions, that list what they export."""
    for place in ("runtime", "runtime/jackfield_*", "connectors/*"):
        for path in sorted(
            found
            for folder in ROOT.glob(place)
            for found in folder.glob("jackfield*/**/__init__.py")
        ):
            if re.search("^__all__", path.read_text(encoding="utf-8"), re.MULTILINE):
                words = path.parent.parts
                yield ".".join(
                    words[
                        max(at for at, word in enumerate(words) if word.startswith("jackfield")) :
                    ]
                )


def _names() -> Iterator[tuple[str, Any]]:
    for facade in sorted({*_facades(), "jackfield.testing"}):
        module = importlib.import_module(facade)
        listed = (
            importlib.import_module("jackfield_market.testing")
            if facade == "jackfield.testing"
            else module
        )
        yield from ((f"{facade}.{name}", getattr(module, name)) for name in listed.__all__)
    yield from (
        (f"jackfield.kernel.errors.{name}", kind)
        for name, kind in vars(jackfield.kernel.errors).items()
        if _is_ours(kind)
    )
    yield "jackfield.connector.hooks.Specifications", Specifications


def _is_ours(found: object) -> bool:
    return inspect.isclass(found) and found.__module__.startswith("jackfield")


def _functions(kind: type) -> Iterator[Callable[..., Any]]:
    """Yield the public methods and properties of a class, but not those that it has from another
    library.
    """
    for name, member in inspect.getmembers_static(kind):
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        is_public = not name.startswith("_") or name in _PLAIN
        if (
            is_public
            and inspect.isfunction(function)
            and function.__module__.startswith("jackfield")
        ):
            yield function


def _unreadable(where: str, found: Any, seen: set[object]) -> Iterator[str]:
    """Yield the annotations that cannot be read, of an object and of all classes of ours that its
    annotations name.
    """
    if found in seen:
        return
    seen.add(found)
    for one in (found, *(_functions(found) if inspect.isclass(found) else ())):
        name = f"{where}: {getattr(one, '__qualname__', one)}"
        try:
            hints = typing.get_type_hints(one)
        except NameError as error:
            yield f"{name}: {error}"
            continue
        for kind in filter(_is_ours, _parts(list(hints.values()))):
            yield from _unreadable(name, kind, seen)


def _parts(hints: list[Any]) -> Iterator[Any]:
    for hint in hints:
        yield hint
        yield from _parts([*(hint if isinstance(hint, list) else typing.get_args(hint))])


def test_the_annotations_of_all_public_names_can_be_read() -> None:
    """Of each name that a package exports, of its methods and properties, and of all that these
    take and return.
    """
    seen: set[object] = set()
    found = [
        text
        for where, one in _names()
        if inspect.isclass(one) or inspect.isfunction(one)
        for text in _unreadable(where, one, seen)
    ]
    assert found == []
    assert len(seen) > 400


@pytest.mark.parametrize(
    "reading",
    [
        "import jackfield.kernel.errors; typing.get_type_hints(jackfield.kernel.errors.NotFound)",
        (
            "from jackfield_store.management.connections import ManagedConnections; "
            "typing.get_type_hints(ManagedConnections.acting_as)"
        ),
        (
            "from jackfield_store.management.visible_journal import SeenJournal; "
            "typing.get_type_hints(SeenJournal.find)"
        ),
        "from jackfield import Jackfield; inspect.signature(Jackfield.invoke, eval_str=True)",
        (
            "from jackfield import Jackfield; inspect.get_annotations(Jackfield.ainvoke, "
            "eval_str=True)"
        ),
        (
            "from jackfield.connector import NotYet; assert "
            "dict(NotYet.__init__.__annotations__); typing.get_type_hints(NotYet.__init__)"
        ),
        (
            "class Mine(__import__('jackfield').JackfieldError):\n  mine: int = 1\nassert 'code' "
            "in typing.get_type_hints(Mine)"
        ),
    ],
)
def test_they_can_be_read_before_anything_else_is(reading: str) -> None:
    """No other access has to come first, and a class of one's own is read with what it inherits."""
    done = subprocess.run(
        [sys.executable, "-c", f"import inspect, typing\n{reading}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_method_can_be_made_a_validated_function() -> None:
    """Pydantic's ``validate_call`` takes the public methods, as kits do that make tools of
    functions.
    """
    with Jackfield(database_url="none") as made:
        checked = pydantic.validate_call(config={"arbitrary_types_allowed": True})(made.invoke)
        result = checked({"connector": "nobody", "action": "nothing"})
    assert result.error is not None
    assert result.error.code == "unknown_connector"


def test_annotations_stay_what_they_are_to_those_who_write_them(tmp_path: Path) -> None:
    """Reading them leaves no name of a module as it was not, and names of absent packages leave the
    rest readable.
    """
    (tmp_path / "late_one.py").write_text(
        "from __future__ import annotations\nfrom jackfield.kernel.exports import "
        "late_hints\nTYPE_CHECKING = False\nkept = 1\n"
        "if TYPE_CHECKING:\n    import no_such_package\n    from decimal import Decimal as "
        "kept\n    from fractions import Fraction\n"
        "def half(of: Fraction) -> Fraction: ...\nlate_hints(__name__)\n"
    )
    code = (
        "import late_one, typing; assert typing.get_type_hints(late_one.half)['of'].__name__ "
        "== 'Fraction'; assert late_one.kept == 1"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_distribution_and_connector_says_that_it_is_typed() -> None:
    """Each package has ``py.typed``, by which type checkers of a host read its annotations."""
    folders = [path.parent for path in ROOT.glob("[rc][uo]n*/*/jackfield*/__init__.py")] + [
        ROOT / "runtime" / "jackfield"
    ]
    folders += [path.parent for path in ROOT.glob("tests/connectors/*/jackfield*/__init__.py")]
    folders += [path.parent for path in ROOT.glob("connectors/*/jackfield*/connector.json")]
    assert len(folders) > 12
    assert [path.name for path in folders if not (path / "py.typed").is_file()] == []


_DISTURBED = """
import ast, inspect
parse, calls = ast.parse, []
def disturbed(*given, **named):
    calls.append(1)
    if len(calls) % 3:
        raise SystemError("AST constructor recursion depth mismatch (before=87, after=79)")
    return parse(*given, **named)
ast.parse = disturbed
from jackfield.connector import Guard
print("bool" in str(inspect.signature(Guard)), len(calls) >= 3)
"""


def test_hints_are_read_while_other_threads_parse() -> None:
    """CPython 3.11 counts the depth of two parsers in one, and fails in one of them: it is asked
    again.
    """
    done = subprocess.run(
        [sys.executable, "-c", _DISTURBED], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")
