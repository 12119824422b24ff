"""Facts about functions of a program: where they are written, whether they are coroutines, and the
arguments of their calls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from inspect import (
    Parameter,
    Signature,
    currentframe,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
    unwrap,
)
from itertools import islice
from typing import Any, NamedTuple

from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.interrupts import function_of

_MANY = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def origin(function: Callable[..., Any]) -> Any:
    """Return the function that the author has written, without what decorators put around it."""
    return function_of(unwrap(function_of(function)))


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling a function makes a coroutine."""
    return iscoroutinefunction(function) or iscoroutinefunction(function_of(function))


def generates(function: Callable[..., Any]) -> bool:
    """Return whether a function is a generator, which runs only after it was called, or one that
    ``contextlib`` runs when it is entered.
    """
    code = function_of(function)
    while hasattr(code, "__wrapped__") and code.__globals__.get("__name__") == "contextlib":
        code = function_of(code.__wrapped__)
    return isgeneratorfunction(code) or isasyncgenfunction(code)


def place_of(function: Callable[..., Any]) -> str:
    """Return the file and the qualified name of a function, as ``FILE:NAME``. A reloaded module,
    ``__main__`` and its import have one file; a notebook, whose cells may run again, has none.
    """
    found = origin(function)
    return f"{getattr(found, '__globals__', {}).get('__file__', '')}:{found.__qualname__}"


def is_entered_by_contextlib(ours: str) -> bool:
    """Return whether the innermost code that is not of the package ``ours`` is a generator which
    ``contextlib`` enters, so that it has not run the body of its ``with`` yet.
    """
    frame = currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(ours):
        frame = frame.f_back
    around = None if frame is None else frame.f_back
    if around is None or around.f_globals.get("__name__") != "contextlib":
        return False
    return around.f_code.co_name in ("__enter__", "__aenter__")


class Arguments(NamedTuple):
    """Arguments of one call: as they are passed, by name with defaults, and the names of those that
    were ``given``.
    """

    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    values: Mapping[str, Any]
    given: Collection[str]

    @classmethod
    def of(
        cls, taken: Signature, positional: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Arguments:
        """Return the arguments of a call.

        :raises TypeError: if the function does not take them.
        """
        bound = taken.bind(*positional, **named)
        names = tuple(bound.arguments)
        bound.apply_defaults()
        return cls(positional, named, bound.arguments, names)

    @classmethod
    def by_name(cls, taken: Signature, values: Mapping[str, Any]) -> Arguments:
        """Return the arguments of a call that is given all of them, by name."""
        kinds = {name: one.kind for name, one in taken.parameters.items()}
        last = [name for name in values if kinds[name] is Parameter.KEYWORD_ONLY]
        positional = tuple(value for name, value in values.items() if name not in last)
        return cls(positional, {name: values[name] for name in last}, values, tuple(values))


def choosing(
    chooser: Callable[..., Any], parameters: Mapping[str, Parameter]
) -> tuple[Callable[[Arguments], Any], Collection[str]]:
    """Return a function that calls ``chooser`` with arguments of a call, and the names of these. It
    gets those that it has parameters for, by name. With a parameter of another name it gets the
    first ones in order. If its parameters, or those of the call's function, are any number, it gets
    all as they are passed. Of parameters with a default it gets only what was given.
    """
    found = attempt(signature, chooser)
    taken = [] if isinstance(found, Raised) else [*found.parameters.values()]
    kinds = {one.kind for one in taken}
    several = {one.kind for one in parameters.values()} & {*_MANY}
    if isinstance(found, Raised) or several or Parameter.VAR_POSITIONAL in kinds:
        return lambda call: chooser(*call.positional, **call.named), parameters
    single = [one for one in taken if one.kind is not Parameter.VAR_KEYWORD]
    names = [one.name for one in single]
    in_order = Parameter.POSITIONAL_ONLY in kinds or bool({*names} - {*parameters})
    if in_order:
        names = [*islice(parameters, len(single))]

    def chosen(call: Arguments) -> Any:
        values = {
            name: call.values[name]
            for one, name in zip(single, names, strict=False)
            if name in call.given or one.default is Parameter.empty
        }
        if in_order:
            return chooser(*values.values())
        more = call.given if Parameter.VAR_KEYWORD in kinds else ()
        return chooser(**{**{name: call.values[name] for name in more}, **values})

    return chosen, names
