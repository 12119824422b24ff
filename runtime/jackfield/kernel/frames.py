"""Removal of secrets from the frames of exceptions that leave the library, since error trackers,
and tracebacks with locals, display each variable.

Frames keep their file and line. Frames of jackfield's code, and of the libraries that it called,
lose their variables once they have ended; frames of the host and of connectors' authors keep them.
"""

from __future__ import annotations

import gc
import logging
import sys
from functools import wraps
from traceback import format_tb

from jackfield.kernel.ends import no_modules
from jackfield.kernel.errors import JackfieldError

TYPE_CHECKING = False  # as in failures
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator
    from types import FrameType
    from typing import Any, TypeVar

    T = TypeVar("T")

_LOG = logging.getLogger("jackfield.frames")
_LIBRARIES = sys.stdlib_module_names | {
    "boto3",
    "botocore",
    "cryptography",
    "httpcore2",
    "httpx2",
    "jsonschema",
    "jsonschema_rs",
    "obstore",
    "orjson",
    "pluggy",
    "psycopg",
    "psycopg_pool",
    "pydantic",
    "pydantic_core",
    "s3transfer",
    "urllib3",
    "yaml",
}
"""Packages that run code only for their callers, whose frames include theirs."""
_LONGEST = 100
_ASYNC, _GENERATES = 0x80, 0x20


def bordered(kind: T, unless: Callable[[], object] | None = None) -> T:
    """Make a function, or the public methods and properties of a class, inherited ones too, the
    boundary to the host: exceptions that cross it carry no variables of jackfield's.

    ``Jackfield`` has this boundary, and so have the objects that its methods return; a test follows
    their annotations. Inner code that each call passes has none, or an inactive one while
    ``unless`` returns a call. A boundary costs one function call.
    """
    if not isinstance(kind, type):
        made: T = _bordered(kind, unless)
        return made
    for name, member in {
        name: member for base in reversed(kind.__mro__) for name, member in vars(base).items()
    }.items():
        if (name == "__init__" or not name.startswith("_")) and (
            made := _bordered(member, unless)
        ) is not member:
            setattr(kind, name, made)
    return kind


def _bordered(member: Any, unless: Callable[[], object] | None) -> Any:
    if isinstance(member, property):
        return property(_bordered(member.fget, unless), member.fset, member.fdel, member.__doc__)
    if not hasattr(member, "__code__"):
        return member
    flags = member.__code__.co_flags
    return (
        _awaited(member)
        if flags & _ASYNC
        else _begun(member, _generate, unless)
        if flags & _GENERATES
        else _called(member, unless)
    )


def _called(function: Callable[..., T], unless: Callable[[], object] | None) -> Callable[..., T]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> T:
        given: Iterator[Any] = iter((args, kwargs))  # which no tool shows while the function runs
        del args, kwargs
        try:
            return function(*next(given), **next(given))
        except BaseException as error:
            if unless is None or unless() is None:
                _leave(error)
            raise

    return call


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    call: Any = _begun(function, _await)
    # a host that asks is told that it makes a coroutine: ``inspect`` reads that flag, whose mark of
    # its own is younger than Python 3.11
    code = call.__code__.replace(co_flags=call.__code__.co_flags | _ASYNC)
    found: Callable[..., Any] = wraps(function)(
        type(call)(code, call.__globals__, closure=call.__closure__)
    )
    return found


def _begun(
    function: Callable[..., Any],
    begin: Callable[[Callable[..., Any], Iterator[Any]], Any],
    unless: Callable[[], object] | None = None,
) -> Callable[..., Any]:
    """Return a function for coroutines that a host starts later, or cancels before the first step.
    In both cases, no frame holds their arguments.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if unless is not None and unless() is not None:
            return function(*args, **kwargs)
        made = begin(function, iter((args, kwargs)))
        # in warnings, and in the names of tasks
        made.__name__, made.__qualname__ = function.__name__, function.__qualname__
        return made

    return call


async def _await(function: Callable[..., Any], given: Iterator[Any]) -> Any:
    return await cleared(function(*next(given), **next(given)))


def _generate(function: Callable[..., Any], given: Iterator[Any]) -> Generator[Any, Any, Any]:
    try:
        return (yield from function(*next(given), **next(given)))
    except BaseException as error:
        _leave(error)
        raise


async def cleared(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine; its exceptions carry no variables of jackfield's frames."""
    try:
        return await coroutine
    except BaseException as error:
        _leave(error)
        raise


def _leave(error: BaseException) -> None:
    try:
        clear(error)
    except (RecursionError, ImportError):
        # the host calls from as deep as one may, or modules are gone: frames cannot be looked
        # through
        error.__cause__ = error.__context__ = error.__traceback__ = None
    if sys.is_finalizing() and isinstance(error, Exception):
        raise no_modules() from None  # whatever it is, it is the consequence of that


def clear(error: BaseException) -> None:
    """Clear the variables of jackfield's frames in the tracebacks of an exception and its
    causes.
    """
    if isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit)):
        return
    from jackfield.kernel.packages import IMPORTED  # which no call that succeeds loads

    _tell(error)
    ours: set[FrameType] = set()
    """Our own frames so far: a cause that a library caught begins in a frame of the library, and
    only the consequence, which comes first, shows its caller.
    """
    for one in _chain(error):
        is_below = False
        for frame in _frames(one):
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            is_below = (
                package == "jackfield"
                or package in IMPORTED
                or ((is_below or frame in ours) and package in _LIBRARIES)
            )
            if is_below:
                ours.add(frame)
                if _has_ended(frame):
                    frame.clear()


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < _LONGEST:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen[id(found)] = found
            yield found
            waiting += [
                found.__context__,
                found.__cause__,
                *(found.exceptions if isinstance(found, BaseExceptionGroup) else ()),
            ]


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _has_ended(frame: FrameType) -> bool:
    """Return whether a frame has ended, and is not suspended: only then may it be cleared. Clearing
    the frame of a suspended generator would end the generator.
    """
    code = frame.f_code
    return any(found is code for found in gc.get_referents(frame))


def _tell(error: BaseException) -> None:
    """Log the frames of an exception at DEBUG, without values. Messages are logged only for
    jackfield's own exceptions, which hold no secrets.
    """
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug(
            "raised to the host: %s",
            "\nin place of, or caused by: ".join(map(_described, _chain(error))),
            extra={"has_lines": True},
        )


def _described(error: BaseException) -> str:
    about = f": {error}" if isinstance(error, JackfieldError) else ""
    return f"{type(error).__qualname__}{about}\n{''.join(format_tb(error.__traceback__)).rstrip()}"
