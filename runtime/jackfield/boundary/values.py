"""Records of the values and exceptions of functions that are called once for a key, and the words
for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from jackfield.kernel.errors import (
    InvalidInput,
    JackfieldError,
    Provider,
    Rejected,
    Sent,
    Unavailable,
)
from jackfield.kernel.failures import Raised, attempt, attempt_foreign
from jackfield.kernel.interrupts import interrupt
from jackfield.schema.python_objects import encoded
from jackfield.schema.python_types import NotBegunError, NotDoneError, ReturnType, unfulfilled

_QUOTED = 300


async def outcome(
    function: Callable[..., Any], given: Iterable[Any], named: Mapping[str, Any], *, loops: bool
) -> Any:
    """Call a function, and await it if it ``loops``; return its value, or its ``Exception`` as
    ``Raised``, as is that of a value yet to be made. The host's own exceptions pass through.
    """
    found = attempt(function, *given, **named)
    if loops and not isinstance(found, Raised):
        found = await tried(found)
    return fulfilled(found)


async def tried(made: Awaitable[Any], seconds: float | None = None) -> Any:
    """Await a coroutine, for so many seconds at most; return its value, or its ``Exception`` as
    ``Raised``.
    """
    from asyncio import gather, wait_for  # only programs with coroutines need it

    found: Any = (await gather(wait_for(made, seconds), return_exceptions=True))[0]
    if isinstance(found, BaseException) and (not isinstance(found, Exception) or interrupt(found)):
        raise found
    return Raised(found) if isinstance(found, Exception) else found


def fulfilled(found: Any) -> Any:
    """Return an outcome, or the error of a value that is yet to be made, as ``Raised``."""
    error = None if isinstance(found, Raised) else unfulfilled(found)
    return found if error is None else Raised(error)


def kept(returns: ReturnType, value: Any, *, is_repeated: bool) -> tuple[Any, str | None]:
    """Return a value as JSON, None if it is not JSON, and a warning if it is not recorded, or what
    repeats get does not equal it.
    """
    recorded = attempt_foreign(encoded, value, exact=True)
    if isinstance(recorded, Raised):
        faults = recorded.error.details if isinstance(recorded.error, InvalidInput) else ()
        where = f" ({type(recorded.error).__name__})"
        if faults:
            where = f" at {faults[0].path or '/'}, which {faults[0].message}"
        return None, f"the value is not recorded: it is not JSON{where}; repeats get None"
    again, is_equal = returns.again(value, recorded) if is_repeated else (recorded, True)
    said = "plain JSON" if again is recorded else "what JSON has of the value"
    warning = f"repeats get {said}, of the type '{type(again).__name__}'"
    return recorded, None if is_equal else warning


def verdict(
    name: str, error: BaseException, refusals: tuple[type[BaseException], ...]
) -> JackfieldError:
    """Return what is recorded of a function's exception. A refusal has its words, which the author
    allows to be displayed by declaring its class. Of others, whose words may quote anything, the
    class and the provider's status are recorded; nobody knows what they leave (``Sent.UNKNOWN``).
    """
    kind, said = type(error).__name__, attempt_foreign(str, error)
    words = "" if isinstance(said, Raised) else " ".join(said.split())
    is_refusal = issubclass(type(error), refusals) and not isinstance(error, NotDoneError)
    if is_refusal or isinstance(error, NotBegunError):
        said_too = f": {words[:_QUOTED]}" if words else ""
        return Rejected(f"'{name}' was refused: {kind}{said_too}", sent=Sent.REFUSED)
    found = attempt_foreign(Provider.of, error)
    provider = None if isinstance(found, Raised) else found
    text = words if isinstance(error, NotDoneError) else f"it raised {kind}"
    if provider is not None:
        text = f"{text}, for the provider's status {provider.http_status}"
    return Unavailable(text, sent=Sent.UNKNOWN, repeatable=False, provider=provider)
