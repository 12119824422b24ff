"""Keep secrets out of the frames of exceptions that leave the library: error trackers, and tracebacks with locals, show each variable.

Frames keep their file and line. Those of our own code, and of the libraries that it called, lose their variables once they have ended;
those of the host and of connectors' authors keep theirs.
"""

from __future__ import annotations

import gc
import logging
import sys
from contextlib import aclosing, suppress
from functools import wraps
from traceback import format_tb

from jackfield.kernel.ends import no_modules
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.secrecy import SecretHolder

TYPE_CHECKING = False  # as in failures
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
    from types import FrameType
    from typing import Any, TypeVar

    T = TypeVar("T")

_LOG = logging.getLogger("jackfield.frames")
_PARTS = ("aws", "celery", "dapr", "formats", "http", "isolation", "market", "mcp", "openapi", "service", "store", "vault")
_OURS = frozenset({"jackfield", *(f"jackfield_{name}" for name in _PARTS)})
_LIBRARIES = sys.stdlib_module_names | {
    "boto3", "botocore", "cryptography", "httpcore2", "httpx2", "jsonschema", "jsonschema_rs", "obstore", "orjson", "pluggy", "psycopg",
    "psycopg_pool", "pydantic", "pydantic_core", "s3transfer", "urllib3", "yaml",
}  # fmt: skip
"""Packages that run no code of their own accord: what calls them owns their frames."""
_CALLED = frozenset({
    "__aenter__", "__aexit__", "__aiter__", "__anext__", "__call__", "__enter__", "__exit__", "__init__", "__iter__", "__next__",
})  # fmt: skip
_LONGEST = 100
"""Limit of causes that are looked at."""
_ASYNC, _GENERATES, _STREAMS = 0x80, 0x20, 0x200
_KINDS: dict[type, type] = {}
"""Classes whose functions are borders, by those that they are made of."""


def bordered(kind: T) -> T:
    """Make a function, or the public methods and properties of a class, the border to the host: what leaves it has no variable of ours.

    What ``jackfield`` exports is bordered, and whatever its methods return; a test follows their annotations. A border costs two calls of
    functions: what each call passes below ``Jackfield`` has none of its own.
    """
    if not isinstance(kind, type):
        made: T = _bordered(kind)
        return made
    for name, member in [*vars(kind).items()]:
        if name in _CALLED or not name.startswith("_"):
            setattr(kind, name, _bordered(member))
    return kind


def bordered_object(found: T, below: Callable[[], object]) -> T:
    """Make the public functions of an object that a host gets the border, if its class is ours, except where ``below`` returns a call.

    It stays the same object, of a subclass: what it holds may be shared. Others of its class are as they were.
    """
    kind = type(found)
    if kind.__module__.partition(".")[0] in _OURS and kind not in _KINDS.values():
        made = _KINDS.get(kind) or _KINDS.setdefault(kind, _subclass(kind, _Border(below)))
        with suppress(TypeError):  # of a layout that cannot change
            found.__class__ = made
    return found


def _subclass(kind: type, border: _Border) -> type:
    members: dict[str, Any] = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    for base in reversed(kind.__mro__[:-1]):
        for name, member in vars(base).items():
            if name.startswith("_") or getattr(getattr(member, "fget", member), "__code__", None) is None:
                continue
            is_property = isinstance(member, property)
            members[name] = property(_called(member.fget, border), doc=member.__doc__) if is_property else _called(member, border)
    return type(kind)(kind.__name__, (kind,), members)


def _bordered(member: Any) -> Any:
    if isinstance(member, property):
        return property(_bordered(member.fget), member.fset, member.fdel, member.__doc__)
    if isinstance(member, (staticmethod, classmethod)):
        return type(member)(_bordered(member.__func__))
    if not hasattr(member, "__code__"):
        return member
    flags = member.__code__.co_flags
    if flags & _STREAMS:
        return _streamed(member)
    return _awaited(member) if flags & _ASYNC else _generated(member) if flags & _GENERATES else _called(member)


