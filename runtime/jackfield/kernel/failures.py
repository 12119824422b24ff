"""Handling of any exception: undo and re-raise (``OnFailure``), or prevent foreign code from ending
its thread or task (``Contained``). ``attempt`` returns an exception of foreign code as a value,
``loaded`` imports declared objects of packages, and ``exhausted`` detects that memory, threads or
descriptors have run out, ``require_stack`` that the stack has. ``ClientsLeave`` lets a server's
client disconnect.
"""

from __future__ import annotations

import errno
import importlib
import operator
import sys
import threading
from sys import _getframe, getrecursionlimit

from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.interrupts import comes_out, interrupt, is_cancelled

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, Protocol, TypeVar

    class Point(Protocol):
        """Entry point of an installed package."""

        @property
        def name(self) -> str:
            """Name of the entry point."""

        @property
        def distribution(self) -> str:
            """Distribution that declares the entry point."""

        @property
        def module(self) -> str:
            """Module of the declared object."""

        @property
        def attribute(self) -> str:
            """Attribute of the module; empty for the module itself."""

    P = ParamSpec("P")
    T = TypeVar("T")


class OnFailure:
    """Context manager that calls ``undo`` if the block raises, Ctrl-C included; the exception
    propagates.

    It is a class, because a generator-based context manager costs several times as much, and each
    database call passes two.
    """

    __slots__ = ("_given", "_undo")

    def __init__(self, undo: Callable[..., object], *given: object) -> None:
        self._undo = undo
        self._given = given

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._undo(*self._given)


class Raised:
    """Exception of a call, as a value."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Contained:
    """Context manager around foreign code that turns its exits into failures. An exit, a
    ``CancelledError`` or a ``GeneratorExit`` must not end the thread, task or generator that runs
    the code: its invocation would end without a Result. They become a ``RuntimeError``.

    Exceptions of the host's named classes or of a signal handler pass through (``interrupts``).
    Ctrl-C stays unchanged in the main thread, the only thread that it reaches, and so does a
    requested cancellation of a task.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, Exception) or _was_asked_for(error):
            return
        said = (
            f"called exit({error.code!r})"
            if isinstance(error, SystemExit)
            else f"raised {type(error).__name__}, which is not an Exception"
        )
        raise RuntimeError(f"the connector's code {said}") from None


CONTAINED = Contained()


def _was_asked_for(error: BaseException) -> bool:
    if interrupt(error):
        return True
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()
    if not is_cancelled(error):
        return False
    try:
        task = sys.modules["asyncio"].current_task()
    except RuntimeError:  # no loop runs in this thread
        return False
    return task is not None and task.cancelling() > 0


def contained(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call foreign code, contained.

    :raises RuntimeError: in place of a ``BaseException`` that is not an ``Exception``.
    """
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        CONTAINED.__exit__(type(error), error, None)
        raise


def in_callers_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call foreign code in the caller's thread. A ``BaseException`` passes through, except an
    exit.
    """
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        if not comes_out(error):
            CONTAINED.__exit__(type(error), error, None)
        raise


def attempt(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | Raised:
    """Call code that may raise anything. Return its value, or the ``Exception`` that it raised; the
    host's exceptions pass through.
    """
    try:
        return function(*args, **kwargs)
    except Exception as error:
        if interrupt(error):
            raise
        return Raised(error)


def attempt_foreign(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | Raised:
    """Call a connector's code, contained. Return its value, or its exception."""
    try:
        return contained(function, *args, **kwargs)
    except Exception as error:  # noqa: BLE001 (the boundary to foreign code; the caller decides what the exception means)
        return Raised(error)


def value_of(outcome: T | Raised) -> T:
    """Return the value of an outcome of ``attempt`` or ``attempt_foreign``, or raise its
    exception.
    """
    if isinstance(outcome, Raised):
        raise outcome.error
    return outcome


class BrokenPart(ImportError):
    """Error for an object that an installed package declares and that cannot be loaded. ``kind`` is
    the class of the exception; ``reason`` may quote the package.
    """

    def __init__(self, noun: str, point: Point, reason: str, kind: str = "") -> None:
        self.about = f"the {noun} '{point.name}' of the distribution {point.distribution}"
        self.kind, self.reason = kind or reason, reason
        super().__init__(f"{self.about} cannot be loaded: {reason}", name=point.module)

    def __reduce__(self) -> Any:
        return ImportError, (str(self),)


def loaded(point: Point, noun: str = "entry point") -> Any:
    """Import the object that an installed package declares, contained.

    :raises BrokenPart: if the import raises anything, or there is no such object.
    """
    found = attempt(contained, _imported, point)
    if isinstance(found, Raised):
        error = found.error
        text = f"{type(error).__name__}: {error}".replace("the connector's code", "its code")
        raise BrokenPart(noun, point, text, type(error).__name__) from error
    return found


def _imported(point: Point) -> Any:
    found = importlib.import_module(point.module)
    return operator.attrgetter(point.attribute)(found) if point.attribute else found


_NO_THREAD = "can't start new thread"
_ERRNOS = {
    errno.ENOMEM: "memory",
    errno.ENOBUFS: "memory",
    errno.EMFILE: "file descriptors",
    errno.ENFILE: "file descriptors",
}


def exhausted(error: BaseException, sent: Sent | None = None) -> Unavailable | None:
    """Return the error for exhausted memory, threads or descriptors in this process; None for any
    other exception.

    ``sent`` is for callers that know how much of an attempt was sent.
    """
    if isinstance(error, MemoryError):
        what: str | None = "memory"
    elif isinstance(error, OSError):
        what = _ERRNOS.get(error.errno or 0)
    else:
        what = "threads" if isinstance(error, RuntimeError) and str(error) == _NO_THREAD else None
    if what is None:
        return None
    return Unavailable(
        f"this process has no {what} left",
        hint="Try again later, or raise its limits.",
        retry_after=1.0,
        sent=sent,
    )


_ROOM = 120
"""Nested calls for which a commit has room; it takes about 30 on SQLite."""
_SHORT = 5
"""A stack with fewer frames than this part of the limit has room, even with calls in C between
them, which count on Python 3.11.
"""


def require_stack() -> None:
    """Do nothing if there is room on the stack for a commit.

    :raises RecursionError: if there is none.
    """
    try:
        _getframe(getrecursionlimit() // _SHORT)
    except ValueError:  # the stack is shorter
        return
    _descend(_ROOM)


def _descend(room: int) -> None:
    if room:
        _descend(room - 1)


class ClientsLeave:
    """Mixin for servers of ``socketserver``: a client that has left, or that sends nothing, is no
    fault, and causes no traceback.
    """

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of a fault; print nothing for a client that has left."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[misc]
