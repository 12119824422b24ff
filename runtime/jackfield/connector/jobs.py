"""Jobs: actions whose work at the provider outlasts a call. An author writes three steps, and the
runtime decides when they run.

A class with the methods ``start``, ``poll`` and (if the provider has it) ``cancel`` is declared as
an action with ``kind="job"``. ``start`` returns a handle, an Output, which the other two get in
place of the inputs; or the output itself, if there is nothing to wait for. One object of the class
serves all calls, in any process, so it has no state. A class whose polls do the work themselves,
such as an upload in parts, sets ``cancels_late = True``. When the job's time is over, ``cancel``
removes its remains.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from pydantic import PrivateAttr

from jackfield.connector.context import current_call
from jackfield.connector.conversion import Handle, dumped
from jackfield.connector.models import DeclarationError, Inputs, Output
from jackfield.connector.streamed import returns_files, store_files
from jackfield.kernel.dataclass import dataclass, replace

A = TypeVar("A")
_STEPS = ("start", "poll", "cancel")


@dataclass(frozen=True, slots=True)
class Progress:
    """Answer of a poll that finds the job still running.

    - ``fraction``: share that is done, from 0 to 1; None if unknown. The value that callers see
      never falls.
    - ``text``: the job's current work; at most 200 characters are displayed.
    - ``retry_after``: seconds until the next poll; None leaves that to the runtime: a tenth of the
      job's age, from 1 s to 60 s.
    """

    fraction: float | None = None
    text: str = ""
    retry_after: float | None = None


class Started(Output):
    """Answer of a start that the runtime has to poll."""

    _handle: Handle = PrivateAttr()

    def __init__(self, handle: Mapping[str, Any]) -> None:
        super().__init__()
        self._handle = Handle(handle)

    def model_dump(self, **_how: Any) -> Handle:
        """Return the handle."""
        return self._handle


class PolledJob(Output):
    """Answer of a poll for the runtime: ``output`` once the job has succeeded, else
    ``progress``.
    """

    progress: dict[str, Any] | None = None
    output: dict[str, Any] | None = None


class NoOutput(Output):
    """Empty output of ``cancel``."""


def start_of(steps: Any, handle: type[Output]) -> Callable[..., Any]:
    """Return the start of a declared job as an action's function."""
    return _wrapped(
        steps.start,
        _as_it_is,
        lambda found: Started(dumped(found)) if isinstance(found, handle) else found,
    )


def steps_of(
    action: A, steps: Any, handle: type[Output], output: type[Output]
) -> tuple[A, A | None]:
    """Return the steps of a declared job after its start: ``poll`` and ``cancel``, as actions; None
    if there is no ``cancel``. They get the handle as JSON, as the runtime has stored it.
    """
    polls = _wrapped(
        steps.poll, handle.model_validate, polled_stored if returns_files(output) else polled
    )
    return steps_with(
        action,
        polls,
        _wrapped(steps.cancel, handle.model_validate, _no_output)
        if hasattr(steps, "cancel")
        else None,
    )


def steps_with(
    action: A, poll: Callable[..., Any], cancel: Callable[..., Any] | None
) -> tuple[A, A | None]:
    """Return ``poll`` and ``cancel`` of a job as actions (None without ``cancel``), from functions
    that get the handle as JSON and return a ``PolledJob`` and a ``NoOutput``.
    """
    found: Any = action  # an Action, whose module imports this one
    plain = replace(
        found,
        inputs=Inputs,
        output=PolledJob,
        pagination=None,
        rate_limit=None,
        idempotent_by=None,
        repeat_ok=(),
        budget=None,
        preview=None,
        verify=None,
        effect_of=None,
        job=None,
        hands_out=False,
        returns_files=False,
    )
    is_async = inspect.iscoroutinefunction
    polls = replace(
        plain, key=f"{found.key} (poll)", effect="read", function=poll, is_async=is_async(poll)
    )
    if cancel is None:
        return polls, None
    return polls, replace(
        plain,
        key=f"{found.key} (cancel)",
        effect="idempotent",
        function=cancel,
        is_async=is_async(cancel),
    )


