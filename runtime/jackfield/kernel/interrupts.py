"""Distinction between exceptions that the host raises into a call (a time limit, a stop signal, a
cancelled greenlet) and exceptions of code in the call.

The host's exception leaves the call unchanged: it comes from a signal handler, has a class that the
host has named, or is not an ``Exception``. Exits and cancellations are not ``Exception`` either,
but a connector's code may raise them. A failure of an unknown class is not retried.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType, MethodType

TYPE_CHECKING = False  # as in failures
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, TracebackType
    from typing import Any

GROUP = "jackfield.lets_out"
"""Group of entry points that name classes of exceptions. The classes are not imported: an
exception's class is always in a loaded module.
"""
_DEPTH = 20
_TRANSPORTS = frozenset({"botocore", "httpcore2", "urllib3"})
"""Packages that convert any exception between a request and its answer into their own error, as
jackfield's wire does.
"""
_NAMED: set[type[BaseException]] = set()
_DECLARED: set[str] = set()


def let_out_of_calls(classes: Iterable[type[BaseException]], declared: Iterable[str] = ()) -> None:
    """Let exceptions of the host's and of ``declared`` classes (``module:Class``) pass through all
    calls of this process.

    :raises TypeError: for a value that is not an exception class, or a class of all failures.
    """
    kind: Any
    for kind in classes:
        if (
            not isinstance(kind, type)
            or not issubclass(kind, BaseException)
            or issubclass(Exception, kind)
        ):
            raise TypeError(
                f"lets_out has {kind!r}: name classes of exceptions that your program raises "
                "into calls"
            )
        _NAMED.add(kind)
    _DECLARED.update(declared)


def interrupt(error: BaseException) -> bool:
    """Return whether the host has named the class of an exception, or a signal handler has raised
    it.
    """
    if isinstance(error, (*_NAMED, *_loaded())):
        return True
    trace, codes = error.__traceback__, _handlers()
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def comes_out(error: BaseException) -> bool:
    """Return whether an exception leaves the call: the host's exception, or any that is not an
    ``Exception``, except exits and cancellations.
    """
    return not (isinstance(error, Exception) or _is_exit(error)) or interrupt(error)


def let_out(error: Exception) -> None:
    """Raise an exception that is unrelated to a socket: the host's, or an OSError of a class that
    is not Python's.
    """
    if interrupt(error) or (isinstance(error, OSError) and is_unknown(error)):
        raise error


def let_out_of_call(error: Exception, handled: BaseException | None) -> None:
    """Raise the host's exception unchanged, if ``error`` is that exception or was derived from it.

    ``handled`` is the exception that the host was handling when it called; it is the context of all
    exceptions in the call, and does not count. If an exception shares the traceback of its cause
    (urllib3 copies it), the cause is the host's.
    """
    found = [one for one in _made_of(error, handled) if interrupt(one)]
    while found:
        one = found.pop(0)
        if not any(_end(one) is _end(other) for other in found):
            context = one.__context__
            try:
                raise one
            finally:
                one.__context__ = context  # not what was made of it


def drop_frames(error: BaseException, handled: BaseException | None) -> None:
    """Clear the tracebacks of an exception that ends here, and of its causes, since they refer to
    open objects. The exception that the host was handling keeps its traceback.
    """
    for found in _made_of(error, handled):
        found.__traceback__ = None


def is_unknown(error: BaseException) -> bool:
    """Return whether an exception is foreign to Python and the transports: by its class, or as a
    Python OSError without arguments, which code throws in by its class alone.
    """
    package = type(error).__module__.partition(".")[0]
    is_known = (
        package in sys.stdlib_module_names
        or package in _TRANSPORTS
        or package.partition("_")[0] == "jackfield"
    )
    return not is_known or (package == "builtins" and isinstance(error, OSError) and not error.args)


def is_thrown_in(error: BaseException, handled: BaseException | None) -> bool:
    """Return whether a transport has derived its error from an unknown exception. The code that
    raised that exception wanted to stop the call, so there must be no next attempt.
    """
    for found in _made_of(error, handled):
        module, origin = type(found).__module__, found.__cause__ or found.__context__
        is_transports = module == "jackfield.wire.faults" or module.partition(".")[0] in _TRANSPORTS
        if is_transports and origin not in (None, handled) and is_unknown(origin):
            return True
    return False


def _made_of(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    seen = [] if handled is None else [handled]
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < _DEPTH:
        found = waiting.pop()
        if found is not None and not any(found is one for one in seen):
            seen.append(found)
            yield found
            waiting += [found.__context__, found.__cause__]


def _is_exit(error: BaseException) -> bool:
    return isinstance(error, (SystemExit, KeyboardInterrupt, GeneratorExit)) or is_cancelled(error)


def is_cancelled(error: BaseException) -> bool:
    """Return whether an exception is asyncio's cancellation of a task. asyncio is not imported for
    this; while another thread imports it, it may lack names.
    """
    kind = getattr(sys.modules.get("asyncio"), "CancelledError", None)
    return kind is not None and isinstance(error, kind)


def _end(error: BaseException) -> TracebackType | None:
    """Return the last entry of a traceback, where its exception was raised; None without a
    traceback.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _loaded() -> Iterator[type[BaseException]]:
    """Yield the declared classes whose modules this process has loaded."""
    for declared in _DECLARED:
        module, _, name = declared.partition(":")
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type):
            yield kind


def _handlers() -> set[CodeType]:
    signals = sys.modules.get("_signal")
    return (
        set()
        if signals is None
        else {
            code for number in range(1, signals.NSIG) if (code := _code(signals.getsignal(number)))
        }
    )


def _code(called: Any) -> CodeType | None:
    found = function_of(called)
    return found.__code__ if type(found) is FunctionType else None


def function_of(called: Any) -> Any:
    """Return the function that runs if an object is called: the object itself, that of a method or
    of ``functools.partial``, or the method ``__call__`` of an object of the host.
    """
    while type(called) is partial:
        called = called.func
    kind = type(called)
    if kind in (MethodType, staticmethod):
        return called.__func__
    return called if kind is FunctionType else kind.__call__
