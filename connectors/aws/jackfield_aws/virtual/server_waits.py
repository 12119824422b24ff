"""Waits by AWS before it answers (``WaitTimeSeconds`` of a queue), shortened to end before the
call's deadline.

A longer wait would be cut off: the outcome of a write, such as a receipt that hides messages, would
be unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Detail, InvalidInput, current_call, pointer

_NAME = "waittimeseconds"
_MARGIN = 1.0
"""Seconds for the request's and the response's transfer."""


def wait_of(shape: Any) -> tuple[str, int] | None:
    """Return the input member with the seconds that AWS waits, and its minimum; None if the
    operation has no such member.
    """
    members = {} if shape is None else shape.members
    return next(
        (
            (name, int(member.metadata.get("min", 0)))
            for name, member in members.items()
            if name.casefold() == _NAME
        ),
        None,
    )


def within_deadline(parameters: Mapping[str, Any], wait: tuple[str, int]) -> Mapping[str, Any]:
    """Return the parameters with a wait that ends before the attempt does; warn if it is shorter
    than requested.

    :raises InvalidInput: if the shortest wait that AWS accepts is too long.
    """
    (name, least), call = wait, current_call()
    asked = parameters.get(name)
    if call is None or not isinstance(asked, int):
        return parameters
    most = max(0, int(call.deadline.remaining() - _MARGIN))
    if asked <= most:
        return parameters
    if most < least:
        text = (
            f"is longer than this call may take: AWS takes at least {least}, and there is "
            f"time for {most}"
        )
        raise InvalidInput(
            "1 input is not valid",
            details=[Detail(pointer(name), text, "maximum")],
            hint="Nothing was sent. Raise 'timeoutSeconds'.",
        )
    call.warn(
        f"'{name}' was shortened from {asked} to {most}, so that the answer comes before the "
        "deadline of the call"
    )
    return {**parameters, name: most}
