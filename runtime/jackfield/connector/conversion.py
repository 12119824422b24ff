"""JSON form of the author's models: an action's output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.kernel.errors import InvalidOutput
from jackfield.kernel.exact import Exact, has_exact, with_digits

MAX_OUTPUT = 32 << 20
"""Maximum size of an output in bytes, roughly as JSON. Files are not counted: a larger output is
returned as a file.
"""
_SCALARS = frozenset({int, float, bool, type(None)})


class Handle(dict[str, Any]):
    """Handle of a job that has started, as JSON. The pipeline gets it instead of an output."""


def dumped(output: Any) -> Mapping[str, Any]:
    """Return an action's output as JSON.

    :raises InvalidOutput: if it is not an Output, not JSON, or too large.
    """
    from jackfield.connector.models import Output  # a runtime that only lists loads no pydantic

    if not isinstance(output, Output):
        raise InvalidOutput(
            f"the action returned {type(output).__name__} instead of its declared Output",
            hint="Report it to the connector's author.",
        )
    try:
        dumped: Mapping[str, Any] = output.model_dump(mode="json", by_alias=True, exclude_none=True)
        if Exact.any_made:
            dumped = _exact(dumped, output)
    except (ValueError, TypeError, RecursionError) as error:
        # pydantic's own errors are ValueErrors
        raise InvalidOutput(
            f"the action returned a {type(output).__name__} that is not JSON "
            f"({type(error).__name__})",
            hint=(
                "The action was executed. This is a bug in the connector: report it to its author."
            ),
        ) from None
    if weight(dumped, MAX_OUTPUT) > MAX_OUTPUT:
        raise InvalidOutput(
            f"the action returned more than {MAX_OUTPUT >> 20} MiB",
            hint=(
                "The action was executed. Its author can return large data as a file "
                "('OutputFile'), or in pages."
            ),
        )
    return dumped


def dumped_or_fault(output: object) -> Mapping[str, Any] | InvalidOutput:
    """Return an action's output as JSON, or the fault if it cannot be converted. Call it in the
    action's thread, since it may take long.
    """
    try:
        return dumped(output)
    except InvalidOutput as error:
        return error


def weight(value: object, most: int) -> int:
    """Return the approximate size of a value in bytes of JSON, or any number above ``most`` if it
    is larger.
    """
    waiting: list[Iterable[Any]] = [(value,)]
    found = 0
    while waiting and found <= most:
        for one in waiting.pop():
            found += 4
            if type(one) in _SCALARS:
                continue
            if isinstance(one, str):
                found += len(one)
            elif isinstance(one, dict):
                waiting += (one, one.values())
            elif isinstance(one, list) and {*map(type, one)} <= _SCALARS:
                # a provider's response may be long, and most of it is numbers
                found += 4 * len(one)
            elif isinstance(one, list):
                waiting.append(one)
    return found


def payload(data: Any) -> Mapping[str, Any]:
    """Return the data of an event or an item as JSON: an author's model, or an object."""
    if isinstance(data, Mapping):
        return data
    return _exact(data.model_dump(mode="json", by_alias=True, exclude_none=True), data)


def _exact(shown: Mapping[str, Any], model: Any) -> Mapping[str, Any]:
    """Return the JSON that pydantic has made of a model, with all digits of numbers that pydantic
    has rounded to doubles.
    """
    whole = model.model_dump(by_alias=True, exclude_none=True) if Exact.any_made else None
    return with_digits(shown, whole) if has_exact(whole) else shown
