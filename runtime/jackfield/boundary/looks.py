"""Functions that a program declares, and looks, which ask a function's author for the outcome of
one of its calls.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from jackfield.boundary.bound import environment
from jackfield.boundary.values import fulfilled, kept, tried
from jackfield.call.waiter import Until
from jackfield.call.work import Looked
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.kernel.errors import JackfieldError, Sent, TimedOut
from jackfield.kernel.failures import CONTAINED, Raised, attempt_foreign
from jackfield.kernel.functions import is_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.boundary.bound import Bound, Runtime
    from jackfield.boundary.intents import Naming
    from jackfield.call.waiter import Waiter
    from jackfield.call.work import Work
    from jackfield.invocation.result import Result
    from jackfield.manifest.manifest import Effect
    from jackfield.schema.python_types import ReturnType

_LOG = logging.getLogger("jackfield.once")
_LONGEST = 30.0
"""Maximum seconds of one look, whatever the ``timeout`` of its function: half of a claim."""
_FIRST = 0.5
"""Seconds between the first two looks of a call that waits for them (``settle``); then doubled."""
_NO_VALUE = "it returned None, which is no value of the function: return ABSENT or UNKNOWN"


class _Finding(NamedTuple):
    """Finding of a look that found no value."""

    name: str


ABSENT, UNKNOWN = _Finding("ABSENT"), _Finding("UNKNOWN")
"""Values that a look returns if there is no effect (``ABSENT``), and if the outcome stays unknown
(``UNKNOWN``).
"""


class Declaration:
    """Function or block that a program declares with ``once``: what its author says of it, and what
    is recorded of its calls.
    """

    name: str
    key: Any
    about: Any
    effect: Effect | None
    refusals: tuple[type[BaseException], ...]
    look: Callable[[str], Any] | None
    absent_after: float
    settle: float
    keep: bool
    work: Work
    runtime: Runtime | None
    returns: ReturnType
    naming: Naming
    place = ""
    """File and qualified name of the function; empty for a block."""

    @property
    def function_calls(self) -> Bound:
        """Return the runtime that records calls of the function."""
        return environment() if self.runtime is None else self.runtime.function_calls

    async def settled(self, waiter: Waiter, key: str, known: Result) -> Result:
        """Look for the effect of a call in doubt, for ``settle`` seconds or once; return its
        settled Result, or ``known`` if no look is declared.
        """
        store, pause = self.function_calls.store, _FIRST
        deadline, identifier = Deadline.after(self.settle, store.clock), known.meta.invocation_id
        while self.look is not None and known.status == "in_doubt":
            found = await self.looked_for(key, waiter, store.digest)
            known = await waiter.ask(partial(store.looked, identifier, found))
            if not (left := deadline.remaining()):
                break
            await waiter.pause(min(pause, left))
            pause *= 2
        return known

    def output(
        self, value: Any, digest: Callable[[Any], str], *, is_repeated: bool
    ) -> tuple[Mapping[str, Any] | None, str | None]:
        """Return the recorded form of a value, or of its digest; None if it has none; and a warning
        if a repeat does not get an equal value.
        """
        found, warning = kept(self.returns, value, is_repeated=is_repeated and self.keep)
        if found is None and warning is not None:
            return None, warning
        return {"value": found} if self.keep else {"digest": digest(found)}, warning

    def recorded(self, result: Result) -> Any:
        """Return the value of an earlier call as the function's type. What cannot be read as that
        is plain JSON, with a warning.
        """
        value = (result.output or {}).get("value") if self.keep else None
        found = None if value is None else self.returns.read(value)
        if not isinstance(found, Raised):
            return found
        kind = type(found.error).__name__
        self.warn(result, f"the recorded value is no longer of the type, and plain JSON: {kind}")
        return value

    def warn(self, result: Result, message: str) -> None:
        """Add a warning to the Result of a call, and to the log."""
        _LOG.warning("invocation %s of '%s': %s", result.meta.invocation_id, self.name, message)
        result.meta.warnings = (*result.meta.warnings, {"path": "", "message": message})

    async def looked_for(self, key: str, waiter: Waiter, digest: Callable[[Any], str]) -> Looked:
        """Look for the effect of the call with a key; return the finding. A look that takes too
        long goes on in its thread, and finds nothing.
        """
        found = await _found(self.look or _cannot_tell, key, waiter)
        if found is ABSENT or found is UNKNOWN:
            return Looked(self.absent_after, is_absent=found is ABSENT, told="it cannot tell")
        if found is None and not self.returns.may_be_none:
            return Looked(self.absent_after, told=_NO_VALUE)
        output, fault = self.output(found, digest, is_repeated=False)
        if isinstance(found, Raised):
            error = found.error
            fault = error.message if isinstance(error, JackfieldError) else type(error).__name__
        if fault is None:
            if self.keep and not self.returns.fits((output or {}).get("value")):
                kind = type(found).__name__
                _LOG.warning("the look for '%s' found what is not of its type: %s", self.name, kind)
            return Looked(self.absent_after, output)
        _LOG.warning("the look for '%s' failed: %s", self.name, fault)
        return Looked(self.absent_after, told=f"it failed: {fault}")


DECLARED: WeakKeyDictionary[Declaration, None] = WeakKeyDictionary()
"""Functions that this process declares, while they exist."""

ANY = ""
"""Placeholder for every workspace: a function that is an action is called in all workspaces that
its process serves.
"""


def functions(*, looking: bool) -> list[Declaration]:
    """Return the functions that this process declares, or those that have a look."""
    living = [one for reference in DECLARED.keyrefs() if (one := reference()) is not None]
    return [one for one in living if one.look is not None or not looking]


def declared(url: str) -> dict[tuple[str, str], Declaration]:
    """Return the functions with looks that this process declares over a database, by workspace and
    name. The latest of two equal names wins.
    """
    placed = [
        ((url, ANY) if one.effect is not None else one.function_calls.store.place, one)
        for one in functions(looking=True)
    ]
    return {(workspace, one.name): one for (place, workspace), one in placed if place == url}


async def _found(look: Callable[[str], Any], key: str, waiter: Waiter) -> Any:
    late = partial(TimedOut, "the look takes too long", sent=Sent.NOTHING)
    until = Until(Deadline.after(_LONGEST, SystemClock()), late)
    try:
        if is_async(look):
            asked = partial(_asked, look, key)
            return fulfilled(await waiter.finished(lambda: tried(asked(), _LONGEST), until))
        # in a tuple, since the waiter raises what its function returns as ``Raised``
        (found,) = await waiter.call(lambda: (attempt_foreign(look, key),), until=until)
    except (JackfieldError, RuntimeError) as error:  # late, an exit, or no thread is left for it
        return Raised(error)
    return fulfilled(found)


async def _asked(look: Callable[[str], Any], key: str) -> Any:
    with CONTAINED:
        return await look(key)


def _cannot_tell(_key: str) -> Any:
    return UNKNOWN
