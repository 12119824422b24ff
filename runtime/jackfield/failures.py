"""Handling of any exception: undo and re-raise (``OnFailure``, ``OnInterrupt``), keep foreign code from ending its thread or task
(``contained``), or take what it raises as a value (``attempt``)."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")


class OnFailure:
    """Context manager that calls ``undo`` if the block raises, Ctrl-C included; the exception propagates.

    A class, because a generator-based context manager costs several times as much, and each database call passes two.
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


class OnInterrupt(OnFailure):
    """Context manager that calls ``undo`` if the block is interrupted: by Ctrl-C, an exit, or the end of its generator or task."""

    __slots__ = ()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, Exception):
            self._undo(*self._given)


class Raised:
    """Exception of a call, as a value."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class NoException(RuntimeError):
    """What replaces a ``BaseException`` of foreign code: an exit, a cancellation or a timeout that was meant for no one here."""


def contained(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call code that may raise anything, so that it can only fail: an exit, a ``CancelledError`` or a ``GeneratorExit`` must not end
    the caller's thread, task or generator, for its invocation would end without a Result.

    :raises NoException: in place of these. Ctrl-C stays what it is in the main thread, the only one that it reaches.
    """
    try:
        return function(*args, **kwargs)
    except Exception:
        raise
    except BaseException as error:  # noqa: BLE001 (foreign code; what it must not end goes on)
        raise tamed(error) from None


async def acontained(make: Callable[[], Awaitable[T]]) -> T:
    """Await foreign code as ``contained`` calls it; a cancellation that somebody asked for stays one.

    :raises NoException: in place of what would end the task, or the thread of its event loop.
    """
    import asyncio

    try:
        return await make()
    except Exception:
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise tamed(error) from None


def tamed(error: BaseException) -> BaseException:
    """Return what replaces ``error``, which no ``except Exception`` would catch."""
    import threading

    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        return error
    said = f"called exit({error.code!r})" if isinstance(error, SystemExit) else f"raised {type(error).__name__}, which is not an Exception"
    return NoException(f"the connector's code {said}")


def attempt(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Raised:
    """Call code that may raise anything: a connector's, a plugin's, a caller's. Return its value, or what it raised."""
    try:
        return contained(function, *args, **kwargs)
    except Exception as error:  # noqa: BLE001 (the boundary to foreign code; the caller decides what the exception means)
        return Raised(error)
