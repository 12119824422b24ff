"""Types that annotations of functions name: values of JSON converted to them, and values that are
yet to be made.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncContextDecorator, ContextDecorator
from functools import partial
from inspect import CORO_CREATED, getclosurevars, getcoroutinestate, iscoroutine
from io import IOBase
from typing import Any, get_args, get_origin, get_type_hints

from jackfield.kernel.failures import Raised, attempt, attempt_foreign
from jackfield.schema.json_values import is_json
from jackfield.schema.python_objects import ATOMS, encoded, parts

_ASKED, _WAITS = ("done", "ready", "is_alive", "poll"), ("result", "get", "join", "wait")
_NOT_BEGUN = (
    "a coroutine was returned that nobody awaits: nothing of it has run. Declare the function with "
    "'async def', and await what it calls."
)


def hints_of(function: Any, names: Iterable[str], *, extras: bool = False) -> dict[str, Any]:
    """Return the types that annotations of a function name, among them classes of the function
    around it, and with ``extras`` what ``Annotated`` adds.

    :raises NameError: if a name is not there.
    """

    def annotated() -> None: ...

    hints = getattr(function, "__annotations__", {})
    annotated.__annotations__ = {name: hints[name] for name in names if name in hints}
    around = attempt(getclosurevars, function)
    here = {} if isinstance(around, Raised) else around.nonlocals
    outside = getattr(function, "__globals__", {})
    return get_type_hints(annotated, outside, here, include_extras=extras)


class ReturnType:
    """Type of a function's values, by its return annotation alone; ``Any`` without a function."""

    def __init__(self, function: Any = None) -> None:
        self._function = function
        self._kind: Any = None
        self._adapter: Any = None

    @property
    def kind(self) -> Any:
        """Type that the annotation names; ``Any`` without an annotation, and for names that are not
        there, or not yet.
        """
        if self._kind is None:
            found = attempt(hints_of, self._function, ["return"])
            self._kind = None if isinstance(found, Raised) else found.get("return", Any)
        return Any if self._kind is None else self._kind

    @property
    def may_be_none(self) -> bool:
        """True if None is a value of the type, or there is no function."""
        kind = self.kind
        return self._function is None or kind is type(None) or type(None) in get_args(kind)

    @property
    def is_pending(self) -> bool:
        """True if values of the type are yet to be made when the function returns them."""
        kind = get_origin(self.kind) or self.kind
        return isinstance(kind, type) and _is_pending(kind)

    def read(self, recorded: Any) -> Any:
        """Return a value of JSON, converted to the type; plain JSON if there is no such type. A
        value that cannot be read is ``Raised``: it is of another version of the type, or has
        secrets, which are masked in JSON.
        """
        if self.kind in (Any, *ATOMS):
            return recorded
        if self._adapter is None:
            from pydantic import TypeAdapter  # a program whose values are plain JSON needs none

            self._adapter = attempt_foreign(TypeAdapter, self.kind)
        if isinstance(self._adapter, Raised):
            return recorded
        return attempt_foreign(self._read, recorded)

    def _read(self, recorded: Any) -> Any:
        found = self._adapter.validate_json(json.dumps(recorded))
        for kind in map(type, parts(found)):
            if hasattr(kind, "get_secret_value") or _is_pending(kind):
                raise ValueError(f"JSON does not have what a {kind.__name__} has")
        return found

    def fits(self, recorded: Any) -> bool:
        """Return whether a value of JSON can be read as the type."""
        if self.kind in ATOMS:
            return isinstance(recorded, (int, float) if self.kind is float else self.kind)
        return not isinstance(self.read(recorded), Raised)

    def again(self, value: Any, recorded: Any) -> tuple[Any, bool]:
        """Return what is read of a value's JSON, and whether it equals the value."""
        found = self.read(recorded)
        again = recorded if isinstance(found, Raised) else found
        is_equal = again is value or attempt_foreign(_are_equal, value, again, recorded)
        return again, is_equal is True


def _are_equal(value: Any, again: Any, recorded: Any) -> bool:
    is_equal = type(value) is type(again) and value == again
    return bool(is_equal) and bool(encoded(again, exact=True) == recorded)


class NotBegunError(TypeError):
    """Error of a function that has returned a coroutine which nobody awaits: nothing of it has
    run.
    """


class NotDoneError(Exception):
    """Error of a function that has returned before its value was made: nobody knows whether it is,
    or will be.
    """


def unfulfilled(value: Any) -> Exception | None:
    """Return the error of a function whose value is yet to be made, or contains such a value; None
    for any other value. Coroutines that have not begun are closed.
    """
    found = [] if is_json(value) else [one for one in parts(value) if _is_pending(type(one))]
    if any(not iscoroutine(one) or getcoroutinestate(one) != CORO_CREATED for one in found):
        kind = type(found[0]).__name__
        return NotDoneError(f"it returned before it was done, a value of the type '{kind}'")
    for one in found:
        one.close()
    return NotBegunError(_NOT_BEGUN) if found else None


def _is_pending(kind: type) -> bool:
    # one can ask whether it is over, and wait for it: futures, threads, processes, pools' tasks
    is_future = any(map(partial(hasattr, kind), _ASKED)) and any(
        map(partial(hasattr, kind), _WAITS)
    )
    # a file iterates, too, but is there
    is_lazy = issubclass(kind, (Iterator, AsyncIterator)) and not issubclass(kind, IOBase)
    # what ``contextlib`` makes of a generator, which begins when it is entered
    is_entered = issubclass(kind, (ContextDecorator, AsyncContextDecorator))
    return hasattr(kind, "__await__") or is_future or is_lazy or is_entered
