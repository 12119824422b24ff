"""Member names: camelCase in JSON, snake_case in Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")


def from_camel(name: str) -> str:
    """`sizeLimitV1` → `size_limit_v1`; a snake_case name stays as it is. `max24HourSend` → `max24_hour_send`."""
    return _UPPER.sub(lambda match: "_" + match.group(1).lower(), name)


def members(value: Mapping[str, Any], known: Iterable[str], what: str) -> dict[str, Any]:
    """Return the members in snake_case; ValueError names those that `what` does not know."""
    named = {from_camel(name): member for name, member in value.items()}
    unknown = sorted(named.keys() - set(known))
    if unknown:
        raise ValueError(f"{what} knows no {', '.join(unknown)}")
    return named
