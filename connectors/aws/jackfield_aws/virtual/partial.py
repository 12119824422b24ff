"""Answers that succeeded in part: batches with failed entries, and functions that failed. AWS answers 200, and says it in the output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector import current_call, pointer

_FAILED = re.compile(
    r"(?:failed|unprocessed|unsuccessful)\w*|failures|errorlist|errorentries|invalid(?:answers|labels|executions)|\w*errors", re.IGNORECASE
)
"""Members of outputs that hold what failed, of operations that change something and of batches (a test has those of the models)."""
_COUNT = re.compile(r"failed\w*count", re.IGNORECASE)
_CODE = ("ErrorCode", "errorCode")
"""Members of an entry that failed among those that did not."""
_FUNCTION = "FunctionError"
_MOST = 10
"""Maximum number of entries that a warning names."""


def warn_of_failures(output: Mapping[str, Any]) -> None:
    """Tell the caller which entries of a batch failed, or that a function did."""
    call = current_call()
    if call is None:
        return
    for name, value in output.items():
        if name == _FUNCTION and value:
            call.warn(f"the function failed ({value}): the output has its error", f"/{name}")
        elif places := _places(name, value, output):
            noun = "entry" if len(places) == 1 else "entries"
            more = f" and {len(places) - _MOST:,} more" if len(places) > _MOST else ""
            call.warn(f"succeeded in part: {len(places):,} {noun} failed, {', '.join(places[:_MOST])}{more}", f"/{name}")


def _places(name: str, value: Any, output: Mapping[str, Any]) -> list[str]:
    """Return JSON Pointers to what failed."""
    if isinstance(value, list) and _FAILED.fullmatch(name):
        return [pointer(name, number) for number in range(len(value))]
    if isinstance(value, dict) and _FAILED.fullmatch(name):
        return [pointer(name, key) for key in value]
    if isinstance(value, int) and value > 0 and _COUNT.fullmatch(name):
        return list(_marked(output))
    return []


def _marked(output: Mapping[str, Any]) -> Iterator[str]:
    for name, value in output.items():
        for number, entry in enumerate(value if isinstance(value, list) else ()):
            if isinstance(entry, dict) and any(entry.get(code) for code in _CODE):
                yield pointer(name, number)
