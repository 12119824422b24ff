"""Part of a runtime that queues invocations for its workers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.callers.caller import LIBRARY, Caller
from jackfield.errors import JackfieldError
from jackfield.frames import bordered
from jackfield.invocation import Result
from jackfield.pipe.invoke import Given
from jackfield.pipe.masking import masked_error
from jackfield.pipe.run import Run
from jackfield.pipe.waiter import run_in_thread
from jackfield.recording.begun import Begun

if TYPE_CHECKING:
    from types import ModuleType

    from jackfield.journal import Draft
    from jackfield.pipe.waiter import InThread
    from jackfield.recording.enqueue import Beside, Enqueued
    from jackfield.resources.storage import Storage

T = TypeVar("T")


@bordered
class Queued(Begun):
    """Base of ``Jackfield``, which has the pipe and the database."""

    storage: Storage
    _in_thread: InThread

    def enqueue(self, invocation: Given, *, caller: Caller = LIBRARY, beside: Beside | None = None) -> Result | str:
        """Queue an invocation for the workers, and run the statements ``beside`` in the same transaction. Return its id once it is on disk,
        or the Result that its idempotency key replays.

        :raises JackfieldError: if it is refused at once (unknown action, invalid inputs, key in use).
        """
        found: Result | str = self._queued(lambda run: _intake().enqueue(self.pipeline, invocation, run, beside), caller)
        return found

    def prepare(self, invocation: Given, *, caller: Caller = LIBRARY) -> Draft:
        """Admit and check an invocation as ``enqueue_many`` does, queue nothing, and return the entry that it would have.

        :raises JackfieldError: if it is refused.
        """
        found: Draft = self._queued(lambda run: _intake().prepared(self.pipeline, invocation, run), caller)
        return found

    def _queued(self, step: Callable[[Run], Coroutine[Any, Any, T]], caller: Caller) -> T:
        run = Run(self._in_thread, None, caller, wait=False)
        try:
            with self.storage.one_state():
                return run_in_thread(step(run))
        except JackfieldError as error:
            raise masked_error(error, run.redactor) from None

    def enqueue_many(self, invocations: Iterable[Mapping[str, Any] | str | bytes], *, caller: Caller = LIBRARY) -> list[Enqueued | Result]:
        """Queue invocations in order, in one commit: several thousand a second. Pass a thousand at a time to bound memory.

        A refused one is a failed Result and does not affect the others. One whose idempotency key is held is not queued again: the outcome
        is the earlier invocation with that key, or its Result once it has ended.

        :raises InvalidInvocation: if one invocation is passed instead of several.
        """
        with self.storage.one_state():
            found: list[Enqueued | Result] = _intake().enqueue_many(self.pipeline, invocations, caller, self._in_thread)
        return found


def _intake() -> ModuleType:
    """Return the module that queues: most processes queue nothing."""
    from jackfield.recording import enqueue

    return enqueue
