"""Answers that succeeded in part: batches with failed entries, and functions that failed. AWS answers 200, and says it in the output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector import FailedEntry, current_call, pointer
from jackfield_aws.virtual.failed_inputs import FailedInputs

_FAILED = re.compile(
    r"(?:failed|unprocessed|unsuccessful)\w*|failures|errorlist|errorentries|invalid(?:answers|labels|executions)|\w*errors", re.IGNORECASE
)
"""Members of outputs that hold what failed, of operations that change something and of batches (a test has those of the models)."""
_COUNT = re.compile(r"failed\w*count", re.IGNORECASE)
_CODE = ("ErrorCode", "errorCode")
"""Members of an entry that failed among those that did not."""
_FUNCTION, _NAME = "FunctionError", "FunctionName"
_SAID_WORDS = """
Id id Key key ErrorCode errorCode Code code ErrorMessage errorMessage Message message failureCode failureReason reason
"""
_SAID = _SAID_WORDS.split()
"""Members of an entry that say what failed, and why."""
_MOST, _LONGEST = 10, 200
"""Maximum number of entries that the text of a warning names, and of characters of what an entry says."""


def warn_of_failures(output: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Tell the caller which entries of a batch failed, or that a function did. ``parameters`` are those of the request."""
    call = current_call()
    if call is None:
        return
    for name, value in output.items():
        if name == _FUNCTION and value:
            asked = pointer(_NAME) if _NAME in parameters else None
            error = FailedEntry(pointer(name), str(value)[:_LONGEST], input=asked)
            call.failed_in_part([error], f"the function failed ({value}): the output has its error", error.path)
        elif found := _failures(name, value, output, parameters):
            noun = "entry" if len(found) == 1 else "entries"
            more = f" and {len(found) - _MOST:,} more" if len(found) > _MOST else ""
            named = ", ".join(entry.path for entry in found[:_MOST])
            call.failed_in_part(found, f"succeeded in part: {len(found):,} {noun} failed, {named}{more}", pointer(name))


def _failures(name: str, value: Any, output: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[FailedEntry]:
    """Return what failed: the entries of a member of failures, or those with an error code where a member counts failures."""
    if _FAILED.fullmatch(name) and isinstance(value, list | dict):
        return list(_below((name,), value, FailedInputs(parameters))) if value else []
    if isinstance(value, int) and value > 0 and _COUNT.fullmatch(name):
        return list(_marked(output, FailedInputs(parameters))) or [FailedEntry(pointer(name), f"{value:,} failed")]
    return []


def _below(steps: tuple[str | int, ...], value: Any, asked: FailedInputs) -> Iterator[FailedEntry]:
    """Yield the entries of a list, and those of the lists of an object, such as DynamoDB's by table."""
    if isinstance(value, list):
        yield from (_entry((*steps, number), entry, asked.of(entry)) for number, entry in enumerate(value))
        return
    for key, entry in value.items():
        keys = entry.get("Keys") if isinstance(entry, dict) else None
        if isinstance(entry, list) and entry:
            yield from _below((*steps, key), entry, asked)
        elif isinstance(keys, list) and keys:
            yield from _below((*steps, key, "Keys"), keys, asked)
        else:
            yield _entry((*steps, key), entry, asked.of(key))


def _entry(steps: tuple[str | int, ...], entry: Any, asked: str | None) -> FailedEntry:
    """Return an entry with what AWS says of it: its ID, its code and its message, where it has them."""
    inner = [value for value in entry.values() if isinstance(value, dict)] if isinstance(entry, dict) else []
    said = next(filter(None, map(_said, [entry, *inner])), "failed")
    return FailedEntry(pointer(*steps), said, input=asked)


def _said(entry: Any) -> str:
    known = entry if isinstance(entry, dict) else {}
    return ": ".join(known[name][:_LONGEST] for name in _SAID if isinstance(known.get(name), str))


def _marked(output: Mapping[str, Any], asked: FailedInputs) -> Iterator[FailedEntry]:
    for name, value in output.items():
        for number, entry in enumerate(value if isinstance(value, list) else ()):
            if isinstance(entry, dict) and any(entry.get(code) for code in _CODE):
                yield _entry((name, number), entry, asked.at(name, number, len(value)))
