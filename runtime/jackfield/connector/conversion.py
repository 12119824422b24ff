"""JSON of the author's models: an action's output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector.models import Output
from jackfield.errors import InvalidOutput


def dumped(output: Any) -> Mapping[str, Any]:
    """Return an action's output as JSON.

    :raises InvalidOutput: if it is not an Output, or not JSON.
    """
    if not isinstance(output, Output):
        raise InvalidOutput(
            f"the action returned {type(output).__name__} instead of its declared Output", hint="Report it to the connector's author."
        )
    try:
        dumped: Mapping[str, Any] = output.model_dump(mode="json", by_alias=True, exclude_none=True)
    except (ValueError, TypeError, RecursionError) as error:  # pydantic's own errors are ValueErrors
        raise InvalidOutput(
            f"the action returned a {type(output).__name__} that is not JSON ({type(error).__name__})",
            hint="The action was executed. This is a bug in the connector: report it to its author.",
        ) from None
    return dumped
