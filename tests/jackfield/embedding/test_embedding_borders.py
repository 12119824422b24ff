"""Every public class is a border to the host, and so is whatever its methods return: no method that a host can call is without one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, get_args, get_type_hints

import pytest
from tests.jackfield.embedding.shown_frames import variables

import jackfield
from jackfield.kernel import frames
from jackfield.kernel.frames import bordered
from jackfield_store.management.connections import ManagedConnections
from jackfield_store.management.visible_journal import SeenJournal

INNER = {
    "Catalog": "it knows connectors, no values",
    "Journal": "jackfield's own parts ask it, below a border; programs have SeenJournal",
    "Grant": "connection types return it to jackfield's own parts, below a border",
    "JobUnits": "the journal's", "Recovery": "the journal's", "Upkeep": "the journal's", "RowUnit": "the journal's",
}  # fmt: skip
"""Classes to which annotations lead, and which have no border."""
DATA = {
    "Completed", "ConnectionPage", "Draft", "Enqueued", "Entry", "Event", "HostAccess", "Invocation", "NamedConnection", "Part", "Result",
    "Account", "Sample",
}  # fmt: skip
"""Frozen data: their methods have nothing but the object, which shows no secret. What parses values into one is a border."""
PARSES_NO_VALUES = {"Enqueued.of", "HostAccess.from_settings"}


def _named(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and annotation.__module__.startswith("jackfield"):
        yield annotation
    for part in get_args(annotation):
        yield from _named(part)


def _functions(kind: type) -> Iterator[tuple[str, Any, Any]]:
    """Yield the methods and properties of a class that hosts call, by syntax or by name: each with what the class has, and its function."""
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if (not name.startswith("_") or name in frames._CALLED) and inspect.isfunction(function):
            yield name, member, function


def _public() -> dict[type, None]:
    """Return the classes that ``jackfield`` exports, those of the store behind its ports, and those of ours that their methods return."""
    waiting = [
        ManagedConnections,
        SeenJournal,
        *(found for name in jackfield.__all__ if isinstance(found := getattr(jackfield, name), type)),
    ]
    seen: dict[type, None] = {}
    while waiting:
        kind = waiting.pop()
        if kind in seen or issubclass(kind, BaseException):
            continue
        seen[kind] = None
        if kind.__name__ not in INNER:
            for _, _, function in _functions(kind):
                if function.__module__.startswith("jackfield"):
                    waiting += _named(get_type_hints(inspect.unwrap(function)).get("return"))
    return seen


def _has_border(function: Any) -> bool:
    return bool(function.__code__.co_filename == frames.__file__)


def test_every_public_method_is_a_border() -> None:
    """Of each class that ``jackfield`` exports, and of each to which the annotations of such methods lead."""
    kinds = {kind.__name__: kind for kind in _public() if not getattr(kind, "_is_protocol", False)}
    assert kinds.keys() >= {"Jackfield", "ManagedConnections", "SeenJournal", "Events", "Stream", "Authorizing", "ReturnedFile"}
    without = [
        f"{kind.__name__}.{name}"
        for kind in kinds.values()
        if kind.__name__ not in INNER
        for name, member, function in _functions(kind)
        if not _has_border(function) and (kind.__name__ not in DATA or isinstance(member, classmethod))
    ]
    assert set(without) == PARSES_NO_VALUES
    assert kinds.keys() >= DATA


_KINDS = '''
class Kinds:
    """A method of each kind."""

    def plain(self, word):
        below(word)

    @property
    def shown(self):
        below("hush")

    @classmethod
    def made(cls, word):
        below(word)

    @staticmethod
    def fixed(word):
        below(word)

    def pages(self, word):
        yield 1
        below(word)

    async def later(self, word):
        below(word)

    async def coming(self, word):
        yield 1
        below(word)

    def __call__(self, word):
        below(word)

    def __exit__(self, kind, error, trace):
        word = "hush"
        below(word)

    def __enter__(self):
        return self

def function(word):
    """No method."""
    below(word)

def below(word):
    value = f"{word}-{word}"
    raise KeyError(1)
'''
_RUN: dict[str, Callable[[Any], object]] = {
    "plain": lambda made: made().plain("hush"),
    "shown": lambda made: made().shown,
    "made": lambda made: made.made("hush"),
    "fixed": lambda made: made.fixed("hush"),
    "pages": lambda made: [*made().pages("hush")],
    "later": lambda made: made().later("hush").send(None),
    "coming": lambda made: _last(made().coming("hush")),
    "call": lambda made: made()("hush"),
    "exit": lambda made: made().__exit__(None, None, None),
    "exit, of an error": lambda made: _left(made()),
}


def _last(items: AsyncIterator[int]) -> None:
    with pytest.raises(StopIteration):
        items.__anext__().__await__().__next__()
    items.__anext__().__await__().__next__()


def _left(made: Any) -> None:
    with made:
        raise KeyError(2)


def _shown(call: Callable[[], object]) -> list[str]:
    with pytest.raises(KeyError) as raised:
        call()
    assert raised.traceback[-1].name == "below"
    return [name for _, name, text in variables(raised.value) if "hush" in text]


@pytest.mark.parametrize("kind", list(_RUN))
def test_each_kind_of_method_is_a_border(kind: str) -> None:
    """Methods, properties, those of a class, generators, coroutines and what a statement calls: none of our frames has a variable."""
    scope: dict[str, Any] = {"__name__": "jackfield.anything"}
    exec(_KINDS, scope)
    assert _shown(lambda: _RUN[kind](scope["Kinds"])) != []
    made = bordered(scope["Kinds"])
    assert _shown(lambda: _RUN[kind](made)) == []


def test_a_function_is_a_border() -> None:
    """As ``decode`` is, and what makes a Session."""
    scope: dict[str, Any] = {"__name__": "jackfield.anything"}
    exec(_KINDS, scope)
    assert _shown(lambda: scope["function"]("hush")) != []
    assert _shown(lambda: bordered(scope["function"])("hush")) == []
