"""Journal that records calls of functions: a runtime's, or the environment's for programs without a
runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from jackfield.catalog.loading import PARTS, package_of, part
from jackfield.kernel.errors import InvalidInvocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.call.calls import Calls
    from jackfield.call.waiter import Waiter
    from jackfield.call.work import WorkStore
    from jackfield.invocation.result import Result


class Runtime(Protocol):
    """Protocol of ``Jackfield`` for functions."""

    @property
    def function_calls(self) -> Bound:
        """Return the runtime that records its calls of functions."""

    def invoke(
        self, invocation: Mapping[str, Any], *, wait: bool, named: Callable[[str], None]
    ) -> Result:
        """Run a call in this thread. ``named`` is called with its ID first."""

    async def ainvoke(
        self, invocation: Mapping[str, Any], *, wait: bool, named: Callable[[str], None]
    ) -> Result:
        """Run a call in asyncio."""


class Bound:
    """Runtime that a program has made, with the store of its calls. The environment's runtime
    (``Environment``) has the same members.
    """

    __slots__ = ("_in_thread", "_looping", "calls", "runtime", "store")

    def __init__(
        self,
        runtime: Runtime,
        store: WorkStore,
        calls: Calls,
        in_thread: Waiter,
        looping: Callable[[], Waiter],
    ) -> None:
        self.runtime, self.store, self.calls, self._in_thread, self._looping = (
            runtime,
            store,
            calls,
            in_thread,
            looping,
        )

    def waiter(self, *, loops: bool) -> Waiter:
        """Return the waiter of a thread, or of a task of the running loop if ``loops``."""
        return self._looping() if loops else self._in_thread


_FOUND: list[Bound] = []
"""List with the runtime of this process's environment; empty until the runtime is made."""


def environment() -> Bound:
    """Return the runtime of the environment; create it at the first use.

    :raises InvalidInvocation: if no installed package keeps a journal.
    """
    if not _FOUND:
        making: Callable[[], Bound] | None = part("once")
        if making is None:
            package, command = package_of(PARTS, "once")
            raise InvalidInvocation(
                f"'once' needs a journal, and the package {package}, which keeps one, is not "
                "installed",
                hint=f"Install it: {command}.",
            )
        made = making()
        if not _FOUND:  # else another thread was faster, and this one has opened nothing
            _FOUND.append(made)
    return _FOUND[0]
