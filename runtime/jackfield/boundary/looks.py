"""Look that asks a function's author for the outcome of one of its calls, and the recorded form of
the function's value.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from jackfield.boundary.bound import environment
from jackfield.boundary.values import encoded, is_async, may_be_none, tried
from jackfield.call.waiter import Until
from jackfield.call.work import Looked
from jackfield.kernel.errors import JackfieldError, Sent, TimedOut
from jackfield.kernel.failures import Raised, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.boundary.bound import Bound, Runtime
    from jackfield.call.waiter import Waiter
    from jackfield.kernel.clock import Deadline

_LOG = logging.getLogger("jackfield.once")


class _Finding:
    """Finding of a look that found no value."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


ABSENT, UNKNOWN = _Finding("ABSENT"), _Finding("UNKNOWN")
"""Values that a look returns if there is no effect (``ABSENT``), and if the outcome stays unknown
(``UNKNOWN``).
"""


class FunctionLook:
    """Look of the function ``name``. ``is_declared`` is False if the function's ``once`` declares
    no look. ``keeps`` is True if values are recorded instead of their digests. ``is_action`` is
    True if the function is called in all workspaces that its process serves.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[str], Any] | None,
        absent_after: float,
        runtime: Runtime | None,
        *,
        keeps: bool,
        is_action: bool,
    ) -> None:
        self.name, self._look, self._absent_after, self._runtime, self._keeps = (
            name,
            look,
            absent_after,
            runtime,
            keeps,
        )
        self.is_action = is_action
        self.is_declared = look is not None
        self._loops = look is not None and is_async(look)
        self.function: Callable[..., Any] | None = None
        """The function; None of a block."""

    @property
    def function_calls(self) -> Bound:
        """Return the runtime that records calls of the function."""
        return environment() if self._runtime is None else self._runtime.function_calls

    async def made(
        self, key: str, waiter: Waiter, deadline: Deadline, digest: Callable[[Any], str]
    ) -> Looked:
        """Look for the effect of the call with a key; return the finding."""
        look = self._look or _cannot_tell
        try:
            looking, until = partial(tried, look, key), Until(deadline, _late)
            found = await (
                waiter.finished(looking, until)
                if self._loops
                else waiter.call(partial(attempt, look, key))
            )
        except TimedOut as error:
            found = Raised(error)
        if found is ABSENT or found is UNKNOWN:
            return Looked(self._absent_after, is_absent=found is ABSENT, told="it cannot tell")
        if found is None and not may_be_none(self.function):
            return Looked(
                self._absent_after,
                told=(
                    "it returned None, which is no value of the function: return ABSENT or UNKNOWN"
                ),
            )
        output = found if isinstance(found, Raised) else attempt(self.output, found, digest)
        if not isinstance(output, Raised):
            return Looked(self._absent_after, output)
        kind = type(output.error).__name__
        _LOG.warning("the look for '%s' failed: %s", self.name, kind)
        return Looked(self._absent_after, told=f"it failed: {kind}")

    def output(self, value: Any, digest: Callable[[Any], str]) -> Mapping[str, Any]:
        """Return the recorded form of a value: the value or its digest.

        :raises InvalidInput: if the value is not JSON.
        """
        found = encoded(value)
        return {"value": found} if self._keeps else {"digest": digest(found)}


LOOKING: WeakKeyDictionary[FunctionLook, None] = WeakKeyDictionary()
"""Looks of the functions that this process declares, while the functions exist."""

ANY = ""
"""Placeholder for every workspace: a function that is an action is called in all workspaces that
its process serves.
"""


def declared(url: str) -> dict[tuple[str, str], FunctionLook]:
    """Return the looks that this process declares over a database, by workspace and name of the
    function. The latest of two equal names wins.
    """
    living = [one for reference in LOOKING.keyrefs() if (one := reference()) is not None]
    placed = [
        ((url, ANY) if one.is_action else one.function_calls.store.place, one) for one in living
    ]
    return {(workspace, one.name): one for (place, workspace), one in placed if place == url}


def _cannot_tell(_key: str) -> Any:
    return UNKNOWN


def _late() -> JackfieldError:
    return TimedOut("the look takes too long", sent=Sent.NOTHING)
