"""Handling of any exception: undo and re-raise (``OnFailure``, ``OnInterrupt``), or take that of foreign code as a value (``attempt``)."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable
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


def attempt(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Raised:
    """Call code that may raise anything: a connector's, a plugin's, a caller's. Return its value, or what it raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 (the boundary to foreign code; the caller decides what the exception means)
        return Raised(error)
