"""Tell what the host raises into a call (a time limit, a stop signal, a cancelled greenlet) from what code in the call raises.

The host's must leave the call as it was raised; a connector's is that connector's failure. Nothing in an exception names its origin, but
its traceback does. A signal's handler is known to Python, and has been given the frame that it interrupted. What another thread or greenlet
throws in comes up where no instruction raises. A traceback that an exception has from the one that it was made of tells nothing about it.
"""

from __future__ import annotations

import sys
from functools import partial
from opcode import opname
from types import FunctionType, MethodType

TYPE_CHECKING = False  # as in failures
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType, TracebackType
    from typing import Any

_DEPTH = 20
"""Limit of causes that are looked at."""
_SWITCHES = ("gevent", "greenlet", "eventlet")
"""Packages whose functions that switch greenlets raise what is thrown into one, and nothing else."""
_WAITS = frozenset({"YIELD_VALUE", "RETURN_GENERATOR"})
"""Instructions at which, or right after which, a generator or coroutine is thrown the error of what it waits for."""
_RAISES = frozenset({"RAISE_VARARGS", "RERAISE", "SEND", "JUMP_BACKWARD_NO_INTERRUPT"}) | _WAITS
_EXITS = frozenset({"exit", "_exit", "quit"})


def interrupt(error: BaseException) -> BaseException | None:
    """Return an exception if the host has raised it; None if code in the call has."""
    steps = [*_steps(error.__traceback__)]
    if not steps:
        return None
    known = _handlers()
    is_hosts = any(step.tb_frame.f_code in known or _is_handler(step.tb_frame) for step in steps) or _is_thrown_in(error, steps[-1])
    return error if is_hosts and not _is_borrowed(error, steps[-1]) else None


def let_out(error: Exception) -> None:
    """Raise an exception that the host has raised."""
    if interrupt(error) is not None:
        raise error


def let_out_of_call(error: Exception, handled: BaseException | None) -> None:
    """Raise what the host has raised, as it was raised, if ``error`` is that or was made of it.

    ``handled`` is what the host was handling when it called: the context of all that is raised in the call, and no news.
    """
    for found in _made_of(error, handled):
        if interrupt(found) is not None:
            context = found.__context__
            try:
                raise found
            finally:
                found.__context__ = context  # not what was made of it


def drop_frames(error: BaseException, handled: BaseException | None) -> None:
    """Take the frames from an exception that ends here, and from those that it was made of: some refer to it, and all to what is open. What
    the host was handling keeps its own."""
    for found in _made_of(error, handled):
        found.__traceback__ = None


def _made_of(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    seen = [] if handled is None else [handled]
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < _DEPTH:
        found = waiting.pop()
        if found is not None and not any(found is one for one in seen):
            seen.append(found)
            yield found
            waiting += [found.__context__, found.__cause__]


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _handlers() -> set[CodeType]:
    """Return the code of this process's handlers of signals: one that is called may have dropped what ``_is_handler`` looks for."""
    signals = sys.modules.get("_signal")
    return set() if signals is None else {code for number in range(1, signals.NSIG) if (code := _code(signals.getsignal(number)))}


def _code(called: Any) -> CodeType | None:
    """Return the code that runs if an object is called: a function, a method, ``functools.partial`` of one, or a host's own."""
    while type(called) is partial:
        called = called.func
    kind = type(called)
    if kind is MethodType:
        called = called.__func__
    elif kind is not FunctionType:
        called = kind.__call__
    return called.__code__ if type(called) is FunctionType else None


def _is_handler(frame: FrameType) -> bool:
    """Return whether a frame is that of a signal's handler, which may have removed itself since: the interpreter has passed it the frame in
    which it was called."""
    code, interrupted = frame.f_code, frame.f_back
    if interrupted is None:
        return False
    count = code.co_argcount + bool(code.co_flags & 0x04)  # *args
    values = frame.f_locals
    given: list[Any] = [values.get(name) for name in code.co_varnames[: count + code.co_kwonlyargcount]]
    # isinstance would ask an object of the host's, and one that is lazy may raise
    several = [one for value in given if issubclass(type(value), tuple) for one in tuple.__iter__(value)]
    return any(one is interrupted for one in (*given, *several))


def _is_thrown_in(error: BaseException, last: TracebackType) -> bool:
    """Return whether an exception came up where no code raises it: thrown into a greenlet, or set for this thread by another one."""
    code, module = last.tb_frame.f_code, str(last.tb_frame.f_globals.get("__name__", ""))
    if module.partition(".")[0] in _SWITCHES:
        return "switch" in code.co_name and not _is_sockets(error)
    if not 0 <= last.tb_lasti < len(code.co_code) or opname[code.co_code[last.tb_lasti]] in _RAISES:
        return False
    if last.tb_lasti > 1 and opname[code.co_code[last.tb_lasti - 2]] in _WAITS:
        return False
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return not _EXITS & {*code.co_names}
    if "result" in code.co_names and module.partition(".")[0] != "jackfield":  # asyncio's futures, in C, raise what they were given
        return False
    return not code.co_filename.endswith(".pyx") and _is_made_in_python(type(error))


def _is_sockets(error: BaseException) -> bool:
    """Return whether the package that switches has thrown an exception in for one of its sockets. It does so at the end of the socket's own
    time-out, always in these words, or since another greenlet has closed it. A host throws in a class of its own, or an OSError in other
    words."""
    if type(error) is TimeoutError:
        return str(error).endswith("timed out")
    return isinstance(error, OSError) and type(error).__module__.partition(".")[0] in _SWITCHES


def _is_borrowed(error: BaseException, last: TracebackType) -> bool:
    """Return whether a traceback is that of the exception that the error was made of (urllib3 gives it on): it tells that one's origin."""
    return any(last is step for one in _made_of(error, None) if one is not error for step in _steps(one.__traceback__))


def _is_made_in_python(kind: type) -> bool:
    """Return whether no code in C can raise an exception: its class is that of a package without any, and neither Python's nor ours."""
    package = kind.__module__.partition(".")[0]
    if package in sys.stdlib_module_names or package.partition("_")[0] == "jackfield":
        return False
    files = [
        str(getattr(module, "__file__", None) or "")
        for name, module in [*sys.modules.items()]
        if name == package or name.startswith(f"{package}.")
    ]
    return not any(file.endswith((".so", ".pyd")) for file in files)
