"""The slot's time in the inputs of a scheduled invocation: ``{"$slot": "%Y-%m-%d"}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.placeholders import filled, placeholders
from jackfield_service.subjects.schedules.timing import Timing

_MEMBER = "$slot"
_MAX = 100
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = "YmdHMSfzjGVuIy%"
"""Directives of strftime with the same result on every system and in every locale."""


def check_slot_values(inputs: Mapping[str, Any]) -> None:
    """Check the formats of all slot values in the inputs.

    :raises InvalidInput: if a format is neither ``rfc3339`` nor ``unix`` nor a format of strftime.
    """
    faults = [
        Detail(path, text)
        for path, _, form in placeholders(inputs, "", _MEMBER)
        if (text := _fault(form)) is not None
    ]
    if faults:
        raise InvalidInput(
            f"{len(faults)} inputs are not valid" if len(faults) > 1 else "1 input is not valid",
            details=faults,
            hint=(
                'Write {"$slot": "rfc3339"}, {"$slot": "unix"} or a format such as {"$slot": '
                '"%Y-%m-%d"}.'
            ),
        )


def with_slot(value: Any, timing: Timing, slot: float) -> Any:
    """Return a copy of the inputs with the slot's time, in the schedule's time zone, for each slot
    value.
    """
    return filled(value, lambda _name, form: _formatted(form, timing, slot), _MEMBER)


def _fault(form: object) -> str | None:
    if form in ("rfc3339", "unix"):
        return None
    if not isinstance(form, str) or "%" not in form:
        return "must be 'rfc3339', 'unix' or a format such as '%Y-%m-%d'"
    if len(form) > _MAX:
        return f"must have at most {_MAX} characters"
    unknown = [found for found in _DIRECTIVE.findall(form) if not found or found not in _DIRECTIVES]
    return (
        (
            f"'%{unknown[0]}' is not one of its directives: "
            f"{', '.join('%' + name for name in _DIRECTIVES)}"
        )
        if unknown
        else None
    )


def _formatted(form: str, timing: Timing, slot: float) -> str | int:
    local = timing.local(slot)
    if form == "unix":
        return int(slot)
    return (
        local.isoformat(timespec="seconds").replace("+00:00", "Z")
        if form == "rfc3339"
        else local.strftime(form)
    )
