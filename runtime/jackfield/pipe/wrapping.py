"""The plugins' wrappers around one invocation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jackfield.failures import Raised, attempt

if TYPE_CHECKING:
    from jackfield.connector.context import Observe
    from jackfield.hooks import Plugins


def observing(plugins: Plugins) -> Observe | None:
    """Return what reports requests to the plugins; None if none of them observes any."""
    return plugins.request if plugins.has("request") else None


class Wrapping:
    """Context of the plugins' wrappers of one invocation.

    A wrapper that raises on entry refuses the invocation; those entered before it see the refusal. Wrappers cannot change the outcome on
    exit: an exception that they raise goes to ``log``, and one that they swallow still propagates.
    """

    def __init__(self, wrappers: Iterable[AbstractContextManager[Any]], log: Callable[[Exception], None]) -> None:
        self._wrappers = wrappers
        self._log = log
        self._entered = ExitStack()

    def __enter__(self) -> None:
        with ExitStack() as undo:
            undo.push(self)
            for wrapper in self._wrappers:
                self._entered.enter_context(wrapper)
            undo.pop_all()

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, state: TracebackType | None) -> None:
        left = attempt(self._entered.__exit__, kind, failure, state)
        if isinstance(left, Raised) and left.error is not failure:  # a plugin's bug must not change the outcome of a sent request
            self._log(left.error)
