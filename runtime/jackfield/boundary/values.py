"""JSON of the arguments and the values of functions that are called once for a key."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Signature, isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.failures import Raised
from jackfield.kernel.interrupts import interrupt
from jackfield.schema.json_values import is_json, to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LONGEST = 180
"""Maximum characters of a key. The name of its function must fit next to it."""
_DEEPEST = 100
_QUOTED = 300
_ATOMS = frozenset({str, int, float, bool, type(None)})


def key_of(name: str, given: object) -> str:
    """Return the key of a call as a string.

    :raises InvalidInput: if it is not a string, number or UUID, or is blank, too long or not
        printable ASCII.
    """
    kind = type(given)
    text = str(given) if kind in {str, int} or kind.__name__ == "UUID" else ""
    if (
        not 1 <= len(text) <= _LONGEST
        or not text.isascii()
        or not text.isprintable()
        or text.isspace()
    ):
        fault = (
            f"must be text, a whole number or a UUID, of 1 to {_LONGEST} printable ASCII "
            f"characters, not {kind.__name__}"
        )
        raise InvalidInput(
            f"'{name}' has no valid key",
            details=[Detail("/key", fault)],
            hint="Use what names the intent, as an order's ID.",
        )
    return text


def encoded(value: Any) -> Any:
    """Return a value as JSON. Dates, decimals, enumerations, dataclasses and pydantic models get
    the form that inputs of actions have.

    :raises InvalidInput: with each part that is not JSON.
    """
    if is_json(value):
        return value
    found, faults = to_json(_plain(value, _DEEPEST))
    if faults:
        raise InvalidInput("the value is not JSON", details=faults)
    return found


def _plain(value: Any, depth: int) -> Any:
    """Return a value with Python's classes converted to JSON. A value without a JSON form stays
    unchanged, and is refused later.
    """
    kind = type(value)
    if kind in _ATOMS or depth <= 0:
        return value
    if hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if hasattr(kind, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name), depth - 1) for name in kind.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {name: _plain(item, depth - 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value]
    from jackfield.schema.python_values import as_json  # which imports what these classes are of

    return as_json(value, {})


def unrecorded(error: Exception) -> str:
    """Return the message about a value that is not JSON."""
    faults = error.details if isinstance(error, InvalidInput) else ()
    where = (
        f" at {faults[0].path or '/'}, which {faults[0].message}"
        if faults
        else f" ({type(error).__name__})"
    )
    return f"the value is not recorded: it is not JSON{where}; repeats get None"


def refusal(name: str, error: BaseException) -> str:
    """Return the recorded message of an exception that proves that nothing took effect. By
    declaring the exception, the author allows its message to be displayed.
    """
    words = " ".join(str(error).split())
    return f"'{name}' was refused: {type(error).__name__}{': ' if words else ''}{words[:_QUOTED]}"


def request_of(signature: Signature, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """Return the arguments of a call by name, with defaults, so that equal calls make equal
    requests.

    :raises TypeError: if the function does not take the arguments.
    """
    bound = signature.bind(*given, **named)
    bound.apply_defaults()
    return dict(bound.arguments)


def decoded(function: Callable[..., Any], value: Any) -> Any:
    """Return a recorded value, converted to the type that its function's annotation names; without
    such a type, return plain JSON.
    """
    kind = _kind_of(function)
    if kind in _ATOMS or kind is Any:
        return value
    from pydantic import TypeAdapter  # a program whose values are plain JSON needs none

    return TypeAdapter(kind).validate_python(value)


def may_be_none(function: Callable[..., Any] | None) -> bool:
    """Return whether None is a value of a function, by its annotation. Pass None for a block, which
    has no function; the result is True.
    """
    kind = Any if function is None else _kind_of(function)
    return kind is type(None) or type(None) in get_args(kind)


def _kind_of(function: Callable[..., Any]) -> Any:
    return (
        get_type_hints(function)["return"]
        if "return" in getattr(function, "__annotations__", {})
        else Any
    )


async def tried(function: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
    """Await a coroutine function; return its value, or the ``Exception`` that it raises. The host's
    own exceptions pass through.
    """
    from asyncio import gather  # only programs with coroutines need it

    found: Any = (await gather(function(*given, **named), return_exceptions=True))[0]
    if isinstance(found, BaseException) and (not isinstance(found, Exception) or interrupt(found)):
        raise found
    return Raised(found) if isinstance(found, Exception) else found


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling a function makes a coroutine.

    :raises TypeError: for a generator function, which runs only after the call.
    """
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise TypeError(
            "'once' takes functions and coroutine functions: a generator runs only after it was "
            "called"
        )
    return iscoroutinefunction(function)
