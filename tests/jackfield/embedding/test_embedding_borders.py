"""Every public class is a border to the host, and so is whatever its methods return: no method that
a host can call is without one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints

import pytest
from tests.jackfield.embedding.shown_frames import variables

import jackfield
from jackfield.kernel import frames
from jackfield.kernel.frames import bordered
from jackfield_service.subjects.events.feed import FeedEvents
from jackfield_store.management.connections import ManagedConnections
from jackfield_store.management.visible_journal import SeenJournal

INNER = {
    "Catalog": "it knows connectors, no values",
    "Bound": "what records calls of functions: `once` asks it, which is a border",
    "Events": "the class of the feed has it",
    "Stream": "its errors are in its Result, and its variables events that the reader gets",
    "Journal": "jackfield's own parts ask it, below a border; programs have SeenJournal",
    "Grant": "connection types return it to jackfield's own parts, below a border",
    "JobUnits": "the journal's",
    "Recovery": "the journal's",
    "Upkeep": "the journal's",
    "RowUnit": "the journal's",
    "Looked": "what a look of `once` has found, below a border",
}
"""Classes to which annotations lead, and which have no border."""
DATA = {
    "Completed",
    "ConnectionPage",
    "Draft",
    "Enqueued",
    "Entry",
    "Event",
    "HostAccess",
    "Invocation",
    "NamedConnection",
    "PeriodPart",
    "Result",
    "Account",
    "Sample",
}
"""Frozen data: their methods have nothing but the object, which shows no secret. What parses values
into one is a border.
"""
PARSES_NO_VALUES = {"Enqueued.of", "HostAccess.from_settings"}
PARSES_BELOW = {"NamedConnection.from_json"}
"""What the store alone calls, below a border."""


def _named(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and annotation.__module__.startswith("jackfield"):
        yield annotation
    for part in get_args(annotation):
        yield from _named(part)


def _functions(kind: type) -> Iterator[tuple[str, Any, Any]]:
    """Yield the methods and properties of a class that hosts call by name: each with what the class
    has, and its function.
    """
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if (name == "__init__" or not name.startswith("_")) and inspect.isfunction(function):
            yield name, member, function


def _public() -> dict[type, None]:
    """Return the classes that ``jackfield`` exports, those of the store behind its ports, and those
    of ours that their methods return.
    """
    waiting = [
        ManagedConnections,
        SeenJournal,
        FeedEvents,
        *(
            found
            for name in jackfield.__all__
            if isinstance(found := getattr(jackfield, name), type)
        ),
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
    """Of each class that ``jackfield`` exports, and of each to which the annotations of such
    methods lead.
    """
    kinds = {kind.__name__: kind for kind in _public() if not getattr(kind, "_is_protocol", False)}
    assert kinds.keys() >= {
        "Jackfield",
        "ManagedConnections",
        "SeenJournal",
        "Events",
        "Stream",
        "Authorizing",
        "ReturnedFile",
    }
    without = [
        f"{kind.__name__}.{name}"
        for kind in kinds.values()
        if kind.__name__ not in INNER
        for name, member, function in _functions(kind)
        if not _has_border(function)
        and (kind.__name__ not in DATA or isinstance(member, classmethod))
    ]
    assert set(without) == PARSES_NO_VALUES | PARSES_BELOW
    assert kinds.keys() >= DATA
    functions = (
        inspect.unwrap(function)
        for kind in kinds.values()
        if kind.__name__ not in INNER
        for _, _, function in _functions(kind)
    )
    assert not any(map(inspect.isasyncgenfunction, functions))  # ``bordered`` knows none


_KINDS = '''
class Kinds:
    """A method of each kind."""

    def plain(self, word):
        below(word)

    @property
    def shown(self):
        below("hush")

    def pages(self, word):
        yield 1
        below(word)

    async def later(self, word):
        below(word)

    def __init__(self, word=None):
        if word is not None:
            below(word)

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
    "pages": lambda made: [*made().pages("hush")],
    "later": lambda made: made().later("hush").send(None),
    "init": lambda made: made("hush"),
}


def _shown(call: Callable[[], object]) -> list[str]:
    with pytest.raises(KeyError) as raised:
        call()
    assert raised.traceback[-1].name == "below"
    return [name for _, name, text in variables(raised.value) if "hush" in text]


@pytest.mark.parametrize("kind", list(_RUN))
def test_each_kind_of_method_is_a_border(kind: str) -> None:
    """Methods, properties, generators and coroutines, inherited ones too: none of our frames has a
    variable, and the base has no border.
    """
    scope: dict[str, Any] = {"__name__": "jackfield.anything"}
    exec(_KINDS, scope)
    assert _shown(lambda: _RUN[kind](scope["Kinds"])) != []
    made = bordered(type("Below", (scope["Kinds"],), {}))
    assert _shown(lambda: _RUN[kind](made)) == []
    assert _shown(lambda: _RUN[kind](scope["Kinds"])) != []


def test_a_function_is_a_border() -> None:
    """As ``decode`` is, and what makes a Session."""
    scope: dict[str, Any] = {"__name__": "jackfield.anything"}
    exec(_KINDS, scope)
    assert _shown(lambda: scope["function"]("hush")) != []
    assert _shown(lambda: bordered(scope["function"])("hush")) == []