def polled(found: Progress | Output) -> PolledJob:
    """Return the answer of an author's poll in the runtime's form."""
    if not isinstance(found, Progress):
        return PolledJob(output=dict(dumped(found)))
    told = {"fraction": found.fraction, "text": found.text, "retryAfter": found.retry_after}
    return PolledJob(progress={name: value for name, value in told.items() if value is not None})


def polled_stored(found: Progress | Output) -> PolledJob:
    """Return the answer of a poll whose output has files, after storing the files."""
    call = current_call()
    if not isinstance(found, Progress) and call is not None:
        store_files(found, call.files)
    return polled(found)


def _no_output(_nothing: object) -> NoOutput:
    return NoOutput()


def _as_it_is(given: Any) -> Any:
    return given


def _wrapped(
    function: Callable[..., Any], take: Callable[[Any], Any], answer: Callable[[Any], Output]
) -> Callable[..., Any]:
    """Return an author's step whose first argument is converted by ``take``, and its result by
    ``answer``.
    """
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def awaited(given: Any, *client: Any) -> Output:
            return answer(await function(take(given), *client))

        return awaited

    @wraps(function)
    def called(given: Any, *client: Any) -> Output:
        return answer(function(take(given), *client))

    return called


def declared_steps(steps: Any, key: str) -> tuple[type[Inputs], type[Output], type[Output], bool]:
    """Return the types of a job's inputs, handle and output, and whether its steps get the open
    client.

    :raises DeclarationError: if its methods do not fit together.
    """
    missing = [name for name in _STEPS[:2] if not callable(getattr(steps, name, None))]
    if missing:
        raise DeclarationError(f"job '{key}': its class has no method '{missing[0]}'")
    found = {
        name: _annotated(getattr(steps, name), f"{key}' in '{name}")
        for name in _STEPS
        if hasattr(steps, name)
    }
    inputs, handle = found["start"][0], found["poll"][0]
    if not _is_a(inputs, Inputs):
        raise DeclarationError(
            f"job '{key}': the first parameter of 'start' must be annotated with an Inputs model"
        )
    outputs = [kind for kind in typing.get_args(found["poll"][1]) if _is_a(kind, Output)]
    returned = typing.get_args(found["start"][1]) or (found["start"][1],)
    if not _is_a(handle, Output) or handle not in returned or not {*returned} <= {handle, *outputs}:
        raise DeclarationError(
            f"job '{key}': 'start' must be annotated to return the handle that 'poll' takes, an "
            "Output model, or 'Handle | Done'"
        )
    if len(outputs) != 1 or Progress not in typing.get_args(found["poll"][1]):
        raise DeclarationError(
            f"job '{key}': 'poll' must be annotated to return 'Progress | Done', with Done as "
            "its Output model"
        )
    for name in _STEPS[1:]:
        if name in found and found[name][0] is not handle:
            raise DeclarationError(
                f"job '{key}': '{name}' must take the handle that 'start' returns"
            )
    takes = {taken for _first, _returned, taken in found.values()}
    if len(takes) > 1:
        raise DeclarationError(f"job '{key}': either all of its methods take the client, or none")
    return inputs, handle, outputs[0], takes.pop()


def _is_a(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _annotated(function: Callable[..., Any], where: str) -> tuple[Any, Any, bool]:
    """Return the types of a method's first parameter and return value, and whether it has a second
    parameter.
    """
    parameters = list(inspect.signature(function).parameters)
    if not 1 <= len(parameters) <= 2:
        raise DeclarationError(f"job '{where}' must take one value, and the client if it needs one")
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        raise DeclarationError(
            f"job '{where}': the annotation '{error.name}' is not defined in its module"
        ) from None
    return hints.get(parameters[0]), hints.get("return"), len(parameters) == 2


def check_job(key: str, **given: object) -> None:
    """Check that a job has no properties that only calls have.

    :raises DeclarationError: if it has one.
    """
    wrong = next((name for name, value in given.items() if value), None)
    if wrong is not None:
        raise DeclarationError(f"job '{key}': a job cannot have '{wrong}'")