class _Border:
    """Context manager that clears what leaves its block, unless ``below`` returns a call, which has a border of its own."""

    __slots__ = ("_below",)

    def __init__(self, below: Callable[[], object] | None = None) -> None:
        self._below = below

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.passed_by(error)

    def passed_by(self, error: BaseException | None) -> None:
        """Clear what leaves a block that this is around."""
        if error is None or not (self._below is None or self._below() is None):
            return
        try:
            clear(error)
        except RecursionError:  # the host calls from as deep as one may: there is no room to look through frames
            error.__cause__ = error.__context__ = error.__traceback__ = None
        if sys.is_finalizing() and isinstance(error, Exception):
            raise no_modules() from None  # whatever it is, it is the consequence of that


BORDER = _Border()
"""The border itself, for calls that are not always one."""


class _Arguments(SecretHolder):
    """Arguments of a call, which no frame shows while it runs."""

    __slots__ = ("args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs


def _called(function: Callable[..., T], border: _Border = BORDER) -> Callable[..., T]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> T:
        given, has_returned = _Arguments(args, kwargs), False
        del args, kwargs
        try:
            found = function(*given.args, **given.kwargs)
            has_returned = True
            return found
        finally:
            if not has_returned:
                border.passed_by(sys.exception())  # which no variable here may refer to

    return call


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    call: Any = _begun(function, _await)
    # a host that asks is told that it makes a coroutine: ``inspect`` reads that flag, whose mark of its own is younger than Python 3.11
    code = call.__code__.replace(co_flags=call.__code__.co_flags | _ASYNC)
    found: Callable[..., Any] = wraps(function)(type(call)(code, call.__globals__, closure=call.__closure__))
    return found


def _generated(function: Callable[..., Any]) -> Callable[..., Any]:
    return _begun(function, _generate)


def _streamed(function: Callable[..., Any]) -> Callable[..., Any]:
    return _begun(function, _stream)


def _begun(function: Callable[..., Any], begin: Callable[[Callable[..., Any], _Arguments], Any]) -> Callable[..., Any]:
    """Return a function that makes what a host begins later, or cancels before its first step: then, too, no frame has its arguments."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = _Arguments(args, kwargs)
        del args, kwargs
        made = begin(function, given)
        made.__name__, made.__qualname__ = function.__name__, function.__qualname__  # in warnings, and in the names of tasks
        return made

    return call


async def _await(function: Callable[..., Any], given: _Arguments) -> Any:
    return await cleared(function(*given.args, **given.kwargs))


def _generate(function: Callable[..., Any], given: _Arguments) -> Generator[Any, Any, Any]:
    with BORDER:
        return (yield from function(*given.args, **given.kwargs))


async def _stream(function: Callable[..., Any], given: _Arguments) -> AsyncIterator[Any]:
    with BORDER:
        async with aclosing(function(*given.args, **given.kwargs)) as items:
            async for item in items:
                yield item


async def cleared(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine; what it raises has no variable of ours."""
    with BORDER:
        return await coroutine


def clear(error: BaseException) -> None:
    """Clear the variables of our own frames in the traceback of an exception, and in those of its causes."""
    if isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit)):
        return
    _tell(error)
    ours: set[FrameType] = set()
    """A cause that a library caught begins in a frame of the library: only the consequence, which comes first, shows who called that."""
    for one in _chain(error):
        is_below = False
        for frame in _frames(one):
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            is_below = package in _OURS or ((is_below or frame in ours) and package in _LIBRARIES)
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
            waiting += [found.__context__, found.__cause__, *(found.exceptions if isinstance(found, BaseExceptionGroup) else ())]


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _has_ended(frame: FrameType) -> bool:
    """Return whether a frame runs no more, and is not suspended: then only has it taken over what it refers to. To clear the frame of a
    suspended generator would end that."""
    code = frame.f_code
    return any(found is code for found in gc.get_referents(frame))


def _tell(error: BaseException) -> None:
    """Log the frames of an exception at DEBUG, without values: messages are ours only, which hold no secrets."""
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug(
            "raised to the host: %s", "\nin place of, or caused by: ".join(map(_described, _chain(error))), extra={"has_lines": True}
        )


def _described(error: BaseException) -> str:
    about = f": {error}" if isinstance(error, JackfieldError) else ""
    return f"{type(error).__qualname__}{about}\n{''.join(format_tb(error.__traceback__)).rstrip()}"
