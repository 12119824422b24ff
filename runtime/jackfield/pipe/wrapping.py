"""What plugins put around an invocation: entered outermost first, and left whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

__all__ = ["Wrapping"]


class Wrapping:
    """The wrappers of one invocation. Entering one that raises refuses the invocation; those entered before it see the refusal.

    Leaving them changes nothing any more, for what was done is done: what they raise then goes to ``log``, and a failure that they
    swallow goes on.
    """

    def __init__(self, wrappers: Iterable[AbstractContextManager[Any]], log: Callable[[Exception], None]) -> None:
        self._wrappers = wrappers
        self._log = log
        self._entered = ExitStack()

    def __enter__(self) -> None:
        try:
            for wrapper in self._wrappers:
                self._entered.enter_context(wrapper)
        except BaseException as failure:
            self.__exit__(type(failure), failure, failure.__traceback__)
            raise

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._entered.__exit__(kind, failure, trace)
        except Exception as error:  # noqa: BLE001 (a plugin's bug is for the log; it must not turn what was sent into something else)
            if error is not failure:
                self._log(error)
