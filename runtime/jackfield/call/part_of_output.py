"""The part of an output that a caller requested: the selection of ``select``, at most ``maxBytes``
long.

Both are applied after the end. The call has succeeded and the journal has the whole output, so a
failure here returns the whole output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import copy
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from jackfield.connector.conversion import weight
from jackfield.invocation.selection import SelectionError, selection
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield.kernel.exact import result_json

if TYPE_CHECKING:
    from jackfield.call.ports import Files
    from jackfield.call.reached import Asked, Ended
    from jackfield.invocation import Result

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_NAME, _KIND = "output.json", "application/json"
_PIECE = 1024 * 1024
_KEPT = 3600.0
"""Seconds for which the whole output is stored. Each large answer leaves a file, and a workspace
may have 10,000.
"""
_MEMBERS = 60
_LEVELS = 4
_EXPANDS = 8
"""Maximum bytes of JSON per unit of ``weight``: an escaped character may have six bytes, and a
number 25 digits.
"""
_NAME_LENGTH = 80
"""Maximum characters of a member's name in a shape. A provider may use data as names."""
_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (type(None), "null"),
)


async def part_of_output(asked: Asked, ended: Ended, files: Files, workspace: str) -> Result:
    """Return the Result of a call with the requested part of its output.

    - ``select``: the member ``selected`` has the selection; if the expression cannot be applied,
      the Result has the whole output and a warning.
    - ``maxBytes``: an output with more bytes of JSON becomes ``truncated`` with its size, the file
      with the whole output, and its shape. If no file can be stored, the Result has the whole
      output and a warning.
    """
    how, result, whole = asked.how, ended.result, ended.result.output
    if whole is None:
        return result
    wanted = asked.invocation
    if wanted.select is not None:
        result = await how.waiter.compute(partial(selected, wanted.select, result))
    if wanted.max_bytes is None:
        return result
    if weight(result.output, wanted.max_bytes) <= wanted.max_bytes // _EXPANDS:
        return result
    size = len(await how.waiter.compute(partial(encoded, result.output)))
    if size <= wanted.max_bytes:
        return result
    try:
        _check_may_be_stored(ended.recorded, whole, files)
        content = await how.waiter.compute(partial(encoded, whole))
        file = await how.waiter.call(
            partial(_store_output, content, how.caller.name, files, workspace)
        )
    except JackfieldError as error:
        return _warned(result, f"'maxBytes' leaves the output whole: {error.message}")
    return _truncated(result, size, file, whole, wanted.max_bytes)


def fitted(
    result: Result,
    most: int,
    caller: str | None,
    files: Files,
    workspace: str,
    whole: Mapping[str, Any] | None = None,
) -> Result:
    """Return a recorded Result with at most ``most`` bytes of its output, as ``part_of_output``
    does for a call. ``whole`` is the complete output if the Result has only a part of it.
    """
    if result.output is None or weight(result.output, most) <= most // _EXPANDS:
        return result
    content = encoded(result.output)
    size, whole = len(content), result.output if whole is None else whole
    if size <= most:
        return result
    try:
        file = _store_output(
            content if whole is result.output else encoded(whole), caller, files, workspace
        )
    except JackfieldError as error:
        return _warned(result, f"the output is whole: {error.message}")
    return _truncated(result, size, file, whole, most)


def _check_may_be_stored(recorded: Result, whole: object, files: Files) -> None:
    if recorded.output != whole:
        raise InvalidInvocation("it has secrets, which are stored nowhere")
    if not files.enabled:
        raise InvalidInvocation("there is no database to keep the rest")


def selected(expression: str, result: Result) -> Result:
    """Return a Result with the selection of an expression as its output. If the expression cannot
    be applied, return the whole output and a warning.
    """
    meta = copy(result.meta)
    try:
        output: Mapping[str, Any] = {"selected": selection(expression, result.output or {})}
    except SelectionError as error:
        return _warned(result, f"'select' {error}: this is the whole output")
    meta.selected = True
    return replace(result, output=output, meta=meta)


def _warned(result: Result, message: str) -> Result:
    meta = copy(result.meta)
    meta.warnings = (*meta.warnings, {"path": "", "message": message})
    return replace(result, meta=meta)


def encoded(output: object) -> bytes:
    """Return JSON in UTF-8. A lone surrogate, which UTF-8 cannot encode, becomes a JSON escape."""
    return result_json(output, _ENCODER).encode("utf-8", "backslashreplace")


def _store_output(
    content: bytes, caller: str | None, files: Files, workspace: str
) -> dict[str, Any]:
    pieces = (content[start : start + _PIECE] for start in range(0, len(content), _PIECE))
    return files.store(
        workspace, pieces, _KIND, name=_NAME, caller=caller, returned=True, kept=_KEPT
    ).to_json()


def _truncated(
    result: Result, size: int, file: Mapping[str, Any], whole: object, most: int
) -> Result:
    """Return the Result with the shape of the output instead of the output; without the shape if it
    needs more than ``most`` bytes.
    """
    meta, about = copy(result.meta), {"bytes": size, **file}
    meta.truncated, meta.selected = {"bytes": size, "file": file["file"]}, False
    shown = {**about, "shape": shape(whole)}
    output = {"truncated": shown if len(encoded({"truncated": shown})) <= most else about}
    return replace(result, output=output, meta=meta)


def shape(value: object) -> Any:
    """Return the shape of a JSON value: types of values, the first items of lists with the number
    of the others, some members.
    """
    return _shape(value, _LEVELS, iter(range(_MEMBERS)))


def _shape(value: object, levels: int, left: Iterator[int]) -> Any:
    if isinstance(value, Mapping):
        return _object_shape(value, levels, left) if levels else "object"
    if isinstance(value, list | tuple):
        return _list_shape(value, levels, left) if levels else "array"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "number")


def _object_shape(value: Mapping[Any, Any], levels: int, left: Iterator[int]) -> Any:
    shown = {
        str(name)[:_NAME_LENGTH]: _shape(inner, levels - 1, left)
        for (name, inner), _ in zip(value.items(), left, strict=False)
    }
    return (
        {**shown, "…": f"{len(value) - len(shown)} more members"}
        if len(shown) < len(value)
        else shown
    )


def _list_shape(value: list[Any] | tuple[Any, ...], levels: int, left: Iterator[int]) -> Any:
    shown = [
        _shape(inner, levels - 1, left) for inner, _ in zip(islice(value, 1), left, strict=False)
    ]
    return [*shown, f"… {len(value) - len(shown)} more"] if len(shown) < len(value) else shown
