"""Responses that succeeded in part: batches with failed entries, and failed functions. AWS answers
200 and reports failures in the output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector import Call, FailedEntry, current_call, pointer
from jackfield.kernel.pointers import names
from jackfield_aws.refused_items import all_refused
from jackfield_aws.virtual.entry_errors import FAILURES, EntryErrors
from jackfield_aws.virtual.failed_inputs import FailedInputs
from jackfield_aws.virtual.whole import entries_of, is_whole

_COUNT = re.compile(r"failed\w*count", re.IGNORECASE)
_STREAM, _END = "EventStream", "InvokeComplete"
"""Lambda's event stream, and its last event, which reports the function's end."""
_REJECTED = "rejectedLogEventsInfo"
"""Member of CloudWatch Logs' response with the indexes of refused log events (API reference,
RejectedLogEventsInfo).
"""
_EVENTS, _FROM = "logEvents", "tooNewLogEventStartIndex"
_ENTITY = "rejectedEntityInfo"
_FUNCTION, _NAME = "FunctionError", "FunctionName"
_SAID_WORDS = """
Id id Key key ErrorCode errorCode Code code Error error ErrorMessage errorMessage Message message failureCode failureReason reason
errorType
"""
_SAID = _SAID_WORDS.split()
"""Members of an entry with its identity or the reason of its failure."""
_MOST, _LONGEST = 10, 200
"""Maximum entries in a warning, and maximum characters of an entry's message."""


def warn_of_failures(
    output: Mapping[str, Any], parameters: Mapping[str, Any], own: Sequence[EntryErrors] = ()
) -> None:
    """Warn the caller of failed entries of a batch, or of a failed function. ``parameters`` are the
    request's, and ``own`` the output lists whose entries may fail individually.

    :raises Rejected: if every entry of the batch failed.
    """
    call = current_call()
    if call is None:
        return
    listed = dict(_failures(output, parameters))
    counted, marked = (
        _counted(output),
        _marked(output, own, FailedInputs(parameters)) if own else [],
    )
    if listed or marked:
        failed = {**listed}
        for entry in marked:
            failed.setdefault(names(entry.path)[0], []).append(entry)
        if is_whole(output, own, failed, FailedInputs(parameters)):
            raise all_refused([entry for entries in failed.values() for entry in entries], output)
    _tell_of_functions(call, output, parameters)
    for name, entries in listed.items():
        _tell(call, name, entries)
    if marked or counted is not None:
        name = counted or names(marked[0].path)[0]
        _tell(call, name, marked or [FailedEntry(pointer(name), f"{output[name]:,} failed")])


def _failures(
    output: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Iterator[tuple[str, list[FailedEntry]]]:
    """Yield the members that list failures, with their entries."""
    for name, value in output.items():
        if FAILURES.fullmatch(name) and isinstance(value, list | dict) and value:
            yield name, list(_below((name,), value, FailedInputs(parameters)))
        elif name in (_REJECTED, _ENTITY) and isinstance(value, dict):
            yield name, list(_rejected(name, value, parameters))


def _tell_of_functions(
    call: Call, output: Mapping[str, Any], parameters: Mapping[str, Any]
) -> None:
    for name, value in output.items():
        if name == _FUNCTION and value:
            _tell_of_function(call, FailedEntry(pointer(name), str(value)[:_LONGEST]), parameters)
        elif name == _STREAM and isinstance(value, list):
            for number, event in enumerate(value):
                if code := event.get(_END, {}).get("ErrorCode"):
                    _tell_of_function(
                        call,
                        FailedEntry(pointer(name, number, _END), str(code)[:_LONGEST]),
                        parameters,
                    )


def _tell_of_function(call: Call, error: FailedEntry, parameters: Mapping[str, Any]) -> None:
    entry = FailedEntry(
        error.path, error.message, input=pointer(_NAME) if _NAME in parameters else None
    )
    call.failed_in_part(
        [entry], f"the function failed ({error.message}): the output has its error", error.path
    )


def _tell(call: Call, name: str, found: list[FailedEntry]) -> None:
    noun = "entry" if len(found) == 1 else "entries"
    more = f" and {len(found) - _MOST:,} more" if len(found) > _MOST else ""
    named = ", ".join(entry.path for entry in found[:_MOST])
    call.failed_in_part(
        found, f"succeeded in part: {len(found):,} {noun} failed, {named}{more}", pointer(name)
    )


def _counted(output: Mapping[str, Any]) -> str | None:
    """Return the member that counts failures; None without failures."""
    return next(
        (
            name
            for name, value in output.items()
            if isinstance(value, int) and value > 0 and _COUNT.fullmatch(name)
        ),
        None,
    )


def _rejected(
    name: str, value: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Iterator[FailedEntry]:
    """Yield the entries that CloudWatch Logs refused: the log events before or from an index on, or
    the entity.
    """
    if name == _ENTITY:
        yield FailedEntry(
            pointer(name),
            _message_of(value) or "rejected",
            input="/entity" if "entity" in parameters else None,
        )
        return
    count, seen = len(parameters.get(_EVENTS) or ()), set[int]()
    for why, index in value.items():
        if isinstance(index, int):
            for place in range(index, count) if why == _FROM else range(min(index, count)):
                if place not in seen:
                    seen.add(place)
                    yield FailedEntry(
                        pointer(name, why),
                        f"rejected ({why} {index})",
                        input=pointer(_EVENTS, place),
                    )


def _below(steps: tuple[str | int, ...], value: Any, asked: FailedInputs) -> Iterator[FailedEntry]:
    """Yield the failed entries in a list, or in the lists of an object, such as DynamoDB's by
    table.
    """
    if isinstance(value, list):
        yield from (
            _entry((*steps, number), entry, asked.of(entry)) for number, entry in enumerate(value)
        )
        return
    for key, entry in value.items():
        keys = entry.get("Keys") if isinstance(entry, dict) else None
        if isinstance(entry, list) and entry:
            yield from _below((*steps, key), entry, asked)
        elif isinstance(keys, list) and keys:
            yield from _below((*steps, key, "Keys"), keys, asked)
        else:
            yield _entry((*steps, key), entry, asked.of(key))


def _entry(
    steps: tuple[str | int, ...], entry: Any, asked: str | None, status: str | None = None
) -> FailedEntry:
    """Return a failed entry with AWS's data about it: its ID, code and message, or else its
    status.
    """
    inner = (
        [value for value in entry.values() if isinstance(value, dict)]
        if isinstance(entry, dict)
        else []
    )
    said = next(filter(None, map(_message_of, [entry, *inner])), status or "failed")
    return FailedEntry(pointer(*steps), said, input=asked)


def _message_of(entry: Any) -> str:
    known = entry if isinstance(entry, dict) else {}
    return ": ".join(known[name][:_LONGEST] for name in _SAID if isinstance(known.get(name), str))


def _marked(
    output: Mapping[str, Any], own: Sequence[EntryErrors], asked: FailedInputs
) -> list[FailedEntry]:
    """Return the entries marked as failed by their own members."""
    return [
        _entry(
            steps,
            entry,
            _place(one, steps, output, asked),
            entry.get(one.status) if one.status else None,
        )
        for one in own
        for steps, entry in entries_of((one.member,), output.get(one.member))
        if one.failed(entry)
    ]


def _place(
    one: EntryErrors, steps: tuple[str | int, ...], output: Mapping[str, Any], asked: FailedInputs
) -> str | None:
    if one.asked is None:
        return None
    return asked.at(one.asked, int(steps[1]), len(output[one.member]))
